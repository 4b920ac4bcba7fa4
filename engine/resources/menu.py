"""Menu: what each project may choose among, and what it uses of each resource.

The core of a menu is what a better plan than the best known can have, by reduced cost: a few choices.

Sources: Kellerer, Pferschy & Pisinger (2004), Knapsack Problems, section 11.2, for dominated choices; Balas &
Zemel (1980), An algorithm for large zero-one knapsack problems, for cores.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from engine.model.curves.base import Vector
from engine.solvers.rounding import sum_error

Choice = Int[Array, " projects"]
Prices = Float[Array, " resources"]


class Menu(NamedTuple):
    """What each project may choose among: units of effort, rising, and what they return (−∞: not allowed);
    what a unit uses of each resource, and the budgets, in shares of them: 1, or 0 where there is none."""

    levels: Float[Array, "projects choices"]
    returns: Float[Array, "projects choices"]
    usage: Float[Array, "resources projects"]
    budgets: Float[Array, " resources"]

    def units(self, choice: Choice) -> Vector:
        """Units of effort of a choice for each project."""
        return jnp.take_along_axis(self.levels, choice[:, None], axis=1)[:, 0]

    def paid(self, choice: Choice) -> Vector:
        """What a choice for each project returns."""
        return jnp.take_along_axis(self.returns, choice[:, None], axis=1)[:, 0]

    def spend(self, units: Vector) -> Prices:
        """What these units use of each resource."""
        return jnp.sum(self.usage * units[None], axis=1)

    def limit(self) -> Prices:
        """What a plan may use of each resource, its rounding included."""
        return self.budgets + sum_error(self.usage.shape[1], self.budgets)

    @property
    def terms(self) -> int:
        """How many numbers a bound is the sum of, for its rounding."""
        return sum(self.usage.shape)


def build_menu(
    table: Float[Array, "projects levels"],
    usage: Float[Array, "resources projects"],
    budgets: Float[Array, " resources"],
) -> Menu:
    """The menu without what no budget holds, and what returns no more than fewer units do."""
    scale = jnp.where(budgets > 0, budgets, 1.0)
    levels = jnp.broadcast_to(jnp.arange(table.shape[1], dtype=table.dtype)[None], table.shape)
    most = (budgets + sum_error(usage.shape[1], budgets))[:, None, None]
    held = jnp.all(usage[:, :, None] * levels[None] <= most, axis=0)
    returns = jnp.where(held, table, -jnp.inf)
    below = jax.lax.cummax(returns, axis=1)[:, :-1]
    risen = jnp.pad(returns[:, 1:] > below, ((0, 0), (1, 0)), constant_values=True)
    returns = jnp.where(risen, returns, -jnp.inf)
    return Menu(levels, returns, usage / scale[:, None], jnp.where(budgets > 0, 1.0, 0.0).astype(table.dtype))


def narrowed(menu: Menu, kept: Bool[Array, "projects choices"], width: int) -> Menu:
    """The menu of what is kept alone, at most `width` choices a project."""
    order = jnp.argsort(~kept, axis=1, stable=True)[:, :width]
    there = jnp.take_along_axis(kept, order, axis=1)
    levels, returns = (jnp.take_along_axis(part, order, axis=1) for part in (menu.levels, menu.returns))
    beyond = menu.levels[:, -1:] + 1.0
    return menu._replace(levels=jnp.where(there, levels, beyond), returns=jnp.where(there, returns, -jnp.inf))


def ends(there: Bool[Array, "projects choices"]) -> tuple[Choice, Choice]:
    """The first and the last choice of each project that is there."""
    first = jnp.argmax(there, axis=1)
    last = there.shape[1] - 1 - jnp.argmax(there[:, ::-1], axis=1)
    return first.astype(jnp.int32), last.astype(jnp.int32)
