"""Continuous branch and bound against fine grids, dynamic programming, water-filling and whole units."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from engine import Hill, Lifecycle, Logistic, Portfolio, PureLog
from tests import reference
from tests.conftest import quickly

# Values are sums of a few float64 numbers of size 1 to 10.
ROUNDING = 1e-9
TOLERANCE = 1e-9

PAIRS = [
    ("hill", ()),
    ("logistic", ("threshold",)),
    ("lifecycle", ("real_cost", "bounds", "startup")),
    ("mixture", ("quarter_cost", "bounds", "startup", "success", "curvature", "threshold")),
]


@pytest.mark.parametrize(("name", "parts"), PAIRS, ids=reference.id_of)
def test_two_projects_reach_the_best_of_a_fine_grid(name: str, parts: tuple[str, ...]) -> None:
    portfolio = reference.draw(name, 1, (128, 2), parts, reach=8.0)
    solution = engine.allocate(portfolio, 8.0, "continuous")
    solved = solution.status == 0
    lower, _ = reference.limits(portfolio)
    np.testing.assert_array_equal(solved, (lower * reference.costs(portfolio)).sum(-1) <= 8.0)
    best = reference.fine_grid(portfolio, 8.0, points=4001)[solved]
    value, bound = solution.value[solved], solution.bound[solved]
    assert np.all(value <= bound)
    assert np.max(best - bound) <= ROUNDING
    assert np.all(solution.gap[solved] <= 1e-8)
    assert np.all(value >= best - 1e-8 * np.abs(best) - ROUNDING)
    # Value is that of the effort, which may meet a threshold in one order of rounding and not in another.
    earned = reference.value(portfolio, solution.effort, leeway=1e-12)[solved]
    np.testing.assert_allclose(value, earned, rtol=ROUNDING)


@pytest.mark.parametrize("name", ["weibull", "lifecycle"])
def test_five_projects_beat_a_fine_dynamic_programme_and_by_little(name: str) -> None:
    # Whole units of a budget of 240 are a fine grid: 480 times finer than what is spent.
    portfolio = reference.draw(name, 2, (12, 5), reach=240.0)
    solution = engine.allocate(portfolio, 240.0, "continuous")
    grid = [reference.dynamic_programme(reference.pick(portfolio, i), 240.0) for i in range(12)]
    assert np.all(solution.value >= np.array(grid) * (1 - TOLERANCE))
    assert np.all(solution.gap <= TOLERANCE)
    # Rounding five efforts down to units loses at most five units' worth of slope.
    steepest = solution.solution.multiplier * 5.0
    assert np.all(solution.value - grid <= 2.0 * steepest + 0.02 * solution.value)


@pytest.mark.parametrize("name", ["hill_concave", "log"])
def test_concave_portfolios_are_filled_like_water(name: str) -> None:
    portfolio = reference.draw(name, 3, (64, 5), reach=20.0)
    solution = engine.allocate(portfolio, 20.0, "continuous")
    effort, price = reference.concave_optimum(portfolio, 20.0)
    np.testing.assert_allclose(solution.value, reference.value(portfolio, effort), rtol=1e-9)
    assert np.all(solution.gap <= TOLERANCE)
    np.testing.assert_allclose(solution.solution.multiplier, price, rtol=1e-3)


PARTS = ("cost", "startup", "success")


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1))
def test_certificates_hold_for_whole_units_and_tighten_with_the_nodes(seed: int) -> None:
    portfolio = reference.draw("mixture", seed, (16, 4), PARTS, reach=10.0)
    # The integer optimum is feasible in real effort: no bound may be below it, however short the search.
    with quickly():
        integer = engine.allocate(portfolio, 12.0, "exact").value
    previous = np.inf
    for nodes in (3, 2000):
        solution = engine.allocate(portfolio, 12.0, "continuous", max_nodes=nodes)
        rounding = ROUNDING * np.maximum(np.abs(integer), 1.0)
        assert np.all(solution.bound >= integer - rounding)
        assert np.all(solution.value <= solution.bound)
        assert np.all(solution.bound <= previous + rounding)
        assert np.all(solution.spent <= 12.0 * (1 + 1e-14))
        previous = solution.bound
    assert np.all(solution.value >= integer - 1e-8 * np.maximum(np.abs(integer), 1.0))
    assert np.all(solution.gap <= 1e-8)


def test_a_batch_is_its_portfolios_one_by_one() -> None:
    portfolio = reference.draw("logistic", 5, (40, 6), reach=10.0)
    batch = engine.allocate(portfolio, 12.0, "continuous")
    for i in range(8):
        one = engine.allocate(reference.pick(portfolio, i), 12.0, "continuous")
        # The same steps; sums may be taken in another order.
        np.testing.assert_allclose(one.value, batch.value[i], rtol=1e-12)
        np.testing.assert_allclose(one.effort, batch.effort[i], rtol=1e-6, atol=1e-9)


def test_float32_is_certified_to_its_rounding() -> None:
    single = reference.draw("lifecycle", 6, (64, 8), reach=20.0, dtype=np.float32)
    double = engine.allocate(reference.cast(single, np.float64), 40.0, "continuous")
    solution = engine.allocate(single, 40.0, "continuous")
    # (N + 8)·ε·4 = 8e-6 of rounding is in every float32 bound.
    assert np.all(solution.bound - solution.value <= 3e-5 * np.abs(solution.bound))
    np.testing.assert_allclose(solution.value, double.value, rtol=3e-5)
    earned = reference.value(reference.cast(single, np.float64), solution.effort)
    assert np.all(earned <= solution.bound)
    assert np.all(double.value <= solution.bound * (1 + 1e-7))


def test_two_equal_s_shapes_and_budget_for_one() -> None:
    # All on one pays 2·7^6/(5^6 + 7^6) = 1.77; the concave envelopes promise 2·5/6 on 6.54 and some more.
    solution = engine.allocate(Hill([2.0, 2.0], [5.0, 5.0], [6.0, 6.0]), 7.0, "continuous")
    np.testing.assert_allclose(solution.value, 2.0 * 7.0**6 / (5.0**6 + 7.0**6), rtol=1e-12)
    assert solution.gap <= TOLERANCE
    np.testing.assert_allclose(np.sort(solution.effort), [0.0, 7.0], atol=1e-9)


def test_identical_projects_are_not_permuted() -> None:
    # 20 copies and budget for some of them: the optimum funds m equally, or m − 1 and a weaker one. In the
    # order of identical projects a handful of nodes prove it; each of C(20, m) subsets would take thousands.
    half = np.linspace(3.0, 12.0, 32)[:, None].repeat(20, 1)
    curves = Hill(np.full_like(half, 2.0), half, np.full_like(half, 3.0))
    solution = engine.allocate(curves, 50.0, "continuous", max_nodes=60)
    assert np.all(solution.gap <= 1e-8)
    counts = np.arange(1, 21)
    equal = counts * 2.0 * (50.0 / counts) ** 3 / (half[:, :1] ** 3 + (50.0 / counts) ** 3)
    assert np.all(solution.value >= equal.max(-1) * (1 - TOLERANCE))


def test_edges() -> None:
    def s(x: float) -> float:
        return x**3 / (4.0**3 + x**3)

    # One batch of three projects, one compilation: (curve, budget, lower, upper, expected value or None).
    cases = [
        (0.0, [0, 0, 0], [9, 9, 9], 0.0),
        (30.0, [0, 0, 0], [2, 5, 9], s(2.0) + s(5.0) + s(9.0)),
        (5.0, [0, 0, 0], [0, 9, 0], s(5.0)),
        (8.0, [2, 0, 3], [2, 0, 3], s(2.0) + s(3.0)),
        (6.0, [1, 2, 3], [9, 9, 9], s(1.0) + s(2.0) + s(3.0)),
        (5.0, [1, 2, 3], [9, 9, 9], None),
        (1e-6, [0, 0, 0], [9, 9, 9], s(1e-6)),
        (1e6, [0, 0, 0], [np.inf, 9, 9], s(1e6 - 18.0) + 2 * s(9.0)),
    ]
    budgets = np.array([case[0] for case in cases])
    lower, upper = (np.array([case[k] for case in cases], float) for k in (1, 2))
    ones = np.ones((len(cases), 3))
    portfolio = Portfolio(Hill(ones, 4.0 * ones, 3.0 * ones), lower=lower, upper=upper)
    solution = engine.allocate(portfolio, budgets, "continuous")
    for i, (budget, _, _, expected) in enumerate(cases):
        if expected is None:
            assert solution.status[i] == 1
            continue
        assert solution.status[i] == 0
        np.testing.assert_allclose(solution.value[i], expected, rtol=1e-9, atol=1e-12)
        assert solution.value[i] <= solution.bound[i] <= expected + 1e-9 * abs(expected) + 1e-12
        assert solution.spent[i] <= budget * (1 + 1e-14)


def test_jumps_that_the_budget_just_reaches_are_taken() -> None:
    # A second stage opens at 3 with a jump of 1: two projects, budget for exactly two jumps, or a hair less.
    curves = Lifecycle(
        np.tile([0.0, 3.0], (2, 2, 1)),
        np.tile([0.0, 1.0], (2, 2, 1)),
        np.full((2, 2, 2), 1e-3),
        np.ones((2, 2, 2)),
    )
    solution = engine.allocate(curves, np.array([6.0, 5.99]), "continuous")
    assert solution.value[0] >= 2.0
    one = 1.0 + 1e-3 * np.log(1 + 0.0) + 1e-3 * np.log(1 + 2.99)
    assert one * 0.999 <= solution.value[1] <= 1.01
    assert np.all(solution.gap <= 1e-8)


def test_infinite_first_slopes() -> None:
    rng = np.random.default_rng(7)
    scale = rng.uniform(0.5, 3.0, (16, 4))
    # Pure logs fund in proportion to scale once every project is past 1/rate.
    solution = engine.allocate(PureLog(scale, np.full_like(scale, 4.0)), 60.0, "continuous")
    np.testing.assert_allclose(solution.effort, 60.0 * scale / scale.sum(-1, keepdims=True), rtol=1e-5)
    assert np.all(solution.gap <= TOLERANCE)


def test_one_s_shaped_project_takes_the_budget() -> None:
    budgets = np.array([0.5, 3.0, 20.0])
    solution = engine.allocate(
        Logistic(np.ones((3, 1)), np.ones((3, 1)), np.full((3, 1), 6.0)), budgets, "continuous"
    )
    np.testing.assert_allclose(solution.effort[:, 0], budgets, rtol=1e-12)
    assert np.all(solution.proved)
