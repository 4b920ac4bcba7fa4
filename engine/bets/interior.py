"""Interior point: real effort for a coherent objective over draws, by a primal-dual Newton method.

Effort is in shares y of the room (`room`). For (1 − κ)·mean + κ·CVaR_α this is the programme

    maximise  (1 − κ) mean_s V_s(x) + κ t − w Σ_s u_s,   u_s ≥ 0,   b_s = u_s − t + V_s(x) ≥ 0,   w = κ/(αS)

of Rockafellar & Uryasev, whose multipliers p_s ∈ (0, w) of b_s add up to κ at the optimum: they weigh the
draws, and every step's give a certificate. Each step solves the linearised conditions twice by one matrix
(Mehrotra 1992): for products of slacks and multipliers of nothing, which tells how far they can fall; then
for that fall, less what the first direction adds in second order. Draws and t are eliminated, so that a
system of N unknowns is left, to which the curves bring a diagonal, Σ_s q_s V_s'', and the draws a matrix of
rank S. Mean − κ·deviation is smooth but where the deviation is 0, and needs no more than its own second
derivatives.

Curves bent upwards are taken as straight, so that a step always climbs: on S-shaped curves this is a local
method, and `risk` says where to begin.

What did not do: optax's L-BFGS on shares and a smoothed CVaR stalls at its kinks (relative gaps of 4e-3 after
125 steps), and a barrier without multipliers of its own finds the value but no weights that prove it.

Sources: Rockafellar & Uryasev (2000); Mehrotra (1992), SIAM Journal on Optimization 2; Boyd & Vandenberghe
(2004), section 11.7; Nocedal & Wright (2006), chapters 14 and 19.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from engine.bets.certificate import weighted_gap
from engine.bets.factored import factored, solved
from engine.bets.objectives import Draws, MeanCVaR, MeanDeviation, Objective, deviation
from engine.bets.room import Room, filled, filled_in_proportion, room_of
from engine.bets.uncertain import Uncertain
from engine.model.curves.base import Vector
from engine.solvers.relaxation import Box
from engine.solvers.responses import Scalar

MOST_STEPS = 60
# How far towards the nearest bound a step goes, and to which share of themselves, from the least to the most,
# products of slacks and multipliers fall.
WITHIN, FALLS = 0.99, (1e-2, 0.8)
# A direction that gets no further than this share counts as that share of it in what it adds in second order.
FAR = 0.5
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


class Point(NamedTuple):
    """Where the method stands, or a direction from there."""

    shares: Shares
    tail: Tail


class Products(NamedTuple):
    """What is asked of the products of slacks and multipliers: y's, U − y's, the budget's, u's and b's."""

    low: Vector
    high: Vector
    left: Scalar
    loss: Draws
    slack: Draws


class Climb(NamedTuple):
    """Where the method stands; the best shares, no more than their value, the least bound so far; steps."""

    point: Point
    best: Vector
    value: Scalar
    bound: Scalar
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


class System(NamedTuple):
    """What the draws bring to the linear system of the shares: to its matrix; to its right side, by the
    products asked for; and the tail's direction, by that of the shares and the products."""

    bend: Float[Array, "projects projects"]
    push: Callable[[Products], Vector]
    follow: Callable[[Vector, Products], Tail]


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
        judged = judge(bet, objective, room, state, here)
        return judged._replace(point=advance(objective, room, state.point, here), steps=state.steps + 1)

    def unfinished(state: Climb) -> Array:
        wide = state.bound - state.value > tolerance * jnp.abs(state.value)
        goes_on = (state.steps < MOST_STEPS) & jnp.all(jnp.isfinite(state.point.shares.share))
        return goes_on & (wide | ~jnp.isfinite(state.bound))

    found = jax.lax.while_loop(unfinished, step, set_out(bet, objective, room, begin))
    return tidied(bet, objective, room, found)


def tidied(bet: Uncertain, objective: Objective, room: Room, found: Climb) -> Found:
    """The best shares with the rest of the budget spent, and without traces of effort that bring nothing."""
    spent = jnp.where(room.most > 0, filled(room, found.best), 0.0)
    clean = filled_in_proportion(room, jnp.where(spent < TRACE, 0.0, spent))
    efforts = jnp.stack([room.effort(share) for share in (found.best, spent, clean)])
    level = found.point.tail.level
    values = jnp.stack([objective.at_least(bet.values(effort), level) for effort in efforts])
    best = jnp.where(values[2] >= jnp.max(values) - TRACE * jnp.abs(values[2]), 2, jnp.argmax(values))
    return Found(efforts[best], objective.value(bet.values(efforts[best])), found.bound)


