"""The budget for a target: what it finds meets it, one step less (or more) does not, for any curves."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from engine import Exponential, Lifecycle, Log, Portfolio, Tabulated, budget_for
from engine.allocation import targets as module
from engine.model.validation import normalise
from tests import reference

TEXTBOOK = Path(__file__).parents[2] / "configs" / "portfolios" / "textbook.csv"
BATCH = (8, 3)
UNITS = 40
# Values are sums of a few float64 numbers of size 1 to 10.
ROUNDING = 1e-9

VALUES = [
    ("log", ()),
    ("tabulated", ("bounds",)),
    ("exponential", ("quarter_cost", "startup", "success", "curvature", "threshold")),
]
RETURNS = [("mixture_concave", ("bounds",)), ("lifecycle", ("cost",))]
PRICES = [("hill", ()), ("mixture", ("quarter_cost", "startup", "success", "threshold"))]


def true_curve(portfolio: Portfolio, budget: float, step: float) -> np.ndarray:
    """V(b) at 0, step, …, budget of a batch, by the references' dynamic programme."""
    taken = np.round(reference.costs(portfolio) / step).astype(int)
    states = round(budget / step)
    rows = reference.table(portfolio, states // taken.min())
    best = np.zeros((portfolio.shape[0], states + 1))
    for i in range(portfolio.shape[1]):
        after = np.full_like(best, -np.inf)
        for j in range(portfolio.shape[0]):
            for level in range(states // taken[j, i] + 1):
                shift = level * taken[j, i]
                moved = best[j, : states + 1 - shift] + rows[j, i, level]
                after[j, shift:] = np.maximum(after[j, shift:], moved)
        best = after
    return best


def drawn(
    name: str, parts: tuple[str, ...], seed: int
) -> tuple[Portfolio, np.ndarray, np.ndarray, np.ndarray]:
    """(portfolios, budgets far beyond the targets that are asked for, V there, V of no effort)."""
    portfolio = reference.draw(name, seed, BATCH, parts)
    step = 0.25 if "quarter_cost" in parts else 1.0
    budget = UNITS * (4 if name in ("log", "mixture_concave") else 2)
    values = true_curve(portfolio, budget, step)
    nothing = reference.value(portfolio, np.zeros(BATCH))
    return portfolio, np.arange(values.shape[1]) * step, values, nothing


def assert_solved(
    portfolio: Portfolio, found: engine.BudgetFound, budgets: np.ndarray, values: np.ndarray
) -> None:
    """The solution is an ordinary optimum at its budget."""
    at = np.round(found.budget / budgets[1]).astype(int)
    expected = np.take_along_axis(values, at[:, None], 1)[:, 0]
    np.testing.assert_allclose(found.allocation.value, expected, rtol=ROUNDING, atol=ROUNDING)
    np.testing.assert_allclose(
        reference.value(portfolio, found.allocation.effort), expected, rtol=ROUNDING, atol=1e-9
    )
    np.testing.assert_array_equal(found.allocation.status, 0)
    assert np.all(found.allocation.spent <= found.budget + ROUNDING)
    assert np.all(found.proved)
    assert np.all(found.allocation.proved)
    assert np.all(np.isnan(found.best))


@pytest.mark.parametrize(("name", "parts"), VALUES, ids=reference.id_of)
def test_least_budget_for_a_value(name: str, parts: tuple[str, ...]) -> None:
    portfolio, budgets, values, _ = drawn(name, parts, 1)
    feasible = np.where(np.isfinite(values), values, np.inf).min(-1)
    share = np.linspace(0.1, 0.95, BATCH[0])
    target = feasible + share * (values[:, UNITS] - feasible)
    found = budget_for(portfolio, value=target)
    at = np.argmax(values >= target[:, None] - ROUNDING, axis=1)
    np.testing.assert_allclose(found.budget, budgets[at], rtol=1e-12)
    assert np.all(found.allocation.value >= target - ROUNDING)
    assert_solved(portfolio, found, budgets, values)


@pytest.mark.parametrize(("name", "parts"), RETURNS, ids=reference.id_of)
def test_most_budget_for_an_average_return(name: str, parts: tuple[str, ...]) -> None:
    portfolio, budgets, values, nothing = drawn(name, parts, 2)
    rates = (values - nothing[:, None])[:, 1:] / budgets[1:]
    target = np.maximum(0.6 * rates.max(-1), 0.03)
    reachable = rates.max(-1) >= target
    found = budget_for(portfolio, return_per_unit=target)
    np.testing.assert_array_equal(np.isfinite(found.budget), reachable)
    keep = np.flatnonzero(reachable)
    for i in keep:
        last = np.flatnonzero(rates[i] >= target[i])[-1] + 1
        useful = np.flatnonzero(values[i] >= values[i, last] - ROUNDING)[0]
        assert found.budget[i] == budgets[useful]
        assert last < budgets.size - 1
    some = jax.tree.map(lambda a: np.asarray(a)[keep], (portfolio, found))
    assert_solved(some[0], some[1], budgets, values[keep])
    np.testing.assert_allclose(
        found.best[~reachable], rates.max(-1)[~reachable], rtol=ROUNDING, atol=ROUNDING
    )


@pytest.mark.parametrize(("name", "parts"), PRICES, ids=reference.id_of)
def test_most_budget_for_a_price(name: str, parts: tuple[str, ...]) -> None:
    portfolio, budgets, values, _ = drawn(name, parts, 3)
    first = np.argmax(np.isfinite(values), axis=1)
    rates = np.full_like(values, -np.inf)
    for i, start in enumerate(first):
        rates[i, start + 1 :] = (values[i, start + 1 :] - values[i, start]) / (
            budgets[start + 1 :] - budgets[start]
        )
    best = rates.max(-1)
    target = np.maximum(0.4 * best, 0.03)
    reachable = best >= target
    found = budget_for(portfolio, price=target)
    np.testing.assert_array_equal(np.isfinite(found.budget), reachable)
    keep = np.flatnonzero(reachable)
    for i in keep:
        net = np.where(np.isfinite(values[i]), values[i] - target[i] * budgets, -np.inf)
        assert found.budget[i] == budgets[np.flatnonzero(net >= net.max() - ROUNDING)[-1]]
    some = jax.tree.map(lambda a: np.asarray(a)[keep], (portfolio, found))
    assert_solved(some[0], some[1], budgets, values[keep])
    np.testing.assert_allclose(
        found.best[~reachable], np.maximum(best, 0)[~reachable], rtol=ROUNDING, atol=ROUNDING
    )


@settings(max_examples=3)  # another reach may be another compilation
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.05, 0.95))
def test_one_step_less_does_not_reach_the_value(seed: int, share: float) -> None:
    portfolio = reference.draw("lifecycle", seed, BATCH)
    values = true_curve(portfolio, 20.0, 1.0)
    target = values[:, 0] + share * (values[:, -1] - values[:, 0])
    found = budget_for(portfolio, value=target)
    at = found.budget.astype(int)
    rows = np.arange(BATCH[0])
    assert np.all(values[rows, at] >= target - ROUNDING)
    assert np.all(values[rows, np.maximum(at - 1, 0)][at > 0] < target[at > 0])


