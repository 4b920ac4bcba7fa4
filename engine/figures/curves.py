"""Figures of one portfolio's curves: what each project returns by its effort, and what one unit more gains.

All panels share their axes, which go as far as the frontiers: slopes that are equal look equal, and what is
far from its frontier is seen to be.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from engine.allocation.answer import Allocation
from engine.allocation.running import on_host
from engine.figures.looks import project_colour, project_dash
from engine.figures.palette import FRONTIER_GREY, INK, SOFT, STAGE_GREYS
from engine.figures.style import COLUMNS, PANEL_HEIGHT, STYLE, WIDTH, mark, new_figure, only_axes
from engine.model.portfolio import Portfolio, project_names
from engine.model.validation import normalise
from engine.solvers.solution import Solution
from engine.study.words import number_text, short

EFFORTS = 400
# The axis of efforts goes as far as the frontiers, if that is at most so many times the largest effort.
FAR = 6.0
# Where on the axis of efforts the marks stand of efforts that are beyond it.
EDGE = 0.985
# Gains are shown up to so many times the shadow price.
MOST_PRICES = 5.0


class Along(NamedTuple):
    """Performances, returns, stages and whether the last one, [efforts, projects]."""

    performance: np.ndarray
    returns: np.ndarray
    stage: np.ndarray
    last: np.ndarray


def along(portfolio: Portfolio, effort: np.ndarray) -> Along:
    """Every project at rows of efforts, [efforts, projects]."""
    return Along(*on_host(_along, normalise(portfolio, np.dtype(np.float64)), np.asarray(effort, float)))


def _along(portfolio: Portfolio, effort: jax.Array) -> Any:
    curves = jax.vmap(portfolio.performance)(effort), jax.vmap(portfolio.returns)(effort)
    return *curves, *jax.vmap(portfolio.stage)(effort)


def effort_to_frontier(portfolio: Portfolio, most: float) -> np.ndarray:
    """About the least effort at which each project is at its frontier; infinite beyond `most`."""
    tried = np.linspace(0.0, most, 4 * EFFORTS + 1)
    last = along(portfolio, np.repeat(tried[:, None], portfolio.shape[-1], axis=1)).last
    return np.where(last.any(axis=0), tried[np.argmax(last, axis=0)], np.inf)


def end_of_efforts(portfolio: Portfolio, effort: np.ndarray) -> float:
    """Where an axis of efforts ends that all projects share: past every effort, and past the frontiers."""
    largest = max(float(np.max(effort)), 1.0)
    frontiers = effort_to_frontier(portfolio, FAR * largest)
    near = frontiers[np.isfinite(frontiers)]
    return 1.15 * max(1.1 * largest, float(near.max(initial=0.0)))


@mpl.rc_context(STYLE)
def curves_figure(
    portfolio: Portfolio, solutions: Mapping[str, Allocation | Solution], most_effort: float | None = None
) -> list[Axes]:
    """Every project's performance by its effort, a panel each, with a mark where each solver puts it.

    Bands are the stages, the darkest the frontier; a star is at a name whose project the first solver takes
    there. A line through its mark has the slope that the shadow price asks for: a tangent, where effort lies
    within its limits on a smooth curve, and the flatter the more the project weighs. Efforts beyond the axes
    stand at their edge.

    **Arguments:** `portfolio` of arrays [projects]; `solutions` by the solvers' names; `most_effort`, where
    the axes of effort end.

    **Returns:** one Axes a project, in the order of the projects.
    """
    efforts = np.array([solution.effort for solution in solutions.values()])
    end = most_effort or end_of_efforts(portfolio, efforts[:1])
    projects = portfolio.shape[-1]
    grid = np.linspace(0.0, end, EFFORTS)
    curves = along(portfolio, np.repeat(grid[:, None], projects, axis=1))
    marked = along(portfolio, np.minimum(efforts, EDGE * end))
    slopes = _slopes(portfolio, next(iter(solutions.values())), marked.performance[0])
    panels = _panels(projects)
    names, notes = project_names(portfolio), _notes(portfolio, solutions, efforts)
    for i, panel in enumerate(panels):
        _shade_stages(panel, grid, curves.stage[:, i], curves.last[:, i])
        panel.plot(grid, curves.performance[:, i], color=INK, linewidth=1.3)
        _draw_tangent(panel, float(efforts[0, i]), float(marked.performance[0, i]), slopes[i], end)
        for k, solver in reversed(list(enumerate(solutions))):
            _draw_effort(panel, solver, float(efforts[k, i]), float(marked.performance[k, i]), end)
        panel.set_title(("★ " if marked.last[0, i] else "") + short(names[i], 24), loc="left")
        place: Any = {"transform": panel.transAxes, "ha": "right", "fontsize": 7, "linespacing": 1.1}
        panel.text(0.97, 0.05, notes[i], **place)
    low, high = min(0.0, float(curves.performance.min())), float(curves.performance.max())
    room = 0.04 * (high - low) or 1.0
    panels[0].set(xlim=(-0.03 * end, end), ylim=(low - room, high + room))
    figure: Any = panels[0].get_figure()
    figure.supxlabel("effort (units)", fontsize=STYLE["axes.labelsize"])
    figure.supylabel("performance", fontsize=STYLE["axes.labelsize"])
    _key(figure, solutions, bool(curves.last.any()), slopes)
    return panels


def _draw_effort(axes: Axes, solver: str, effort: float, performance: float, end: float) -> None:
    """The mark of a solver; one beyond the axis stands at its edge, with an arrow."""
    at = min(effort, EDGE * end)
    axes.plot(at, performance, **mark(solver), clip_on=False)
    if at < effort:
        place: Any = {"xytext": (-6, 4), "textcoords": "offset points", "ha": "right", "fontsize": 7}
        axes.annotate(f"{number_text(effort, 4)} →", (at, performance), **place)


def _notes(portfolio: Portfolio, solutions: Mapping[str, Any], efforts: np.ndarray) -> list[str]:
    """Of each project its weight, where these differ, and each solver's effort; once, where all agree."""
    weight = _given(portfolio.weight, portfolio)
    same = bool(np.all(weight == weight[0]))
    notes = []
    for own, of in zip(weight, efforts.T, strict=True):
        numbers = [number_text(effort, 4) for effort in of]
        lines = [f"{solver} {number}" for solver, number in zip(solutions, numbers, strict=True)]
        lines = [f"{numbers[0]} units"] if len(set(numbers)) == 1 else lines
        notes.append("\n".join(lines if same else [f"weight {number_text(own, 2)}", *lines]))
    return notes


