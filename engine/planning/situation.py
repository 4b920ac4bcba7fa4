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


# Numbers that differ by this share are the same.
SAME = 1e-5


class Situation(NamedTuple):
    """Where a policy decides: what is believed, the effort that a lot buys of each project, the scale of its
    returns, the period's number, the lots that may be spent now and those that are left, with these; and how
    many periods each project has before it, all that are left if not given."""

    terms: Terms
    belief: Belief
    per_lot: Vector
    scale: Vector
    period: Int[Array, ""]
    now: Int[Array, ""]
    left: Int[Array, ""]
    until: Vector | None = None

    @property
    def ahead(self) -> Float[Array, "projects one"]:
        """How many periods each project has before it, this one included."""
        left = (self.terms.periods - self.period).astype(self.per_lot.dtype)
        return (jnp.full_like(self.per_lot, left) if self.until is None else self.until)[:, None]

    @property
    def chance(self) -> Particles:
        """The chance to run in this period, by each particle."""
        chance = to_run(self.terms, self.belief.state.running, self.per_lot.dtype)
        return chance if self.until is None else jnp.where(self.ahead > 0, chance, 0.0)

    def share(self) -> Particles:
        """The mean share of this and all later periods in which the project runs."""
        usual = self.terms.running().astype(self.per_lot.dtype)
        persist = 1.0 - jnp.asarray(self.terms.stall + self.terms.resume, self.per_lot.dtype)
        periods = jnp.arange(self.terms.periods, dtype=self.per_lot.dtype)[None]
        still = jnp.where(periods < self.ahead, persist**periods, 0.0)
        kept = jnp.sum(still, axis=1, keepdims=True) / jnp.maximum(self.ahead, 1.0)
        return usual + (self.chance - usual) * kept

    def gains(self, number: Scalar, share: Particles) -> Particles:
        """What each particle gains with so many lots, a share of which makes progress: no more of them than
        its periods can spend, in equal parts, of which later ones count less where there is a discount."""
        made = self.per_lot[:, None] * share
        made = made * (number if self.until is None else jnp.minimum(number, self.ahead * self.terms.at_most))

        def after(part: Array | float) -> Particles:
            return self.belief.draws.returns(self.belief.state.progress + part * made) - self.belief.returns()

        if self.terms.discount is None:
            return after(1.0)

        def add(period: Array, sums: tuple[Particles, Particles]) -> tuple[Particles, Particles]:
            counted, before = sums
            now = after(jnp.minimum((period + 1).astype(made.dtype) / jnp.maximum(self.ahead, 1.0), 1.0))
            return counted + self.terms.counts(period, made.dtype) * (now - before), now

        nothing = jnp.zeros_like(made)
        return jax.lax.fori_loop(0, self.terms.periods - self.period, add, (nothing, nothing))[0]

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
        number, now = levels(self.terms.at_most, weight.dtype), self._replace(terms=self.terms.undiscounted)
        gains = jax.vmap(lambda lots: jnp.sum(weight * now.gains(lots, all_of_it), axis=1), out_axes=1)
        return gains(number)

    def part_of(self, plan: Lots) -> Lots:
        """This period's lots of a plan to the end: in proportion to it, to the chance that a project runs
        now, and to how soon it has to."""
        claims = plan.astype(self.per_lot.dtype) * self.belief.mean(self.chance)
        claims = claims if self.until is None else claims / jnp.maximum(self.until, 1.0)
        return apportioned(claims, plan, self.now, self.terms.at_most)


def spendable(terms: Terms, period: Int[Array, ""]) -> Int[Array, ""]:
    """The most lots that this and the later periods can spend."""
    return jnp.minimum((terms.periods - period) * terms.at_most, terms.all_lots)


def pace(terms: Terms, period: Int[Array, ""], left: Int[Array, ""]) -> Int[Array, ""]:
    """The lots that a period may spend: an equal part of those that are left, rounded up."""
    ahead = terms.periods - period
    return jnp.minimum((left + ahead - 1) // ahead, terms.at_most)


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


def best_per_lot(table: Table, most: Int[Array, ""]) -> Vector:
    """The largest mean gain per lot over 1 to so many lots, of each project; −∞ of none."""
    number = levels(table.shape[1] - 1, table.dtype)
    within = (number >= 1) & (number <= most.astype(table.dtype))
    return jnp.max(jnp.where(within[None], table / jnp.maximum(number, 1.0)[None], -jnp.inf), axis=1)


def largest(values: Vector) -> Bool[Array, " projects"]:
    """Which project has the largest, the first of those that are equal up to rounding: where the same chance
    is a sum over other particles, its last digits are the machine's own."""
    most = jnp.max(values)
    near = values >= most - SAME * jnp.abs(most)
    return jnp.zeros(values.shape, bool).at[jnp.argmax(near)].set(True)


def apportioned(claims: Vector, most: Lots, lots: Int[Array, ""], at_most: int) -> Lots:
    """So many lots in proportion to claims, by D'Hondt's divisors, and no project more than its most.

    **Arguments:** `at_most`, a number that `lots` never exceeds.
    """

    def give(number: Int[Array, ""], given: Lots) -> Lots:
        wanted = (given < most) & (claims > 0) & (number < lots)
        quotient = jnp.where(wanted, claims / (given + 1).astype(claims.dtype), -jnp.inf)
        return given + (wanted & largest(quotient)).astype(jnp.int32)

    return jax.lax.fori_loop(0, at_most, give, jnp.zeros_like(most))
