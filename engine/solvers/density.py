"""Density greedy: repeatedly the jump in effort with the best average gain per unit of budget.

From where a project stands, every higher level is a candidate jump; the densest one that fits the
remaining budget is taken, and jumps that do not fit give way to those that do. It crosses plateaus that
stop the marginal greedy, and is the honest baseline for staged and S-shaped curves: grid searches of
marketing budget optimisers work this way. Not exact: it never gives a jump back.

A project's best jump is looked up again only when it moves or no longer fits: as the budget shrinks an
old best can only be too good, so whatever still fits when it comes up is the best there is.

Cost: O(levels + projects) per jump, after one table of returns.

Source: the greedy of Sinha & Zoltners (1979) for the multiple-choice knapsack, without its hull.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio
from engine.solvers.batching import in_chunks
from engine.solvers.dual import Dual, integer_dual
from engine.solvers.greedy import fill, greedy_effort
from engine.solvers.lattice import Lattice
from engine.solvers.responses import Scalar, unit_bounds
from engine.solvers.rounding import budget_slack, first_best
from engine.solvers.solution import Solution, conclude


class State(NamedTuple):
    """Effort, each project's best jump as last looked up (its density and the level it leads to), spend."""

    effort: Vector
    density: Vector
    target: Vector
    spent: Scalar


def best_jump(
    row: Float[Array, " levels"], effort: Scalar, cost: Scalar, remaining: Scalar
) -> tuple[Scalar, Scalar]:
    """(density, level) of the jump with the best average gain that costs at most `remaining`."""
    levels = jnp.arange(row.size, dtype=row.dtype)
    price = cost * (levels - effort)
    fits = (levels > effort) & (price <= remaining)
    rise = row - row[effort.astype(jnp.int32)]
    density = jnp.where(fits, rise / jnp.where(fits, price, 1.0), -jnp.inf)
    best, level = first_best(density, levels)
    return best, jnp.minimum(level, float(row.size - 1))


def climb(portfolio: Portfolio, budget: Scalar, effort: Vector, lattice: Lattice) -> Vector:
    """Spend what is left of the budget jump by jump, starting from this whole-unit effort."""
    table = portfolio.table(lattice.units)
    costs = portfolio.costs()
    limit = budget + budget_slack(budget)

    def look_up(state: State, index: Array, effort: Scalar, spent: Scalar) -> State:
        density, target = best_jump(table[index], effort, costs[index], limit - spent)
        return State(
            state.effort.at[index].set(effort),
            state.density.at[index].set(density),
            state.target.at[index].set(target),
            spent,
        )

    def step(state: State) -> State:
        index = jnp.argmax(state.density)
        before, after = state.effort[index], state.target[index]
        price = costs[index] * (after - before)
        fits = state.spent + price <= limit
        return look_up(
            state, index, jnp.where(fits, after, before), state.spent + jnp.where(fits, price, 0.0)
        )

    spent = portfolio.spend(effort)
    density, target = jax.vmap(best_jump, in_axes=(0, 0, 0, None))(table, effort, costs, limit - spent)
    begin = State(effort, density, target, spent)
    return jax.lax.while_loop(lambda state: jnp.any(state.density > 0), step, begin).effort


def equal_split(portfolio: Portfolio, budget: Scalar, lattice: Lattice) -> Vector:
    """The same share of the budget above the lower limits for every project, in whole units."""
    least, most = unit_bounds(portfolio, budget, lattice)
    share = (budget - portfolio.spend(least)) / portfolio.shape[-1]
    return jnp.minimum(least + jnp.maximum(jnp.floor(share / portfolio.costs()), 0.0), most)


def best_of(portfolio: Portfolio, *efforts: Vector) -> Vector:
    """The effort of the highest value; the first one on a tie."""
    stacked = jnp.stack(efforts)
    values = jax.vmap(portfolio.value)(stacked)
    return stacked[jnp.argmax(jnp.where(jnp.isnan(values), -jnp.inf, values))]


def table_entries(portfolio: Portfolio, lattice: Lattice) -> int:
    """How many numbers one portfolio's table of returns is, with what is looked up in it."""
    levels = 1 if portfolio.diminishing else lattice.units + 1
    return 2 * portfolio.shape[-1] * levels


def density(portfolio: Portfolio, budget: Scalar, lattice: Lattice) -> Solution:
    """Allocate by density; never worse than the marginal greedy or the equal split, filled up."""

    def solve(portfolio: Portfolio, budget: Scalar) -> tuple[Vector, Dual]:
        least, most = unit_bounds(portfolio, budget, lattice)
        marginal = greedy_effort(portfolio, budget, lattice)
        # Where returns diminish the densest jump is the next unit.
        jumped = marginal if portfolio.diminishing else climb(portfolio, budget, least, lattice)
        split = fill(portfolio, budget, equal_split(portfolio, budget, lattice), most)
        return best_of(portfolio, jumped, marginal, split), integer_dual(portfolio, budget, lattice)

    effort, dual = in_chunks(solve, table_entries(portfolio, lattice))(portfolio, budget)
    return conclude(portfolio, budget, effort, dual.price, dual.bound)
