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
import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from engine.allocation.answer import Allocation
from engine.figures.looks import project_colour, project_dash
from engine.figures.palette import FRONTIER_GREY, INK, SOFT, STAGE_GREYS
from engine.figures.style import COLUMNS, PANEL_HEIGHT, STYLE, WIDTH, mark, new_figure, only_axes, short
from engine.model.portfolio import Portfolio, project_names
from engine.model.validation import normalise
from engine.solvers.solution import Solution
from engine.study.words import number_text

EFFORTS = 400
# The axis of efforts goes as far as the frontiers, if that is at most so many times the largest effort.
FAR = 6.0


class Along(NamedTuple):
    """Returns, stages and whether the last one, [efforts, projects]."""

    returns: np.ndarray
    stage: np.ndarray
    last: np.ndarray


def along(portfolio: Portfolio, effort: np.ndarray) -> Along:
    """Every project at rows of efforts, [efforts, projects]."""
    with jax.enable_x64(True):
        bare = jax.tree.map(jnp.asarray, normalise(portfolio, np.dtype(np.float64)))
        found = _along(bare, jnp.asarray(effort, float))
    return Along(*map(np.asarray, found))


@jax.jit
def _along(portfolio: Portfolio, effort: jax.Array) -> Any:
    return jax.vmap(portfolio.returns)(effort), *jax.vmap(portfolio.stage)(effort)


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
    """Every project's return by its effort, a panel each, with a mark where each solver puts it.

    Bands are the stages, the darkest the frontier; a star is at a name whose project the first solver takes
    there; a line through the first solver's mark has the slope of
    its shadow price: a tangent, where effort lies within its bounds on a smooth curve, and the same in all.

    **Arguments:** `portfolio` of arrays [projects]; `solutions` by the solvers' names; `most_effort`, where
    the axes of effort end.

    **Returns:** one Axes a project, in the order of the projects.
    """
    efforts = np.array([solution.effort for solution in solutions.values()])
    end = most_effort or end_of_efforts(portfolio, efforts)
    projects = portfolio.shape[-1]
    grid = np.linspace(0.0, end, EFFORTS)
    curves = along(portfolio, np.repeat(grid[:, None], projects, axis=1))
    marked, _, there = along(portfolio, efforts)
    prices = _prices(portfolio, next(iter(solutions.values())))
    panels = _panels(projects)
    names = project_names(portfolio)
    for i, panel in enumerate(panels):
        _shade_stages(panel, grid, curves.stage[:, i], curves.last[:, i])
        panel.plot(grid, curves.returns[:, i], color=INK, linewidth=1.3)
        _draw_tangent(panel, float(efforts[0, i]), float(marked[0, i]), prices[i], end)
        for k, solver in reversed(list(enumerate(solutions))):
            panel.plot(efforts[k, i], marked[k, i], **mark(solver), clip_on=False)
        panel.set_title(("★ " if there[0, i] else "") + short(names[i], 26), loc="left")
    low, high = min(0.0, float(curves.returns.min())), float(curves.returns.max())
    panels[0].set(xlim=(0, end), ylim=(1.08 * low, 1.08 * high or 1.0))
    figure: Any = panels[0].get_figure()
    figure.supxlabel("effort (units)", fontsize=STYLE["axes.labelsize"])
    figure.supylabel("return", fontsize=STYLE["axes.labelsize"])
    _key(figure, solutions, bool(curves.last.any()), prices)
    return panels


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


def _key(figure: Any, solutions: Mapping[str, Any], frontier: bool, prices: np.ndarray) -> None:
    handles: list[Any] = [Line2D([], [], **mark(solver), label=solver) for solver in solutions]
    if np.all(np.isfinite(prices)):
        handles.append(Line2D([], [], color=SOFT, linewidth=1.8, label="slope of the price"))
    handles.append(Patch(color=STAGE_GREYS[2], label="later stages"))
    if frontier:
        handles.append(Patch(color=FRONTIER_GREY, label="frontier"))
    figure.legend(handles=handles, loc="outside upper center", ncols=min(len(handles), 3), columnspacing=1.4)


