"""The relaxation: the water-filling optimum on concave draws, honest bounds, whole units, stopping.

Concave draws have every part that the ascent must handle, of three families side by side; S-shaped ones are
Hill curves, of which some are concave. One shape and structure each: a compiled solver is what costs.
"""

from __future__ import annotations

import numpy as np
import pytest

import engine
from engine import Portfolio, Solution
from tests import reference
from tests.conftest import quickly

BUDGET = 20.0
CONCAVE, CONCAVE_BUDGET = (200, 20), 100.0
STAGED = (100, 5)


def concave(seed: int) -> Portfolio:
    return reference.draw("mixture_concave", seed, CONCAVE, ("real_cost", "bounds"), reach=BUDGET)


def hills(name: str, seed: int) -> Portfolio:
    """Exponents of 0.3 to 1 (hill_concave) or of 0.4 to 6 (hill): one structure, `diminishing` of neither."""
    return reference.draw(name, seed, STAGED, reach=BUDGET)


def real(portfolio: Portfolio, budget: float, **options: float) -> Solution:
    return engine.allocate(portfolio, budget, "relaxation", rounding=False, **options)


@pytest.mark.parametrize(("dtype", "most"), [(np.float64, 1e-6), (np.float32, 1e-4)])
def test_real_effort_is_the_optimum_of_concave_draws(dtype: type, most: float) -> None:
    portfolio = concave(1)
    solution = real(reference.cast(portfolio, dtype), CONCAVE_BUDGET)
    with quickly():
        best = engine.allocate(portfolio, CONCAVE_BUDGET, "waterfilling")
    lower, upper = reference.limits(portfolio)
    # Gains above the value of doing nothing are what is optimised; baselines of either sign come on top.
    gained = np.maximum(best.value - reference.value(portfolio, lower), np.abs(best.value))
    value = reference.value(portfolio, solution.effort)
    assert np.all(best.value - value <= most * gained)
    assert np.all(solution.bound >= best.value - np.where(dtype == np.float64, 1e-12, most) * gained)
    assert np.all(solution.bound >= solution.value)
    # Efforts are shares of the budget: their sum may exceed it by rounding.
    hair = 8 * np.finfo(dtype).eps
    assert np.all((reference.costs(portfolio) * solution.effort).sum(-1) <= CONCAVE_BUDGET * (1 + hair))
    assert np.all((solution.effort >= lower) & (solution.effort <= upper * (1 + hair)))


def test_price_is_what_a_little_more_budget_earns() -> None:
    portfolio = concave(1)
    slack = np.sum(reference.costs(portfolio) * np.minimum(reference.limits(portfolio)[1], 1e3), -1)
    solution, more = real(portfolio, CONCAVE_BUDGET), real(portfolio, CONCAVE_BUDGET * (1 + 1e-4))
    earned = (more.value - solution.value) / (CONCAVE_BUDGET * 1e-4)
    # Each value is right to 1e-6, and most to far more: the middle of the draws tells.
    scarce = slack > CONCAVE_BUDGET * 1.01
    assert np.mean(scarce) > 0.9
    assert np.median(np.abs(solution.solution.multiplier / earned - 1)[scarce]) < 1e-3


def test_concave_portfolios_that_do_not_promise_it_are_solved_too() -> None:
    """Hill curves of exponents up to 1, infinitely steep at 0, go the way of S-shaped ones."""
    portfolio = hills("hill_concave", 2)
    assert not portfolio.diminishing
    effort, _ = reference.concave_optimum(portfolio, np.full(STAGED[0], BUDGET))
    best = reference.value(portfolio, effort)
    solution = real(portfolio, BUDGET)
    np.testing.assert_allclose(solution.value, best, rtol=1e-6)
    assert np.all(solution.bound >= best * (1 - 1e-12))


def test_s_shaped_portfolios_lose_little_to_the_integer_optimum() -> None:
    portfolio = hills("hill", 7)
    with quickly():
        exact = engine.allocate(portfolio, BUDGET)
    whole, free = engine.allocate(portfolio, BUDGET, "relaxation"), real(portfolio, BUDGET)
    np.testing.assert_array_equal(whole.effort, np.round(whole.effort))
    assert np.all(whole.effort.sum(-1) <= BUDGET)
    assert np.all(whole.value <= exact.value * (1 + 1e-12))
    assert np.mean(1 - whole.value / exact.value) <= 5e-3
    assert np.mean(1 - free.value / exact.value) <= 1e-3
    assert np.all(whole.bound >= exact.value * (1 - 1e-12))
    assert np.all(free.bound >= exact.value * (1 - 1e-12))
    again = real(portfolio, BUDGET)
    np.testing.assert_array_equal(again.effort, free.effort)


