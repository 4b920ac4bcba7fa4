"""Figures: what a portfolio, a run, a study or a fit looks like. Data in, the Axes drawn on out.

Every function draws on the Axes it is given, or on a new figure, and returns them; nothing is shown or saved.
Colours are Okabe & Ito's, which the colour-blind tell apart; lines differ in dash and marker, and areas in
hatch, too, so that all of it reads in black and white. Needs `engine[figures]`.

Sources: Okabe & Ito (2008), "Color Universal Design", for the palette; Nuñez, Anderton & Renslow (2018) for
cividis, the colour map of the phase diagram.
"""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from engine.frontier import Frontier
from engine.portfolio import Portfolio, normalise
from engine.report import project_names
from engine.solvers import Solution
from engine.statistics import BINS, LEAST, MOST, Summary

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000")
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (7, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
HATCHES = ("", "///", "...", "\\\\\\", "xxx", "---", "+++", "ooo", "**", "||")
STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "figure.titlesize": 10,
    "legend.fontsize": 8,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "savefig.dpi": 200,
    "svg.hashsalt": "engine",
    "hatch.linewidth": 0.4,
}
# Inches: a column of text.
WIDTH, HEIGHT = 6.4, 3.6
COLUMNS, PANEL_HEIGHT = 3, 1.75
EFFORTS = 400
MOST_NAMED_PROJECTS = 9
MOST_NUMBERED_CELLS = 150
MOST_TICKS = 12
STAGE_GREYS = ("#ffffff", "#f0f0f0", "#e2e2e2", "#d4d4d4", "#c6c6c6")


class SolverTime(NamedTuple):
    """One solver at one point: seconds a portfolio on average, and the mean share of the optimum missed."""

    solver: str
    seconds: float
    loss: float


class FittedCurve(NamedTuple):
    """Measurements of one project, its fitted curve on a grid of efforts, and the band of its draws."""

    name: str
    family: str
    effort: Float[np.ndarray, " points"]
    performance: Float[np.ndarray, " points"]
    foretold: Float[np.ndarray, " points"]
    grid: Float[np.ndarray, " grid"]
    fitted: Float[np.ndarray, " grid"]
    low: Float[np.ndarray, " grid"] | None = None
    high: Float[np.ndarray, " grid"] | None = None


def _figure(width: float = WIDTH, height: float = HEIGHT) -> Figure:
    return Figure(figsize=(width, height), layout="constrained")


def _axes(axes: Axes | None) -> Axes:
    return _figure().add_subplot() if axes is None else axes


def rendered(axes: Axes, ending: str) -> bytes:
    """The figure of these Axes as the content of a file: png, svg or pdf."""
    figure: Any = axes.get_figure(root=True)
    without_date = {"Date": None} if ending == "svg" else None
    data = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(data, format=ending, metadata=without_date)
    return data.getvalue()


def save(axes: Axes, path: Path) -> None:
    """Write the figure of these Axes; the ending of the name says in what format."""
    path.write_bytes(rendered(axes, path.suffix[1:]))


