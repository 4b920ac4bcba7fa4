"""The core of a problem against the optimum over all levels: what it finds, and what it claims to prove."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import engine
from benchmarks.hard_cases import PROJECTS, UNITS, hard_cases
from engine import Portfolio
from engine.allocation.allocate import choose_lattice
from engine.model.validation import normalise
from engine.solvers.batching import projects_first
from engine.solvers.core import Answer, CoreSize, NearSize, running_count, solve_core, solve_near
from engine.solvers.dual import integer_dual
from tests import reference

# Values are sums of float64 numbers of size 1 to 10.
ROUNDING = 1e-9
TABLES = ("steps and plateaus", "jumps")


def check(portfolio: Portfolio, found: Answer) -> None:
    """What any core may claim: a bound, a feasible effort, and the optimum where it is finished."""
    optimum = engine.allocate(portfolio, UNITS).value
    value, slack = reference.value(portfolio, found.effort), ROUNDING * np.abs(optimum)
    assert np.all((reference.costs(portfolio) * found.effort).sum(-1) <= UNITS)
    assert np.all((found.bound >= optimum - slack) & (value <= optimum + slack))
    assert 0.0 < np.mean(found.finished) < 1.0, "a core as small as this proves some and not others"
    np.testing.assert_allclose(value[found.finished], optimum[found.finished], rtol=ROUNDING)


@pytest.mark.parametrize("name", ["S-shaped", "steps and plateaus", "jumps", "integer costs"])
def test_a_core_claims_no_more_than_it_proves(name: str) -> None:
    portfolio = normalise(hard_cases()[name])
    lattice = choose_lattice(["exact"], UNITS, PROJECTS, portfolio.cost)
    size = CoreSize(items=12, width=None if name in TABLES else 4, reach=12)

    def core(one: Portfolio, budget: jax.Array) -> Answer:
        dual = integer_dual(one, budget, lattice)
        return solve_core(one, budget, dual.price, dual.bound, dual.inside, lattice, size)

    check(portfolio, jax.jit(jax.vmap(core, in_axes=(0, None)))(portfolio, jnp.float64(UNITS)))


@pytest.mark.parametrize("name", ["S-shaped", "jumps"])
def test_near_the_best_responses_no_more_is_claimed_than_proved(name: str) -> None:
    portfolio = normalise(hard_cases()[name])
    lattice = choose_lattice(["exact"], UNITS, PROJECTS)
    solve = partial(solve_near, lattice=lattice, size=NearSize(width=2, reach=4))

    def core(one: Portfolio, budget: jax.Array) -> Answer:
        dual = integer_dual(one, budget, lattice)
        return projects_first(solve, entries=1)(one, budget, dual.price, dual.bound)

    check(portfolio, jax.jit(jax.vmap(core, in_axes=(0, None)))(portfolio, jnp.float64(UNITS)))


def test_a_larger_core_leaves_nothing_out() -> None:
    portfolio = normalise(hard_cases()["S-shaped"])
    lattice = choose_lattice(["exact"], UNITS, PROJECTS)
    size = CoreSize(items=2048, width=None, reach=int(UNITS))

    def core(one: Portfolio, budget: jax.Array) -> Answer:
        dual = integer_dual(one, budget, lattice)
        return solve_core(one, budget, dual.price, dual.bound, dual.inside, lattice, size)

    found = jax.jit(jax.vmap(core, in_axes=(0, None)))(portfolio, jnp.float64(UNITS))
    assert np.all(found.finished)
    expected = engine.allocate(portfolio, UNITS).value
    np.testing.assert_allclose(reference.value(portfolio, found.effort), expected, rtol=ROUNDING)


def test_a_running_count_goes_on_from_row_to_row() -> None:
    kept = np.random.default_rng(0).random((7, 37)) < 0.4
    found = running_count(jnp.asarray(kept))
    np.testing.assert_array_equal(found, np.cumsum(kept).reshape(kept.shape))
