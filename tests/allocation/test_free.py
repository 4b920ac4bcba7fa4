"""Projects whose units cost nothing: against all allocations, and against the others solved alone."""

from __future__ import annotations

import dataclasses
import math

import jax
import numpy as np
import pytest

import engine
from engine import Exponential, Hill, Log, Portfolio, Tabulated
from engine.model.validation import normalise
from engine.solvers.registry import SOLVERS
from tests import reference

MOST, BUDGET = 5, 7.0
# Values are sums of four float64 numbers of size 1 to 10.
ROUNDING = 1e-12
COUNTING = [name for name, method in SOLVERS.items() if method.effort != "real"]


def drawn(family: str, seed: int, parts: tuple[str, ...], batch: int = 24) -> Portfolio:
    """Portfolios of four projects, of each of which a unit costs nothing, or one or two units of budget."""
    random = np.random.default_rng(seed)
    portfolio = reference.draw(family, seed, (batch, 4), parts)
    upper = np.minimum(reference.limits(portfolio)[1], MOST)
    return dataclasses.replace(portfolio, upper=upper, cost=random.integers(0, 3, (batch, 4)).astype(float))


CASES = [("log", (), solver) for solver in COUNTING]
CASES += [("mixture", ("bounds", "success"), "exact"), ("tabulated_points", ("startup",), "exact")]
CASES += [("exponential", ("threshold", "curvature"), "exact")]


@pytest.mark.parametrize(("family", "parts", "solver"), CASES, ids=reference.id_of)
@pytest.mark.filterwarnings("ignore:costs differ")
def test_whole_units_against_all_allocations(family: str, parts: tuple[str, ...], solver: str) -> None:
    portfolio = drawn(family, 3, parts)
    found = engine.allocate(portfolio, BUDGET, solver)
    best = reference.brute_force(portfolio, BUDGET, MOST)
    value = reference.value(portfolio, found.effort)
    np.testing.assert_allclose(found.value, value, rtol=ROUNDING, atol=ROUNDING)
    np.testing.assert_allclose(found.spent, (portfolio.cost * found.effort).sum(-1), rtol=ROUNDING)
    assert np.all(found.spent <= BUDGET)
    assert np.all(found.bound >= best - 1e-9)
    assert np.all(found.value <= best + 1e-9)
    if SOLVERS[solver].exactly(portfolio.cost):
        assert np.all(found.proved)
        np.testing.assert_allclose(found.value, best, rtol=ROUNDING, atol=ROUNDING)
    table = np.where(portfolio.cost[..., None] == 0, reference.table(portfolio, MOST), 0.0)
    free = np.where(portfolio.cost == 0, found.effort, np.argmax(table, axis=-1))
    np.testing.assert_array_equal(free, np.argmax(table, axis=-1))  # the least of the best


@pytest.mark.parametrize("solver", list(SOLVERS))
def test_the_others_are_solved_as_if_alone(solver: str) -> None:
    parts = ("success",) if solver == "waterfilling" else ("startup", "success")
    portfolio = normalise(drawn("log" if solver == "waterfilling" else "hill", 5, parts))
    portfolio = dataclasses.replace(portfolio, cost=np.broadcast_to([1.0, 0.0, 1.0, 1.0], portfolio.shape))
    others = jax.tree.map(lambda a: a[:, [0, 2, 3]], portfolio)
    found, alone = engine.allocate(portfolio, BUDGET, solver), engine.allocate(others, BUDGET, solver)
    grid = np.linspace(0.0, 1.0, 2001)[:, None, None] * portfolio.upper
    table = reference.returns(portfolio, grid if SOLVERS[solver].real({}) else np.round(grid))
    free = np.max(table[:, :, 1], axis=0)
    # Searches end at tolerances of their own, which further projects, if only in name, may move.
    np.testing.assert_allclose(found.value - free, alone.value, rtol=1e-6)
    np.testing.assert_allclose(found.bound - free, alone.bound, rtol=1e-6)
    np.testing.assert_allclose(found.price, alone.price, rtol=1e-9)
    np.testing.assert_allclose(found.price_left, alone.price_left, rtol=1e-9)
    np.testing.assert_allclose(found.spent, alone.spent, rtol=1e-6)


@pytest.mark.parametrize("family", ["log", "hill"])
def test_a_budget_curve_holds_them_at_every_budget(family: str) -> None:
    portfolio = drawn(family, 7, (), batch=6)
    curve = engine.budget_curve(portfolio, BUDGET)
    for place, budget in enumerate(curve.budget):
        found = engine.allocate(portfolio, budget)
        np.testing.assert_allclose(curve.value[:, place], found.value, rtol=ROUNDING)
        np.testing.assert_allclose(curve.price[:, place], found.price, rtol=1e-9, atol=1e-12)
        value = reference.value(portfolio, np.asarray(curve.effort)[:, place])
        np.testing.assert_allclose(curve.value[:, place], value, rtol=ROUNDING)


