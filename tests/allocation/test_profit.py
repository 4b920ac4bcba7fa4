"""Profit, the return less the spend: against all allocations, and by hand."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import engine
from engine import Exponential, Hill, Log, Portfolio
from engine.solvers.registry import SOLVERS
from tests import reference

BUDGET = 8.0
# Values are sums of a few float64 numbers of size 1 to 10.
ROUNDING = 1e-12
CASES = [
    ("log", ()),
    ("mixture_straight", ("cost", "bounds")),
    ("hill", ("quarter_cost", "startup")),
    ("mixture", ("success", "bounds", "startup")),
    ("mixture_powers", ("upper",)),
]


def best_profit(portfolio: Portfolio, per_unit: float) -> np.ndarray:
    """The largest V(x) − p·spend(x) over all whole-unit allocations, for a batch [batch, 3]."""
    units = int(BUDGET / reference.costs(portfolio).min() + 1e-9)
    every = np.array(list(itertools.product(range(units + 1), repeat=3)))
    rows = reference.table(portfolio, units)
    total = sum(rows[:, i, every[:, i]] for i in range(3))
    spent = reference.costs(portfolio) @ every.T
    return np.max(np.where(spent <= BUDGET + 1e-9, total - per_unit * spent, -np.inf), axis=-1)


@pytest.mark.parametrize("solver", list(SOLVERS))
@pytest.mark.parametrize(("family", "parts"), CASES, ids=reference.id_of)
@pytest.mark.filterwarnings("ignore:costs differ")
def test_no_allocation_has_more_profit(family: str, parts: tuple[str, ...], solver: str) -> None:
    portfolio = reference.draw(family, 3, (16, 3), parts)
    for per_unit in (0.05, 0.4, 1.5):
        found = engine.allocate(portfolio, BUDGET, solver, objective="profit", per_unit=per_unit)
        best = best_profit(portfolio, per_unit)
        known = np.isfinite(best)
        value = reference.value(portfolio, found.effort) - per_unit * found.spent
        np.testing.assert_allclose(found.value[known], value[known], rtol=ROUNDING, atol=ROUNDING)
        np.testing.assert_allclose(found.returned, found.value + per_unit * found.spent)
        assert np.all(found.spent[known] <= BUDGET * (1 + 1e-14))
        assert np.all(found.bound[known] >= best[known] - ROUNDING)
        assert np.all(found.value[known] <= found.bound[known])
        if not SOLVERS[solver].real({}):
            assert np.all(found.value[known] <= best[known] + ROUNDING)
        if SOLVERS[solver].exactly(portfolio.cost):
            np.testing.assert_allclose(found.value[known], best[known], rtol=ROUNDING, atol=ROUNDING)
            assert np.all(found.proved[known])
        if solver == "continuous":
            assert np.all(found.value[known] >= best[known] - 1e-8)
            assert np.all(found.bound[known] - found.value[known] <= 1e-8)


def test_effort_stops_where_a_unit_earns_what_it_costs() -> None:
    """a·b·e^(−b x) = p: x = log(a b/p)/b, whatever the budget beyond."""
    scale, rate = np.array([5.0, 9.0, 0.5]), np.array([0.5, 0.2, 0.3])
    found = engine.allocate(Exponential(scale, rate), 100, "waterfilling", objective="profit", per_unit=0.25)
    expected = np.maximum(np.log(scale * rate / 0.25) / rate, 0.0)
    np.testing.assert_allclose(found.effort, expected, rtol=1e-9, atol=1e-12)
    assert found.proved
    assert found.price == 0
    assert found.why_unspent == "nothing more pays"


def test_what_a_budget_does_not_cover_is_worth_its_price_less_the_charge() -> None:
    curves = Log([9.0, 6.0], [1.0, 2.0])
    plain, profit = (engine.allocate(curves, 6, objective=objective) for objective in ("return", "profit"))
    np.testing.assert_array_equal(plain.effort, profit.effort)
    np.testing.assert_allclose(profit.value, plain.value - 6, rtol=1e-14)
    np.testing.assert_allclose(profit.price, plain.price - 1, rtol=1e-12)
    assert plain.counted == 0
    assert "why_unspent" not in plain.to_dict()


def test_large_budgets_and_lots() -> None:
    hills = Portfolio(Hill([4e6, 3e6], [4e5, 2e5], [3.0, 2.0]), cost=[1.0, 2.0])
    found = engine.allocate(hills, 1e9, objective="profit", unit="auto")
    assert found.unit == 100_000
    assert found.proved
    lots = np.arange(200) * found.unit
    profit = [4e6 * lots**3 / (4e5**3 + lots**3) - lots, 3e6 * lots**2 / (2e5**2 + lots**2) - 2 * lots]
    np.testing.assert_array_equal(found.effort, [lots[np.argmax(p)] for p in profit])
    exact = engine.allocate(hills, 1e9, objective="profit")
    assert exact.proved
    assert exact.value > found.value


def test_a_plan_is_valued_by_its_profit_too() -> None:
    found = engine.own_plan(Log([9.0, 6.0], [1.0, 2.0]), [20, 20], 50, objective="profit", within="50%")
    value = 9 * np.log(21) + 6 * np.log(41) - 40
    np.testing.assert_allclose([found.value, found.lost], [value, found.allocation.value - value], rtol=1e-12)
    assert found.near is not None
    assert found.near.effort.tolist() == [10, 10]


def test_small_profits_of_large_returns_are_proved() -> None:
    rng = np.random.default_rng(2)
    curves = Log(rng.uniform(1e6, 2e6, (32, 6)), np.full((32, 6), 1e-3))
    found = engine.allocate(curves, 100, objective="profit", per_unit=1e3 * 0.999)
    assert np.all(found.proved)


def test_it_is_said_in_words_and_numbers() -> None:
    found = engine.allocate(Log([4.0], [1.0]), 9, objective="profit", per_unit=0.5)
    assert "profit 4.8177662, return 8.3177662 less 0.5 × 7 spent" in repr(found)
    assert "unspent 2: nothing more pays" in repr(found)
    facts = found.to_dict()
    assert (facts["objective"], facts["per_unit"], facts["why_unspent"]) == (
        "profit",
        0.5,
        "nothing more pays",
    )


WRONG: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "objective is 'gain', expected return or profit": ({}, {"objective": "gain"}),
    "per_unit is 0, expected a number above 0": ({}, {"objective": "profit", "per_unit": 0}),
    "per_unit is 'one', expected a number above 0": ({}, {"objective": "profit", "per_unit": "one"}),
    "project 1: has a curvature, expected none": ({"curvature": [0.0, 0.5]}, {"objective": "profit"}),
    "project 0: has a threshold, expected none": ({"threshold": [0.5, -np.inf]}, {"objective": "profit"}),
}


@pytest.mark.parametrize("words", WRONG)
def test_what_cannot_be(words: str) -> None:
    parts, options = WRONG[words]
    with pytest.raises(ValueError, match=words):
        engine.allocate(Portfolio(Log([1.0, 2.0], [1.0, 1.0]), **parts), 5, **options)