def _shade_stages(axes: Axes, grid: np.ndarray, stage: np.ndarray, last: np.ndarray) -> None:
    cuts = np.flatnonzero(np.diff(stage)) + 1
    edges = [0, *cuts.tolist(), grid.size - 1]
    for left, right in itertools.pairwise(edges):
        grey = FRONTIER_GREY if last[left] else STAGE_GREYS[min(int(stage[left]), len(STAGE_GREYS) - 1)]
        axes.axvspan(grid[left], grid[right], color=grey, linewidth=0, zorder=0)


def _prices(portfolio: Portfolio, solution: Allocation | Solution) -> np.ndarray:
    """Return per unit of effort at the margin, of every project."""
    cost = np.ones(portfolio.shape) if portfolio.cost is None else np.asarray(portfolio.cost)
    return float(solution.price if isinstance(solution, Allocation) else solution.multiplier) * cost


def _draw_tangent(axes: Axes, effort: float, value: float, slope: float, end: float) -> None:
    if effort > 0 and math.isfinite(slope):
        half = 0.16 * end
        ends = np.array([max(effort - half, 0.0), effort + half])
        axes.plot(ends, value + slope * (ends - effort), color=SOFT, linewidth=1.8)


@mpl.rc_context(STYLE)
def gains_figure(portfolio: Portfolio, solution: Allocation) -> list[Axes]:
    """What one unit more gains against effort, and the price that cuts all projects' lines.

    A line is a step a unit; a disc is a project's effort, where the price cuts its line; a star, where its
    frontier begins. Gains are per unit of cost, as the price is. Lines that only fall share one Axes; where
    some rise again they would hide one another, and each has a panel of the same axes.

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
    top = min(1.05 * highest, 5.0 * price) if price > 0 else 1.05 * highest
    for i, name in enumerate(project_names(portfolio)):
        panel = panels[i % len(panels)]
        look: dict[str, Any] = {"color": project_colour(i), "linestyle": project_dash(i)}
        if len(panels) > 1:
            look = {"color": INK}
            panel.set_title(short(name, 28), loc="left")
        panel.step(starts, gains[:, i], where="post", label=short(name), linewidth=1.4, **look)
        if np.isfinite(frontiers[i]):
            at = min(gains[min(int(frontiers[i] / step), starts.size - 1), i], top)
            panel.plot(frontiers[i], at, "*", markersize=9, color=look["color"], zorder=4, clip_on=False)
        if price > 0 and math.isfinite(price):
            panel.axhline(price, color=SOFT, linewidth=1.1, zorder=1)
            panel.plot(effort[i], price, **mark(solution.solver), zorder=5, clip_on=False)
    panels[0].set(xlim=(0, end), ylim=(lowest, top or 1.0))
    _gains_key(panels, solution, bool(np.isfinite(frontiers).any()))
    return panels


def _gains_key(panels: list[Axes], solution: Allocation, frontier: bool) -> None:
    price = f"price {number_text(float(solution.price), 3)}"
    handles: list[Any] = [
        Line2D([], [], **mark(solution.solver), label=f"effort by {solution.solver}"),
        Line2D([], [], color=SOFT, linewidth=1.1, label=price),
    ]
    if frontier:
        star: Any = {"linestyle": "none", "marker": "*", "color": SOFT, "markersize": 9}
        handles.append(Line2D([], [], **star, label="frontier begins"))
    figure: Any = panels[0].get_figure()
    if len(panels) == 1:
        panels[0].set(xlabel="effort (units)", ylabel="return of one unit more")
        lines, _ = panels[0].get_legend_handles_labels()
        panels[0].legend(handles=[*lines, *handles], loc="upper left", bbox_to_anchor=(1.0, 1.0))
    else:
        figure.supxlabel("effort (units)", fontsize=STYLE["axes.labelsize"])
        figure.supylabel("return of one unit more", fontsize=STYLE["axes.labelsize"])
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))


def _gains(portfolio: Portfolio, starts: np.ndarray, step: float) -> np.ndarray:
    """What a unit more gains on average over the next step, per unit of cost: [efforts, projects]."""
    cost = np.ones(portfolio.shape) if portfolio.cost is None else np.asarray(portfolio.cost)
    efforts = np.append(starts, starts[-1] + step)
    rows = np.repeat(efforts[:, None], portfolio.shape[-1], axis=1)
    rise = np.diff(along(portfolio, rows).returns, axis=0) / step
    return np.where(cost > 0, rise / np.where(cost > 0, cost, 1.0), 0.0)