def _panels(projects: int) -> list[Axes]:
    """A panel a project, all with the same axes; a row that is not full shows its scale all the same."""
    columns = min(COLUMNS, projects)
    rows = -(-projects // columns)
    figure = new_figure(WIDTH, PANEL_HEIGHT * rows + 0.7)
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for panel in panels[projects:]:
        panel.set_axis_off()
    for panel in panels[max(projects - columns, 0) : projects]:
        panel.tick_params(labelbottom=True)
    return list(panels[:projects])


def _given(part: Any, portfolio: Portfolio) -> np.ndarray:
    """A cost, weight or chance of each project; 1 where none are given."""
    return np.ones(portfolio.shape) if part is None else np.asarray(part, float)


def _key(figure: Any, solutions: Mapping[str, Any], frontier: bool, slopes: np.ndarray) -> None:
    handles: list[Any] = [Line2D([], [], **mark(solver)) for solver in solutions]
    labels = list(solutions)
    if np.all(np.isfinite(slopes)):
        handles.append(Line2D([], [], color=SOFT, linewidth=1.8))
        labels.append("slope of the shadow price")
    handles.append(tuple(Patch(color=grey) for grey in STAGE_GREYS[:3]))
    labels.append("stages")
    if frontier:
        handles.append(Patch(color=FRONTIER_GREY))
        labels.append("frontier (last stage)")
    side_by_side = {tuple: HandlerTuple(ndivide=None, pad=0.0)}
    place: Any = {"loc": "outside upper center", "ncols": 3, "columnspacing": 1.4}
    figure.legend(handles, labels, handler_map=side_by_side, **place)


def _shade_stages(axes: Axes, grid: np.ndarray, stage: np.ndarray, last: np.ndarray) -> None:
    cuts = np.flatnonzero(np.diff(stage)) + 1
    edges = [0, *cuts.tolist(), grid.size - 1]
    for left, right in itertools.pairwise(edges):
        grey = FRONTIER_GREY if last[left] else STAGE_GREYS[min(int(stage[left]), len(STAGE_GREYS) - 1)]
        axes.axvspan(grid[left], grid[right], color=grey, linewidth=0, zorder=0)


def _slopes(portfolio: Portfolio, solution: Allocation | Solution, performance: np.ndarray) -> np.ndarray:
    """What a unit of effort must lift each project's performance by at the margin, to be worth its price."""
    cost = _given(portfolio.cost, portfolio)
    price = float(solution.price if isinstance(solution, Allocation) else solution.multiplier)
    worth = _given(portfolio.weight, portfolio) * _given(portfolio.success, portfolio)
    if portfolio.curvature is not None:
        worth = worth * np.exp(-np.asarray(portfolio.curvature) * performance)
    return price * cost / np.where(worth > 0, worth, np.nan)


def _draw_tangent(axes: Axes, effort: float, value: float, slope: float, end: float) -> None:
    if effort > 0 and math.isfinite(slope):
        half = 0.16 * end
        ends = np.array([max(effort - half, 0.0), effort + half])
        axes.plot(ends, value + slope * (ends - effort), color=SOFT, linewidth=1.8)


@mpl.rc_context(STYLE)
def gains_figure(portfolio: Portfolio, solution: Allocation) -> list[Axes]:
    """What one unit more gains against effort, and the shadow price that cuts all projects' lines.

    A line is a step a unit; a disc is a project's effort, where the price cuts its line; the frontier is
    shaded, or, where the projects of one Axes come to it at different efforts, a tick on each line. Gains are
    per unit of cost, as the price is, and not shown beyond five times the price. Lines that only fall share
    one Axes; where some rise again they would hide one another, and each has a panel of the same axes.

    **Arguments:** `portfolio` of arrays [projects]; `solution`, its allocation with a price.

    **Returns:** the Axes, one or one a project.
    """
    effort, price = np.asarray(solution.effort, float), float(solution.price)
    end = end_of_efforts(portfolio, effort[None])
    step = max(1.0, float(np.ceil(end / EFFORTS)))
    starts = np.arange(0.0, end, step)
    gains = _gains(portfolio, starts, step)
    frontiers = effort_to_frontier(portfolio, end)
    highest, lowest = float(gains.max(initial=0.0)), min(0.0, float(gains.min(initial=0.0)))
    falling = bool(np.all(np.diff(gains, axis=0) <= 1e-9 * highest))
    panels = [only_axes(None)] if falling else _panels(portfolio.shape[-1])
    top = min(1.05 * highest, MOST_PRICES * price) if price > 0 else 1.05 * highest
    alike = bool(np.isfinite(frontiers).all()) and float(np.ptp(frontiers)) <= 0.02 * end
    together = falling and not alike
    for i, name in enumerate(project_names(portfolio)):
        panel, colour = panels[i % len(panels)], project_colour(i) if falling else INK
        if not falling:
            panel.set_title(short(name, 28), loc="left")
        dash = project_dash(i) if falling else "-"
        line: Any = {"color": colour, "linestyle": dash, "linewidth": 1.4, "label": short(name)}
        panel.step(starts, gains[:, i], where="post", **line)
        if np.isfinite(frontiers[i]):
            if together:
                at = gains[min(int(frontiers[i] / step), starts.size - 1), i]
                panel.plot(frontiers[i], at, "|", markersize=11, markeredgewidth=2.0, color=colour)
            elif not falling or i == 0:
                panel.axvspan(frontiers[i], end, color=FRONTIER_GREY, linewidth=0, zorder=0)
        if price > 0 and math.isfinite(price):
            disc = {**mark(solution.solver), "color": colour, "markerfacecolor": colour}
            panel.axhline(price, color=SOFT, linewidth=1.1, zorder=1)
            # Nothing is cut where there is no effort.
            panel.plot(effort[i], price if effort[i] > 0 else gains[0, i], **disc, zorder=5, clip_on=False)
    panels[0].set(xlim=(-0.02 * end, end), ylim=(lowest, top or 1.0))
    shaded = np.isfinite(frontiers).all() and not together
    side = float(frontiers.min() + 0.02 * end) / (1.02 * end) if shaded else 1.0
    _gains_key(panels, solution, bool(np.isfinite(frontiers).any()), together, max(side, 0.6))
    return panels


def _gains_key(panels: list[Axes], solution: Allocation, frontier: bool, ticked: bool, side: float) -> None:
    """What is what; in one Axes left of `side`, where the frontier is."""
    disc = {**mark(solution.solver), "color": INK, "markerfacecolor": INK}
    handles: list[Any] = [
        Line2D([], [], **disc, label=f"effort by {solution.solver}"),
        Line2D([], [], color=SOFT, linewidth=1.1, label=f"shadow price {number_text(solution.price, 3)}"),
    ]
    if frontier and ticked:
        tick: Any = {"linestyle": "none", "marker": "|", "markersize": 11, "markeredgewidth": 2.0}
        handles.append(Line2D([], [], **tick, color=INK, label="frontier begins"))
    elif frontier:
        handles.append(Patch(color=FRONTIER_GREY, label="frontier (last stage)"))
    figure: Any = panels[0].get_figure()
    words = "return of one unit more"
    if len(panels) == 1:
        panels[0].set(xlabel="effort (units)", ylabel=words)
        lines, _ = panels[0].get_legend_handles_labels()
        panels[0].legend(handles=[*lines, *handles], loc="upper right", bbox_to_anchor=(side, 1.0))
    else:
        figure.supxlabel("effort (units)", fontsize=STYLE["axes.labelsize"])
        figure.supylabel(words, fontsize=STYLE["axes.labelsize"])
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))


def _gains(portfolio: Portfolio, starts: np.ndarray, step: float) -> np.ndarray:
    """What a unit more gains on average over the next step, per unit of cost: [efforts, projects]."""
    cost = _given(portfolio.cost, portfolio)
    efforts = np.append(starts, starts[-1] + step)
    rows = np.repeat(efforts[:, None], portfolio.shape[-1], axis=1)
    rise = np.diff(along(portfolio, rows).returns, axis=0) / step
    return np.where(cost > 0, rise / np.where(cost > 0, cost, 1.0), 0.0)