@mpl.rc_context(STYLE)
def curves_figure(
    portfolio: Portfolio, solutions: Mapping[str, Solution], most_effort: float | None = None
) -> list[Axes]:
    """Every project's return by its effort, a panel each, with a mark where each solver puts it.

    Bands are the stages, the last one, at the frontier, the darkest; a short line through the first solver's
    mark has the slope of its shadow price: a tangent, where effort lies within its bounds on a smooth curve.

    **Arguments:** `portfolio` of arrays [projects]; `solutions` by the solvers' names, the first one filled;
    `most_effort`, where the axes of effort end.

    **Returns:** one Axes a project, in the order of the projects.
    """
    first = next(iter(solutions.values()))
    efforts = np.array([solution.effort for solution in solutions.values()])
    end = most_effort or max(1.25 * float(efforts.max()), 1.0)
    grid = np.linspace(0.0, end, EFFORTS)
    returns, stage, last = _along(portfolio, grid)
    marked, _, _ = _along(portfolio, efforts.T, each=True)
    projects = portfolio.shape[-1]
    columns = min(COLUMNS, projects)
    rows = -(-projects // columns)
    figure = _figure(WIDTH, PANEL_HEIGHT * rows + 0.7)
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    for panel in panels[projects:]:
        panel.set_axis_off()
    names = project_names(portfolio)
    for i, panel in enumerate(panels[:projects]):
        _shade_stages(panel, grid, stage[:, i], last[:, i])
        panel.plot(grid, returns[:, i], color="black", linewidth=1.2)
        _draw_tangent(panel, float(efforts[0, i]), float(marked[i, 0]), _price(portfolio, first, i), end)
        for k in reversed(range(len(solutions))):
            panel.plot(efforts[k, i], marked[i, k], **_mark(k), clip_on=False)
        frontier = bool(last[np.searchsorted(grid, min(efforts[0, i], end)), i])
        panel.set_title(_short(names[i]) + (" (frontier)" if frontier else ""))
        panel.set_xlim(0, end)
        panel.margins(y=0.12)
    for panel in panels[max(projects - columns, 0) : projects]:
        panel.tick_params(labelbottom=True)
    figure.supxlabel("effort (units)", fontsize=STYLE["axes.labelsize"])
    figure.supylabel("return", fontsize=STYLE["axes.labelsize"])
    handles = [Line2D([], [], **_mark(k), label=name) for k, name in enumerate(solutions)]
    handles.append(Line2D([], [], color=PALETTE[3], linewidth=1.2, label="slope of the shadow price"))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return list(panels[:projects])


def _along(portfolio: Portfolio, effort: np.ndarray, each: bool = False) -> tuple[np.ndarray, ...]:
    """(returns, stages, whether the last one) [efforts, projects] along a grid that all projects share; with
    `each`, [projects, efforts] at efforts of their own."""
    with jax.enable_x64(True):
        bare = jax.tree.map(jnp.asarray, normalise(portfolio, np.dtype(np.float64)))
        own = effort.T if each else np.repeat(effort[:, None], portfolio.shape[-1], axis=1)
        points = jnp.asarray(own, float)
        returns = jax.vmap(bare.returns)(points)
        stages, last = jax.vmap(bare.stage)(points)
    found = np.asarray(returns), np.asarray(stages), np.asarray(last)
    return tuple(a.T for a in found) if each else found


def _shade_stages(axes: Axes, grid: np.ndarray, stage: np.ndarray, last: np.ndarray) -> None:
    cuts = np.flatnonzero(np.diff(stage)) + 1
    edges = [0, *cuts.tolist(), grid.size - 1]
    for left, right in itertools.pairwise(edges):
        grey = STAGE_GREYS[-1] if last[left] else STAGE_GREYS[min(int(stage[left]), len(STAGE_GREYS) - 2)]
        axes.axvspan(grid[left], grid[right], color=grey, linewidth=0, zorder=0)


def _price(portfolio: Portfolio, solution: Solution, project: int) -> float:
    """Return per unit of effort at the margin."""
    cost = 1.0 if portfolio.cost is None else float(np.asarray(portfolio.cost)[project])
    return float(solution.price) * cost


def _draw_tangent(axes: Axes, effort: float, value: float, slope: float, end: float) -> None:
    if effort > 0 and math.isfinite(slope):
        half = 0.11 * end
        ends = np.array([max(effort - half, 0.0), effort + half])
        axes.plot(ends, value + slope * (ends - effort), color=PALETTE[3], linewidth=1.2, scaley=False)


def _mark(k: int) -> dict[str, Any]:
    """How the k-th solver is marked: the first filled, the others hollow."""
    colour = PALETTE[k % len(PALETTE)]
    return {
        "linestyle": "none",
        "marker": MARKERS[k % len(MARKERS)],
        "markersize": 6 if k == 0 else 8,
        "color": colour,
        "markerfacecolor": colour if k == 0 else "none",
        "markeredgewidth": 1.4,
    }


def _short(name: str, most: int = 24) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


@mpl.rc_context(STYLE)
def allocation_figure(portfolio: Portfolio, frontier: Frontier) -> tuple[Axes, Axes]:
    """The optimal spend on each project, stacked, at every budget; below, what the last unit is worth.

    The key says from which budget on a project is at the frontier, and names the projects that spend most.

    **Returns:** the Axes of the allocation and of the shadow price.
    """
    figure = _figure(WIDTH, 4.6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1.2])
    budget = np.asarray(frontier.budget)
    cost = 1.0 if portfolio.cost is None else np.asarray(portfolio.cost)
    spend = np.nan_to_num(np.asarray(frontier.effort)) * cost
    names = project_names(portfolio)
    reached = _frontier_budgets(portfolio, frontier)
    named = np.sort(np.argsort(-spend[-1])[:MOST_NAMED_PROJECTS])
    layers = [spend[:, i] for i in named]
    labels = [_short(names[i]) + (f"\nfrontier from {reached[i]:g}" if i in reached else "") for i in named]
    if len(named) < len(names):
        layers.append(np.delete(spend, named, axis=1).sum(axis=1))
        labels.append(f"{len(names) - len(named)} others")
    areas = above.stackplot(
        budget, layers, labels=labels, colors=[_tint(k) for k in range(len(layers))], linewidth=0.6
    )
    for k, area in enumerate(areas):
        area.set_hatch(HATCHES[k % len(HATCHES)])
        area.set_edgecolor("black")
    above.set(ylabel="spend (units of cost)", xlim=(budget[0], budget[-1]), ylim=(0, None))
    handles, texts = above.get_legend_handles_labels()
    key: Any = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0), "handlelength": 1.6, "handleheight": 1.2}
    above.legend(handles[::-1], texts[::-1], **key)
    price = np.asarray(frontier.price_left)
    below.step(budget, np.where(price > 0, price, np.nan), where="pre", color="black", linewidth=1.2)
    below.set(xlabel="budget (units of cost)", ylabel="shadow price\n(return per unit)")
    if np.nanmax(price[1:], initial=0.0) > 20 * np.nanmin(np.where(price > 0, price, np.inf)):
        below.set_yscale("log")
    else:
        below.set_ylim(0, None)
    return above, below


