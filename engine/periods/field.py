"""Field: where effort over periods may lie, period by period or under one budget over all.

Budgets are of groups of periods, each of one, or one of all. A field [periods, projects] seen group by group
is [groups, cells]: with that, what `engine.bets.ascent` does for one budget is done for each.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from engine.bets.ascent import knapsack
from engine.periods.spread import Efforts, Spread
from engine.solvers.relaxation import Box
from engine.solvers.responses import Scalar
from engine.solvers.rounding import budget_slack, steps_error

Budgets = Float[Array, " groups"]
Cells = Float[Array, "groups cells"]


class Field(NamedTuple):
    """The feasible efforts: Σ c x of each group within its budget, least ≤ x ≤ most.

    `upper` is what was asked for; `most` no more than what the budget buys.
    """

    budgets: Budgets
    costs: Efforts
    least: Efforts
    most: Efforts
    upper: Efforts

    @property
    def room(self) -> Budgets:
        """What is left of each budget beyond the lower limits."""
        return jnp.maximum(self.budgets - self.spent(self.least), 0.0)

    def cells(self, effort: Efforts) -> Cells:
        """A field, group by group."""
        return effort.reshape(self.budgets.size, -1)

    def spent(self, effort: Efforts) -> Budgets:
        """Σ c x of each group."""
        return jnp.sum(self.cells(self.costs * effort), axis=-1)

    def spread(self, numbers: Budgets) -> Float[Array, "periods 1"]:
        """A number of each group for every period of it."""
        return jnp.broadcast_to(numbers[:, None], (self.budgets.size, self._length())).reshape(-1, 1)

    def sums(self, blocks: Float[Array, "periods periods"]) -> Float[Array, "groups groups"]:
        """The sums of a matrix over periods by groups of them."""
        groups = self.budgets.size
        return blocks.reshape(groups, self._length(), groups, self._length()).sum((1, 3))

    def _length(self) -> int:
        return self.least.shape[0] // self.budgets.size

    def box(self) -> Box:
        """The feasible set, group by group."""
        least, most = self.cells(self.least), self.cells(self.most)
        return Box(self.budgets, self.cells(self.costs), least, most, jnp.zeros_like(least, bool))

    def best_response(self, worth: Efforts) -> Efforts:
        """The feasible effort of the largest Σ worth·x."""
        return jax.vmap(knapsack)(self.box(), self.cells(worth)).reshape(worth.shape)

    def within(self, effort: Efforts) -> Array:
        """Whether an effort is feasible, up to rounding."""
        near = steps_error(effort)
        inside = (effort >= self.least - near) & (effort <= self.upper + near)
        return jnp.all(inside) & jnp.all(self.spent(effort) <= self.budgets + budget_slack(self.budgets))


def field_of(spread: Spread, budgets: Budgets, lower: Efforts, upper: Efforts) -> Field:
    """The efforts that budgets and bounds leave; costs are those of the portfolio."""
    costs = jnp.broadcast_to(spread.portfolio.costs()[None], lower.shape)
    bare = Field(budgets, costs, lower, upper, upper)
    most = jnp.maximum(jnp.minimum(upper, lower + bare.spread(bare.room) / costs), lower)
    return bare._replace(most=most)


def gap_at(field: Field, effort: Efforts, slope: Efforts) -> Scalar:
    """The Frank–Wolfe gap max over feasible y of slope·(y − x); infinite where a slope is.

    What has no choice has no say, even where its slope is infinite.
    """
    slope = jnp.where(field.most > field.least, slope, 0.0)
    gap = jnp.sum(slope * (field.best_response(slope) - effort))
    return jnp.where(jnp.isfinite(gap), gap, jnp.inf)
