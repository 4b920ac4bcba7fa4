"""A policy at work in a world: period by period it decides, spends, looks and believes anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from engine.model.curves.base import Vector
from engine.model.keys import named
from engine.model.portfolio import Portfolio
from engine.planning.beliefs import Belief, believe
from engine.planning.looks import update
from engine.planning.policies.base import Policy
from engine.planning.situation import Situation, pace, spendable
from engine.planning.world import State, Terms, World, advance, begin, look, scales
from engine.solvers.responses import Scalar


class Played(NamedTuple):
    """What a policy did, by period: the lots of each project, what the projects have returned after it,
    discounted where that is asked for, their progress, and what was watched of its beliefs."""

    lots: Int[Array, "periods projects"]
    returns: Float[Array, "periods projects"]
    progress: Float[Array, "periods projects"]
    watched: Any


class Position(NamedTuple):
    """Where a plan stands between two periods."""

    state: State
    belief: Belief
    left: Int[Array, ""]
    memory: Any
    returned: Vector


def build_world(truth: Portfolio, draws: Portfolio, cost: Vector, budget: Scalar, terms: Terms) -> World:
    """The world of a portfolio: a lot is an equal part of the budget, and a project's scale what its draws
    return on average where it gets all of it."""
    lot = budget / terms.all_lots
    return World(truth, lot / cost, scales(draws, budget / cost))


def known(world: World, state: State) -> Belief:
    """The belief of who sees all: one particle, the truth."""
    truth, alone = jax.tree.map(lambda a: a[:, None], (world.truth, state))
    return Belief(truth, alone, jnp.zeros((world.scale.size, 1), world.scale.dtype))


def play(
    policy: Policy,
    terms: Terms,
    world: World,
    draws: Portfolio,
    key: Array,
    watch: Callable[[Belief], Any] = lambda belief: None,
) -> Played:
    """Run a policy to the end. Random numbers of the world are the same whatever the policy.

    **Arguments:** `draws` [particles, projects], equally likely before anything is seen; `watch`, what is
    kept of the belief after each period.
    """
    state = begin(terms, world.scale, named(key, "running"))
    belief = known(world, state) if policy.clairvoyant else believe(terms, draws, named(key, "particles"))

    def situation(position: Position, period: Array) -> Situation:
        left = jnp.minimum(position.left, spendable(terms, period))
        place = period, pace(terms, period, left), left
        until = None if world.deadline is None else world.ahead(terms, period)
        return Situation(terms, position.belief, world.per_lot, world.scale, *place, until)

    def step(position: Position, period: Array) -> tuple[Position, Played]:
        move, see, learn, decide = (
            jax.random.fold_in(named(key, name), period) for name in ("move", "see", "learn", "decide")
        )
        lots, memory = policy.choose(situation(position, period), position.memory, decide)
        effort = lots.astype(world.scale.dtype) * world.per_lot
        if world.deadline is not None:
            effort = jnp.where(world.ahead(terms, period) > 0, effort, 0.0)
        state = advance(terms, position.state, effort, move)
        if policy.clairvoyant:
            belief = known(world, state)
        else:
            seen = look(terms, world, state, see)
            belief = update(terms, position.belief, effort, seen, world.scale, learn)
        left = position.left - jnp.sum(lots, dtype=jnp.int32)
        returned = world.truth.returns(state.progress)
        if terms.discount is not None:
            more = returned - world.truth.returns(position.state.progress)
            returned = position.returned + terms.counts(period, more.dtype) * more
        played = Played(lots, returned, state.progress, watch(belief))
        return Position(state, belief, left, memory, returned), played

    start = Position(state, belief, jnp.int32(terms.all_lots), None, world.truth.returns(state.progress))
    start = start._replace(memory=policy.begin(situation(start, jnp.int32(0))))
    return jax.lax.scan(step, start, jnp.arange(terms.periods, dtype=jnp.int32))[1]
