"""Cutoff: the greedy allocation, unit for unit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Exponential, Log, Portfolio
from engine.allocation.allocate import solve
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


def assert_same(name: str, seed: int, parts: tuple[str, ...], dtype: type) -> None:
    portfolio = reference.draw(name, seed, SHAPE, parts, reach=BUDGET, dtype=dtype)
    one, other = (solve(portfolio, BUDGET, solver) for solver in ("greedy", "cutoff"))
    np.testing.assert_array_equal(one.effort, other.effort)
    np.testing.assert_array_equal(one.spent, other.spent)
    assert one.effort.sum() > 0


@pytest.mark.parametrize("name", reference.NAMES)
@given(seed=seeds)
def test_cutoff_is_greedy_unit_for_unit_in_float32(name: str, seed: int) -> None:
    assert_same(name, seed, (), np.float32)


@pytest.mark.parametrize("name", ["log", "power", "exponential", "hill_concave", "tabulated_points"])
@given(seed=seeds)
def test_cutoff_is_greedy_unit_for_unit_in_float64(name: str, seed: int) -> None:
    assert_same(name, seed, (), np.float64)


@pytest.mark.parametrize(("name", "parts"), PARTS, ids=reference.id_of)
@given(seed=seeds)
def test_cutoff_is_greedy_with_bounds(name: str, parts: tuple[str, ...], seed: int) -> None:
    assert_same(name, seed, parts, np.float64)


@given(seed=seeds)
def test_ties_and_flat_curves_go_the_same_way(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Three kinds of project, one of them flat, in random order: most units have a tie.
    kind = rng.integers(0, 3, SHAPE)
    curves = Log(np.array([0.0, 1.0, 2.0])[kind], np.array([1.0, 0.5, 0.25])[kind])
    one, other = (solve(curves, BUDGET, solver) for solver in ("greedy", "cutoff"))
    np.testing.assert_array_equal(one.effort, other.effort)
    assert np.all(one.effort[kind == 0] == 0)
    for row, kinds in zip(one.effort, kind, strict=True):
        for k in (1, 2):
            # Ties go to the lowest index: effort among equals never rises and differs by one at most.
            steps = np.diff(row[kinds == k])
            assert np.all(steps <= 0)
            assert -steps.sum() <= 1


@pytest.mark.parametrize(("name", "parts"), [("log", ("cost",)), ("hill", ("quarter_cost", "upper"))])
def test_cutoff_with_unequal_costs_is_exact_and_says_so(name: str, parts: tuple[str, ...]) -> None:
    portfolio = reference.draw(name, 8, SHAPE, parts, reach=BUDGET)
    with pytest.warns(UserWarning, match="costs differ, where greedy is not exact"):
        solution = solve(portfolio, BUDGET, "cutoff")
    assert np.all(solution.proved)
    step = 0.25 if "quarter_cost" in parts else 1.0
    one_by_one = (reference.pick(portfolio, i) for i in range(SHAPE[0]))
    expected = [reference.dynamic_programme(p, BUDGET, step) for p in one_by_one]
    # Sums of six float64 numbers of size 1 to 10.
    np.testing.assert_allclose(solution.value, expected, rtol=1e-9)
    assert np.any(solve(portfolio, BUDGET, "greedy").value < solution.value - 1e-9)


def test_cutoff_counts_where_newton_has_little_to_go_by() -> None:
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
        one, other = (solve(portfolio, budgets, solver) for solver in ("greedy", "cutoff"))
        np.testing.assert_array_equal(one.effort, other.effort)
        np.testing.assert_array_equal(one.proved, other.proved)
