"""The max-plus dynamic programme: the integer optimum for any curves, at every budget.

    D_0(b) = 0,   D_i(b) = max_k D_{i−1}(b − c_i k) + w_i R_i(f_i(k)),   V* = D_N(B)

over budget steps b of the lattice. One pass gives the optimum of every budget up to B; effort is read
back from the last project to the first. With unit costs the inner maximum runs over shifted copies of
D_{i−1}; with other integer costs over gathered ones. Costs without a common unit are rounded up to the
lattice: the effort read back is then feasible, though another may be better. A batch at unit costs is one
kernel on a GPU (`engine.solvers.max_plus`).

Cost: O(N·B²) additions and comparisons, O(N·B) memory.

Sources: Bellman (1957); Ibaraki & Katoh (1988), chapter 3.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio
from engine.solvers import max_plus
from engine.solvers.batching import on_gpu
from engine.solvers.lattice import Lattice
from engine.solvers.responses import Scalar
from engine.solvers.rounding import first_best


class Programme(NamedTuple):
    """The filled-in dynamic programme.

    `before[i, b]` is the optimum of projects 0..i−1 within b budget steps (row N: of all projects);
    `steps[i, k]` is how many budget steps k units of project i take; `table` holds the returns.
    """

    before: Float[Array, "projects1 states"]
    steps: Int[Array, "projects levels"]
    table: Float[Array, "projects levels"]


def programme(portfolio: Portfolio, lattice: Lattice) -> Programme:
    """Run the dynamic programme over all budgets of the lattice."""
    table = portfolio.table(lattice.units)
    levels = jnp.arange(lattice.units + 1, dtype=jnp.int32)
    states = jnp.arange(lattice.states + 1, dtype=jnp.int32)
    if portfolio.cost is None:
        steps = jnp.broadcast_to(levels, table.shape)
    else:
        taken = portfolio.cost[:, None] * levels.astype(portfolio.dtype)[None] / lattice.step
        steps = (jnp.round(taken) if lattice.holds_costs else jnp.ceil(taken)).astype(jnp.int32)
    pad = jnp.full(lattice.states + 1, -jnp.inf, portfolio.dtype)

    def project(best: Array, row: tuple[Array, Array]) -> tuple[Array, Array]:
        returns, taken = row
        padded = jnp.concatenate([pad, best])

        def level(k: Int[Array, ""], after: Array) -> Array:
            if portfolio.cost is None:
                shifted = jax.lax.dynamic_slice(padded, (lattice.states + 1 - k,), (lattice.states + 1,))
            else:
                source = states - taken[k]
                shifted = jnp.where(source >= 0, best[jnp.maximum(source, 0)], -jnp.inf)
            return jnp.maximum(after, shifted + returns[k])

        after = jax.lax.fori_loop(0, lattice.units + 1, level, jnp.full_like(best, -jnp.inf))
        return after, best

    last, before = jax.lax.scan(project, jnp.zeros(lattice.states + 1, portfolio.dtype), (table, steps))
    return Programme(jnp.concatenate([before, last[None]]), steps, table)


def read_back(solved: Programme, state: Int[Array, ""]) -> Vector:
    """The optimal effort within `state` budget steps."""
    levels = jnp.arange(solved.table.shape[1], dtype=jnp.int32)

    def project(state: Array, row: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        before, steps, returns = row
        source = state - steps
        total = jnp.where(source >= 0, before[jnp.maximum(source, 0)] + returns, -jnp.inf)
        best, level = first_best(total, levels)
        level = jnp.where(jnp.isfinite(best), level, 0)
        return jnp.maximum(source[level], 0), level.astype(returns.dtype)

    rows = (solved.before[:-1], solved.steps, solved.table)
    return jax.lax.scan(project, state, rows, reverse=True)[1]


def optimum_within(portfolio: Portfolio, lattice: Lattice, state: Int[Array, ""]) -> tuple[Scalar, Vector]:
    """(the optimum within `state` budget steps, an effort that has it)."""

    def one(portfolio: Portfolio, state: Int[Array, ""]) -> tuple[Scalar, Vector]:
        solved = programme(portfolio, lattice)
        return solved.before[-1, state], read_back(solved, state)

    def many(portfolios: Portfolio, states: Int[Array, " portfolios"]) -> tuple[Array, Array]:
        levels = max_plus.padded_levels(lattice.units + 1)
        tables = jax.vmap(lambda portfolio: portfolio.table(levels - 1), out_axes=-1)(portfolios)
        optimum, effort = max_plus.optima(tables, states, lattice.states)
        return optimum, effort.T

    solve = one if portfolio.cost is not None else on_gpu(one, many)
    return solve(portfolio, state)
