"""Few levels: the programme over the levels of each project at which its table rises.

A level that returns no more than a lower one need be in no allocation. Tables of all or nothing, of items to
choose from, or in stages rise a few times only, and then this is a small part of the programme over all
levels. Where some project rises more often nothing is found, and the next way goes on.

Source: Kellerer, Pferschy & Pisinger (2004), Knapsack Problems, section 11.2: dominated items.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio
from engine.solvers.core import Answer
from engine.solvers.lattice import Lattice
from engine.solvers.programme import Programme, read_back
from engine.solvers.responses import Scalar
from engine.solvers.rounding import budget_slack

# The price is found to so many binary digits of the largest that it can be.
HALVINGS = 40
Levels = Int[Array, "projects few"]
Returns = Float[Array, "projects few"]


def solve_few(portfolio: Portfolio, budget: Scalar, lattice: Lattice, few: int) -> Answer:
    """The optimum where no project rises at more than so many levels; costs of 1."""
    levels, returns, finished = rising(portfolio.table(lattice.units), few)
    within = jnp.clip(jnp.floor(budget + budget_slack(budget)).astype(jnp.int32), 0, lattice.states)
    value, effort = optimum(levels, returns, within, lattice.states)
    price = dual_price(levels.astype(returns.dtype), returns, budget)
    return Answer(effort, price, jnp.where(finished, value, jnp.inf), finished)


def dual_price(levels: Returns, returns: Returns, budget: Scalar) -> Scalar:
    """The price at which best responses begin to cost more than the budget: a minimum of the dual."""

    def spend(price: Scalar) -> Scalar:
        best = jnp.argmax(returns - price * levels, axis=1)
        return jnp.sum(jnp.take_along_axis(levels, best[:, None], axis=1))

    def halve(_: Array, ends: tuple[Scalar, Scalar]) -> tuple[Scalar, Scalar]:
        low, high = ends
        middle = 0.5 * (low + high)
        dear = spend(middle) <= budget
        return jnp.where(dear, low, middle), jnp.where(dear, middle, high)

    there = jnp.isfinite(returns)
    largest = jnp.max(jnp.where(there, returns, -jnp.inf))
    least = jnp.min(jnp.where(there, returns, jnp.inf))
    nothing = jnp.zeros((), returns.dtype)
    _, high = jax.lax.fori_loop(0, HALVINGS, halve, (nothing, jnp.maximum(largest - least, 0.0)))
    return jnp.where(spend(nothing) <= budget, nothing, high)


def rising(table: Float[Array, "projects levels"], few: int) -> tuple[Levels, Returns, Array]:
    """(the first so many levels that return more than the one below; what they return, −∞ past the last;
    whether these are all)."""
    below = jnp.pad(table[:, :-1], ((0, 0), (1, 0)), constant_values=-jnp.inf)
    past = table.shape[1]
    level = jnp.arange(past, dtype=jnp.int32)
    risen = jnp.where(table > below, level, past)

    def following(last: Array, _: None) -> tuple[Array, Array]:
        level = jnp.min(jnp.where(risen > last[:, None], risen, past), axis=1)
        return level, level

    nothing = jnp.full(table.shape[0], -1, jnp.int32)
    last, levels = jax.lax.scan(following, nothing, length=few + 1)
    levels = levels[:-1].T
    returns = jnp.take_along_axis(table, jnp.minimum(levels, past - 1), axis=1)
    there = levels < past
    return jnp.where(there, levels, 0), jnp.where(there, returns, -jnp.inf), jnp.all(last == past)


def optimum(levels: Levels, returns: Returns, within: Int[Array, ""], states: int) -> tuple[Scalar, Vector]:
    """(the largest total return within so many units, the levels that have it)."""
    none = jnp.full(states + 1, -jnp.inf, returns.dtype)

    def project(best: Array, row: tuple[Array, Array]) -> tuple[Array, Array]:
        padded = jnp.concatenate([none, best])

        def shifted(level: Int[Array, ""]) -> Array:
            return jax.lax.dynamic_slice(padded, (states + 1 - level,), (states + 1,))

        after = none
        for level, value in zip(*row, strict=True):
            after = jnp.maximum(after, shifted(level) + value)
        return after, best

    last, before = jax.lax.scan(project, jnp.zeros(states + 1, returns.dtype), (levels, returns))
    chosen = read_back(Programme(jnp.concatenate([before, last[None]]), levels, returns), within)
    effort = jnp.take_along_axis(levels, chosen.astype(jnp.int32)[:, None], axis=1)[:, 0]
    return last[within], effort.astype(returns.dtype)
