"""Interior point: real effort for a coherent objective over draws, by a primal-dual Newton method.

Effort is in shares y of the room (`room`). For (1 − κ)·mean + κ·CVaR_α this is the programme

    maximise  (1 − κ) mean_s V_s(x) + κ t − w Σ_s u_s,   u_s ≥ 0,   b_s = u_s − t + V_s(x) ≥ 0,   w = κ/(αS)

of Rockafellar & Uryasev, whose multipliers p_s ∈ (0, w) of b_s add up to κ at the optimum: they weigh the
draws, and every step's give a certificate. Each step solves the linearised conditions, all products of a
slack with its multiplier a τ that falls with them; draws and t are eliminated, so that a system of N unknowns
is left, to which the curves bring a diagonal, Σ_s q_s V_s'', and the draws a matrix of rank S. Mean −
κ·deviation is smooth but where the deviation is 0, and needs no more than its own second derivatives.

Curves bent upwards are taken as straight, so that a step always climbs: on S-shaped curves this is a local
method, and `risk` says where to begin.

What did not do: optax's L-BFGS on shares and a smoothed CVaR stalls at its kinks (relative gaps of 4e-3 after
125 steps), and a barrier without multipliers of its own finds the value but no weights that prove it.

Sources: Rockafellar & Uryasev (2000); Boyd & Vandenberghe (2004), section 11.7; Nocedal & Wright (2006),
chapter 19.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from engine.bets.certificate import weighted_gap
from engine.bets.objectives import Draws, MeanCVaR, MeanDeviation, Objective, deviation
from engine.bets.room import Room, filled, filled_in_proportion, room_of
from engine.bets.uncertain import Uncertain
from engine.model.curves.base import Vector
from engine.solvers.relaxation import Box
from engine.solvers.responses import Scalar

MOST_STEPS = 60
# How far towards the nearest bound a step goes, and by how much products of slacks and multipliers shrink.
WITHIN, LEAST_FALL = 0.99, 0.05
# The least standard deviation that is told from none, as a share of the mean return.
LEAST_SPREAD = 1e-9
# A share of the room, or of a value, that is none.
TRACE = 1e-8


class Tail(NamedTuple):
    """The part of the programme that CVaR brings: t, u, b and p; see the module's first lines."""

    level: Scalar
    loss: Draws
    slack: Draws
    price: Draws


class Shares(NamedTuple):
    """Shares of the room and the multipliers of y ≥ 0, y ≤ U and Σ y ≤ 1."""

    share: Vector
    low: Vector
    high: Vector
    water: Scalar


class Climb(NamedTuple):
    """Where the method stands; the best shares, no more than their value, the least bound so far; steps."""

    shares: Shares
    tail: Tail
    best: Vector
    value: Scalar
    bound: Scalar
    fall: Scalar
    steps: Int[Array, ""]


class Found(NamedTuple):
    """The best effort, its value, and a bound of all efforts; infinite where none is known."""

    effort: Vector
    value: Scalar
    bound: Scalar


class Here(NamedTuple):
    """The draws at an effort: V, its slopes and second derivatives in shares, and their weights."""

    values: Draws
    slopes: Float[Array, "draws projects"]
    bends: Float[Array, "draws projects"]
    weights: Draws


def inside(room: Room, share: Vector) -> Vector:
    """Shares moved off their bounds and the budget, to begin from."""
    middle = room.most / jnp.maximum(2.0 * jnp.sum(room.most), 2.0)
    return 0.9 * jnp.clip(share, 0.0, room.most) / jnp.maximum(jnp.sum(share), 1.0) + 0.1 * middle


def distances(room: Room, share: Vector) -> tuple[Vector, Vector, Scalar]:
    """How far shares are from nothing, from the most and from the budget; 1 of projects without a choice."""
    free = room.most > 0
    return jnp.where(free, share, 1.0), jnp.where(free, room.most - share, 1.0), 1.0 - jnp.sum(share)


def climb(bet: Uncertain, objective: Objective, box: Box, begin: Vector, tolerance: Scalar | float) -> Found:
    """The best effort by a coherent objective from an effort on, and a bound where draws are concave."""
    room = room_of(box)

    def step(state: Climb) -> Climb:
        here = look(bet, objective, room, state)
        return advance(objective, room, judge(bet, objective, room, state, here), here)

    def unfinished(state: Climb) -> Array:
        wide = state.bound - state.value > tolerance * jnp.abs(state.value)
        goes_on = (state.steps < MOST_STEPS) & jnp.all(jnp.isfinite(state.shares.share))
        return goes_on & (wide | ~jnp.isfinite(state.bound))

    found = jax.lax.while_loop(unfinished, step, set_out(bet, objective, room, begin))
    return tidied(bet, objective, room, found)


