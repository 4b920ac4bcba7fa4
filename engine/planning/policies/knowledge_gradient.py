"""Knowledge gradient: spend where what is reached and what is learned make the best plan worth most."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from engine.bets.best_of import max_plus
from engine.model.curves.base import Vector
from engine.planning import noise
from engine.planning.beliefs import Particles, taken
from engine.planning.looks import systematic
from engine.planning.policies.base import Policy
from engine.planning.situation import Lots, Situation, largest, levels, planned
from engine.solvers.responses import Scalar

# Observations that are looked ahead at, at even quantiles of what is believed.
OUTLOOKS = 8


def others(table: Float[Array, "projects levels"]) -> Float[Array, "projects levels"]:
    """The best plans of all projects but one."""
    before = planned(table).before[:-1]
    after = planned(table[::-1]).before[:-1][::-1]
    return jax.vmap(max_plus)(before, after)


def worth(situation: Situation, lots: Scalar, rest: Float[Array, "projects levels"], key: Array) -> Vector:
    """What the best plan is worth on average once a project has had so many lots and was looked at, for each
    project: [projects]. The belief is weighed anew by each of a few observations."""
    belief, terms = situation.belief, situation.terms
    for_running, for_outlook = jax.random.split(key)
    share = situation.share()
    running = noise.uniform(noise.words(for_running, share.shape)[0], share.dtype) < situation.chance
    made = jnp.where(running, lots, 0.0)
    state = belief.state._replace(progress=belief.state.progress + situation.per_lot[:, None] * made)
    after = situation._replace(belief=belief._replace(state=state))
    number, reached = levels(terms.all_lots, share.dtype), after.belief.returns()
    uniform = jax.random.uniform(for_outlook, (), share.dtype)
    chosen = jax.vmap(lambda w: outlooks(w, uniform))(belief.weight)
    scale = (terms.noise * situation.scale)[:, None, None]
    off = (reached[:, None] - taken(reached, chosen)[..., None]) / scale
    log_weight = belief.log_weight[:, None] - 0.5 * off**2
    weight = jnp.exp(log_weight - jax.nn.logsumexp(log_weight, axis=2, keepdims=True))

    def average(values: Particles) -> Float[Array, "projects outlooks"]:
        return jnp.einsum("nop,np->no", weight, values)

    later = 1.0 if terms.discount is None else jnp.asarray(terms.discount, share.dtype)
    table = later * after.by_level(average, share) + average(reached - belief.returns())[..., None]
    kept = situation.left.astype(share.dtype) - lots - number
    index = jnp.maximum(kept, 0.0).astype(jnp.int32)
    # After the look the project itself gets what is left for later periods, others this period's rest too.
    allowed = (kept >= 0) & (number <= (situation.left - situation.now).astype(share.dtype))
    total = jnp.where(allowed[None, None], table + rest[:, None, index], -jnp.inf)
    return jnp.mean(jnp.max(total, axis=-1), axis=1)


def outlooks(weight: Vector, uniform: Scalar) -> Array:
    """Particles at even quantiles of their weights."""
    every = weight.size // OUTLOOKS if weight.size >= OUTLOOKS else 1
    return systematic(weight, uniform)[::every][:OUTLOOKS]


class KnowledgeGradient(Policy):
    """All lots of the period to the project of which that is worth most (Frazier, Powell & Dayanik 2008)."""

    name: ClassVar[str] = "knowledge_gradient"

    def choose(self, situation: Situation, memory: Any, key: Array) -> tuple[Lots, Any]:
        rest = others(situation.to_the_end())
        value = worth(situation, situation.now.astype(rest.dtype), rest, key)
        return jnp.where(largest(value), situation.now, 0), memory


class KnowledgeGradientLots(Policy):
    """Lot by lot to the project whose worth rises most by one more, as if the others' were not looked at."""

    name: ClassVar[str] = "knowledge_gradient_lots"

    def choose(self, situation: Situation, memory: Any, key: Array) -> tuple[Lots, Any]:
        rest = others(situation.to_the_end())
        number = levels(situation.terms.at_most, rest.dtype)
        value = jax.lax.map(lambda lots: worth(situation, lots, rest, key), number)  # one key: in pairs

        def give(lot: Array, given: Lots) -> Lots:
            upward = jnp.take_along_axis(value, (given + 1)[None], axis=0)[0]
            rise = upward - jnp.take_along_axis(value, given[None], axis=0)[0]
            return given + (largest(rise) & (lot < situation.now)).astype(jnp.int32)

        nothing = jnp.zeros(situation.per_lot.shape, jnp.int32)
        return jax.lax.fori_loop(0, situation.terms.at_most, give, nothing), memory
