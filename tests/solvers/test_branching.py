"""Branching over boxes of whole units: against enumeration where that is possible, and between two references
where budgets are too large for any table."""

from __future__ import annotations

import functools
import heapq
import itertools

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine
from engine import Hill, Log, Logistic, Mixture, Portfolio, Tabulated
from engine.allocation.allocate import choose_lattice
from engine.solvers.branching import branch
from engine.solvers.solution import Solution, conclude
from tests import reference
from tests.conftest import quickly

# Values are sums of few float64 numbers of size 1 to 100.
ROUNDING = 1e-9
BUDGET = 9.0
SHAPE = (36, 3)


@functools.partial(jax.jit, static_argnames="lattice")
def branched(portfolio: Portfolio, budget: float, lattice: object) -> Solution:
    def one(portfolio: Portfolio) -> Solution:
        effort, bound, _ = branch(portfolio, budget, portfolio.lowers(), lattice)
        return conclude(portfolio, budget, effort, bound * 0.0, bound)

    return jax.vmap(one)(portfolio)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("hill", ()),
        ("log", ("real_cost",)),
        ("lifecycle", ("cost", "bounds")),
        ("tabulated", ("real_cost",)),
        ("mixture", ("real_cost", "startup", "success", "curvature", "threshold")),
    ],
    ids=reference.id_of,
)
def test_it_finds_and_proves_what_enumeration_finds(name: str, parts: tuple[str, ...]) -> None:
    portfolio = reference.draw(name, 1, SHAPE, parts)
    lattice = choose_lattice(["exact"], BUDGET, SHAPE[1], portfolio.cost)
    found = branched(portfolio, BUDGET, lattice)
    optimum = reference.brute_force(portfolio, BUDGET)
    feasible = np.isfinite(optimum)
    assert feasible.any()
    assert np.all(np.asarray(found.proved)[feasible])
    np.testing.assert_allclose(found.value[feasible], optimum[feasible], rtol=ROUNDING)
    effort = np.asarray(found.effort)[feasible]
    assert np.all(effort == np.floor(effort))
    assert np.all((reference.costs(portfolio)[feasible] * effort).sum(-1) <= BUDGET + 1e-12)


# Budgets without end. A Hill curve is convex up to its inflexion and concave beyond. So projects are either
# idle, or on the concave part, or, at most one of them, on the convex part.


def greedy_beyond(curves: Hill, starts: np.ndarray, budget: int) -> float:
    """The best value of effort from these starts on, where every curve is concave: by halving the price, then
    unit by unit from a heap."""

    def value(effort: np.ndarray) -> np.ndarray:
        ratio = np.maximum(effort, 0.0) / curves.half
        return curves.scale * ratio**curves.exponent / (1 + ratio**curves.exponent)

    def gains(effort: np.ndarray) -> np.ndarray:
        return value(effort + 1) - value(effort)

    def above(price: float) -> np.ndarray:
        """How many units gain more than the price, by bisection."""
        low, high = starts.copy(), np.full_like(starts, float(budget))
        for _ in range(64):
            middle = np.floor((low + high) / 2)
            more = gains(middle) > price
            low, high = np.where(more, np.minimum(middle + 1, high), low), np.where(more, high, middle)
        return low

    low, high = 0.0, float(curves.scale.max())
    for _ in range(200):
        price = (low + high) / 2
        low, high = (price, high) if above(price).sum() > budget else (low, price)
    effort = above(high)
    heap = [(-gain, i) for i, gain in enumerate(gains(effort))]
    heapq.heapify(heap)
    for _ in range(int(min(budget - effort.sum(), 1000))):
        _, i = heapq.heappop(heap)
        effort[i] += 1
        heapq.heappush(heap, (-gains(effort)[i], i))
    return float(value(effort).sum())