def _tint(k: int) -> Any:
    """The k-th colour, mixed with white so that hatches show on it; lighter once the palette is used up."""
    share = 0.65 if k < len(PALETTE) else 0.35
    colour = np.array(mpl.colors.to_rgb(PALETTE[k % len(PALETTE)]))
    return tuple(share * colour + (1 - share))


def _frontier_budgets(portfolio: Portfolio, frontier: Frontier) -> dict[int, float]:
    """From which budget on each project is at the frontier, of those that are at the largest budget."""
    efforts = np.nan_to_num(np.asarray(frontier.effort)).T
    _, _, last = _along(portfolio, efforts, each=True)
    found = {}
    for project, reached in enumerate(last):
        if reached[-1]:
            never_after = np.flatnonzero(~reached)
            start = int(never_after[-1]) + 1 if never_after.size else 0
            found[project] = float(frontier.budget[start])
    return found


@mpl.rc_context(STYLE)
def phase_figure(
    values: Float[np.ndarray, "rows columns"],
    x: Sequence[Any],
    y: Sequence[Any],
    *,
    x_label: str,
    y_label: str,
    label: str = "chance to reach the frontier",
    chance: bool = True,
    percent: bool = True,
    axes: Axes | None = None,
) -> Axes:
    """A quantity over two axes of a grid: the phase diagram, where it is the chance to reach the frontier.

    **Arguments:** `values[i, j]` at y[i] and x[j], NaN where nothing is known; `chance`, whether colours go
    from 0 to 1, with the line of one half; `percent`, whether numbers are shown in per cent.
    """
    axes = _axes(axes)
    values = np.asarray(values, float)
    low, high = (0.0, 1.0) if chance else (None, None)
    masked = np.ma.masked_invalid(values)
    mesh = axes.pcolormesh(masked, cmap="cividis", edgecolors="white", linewidth=0.3, vmin=low, vmax=high)
    if values.size <= MOST_NUMBERED_CELLS:
        _write_cells(axes, values, mesh, percent)
    halved = chance and min(values.shape) > 1 and np.nanmin(values) < 0.5 < np.nanmax(values)
    if halved:
        centres = np.arange(values.shape[1]) + 0.5, np.arange(values.shape[0]) + 0.5
        axes.contour(*centres, masked, levels=[0.5], colors="white", linewidths=1.8, linestyles="--")
    for axis, given in ((axes.xaxis, x), (axes.yaxis, y)):
        step = -(-len(given) // MOST_TICKS)
        axis.set_ticks(np.arange(0, len(given), step) + 0.5, [_value(v) for v in list(given)[::step]])
        axis.set_tick_params(length=0)
    axes.set(xlabel=x_label, ylabel=y_label)
    figure: Any = axes.get_figure()
    bar = figure.colorbar(mesh, ax=axes, label=f"{label} (dashed: one half)" if halved else label)
    if percent:
        bar.ax.yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1.0, symbol=" %"))
    return axes


def _write_cells(axes: Axes, values: np.ndarray, mesh: Any, percent: bool) -> None:
    for (row, column), value in np.ndenumerate(values):
        if math.isfinite(value):
            red, green, blue, _ = mesh.cmap(mesh.norm(value))
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
            text = f"{100 * value:.0f}" if percent else f"{value:.3g}"
            axes.text(
                column + 0.5,
                row + 0.5,
                text,
                ha="center",
                va="center",
                fontsize=7,
                color="white" if dark else "black",
            )


def _value(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) and abs(value) < 1000 else str(value)


@mpl.rc_context(STYLE)
def along_figure(
    x: Sequence[Any],
    means: Mapping[str, Float[np.ndarray, " points"]],
    errors: Mapping[str, Float[np.ndarray, " points"]],
    *,
    x_label: str,
    label: str,
    percent: bool = False,
    axes: Axes | None = None,
) -> Axes:
    """A quantity along one axis of a grid, a line a solver, with bars of two standard errors."""
    axes = _axes(axes)
    numeric = all(isinstance(value, (int, float)) for value in x)
    places = np.asarray(x, float) if numeric else np.arange(len(x), dtype=float)
    for k, (solver, mean) in enumerate(means.items()):
        bars = 2.0 * np.nan_to_num(np.asarray(errors[solver]))
        axes.errorbar(places, mean, bars, label=solver, **_line(k), capsize=2)
    if not numeric:
        axes.set_xticks(places, [str(value) for value in x])
    axes.set(xlabel=x_label, ylabel=label)
    if percent:
        axes.yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1.0, symbol=" %"))
    axes.legend(loc="best")
    return axes


