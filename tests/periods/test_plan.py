"""Schedules against SciPy, grids and today's allocations of one period."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import numpy as np
import pytest

import engine
from engine.allocation.periods import Schedule
from engine.allocation.place import bet
from engine.periods.spread import Spread
from tests import reference
from tests.periods import draws

# Name, parts, projects, periods, whether one budget is over all.
CONCAVE: tuple[tuple[str, tuple[str, ...], int, int, bool], ...] = (
    ("mixture_concave", ("real_cost", "upper"), 4, 3, False),
    ("mixture_concave", ("success", "curvature"), 3, 5, True),
)
BATCH = 32
S_SHAPED = ("hill", "logistic", "lifecycle")
each_concave = pytest.mark.parametrize("kind", CONCAVE, ids=["each", "over all"])


def budgets(periods: int, together: bool, seed: int = 8) -> np.ndarray:
    """The budgets of a batch, some of them 0."""
    rng = np.random.default_rng(seed)
    each = rng.uniform(0.5, 9.0, (BATCH, periods)) * (rng.random((BATCH, periods)) < 0.9)
    return each.sum(-1) + 0.1 if together else each


@cache
def placed(kind: tuple[str, tuple[str, ...], int, int, bool]) -> Schedule:
    name, parts, projects, periods, together = kind
    given = draws.draw(name, 11, BATCH, projects, parts)
    return bet(given, budgets(periods, together), periods=periods)  # type: ignore[return-value]


@each_concave
def test_concave_schedules_are_the_optimum_and_proved_to_be(kind: Any) -> None:
    name, parts, projects, periods, together = kind
    found, given = placed(kind), draws.draw(name, 11, BATCH, projects, parts)
    assert np.all(found.solution.status == 0)
    scale = np.abs(found.value)
    assert np.all(found.bound - found.value <= 1e-5 * scale)
    close = 0
    for k in range(BATCH):
        one, budget = draws.pick(given, k), np.atleast_1d(budgets(periods, together)[k])
        begin = np.broadcast_to(np.minimum(reference.limits(one.portfolio)[1], 0.1), (periods, projects))
        best = draws.optimum(one, budget, periods, begin)
        np.testing.assert_allclose(draws.value(one, found.effort[k]), found.value[k], rtol=1e-10)
        assert found.value[k] >= best - 1e-6 * scale[k]
        assert found.bound[k] >= best - 1e-9 * scale[k]
        close += abs(found.value[k] - best) <= 1e-6 * scale[k]
    # SLSQP gives up on some.
    assert close >= BATCH - 1


@each_concave
def test_schedules_keep_within_budgets_and_bounds(kind: Any) -> None:
    name, parts, projects, periods, together = kind
    found, given = placed(kind), draws.draw(name, 11, BATCH, projects, parts)
    lower, upper = reference.limits(given.portfolio)
    assert np.all((found.effort >= lower[:, None] - 1e-12) & (found.effort <= upper[:, None] + 1e-9))
    spent = np.sum(reference.costs(given.portfolio)[:, None] * found.effort, -1)
    np.testing.assert_allclose(found.spending, spent, rtol=1e-12, atol=1e-12)
    allowed = budgets(periods, together)
    spent = spent.sum(-1) if together else spent
    assert np.all(spent <= allowed * (1 + 1e-12) + 1e-12)
    assert np.all(found.beside["equal split"].difference <= 1e-12)
    assert np.all(found.beside["without carry-over"].difference <= 1e-12)


@each_concave
def test_multipliers_are_what_a_little_more_budget_returns(kind: Any) -> None:
    name, parts, projects, periods, together = kind
    given, budget = draws.pick(draws.draw(name, 11, BATCH, projects, parts), 3), np.full(periods, 4.0)
    step = 1e-3
    asked = [budget.sum()] if together else budget
    found = bet(given, asked[0] if together else asked, periods=periods)
    for place in range(len(asked)):
        values = []
        for sign in (1, -1):
            more = np.array(asked)
            more[place] += sign * step
            values.append(bet(given, more[0] if together else more, periods=periods).value)
        slope = (values[0] - values[1]) / (2 * step)
        np.testing.assert_allclose(found.multipliers[place], slope, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("solver", ["waterfilling", "continuous"])
def test_one_period_is_todays_allocation(solver: str) -> None:
    portfolio = reference.draw("mixture_concave", 2, (BATCH, 4), ("real_cost", "upper"))
    budget = budgets(1, True)
    now = engine.allocate(portfolio, budget, solver=solver)
    found = bet(Spread(portfolio, np.zeros(4)), budget, periods=1)
    np.testing.assert_allclose(found.value, now.value, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(found.effort[:, 0], now.effort, atol=2e-3)


def test_without_carry_over_every_period_is_an_allocation() -> None:
    portfolio = reference.pick(reference.draw("mixture_concave", 2, (4, 4), ("real_cost",)), 1)
    budget = np.array([3.0, 0.0, 7.0, 5.0])
    found = bet(Spread(portfolio, np.zeros(4), discount=0.9), budget)
    values = [engine.allocate(portfolio, b, solver="waterfilling").value for b in budget]
    np.testing.assert_allclose(found.returns.sum(-1), values, rtol=1e-8)
    np.testing.assert_allclose(found.value, np.array(values) @ 0.9 ** np.arange(4), rtol=1e-8)


@pytest.mark.parametrize("name", S_SHAPED)
@pytest.mark.parametrize("together", [False, True])
def test_s_shaped_schedules_reach_the_best_of_a_grid(name: str, together: bool) -> None:
    batch, steps = 4, 20
    given = draws.draw(name, 9, batch, 2)
    budget = np.random.default_rng(3).uniform(3.0, 9.0, (batch, 2))
    found = bet(given, budget.sum(-1) if together else budget, periods=2)
    assert np.all(found.solution.status == 0)
    share = np.arange(steps + 1) / steps
    for k in range(batch):
        if together:
            four = np.array([c for c in itertools.product(range(steps + 1), repeat=3) if sum(c) <= steps])
            four = np.column_stack([four, steps - four.sum(1)]) / steps
            grid = four.reshape(-1, 2, 2) * budget[k].sum()
        else:
            pairs = np.array(list(itertools.product(share, share)))
            grid = np.stack([pairs, 1 - pairs], -1) * budget[k][:, None]
        best = float(np.max(draws.value(draws.pick(given, k), grid)))
        assert found.value[k] >= best - 1e-6 * abs(best)
        assert found.bound[k] >= best - 1e-9 * abs(best)


def test_bounds_may_differ_by_period() -> None:
    curves = engine.Exponential(scale=[5.0, 3.0], rate=[0.2, 0.3])
    upper = [[1.0, 9.0], [9.0, 0.0], [9.0, 9.0]]
    found = bet(Spread(curves, [0.5, 0.2]), [4.0, 6.0, 5.0], upper=upper, lower=[[0, 0], [0, 0], [0, 2]])  # type: ignore[arg-type]
    np.testing.assert_allclose(found.effort[:2], [[1.0, 3.0], [6.0, 0.0]], atol=1e-6)
    assert found.effort[2, 1] >= 2.0
    assert found.gap <= 1e-8


def test_nothing_to_spend_spends_nothing() -> None:
    spread = Spread(engine.Log(scale=[1.0, 2.0], rate=[1.0, 1.0]), [0.5, 0.5], [1.0, 0.0])  # type: ignore[arg-type]
    for budget, periods in ((0.0, 3), (np.zeros(3), None)):
        found = bet(spread, budget, periods=periods)
        np.testing.assert_array_equal(found.effort, np.zeros((3, 2)))
        assert found.proved
        np.testing.assert_allclose(found.value, sum(np.log1p(0.5**t) for t in (1, 2, 3)), rtol=1e-12)


@pytest.mark.parametrize("name", ["mixture", "tabulated_points", "mixture_steep"])
def test_other_curves_are_solved_and_bounded(name: str) -> None:
    given = draws.draw(name, 12, 4, 3, ("startup", "threshold", "real_cost"))
    found = bet(given, np.full((4, 4), 6.0), starts=8)
    assert np.all(found.solution.status == 0)
    assert np.all(np.isfinite(found.bound) & (found.bound >= found.value))
    rng = np.random.default_rng(0)
    costs = reference.costs(given.portfolio)
    for k in range(4):
        random = rng.dirichlet(np.full(3, 0.5), (500, 4)) * 6.0 / costs[k]
        assert np.all(draws.value(draws.pick(given, k), random) <= found.bound[k] + 1e-9)
