"""Illustration: which figures a portfolio gives, draws and a fit, each with its caption and its data.

Those of a study are in `study_gallery`. Needs `engine[figures]`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from matplotlib.axes import Axes

from engine.allocation.allocate import allocate
from engine.allocation.answer import Allocation
from engine.allocation.budget_curve import BudgetCurve, budget_curve
from engine.allocation.risk_curve import risk_curve
from engine.bets.uncertain import Uncertain
from engine.figures.bets import risk_figure
from engine.figures.budgets import returns_figure, shares_figure, shares_of
from engine.figures.curves import along, curves_figure, end_of_efforts, gains_figure
from engine.figures.fits import fit_figure
from engine.fitting.folder import FittedCurve, fitted_curves
from engine.model.portfolio import Portfolio, project_names
from engine.solvers.registry import REFERENCE, SOLVERS
from engine.solvers.solution import Status
from engine.study.words import listed, number_text, percent_text

# Budgets at which solvers are compared, and efforts of a curve in a figure's data.
BUDGETS, EFFORTS = 100, 101

Data = Mapping[str, Any]


class Illustration(NamedTuple):
    """A figure, its name in file names, what it shows, and the numbers in it by column."""

    name: str
    caption: str
    axes: Axes
    data: Data


def illustrate_draws(given: Uncertain, budget: float) -> Iterator[Illustration]:
    """What safety costs where curves are known by draws.

    **Raises:** `ValueError` for a budget that does not cover the lower limits.
    """
    curve = risk_curve(given, budget)
    proved = int(np.count_nonzero(curve.proved))
    rest = "all of them proved"
    if proved < curve.aversion.size:
        rest = f"{proved or 'none'} of them proved, those that are not hollow"
    yield Illustration(
        "risk_curve",
        f"The best mean return and CVaR, the mean of the worst {100 * curve.tail:g} % of {given.count} "
        f"draws, for {curve.aversion.size} aversions to risk at a budget of {budget:g}, {rest}.",
        risk_figure(curve),
        {name: getattr(curve, name) for name in ("aversion", "mean", "cvar", "proved")},
    )


def illustrate_portfolio(
    portfolio: Portfolio, budget: float, solvers: Sequence[str], what: str = ""
) -> Iterator[Illustration]:
    """The argument about one portfolio: its curves with every solver's allocation, what one unit more gains,
    and at every budget the share of each project and the return of each solver.

    **Raises:** `ValueError` for a budget that does not cover the lower limits, or is too large.
    """
    solutions = {solver: allocate(portfolio, budget, solver) for solver in solvers}
    where = f" of {what}" if what else ""
    yield _curves(portfolio, solutions, budget, where)
    best = next(iter(solutions.values()))
    if math.isfinite(float(best.price)) and float(best.price) > 0:
        yield _gains(portfolio, best, budget, where)
    if portfolio.lower is None or float(np.sum(portfolio.lower)) <= budget:
        curve = budget_curve(portfolio, math.ceil(budget * 1.5))
        yield illustrate_shares(portfolio, curve, where)
        yield illustrate_returns(portfolio, curve, solvers, budget, where)


def _curves(
    portfolio: Portfolio, solutions: Mapping[str, Allocation], budget: float, where: str
) -> Illustration:
    efforts = np.array([solution.effort for solution in solutions.values()])
    end = end_of_efforts(portfolio, efforts[:1])
    grid = np.linspace(0.0, end, EFFORTS)
    curves = along(portfolio, np.repeat(grid[:, None], portfolio.shape[-1], axis=1))
    marked = along(portfolio, efforts)
    names, projects = np.array(project_names(portfolio)), portfolio.shape[-1]
    data = {
        "drawn": ["curve"] * (EFFORTS * projects) + [s for s in solutions for _ in range(projects)],
        "project": np.concatenate([np.tile(names, EFFORTS), np.tile(names, len(solutions))]),
        "effort": np.concatenate([np.repeat(grid, projects), efforts.ravel()]),
        "performance": np.concatenate([curves.performance.ravel(), marked.performance.ravel()]),
        "return": np.concatenate([curves.returns.ravel(), marked.returns.ravel()]),
        "stage": np.concatenate([curves.stage.ravel(), marked.stage.ravel()]) + 1,
        "frontier": np.concatenate([curves.last.ravel(), marked.last.ravel()]),
    }
    there = [str(name) for name, last in zip(names, marked.last[0], strict=True) if last]
    best, *others = solutions
    reached = f"has {listed(there)} at the frontier (★)" if there else "has no project at the frontier"
    same = [solver for solver, of in zip(others, efforts[1:], strict=True) if np.array_equal(of, efforts[0])]
    also = f", and {listed(same)} gives the same effort" if same else ""
    caption = (
        f"The performance of each project{where} against its effort, in panels of the same axes, with the "
        f"effort that {listed(list(solutions))} give it of a budget of {budget:g}. Bands are stages, the "
        f"darkest the frontier: {best} {reached}{also}. The line through its mark is as steep as the shadow "
        "price asks for, the flatter the more a project weighs."
    )
    return Illustration("curves", caption, curves_figure(portfolio, solutions, end)[0], data)


def _gains(portfolio: Portfolio, solution: Allocation, budget: float, where: str) -> Illustration:
    panels = gains_figure(portfolio, solution)
    price, names = number_text(float(solution.price), 3), project_names(portfolio)
    lines = [line for panel in panels for line in panel.lines if line.get_drawstyle() == "steps-post"]
    points = [np.asarray(line.get_xydata()) for line in lines]
    data = {
        "project": np.repeat(names, [len(each) for each in points]),
        "effort": np.concatenate([each[:, 0] for each in points]),
        "gain": np.concatenate([each[:, 1] for each in points]),
    }
    rising = sum(bool(np.any(np.diff(each[:-1, 1]) > 1e-9 * np.max(each[:, 1]))) for each in points)
    if not rising:
        what = (
            f"Every line only falls, and the shadow price of {price} cuts each once: there {solution.solver} "
            f"stops at a budget of {budget:g}, so that a unit more gains about as much on every project"
        )
    else:
        what = (
            f"{rising} of {len(points)} lines rise again where a stage opens, so that the shadow price of "
            f"{price} may cut them more than once: the gain of one unit does not tell at which cut the "
            f"optimum of a budget of {budget:g} stops"
        )
    cut = " Gains of more than five times the price are cut off." if _cut(panels[0], data["gain"]) else ""
    return Illustration(
        "gains", f"What one unit more returns{where}, against effort. {what}.{cut}", panels[0], data
    )


def _cut(axes: Axes, gains: np.ndarray) -> bool:
    """Whether some gains lie above the Axes."""
    return bool(np.max(gains, initial=0.0) > axes.get_ylim()[1])


def illustrate_shares(portfolio: Portfolio, curve: BudgetCurve, where: str = "") -> Illustration:
    """The share of the budget that each project gets at every budget, and the shadow price."""
    budget, names = np.asarray(curve.budget), project_names(portfolio)
    marginal, price = (np.nan_to_num(np.asarray(part)[:-1]) for part in (curve.marginal, curve.price))
    smooth = bool(np.allclose(marginal, price, rtol=1e-6))
    worth = "the next unit of budget returns" if smooth else "more budget returns per unit, jumps included"
    data = {
        "budget": budget,
        **{f"share.{name}": share for name, share in zip(names, shares_of(portfolio, curve).T, strict=True)},
        "price": np.asarray(curve.price),
    }
    caption = (
        f"The share of the budget that the optimum{where} gives to each project, for every budget up to "
        f"{budget[-1]:g}; a star where a project comes to its frontier to stay. Below, the shadow price: "
        f"what {worth}."
    )
    return Illustration("shares", caption, shares_figure(portfolio, curve)[0], data)


def illustrate_returns(
    portfolio: Portfolio, curve: BudgetCurve, solvers: Sequence[str], budget: float, where: str = ""
) -> Illustration:
    """The total return at every budget, of the optimum and of the other solvers."""
    every = np.asarray(curve.budget)
    known = np.flatnonzero(np.isfinite(np.asarray(curve.value)) & (every > 0))
    rows = known[np.unique(np.linspace(0, known.size - 1, BUDGETS).astype(int))]
    budgets, optimum = every[rows], np.asarray(curve.value)[rows]
    others = [solver for solver in solvers if solver != REFERENCE and SOLVERS[solver].counts]
    values = {REFERENCE: optimum, **{s: _values(portfolio, budgets, s) for s in others}}
    told = []
    for solver in others:
        missed = 1.0 - values[solver] / np.where(optimum > 0, optimum, np.nan)
        here = percent_text(float(np.interp(budget, budgets, missed)), 0)
        nothing = float(np.nanmax(missed, initial=0.0)) < 5e-4
        told.append(f"{solver} {'returns as much' if nothing else f'misses {here} of it at {budget:g}'}")
    caption = f"The largest total return of every budget{where}{': ' if told else ''}{listed(told)}."
    axes = returns_figure(budgets, values, at=budget)
    return Illustration("returns", caption, axes, {"budget": budgets, **values})


def _values(portfolio: Portfolio, budgets: np.ndarray, solver: str) -> np.ndarray:
    """What a solver's allocation of each budget returns; NaN where it has none."""
    bare = dataclasses.replace(portfolio, names=())
    many = jax.tree.map(lambda part: np.broadcast_to(part, (budgets.size, *np.shape(part))), bare)
    found = allocate(many, budgets, solver)
    return np.where(np.asarray(found.status) == Status.SOLVED, np.asarray(found.value), np.nan)


def illustrate_fit(folder: Path) -> Iterator[Illustration]:
    """A fit: every project's measurements, curve, band of its draws, and residuals."""
    for number, curve in enumerate(fitted_curves(folder)):
        caption = f"{curve.name}: measurements, fitted curve and residuals"
        band = ", with nine tenths of the predictive draws" if curve.low is not None else ""
        axes = fit_figure(curve)[0]
        yield Illustration(f"fit_{number:03d}", f"{caption}{band}.", axes, _fit_data(curve))


def _fit_data(curve: FittedCurve) -> Data:
    """The curve at the efforts drawn, and what was measured."""
    measured = curve.effort.size
    none = [math.nan] * measured
    band = {name: getattr(curve, name) for name in ("low", "high") if getattr(curve, name) is not None}
    return {
        "drawn": ["curve"] * curve.grid.size + ["measured"] * measured,
        "effort": np.concatenate([curve.grid, curve.effort]),
        "performance": np.concatenate([curve.fitted, curve.performance]),
        **{name: np.concatenate([edge, none]) for name, edge in band.items()},
    }
