"""What a policy decides on: beliefs, and the lots of budget that are left.

Gains are tables over lots, [projects, lots + 1]: what a project returns more, on average over its particles,
with so many lots. A table is an ordinary portfolio of whole units, and the programme over lots (`solvers`)
gives the best plan of the whole rest of the budget.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from engine.model.curves.base import Vector
from engine.model.curves.staged import Tabulated
from engine.model.portfolio import Portfolio
from engine.planning.beliefs import Belief, Particles
from engine.planning.world import Terms, to_run
from engine.solvers.lattice import build_lattice
from engine.solvers.programme import Programme, programme, read_back
from engine.solvers.responses import Scalar

Table = Float[Array, "projects levels"]
Lots = Int[Array, " projects"]


class Situation(NamedTuple):
    """Where a policy decides: what is believed, the effort that a lot buys of each project, the scale of its
    returns, the period's number, the lots that may be spent now and those that are left, with these."""

    terms: Terms
    belief: Belief
    per_lot: Vector
    scale: Vector
    period: Int[Array, ""]
    now: Int[Array, ""]
    left: Int[Array, ""]

    @property
    def chance(self) -> Particles:
        """The chance to run in this period, by each particle."""
        return to_run(self.terms, self.belief.state.running, self.per_lot.dtype)

    def share(self) -> Particles:
        """The mean share of this and all later periods in which the project runs."""
        usual = self.terms.running().astype(self.per_lot.dtype)
        persist = 1.0 - jnp.asarray(self.terms.stall + self.terms.resume, self.per_lot.dtype)
        ahead = (self.terms.periods - self.period).astype(self.per_lot.dtype)
        periods = jnp.arange(self.terms.periods, dtype=self.per_lot.dtype)
        kept = jnp.sum(jnp.where(periods < ahead, persist**periods, 0.0)) / jnp.maximum(ahead, 1.0)
        return usual + (self.chance - usual) * kept

    def gains(self, number: Scalar, share: Particles) -> Particles:
        """What each particle gains with so many lots, a share of which makes progress."""
        progress = self.belief.state.progress + number * (self.per_lot[:, None] * share)
        return self.belief.draws.returns(progress) - self.belief.returns()

    def to_the_end(self) -> Table:
        """Mean gains of lots that are spread over the rest of the periods; 0 of more than those can spend."""
        weight = self.belief.weight
        return self.by_level(lambda gains: jnp.sum(weight * gains, axis=1), self.share())

    def by_level(self, average: Callable[[Particles], Array], share: Particles) -> Float[Array, "... levels"]:
        """The same for any average over particles, a share of the lots making progress."""

        def level(number: Int[Array, ""], table: Array) -> Array:
            return table.at[..., number].set(average(self.gains(number.astype(share.dtype), share)))

        nothing = jnp.zeros((*jax.eval_shape(average, share).shape, self.terms.all_lots + 1), share.dtype)
        # Level by level, so that what a level needs stays near the processor; the bound depends on the period
        # alone, so that worlds of a batch have it in common.
        return jax.lax.fori_loop(1, spendable(self.terms, self.period) + 1, level, nothing)

    def this_period(self) -> Table:
        """Mean gains of lots that are spent now."""
        weight, all_of_it = self.belief.weight * self.chance, jnp.ones_like(self.chance)
        number = levels(self.terms.lots, weight.dtype)
        gains = jax.vmap(lambda lots: jnp.sum(weight * self.gains(lots, all_of_it), axis=1), out_axes=1)
        return gains(number)

    def part_of(self, plan: Lots) -> Lots:
        """This period's lots of a plan to the end: in proportion to it, and to the chance that a project runs
        now."""
        claims = plan.astype(self.per_lot.dtype) * self.belief.mean(self.chance)
        return apportioned(claims, plan, self.now, self.terms.lots)


def spendable(terms: Terms, period: Int[Array, ""]) -> Int[Array, ""]:
    """The most lots that this and the later periods can spend."""
    return (terms.periods - period) * terms.lots


def levels(most: int, dtype: jnp.dtype) -> Float[Array, " levels"]:
    """0, 1, …, most."""
    return jnp.arange(most + 1, dtype=dtype)


def planned(table: Table) -> Programme:
    """The programme over a table of gains, at every number of lots."""
    projects, size = table.shape
    return programme(Portfolio(Tabulated(table)), build_lattice(size - 1, projects))


def best_plan(table: Table, lots: Int[Array, ""]) -> Lots:
    """The lots of each project in the best plan of so many."""
    return read_back(planned(table), lots).astype(jnp.int32)


def largest(values: Vector) -> Bool[Array, " projects"]:
    """Which project has the largest, the first of equals."""
    return jnp.zeros(values.shape, bool).at[jnp.argmax(values)].set(True)


def apportioned(claims: Vector, most: Lots, lots: Int[Array, ""], at_most: int) -> Lots:
    """So many lots in proportion to claims, by D'Hondt's divisors, and no project more than its most.

    **Arguments:** `at_most`, a number that `lots` never exceeds.
    """

    def give(number: Int[Array, ""], given: Lots) -> Lots:
        wanted = (given < most) & (claims > 0) & (number < lots)
        quotient = jnp.where(wanted, claims / (given + 1).astype(claims.dtype), -jnp.inf)
        return given + (wanted & largest(quotient)).astype(jnp.int32)

    return jax.lax.fori_loop(0, at_most, give, jnp.zeros_like(most))