def test_textbook_by_hand() -> None:
    # a = 25, 30, 12, 20, 13 sum to 100: the slope of the whole is 100/B, and effort is in proportion to a.
    portfolio = engine.load_portfolio(TEXTBOOK)
    assert budget_for(portfolio, value=engine.allocate(portfolio, 100).value).budget == 100
    found = budget_for(portfolio, price=1.0)
    assert found.budget == 100
    np.testing.assert_array_equal(found.allocation.effort, [25, 30, 12, 20, 13])
    assert budget_for(portfolio, price=1.0, solver="waterfilling").budget == pytest.approx(100, rel=1e-12)


def test_lumps_by_hand() -> None:
    # 6 from the third unit of one project, 1 for the first unit of the other: V = 0 1 1 6 7 7 …
    curves = Tabulated([[0.0, 0.0, 0.0, 6.0], [0.0, 1.0, 1.0, 1.0]])
    for target, budget in ((-3.0, 0), (0.0, 0), (0.5, 1), (1.5, 3), (6.0, 3), (6.01, 4), (7.0, 4)):
        assert budget_for(curves, value=target).budget == budget, target
    for target, budget in ((2.0, 3), (1.76, 3), (1.75, 4), (1.2, 4), (0.1, 4)):
        assert budget_for(curves, return_per_unit=target).budget == budget, target
    for target, budget in ((2.0, 3), (1.01, 3), (1.0, 4), (1e-3, 4)):
        assert budget_for(curves, price=target).budget == budget, target


