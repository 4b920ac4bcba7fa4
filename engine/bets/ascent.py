"""Ascent: real effort for any objective over draws, from many starts, feasible at every step.

Effort is given by a number z_i for each project and one for what is left unspent,

    x_i = l_i + (room/c_i)·U_i·σ(z_i − ν),    Σ_i U_i σ(z_i − ν) = 1,

so that budget and bounds hold whatever z is, and optax's Adam climbs in z along Σ_s q_s ∇V_s: by the weights
of the objective, or of one without steps where it has some (`Objective.smoothed`), whose width shrinks on the
way. The best effort seen is kept by the objective itself. Where weights are those of an envelope, Newton's
method (`interior`) ends each start.

Sources: Kingma & Ba (2015) for Adam; DeepMind's optax.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from engine.bets.interior import climb
from engine.bets.objectives import Objective
from engine.bets.room import Room, room_of
from engine.bets.uncertain import Uncertain
from engine.model.curves.base import Vector
from engine.model.curves.staged import Tabulated
from engine.model.portfolio import Portfolio
from engine.solvers.bound import bound
from engine.solvers.lattice import build_lattice
from engine.solvers.relaxation import Box
from engine.solvers.responses import Scalar

STEPS, RATE = 150, 0.25
# Halvings that find ν.
HALVINGS = 50
# The width of an objective's step, as a share of the standard deviation over draws: at first, at last.
WIDTHS = (1.0, 0.02)
# How unequal random starts are: the standard deviation of z, up to.
MOST_SPREAD = 4.0
# z of what is left unspent, where that is little.
LITTLE = -6.0
# Levels of the tables that give more starts, one a round.
LEVELS, ROUNDS = 200, 4


class Found(NamedTuple):
    """An effort, its value, and a bound of all efforts; infinite where none is known."""

    effort: Vector
    value: Scalar
    bound: Scalar


def shares_at(most: Vector, z: Vector) -> tuple[Vector, Vector]:
    """U σ(z − ν) with ν such that they add up to 1, and their slopes in z at a given ν."""

    def halve(_: int, ends: tuple[Scalar, Scalar]) -> tuple[Scalar, Scalar]:
        low, high = ends
        middle = 0.5 * (low + high)
        above = jnp.sum(most * jax.nn.sigmoid(z - middle)) > 1.0
        return jnp.where(above, middle, low), jnp.where(above, high, middle)

    # At `reach` beyond the largest and the smallest z all shares are nothing, or the most.
    reach = 40.0
    ends = jnp.min(z) - reach, jnp.max(z) + reach
    part = jax.nn.sigmoid(z - jax.lax.fori_loop(0, HALVINGS, halve, ends)[1])
    return most * part, most * part * (1.0 - part)


def starts_of(projects: int, count: int, dtype: jnp.dtype) -> Float[Array, "starts places"]:
    """z to begin from, the last place what is left unspent: equal shares first, then ever less equal ones, of
    every other start with much left."""
    z = jax.random.normal(jax.random.key(0), (count, projects), dtype)
    spread = jnp.linspace(0.0, MOST_SPREAD, count, dtype=dtype)[:, None]
    unspent = jnp.where(jnp.arange(count) % 2 == 0, LITTLE, 0.0).astype(dtype)[:, None]
    return jnp.concatenate([z * spread, unspent], axis=1)


def table_starts(bet: Uncertain, objective: Objective, room: Room) -> Float[Array, "rounds projects"]:
    """Efforts of large weighted return, of any curves, by density over levels: weights are equal at first,
    then the objective's own at the effort before."""
    box, scale, most = room
    levels = box.least[:, None] + scale[:, None] * jnp.linspace(0.0, 1.0, LEVELS + 1, dtype=scale.dtype)[None]
    lattice, budget = build_lattice(LEVELS, scale.size), jnp.asarray(LEVELS, scale.dtype)

    def plan(weights: Array, _: None) -> tuple[Array, Vector]:
        curves = Tabulated(bet.weighted_tables(levels, weights[None])[0])
        found = bound(Portfolio(curves, upper=jnp.floor(most * LEVELS)), budget, lattice).effort
        effort = jnp.take_along_axis(levels, found.astype(jnp.int32)[:, None], axis=1)[:, 0]
        values = bet.values(effort)
        return objective.smoothed(values, jnp.maximum(jnp.std(values), jnp.finfo(values.dtype).tiny)), effort

    equal = jnp.full(bet.count, 1.0 / bet.count, scale.dtype)
    return jax.lax.scan(plan, equal, length=ROUNDS)[1]


def ascend(
    bet: Uncertain, objective: Objective, room: Room, z: Float[Array, " places"]
) -> tuple[Vector, Scalar]:
    """The best effort that an ascent from z meets, and its value."""
    most = jnp.append(room.most, 1.0)
    optimiser = optax.adam(optax.cosine_decay_schedule(RATE, STEPS))
    first, last = WIDTHS

    def step(state: Any, part: Scalar) -> tuple[Any, None]:
        z, memory, best, at_best = state
        shares, rates = shares_at(most, z)
        effort = room.effort(shares[:-1])
        values = bet.values(effort)
        value = objective.value(values)
        width = jnp.std(values) * first * (last / first) ** part
        weights = objective.smoothed(values, jnp.maximum(width, jnp.finfo(values.dtype).tiny))
        slope = jnp.append(weights @ bet.slopes(effort) * room.scale, 0.0)
        slope = jnp.where(jnp.isfinite(slope), slope, 0.0)
        # ν moves along: what all shares gain together they cannot.
        along = rates * (slope - jnp.sum(rates * slope) / jnp.maximum(jnp.sum(rates), 1e-300))
        size = jnp.maximum(jnp.max(jnp.abs(along)), jnp.finfo(values.dtype).tiny)
        with jax.numpy_dtype_promotion("standard"):  # optax counts steps in int32
            updates, memory = optimiser.update(-along / size, memory, z)
        better = value > best
        return (
            optax.apply_updates(z, updates),
            memory,
            jnp.where(better, value, best),
            jnp.where(better, effort, at_best),
        ), None

    begin = z, optimiser.init(z), jnp.asarray(-jnp.inf, z.dtype), jnp.zeros_like(room.most)
    parts = jnp.linspace(0.0, 1.0, STEPS, dtype=z.dtype)
    _, _, value, effort = jax.lax.scan(step, begin, parts)[0]
    return effort, value


def best_effort(
    bet: Uncertain, objective: Objective, box: Box, tolerance: Scalar | float, starts: int
) -> Found:
    """The best effort of all starts, and the bound of concave draws."""
    room = room_of(box)
    if bet.concave and objective.monotone:
        equal = room.effort(room.most / jnp.maximum(jnp.sum(room.most), 1.0))
        found = climb(bet, objective, box, equal, tolerance)
        return Found(found.effort, found.value, found.bound)
    begin = starts_of(room.most.size, starts, box.budget.dtype)
    efforts, _ = jax.lax.map(lambda z: ascend(bet, objective, room, z), begin)
    efforts = jnp.concatenate([efforts, table_starts(bet, objective, room)])
    least = jnp.asarray(jnp.inf, efforts.dtype)
    if objective.coherent:
        ends = jax.lax.map(lambda effort: climb(bet, objective, box, effort, tolerance), efforts)
        efforts, least = jnp.concatenate([efforts, ends.effort]), jnp.min(ends.bound)
    values = jax.lax.map(lambda effort: objective.value(bet.values(effort)), efforts)
    best = jnp.argmax(values)
    return Found(efforts[best], values[best], least)
