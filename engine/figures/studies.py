"""Figures of a study: phase diagrams, lines, losses, times."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patheffects import withStroke

from engine.figures.looks import solver_look
from engine.figures.palette import INK, LINE, PAPER
from engine.figures.style import AS_NUMBER, IN_PERCENT, STYLE, only_axes
from engine.simulation.summaries import BINS, LEAST, MOST, Summary
from engine.study.words import percent_text

MOST_NUMBERED_CELLS = 80
LEAST_NAMED_CELLS = 12
MOST_PIECES = 3
MOST_TICKS = 12
# Characters of a line that stands upright beside a map.
TALL = 38
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
        _draw_boundary(axes, masked, line, numbered, percent)
        if regions is not None and not numbered:
            _name_regions(axes, values > line, np.isfinite(values), regions)
    elif not numbered:
        _draw_levels(axes, masked, percent)
    for axis, given in ((axes.xaxis, x), (axes.yaxis, y)):
        step = -(-len(given) // MOST_TICKS)
        axis.set_ticks(np.arange(0, len(given), step) + 0.5, [_value(v) for v in list(given)[::step]])
        axis.set_tick_params(length=0)
    axes.set(xlabel=x_label, ylabel=fill(y_label, TALL))
    figure: Any = axes.get_figure()
    bar = figure.colorbar(mesh, ax=axes, label=fill(label, TALL))
    if percent:
        bar.ax.yaxis.set_major_formatter(IN_PERCENT)
    if line is not None and bar.ax.get_ylim()[0] < line < bar.ax.get_ylim()[1]:
        bar.ax.axhline(line, **BOUNDARY)
    return axes


def _draw_levels(axes: Axes, values: np.ma.MaskedArray, percent: bool) -> None:
    """A few round levels: colours alone tell no numbers."""
    low, high = float(values.min()), float(values.max())
    levels = mpl.ticker.MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, high)
    inner = [level for level in levels if low < level < high]
    if min(values.shape) > 1 and inner:
        _draw_contours(axes, values, inner, percent, 0.9, 7, MOST_PIECES * len(inner))  # noise has more


def _draw_contours(
    axes: Axes,
    values: np.ma.MaskedArray,
    levels: Sequence[float],
    percent: bool,
    width: float,
    size: float,
    most: float = math.inf,
) -> None:
    """Lines of equal values through the cells, with their numbers; none where they are in more pieces."""
    centres = np.arange(values.shape[1]) + 0.5, np.arange(values.shape[0]) + 0.5
    drawn = axes.contour(*centres, values, levels=levels, colors=INK, linewidths=width)
    if sum(map(len, drawn.allsegs)) > most:
        drawn.remove()
        return
    drawn.set_path_effects(CASED)
    labels = {level: f"{100 * level:g} %" if percent else f"{level:g}" for level in levels}
    for text in axes.clabel(drawn, fmt=labels, fontsize=size, inline_spacing=2):
        text.set_path_effects(CASED)


def _draw_boundary(axes: Axes, values: np.ma.MaskedArray, line: float, between: bool, percent: bool) -> None:
    """Where values cross the line: smooth through the cells, or between them, striking no number."""
    above = np.ma.filled(values, np.nan) > line
    if min(values.shape) < 2 or above.all() or not above.any():
        return
    if not between:
        _draw_contours(axes, values, [line], percent, 1.6, 8)
        return
    sides = [[(j + 1, i), (j + 1, i + 1)] for i, j in np.argwhere(above[:, 1:] != above[:, :-1])]
    sides += [[(j, i + 1), (j + 1, i + 1)] for i, j in np.argwhere(above[1:] != above[:-1])]
    look: Any = {"colors": INK, "linewidth": 1.6, "capstyle": "round", "path_effects": CASED}
    axes.add_collection(LineCollection(sides, **look))


def _name_regions(axes: Axes, above: np.ndarray, known: np.ndarray, names: tuple[str, str]) -> None:
    """The name of each region where it is widest, upright where the region is narrow."""
    for name, region in zip(names, (~above & known, above & known), strict=True):
        if np.count_nonzero(region) < LEAST_NAMED_CELLS:
            continue
        outside = np.argwhere(~np.pad(region, 1)) - 1
        inside = np.argwhere(region)
        offset = inside[:, None] - outside[None]
        amid = 0.05 * np.linalg.norm(inside - inside.mean(axis=0), axis=1)
        # Names are three times as long as they are high.
        places = []
        for shape in ((1.0, 1 / 3), (1 / 3, 1.0)):
            room = np.min(np.linalg.norm(offset * np.array(shape), axis=-1), axis=1) - amid
            places.append((float(room.max()), inside[np.argmax(room)] + 0.5))
        (flat, at), (tall, upright_at) = places
        upright = tall > 1.2 * flat
        row, column = upright_at if upright else at
        look: Any = {"ha": "center", "va": "center", "fontsize": 8, "color": INK}
        box = {"boxstyle": "round,pad=0.3", "facecolor": PAPER, "edgecolor": "none", "alpha": 0.85}
        axes.text(column, row, name, rotation=90 if upright else 0, bbox=box, **look)


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
        axes.yaxis.set_major_formatter(IN_PERCENT)
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
    shares, end = loss_edges()
    for solver, summary in losses.items():
        count = max(float(summary.count), 1.0)
        more = 1.0 - np.cumsum(np.asarray(summary.counts)) / count
        line = {**_line(solver), "marker": "none"}
        label = f"{solver}: {percent_text(more[0], 0)} miss something"
        axes.plot(shares, np.maximum(np.append(more[end], more[end[-1] + 1]), 0.0), label=label, **line)
    axes.set_xscale("log")
    axes.set(xlim=(1e-5, 1.0), ylim=(0, 1.02))
    axes.set(xlabel="share of the optimum missed", ylabel="portfolios that miss more than that")
    axes.xaxis.set_major_formatter(IN_PERCENT)
    axes.yaxis.set_major_formatter(IN_PERCENT)
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)
    return axes


def loss_edges() -> tuple[np.ndarray, np.ndarray]:
    """Shares of the optimum at which the histogram of losses is read, up to all of it, and their edges; the
    last share, all, is read at the edge after the last of them."""
    edges = LEAST * (MOST / LEAST) ** (np.arange(BINS + 1) / BINS)
    shown = np.flatnonzero((edges >= 1e-5) & (edges < 1.0))
    return np.append(edges[shown], 1.0), shown


@mpl.rc_context(STYLE)
def time_figure(times: Sequence[SolverTime], known: bool = True, axes: Axes | None = None) -> Axes:
    """What each solver misses against how long it takes; lower left is better.

    A mark is a solver; where there are several points, their medians, with a faint mark a point. Where the
    optimum is not `known`, `SolverTime.loss` is of the certified bound.
    """
    axes = only_axes(axes)
    most = max([1e-4, *(time.loss for time in times)])
    for solver in dict.fromkeys(time.solver for time in times):
        mine = [time for time in times if time.solver == solver]
        line = {**_line(solver), "linestyle": "none"}
        seconds = 1e6 * np.array([time.seconds for time in mine])
        missed = np.array([max(time.loss, 0.0) for time in mine])
        if len(mine) > 1:
            faint = {**line, "markersize": 3, "markerfacecolor": "none", "markeredgewidth": 0.6}
            axes.plot(seconds, missed, alpha=0.35, zorder=1, **faint)
        line |= {"markersize": 9, "markeredgewidth": 1.8, "zorder": 3}
        axes.plot(np.median(seconds), np.median(missed), label=solver, **line)
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=1e-5, linscale=0.4)
    decades = [share for share in 10.0 ** np.arange(-5, 1) if share < 10 * most]
    axes.set_ylim(-3e-6, 1.4 * decades[-1])
    axes.yaxis.set_major_locator(mpl.ticker.FixedLocator([0.0, *decades]))
    axes.yaxis.set_minor_locator(mpl.ticker.NullLocator())
    axes.yaxis.set_major_formatter(IN_PERCENT)
    whole = "optimum" if known else "certified bound"
    axes.set(xlabel="time per portfolio (µs)", ylabel=f"mean share of the {whole} missed")
    axes.grid(True, which="major", linewidth=0.4, color=LINE)
    axes.xaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(AS_NUMBER)
    axes.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return axes