UNREACHABLE: dict[str, tuple[engine.Curve | Portfolio, dict[str, float], str]] = {
    "above the limit of the curves": (Exponential([1.0, 2.0], 0.5), {"value": 3.5}, "more than 3"),
    "above the upper limits": (
        Portfolio(Log([1.0], 1.0), upper=[3.0]),
        {"value": 2.0},
        "more than 1.3862944",
    ),
    "above the last point": (Tabulated([[0.0, 4.0, 2.0]]), {"value": 4.5}, "more than 4"),
    "flat": (Tabulated([[1.0, 1.0, 1.0]]), {"return_per_unit": 0.1}, "more than 0 per unit on average"),
    "average": (Tabulated([[0.0, 0.0, 3.0]]), {"return_per_unit": 2.0}, "more than 1.5 per unit on average"),
    "price": (Tabulated([[0.0, 0.0, 3.0]]), {"price": 2.0}, "more than 1.5 per unit at the margin"),
    "price of nothing": (Tabulated([[2.0, 2.0, 2.0]]), {"price": 2.0}, "more than 0 per unit at the margin"),
    "a rate beyond counting": (Log([1.0], 1.0), {"price": 1e-9}, "takes a budget of up to"),
}


@pytest.mark.parametrize("what", UNREACHABLE)
def test_what_no_budget_reaches_is_one_clear_line(what: str) -> None:
    portfolio, target, expected = UNREACHABLE[what]
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        budget_for(portfolio, **target)  # type: ignore[arg-type]
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_in_a_batch_the_unreachable_leave_the_others_alone() -> None:
    curves = Exponential(np.array([[1.0, 2.0], [1.0, 0.5], [3.0, 1.0]]), 0.5 * np.ones((3, 2)))
    found = budget_for(curves, value=np.array([2.0, 2.0, 2.0]))
    np.testing.assert_array_equal(np.isfinite(found.budget), [True, False, True])
    np.testing.assert_array_equal(found.allocation.status, [0, 1, 0])
    np.testing.assert_array_equal(found.proved, [True, False, True])
    np.testing.assert_allclose(found.best, [np.nan, 1.5, np.nan])
    assert np.isnan(found.allocation.value[1])
    rates = budget_for(curves, price=np.array([0.3, 5.0, 0.3]))
    # The first unit of the better project: (1 − e^−½)·scale.
    np.testing.assert_allclose(rates.best[1], 1.0 - np.exp(-0.5), rtol=1e-12)
    for i in (0, 2):
        one = budget_for(jax.tree.map(lambda a, i=i: a[i], curves), price=0.3)
        assert one.budget == rates.budget[i]
        np.testing.assert_array_equal(one.allocation.effort, rates.allocation.effort[i])


def test_lower_bounds_are_always_paid() -> None:
    portfolio = Portfolio(Log([1.0, 2.0], 1.0), lower=[2.0, 3.0])
    for target in ({"value": 0.0}, {"value": 3.8}):
        assert budget_for(portfolio, **target).budget == 5
    # V(5) − V(0) = log 3 + 2 log 4 = 3.871; the price counts from the lower limits on.
    assert budget_for(portfolio, return_per_unit=0.77).budget == 5
    assert budget_for(portfolio, price=0.4).budget == 6
    with pytest.raises(ValueError, match=r"more than 0\.4462"):
        budget_for(portfolio, price=0.45)


def test_costs_without_a_common_unit_meet_the_target_unproved() -> None:
    portfolio = reference.draw("hill", 9, (12, 3), ("real_cost",))
    target = 0.8 * reference.brute_force(portfolio, 12.0)
    found = budget_for(portfolio, value=target)
    assert np.all(found.allocation.value >= target - ROUNDING)
    assert not np.any(found.proved)
    assert np.all(found.allocation.spent <= found.budget)
    # At most 3 of 4096 steps over the least budget.
    assert np.all(reference.brute_force(portfolio, found.budget - 0.02) <= found.allocation.value + ROUNDING)


# Real effort.


@pytest.mark.parametrize("kind", ["value", "return_per_unit", "price"])
def test_real_effort_of_concave_portfolios(kind: str) -> None:
    portfolio = reference.draw("power", 5, (6, 4), ("cost",), reach=20.0)
    budgets = np.linspace(11.0, 37.0, 6)
    one_by_one = [reference.pick(portfolio, i) for i in range(6)]
    efforts, prices = zip(
        *(reference.concave_optimum(lift(p), b) for p, b in zip(one_by_one, budgets, strict=True)),
        strict=True,
    )
    values = reference.value(portfolio, np.concatenate(efforts))
    nothing = reference.value(portfolio, np.zeros((6, 4)))
    target: dict[str, Any] = {
        "value": values,
        "return_per_unit": (values - nothing) / budgets,
        "price": np.concatenate(prices),
    }
    found = budget_for(portfolio, solver="waterfilling", **{kind: target[kind]})
    # The reference's prices are those of nested bisection.
    np.testing.assert_allclose(found.budget, budgets, rtol=1e-6)
    np.testing.assert_allclose(found.allocation.value, values, rtol=1e-6)
    assert np.all(found.proved)
    if kind == "value":
        whole = budget_for(portfolio, value=values)
        assert np.all(whole.budget >= found.budget - 1e-6)