@pytest.mark.parametrize("solver", ["exact", "waterfilling"])
def test_a_target_counts_what_they_return(solver: str) -> None:
    portfolio = drawn("log", 9, (), batch=6)
    there = engine.allocate(portfolio, BUDGET, solver)
    found = engine.budget_for(portfolio, value=there.value, solver=solver)
    np.testing.assert_allclose(found.allocation.value, there.value, rtol=1e-9)
    np.testing.assert_allclose(found.budget, there.spent, rtol=1e-6)
    best = engine.allocate(portfolio, 1000.0, solver)
    beyond = engine.budget_for(portfolio, value=best.value + 1.0, solver=solver)
    np.testing.assert_allclose(beyond.best, best.value, rtol=1e-6)
    marginal = engine.budget_for(portfolio, price=there.price_left, solver=solver)
    assert np.all(marginal.budget >= there.spent * (1 - 1e-6))


def test_twenty_four_items_of_which_half_cost_nothing() -> None:
    worth = np.array([2, 0, 2, 0, 2, 0, 2, 2, 1, 1, 0, 4, 0, 0, 4, 0.25, 0.25, 0, 0, 0, 0, 3, 0.5, 3])
    portfolio = Portfolio(Tabulated(np.stack([0 * worth, worth], -1)), cost=worth, upper=1.0)
    found = engine.allocate(portfolio, 25.0)
    assert found.proved
    assert found.value == found.spent == 25.0
    assert np.all(found.effort[worth == 0] == 0)


def test_effort_in_lots_is_a_multiple() -> None:
    portfolio = Portfolio(Log([3.0, 2.0], 0.1), cost=[0.0, 1.0], upper=[1003.0, math.inf])
    found = engine.allocate(portfolio, 40_000, unit="auto")
    np.testing.assert_array_equal(found.effort, [1000.0, 40_000.0])
    assert found.unit == 5.0
    np.testing.assert_allclose(found.value, reference.value(portfolio, found.effort), rtol=ROUNDING)


@pytest.mark.parametrize("solver", list(SOLVERS))
def test_all_may_be_free(solver: str) -> None:
    portfolio = Portfolio(Log([3.0, 2.0], 0.1), cost=0.0, lower=[0.0, 2.5], upper=[7.5, 3.0])
    found = engine.allocate(portfolio, 0.0, solver)
    np.testing.assert_array_equal(found.effort, [7.5, 3.0] if SOLVERS[solver].real({}) else [7.0, 3.0])
    assert found.proved
    assert found.spent == 0.0


def test_float32_stays_float32() -> None:
    portfolio = reference.cast(drawn("log", 1, (), batch=2), np.float32)
    found = engine.allocate(portfolio, BUDGET, "greedy")
    assert found.effort.dtype == found.value.dtype == found.bound.dtype == np.float32


@pytest.mark.parametrize("curves", [Log(2.0, 1.0), Exponential(2.0, 1.0), Hill(2.0, 9.0, 30.0)])
@pytest.mark.parametrize("solver", ["exact", "continuous"])
def test_a_return_that_rises_without_end_is_refused(curves: engine.Curve, solver: str) -> None:
    portfolio = Portfolio(curves, cost=[1.0, 0.0], curvature=[0.0, 0.1], names=("one", "other"))
    for verb in (engine.allocate, engine.budget_curve):
        with pytest.raises(ValueError, match=r"^other: cost is 0 .* maximum, expected an upper"):
            verb(portfolio, 5.0, solver if verb is engine.allocate else "exact")


def test_a_return_that_ends_needs_no_upper_bound() -> None:
    table = Tabulated([[0.0, 1.0, 5.0, 4.0], [0.0, 1.0, 1.0, 1.0]], [[0.0, 2.0, 4.5, 9.0]] * 2)
    portfolio = Portfolio(table, cost=0.0)
    np.testing.assert_array_equal(engine.allocate(portfolio, 1.0).effort, [5.0, 2.0])
    np.testing.assert_array_equal(engine.allocate(portfolio, 1.0, "continuous").effort, [4.5, 2.0])
    worthless = Portfolio(Log([1.0, 2.0], 1.0), cost=[1.0, 0.0], weight=[1.0, 0.0], lower=[0.0, 3.0])
    np.testing.assert_array_equal(engine.allocate(worthless, 4.0).effort, [4.0, 3.0])