def set_out(bet: Uncertain, objective: Objective, room: Room, begin: Vector) -> Climb:
    """Off all bounds, with products of slacks and multipliers of about one size; the draws' exactly so: u, b
    and p are those of b − u = V − t at which b p = u (w − p), a softer tail than the objective's."""
    share = inside(room, room.share(begin))
    values = bet.values(room.effort(share))
    size = jnp.maximum(jnp.mean(jnp.abs(values)), jnp.finfo(values.dtype).tiny)
    low, high, left = distances(room, share)
    product = 0.2 * size / share.size
    shares = Shares(share, product / low, product / high, product / left)
    level, most = size, jnp.ones_like(size)
    if isinstance(objective, MeanCVaR):
        level, most = jnp.quantile(values, objective.tail), tail_weight(objective, values.size)
    above, soft = values - level, 0.5 * jnp.std(values) + 0.01 * size
    slack = 0.5 * (above + 2.0 * soft + jnp.sqrt(above**2 + 4.0 * soft**2))
    tail = Tail(level, slack - above, slack, most * soft / slack)
    value = objective.at_least(values, level)
    return Climb(Point(shares, tail), share, value, jnp.inf * size, jnp.int32(0))


def tail_weight(objective: MeanCVaR, count: int) -> Scalar:
    """w, above 0."""
    return jnp.maximum(objective.aversion, 1e-12) / (objective.tail * count)


def look(bet: Uncertain, objective: Objective, room: Room, state: Climb) -> Here:
    """The draws where the method stands."""
    effort = room.effort(state.point.shares.share)
    slopes, bends = jax.jvp(bet.slopes, (effort,), (jnp.ones_like(effort),))
    values = bet.values(effort)
    weights = objective.weights(values)
    if isinstance(objective, MeanCVaR):
        weights = (1.0 - objective.aversion) / values.size + state.point.tail.price
    free = (room.most > 0)[None]  # a slope of what has no choice may be infinite
    slopes, bends = jnp.where(free, slopes, 0.0), jnp.where(free, bends, 0.0)
    return Here(values, slopes * room.scale[None], bends * room.scale[None] ** 2, weights)


def judge(bet: Uncertain, objective: Objective, room: Room, state: Climb, here: Here) -> Climb:
    """The best value and the least bound so far; where draws are concave the weights here give a bound."""
    share = state.point.shares.share
    value = objective.at_least(here.values, state.point.tail.level)
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


def closed(tail: Tail, values: Draws) -> Tail:
    """The tail with b = u − t + V at these returns: what a step along their slopes missed is added to u or b.
    Left for the next steps to mend, it would outlive the products, and the certificate wait for it."""
    missing = tail.loss - tail.level + values - tail.slack
    return tail._replace(
        loss=tail.loss + jnp.maximum(-missing, 0.0), slack=tail.slack + jnp.maximum(missing, 0.0)
    )


def products_of(objective: Objective, room: Room, point: Point) -> Products:
    """Slacks times multipliers; 0 of what has no choice, and of the draws where there is no tail."""
    shares, tail = point
    low, high, left = distances(room, shares.share)
    free = room.most > 0
    loss, slack = jnp.zeros_like(tail.loss), jnp.zeros_like(tail.slack)
    if isinstance(objective, MeanCVaR):
        other = tail_weight(objective, tail.price.size) - tail.price
        loss, slack = tail.loss * other, tail.slack * tail.price
    low, high = jnp.where(free, low * shares.low, 0.0), jnp.where(free, high * shares.high, 0.0)
    return Products(low, high, left * shares.water, loss, slack)


def advance(objective: Objective, room: Room, point: Point, here: Here) -> Point:
    """One step of the primal-dual method: predictor, corrector, as far as slacks and multipliers let it."""
    point = point._replace(tail=closed(point.tail, here.values))
    products = products_of(objective, room, point)
    towards = directions(objective, room, point, here)
    predicted = towards(jax.tree.map(jnp.zeros_like, products))
    length = jnp.minimum(1.0, longest(objective, room, point, predicted))
    ahead = total(products_of(objective, room, moved(point, predicted, length)))
    fall = jnp.clip((ahead / total(products)) ** 3, *FALLS)
    count = 2.0 * jnp.sum(room.most > 0, dtype=ahead.dtype) + 1.0
    count += 2.0 * here.values.size if isinstance(objective, MeanCVaR) else 0.0
    tau = fall * total(products) / count

    trust = jnp.where(length > FAR, 1.0, length)
    shares, tail = jax.tree.map(lambda to: trust * to, predicted)
    corrected = towards(
        Products(
            tau - shares.share * shares.low,
            tau + shares.share * shares.high,
            tau + jnp.sum(shares.share) * shares.water,
            tau + tail.loss * tail.price,
            tau - tail.slack * tail.price,
        )
    )
    length = jnp.minimum(1.0, WITHIN * longest(objective, room, point, corrected))
    return moved(point, corrected, length)


