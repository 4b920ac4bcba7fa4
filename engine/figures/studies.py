"""Figures of a study: phase diagrams, lines, losses, times."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patheffects import withStroke

from engine.figures.looks import solver_look
from engine.figures.palette import INK, LINE, PAPER
from engine.figures.style import STYLE, only_axes
from engine.simulation.summaries import BINS, LEAST, MOST, Summary

MOST_NUMBERED_CELLS = 80
LEAST_NAMED_CELLS = 12
MOST_TICKS = 12
# A boundary is read on every colour under it.
BOUNDARY: Any = {"color": INK, "linewidth": 1.6}
CASED: Any = [withStroke(linewidth=3.4, foreground=PAPER)]
# Numbers on colours that are the same on light and dark paper, and so are no ink.
ON_DARK, ON_LIGHT = "#fefefe", "#010101"


class SolverTime(NamedTuple):
    """One solver at one point: seconds a portfolio on average, and the mean share of the optimum missed."""

    solver: str
    seconds: float
    loss: float


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
    line: float | None = None,
    regions: tuple[str, str] | None = None,
    axes: Axes | None = None,
) -> Axes:
    """A quantity over two axes of a grid: the phase diagram, where it is the chance to reach the frontier.

    Few cells have their numbers written in them, and the boundary then runs between cells.

    **Arguments:** `values[i, j]` at y[i] and x[j], NaN where nothing is known; `chance`, whether colours go
    from 0 to 1; `percent`, whether numbers are shown in per cent; `line`, at which value a boundary is drawn;
    `regions`, the names of what lies below and above it.
    """
    axes = only_axes(axes)
    values = np.asarray(values, float)
    low, high = (0.0, 1.0) if chance else (None, None)
    masked = np.ma.masked_invalid(values)
    mesh = axes.pcolormesh(masked, cmap="cividis", edgecolors="face", linewidth=0.3, vmin=low, vmax=high)
    numbered = values.size <= MOST_NUMBERED_CELLS
    if numbered:
        _write_cells(axes, values, mesh, percent)
    if line is not None:
        _draw_boundary(axes, masked, line, numbered)
        if regions is not None and not numbered:
            _name_regions(axes, values > line, np.isfinite(values), regions)
    for axis, given in ((axes.xaxis, x), (axes.yaxis, y)):
        step = -(-len(given) // MOST_TICKS)
        axis.set_ticks(np.arange(0, len(given), step) + 0.5, [_value(v) for v in list(given)[::step]])
        axis.set_tick_params(length=0)
    axes.set(xlabel=x_label, ylabel=y_label)
    figure: Any = axes.get_figure()
    bar = figure.colorbar(mesh, ax=axes, label=label)
    if percent:
        bar.ax.yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1.0, symbol=" %"))
    if line is not None and bar.ax.get_ylim()[0] < line < bar.ax.get_ylim()[1]:
        bar.ax.axhline(line, **BOUNDARY)
    return axes


def _draw_boundary(axes: Axes, values: np.ma.MaskedArray, line: float, between: bool) -> None:
    """Where values cross the line: smooth through the cells, or between them, striking no number."""
    above = np.ma.filled(values, np.nan) > line
    if min(values.shape) < 2 or above.all() or not above.any():
        return
    if not between:
        centres = np.arange(values.shape[1]) + 0.5, np.arange(values.shape[0]) + 0.5
        drawn = axes.contour(*centres, values, levels=[line], colors=INK, linewidths=1.6)
        drawn.set_path_effects(CASED)
        return
    sides = [[(j + 1, i), (j + 1, i + 1)] for i, j in np.argwhere(above[:, 1:] != above[:, :-1])]
    sides += [[(j, i + 1), (j + 1, i + 1)] for i, j in np.argwhere(above[1:] != above[:-1])]
    axes.add_collection(
        LineCollection(sides, colors=INK, linewidth=1.6, capstyle="round", path_effects=CASED)
    )


def _name_regions(axes: Axes, above: np.ndarray, known: np.ndarray, names: tuple[str, str]) -> None:
    """The name of each region where it is widest."""
    for name, region in zip(names, (~above & known, above & known), strict=True):
        if np.count_nonzero(region) < LEAST_NAMED_CELLS:
            continue
        outside = np.argwhere(~np.pad(region, 1)) - 1
        inside = np.argwhere(region)
        # Names are three times as wide as they are high.
        apart = (inside[:, None] - outside[None]) * np.array([1.0, 1 / 3])
        row, column = inside[np.argmax(np.min(np.sum(apart**2, axis=-1), axis=1))] + 0.5
        box = {"boxstyle": "round,pad=0.3", "facecolor": PAPER, "edgecolor": "none", "alpha": 0.85}
        axes.text(column, row, name, ha="center", va="center", fontsize=8, color=INK, bbox=box)


def _write_cells(axes: Axes, values: np.ndarray, mesh: Any, percent: bool) -> None:
    for (row, column), value in np.ndenumerate(values):
        if math.isfinite(value):
            red, green, blue, _ = mesh.cmap(mesh.norm(value))
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
            text = f"{100 * value:.0f}" if percent else f"{value:.3g}"
            place: Any = {"ha": "center", "va": "center", "fontsize": 7}
            axes.text(column + 0.5, row + 0.5, text, color=ON_DARK if dark else ON_LIGHT, **place)


def _value(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) and abs(value) < 1000 else str(value)


@mpl.rc_context(STYLE)
def along_figure(
    x: Sequence[Any],
    means: Mapping[str, Float[np.ndarray, " points"]],
    bars: Mapping[str, Float[np.ndarray, "*sides points"]],
    *,
    x_label: str,
    label: str,
    percent: bool = False,
    axes: Axes | None = None,
) -> Axes:
    """A quantity along one axis of a grid, a line a solver, with bars of what is not known.

    **Arguments:** `means` by solver; `bars`, how far they go on both sides, or [2, points] below and above.
    """
    axes = only_axes(axes)
    numeric = all(isinstance(value, (int, float)) for value in x)
    places = np.asarray(x, float) if numeric else np.arange(len(x), dtype=float)
    for solver, mean in means.items():
        axes.errorbar(places, mean, np.nan_to_num(bars[solver]), label=solver, **_line(solver), capsize=2)
    if not numeric:
        axes.set_xticks(places, [str(value) for value in x])
    axes.set(xlabel=x_label, ylabel=label)
    if percent:
        axes.yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1.0, symbol=" %"))
    axes.legend(loc="best")
    return axes


def _line(solver: str) -> dict[str, Any]:
    look = solver_look(solver)
    return {
        "color": look.colour,
        "linestyle": look.dash,
        "marker": look.marker,
        "markerfacecolor": look.colour if look.filled else "white",
        "markersize": 4.5,
        "linewidth": 1.3,
    }


@mpl.rc_context(STYLE)
def loss_figure(losses: Mapping[str, Summary], axes: Axes | None = None) -> Axes:
    """How much of the optimum each solver misses: the share of portfolios that lose more than so much.

    **Arguments:** `losses`, the summary of the metric `loss` by solver.
    """
    axes = only_axes(axes)
    edges = LEAST * (MOST / LEAST) ** (np.arange(BINS + 1) / BINS)
    shown = (edges >= 1e-5) & (edges <= 1.0)
    for solver, summary in losses.items():
        count = max(float(summary.count), 1.0)
        more = 1.0 - np.cumsum(np.asarray(summary.counts)) / count
        line = {**_line(solver), "marker": "none"}
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
    axes = only_axes(axes)
    solvers = list(dict.fromkeys(time.solver for time in times))
    for solver in solvers:
        mine = [time for time in times if time.solver == solver]
        line = {**_line(solver), "linestyle": "none", "markersize": 7 if len(mine) == 1 else 4}
        seconds = 1e6 * np.array([time.seconds for time in mine])
        axes.plot(seconds, [max(time.loss, 0.0) for time in mine], label=solver, alpha=0.85, **line)
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=1e-5, linscale=0.4)
    axes.set_ylim(-2e-6, 1.5 * max([1e-4, *(time.loss for time in times)]))
    axes.yaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda v, _: f"{100 * v:g} %"))
    axes.set(xlabel="time a portfolio (µs)", ylabel="mean loss (share of the optimum)")
    axes.grid(True, which="major", linewidth=0.4, color=LINE)
    axes.xaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda v, _: f"{v:g}"))
    axes.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return axes