def _line(k: int) -> dict[str, Any]:
    return {
        "color": PALETTE[k % len(PALETTE)],
        "linestyle": DASHES[k % len(DASHES)],
        "marker": MARKERS[k % len(MARKERS)],
        "markersize": 4,
        "linewidth": 1.3,
    }


@mpl.rc_context(STYLE)
def loss_figure(losses: Mapping[str, Summary], axes: Axes | None = None) -> Axes:
    """How much of the optimum each solver misses: the share of portfolios that lose more than so much.

    **Arguments:** `losses`, the summary of the metric `loss` by solver.
    """
    axes = _axes(axes)
    edges = LEAST * (MOST / LEAST) ** (np.arange(BINS + 1) / BINS)
    shown = (edges >= 1e-5) & (edges <= 1.0)
    for k, (solver, summary) in enumerate(losses.items()):
        count = max(float(summary.count), 1.0)
        more = 1.0 - np.cumsum(np.asarray(summary.counts)) / count
        line = {**_line(k), "marker": "none"}
        never = " (never)" if more[0] <= 0 else ""
        axes.plot(edges[shown], np.maximum(more[shown], 0.0), label=solver + never, **line)
    axes.set_xscale("log")
    axes.set(xlim=(1e-5, 1.0), ylim=(0, 1.02))
    axes.set(xlabel="loss (share of the optimum missed)", ylabel="portfolios that lose more")
    axes.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda v, _: f"{100 * v:g} %"))
    axes.yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1.0, symbol=" %"))
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return axes


@mpl.rc_context(STYLE)
def time_figure(times: Sequence[SolverTime], axes: Axes | None = None) -> Axes:
    """What each solver misses against how long it takes, a mark a solver and point; lower left is better."""
    axes = _axes(axes)
    solvers = list(dict.fromkeys(time.solver for time in times))
    for k, solver in enumerate(solvers):
        mine = [time for time in times if time.solver == solver]
        line = {**_line(k), "linestyle": "none", "markersize": 7 if len(mine) == 1 else 4}
        seconds = 1e6 * np.array([time.seconds for time in mine])
        axes.plot(seconds, [max(time.loss, 0.0) for time in mine], label=solver, alpha=0.85, **line)
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=1e-5, linscale=0.4)
    axes.set_ylim(-2e-6, 1.5 * max([1e-4, *(time.loss for time in times)]))
    axes.yaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda v, _: f"{100 * v:g} %"))
    axes.set(xlabel="time a portfolio (µs)", ylabel="mean loss (share of the optimum)")
    axes.grid(True, which="major", linewidth=0.4, color="#cccccc")
    axes.xaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda v, _: f"{v:g}"))
    axes.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return axes


@mpl.rc_context(STYLE)
def fit_figure(curve: FittedCurve) -> tuple[Axes, Axes]:
    """A fitted curve through its measurements, with the band of its bootstrap draws; below, the residuals.

    **Returns:** the Axes of the curve and of the residuals.
    """
    figure = _figure(WIDTH, 4.2)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1.1])
    if curve.low is not None and curve.high is not None:
        above.fill_between(
            curve.grid, curve.low, curve.high, color=_tint(5), label="nine tenths of the draws"
        )
    above.plot(curve.grid, curve.fitted, color="black", linewidth=1.3, label=f"{curve.family}, fitted")
    above.plot(curve.effort, curve.performance, "o", color=PALETTE[0], markersize=4.5, label="measured")
    most = float(curve.effort.max())
    for axes in (above, below):
        axes.axvline(most, color="#777777", linewidth=0.9, linestyle=":")
    above.text(most, 0.02, " beyond the measurements", transform=above.get_xaxis_transform(), fontsize=7.5)
    above.set(title=_short(curve.name, 60), ylabel="performance (as measured)", xlim=(0, curve.grid[-1]))
    above.legend(loc="lower right", bbox_to_anchor=(1.0, 0.1))
    below.axhline(0.0, color="black", linewidth=0.8)
    residual = curve.performance - curve.foretold
    below.vlines(curve.effort, 0.0, residual, color=PALETTE[0], linewidth=1.0)
    below.plot(curve.effort, residual, "o", color=PALETTE[0], markersize=4)
    below.set(xlabel="effort (units)", ylabel="residual")
    return above, below
