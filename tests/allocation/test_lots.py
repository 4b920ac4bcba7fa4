"""Effort in lots: against the same portfolio tabulated by lots, and what cannot be bought so."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import engine
from engine import Portfolio, Tabulated
from engine.model.lots import round_unit
from engine.model.validation import normalise
from tests import reference

UNIT, BUDGET = 2.5, 60.0
# Values are sums of four float64 numbers of size 1 to 10.
ROUNDING = 1e-12


def by_lots(portfolio: Portfolio, lots: int) -> Portfolio:
    """The same choice as tables, a level for each lot."""
    efforts = UNIT * np.arange(lots + 1)
    shape = portfolio.shape
    table = np.stack([portfolio.performance(np.full(shape, effort)) for effort in efforts], axis=-1)
    given = {name: getattr(portfolio, name) for name in ("lower", "upper")}
    bounds = {name: None if bound is None else bound / UNIT for name, bound in given.items()}
    return Portfolio(Tabulated(table), weight=portfolio.weight, cost=portfolio.cost, **bounds)


@pytest.mark.parametrize("solver", ["exact", "greedy", "density", "bound"])
@pytest.mark.parametrize(
    ("family", "parts"), [("log", ()), ("hill", ("cost",)), ("lifecycle", ()), ("mixture", ("startup",))]
)
def test_lots_are_levels_of_a_table(solver: str, family: str, parts: tuple[str, ...]) -> None:
    portfolio = normalise(reference.draw(family, 1, (12, 4), parts, reach=BUDGET / 2))
    if family == "lifecycle":
        least, most = UNIT * np.array([0.0, 1.0, 0.0, 2.0]), UNIT * np.array([3.0, 30.0, 30.0, 8.0])
        portfolio = normalise(dataclasses.replace(portfolio, lower=least, upper=most))
    found = engine.allocate(portfolio, BUDGET, solver, unit=UNIT)
    expected = engine.allocate(by_lots(portfolio, 24), BUDGET / UNIT, solver)
    np.testing.assert_array_equal(found.effort % UNIT, 0.0)
    np.testing.assert_allclose(found.value, expected.value, rtol=ROUNDING)
    np.testing.assert_array_equal(found.effort, UNIT * expected.effort)
    np.testing.assert_allclose(found.bound, expected.bound, rtol=1e-9)
    np.testing.assert_allclose(
        found.spent, (reference.costs(portfolio) * found.effort).sum(-1), rtol=ROUNDING
    )
    np.testing.assert_allclose(found.value, reference.value(portfolio, found.effort), rtol=ROUNDING)


def test_a_unit_of_one_changes_nothing() -> None:
    portfolio = reference.draw("hill", 2, (4, 5), reach=20.0)
    one, plain = engine.allocate(portfolio, 40.0, unit=1), engine.allocate(portfolio, 40.0)
    np.testing.assert_array_equal(one.effort, plain.effort)
    np.testing.assert_array_equal(one.value, plain.value)
    assert "lots" not in repr(one)


def test_the_unit_is_said_aloud() -> None:
    portfolio = Portfolio(engine.Hill([3.0, 2.0], [4e5, 2e5], [2.0, 3.0]), names=("one", "two"))
    found = engine.allocate(portfolio, 1_500_000, unit="auto")
    assert found.unit == 200.0
    assert "by exact in lots of 200: one" in repr(found)
    assert found.to_dict()["unit"] == 200
    assert np.all(found.effort % 200 == 0)
    assert found.proved
    rows = found.projects()
    gain = portfolio.curves.value(found.effort + 200) - portfolio.curves.value(found.effort)
    np.testing.assert_allclose([row["gain"] for row in rows], gain, rtol=1e-9)


@pytest.mark.parametrize(
    ("budget", "unit"), [(0, 1), (10_000, 1), (10_001, 2), (20_001, 5), (1e6, 100), (1.5e6, 200), (1e8, 1e4)]
)
def test_a_round_unit_makes_ten_thousand_lots_at_most(budget: float, unit: float) -> None:
    assert round_unit(budget, 1.0) == unit
    assert round_unit(budget / 4, 0.25) == unit


@pytest.mark.parametrize("unit", [0, -1.0, np.inf, np.nan, "many", True, [2]])
def test_a_unit_is_a_number_above_zero(unit: object) -> None:
    with pytest.raises(ValueError, match=r"unit is .*, expected a number above 0, or auto"):
        engine.allocate(engine.Log([1.0], [1.0]), 5.0, unit=unit)


def test_real_effort_has_no_lots() -> None:
    with pytest.raises(ValueError, match="unit is for whole units, expected none where effort is real"):
        engine.allocate(engine.Log([1.0], [1.0]), 5.0, "waterfilling", unit=2)


def test_bounds_without_a_multiple_between_them_are_refused() -> None:
    portfolio = Portfolio(engine.Log([1.0], [1.0]), lower=3.0, upper=4.0)
    with pytest.raises(ValueError, match="no multiple of 5 within its limits 3 and 4"):
        engine.allocate(portfolio, 10.0, unit=5)


@pytest.mark.parametrize(("family", "parts"), [("log", ()), ("hill", ("cost",)), ("lifecycle", ())])
def test_a_budget_curve_in_lots_is_that_of_a_table(family: str, parts: tuple[str, ...]) -> None:
    portfolio = normalise(reference.draw(family, 1, (3, 4), parts, reach=BUDGET / 2))
    found = engine.budget_curve(portfolio, BUDGET, unit=UNIT)
    expected = engine.budget_curve(by_lots(portfolio, 24), BUDGET / UNIT)
    np.testing.assert_array_equal(found.budget, UNIT * expected.budget)
    np.testing.assert_array_equal(found.effort, UNIT * expected.effort)
    np.testing.assert_allclose(found.value, expected.value, rtol=ROUNDING)
    np.testing.assert_allclose(found.price, expected.price / UNIT, rtol=1e-9)
    np.testing.assert_allclose(found.price_left, expected.price_left / UNIT, rtol=1e-9)
    at = found.at(50.0)
    alone = engine.allocate(portfolio, 50.0, unit=UNIT)
    np.testing.assert_allclose(at.value, alone.value, rtol=ROUNDING)
    np.testing.assert_allclose(at.price, alone.price, rtol=1e-9)
    assert at[0].how == alone[0].how == "exact in lots of 2.5"


def test_a_budget_curve_of_millions_in_lots() -> None:
    portfolio = Portfolio(engine.Hill([9.0, 6.0, 5.0], [2e5, 1.2e5, 8e4], [3.0, 2.0, 2.0]))
    found = engine.budget_curve(portfolio, 421_500.0, unit="auto")
    assert found.unit == 50.0
    assert found.to_dict()["unit"] == 50
    alone = engine.allocate(portfolio, 421_500.0, unit=50)
    np.testing.assert_allclose(found.value[-1], alone.value, rtol=ROUNDING)
    with pytest.raises(ValueError, match="unit=auto"):
        engine.budget_curve(portfolio, 9e5)
    with pytest.raises(ValueError, match="expected none where effort is real"):
        engine.budget_curve(portfolio, 100.0, "waterfilling", unit=5)


@pytest.mark.parametrize("kind", ["value", "return_per_unit", "price"])
def test_the_budget_of_a_target_in_lots_is_that_of_a_table(kind: str) -> None:
    portfolio = reference.draw("hill", 5, (3, 4), reach=BUDGET / 2)
    portfolio = normalise(dataclasses.replace(portfolio, upper=BUDGET))
    target, per_lot = (2.0, 1.0) if kind == "value" else (0.05, UNIT)
    found = engine.budget_for(portfolio, **{kind: target}, unit=UNIT)
    expected = engine.budget_for(by_lots(portfolio, 24), **{kind: target * per_lot})
    assert np.all(np.isfinite(found.budget))
    np.testing.assert_allclose(found.budget, UNIT * expected.budget, rtol=ROUNDING)
    np.testing.assert_array_equal(found.allocation.effort, UNIT * expected.allocation.effort)
    np.testing.assert_array_equal(found.proved, expected.proved)
    assert found.allocation[0].how == "exact in lots of 2.5"


def test_the_lots_of_a_target_are_chosen_by_the_budget_it_may_take() -> None:
    portfolio = Portfolio(engine.Hill([9.0, 6.0, 5.0], [2e5, 1.2e5, 8e4], [3.0, 2.0, 2.0]))
    found = engine.budget_for(portfolio, value=15.0, unit="auto")
    assert found.allocation.unit == 100.0
    assert found.budget == 628_600.0
    assert found.proved
    assert "exact in lots of 100" in repr(found)
    below = engine.allocate(portfolio, found.budget - 100.0, unit=100)
    assert below.bound < 15.0 <= found.allocation.value
    with pytest.raises(ValueError, match=r"returns more than [.\d]+e-0\d per unit on average"):
        engine.budget_for(portfolio, return_per_unit=5.0, unit=500)
    with pytest.raises(ValueError, match="expected none where effort is real"):
        engine.budget_for(portfolio, value=1.0, solver="waterfilling", unit=5)