def lift(portfolio: Portfolio) -> Portfolio:
    """One portfolio as a batch of one."""
    return jax.tree.map(lambda a: np.asarray(a)[None], portfolio)


def test_real_effort_on_piecewise_linear_curves() -> None:
    # Slopes 2, then 1; and 1.5, then 0: V(b) = 2b to 1, then 1.5 a unit to 2, then 1 a unit to 3, then flat.
    curves = Tabulated([[0.0, 2.0, 3.0], [0.0, 1.5, 1.5]])
    for target, budget in ((1.0, 0.5), (2.75, 1.5), (4.0, 2.5), (4.5, 3.0)):
        found = budget_for(curves, value=target, solver="waterfilling")
        assert found.budget == pytest.approx(budget, rel=1e-12)
        assert found.proved
    assert budget_for(curves, price=1.7, solver="waterfilling").budget == pytest.approx(1.0)
    assert budget_for(curves, return_per_unit=1.6, solver="waterfilling").budget == pytest.approx(
        2.5, rel=1e-12
    )


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({"value": 3.5}, "more than 3"),
        ({"return_per_unit": 1.1}, "more than 1 per unit on average"),
        ({"price": 1.1}, "more than 1 per unit at the margin"),
    ],
)
def test_real_effort_that_reaches_no_target(target: dict[str, float], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        budget_for(Exponential([1.0, 2.0], 0.5), solver="waterfilling", **target)  # type: ignore[arg-type]


def test_real_effort_is_refused_where_the_envelope_is_not_attained() -> None:
    stages = np.array([[0.0, 3.0], [0.0, 3.0]]), np.array([[0.0, 5.0], [0.0, 5.0]])
    staged = Lifecycle(*stages, np.full((2, 2), 0.1), np.ones((2, 2)))
    with pytest.raises(ValueError, match="concave portfolios only"):
        budget_for(staged, value=7.5, solver="waterfilling")
    assert budget_for(staged, value=7.5).budget == 6


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no target": ({}, "there is no target, expected exactly one of value"),
    "two targets": ({"value": 1.0, "price": 1.0}, "value and price"),
    "text": ({"value": "much"}, "target value is 'much'"),
    "not a number": ({"value": np.nan}, "target value is nan"),
    "infinite": ({"value": np.inf}, "target value is inf"),
    "a price of nothing": ({"price": 0.0}, "target price is 0, expected a number above 0"),
    "a negative return": ({"return_per_unit": -1.0}, "target return_per_unit is -1"),
    "another number of targets": ({"value": [1.0, 2.0]}, "expected a number"),
    "another solver": ({"value": 1.0, "solver": "greedy"}, "'greedy'"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_is_refused(what: str) -> None:
    target, expected = BAD[what]
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        budget_for(Log([1.0, 2.0], 1.0), **target)
    assert expected in str(caught.value)


def test_float32_targets_are_met_to_float32_rounding() -> None:
    portfolio = reference.draw("log", 7, BATCH, dtype=np.float32)
    value = engine.allocate(portfolio, 20.0).value
    found = budget_for(portfolio, value=value)
    assert found.budget.dtype == np.float32
    # Values of size 10 in float32, and gains of size 0.1: within a step or two.
    assert np.all(np.abs(found.budget - 20.0) <= 1.0)
    solution = found.allocation.solution
    for field in dataclasses.fields(solution):
        assert getattr(solution, field.name).dtype in (np.float32, np.bool_, np.int32), field.name


def test_the_largest_countable_budget_is_the_lattice_s_own() -> None:
    terms = module.terms_of(normalise(Log([1.0, 2.0], 1.0)))
    most = module.largest_countable(terms)
    module.choose_method(terms, most)
    with pytest.raises(ValueError, match="greedy holds at most 1,000,000 of each"):
        module.choose_method(terms, 1.002 * most)
