"""Branch and bound over several resources against every plan, HiGHS and published optima."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from engine.resources.branching import Found, solve_table
from engine.resources.dual import minimise, respond
from engine.resources.menu import build_menu
from tests.resources.draws import Drawn, by_highs, draw, every_plan
from tests.resources.published import WEING1

EACH, PROJECTS, LEVELS = 30, 4, 6
each_count = pytest.mark.parametrize("resources", [1, 2, 3, 4])


@cache
def solver() -> Callable[..., Found]:
    return jax.jit(jax.vmap(solve_table, in_axes=(0, 0, 0, None)))


@cache
def small(resources: int) -> tuple[Drawn, Found, np.ndarray]:
    """420 instances, their answers, and the best of every plan."""
    drawn = draw(resources, resources, EACH, PROJECTS, LEVELS)
    found = jax.tree.map(np.asarray, solver()(*drawn, 100_000))
    return drawn, found, every_plan(drawn)


def values(drawn: Drawn, effort: np.ndarray) -> np.ndarray:
    """What efforts return by the table."""
    return np.take_along_axis(drawn.table, effort.astype(int)[..., None], -1)[..., 0].sum(-1)


@each_count
def test_it_is_the_best_of_every_plan(resources: int) -> None:
    _, found, best = small(resources)
    there = np.isfinite(best)
    assert there.sum() > 200
    np.testing.assert_array_equal(np.isfinite(found.value), there)
    # Both are sums of the same numbers in another order.
    np.testing.assert_allclose(found.value[there], best[there], rtol=1e-13, atol=1e-13)
    assert np.all(found.proved[there])
    assert not np.any(found.proved[~there])


@each_count
def test_what_it_says_of_a_plan_is_so(resources: int) -> None:
    drawn, found, best = small(resources)
    there = np.isfinite(best)
    np.testing.assert_allclose(values(drawn, found.effort)[there], found.value[there], rtol=1e-14)
    spent = np.einsum("brp,bp->br", drawn.usage, found.effort)
    assert np.all(spent[there] <= drawn.budgets[there] * (1 + 1e-13))
    assert np.all(found.bound[there] >= best[there])
    assert np.all(found.prices[there] >= 0)


@each_count
def test_a_search_cut_short_keeps_a_bound_that_holds(resources: int) -> None:
    drawn, _, best = small(resources)
    found = jax.tree.map(np.asarray, solver()(*drawn, 1))
    there = np.isfinite(best)
    assert np.all(found.bound[there] >= best[there])
    assert np.all(found.value[there] <= best[there] + 1e-13 * np.abs(best[there]))
    right = np.isclose(found.value[there], best[there], rtol=1e-13)
    assert np.all(right[found.proved[there]])
    # Some are: the bound is there, and not infinite, and says by how much.
    assert 0 < np.mean(found.proved[there]) < 1
    assert np.all(np.isfinite(found.bound[there]))


def test_middle_ones_are_as_highs_says() -> None:
    drawn = draw(50, 2, 8, 10, 15, 0.3)
    found = jax.tree.map(np.asarray, solver()(*drawn, 100_000))
    best = np.array([by_highs(*(part[i] for part in drawn)) for i in range(len(drawn.table))])
    there = np.isfinite(best)
    assert there.sum() > 90
    np.testing.assert_array_equal(np.isfinite(found.value), there)
    assert np.all(found.proved[there])
    # HiGHS allows a row, and whether a number is whole, to be off by 1e-6.
    np.testing.assert_allclose(found.value[there], best[there], rtol=1e-6)


@cache
def alone() -> Callable[..., Found]:
    return jax.jit(solve_table)


def solve(table: Any, usage: Any, budgets: Any) -> Found:
    """One instance, with nothing added up to one shape for all: compiling is what takes the time."""
    table, usage = np.asarray(table, float), np.asarray(usage, float)
    (projects, levels), resources = table.shape, len(usage)
    wide = np.full((50, 9), -np.inf)
    wide[:, 0] = 0.0
    wide[:projects, :levels] = table
    used, limits = np.zeros((4, 50)), np.ones(4)
    used[:resources, :projects] = usage
    limits[:resources] = budgets
    found = jax.tree.map(np.asarray, alone()(wide, used, limits))
    assert not np.any(found.effort[projects:])
    return found._replace(effort=found.effort[:projects], prices=found.prices[:resources])


def knapsack(returns: Any, usage: Any, budgets: Any) -> Found:
    """All or nothing."""
    return solve(np.stack([np.zeros(len(returns)), np.asarray(returns, float)], axis=-1), usage, budgets)


def test_the_published_optimum() -> None:
    found = knapsack(WEING1["returns"], WEING1["usage"], WEING1["budgets"])
    assert found.value == WEING1["optimum"]
    assert found.proved
    assert found.boxes < 100


def test_a_published_choice_of_three() -> None:
    """Chances of .2, .3 and .5, yearly costs within yearly budgets: the second and the third are funded."""
    costs = [[0.5, 0.3, 0.2], [0.0, 0.8, 0.2], [1.5, 1.5, 0.3]]
    found = knapsack([0.2, 0.3, 0.5], np.transpose(costs), [3.1, 2.5, 0.5])
    np.testing.assert_array_equal(found.effort, [0, 1, 1])
    assert found.value == pytest.approx(0.8, rel=1e-15)
    assert found.proved


def test_equal_projects_are_not_told_apart() -> None:
    """Whole returns: a bound less than one above the best plan is enough, and twins are in order."""
    rng = np.random.default_rng(3)
    usage = rng.integers(1, 100, (4, 50))
    found = knapsack(np.ones(50), usage, usage.sum(1) * 0.4)
    assert found.proved
    assert found.boxes < 50
    twins = np.tile([0, 0, 0.3, 0.3, 0.55, 0.9, 0.9, 0.9, 1.01], (12, 1))
    alike = solve(twins, [[1.0] * 12, [2.0] * 12], [17.0, 17.0])
    assert alike.proved
    assert np.all(np.diff(alike.effort) <= 0)


def test_what_one_budget_just_holds_is_bought() -> None:
    """Three tenths are 0.3, though their sum is a little more."""
    found = knapsack([1.0, 1.0, 1.0], [[0.1, 0.1, 0.1], [0.1, 0.1, 0.1]], [0.3, 0.3])
    assert found.value == 3
    assert found.proved


def test_a_budget_of_nothing_buys_what_uses_nothing_of_it() -> None:
    found = knapsack([5.0, 2.0, 1.0], [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]], [0.0, 1.0])
    np.testing.assert_array_equal(found.effort, [0, 1, 1])
    assert found.proved


def test_the_dual_is_a_bound_at_its_prices_and_falls_to_the_relaxation() -> None:
    drawn, _, best = small(2)

    def dual(table: Any, usage: Any, budgets: Any) -> Any:
        menu = build_menu(table, usage, budgets)
        least = jnp.argmax(jnp.isfinite(menu.returns), axis=1).astype(jnp.int32)
        nothing = jnp.zeros_like(budgets)
        enough, slack = jnp.asarray(-jnp.inf), jnp.asarray(0.0)
        found = minimise(menu, least, nothing, enough, slack)
        again = jnp.sum(respond(menu, found.prices).payoff) + jnp.sum(found.prices * menu.budgets)
        plans = jax.vmap(lambda choice: jnp.sum(menu.paid(choice)))(found.choices)
        spent = jax.vmap(lambda choice: menu.spend(menu.units(choice)))(found.choices)
        mean = jnp.sum(found.shares * plans), jnp.sum(found.shares[:, None] * spent, axis=0)
        return found.bound, again, *mean, menu.budgets

    bound, again, value, spent, budgets = (np.asarray(a) for a in jax.jit(jax.vmap(dual))(*drawn))
    there = np.isfinite(best)
    assert np.all(bound[there] >= best[there] - 1e-12)
    np.testing.assert_allclose(again[there], bound[there], rtol=1e-12, atol=1e-12)
    # The best mean of plans keeps to the budgets and is worth what the bound says: neither can be improved.
    assert np.all(spent[there] <= budgets[there] + 1e-9)
    np.testing.assert_allclose(value[there], bound[there], rtol=1e-9, atol=1e-9)