def tidied(bet: Uncertain, objective: Objective, room: Room, found: Climb) -> Found:
    """The best shares with the rest of the budget spent, and without traces of effort that bring nothing."""
    spent = jnp.where(room.most > 0, filled(room, found.best), 0.0)
    clean = filled_in_proportion(room, jnp.where(spent < TRACE, 0.0, spent))
    efforts = jnp.stack([room.effort(found.best), room.effort(spent), room.effort(clean)])
    values = jnp.stack([objective.value(bet.values(effort)) for effort in efforts])
    best = jnp.where(values[2] >= jnp.max(values) - TRACE * jnp.abs(values[2]), 2, jnp.argmax(values))
    return Found(efforts[best], values[best], found.bound)


def set_out(bet: Uncertain, objective: Objective, room: Room, begin: Vector) -> Climb:
    """Off all bounds, with products of slacks and multipliers of about one size."""
    share = inside(room, room.share(begin))
    values = bet.values(room.effort(share))
    size = jnp.maximum(jnp.mean(jnp.abs(values)), jnp.finfo(values.dtype).tiny)
    low, high, left = distances(room, share)
    product = 0.5 * size / share.size
    level, most = size, jnp.full_like(values, 1.0)
    if isinstance(objective, MeanCVaR):
        level, most = jnp.quantile(values, objective.tail), most * tail_weight(objective, values.size)
    gap = 0.02 * size + 0.0 * values
    tail = Tail(
        level, jnp.maximum(level - values, 0.0) + gap, jnp.maximum(values - level, 0.0) + gap, 0.5 * most
    )
    shares = Shares(share, product / low, product / high, product / left)
    value = objective.at_least(values, level)
    return Climb(shares, tail, share, value, jnp.inf * size, 0.1 + 0.0 * size, jnp.int32(0))


def tail_weight(objective: MeanCVaR, count: int) -> Scalar:
    """w, above 0."""
    return jnp.maximum(objective.aversion, 1e-12) / (objective.tail * count)


def look(bet: Uncertain, objective: Objective, room: Room, state: Climb) -> Here:
    """The draws where the method stands."""
    effort = room.effort(state.shares.share)
    slopes, bends = jax.jvp(bet.slopes, (effort,), (jnp.ones_like(effort),))
    values = bet.values(effort)
    weights = objective.weights(values)
    if isinstance(objective, MeanCVaR):
        weights = (1.0 - objective.aversion) / values.size + state.tail.price
    free = (room.most > 0)[None]  # a slope of what has no choice may be infinite
    slopes, bends = jnp.where(free, slopes, 0.0), jnp.where(free, bends, 0.0)
    return Here(values, slopes * room.scale[None], bends * room.scale[None] ** 2, weights)


def judge(bet: Uncertain, objective: Objective, room: Room, state: Climb, here: Here) -> Climb:
    """The best value and the least bound so far; where draws are concave the weights here give a bound."""
    share = state.shares.share
    value = objective.at_least(here.values, state.tail.level)
    found = jnp.full_like(value, jnp.inf)
    if bet.concave:
        weights = objective.toward(here.weights)
        box = Box(jnp.ones_like(value), jnp.ones_like(share), jnp.zeros_like(share), room.most, share < 0)
        found = weights @ here.values + weighted_gap(box, share, weights @ here.slopes)
    return state._replace(
        best=jnp.where(value > state.value, share, state.best),
        value=jnp.maximum(value, state.value),
        bound=jnp.minimum(found, state.bound),
    )


