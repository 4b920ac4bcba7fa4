"""Spill-over against NumPy float64: values, slopes, brute force over plans, bounds, greedy's guarantee."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import engine
from engine import Portfolio
from engine.allocation.bet import Bet
from engine.allocation.place import bet
from engine.bets.ascent import ascend, knapsack, place, random_starts
from engine.bets.decoupled import bounds, most_received
from engine.bets.spillover import Coupled, normalise_coupled, submodular
from engine.bets.whole import count_plans, plans
from engine.solvers.relaxation import feasible_set
from tests import reference
from tests.conftest import quickly

SHAPE, BUDGET = (12, 4), 6.0
CONCAVE = ("mixture_concave", ("success",))
# What the curves are, and the portfolio's further parts: S-shaped, staged and measured ones, costs, bounds.
KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    CONCAVE,
    ("hill", ("real_cost", "bounds")),
    ("mixture", ("cost", "startup", "threshold", "fractional_bounds")),
)
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: reference.id_of((kind[0], *kind[1])))


def draw(kind: tuple[str, tuple[str, ...]], seed: int = 5) -> Coupled:
    """A batch of coupled portfolios, three in ten pairs of projects coupled."""
    rng = np.random.default_rng(seed)
    between = rng.random((*SHAPE, SHAPE[1])) < 0.3
    spillover: Any = np.where(between & ~np.eye(SHAPE[1], dtype=bool), rng.uniform(0, 1, between.shape), 0.0)
    spillover[0, 0, 0] = 0.5
    return Coupled(reference.draw(*kind[:1], seed, SHAPE, kind[1]), spillover)


def shares(coupled: Coupled) -> np.ndarray:
    """A, once more."""
    given = np.asarray(coupled.spillover)
    return np.where((given == 0) & np.eye(given.shape[-1], dtype=bool), 1.0, given)


def value(coupled: Coupled, effort: np.ndarray) -> np.ndarray:
    """V(x), once more; effort is [..., batch, projects]."""
    return reference.value(coupled.portfolio, np.einsum("bij,...bj->...bi", shares(coupled), effort))


@cache
def brute_force(kind: tuple[str, tuple[str, ...]]) -> np.ndarray:
    """The best value over all plans of whole units; −∞ where there is none."""
    coupled = draw(kind)
    costs, (lower, upper) = reference.costs(coupled.portfolio), reference.limits(coupled.portfolio)
    units = int(BUDGET / costs.min())
    every = np.array(list(itertools.product(range(units + 1), repeat=SHAPE[1])), float)
    every = np.broadcast_to(every[:, None], (len(every), *SHAPE))
    allowed = np.all((every >= lower) & (every <= upper), -1) & (np.sum(costs * every, -1) <= BUDGET + 1e-9)
    return np.max(np.where(allowed, value(coupled, every), -np.inf), 0)


@cache
def placed(kind: tuple[str, tuple[str, ...]], solver: str) -> Bet:
    return bet(draw(kind), BUDGET, solver=solver, **({"starts": 4} if solver == "relaxation" else {}))


@each_kind
def test_it_values_what_is_received(kind: tuple[str, tuple[str, ...]]) -> None:
    coupled = draw(kind)
    effort = np.random.default_rng(1).uniform(0, 4, SHAPE)
    ours = jax.vmap(Coupled.value)(normalise_coupled(coupled), effort)
    np.testing.assert_allclose(ours, value(coupled, effort), rtol=1e-12)


def test_slopes_and_gains_are_differences_of_values() -> None:
    coupled = draw(("mixture_concave", ("success", "curvature")))
    effort = np.random.default_rng(1).uniform(0.5, 4, SHAPE)
    given = normalise_coupled(coupled)
    slope, gain = jax.vmap(Coupled.slope)(given, effort), jax.vmap(Coupled.gain)(given, effort)
    step = 1e-5
    for project, one in enumerate(np.eye(SHAPE[1])):
        central = (value(coupled, effort + step * one) - value(coupled, effort - step * one)) / (2 * step)
        # Central differences: step² of the third derivative, and rounding over the step.
        np.testing.assert_allclose(slope[:, project], central, rtol=1e-6, atol=1e-9)
        rise = value(coupled, effort + one) - value(coupled, effort)
        np.testing.assert_allclose(gain[:, project], rise, rtol=1e-9, atol=1e-12)


@each_kind
def test_enumeration_finds_the_optimum(kind: tuple[str, tuple[str, ...]]) -> None:
    found, best = placed(kind, "enumeration"), brute_force(kind)
    solved = np.isfinite(best)
    assert np.all(found.solution.status[~solved] == engine.Status.INFEASIBLE)
    np.testing.assert_allclose(found.value[solved], best[solved], rtol=1e-12)
    assert np.all(found.proved[solved])


@each_kind
@pytest.mark.parametrize("solver", ["greedy", "relaxation"])
def test_no_bound_is_below_the_optimum_and_no_plan_above(
    kind: tuple[str, tuple[str, ...]], solver: str
) -> None:
    found, best = placed(kind, solver), brute_force(kind)
    solved = np.isfinite(best)
    np.testing.assert_array_equal(found.solution.status == 0, solved)
    found, best = found[solved], best[solved]
    hair = 1e-12 * np.abs(best)
    assert np.all(found.value <= best + hair)
    assert np.all(found.bound >= best - hair)
    np.testing.assert_allclose(found.value[found.proved], best[found.proved], rtol=1e-12)
    assert np.all(found.beside["greedy"].difference <= 0)
    if solver == "relaxation":
        assert np.all(found.beside["without spill-over"].difference <= hair)
        assert np.mean(best - found.value) <= 0.02 * np.mean(best)


@each_kind
@pytest.mark.parametrize("solver", ["greedy", "relaxation", "enumeration"])
def test_plans_are_feasible_whole_units(kind: tuple[str, tuple[str, ...]], solver: str) -> None:
    found, coupled = placed(kind, solver), draw(kind)
    solved = found.solution.status == 0
    (lower, upper), costs = reference.limits(coupled.portfolio), reference.costs(coupled.portfolio)
    effort = found.effort
    np.testing.assert_array_equal(effort, np.round(effort))
    assert np.all(((effort >= lower) & (effort <= upper))[solved])
    assert np.all(np.sum(costs * effort, -1)[solved] <= BUDGET + 1e-9)
    np.testing.assert_allclose(found.value[solved], value(coupled, effort)[solved], rtol=1e-12)


@each_kind
def test_any_prices_bound_the_optimum(kind: tuple[str, tuple[str, ...]]) -> None:
    coupled, best = normalise_coupled(draw(kind)), brute_force(kind)
    prices = 10.0 ** np.random.default_rng(2).uniform(-3, 1, (8, *SHAPE))

    def each(one: Coupled, prices: jax.Array) -> jax.Array:
        box = feasible_set(one.portfolio, jnp.asarray(BUDGET))
        return jax.vmap(bounds(one, box, most_received(one, box)))(prices).bound

    found = jax.jit(jax.vmap(each, in_axes=(0, 1)))(coupled, prices)
    assert np.all(np.asarray(found) >= best[:, None] - 1e-12 * np.abs(best[:, None]))


def test_without_spill_over_it_is_the_ordinary_optimum() -> None:
    portfolio = reference.draw("hill", 3, SHAPE, ("cost",))
    with quickly():
        exact = engine.allocate(portfolio, BUDGET)
    for solver in ("enumeration", "relaxation"):
        found = bet(Coupled(portfolio, np.zeros((4, 4))), BUDGET, solver=solver, starts=4)  # type: ignore[arg-type]
        np.testing.assert_allclose(found.beside["without spill-over"].value, exact.value, rtol=1e-12)
        np.testing.assert_allclose(found.value, exact.value, rtol=1e-12)


def test_real_effort_of_concave_returns_is_within_the_tolerance_of_its_bound() -> None:
    coupled = draw(CONCAVE)
    found = bet(coupled, BUDGET, rounding=False, starts=4, tolerance=1e-4)
    assert np.all(found.gap <= 2e-4)  # the gap at which a climb ends, and that of the best one of them
    assert np.all(found.value >= brute_force(CONCAVE) * (1 - 1e-4))
    assert np.all(found.spent <= BUDGET * (1 + 1e-12))


def test_the_climb_takes_any_objective() -> None:
    # max −|x − t|² over x ≥ 0, Σx ≤ 1: t lies beyond the budget, so x = t − 1/3.
    portfolio = Portfolio(engine.Log(scale=[1.0, 1.0, 1.0], rate=1.0))
    target = jnp.asarray([0.6, 0.7, 0.7])
    box = feasible_set(portfolio, jnp.asarray(1.0))

    def objective(x: jax.Array) -> jax.Array:
        return 10.0 - jnp.sum((x - target) ** 2)

    climb = ascend(objective, jax.grad(objective), box, random_starts(box, 1)[0], 1e-8, 2000)
    np.testing.assert_allclose(climb.effort, target - 1.0 / 3.0, atol=1e-3)
    assert climb.gap <= 1e-4 * climb.value


def test_it_places_no_more_than_the_budget_and_fills_a_knapsack() -> None:
    portfolio = reference.pick(reference.draw("log", 4, SHAPE, ("real_cost", "bounds")), 0)
    box = feasible_set(portfolio, jnp.asarray(9.0))
    for free in 20.0 * np.random.default_rng(0).normal(size=(20, 4)):
        effort = place(box, jnp.asarray(free))[0]
        assert np.sum(box.costs * effort) <= 9.0 * (1 + 1e-12)
        assert np.all((effort >= box.least) & (effort <= box.most))
        best = knapsack(box, jnp.asarray(free))
        assert free @ best >= free @ effort - 1e-9


def test_greedy_at_a_smaller_budget_is_part_of_it_at_a_larger_one() -> None:
    coupled = draw(("mixture_concave", ()))
    before = np.zeros(SHAPE)
    for budget in range(1, 6):
        effort = bet(coupled, float(budget), solver="greedy").effort
        np.testing.assert_array_equal(np.sum(effort - before, -1), 1.0)
        assert np.all(effort >= before)
        before = effort


def test_greedy_gains_its_share_where_returns_are_submodular() -> None:
    found, best = placed(CONCAVE, "greedy"), brute_force(CONCAVE)
    nothing = value(draw(CONCAVE), np.zeros(SHAPE))
    assert np.all(found.figures["submodular"])
    assert np.all(found.value - nothing >= (1 - 1 / np.e) * (best - nothing))


def second_differences(coupled: Coupled) -> np.ndarray:
    """The largest rise of the gain of one unit by another unit, over lattice points and pairs of projects."""
    points = np.array(list(itertools.product(range(3), repeat=SHAPE[1])), float)[:, None]
    units = np.eye(SHAPE[1])

    def v(extra: np.ndarray) -> np.ndarray:
        return value(coupled, np.broadcast_to(points + extra, (len(points), *SHAPE)))

    return np.max([v(a + b) - v(a) - v(b) + v(np.zeros(4)) for a in units for b in units], axis=(0, 1))


def test_families_say_rightly_what_is_submodular() -> None:
    assert submodular(draw(CONCAVE))
    assert np.all(second_differences(draw(CONCAVE)) <= 1e-12)
    s_shaped = draw(("hill", ()))
    assert not submodular(s_shaped)
    assert np.all(second_differences(s_shaped)[:3] > 1e-3)
    # A platform that only pays in full: one unit on either project alone brings nothing.
    steps = Portfolio(engine.Tabulated([[0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0]]))
    both = Coupled(steps, [[0, 2], [2, 0]])  # type: ignore[arg-type]
    assert not submodular(both)
    found = bet(both, 2.0, solver="greedy")
    assert found.value == 0
    assert bet(both, 2.0).value == 2


def test_plans_are_all_there_once() -> None:
    costs, least, most = np.array([1.0, 2.0, 0.5]), np.array([1.0, 0.0, 0.0]), np.array([4.0, 9.0, 3.0])
    found = plans(5.0, costs, least, most)
    every = np.array(list(itertools.product(range(1, 5), range(10), range(4))), float)
    np.testing.assert_array_equal(np.unique(found, axis=0), every[every @ costs <= 5.0])
    assert len(found) == len(np.unique(found, axis=0)) <= count_plans(5.0, costs, least, most)
    with pytest.raises(ValueError, match="more than its limit of 2,000,000"):
        plans(100.0, np.ones(6), np.zeros(6), np.full(6, np.inf))


HILL = Portfolio(engine.Hill(scale=[1.0, 2.0], half=3.0, exponent=2.0), names=("search", "platform"))


@pytest.mark.parametrize(
    ("given", "budget", "options", "line"),
    [
        (Coupled(HILL, np.zeros((3, 3))), 5, {}, r"shape \(3, 3\), expected numbers of shape \(..., 2, 2\)"),  # type: ignore[arg-type]
        (Coupled(HILL, [[0, -1], [0, 0]]), 5, {}, "from platform to search is -1, expected a finite"),  # type: ignore[arg-type]
        (Coupled(HILL, [[0, 0], [np.nan, 0]]), 5, {}, "from search to platform is nan"),  # type: ignore[arg-type]
        (Coupled(HILL, [["a", "b"], ["c", "d"]]), 5, {}, "expected numbers of shape"),  # type: ignore[arg-type]
        (Coupled(Portfolio(HILL.curves, cost=[0, 1]), np.zeros((2, 2))), 5, {}, "project 0: cost is 0"),  # type: ignore[arg-type]
        (Coupled(HILL, np.zeros((2, 2))), -1, {}, "budget is -1"),  # type: ignore[arg-type]
        (Coupled(HILL, np.zeros((2, 2))), 5, {"solver": "exact"}, "expected one of auto, enumeration"),  # type: ignore[arg-type]
        (Coupled(HILL, np.zeros((2, 2))), 5, {"starts": 0}, "starts is 0"),  # type: ignore[arg-type]
        (Coupled(HILL, np.zeros((2, 2))), 5, {"solver": "greedy", "rounding": False}, "effort is real"),  # type: ignore[arg-type]
        (HILL, 5, {}, "a bet is Portfolio"),
    ],
)
def test_what_cannot_be_is_one_line(given: Any, budget: float, options: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=line) as error:
        bet(given, budget, **options)
    assert "\n" not in str(error.value)
