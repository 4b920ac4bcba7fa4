"""Figures of one portfolio: its curves, and how its budget is spent."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from engine.allocation.answer import Allocation
from engine.allocation.frontier import Frontier
from engine.figures.looks import project_colour, project_hatch, solver_look
from engine.figures.palette import SOFT
from engine.figures.style import (
    COLUMNS,
    PANEL_HEIGHT,
    STYLE,
    WIDTH,
    new_figure,
    short,
    tint,
)
from engine.model.portfolio import Portfolio, project_names
from engine.model.validation import normalise
from engine.solvers.solution import Solution

EFFORTS = 400
MOST_NAMED_PROJECTS = 9
STAGE_GREYS = ("#ffffff", "#f0f0f0", "#e2e2e2", "#d4d4d4", "#c6c6c6")


@mpl.rc_context(STYLE)
def curves_figure(
    portfolio: Portfolio, solutions: Mapping[str, Allocation | Solution], most_effort: float | None = None
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
    figure = new_figure(WIDTH, PANEL_HEIGHT * rows + 0.7)
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    for panel in panels[projects:]:
        panel.set_axis_off()
    names = project_names(portfolio)
    for i, panel in enumerate(panels[:projects]):
        _shade_stages(panel, grid, stage[:, i], last[:, i])
        panel.plot(grid, returns[:, i], color="black", linewidth=1.2)
        _draw_tangent(panel, float(efforts[0, i]), float(marked[i, 0]), _price(portfolio, first, i), end)
        for k, solver in reversed(list(enumerate(solutions))):
            panel.plot(efforts[k, i], marked[i, k], **_mark(solver), clip_on=False)
        frontier = bool(last[np.searchsorted(grid, min(efforts[0, i], end)), i])
        panel.set_title(short(names[i]) + (" (frontier)" if frontier else ""))
        panel.set_xlim(0, end)
        panel.margins(y=0.12)
    for panel in panels[max(projects - columns, 0) : projects]:
        panel.tick_params(labelbottom=True)
    figure.supxlabel("effort (units)", fontsize=STYLE["axes.labelsize"])
    figure.supylabel("return", fontsize=STYLE["axes.labelsize"])
    handles = [Line2D([], [], **_mark(solver), label=solver) for solver in solutions]
    handles.append(Line2D([], [], color=SOFT, linewidth=1.6, label="slope of the shadow price"))
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


def _price(portfolio: Portfolio, solution: Allocation | Solution, project: int) -> float:
    """Return per unit of effort at the margin."""
    cost = 1.0 if portfolio.cost is None else float(np.asarray(portfolio.cost)[project])
    return float(solution.price if isinstance(solution, Allocation) else solution.multiplier) * cost


def _draw_tangent(axes: Axes, effort: float, value: float, slope: float, end: float) -> None:
    if effort > 0 and math.isfinite(slope):
        half = 0.11 * end
        ends = np.array([max(effort - half, 0.0), effort + half])
        axes.plot(ends, value + slope * (ends - effort), color=SOFT, linewidth=1.6, scaley=False)


def _mark(solver: str) -> dict[str, Any]:
    """How a solver is marked: the best filled, the others hollow around it."""
    look = solver_look(solver)
    return {
        "linestyle": "none",
        "marker": look.marker,
        "markersize": 6 if look.filled else 9,
        "color": look.colour,
        "markerfacecolor": look.colour if look.filled else "none",
        "markeredgewidth": 1.4,
    }


@mpl.rc_context(STYLE)
def allocation_figure(portfolio: Portfolio, frontier: Frontier) -> tuple[Axes, Axes]:
    """The optimal spend on each project, stacked, at every budget; below, the shadow price.

    The key says from which budget on a project is at the frontier, and names the projects that spend most.

    **Returns:** the Axes of the allocation and of the shadow price.
    """
    figure = new_figure(WIDTH, 4.6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1.2])
    budget = np.asarray(frontier.budget)
    cost = 1.0 if portfolio.cost is None else np.asarray(portfolio.cost)
    spend = np.nan_to_num(np.asarray(frontier.effort)) * cost
    names = project_names(portfolio)
    reached = _frontier_budgets(portfolio, frontier)
    named = np.sort(np.argsort(-spend[-1])[:MOST_NAMED_PROJECTS])
    layers = [spend[:, i] for i in named]
    labels = [short(names[i]) + (f"\nfrontier from {reached[i]:g}" if i in reached else "") for i in named]
    if len(named) < len(names):
        layers.append(np.delete(spend, named, axis=1).sum(axis=1))
        labels.append(f"{len(names) - len(named)} others")
    areas = above.stackplot(
        budget,
        layers,
        labels=labels,
        colors=[tint(project_colour(i)) for i in (*named, len(names))][: len(layers)],
        linewidth=0.6,
    )
    for k, area in zip((*named, len(names)), areas, strict=False):
        area.set_hatch(project_hatch(k))
        area.set_edgecolor("black")
    above.set(ylabel="spend (units of cost)", xlim=(budget[0], budget[-1]), ylim=(0, None))
    handles, texts = above.get_legend_handles_labels()
    key: Any = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0), "handlelength": 1.6, "handleheight": 1.2}
    above.legend(handles[::-1], texts[::-1], **key)
    price = np.asarray(frontier.price)
    below.step(budget, np.where(price > 0, price, np.nan), where="post", color="black", linewidth=1.2)
    below.set(xlabel="budget (units of cost)", ylabel="shadow price\n(return per unit)")
    if np.nanmax(price, initial=0.0) > 20 * np.nanmin(np.where(price > 0, price, np.inf)):
        below.set_yscale("log")
    else:
        below.set_ylim(0, None)
    return above, below


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