def test_it_funds_one_of_two_equal_s_shapes() -> None:
    # Budget for one: 7 units on either give 2·7^6/(5^6 + 7^6) = 1.77; 3.5 on each only 0.42.
    portfolio = hills("hill", 8)
    hill = portfolio.curves
    hill.scale[0], hill.half[0], hill.exponent[0], hill.baseline[0] = [2, 2, 0, 0, 0], 5.0, 6.0, 0.0
    portfolio.weight[0] = 1.0
    budgets = np.where(np.arange(STAGED[0]) == 0, 7.0, BUDGET)
    value = real(portfolio, budgets).value[0]
    np.testing.assert_allclose(value, 2.0 * 7.0**6 / (5.0**6 + 7.0**6), rtol=1e-9)


def test_whole_units_of_concave_draws_lose_only_the_last_units() -> None:
    portfolio = reference.draw("mixture_concave", 3, STAGED, ("bounds",), reach=BUDGET)
    solution = engine.allocate(portfolio, BUDGET, "relaxation")
    with quickly():
        exact = engine.allocate(portfolio, BUDGET)
    np.testing.assert_array_equal(solution.effort, np.round(solution.effort))
    lower, upper = reference.limits(portfolio)
    assert np.all((solution.effort >= lower) & (solution.effort <= upper))
    assert np.all(solution.effort.sum(-1) <= BUDGET)
    assert np.all(solution.value <= exact.value * (1 + 1e-12) + 1e-12)
    assert np.all(solution.bound >= exact.value - 1e-12)
    assert np.mean(exact.value - solution.value) <= 1e-3 * np.mean(exact.value)


def test_whole_units_of_staged_draws_are_no_worse_than_the_dual() -> None:
    portfolio = reference.draw("lifecycle", 4, (32, 5), reach=BUDGET)
    solution = engine.allocate(portfolio, BUDGET, "relaxation")
    with quickly():
        dense = engine.allocate(portfolio, BUDGET, "bound")
    np.testing.assert_array_equal(solution.effort, np.round(solution.effort))
    assert np.all(solution.effort.sum(-1) <= BUDGET)
    assert np.all(solution.bound >= solution.value)
    assert np.mean(solution.value) >= np.mean(dense.value)


def test_it_stops_when_the_certified_gap_is_within_tolerance() -> None:
    portfolio = concave(1)
    loose, tight = (real(portfolio, CONCAVE_BUDGET, tolerance=tolerance) for tolerance in (1e-1, 1e-6))
    for solution, tolerance in ((loose, 1e-1), (tight, 1e-6)):
        assert np.all(solution.bound - solution.value <= tolerance * np.abs(solution.value) * 1.01)
    # Looser runs stop earlier: further from the optimum, never better than a longer run.
    assert np.median(loose.gap) > 1e3 * np.median(tight.gap)
    assert np.all(tight.value >= loose.value * (1 - 1e-12))
    assert np.mean(tight.value) > np.mean(loose.value)


def test_it_stops_at_max_steps() -> None:
    portfolio = concave(1)
    short, long = real(portfolio, CONCAVE_BUDGET, max_steps=2), real(portfolio, CONCAVE_BUDGET)
    assert np.median(short.gap) > 100 * np.median(long.gap)
    assert np.all(short.value <= long.value + 1e-12 * np.abs(long.value))
    assert np.all(short.bound >= long.value)


def test_nothing_is_spent_where_nothing_is_gained() -> None:
    # The second project is flat, the third flat from 2 units on, the first worth all the rest.
    curves = engine.Tabulated([[0.0, 1.0, 2.0, 3.0], [1.0, 1.0, 1.0, 1.0], [0.0, 2.0, 4.0, 4.0]])
    effort = engine.allocate(curves, 5.0, "relaxation", rounding=False).effort
    np.testing.assert_allclose(effort, [3.0, 0.0, 2.0], atol=1e-9)
