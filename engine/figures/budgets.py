"""Figures of one portfolio at every budget: what share each project gets, and what all of it returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from engine.allocation.budget_curve import BudgetCurve
from engine.figures.curves import along
from engine.figures.looks import project_colour, project_hatch, solver_look
from engine.figures.palette import INK, PAPER, SOFT
from engine.figures.style import AS_NUMBER, GAP, IN_PERCENT, STYLE, WIDTH, new_figure, only_axes, tint
from engine.model.portfolio import Portfolio, project_names
from engine.study.words import number_text, percent_text, short

MOST_NAMED_PROJECTS = 9
# Of the height of the axis: how far apart two names stand at least, a name of two lines farther.
LINE_HEIGHT = 0.055
# From a name to its area.
LEADER: Any = {
    "arrowstyle": "-",
    "color": SOFT,
    "linewidth": 0.6,
    "shrinkA": 0,
    "shrinkB": 0,
    "relpos": (0, 0.5),
}


def shares_of(portfolio: Portfolio, curve: BudgetCurve) -> Float[np.ndarray, "budgets projects"]:
    """The share of each budget that each project gets."""
    budget, effort = np.asarray(curve.budget), np.nan_to_num(np.asarray(curve.effort))
    spend = effort if portfolio.cost is None else effort * np.asarray(portfolio.cost)
    return spend / np.where(budget > 0, budget, np.inf)[:, None]


@mpl.rc_context(STYLE)
def shares_figure(portfolio: Portfolio, curve: BudgetCurve) -> tuple[Axes, Axes]:
    """The share of the budget that each project gets, at every budget; below, the shadow price.

    A star stands where a project first reaches its frontier; what is white on top is not spent.

    **Returns:** the Axes of the shares and of the shadow price.
    """
    figure = new_figure(WIDTH, 4.4)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1.1])
    budget, shares = np.asarray(curve.budget), shares_of(portfolio, curve)
    names, last = project_names(portfolio), along(portfolio, np.nan_to_num(np.asarray(curve.effort))).last
    named = np.sort(np.argsort(-shares.max(axis=0), kind="stable")[:MOST_NAMED_PROJECTS])
    layers = [shares[:, i] for i in named]
    labels = [short(names[i]) for i in named]
    if len(named) < len(names):
        layers.append(np.delete(shares, named, axis=1).sum(axis=1))
        labels.append(f"{len(names) - len(named)} others")
    places = [*named, len(names)][: len(layers)]
    areas = above.stackplot(budget, layers, colors=[tint(project_colour(i)) for i in places], linewidth=0.6)
    for place, area in zip(places, areas, strict=True):
        area.set_hatch(project_hatch(place))
        area.set_edgecolor(INK)
    tops = np.cumsum(layers, axis=0)
    for k, place in enumerate(named):
        if (at := _first_at_frontier(last[:, place])) is not None:
            labels[k] += f"\n★ frontier from budget {budget[at]:g}"
            middle = tops[k, at] - layers[k][at] / 2
            # Just within: on the edge of a jump it would be its neighbours' too.
            right = min(budget[at] + 0.015 * budget[-1], budget[-1])
            above.plot(right, middle, "*", color=INK, markersize=9, markeredgecolor=PAPER, clip_on=False)
    _write_beside(above, [float(t[-1] - y[-1] / 2) for t, y in zip(tops, layers, strict=True)], labels)
    above.set(ylabel="share of the budget", xlim=(0, budget[-1]), ylim=(0, 1))
    above.yaxis.set_major_formatter(IN_PERCENT)
    _draw_price(below, budget, np.asarray(curve.price))
    return above, below


def _first_at_frontier(last: np.ndarray) -> int | None:
    """From which row on a project stays at its frontier, if it is there in the last one."""
    if not last[-1]:
        return None
    without = np.flatnonzero(~last)
    return int(without[-1]) + 1 if without.size else 0


def _write_beside(axes: Axes, heights: list[float], labels: list[str]) -> None:
    """Names right of their areas, pushed up where they would stand on one another."""
    lowest = -1.0
    for height, label in zip(heights, labels, strict=True):
        half = LINE_HEIGHT * (label.count("\n") + 1) / 2
        centre = max(height, lowest + half)
        lowest = centre + half
        axes.annotate(
            label,
            (1.0, height),
            (1.04, centre),
            xycoords="axes fraction",
            textcoords="axes fraction",
            va="center",
            fontsize=STYLE["legend.fontsize"],
            arrowprops=LEADER,
        )


def _draw_price(axes: Axes, budget: np.ndarray, price: np.ndarray) -> None:
    axes.step(budget, np.where(price > 0, price, np.nan), where="post", color=INK, linewidth=1.2)
    axes.set(xlabel="budget (units of cost)", ylabel="shadow price\n(return per unit)")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1.0, 3.0), numticks=6))
    axes.yaxis.set_major_formatter(AS_NUMBER)
    axes.yaxis.set_minor_formatter(mpl.ticker.NullFormatter())


@mpl.rc_context(STYLE)
def returns_figure(
    budget: Float[np.ndarray, " budgets"],
    values: Mapping[str, Float[np.ndarray, " budgets"]],
    *,
    at: float | None = None,
    axes: Axes | None = None,
) -> Axes:
    """The total return of every budget, a line a solver; what the others miss of the first is shaded.

    **Arguments:** `values` by solver, the best first; `at`, a budget to mark.
    """
    axes = only_axes(axes)
    (best, most), *others = values.items()
    handles: list[Any] = []
    labels: list[str] = []
    for solver, value in values.items():
        look = solver_look(solver)
        face = look.colour if look.filled else "white"
        line: dict[str, Any] = {"color": look.colour, "linestyle": look.dash, "marker": look.marker}
        every = max(len(budget) // 8, 1)
        # Marks of two lines that lie on one another do not.
        line |= {"markevery": (0 if solver == best else every // 2, every), "zorder": 2 + (solver == best)}
        handles += axes.plot(budget, value, **line, markerfacecolor=face, markersize=5)
        same = solver != best and float(np.nanmax(np.abs(most - value))) <= 1e-9 * float(np.nanmax(most))
        labels.append(f"{solver}, on the line of {best}" if same else solver)
        if solver != best and not same:
            grey = axes.fill_between(budget, value, most, color=tint(SOFT, GAP), linewidth=0)
            handles.append(grey)
            labels.append(f"what {solver} misses")
    if at is not None:
        axes.axvline(at, color=SOFT, linewidth=0.9, linestyle=":")
        for solver, value in others:
            here, most_here = (float(np.interp(at, budget, one)) for one in (value, most))
            _write_missed(axes, solver, at, here, most_here)
    axes.set(xlabel="budget (units of cost)", ylabel="total return", xlim=(0, budget[-1]))
    axes.set_ylim(min(0.0, *(float(np.nanmin(v)) for v in values.values())), None)
    axes.legend(handles, labels, loc="upper left")
    return axes


def _write_missed(axes: Axes, solver: str, at: float, value: float, best: float) -> None:
    """How much of the best a solver misses at a budget, within the gap if that is wide enough."""
    share = (best - value) / abs(best) if best else 0.0
    told = "nothing" if share < 5e-4 else percent_text(share, 0 if share > 0.02 else 1)
    height = (value + best) / 2 if share > 0.1 else 0.5 * best
    place: Any = {"xytext": (5, 0), "textcoords": "offset points", "va": "center"}
    axes.annotate(f"at {number_text(at)} {solver}\nmisses {told}\nof the optimum", (at, height), **place)