@pytest.mark.parametrize("budget", [421_500, 10**8])
@pytest.mark.parametrize("seed", range(3))
def test_huge_budgets_lie_between_a_search_over_who_is_funded_and_the_real_optimum(
    budget: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    count = 5
    curves = Hill(
        random.uniform(5, 20, count),
        random.uniform(0.2, 1.5, count) * budget,
        random.uniform(1.2, 3.5, count),
    )
    inflexion = curves.half * ((curves.exponent - 1) / (curves.exponent + 1)) ** (1 / curves.exponent)
    best = 0.0
    for funded in itertools.product([False, True], repeat=count):
        chosen = np.flatnonzero(funded)
        starts = np.ceil(inflexion[chosen])
        if 0 < starts.sum() <= budget:
            some = Hill(curves.scale[chosen], curves.half[chosen], curves.exponent[chosen])
            best = max(best, greedy_beyond(some, starts, budget))
    found = engine.allocate(curves, float(budget))
    assert found.proved
    assert found.effort.sum() <= budget
    assert found.value >= best * (1 - 1e-12)
    with quickly():
        real = engine.allocate(curves, float(budget), "continuous")
    assert found.value <= float(real.bound) * (1 + 1e-12)
    # Only a project alone on its convex part is missed by the search.
    convex = (found.effort > 0) & (found.effort < inflexion)
    if not convex.any():
        np.testing.assert_allclose(found.value, best, rtol=1e-12)


@pytest.mark.parametrize("budget", [190_863.1, 190_863.9999])
def test_what_is_left_of_a_budget_below_a_unit_is_worth_nothing(budget: float) -> None:
    curves = Hill([10.0, 20.0, 15.0], [60_000.0, 90_000.0, 40_000.0], [0.8, 1.7, 2.9])
    found, whole = engine.allocate(curves, budget), engine.allocate(curves, 190_863.0)
    assert found.proved
    np.testing.assert_array_equal(found.effort, whole.effort)


def test_projects_on_the_convex_part_of_their_curve_are_found() -> None:
    # The budget ends before the inflexion: all of it on the better one.
    found = engine.allocate(Hill([10.0, 11.0], [9e6, 9e6], 3.0), 2e6)
    assert found.proved
    np.testing.assert_array_equal(found.effort, [0.0, 2e6])


def test_costs_of_millions_without_a_common_step() -> None:
    """Three of cost 3.3 million fill the budget to the last; the fourth fits beside one of them only."""
    returns = np.array([[0.0, 10.0], [0.0, 10.0], [0.0, 10.0], [0.0, 14.9]])
    portfolio = Portfolio(
        Tabulated(returns), cost=[3_333_333.0, 3_333_333.0, 3_333_334.0, 5_000_100.0], upper=1.0
    )
    found = engine.allocate(portfolio, 1e7)
    assert found.proved
    np.testing.assert_array_equal(found.effort, [1.0, 1.0, 1.0, 0.0])
    assert found.spent == 1e7


@given(seed=st.integers(0, 2**32 - 1))
def test_knapsacks_of_more_than_a_thousand_different_whole_costs_are_those_of_dynamic_programming(
    seed: int,
) -> None:
    random = np.random.default_rng(seed)
    costs = random.permutation(1005) + 101.0
    gains = np.round(costs * random.uniform(0.8, 1.2, costs.size))
    capacity = 3001
    best = np.zeros(capacity + 1)
    for gain, cost in zip(gains, costs.astype(int), strict=True):
        best[cost:] = np.maximum(best[cost:], best[: capacity + 1 - cost] + gain)
    portfolio = Portfolio(Tabulated(np.stack([np.zeros_like(gains), gains], axis=1)), cost=costs, upper=1.0)
    found = engine.allocate(portfolio, float(capacity))
    assert found.proved
    assert found.value == best[-1]


def test_ten_thousand_projects() -> None:
    random = np.random.default_rng(0)
    count, budget = 10_000, 100_000.0
    curves = Hill(random.uniform(1, 10, count), random.uniform(5, 30, count), random.uniform(1, 4, count))
    found = engine.allocate(curves, budget)
    assert found.proved
    assert found.effort.sum() == budget
    with quickly():
        real = engine.allocate(curves, budget, "continuous")
    assert found.value <= real.bound
    # Efforts of some thirty units are rounded, each by up to half a unit: 1.8e-4 of the value.
    assert found.value >= real.value * (1 - 5e-4)


def test_many_identical_projects_are_not_permuted() -> None:
    """Where six of twelve are worth funding there are 924 equal ways to choose them."""
    found = engine.allocate(Hill(np.full(12, 10.0), np.full(12, 1e5), np.full(12, 3.0)), 9e5)
    assert found.proved
    funded = np.flatnonzero(found.effort)
    np.testing.assert_array_equal(funded, np.arange(funded.size))


def test_an_allocation_seen_before_is_never_given_up_for_less() -> None:
    portfolio = reference.draw("hill", 5, SHAPE, ("real_cost",))
    best = engine.allocate(portfolio, BUDGET)
    for solver in ("greedy", "density", "bound"):
        with quickly():
            seen = engine.allocate(portfolio, BUDGET, solver)
        assert np.all(best.value >= seen.value - 1e-12)


@pytest.mark.parametrize(
    ("portfolio", "solver", "instead"),
    [
        (Log([1.0, 2.0], 0.5), "density", "cutoff or exact or continuous"),
        (Log([1.0, 2.0], 0.5), "greedy", "cutoff or exact or continuous"),
        (Portfolio(Hill([1.0, 2.0], 5.0, 2.0), curvature=1.0), "exact", "solver=continuous"),
    ],
    ids=["density", "greedy", "a utility"],
)
def test_what_needs_a_table_refuses_a_huge_budget_and_names_what_does_not(
    portfolio: Portfolio, solver: str, instead: str
) -> None:
    with pytest.raises(ValueError, match="lets a project take 5e\\+08 units") as caught:
        engine.allocate(portfolio, 5e8, solver)
    assert f"{solver} holds at most 1,000,000 of each" in str(caught.value)
    assert instead in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("solver", ["bound", "cutoff"])
def test_others_that_hold_no_table_answer_a_huge_budget_too(solver: str) -> None:
    curves = Log([10.0, 20.0, 15.0], [1e-6, 3e-6, 2e-6])
    found, best = engine.allocate(curves, 1e8, solver), engine.allocate(curves, 1e8)
    assert found.proved
    np.testing.assert_allclose(found.value, best.value, rtol=1e-14)


def test_the_bound_of_ten_thousand_s_shaped_projects_needs_no_table() -> None:
    random = np.random.default_rng(0)
    count, budget = 10_000, 100_000.0
    curves = Hill(random.uniform(1, 10, count), random.uniform(5, 30, count), random.uniform(1, 4, count))
    found = engine.allocate(curves, budget, "bound")
    assert found.gap < 1e-4
    assert found.effort.sum() <= budget


def test_the_lowest_price_is_one_that_curves_can_answer() -> None:
    """Where budget abounds the price falls to the smallest number: divided by a slope it must not be 0."""
    logistic = Logistic(
        [2.15, 1.0, 2.57, 2.42, 1.96, 1.93, 1.0, 1.0],
        [0.475, 1.0, 0.109, 0.145, 0.346, 0.11, 1.0, 1.0],
        [23.3, 1.0, 22.4, 46.5, 37.6, 12.5, 1.0, 1.0],
    )
    hill = Hill(
        [1.0, 1.71, 1.0, 1.0, 1.0, 1.0, 0.818, 2.13],
        [1.0, 14.4, 1.0, 1.0, 1.0, 1.0, 21.7, 56.5],
        [1.0, 2.1, 1.0, 1.0, 1.0, 1.0, 3.82, 1.58],
    )
    curves = Mixture((hill, logistic), np.array([1, 0, 1, 1, 1, 1, 0, 0]))
    portfolio = Portfolio(curves, weight=[1.14, 1.13, 2.0, 0.851, 0.527, 1.39, 1.57, 1.59])
    found = engine.allocate(portfolio, 1e8)
    assert found.proved
    assert found.bound >= reference.value(portfolio, np.full(8, 1e8 / 8))


def test_a_price_below_those_of_float32_overspends_nothing() -> None:
    """One curve alone gains for ever, less than float32 can tell: it may not be offered all of the budget."""
    logistic = Logistic([2.0, 1.0, 1.5], [0.3, 1.0, 0.2], [20.0, 1.0, 30.0])
    curves = Mixture((Hill(2.75, [1.0, 52.0, 1.0], 3.68), logistic), np.array([1, 0, 1]))
    found = engine.allocate(Portfolio(curves), 1e8)
    assert found.proved
    assert found.spent <= 1e8
