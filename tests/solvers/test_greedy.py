"""Greedy, its path, density greedy and threshold: unit for unit, and against the loop in NumPy."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine
from engine import Exponential, Log, Portfolio, Tabulated
from engine.allocation.allocate import solve
from engine.solvers.greedy import Path, greedy_path
from engine.solvers.lattice import Lattice
from tests import reference

BUDGET = 40.0
SHAPE = (32, 6)

seeds = st.integers(0, 2**32 - 1)
PARTS = [
    ("log", ("upper",)),
    ("power", ("bounds",)),
    ("exponential", ("bounds", "success")),
    ("hill", ("upper",)),
    ("tabulated_points", ("bounds",)),
    ("lifecycle", ("startup", "curvature")),
]
ids = lambda part: "-".join(part) if isinstance(part, tuple) else None  # noqa: E731


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


def assert_same(name: str, seed: int, parts: tuple[str, ...], dtype: type) -> None:
    portfolio = reference.draw(name, seed, SHAPE, parts, reach=BUDGET, dtype=dtype)
    one, other = (solve(portfolio, BUDGET, solver) for solver in ("greedy", "threshold"))
    np.testing.assert_array_equal(one.effort, other.effort)
    np.testing.assert_array_equal(one.spent, other.spent)
    assert one.effort.sum() > 0


@pytest.mark.parametrize("name", reference.NAMES)
@given(seed=seeds)
def test_threshold_is_greedy_unit_for_unit_in_float32(name: str, seed: int) -> None:
    assert_same(name, seed, (), np.float32)


@pytest.mark.parametrize("name", ["log", "power", "exponential", "hill_concave", "tabulated_points"])
@given(seed=seeds)
def test_threshold_is_greedy_unit_for_unit_in_float64(name: str, seed: int) -> None:
    assert_same(name, seed, (), np.float64)


@pytest.mark.parametrize(("name", "parts"), PARTS, ids=ids)
@given(seed=seeds)
def test_threshold_is_greedy_with_bounds(name: str, parts: tuple[str, ...], seed: int) -> None:
    assert_same(name, seed, parts, np.float64)


@given(seed=seeds)
def test_ties_and_flat_curves_go_the_same_way(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Three kinds of project, one of them flat, in random order: most units have a tie.
    kind = rng.integers(0, 3, SHAPE)
    curves = Log(np.array([0.0, 1.0, 2.0])[kind], np.array([1.0, 0.5, 0.25])[kind])
    one, other = (solve(curves, BUDGET, solver) for solver in ("greedy", "threshold"))
    np.testing.assert_array_equal(one.effort, other.effort)
    assert np.all(one.effort[kind == 0] == 0)
    for row, kinds in zip(one.effort, kind, strict=True):
        for k in (1, 2):
            # Ties go to the lowest index: effort among equals never rises and differs by one at most.
            steps = np.diff(row[kinds == k])
            assert np.all(steps <= 0)
            assert -steps.sum() <= 1


@pytest.mark.parametrize(
    ("name", "parts"), [("log", ("quarter_cost", "upper")), ("hill", ()), ("log", ())], ids=ids
)
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


@pytest.mark.parametrize(
    ("name", "parts"),
    [("hill", ()), ("lifecycle", ()), ("tabulated", ("cost",)), ("mixture", ("threshold", "upper"))],
    ids=ids,
)
def test_density_is_never_worse_than_greedy(name: str, parts: tuple[str, ...]) -> None:
    better = []
    for seed in range(4):
        portfolio = reference.draw(name, seed, SHAPE, parts, reach=BUDGET / 2)
        one, other = (solve(portfolio, BUDGET, solver).value for solver in ("density", "greedy"))
        assert np.all(one >= other - 1e-12 * np.abs(other))
        better.append(one > other + 1e-6)
    assert np.mean(better) > 0.3


def test_density_crosses_a_plateau_where_greedy_is_stuck() -> None:
    # Budget 3. The first project pays 6 for all three units and nothing before: its first gain is 0, its
    # average gain 2. The second gains 1, 0.5, 0.25: greedy takes those (1.75), density the plateau (6).
    curves = Tabulated([[0.0, 0.0, 0.0, 6.0], [0.0, 1.0, 1.5, 1.75]])
    stuck, crossed = (engine.allocate(curves, 3.0, solver) for solver in ("greedy", "density"))
    np.testing.assert_array_equal(stuck.effort, [0.0, 3.0])
    np.testing.assert_allclose(stuck.value, 1.75, rtol=1e-15)
    np.testing.assert_array_equal(crossed.effort, [3.0, 0.0])
    np.testing.assert_allclose(crossed.value, 6.0, rtol=1e-15)
    assert crossed.proved
    assert stuck.bound >= 6.0


def test_density_goes_on_when_the_densest_jump_no_longer_fits() -> None:
    # Budget 4: the jump to 3 (density 3) is taken first; the next best jump of the second project needs 2
    # units (density 2.5) and no longer fits, so its single unit (density 1) is.
    curves = Tabulated([[0.0, 0.0, 0.0, 9.0], [0.0, 1.0, 5.0, 5.0]])
    solution = engine.allocate(curves, 4.0, "density")
    np.testing.assert_array_equal(solution.effort, [3.0, 1.0])
    np.testing.assert_allclose(solution.value, 10.0, rtol=1e-15)


@pytest.mark.parametrize("solver", ["greedy", "threshold"])
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


@pytest.mark.parametrize(("name", "parts"), [("log", ("cost",)), ("hill", ("quarter_cost", "upper"))])
def test_threshold_with_unequal_costs_is_exact_and_says_so(name: str, parts: tuple[str, ...]) -> None:
    portfolio = reference.draw(name, 8, SHAPE, parts, reach=BUDGET)
    with pytest.warns(UserWarning, match="costs differ, where greedy is not exact"):
        solution = solve(portfolio, BUDGET, "threshold")
    assert np.all(solution.proved)
    step = 0.25 if "quarter_cost" in parts else 1.0
    one_by_one = (reference.pick(portfolio, i) for i in range(SHAPE[0]))
    expected = [reference.dynamic_programme(p, BUDGET, step) for p in one_by_one]
    # Sums of six float64 numbers of size 1 to 10.
    np.testing.assert_allclose(solution.value, expected, rtol=1e-9)
    assert np.any(solve(portfolio, BUDGET, "greedy").value < solution.value - 1e-9)


def test_threshold_counts_where_newton_has_little_to_go_by() -> None:
    # Budgets of nothing, of a unit, of everything and beyond; curves so steep, flat or saturated that the
    # continuous price is no guide; one project; projects that are all alike.
    rng = np.random.default_rng(3)
    rate = np.exp(rng.uniform(np.log(1e-4), np.log(10.0), SHAPE))
    scale = np.exp(rng.uniform(np.log(1e-6), np.log(1e6), SHAPE)) * (rng.random(SHAPE) < 0.8)
    rate[:4], scale[:4] = 0.3, 2.0
    upper = rng.choice([1.0, 4.0, 40.0], SHAPE)
    budgets = np.resize([0.0, 1.0, 2.5, 7.0, 39.0, 40.0], SHAPE[0])
    for family in (Log, Exponential):
        portfolio = Portfolio(family(scale, rate), upper=upper)
        one, other = (solve(portfolio, budgets, solver) for solver in ("greedy", "threshold"))
        np.testing.assert_array_equal(one.effort, other.effort)
        np.testing.assert_array_equal(one.proved, other.proved)
