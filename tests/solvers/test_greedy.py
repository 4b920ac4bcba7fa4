"""Greedy and its path: unit for unit, and against the loop in NumPy."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import engine
from engine import Exponential, Portfolio, Tabulated
from engine.allocation.allocate import solve
from engine.solvers.greedy import Path, greedy_path
from engine.solvers.lattice import Lattice
from tests import reference

BUDGET = 40.0
SHAPE = (32, 6)


def greedy_loop(portfolio: Portfolio, budget: float) -> np.ndarray:
    """The textbook loop over one portfolio [projects], by differences of float64 returns."""
    cost = reference.costs(portfolio)
    units = int(budget / cost.min())
    rows = reference.table(portfolio, units + 1)
    lower, _ = reference.limits(portfolio)
    effort = np.ceil(lower).astype(int)
    spent = float(cost @ effort)
    every = np.arange(effort.size)
    while True:
        with np.errstate(invalid="ignore"):
            gain = (rows[every, np.minimum(effort + 1, units + 1)] - rows[every, effort]) / cost
        gain = np.where(spent + cost <= budget + 1e-9, gain, -np.inf)
        best = int(np.argmax(gain))
        # Differences of returns of size 10 carry noise of 1e-15: less than this is no gain.
        if not gain[best] > 1e-12:
            return effort
        effort[best] += 1
        spent += cost[best]


@pytest.mark.parametrize(("name", "parts"), [("log", ("quarter_cost", "upper")), ("hill", ()), ("log", ())])
def test_greedy_is_the_textbook_loop(name: str, parts: tuple[str, ...]) -> None:
    portfolio = reference.draw(name, 1, SHAPE, parts, reach=BUDGET)
    solution = solve(portfolio, BUDGET, "greedy")
    expected = [greedy_loop(reference.pick(portfolio, i), BUDGET) for i in range(SHAPE[0])]
    np.testing.assert_array_equal(solution.effort, expected)


@pytest.mark.parametrize("name", ["log", "power", "exponential", "hill_concave"])
def test_greedy_is_optimal_on_concave_curves(name: str) -> None:
    portfolio = reference.draw(name, 2, SHAPE, reach=BUDGET)
    value = solve(portfolio, BUDGET, "greedy").value
    expected = [reference.dynamic_programme(reference.pick(portfolio, i), BUDGET) for i in range(SHAPE[0])]
    # Sums of six float64 numbers of size 1 to 10.
    np.testing.assert_allclose(value, expected, rtol=1e-9)


def test_slopes_choose_as_the_loop_over_slopes_does() -> None:
    portfolio = reference.draw("exponential", 4, SHAPE, reach=BUDGET)
    effort = np.zeros(SHAPE)
    for _ in range(int(BUDGET)):
        best = np.argmax(reference.slope(portfolio, effort), -1)
        effort[np.arange(SHAPE[0]), best] += 1
    by_slope = solve(portfolio, BUDGET, "greedy", marginal="slope")
    np.testing.assert_array_equal(by_slope.effort, effort)
    by_gain = solve(portfolio, BUDGET, "greedy")
    assert np.all(by_slope.value <= by_gain.value + 1e-12)
    assert np.any(by_slope.effort != by_gain.effort)


def paths(portfolio: Portfolio, budget: float) -> Path:
    units = int(budget)
    lattice = Lattice(units, units, units, 1.0, True)
    run = jax.jit(jax.vmap(lambda p: greedy_path(p, np.float64(budget), lattice)))
    return jax.tree.map(np.asarray, run(portfolio))


@pytest.mark.parametrize("name", ["exponential", "tabulated"])
def test_path_is_nested_and_answers_every_smaller_budget(name: str) -> None:
    portfolio = reference.draw(name, 6, (4, 5), reach=12.0)
    path = paths(portfolio, 12.0)
    nested = np.cumsum(path.project[..., None] == np.arange(5), axis=1)
    np.testing.assert_array_equal(nested[:, -1], solve(portfolio, 12.0, "greedy").effort)
    np.testing.assert_array_equal(path.spent, nested.sum(-1))
    assert np.all(np.diff(path.spent, axis=1) >= 0)
    for row in range(4):
        one = reference.pick(portfolio, row)
        # Cumulative gains against returns anew: a dozen float64 sums.
        np.testing.assert_allclose(path.value[row], reference.value(one, nested[row]), rtol=1e-12)
        for budget in range(1, 13):
            np.testing.assert_array_equal(nested[row, budget - 1], greedy_loop(one, budget))
    # Gains that are differences of cumulative values of size 10 carry noise of about 1e-15.
    np.testing.assert_allclose(np.diff(path.value, axis=1), path.gain[:, 1:], rtol=1e-9, atol=1e-13)


def test_path_stops_where_nothing_gains() -> None:
    portfolio = Portfolio(Tabulated(np.array([[[0.0, 2.0, 3.0, 3.0, 2.0], [0.0, 1.0, 1.0, 1.0, 9.0]]])))
    path = paths(portfolio, 6.0)
    np.testing.assert_array_equal(path.project, [[0, 0, 1, -1, -1, -1]])
    np.testing.assert_array_equal(path.gain, [[2.0, 1.0, 1.0, 0.0, 0.0, 0.0]])
    np.testing.assert_array_equal(path.spent, [[1.0, 2.0, 3.0, 3.0, 3.0, 3.0]])
    np.testing.assert_array_equal(path.value, [[2.0, 3.0, 4.0, 4.0, 4.0, 4.0]])


@pytest.mark.parametrize("solver", ["greedy", "cutoff"])
def test_noise_on_a_flat_stretch_is_no_gain(solver: str) -> None:
    # 0.8622777 is measured twice: between those points nothing rises, and the next rise lies behind a flat
    # first unit. Greedy must not buy its way across on rounding alone.
    curves = Tabulated(
        [[0.86227770, 0.86227770, 1.59239511]] * 64, [[0.85257193, 1.86273127, 2.19527013]] * 64
    )
    rng = np.random.default_rng(0)
    level = rng.uniform(0.1, 3.0, (64, 1))
    curves = Tabulated(curves.values * level, curves.points * rng.uniform(0.9, 1.1, (64, 1)))
    solution = engine.allocate(curves, 4.0, solver)
    # Before the second point (at least 1.67) a first unit gains nothing on any of these projects.
    np.testing.assert_array_equal(solution.effort, 0.0)


def test_what_does_not_fit_gives_way_to_cheaper_units() -> None:
    # Budget 5: one unit at cost 3 (density 10/3) leaves 2, too little for a second one; the cheap project
    # with its far lower gains takes what is left.
    curves = Exponential(np.array([20.0, 0.3]), np.array([0.7, 0.1]))
    solution = engine.allocate(Portfolio(curves, cost=[3.0, 1.0]), 5.0, "greedy")
    np.testing.assert_array_equal(solution.effort, [1.0, 2.0])
    assert solution.spent == 5.0
