"""The window of unequal whole costs: proved answers are optimal, and bounds hold however small it is."""

from __future__ import annotations

import functools

import jax
import numpy as np
import pytest

import engine
from engine import Portfolio, Tabulated
from engine.allocation.allocate import choose_lattice
from engine.solvers import exact as exact_module
from engine.solvers.core import Answer
from engine.solvers.dual import integer_dual
from engine.solvers.window import WindowSize, solve_window
from tests import reference

ROUNDING = 1e-9
BUDGET, SHAPE = 24.0, (32, 4)


@functools.partial(jax.jit, static_argnames=("lattice", "size"))
def windowed(portfolio: Portfolio, budget: float, lattice: object, size: WindowSize) -> Answer:
    def one(portfolio: Portfolio) -> Answer:
        dual = integer_dual(portfolio, budget, lattice)
        return solve_window(portfolio, budget, dual.price, dual.bound, lattice, size)

    return jax.vmap(one)(portfolio)


@pytest.mark.parametrize(
    "size", [WindowSize(1, 1, 2), WindowSize(2, 1, 4), WindowSize(4, 2, 6), WindowSize(4, 8, 24)], ids=str
)
@pytest.mark.parametrize(
    ("name", "parts"), [("hill", ("cost",)), ("lifecycle", ("quarter_cost", "bounds"))], ids=reference.id_of
)
def test_what_it_calls_finished_is_the_optimum_and_its_bound_always_holds(
    name: str, parts: tuple[str, ...], size: WindowSize
) -> None:
    step = 0.25 if "quarter_cost" in parts else 1.0
    portfolio = reference.draw(name, 2, SHAPE, parts, reach=BUDGET / 2)
    lattice = choose_lattice(["exact"], BUDGET, SHAPE[1], portfolio.cost)
    found = windowed(portfolio, BUDGET, lattice, size)
    optimum = np.array(
        [reference.dynamic_programme(reference.pick(portfolio, i), BUDGET, step) for i in range(SHAPE[0])]
    )
    feasible = np.isfinite(optimum)
    value = reference.value(portfolio, np.asarray(found.effort))
    finished = np.asarray(found.finished) & feasible
    assert np.all(np.asarray(found.bound)[feasible] >= optimum[feasible] - ROUNDING)
    np.testing.assert_allclose(value[finished], optimum[finished], rtol=ROUNDING)
    spent = (reference.costs(portfolio) * np.asarray(found.effort)).sum(-1)
    assert np.all(spent[feasible] <= BUDGET)
    if size.reach == BUDGET:
        assert finished.mean() > 0.5
    elif size.projects == 1:
        assert finished.sum() < feasible.sum()


def test_knapsacks_are_proved_by_a_small_window() -> None:
    """Two hundred items of random worth and cost each, of which two dozen are undecided."""
    random = np.random.default_rng(0)
    shape, capacity = (40, 200), 2000
    costs, gains = random.integers(1, 60, shape).astype(float), random.integers(1, 100, shape).astype(float)
    returns = np.stack([np.zeros(shape), gains], axis=-1)
    portfolio = Portfolio(Tabulated(returns), cost=costs, upper=np.ones(shape))
    lattice = choose_lattice(["exact"], capacity, shape[1], costs, 1.0)
    found = windowed(portfolio, float(capacity), lattice, WindowSize(24, 1, 256))
    optimum = np.zeros((shape[0], capacity + 1))
    for best, some_costs, some_gains in zip(optimum, costs.astype(int), gains, strict=True):
        for cost, gain in zip(some_costs, some_gains, strict=True):
            best[cost:] = np.maximum(best[cost:], best[: capacity + 1 - cost] + gain)
    finished = np.asarray(found.finished)
    assert 0.5 < finished.mean() < 1.0
    value = (gains * np.asarray(found.effort)).sum(-1)
    np.testing.assert_array_equal(value[finished], optimum[finished, -1])
    assert np.all(np.asarray(found.bound) >= optimum[:, -1] - ROUNDING)


def test_ten_thousand_items_at_a_capacity_of_millions() -> None:
    random = np.random.default_rng(3)
    count = 10_000
    costs, gains = random.integers(1, 1001, (2, count)).astype(float)
    portfolio = Portfolio(Tabulated(np.stack([np.zeros(count), gains], 1)), cost=costs, upper=1.0)
    capacity = np.floor(costs.sum() / 2)
    found = engine.allocate(portfolio, capacity)
    assert found.proved
    assert found.spent <= capacity
    # Dantzig's bound, by sorting: what is proved optimal is within the last item of it.
    order = np.argsort(-gains / costs)
    filled = np.searchsorted(np.cumsum(costs[order]), capacity, side="right")
    left = capacity - costs[order][:filled].sum()
    dantzig = gains[order][:filled].sum() + left * gains[order][filled] / costs[order][filled]
    assert dantzig - gains.max() <= found.value <= dantzig


def test_items_worth_a_constant_more_than_they_cost() -> None:
    """Strongly correlated items, of which hundreds are undecided: the first window does not prove them."""
    random = np.random.default_rng(4)
    costs = random.integers(1, 1001, 2000)
    gains, capacity = costs + 100.0, 9819
    portfolio = Portfolio(Tabulated(np.stack([0.0 * gains, gains], 1)), cost=costs.astype(float), upper=1.0)
    best = np.zeros(capacity + 1)
    for cost, gain in zip(costs, gains, strict=True):
        best[cost:] = np.maximum(best[cost:], best[: capacity + 1 - cost] + gain)
    found = engine.allocate(portfolio, float(capacity))
    assert found.proved
    assert found.value == best[-1]


def test_the_window_changes_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    portfolio = reference.draw("hill", 4, (8, 6), ("cost",), reach=60.0)
    monkeypatch.setattr("engine.solvers.lattice.BRIEF_WORK", 0.0)
    monkeypatch.setattr(exact_module, "WORTH_TRYING", 0.0)
    monkeypatch.setattr(exact_module, "WINDOWS", (WindowSize(3, 2, 16), WindowSize(5, 2, 64)))
    found = engine.allocate(portfolio, 120.0)
    assert np.all(found.proved)
    expected = [reference.dynamic_programme(reference.pick(portfolio, i), 120.0) for i in range(8)]
    np.testing.assert_allclose(found.value, expected, rtol=ROUNDING)