def advance(objective: Objective, room: Room, state: Climb, here: Here) -> Climb:
    """One step of the primal-dual method."""
    shares, tail = state.shares, state.tail
    low, high, left = distances(room, shares.share)
    free = room.most > 0
    products = jnp.sum(jnp.where(free, low * shares.low + high * shares.high, 0.0)) + left * shares.water
    number = 2.0 * jnp.sum(free, dtype=left.dtype) + 1.0
    if isinstance(objective, MeanCVaR):
        other = tail_weight(objective, here.values.size) - tail.price
        products += jnp.sum(tail.loss * other + tail.slack * tail.price)
        number += 2.0 * here.values.size
    tau = state.fall * products / number

    bend, push, pull = curvature(objective, here, tail, tau)
    diagonal = jnp.minimum(here.weights @ here.bends, 0.0) - shares.low / low - shares.high / high
    bend = (
        bend
        + jnp.diag(jnp.where(free, diagonal, -1.0))
        - shares.water / left * jnp.outer(free, free).astype(left.dtype)
    )
    gradient = here.weights @ here.slopes + push + tau * (1.0 / low - 1.0 / high - 1.0 / left)
    towards = jax.scipy.linalg.solve(-bend, jnp.where(free, gradient, 0.0), assume_a="pos")
    moved = Shares(
        towards,
        tau / low - shares.low - shares.low / low * towards,
        tau / high - shares.high + shares.high / high * towards,
        tau / left - shares.water + shares.water / left * jnp.sum(towards),
    )
    lengths = [reach(low, towards), reach(high, -towards), reach(left, -jnp.sum(towards))]
    lengths += [reach(now, to) for now, to in zip(shares[1:], moved[1:], strict=True)]
    follow = pull(towards)
    if isinstance(objective, MeanCVaR):
        lengths += [reach(now, to) for now, to in zip(tail[1:], follow[1:], strict=True)]
        lengths += [reach(other, -follow.price)]
    length = jnp.minimum(1.0, WITHIN * jnp.min(jnp.stack(lengths)))
    new_shares, new_tail = jax.tree.map(lambda now, to: now + length * to, (shares, tail), (moved, follow))
    fall = jnp.clip((1.0 - length) ** 2, LEAST_FALL, 0.8)
    return state._replace(shares=Shares(*new_shares), tail=Tail(*new_tail), fall=fall, steps=state.steps + 1)


def curvature(
    objective: Objective, here: Here, tail: Tail, tau: Scalar
) -> tuple[Float[Array, "projects projects"], Vector, Callable[[Vector], Tail]]:
    """What the draws add to the system of the shares: to its matrix, to its right side, and what follows for
    the tail from a move of the shares."""
    slopes = here.slopes
    still = Tail(*(jnp.zeros_like(part) for part in tail))
    if isinstance(objective, MeanCVaR):
        return tail_curvature(objective, here, tail, tau)
    if isinstance(objective, MeanDeviation):
        spread = jnp.maximum(deviation(here.values), LEAST_SPREAD * jnp.mean(jnp.abs(here.values)))
        unit = (here.values - jnp.mean(here.values)) / (here.values.size * spread)
        middle, along = slopes - jnp.mean(slopes, axis=0, keepdims=True), unit @ slopes
        bend = jnp.outer(along, along) / spread - middle.T @ middle / (here.values.size * spread)
        return objective.aversion * bend, jnp.zeros_like(along), lambda _: still
    projects = slopes.shape[1]
    return jnp.zeros((projects, projects), slopes.dtype), jnp.zeros_like(slopes[0]), lambda _: still


def tail_curvature(
    objective: MeanCVaR, here: Here, tail: Tail, tau: Scalar
) -> tuple[Float[Array, "projects projects"], Vector, Callable[[Vector], Tail]]:
    """`curvature` of CVaR: dp = D (e − J dy + dt), where dt keeps Σ p at κ."""
    level, loss, slack, price = tail
    most = tail_weight(objective, here.values.size)
    other = most - price
    missing = loss - level + here.values - slack
    stiff = 1.0 / (slack / price + loss / other)
    off = (tau / price - slack) - (tau / other - loss) - missing
    total, cross = jnp.sum(stiff), stiff @ here.slopes
    lift = most * objective.tail * here.values.size - jnp.sum(price) - jnp.sum(stiff * off)
    bend = jnp.outer(cross, cross) / total - (here.slopes.T * stiff[None]) @ here.slopes
    push = (stiff * off) @ here.slopes + cross * lift / total

    def follow(towards: Vector) -> Tail:
        rise = here.slopes @ towards
        level_by = (lift + cross @ towards) / total
        price_by = stiff * (off - rise + level_by)
        loss_by = (tau - loss * other + loss * price_by) / other
        return Tail(level_by, loss_by, loss_by - level_by + rise + missing, price_by)

    return bend, push, follow


def reach(now: Array, to: Array) -> Scalar:
    """How far numbers above 0 may go along a direction."""
    return jnp.min(jnp.where(to < 0, -now / jnp.where(to < 0, to, -1.0), jnp.inf))
