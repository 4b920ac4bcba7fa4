"""The core of a problem against the optimum over all levels: what it finds, and what it claims to prove."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import engine
from benchmarks.hard_cases import PROJECTS, UNITS, hard_cases
from engine import Portfolio
from engine.allocation.allocate import choose_lattice
from engine.model.validation import normalise
from engine.solvers.core import Answer, CoreSize, solve_core
from engine.solvers.dual import integer_dual
from tests import reference

# Values are sums of float64 numbers of size 1 to 10.
ROUNDING = 1e-9


@pytest.mark.parametrize("name", ["S-shaped", "steps and plateaus", "jumps", "integer costs"])
def test_a_core_claims_no_more_than_it_proves(name: str) -> None:
    portfolio = normalise(hard_cases()[name])
    lattice = choose_lattice(["exact"], UNITS, PROJECTS, portfolio.cost)
    optimum = engine.allocate(portfolio, UNITS).value
    size = CoreSize(wide=PROJECTS if portfolio.cost is not None else 1, width=2, reach=4)

    def core(one: Portfolio, budget: jax.Array) -> Answer:
        dual = integer_dual(one, budget, lattice)
        return solve_core(one, budget, dual.price, dual.bound, lattice, size)

    found = jax.jit(jax.vmap(core, in_axes=(0, None)))(portfolio, jnp.float64(UNITS))
    value, slack = reference.value(portfolio, found.effort), ROUNDING * np.abs(optimum)
    assert np.all((reference.costs(portfolio) * found.effort).sum(-1) <= UNITS)
    assert np.all((found.bound >= optimum - slack) & (value <= optimum + slack))
    assert 0.0 < np.mean(found.finished) < 1.0, "a core as small as this proves some and not others"
    np.testing.assert_allclose(value[found.finished], optimum[found.finished], rtol=ROUNDING)