def moved(point: Point, direction: Point, length: Scalar) -> Point:
    """The point so far along a direction."""
    return jax.tree.map(lambda now, to: now + length * to, point, direction)


def total(products: Products) -> Scalar:
    """Their sum."""
    return sum((jnp.sum(part) for part in products), start=jnp.zeros_like(products.left))


def longest(objective: Objective, room: Room, point: Point, direction: Point) -> Scalar:
    """How far a direction goes until a slack or a multiplier is 0."""
    (shares, tail), (to, follow) = point, direction
    low, high, left = distances(room, shares.share)
    lengths = [reach(low, to.share), reach(high, -to.share), reach(left, -jnp.sum(to.share))]
    lengths += [reach(now, by) for now, by in zip(shares[1:], to[1:], strict=True)]
    if isinstance(objective, MeanCVaR):
        lengths += [reach(now, by) for now, by in zip(tail[1:], follow[1:], strict=True)]
        lengths += [reach(tail_weight(objective, tail.price.size) - tail.price, -follow.price)]
    return jnp.min(jnp.stack(lengths))


def directions(objective: Objective, room: Room, point: Point, here: Here) -> Callable[[Products], Point]:
    """Newton's direction to any products of slacks and multipliers, by one matrix factored once."""
    shares, tail = point
    low, high, left = distances(room, shares.share)
    free = room.most > 0
    draws = hessian(objective, here, tail)
    diagonal = jnp.minimum(here.weights @ here.bends, 0.0) - shares.low / low - shares.high / high
    bend = draws.bend + jnp.diag(jnp.where(free, diagonal, -1.0))
    bend -= shares.water / left * jnp.outer(free, free).astype(left.dtype)
    columns = factored(-bend)
    slope = here.weights @ here.slopes

    def towards(to: Products) -> Point:
        gradient = slope + draws.push(to) + to.low / low - to.high / high - to.left / left
        share = solved(columns, jnp.where(free, gradient, 0.0))
        by = Shares(
            share,
            to.low / low - shares.low - shares.low / low * share,
            to.high / high - shares.high + shares.high / high * share,
            to.left / left - shares.water + shares.water / left * jnp.sum(share),
        )
        return Point(by, draws.follow(share, to))

    return towards


def hessian(objective: Objective, here: Here, tail: Tail) -> System:
    """What the draws bring to the system of the shares."""
    if isinstance(objective, MeanCVaR):
        return tail_hessian(objective, here, tail)
    slopes = here.slopes
    projects = slopes.shape[1]
    bend = jnp.zeros((projects, projects), slopes.dtype)
    if isinstance(objective, MeanDeviation):
        spread = jnp.maximum(deviation(here.values), LEAST_SPREAD * jnp.mean(jnp.abs(here.values)))
        unit = (here.values - jnp.mean(here.values)) / (here.values.size * spread)
        middle, along = slopes - jnp.mean(slopes, axis=0, keepdims=True), unit @ slopes
        bend = jnp.outer(along, along) / spread - middle.T @ middle / (here.values.size * spread)
        bend = objective.aversion * bend
    still = jax.tree.map(jnp.zeros_like, tail)
    return System(bend, lambda _: jnp.zeros_like(slopes[0]), lambda *_: still)


def tail_hessian(objective: MeanCVaR, here: Here, tail: Tail) -> System:
    """`hessian` of CVaR: dp = D (e − J dy + dt), where dt keeps Σ p at κ."""
    _, loss, slack, price = tail
    most = tail_weight(objective, here.values.size)
    other = most - price
    stiff = 1.0 / (slack / price + loss / other)
    total, cross = jnp.sum(stiff), stiff @ here.slopes
    short = most * objective.tail * here.values.size - jnp.sum(price)

    def off(to: Products) -> Draws:
        return stiff * ((to.slack / price - slack) - (to.loss / other - loss))

    def push(to: Products) -> Vector:
        pull = off(to)
        return pull @ here.slopes + cross * (short - jnp.sum(pull)) / total

    def follow(towards: Vector, to: Products) -> Tail:
        pull, rise = off(to), here.slopes @ towards
        level_by = (short - jnp.sum(pull) + cross @ towards) / total
        price_by = pull + stiff * (level_by - rise)
        loss_by = (to.loss - loss * other + loss * price_by) / other
        return Tail(level_by, loss_by, loss_by - level_by + rise, price_by)

    bend = jnp.outer(cross, cross) / total - (here.slopes.T * stiff[None]) @ here.slopes
    return System(bend, push, follow)


def reach(now: Array, to: Array) -> Scalar:
    """How far numbers above 0 may go along a direction."""
    return jnp.min(jnp.where(to < 0, -now / jnp.where(to < 0, to, -1.0), jnp.inf))
