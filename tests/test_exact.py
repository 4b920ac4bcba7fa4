"""The exact solver against an independent dynamic programme and HiGHS, with its proof and its budget."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine
from engine import Lifecycle, Portfolio, Tabulated
from tests import portfolios as reference

BUDGET = 30.0
SHAPE = (24, 5)
# Values are sums of five float64 numbers of size 1 to 10.
ROUNDING = 1e-9

CASES = [
    ("hill", ()),
    ("logistic", ("cost",)),
    ("lifecycle", ("cost",)),
    ("tabulated", ("bounds",)),
    ("tabulated_points", ("quarter_cost",)),
    ("mixture", ()),
    ("mixture", ("cost", "startup", "success", "curvature", "threshold")),
]
ids = lambda part: "-".join(part) if isinstance(part, tuple) else part  # noqa: E731


@pytest.mark.parametrize(("name", "parts"), CASES, ids=ids)
def test_value_is_that_of_dynamic_programming_and_highs(name: str, parts: tuple[str, ...]) -> None:
    portfolio = reference.draw(name, 3, SHAPE, parts, reach=BUDGET / 2)
    solution = engine.solve(portfolio, BUDGET)
    assert np.all(solution.status == 0)
    assert np.all(solution.proved)
    step = 0.25 if "quarter_cost" in parts else 1.0
    one_by_one = [reference.pick(portfolio, i) for i in range(SHAPE[0])]
    expected = [reference.dynamic_programme(p, BUDGET, step) for p in one_by_one]
    np.testing.assert_allclose(solution.value, expected, rtol=ROUNDING)
    np.testing.assert_allclose(reference.value(portfolio, solution.effort), expected, rtol=ROUNDING)
    # HiGHS stops at feasibility and integrality tolerances of 1e-6.
    highs = [reference.multiple_choice(p, BUDGET) for p in one_by_one[:4]]
    np.testing.assert_allclose(solution.value[:4], highs, rtol=1e-6)


@given(seed=st.integers(0, 2**32 - 1))
def test_no_other_solver_beats_it(seed: int) -> None:
    portfolio = reference.draw("mixture", seed, (16, 4), reach=10.0)
    best = engine.solve(portfolio, 12.0)
    for solver in ("greedy", "bound"):
        value = engine.solve(portfolio, 12.0, solver).value
        assert np.all(value <= best.value + ROUNDING * np.abs(best.value))
    expected = [reference.dynamic_programme(reference.pick(portfolio, i), 12.0) for i in range(4)]
    np.testing.assert_allclose(best.value[:4], expected, rtol=ROUNDING)


@pytest.mark.parametrize("name", ["logistic", "tabulated"])
def test_value_never_falls_with_the_budget(name: str) -> None:
    budgets = np.arange(SHAPE[0]) * BUDGET / (SHAPE[0] - 1)
    one = reference.draw(name, 5, (1, 5), reach=BUDGET / 2)
    fields = {k: np.repeat(v, SHAPE[0], 0) for k, v in vars(one.curves).items() if v is not None}
    portfolio = Portfolio(type(one.curves)(**fields), weight=np.repeat(one.weight, SHAPE[0], 0))
    value = engine.solve(portfolio, budgets).value
    # Sums in another order may differ by a few ulps.
    assert np.all(np.diff(value) >= -1e-12)
    assert value[-1] > value[0]


def test_float32_answers_are_optimal_to_float32_rounding() -> None:
    portfolio = reference.draw("hill", 7, SHAPE, reach=BUDGET / 2, dtype=np.float32)
    solution = engine.solve(portfolio, BUDGET)
    expected = engine.solve(reference.cast(portfolio, np.float64), BUDGET)
    # Sums of five float32 numbers: a few times 1.2e-7.
    np.testing.assert_allclose(solution.value, expected.value, rtol=3e-6)
    np.testing.assert_allclose(reference.value(portfolio, solution.effort), expected.value, rtol=3e-6)


def test_costs_without_a_common_unit_stay_feasible_and_honest() -> None:
    portfolio = reference.draw("hill", 9, (24, 3), ("real_cost",))
    solution = engine.solve(portfolio, 8.0)
    optimum = reference.brute_force(portfolio, 8.0)
    assert np.all((reference.costs(portfolio) * solution.effort).sum(-1) <= 8.0 + 1e-12)
    assert np.all(solution.bound >= optimum - ROUNDING)
    # 4096 budget steps: only an allocation within 3 steps of the budget can be missed.
    near = np.abs(solution.value - optimum) <= ROUNDING * np.abs(optimum)
    assert near.mean() >= 0.9
    proved = solution.proved
    np.testing.assert_allclose(solution.value[proved], optimum[proved], rtol=ROUNDING)


def test_a_stage_worth_waiting_for_is_reached() -> None:
    # Three units open a stage worth 5; the other project earns log 2, log 3, log 4 = 1.39 for the same.
    late = Lifecycle([[0.0, 3.0], [0.0, 3.0]], [[0.0, 5.0], [0.0, 0.0]], [[0.0, 0.0], [1.0, 0.0]], 1.0)
    late = Lifecycle(late.start, late.base, late.scale, np.ones((2, 2)))
    solution = engine.allocate(late, 3.0)
    np.testing.assert_array_equal(solution.effort, [3.0, 0.0])
    np.testing.assert_allclose(solution.value, 5.0, rtol=1e-15)


def test_equal_answers_take_the_least_effort_of_the_last_project() -> None:
    # Everything is flat: nothing needs to be bought.
    solution = engine.allocate(Tabulated([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]), 2.0)
    np.testing.assert_allclose(solution.value, 3.0, rtol=1e-15)
    assert solution.effort[1] == 0.0
