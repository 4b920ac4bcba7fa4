"""Roots, straight lines and increasing returns: infinitely steep, never bending, all or nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import engine
from engine import Increasing, Linear, Log, Mixture, Portfolio, Root
from tests import reference

ROUNDING = 1e-9
POWERS, STRAIGHT = "mixture_powers", "mixture_straight"


@pytest.mark.parametrize(("name", "parts"), [(POWERS, ("cost",)), (STRAIGHT, ("real_cost", "bounds"))])
def test_exact_is_what_highs_finds(name: str, parts: tuple[str, ...]) -> None:
    batch = reference.draw(name, 4, (8, 6), parts, reach=30.0)
    found = engine.allocate(batch, 30.0)
    for index in range(8):
        best = reference.multiple_choice(reference.pick(batch, index), 30.0)
        np.testing.assert_allclose(found.value[index], best, rtol=1e-7)  # HiGHS's own tolerances
    assert np.all(found.proved)


@pytest.mark.parametrize("name", [POWERS, STRAIGHT])
def test_real_effort_reaches_the_best_of_a_fine_grid(name: str) -> None:
    portfolio = reference.draw(name, 5, (64, 2), ("real_cost", "upper"))
    found = engine.allocate(portfolio, 8.0, "continuous")
    best = reference.fine_grid(portfolio, 8.0, points=4001)
    assert np.all(found.value >= best - 1e-8 * np.abs(best) - ROUNDING)
    assert np.all(found.value <= found.bound)
    assert np.all(found.gap <= 1e-8)


@pytest.mark.parametrize("solver", ["waterfilling", "continuous", "relaxation"])
def test_roots_share_a_budget_in_closed_form(solver: str) -> None:
    """w a p x^(p−1) = λ c: with one exponent, x is in proportion to (w a/c)^(1/(1−p))."""
    rng = np.random.default_rng(6)
    scale, weight, cost = (rng.uniform(0.5, 3.0, (16, 5)) for _ in range(3))
    for exponent in (0.1, 0.5, 0.9):
        share = (weight * scale / cost) ** (1.0 / (1.0 - exponent))
        expected = 40.0 * share / (cost * share).sum(-1, keepdims=True)
        portfolio = Portfolio(Root(scale, np.full_like(scale, exponent)), weight=weight, cost=cost)
        options = {"rounding": False} if solver == "relaxation" else {}
        found = engine.allocate(portfolio, 40.0, solver, **options)
        value = (weight * scale * expected**exponent).sum(-1)
        assert np.all(found.bound >= value * (1 - 1e-14))
        np.testing.assert_allclose(found.value, value, rtol=1e-5 if solver == "relaxation" else 1e-10)
        if solver != "relaxation":
            np.testing.assert_allclose(found.effort, expected, rtol=1e-6)


@pytest.mark.parametrize("solver", ["exact", "cutoff", "waterfilling", "continuous"])
def test_straight_lines_are_bought_by_density(solver: str) -> None:
    """The fractional knapsack: the densest first, each up to its bound; Dantzig (1957)."""
    portfolio = Portfolio(
        Linear([1.0, 3.0, 2.0, 2.0]), weight=[1.0, 1.0, 2.0, 1.0], upper=[np.inf, 5.0, 4.0, 7.0]
    )
    for budget, effort in ((3, [0, 0, 3, 0]), (8, [0, 4, 4, 0]), (14, [0, 5, 4, 5]), (30, [14, 5, 4, 7])):
        found = engine.allocate(portfolio, budget, solver)
        np.testing.assert_allclose(found.effort, effort, atol=1e-9)
        assert found.proved
    assert found.price == found.price_left == 1.0


@pytest.mark.parametrize("budget", [50.0, 3000.0, 1e6, 1e9])
def test_parallel_greedy_is_exact_among_straight_lines_at_any_budget(budget: float) -> None:
    families = (Root([100.0] * 5, [0.5] * 5), Linear([1.0] * 5), Log([500.0] * 5, [0.1] * 5))
    upper = np.array([np.inf, 500.0, np.inf, 1e5, np.inf])
    portfolio = Portfolio(Mixture(families, np.array([0, 1, 2, 1, 1], np.int32)), upper=upper)
    found, best = (engine.allocate(portfolio, budget, solver) for solver in ("cutoff", "exact"))
    assert found.proved
    assert best.proved
    np.testing.assert_allclose(found.value, best.value, rtol=1e-14)
    if budget > 1e5:  # ties go to the lowest index
        np.testing.assert_array_equal(found.effort[[1, 3]], upper[[1, 3]])


def test_increasing_returns_leave_at_most_one_project_between_its_bounds() -> None:
    batch = reference.draw("increasing", 8, (32, 6), ("upper",))
    for solver in ("exact", "continuous"):
        found = engine.allocate(batch, 9.5, solver)
        upper = np.floor(batch.upper) if solver == "exact" else batch.upper
        inside = (found.effort > 1e-9) & (found.effort < upper - 1e-9) & (batch.curves.exponent > 1)
        assert np.all(inside.sum(-1) <= 1)


def test_no_price_is_too_high_for_returns_that_increase_without_end() -> None:
    free, capped = (Portfolio(Increasing([1.0], [2.0]), upper=[most]) for most in (np.inf, 6.0))
    assert engine.allocate(free, 3).price == np.inf
    assert engine.allocate(free, 3, "continuous").price == np.inf
    assert engine.allocate(capped, 3).price == 6.0  # the mean gain of all six units
    tired = dataclasses.replace(free, curvature=np.array([0.1]))
    assert np.isfinite(engine.allocate(tired, 3).price)
    free_of_charge = dataclasses.replace(free, cost=np.array([0.0]))
    with pytest.raises(ValueError, match="cost is 0 and its return has no maximum"):
        engine.allocate(free_of_charge, 3)


def test_what_each_project_would_take_of_ten_thousand_units() -> None:
    """A root, x·log x and a Hill curve: one unit, nearly all, a hundred. Against every split."""
    efforts = np.arange(10_001.0)
    root, hill = 100.0 * np.sqrt(efforts), 40_000.0 * efforts / (20.0 + efforts)
    table = np.where(efforts > 1, 5.0 * efforts * np.log(np.maximum(efforts, 1.0)), 0.0)
    few = 301  # neither of the two smaller ones takes more at the optimum
    total = root[:few, None] + hill[None, :few] + table[10_000 - (np.arange(few)[:, None] + np.arange(few))]
    best = np.unravel_index(np.argmax(total), total.shape)
    families = (
        Root(np.full(3, 100.0), np.full(3, 0.5)),
        engine.Tabulated(np.tile(table, (3, 1))),
        engine.Hill(np.full(3, 40_000.0), np.full(3, 20.0), np.ones(3)),
    )
    found = engine.allocate(Mixture(families, np.arange(3, dtype=np.int32)), 10_000)
    assert found.proved
    np.testing.assert_allclose(found.value, total.max(), rtol=1e-13)
    assert found.effort.tolist() == [best[0], 10_000 - sum(best), best[1]] == [1, 9894, 105]


def test_budget_curves_and_targets() -> None:
    families = (
        Root(np.full(3, 3.0), np.full(3, 0.5)),
        Linear(np.full(3, 0.5)),
        Increasing([0.1] * 3, [1.8] * 3),
    )
    portfolio = Portfolio(
        Mixture(families, np.arange(3, dtype=np.int32)), upper=np.array([np.inf, np.inf, 12.0])
    )
    curve = engine.budget_curve(portfolio, 30)
    for budget in (0, 3, 11, 17, 30):
        found = engine.allocate(portfolio, budget)
        np.testing.assert_allclose(curve.value[budget], found.value, rtol=1e-12)
        np.testing.assert_allclose(curve.price[budget], found.price, rtol=1e-9)
    goal = engine.budget_for(portfolio, value=float(curve.value[17]) - 1e-9)
    assert goal.budget == 17
    endless = dataclasses.replace(portfolio, upper=None)
    assert np.all(np.isinf(engine.budget_curve(endless, 9).price))


WRONG = {
    "exponent is 1, expected below 1": Root([1.0], [1.0]),
    "exponent is 0, expected a number above 0": Root([1.0], [0.0]),
    "exponent is 0.9, expected at least 1": Increasing([1.0], [0.9]),
    "scale is -1, expected a number of at least 0": Linear([-1.0]),
    "shift is 0, expected a number above 0: a·x": engine.Power([1.0], [0.5], [0.0]),
}


@pytest.mark.parametrize("words", WRONG)
def test_what_no_curve_of_the_family_has(words: str) -> None:
    with pytest.raises(ValueError, match=words):
        engine.allocate(WRONG[words], 3)
