"""A box of choices for projects that use several resources: its bound, its split, and a plan within it.

A box is a first and a last choice for each project. The plans whose mean the dual's best is differ in
generically no more projects than there are resources; the box is split within the widest such jump. What a
better plan cannot have by its reduced cost is cut off the ends of the box. The plan is the mean rounded down,
and what is left spent jump by jump, by return per price.

Sources: Fisher (1981); Ingargiola & Korsh (1973), Reduction algorithm for zero-one single knapsack problems;
Sinha & Zoltners (1979) for filling up by density.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from engine.model.curves.base import Vector
from engine.resources.dual import Dual, minimise, payoffs
from engine.resources.menu import Choice, Menu, Prices, ends
from engine.solvers.boxes import Node, Twins, in_order
from engine.solvers.responses import Scalar
from engine.solvers.rounding import sum_error

# Jumps that fill a plan up, the first of which matter, but for the first plan of all.
JUMPS, FIRST_JUMPS = 6, 256
# Shares of a plan in the mean that are taken for none, and units that are taken for whole ones.
ROUNDED = 1e-9


class Problem(NamedTuple):
    """What the search reads; `grain` is 1 where all returns are whole numbers, by which plans then differ at
    least, and else 0."""

    menu: Menu
    twins: Twins
    grain: Scalar


class Examined(NamedTuple):
    """A box, and a plan within it with its value, −∞ where there is none."""

    node: Node
    choice: Choice
    value: Scalar


def examine(
    problem: Problem,
    low: Choice,
    high: Choice,
    parent: Scalar,
    guess: Prices,
    enough: Scalar,
    slack: Scalar,
) -> Examined:
    """Bound a box, cut off its ends what cannot be in a plan that returns more than `enough`, and find where
    to split it; also a plan within it."""
    low, high = in_order(problem.twins, low, high)
    menu, feasible = _within(problem.menu, low, high)
    least, _ = ends(jnp.isfinite(menu.returns))
    dual = minimise(menu, least, guess, enough, slack)
    payoff = payoffs(menu, dual.prices)
    cost = jnp.max(payoff, axis=1, keepdims=True) - payoff
    first, last = ends(dual.bound - cost > enough)
    bound = jnp.where(feasible, jnp.minimum(dual.bound, parent), -jnp.inf)
    # Where nothing better is left the ends say nothing, and the bound does.
    project, split = _jump(menu, dual, first, last)
    jumps = jnp.where(jnp.isfinite(enough), JUMPS, FIRST_JUMPS)
    choice = fill(menu, _rounded_down(menu, dual, least), dual.prices, jumps)
    choice = jnp.where(feasible, choice, least)
    value = jnp.where(feasible, jnp.sum(menu.paid(choice)), -jnp.inf)
    single = jnp.where(feasible, jnp.sum(menu.paid(first)), -jnp.inf)
    alone = jnp.all(first >= last)
    fits = jnp.all(menu.spend(menu.units(first)) <= menu.limit())
    single = jnp.where(fits, single, -jnp.inf)
    better = alone & (single > value)
    node = Node(
        low=first,
        high=last,
        bound=jnp.where(alone & (bound > enough), jnp.minimum(single, bound), bound),
        price=dual.prices,
        project=project,
        split=split,
        beyond=split + 1,
    )
    return Examined(node, jnp.where(better, first, choice), jnp.where(better, single, value))


def _within(menu: Menu, low: Choice, high: Choice) -> tuple[Menu, Bool[Array, ""]]:
    """The menu of a box, without what its first choices leave no budget for; whether there is a plan."""
    place = jnp.arange(menu.returns.shape[1], dtype=jnp.int32)[None]
    there = jnp.isfinite(menu.returns) & (place >= low[:, None]) & (place <= high[:, None])
    least, _ = ends(there)
    units = menu.units(least)
    left = menu.limit() - menu.spend(units)
    rounding = sum_error(menu.usage.shape[1], menu.budgets)
    more = menu.levels - units[:, None]
    allowed = jnp.maximum(left, 0.0) + rounding
    there &= jnp.all(menu.usage[:, :, None] * more[None] <= allowed[:, None, None], axis=0)
    feasible = jnp.all(jnp.any(there, axis=1)) & jnp.all(left >= 0.0)
    return menu._replace(returns=jnp.where(there, menu.returns, -jnp.inf)), feasible


def _mean(menu: Menu, dual: Dual) -> Vector:
    """The units of the best mean of plans."""
    units = jax.vmap(menu.units)(dual.choices)
    return jnp.sum(dual.shares[:, None] * units, axis=0)


def _jump(menu: Menu, dual: Dual, first: Choice, last: Choice) -> tuple[Int[Array, ""], Int[Array, ""]]:
    """The project whose choices differ most between the plans of the mean, by what they cost, and the last
    choice before the jump; where none differs, the middle of the widest project."""
    units = jax.vmap(menu.units)(dual.choices)
    used = (dual.shares > ROUNDED)[:, None]
    high = jnp.max(jnp.where(used, units, -jnp.inf), axis=0)
    low = jnp.min(jnp.where(used, units, jnp.inf), axis=0)
    mean = jnp.clip(_mean(menu, dual), low, high)
    rates = jnp.sum((dual.prices + ROUNDED)[:, None] * menu.usage, axis=0)
    open_ = last > first
    apart = jnp.where(open_, rates * (high - low), 0.0)
    wide = (last - first).astype(apart.dtype)
    differ = jnp.any(apart > 0)
    project = jnp.argmax(jnp.where(differ, apart, wide)).astype(jnp.int32)
    below = jnp.sum(menu.levels[project] <= mean[project]).astype(jnp.int32) - 1
    middle = (first[project] + last[project]) // 2
    split = jnp.where(differ, below, middle)
    return project, jnp.clip(split, first[project], jnp.maximum(last[project] - 1, first[project]))


def _rounded_down(menu: Menu, dual: Dual, least: Choice) -> Choice:
    """The mean of the plans, each project at the nearest choice below that is allowed."""
    mean = _mean(menu, dual)
    place = jnp.arange(menu.returns.shape[1], dtype=jnp.int32)[None]
    near = jnp.where(jnp.isfinite(menu.returns) & (menu.levels <= mean[:, None] + ROUNDED), place, -1)
    down = jnp.maximum(jnp.max(near, axis=1), least)
    fits = jnp.all(menu.spend(menu.units(down)) <= menu.limit())
    return jnp.where(fits, down, least)


def fill(menu: Menu, choice: Choice, prices: Prices, jumps: Int[Array, ""]) -> Choice:
    """Spend what is left: the jump that returns most per price of what it uses, again and again."""
    size = jnp.mean(prices)
    rates = jnp.sum((prices + 0.1 * jnp.where(size > 0, size, 1.0))[:, None] * menu.usage, axis=0)
    limit = menu.limit()

    def jump(state: tuple[Choice, Array, Array]) -> tuple[Choice, Array, Array]:
        choice, step, _ = state
        units = menu.units(choice)
        more = menu.levels - units[:, None]
        left = limit - menu.spend(units)
        fits = jnp.all(menu.usage[:, :, None] * more[None] <= left[:, None, None], axis=0)
        gain = menu.returns - menu.paid(choice)[:, None]
        price = rates[:, None] * more
        density = gain / jnp.where(price > 0, price, 1e-12)
        score = jnp.where(fits & (more > 0) & (gain > 0), density, -jnp.inf)
        best = jnp.argmax(score)
        project, to = best // score.shape[1], best % score.shape[1]
        found = score.ravel()[best] > -jnp.inf
        there = (jnp.arange(choice.size) == project) & found
        return jnp.where(there, to.astype(choice.dtype), choice), step + 1, ~found

    def unfinished(state: tuple[Choice, Array, Array]) -> Array:
        return ~state[2] & (state[1] < jumps)

    return jax.lax.while_loop(unfinished, jump, (choice, jnp.int32(0), jnp.asarray(False)))[0]
