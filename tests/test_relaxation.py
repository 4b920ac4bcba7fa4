"""The relaxation: near the water-filling optimum on concave draws, honest bounds, whole units, stopping."""

from __future__ import annotations

import numpy as np
import pytest

import engine
from engine import Hill
from tests import portfolios as reference

BUDGET = 20.0
SHAPE = (32, 5)
CASES = [
    *((name, ()) for name in reference.CONCAVE),
    ("mixture_concave", ("real_cost",)),
    ("log", ("bounds",)),
    ("exponential", ("cost", "bounds")),
    ("log", ("curvature",)),
]
cases = pytest.mark.parametrize(
    ("name", "parts"), CASES, ids=lambda part: "-".join(part) if isinstance(part, tuple) else part
)


@cases
def test_real_effort_is_near_the_optimum_of_concave_draws(name: str, parts: tuple[str, ...]) -> None:
    portfolio = reference.draw(name, 1, SHAPE, parts, reach=BUDGET)
    solution = engine.solve(portfolio, BUDGET, "relaxation", rounding=False)
    best = engine.solve(portfolio, BUDGET, "waterfilling")
    # Gains above the value of doing nothing are what is optimised; baselines of either sign come on top.
    lower, _ = reference.limits(portfolio)
    gained = best.value - reference.value(portfolio, lower)
    # It stops at a certified gap of 1e-6.
    assert np.all(best.value - solution.value <= 1e-6 * np.maximum(gained, np.abs(best.value)))
    assert np.all(solution.bound >= best.value * (1 - 1e-12))
    assert np.all(solution.bound >= solution.value)
    lower, upper = reference.limits(portfolio)
    # Efforts are shares of the budget: their sum may exceed it by rounding.
    assert np.all((reference.costs(portfolio) * solution.effort).sum(-1) <= BUDGET * (1 + 1e-12))
    assert np.all((solution.effort >= lower) & (solution.effort <= upper * (1 + 1e-12)))


@pytest.mark.parametrize(
    ("name", "parts"), [("log", ()), ("power", ("bounds",)), ("hill", ()), ("tabulated", ())]
)
def test_rounding_gives_whole_units_close_to_the_integer_optimum(name: str, parts: tuple[str, ...]) -> None:
    portfolio = reference.draw(name, 2, SHAPE, parts, reach=BUDGET)
    solution = engine.solve(portfolio, BUDGET, "relaxation")
    exact = engine.solve(portfolio, BUDGET)
    np.testing.assert_array_equal(solution.effort, np.round(solution.effort))
    assert np.all(solution.effort.sum(-1) <= BUDGET)
    assert np.all(solution.value <= exact.value * (1 + 1e-12))
    assert np.all(solution.bound >= exact.value * (1 - 1e-12))
    # Concave: only the last units can differ. Others: local optima, on average a few percent.
    lost = 1 - solution.value / exact.value
    assert np.mean(lost) <= (1e-3 if name in reference.CONCAVE else 0.03)


@pytest.mark.parametrize("name", ["power", "exponential"])
def test_it_stops_when_the_certified_gap_is_within_tolerance(name: str) -> None:
    portfolio = reference.draw(name, 3, SHAPE, reach=BUDGET)
    gaps, values = [], []
    for tolerance in (1e-1, 1e-2, 1e-3):
        solution = engine.solve(portfolio, BUDGET, "relaxation", rounding=False, tolerance=tolerance)
        # The gap is relative to the bound, the tolerance to the value: as near as they are to each other.
        gaps.append(solution.gap)
        values.append(solution.value)
        assert np.all(solution.gap <= tolerance * 1.01)
    # Looser runs stop earlier: further from the optimum, never better than a longer run.
    assert np.median(gaps[0]) > 3 * np.median(gaps[2])
    assert np.all(values[2] >= values[0])
    assert np.mean(values[2]) > np.mean(values[0])


def test_it_stops_at_most_steps() -> None:
    portfolio = reference.draw("power", 3, SHAPE, reach=BUDGET)
    short = engine.solve(portfolio, BUDGET, "relaxation", rounding=False, most_steps=2)
    long = engine.solve(portfolio, BUDGET, "relaxation", rounding=False)
    assert np.all(short.value <= long.value * (1 + 1e-12))
    assert np.median(short.gap) > 100 * np.median(long.gap)
    assert np.all(short.bound >= long.value)


def test_it_is_no_worse_than_the_climb_it_starts_from() -> None:
    portfolio = reference.draw("lifecycle", 4, SHAPE, reach=BUDGET)
    solution = engine.solve(portfolio, BUDGET, "relaxation")
    dense = engine.solve(portfolio, BUDGET, "bound")
    assert np.all(solution.value >= 0)
    assert np.all(solution.bound >= solution.value)
    assert np.mean(solution.value) >= np.mean(dense.value)


def test_it_funds_one_of_two_equal_s_shapes() -> None:
    # Budget for one: 7 units on either give 2·7^6/(5^6 + 7^6) = 1.77; 3.5 on each only 0.42.
    solution = engine.allocate(Hill([2.0, 2.0], [5.0, 5.0], [6.0, 6.0]), 7.0, "relaxation", rounding=False)
    np.testing.assert_allclose(solution.value, 2.0 * 7.0**6 / (5.0**6 + 7.0**6), rtol=1e-9)


def test_answers_repeat_to_the_bit() -> None:
    portfolio = reference.draw("hill", 5, SHAPE, reach=BUDGET)
    one, other = (engine.solve(portfolio, BUDGET, "relaxation") for _ in range(2))
    np.testing.assert_array_equal(one.effort, other.effort)
    np.testing.assert_array_equal(one.value, other.value)


@pytest.mark.parametrize(("dtype", "most"), [(np.float64, 1e-6), (np.float32, 1e-4)])
def test_concave_portfolios_are_solved_to_their_goal(dtype: type, most: float) -> None:
    # Steep and flat curves of three families side by side, as many projects as in the goal.
    portfolio = reference.draw("mixture_concave", 6, (200, 20), ("real_cost",), reach=BUDGET)
    best = engine.solve(portfolio, 5 * BUDGET, "waterfilling")
    given = reference.cast(portfolio, dtype)
    solution = engine.solve(given, 5 * BUDGET, "relaxation", rounding=False)
    value = reference.value(portfolio, solution.effort)
    gained = best.value - reference.value(portfolio, np.zeros_like(best.effort))
    assert np.all(best.value - value <= most * gained)
    assert np.all(solution.bound >= best.value * (1 - most))


def test_s_shaped_portfolios_lose_little_to_the_integer_optimum() -> None:
    portfolio = reference.draw("hill", 7, (200, 5), reach=BUDGET)
    exact = engine.solve(portfolio, BUDGET)
    lost = 1 - engine.solve(portfolio, BUDGET, "relaxation").value / exact.value
    real = engine.solve(portfolio, BUDGET, "relaxation", rounding=False)
    assert np.mean(lost) <= 5e-3
    assert np.mean(1 - real.value / exact.value) <= 1e-3
    assert np.all(real.bound >= exact.value * (1 - 1e-12))


def test_nothing_is_spent_where_nothing_is_gained() -> None:
    # The second project is flat, the third flat from 2 units on, the first worth all the rest.
    curves = engine.Tabulated([[0.0, 1.0, 2.0, 3.0], [1.0, 1.0, 1.0, 1.0], [0.0, 2.0, 4.0, 4.0]])
    effort = engine.allocate(curves, 5.0, "relaxation", rounding=False).effort
    np.testing.assert_allclose(effort, [3.0, 0.0, 2.0], atol=1e-9)
