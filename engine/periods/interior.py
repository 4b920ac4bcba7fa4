"""Interior point: efforts over periods by a primal-dual Newton method.

The multipliers of x ≥ l, x ≤ u and of each budget, and their slacks, are driven to products of 0 together
(Mehrotra 1992, predictor and corrector). Eliminated, they leave for the direction of x

    (K + Cᵀ D C) dx = g,   K = −∇²V + diag(z_l/(x − l) + z_u/(u − x)),   D = diag(w/left)

where C sums up costs by budget. ∇²V = Σ_t δ^(t−1) A_i[t]ᵀ r_i''(s_it) A_i[t] couples the periods of one
project and no two projects, so K is N blocks of T × T, and the budgets come in by a matrix of their number
(Woodbury): N T³ operations a step, linear in projects. Curves bent upwards are taken as straight, so that a
step always climbs: on S-shaped ones this is a local method, from where it begins.

Where V is concave every step gives a bound of all efforts, V(x) plus the Frank–Wolfe gap.

Sources: Mehrotra (1992), SIAM Journal on Optimization 2; Nocedal & Wright (2006), chapters 14 and 19;
Frank & Wolfe (1956); Jaggi (2013).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from engine.bets.factored import factored, solved
from engine.periods.field import Budgets, Field, gap_at
from engine.periods.spread import Efforts, Spread, backward
from engine.solvers.responses import Scalar
from engine.solvers.rounding import least_positive, number_error

# How far towards the nearest bound a step goes, and to which share of themselves, from the least to the most,
# products of slacks and multipliers fall.
WITHIN, FALLS = 0.99, (1e-3, 0.8)
# The shares of a step that may be taken.
SHARES = (1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125)
# A predicted step shorter than this says too little of second order to correct it in full.
FAR = 0.5


class Multipliers(NamedTuple):
    """Of x ≥ least, x ≤ most and the budgets; or what the products with their slacks are to be."""

    low: Efforts
    high: Efforts
    water: Budgets


class Point(NamedTuple):
    """Where the method stands, or a direction from there."""

    effort: Efforts
    prices: Multipliers


class Climb(NamedTuple):
    """Where the method stands; the best effort, its value, the least bound so far; steps."""

    point: Point
    best: Efforts
    value: Scalar
    bound: Scalar
    steps: Int[Array, ""]


def inside(field: Field, effort: Efforts, pull: float) -> Efforts:
    """An effort moved by this share towards the middle: off its bounds, and within the budgets."""
    room, width = field.room, field.most - field.least
    safe = jnp.where(room > 0, room, 1.0)
    above = jnp.clip(effort - field.least, 0.0, width)

    def over(amount: Efforts, least: float) -> Efforts:
        return field.spread(jnp.maximum(field.spent(amount) / safe, least))

    middle = width / jnp.maximum(2.0 * over(width, 0.0), 2.0)
    return field.least + (1.0 - pull) * above / over(above, 1.0) + pull * middle


def slacks(field: Field, effort: Efforts) -> Multipliers:
    """How far an effort is from its bounds and each budget; 1 where there is no choice."""
    free = field.most > field.least
    left = field.budgets - field.spent(effort)
    return Multipliers(
        jnp.where(free, effort - field.least, 1.0),
        jnp.where(free, field.most - effort, 1.0),
        jnp.where(alive(field), left, 1.0),
    )


def alive(field: Field) -> Array:
    """Which budgets leave a choice."""
    return jnp.any(field.cells(field.most > field.least), axis=-1)


def masked(field: Field, each: Multipliers) -> Multipliers:
    """0 where there is no choice."""
    free = field.most > field.least
    return Multipliers(
        jnp.where(free, each.low, 0.0),
        jnp.where(free, each.high, 0.0),
        jnp.where(alive(field), each.water, 0.0),
    )


def products(field: Field, point: Point) -> Multipliers:
    """Slacks times multipliers; 0 where there is no choice."""
    distance = slacks(field, point.effort)
    return masked(field, jax.tree.map(jnp.multiply, distance, point.prices))


def total(each: Multipliers) -> Scalar:
    """The sum of all."""
    return sum((jnp.sum(part) for part in each), start=jnp.zeros((), each.water.dtype))


def climb(
    spread: Spread,
    field: Field,
    begin: Efforts,
    tolerance: Scalar | float,
    max_steps: Scalar | int,
    *,
    pull: float = 0.1,
) -> Climb:
    """The best effort that the method meets, and a bound where V is concave, else infinity.

    **Arguments:** `pull`, how far from its bounds it begins, and how large products are there.
    """
    effort = inside(field, begin, pull)
    size = jnp.maximum(jnp.abs(spread.value(effort)), least_positive(effort.dtype))
    count = 2.0 * jnp.sum(field.most > field.least, dtype=size.dtype) + 1.0
    prices = masked(field, jax.tree.map(lambda far: pull * size / count / far, slacks(field, effort)))
    endless = jnp.asarray(jnp.inf, effort.dtype)
    start = Climb(Point(effort, prices), effort, -endless, endless, jnp.int32(0))

    def unfinished(state: Climb) -> Array:
        scale = jnp.abs(state.value)
        gap = state.bound - state.value
        if not spread.concave:
            gap = total(products(field, state.point))
        return (state.steps < max_steps) & ((state.steps < 2) | (gap > tolerance * scale))

    def step(state: Climb) -> Climb:
        state = judge(spread, field, state)
        moved = advance(spread, field, state.point)
        sound = jax.tree.reduce(jnp.logical_and, jax.tree.map(lambda a: jnp.all(jnp.isfinite(a)), moved))
        point = jax.tree.map(lambda new, old: jnp.where(sound, new, old), moved, state.point)
        steps = jnp.where(sound, state.steps + 1, max_steps).astype(jnp.int32)
        return state._replace(point=point, steps=steps)

    return judge(spread, field, jax.lax.while_loop(unfinished, step, start))


def judge(spread: Spread, field: Field, state: Climb) -> Climb:
    """The best value and the least bound so far."""
    effort = state.point.effort
    value = spread.value(effort)
    bound = state.bound
    if spread.concave:
        bound = jnp.fmin(bound, value + gap_at(field, effort, spread.slope(effort)))
    better = value > state.value
    return state._replace(
        best=jnp.where(better, effort, state.best), value=jnp.where(better, value, state.value), bound=bound
    )


def advance(spread: Spread, field: Field, point: Point) -> Point:
    """One step: predictor, corrector, as far as slacks and multipliers let it."""
    now = products(field, point)
    towards = directions(spread, field, point)
    predicted = towards(jax.tree.map(jnp.zeros_like, now))
    length = jnp.minimum(1.0, longest(field, point, predicted))
    ahead = total(products(field, moved(point, predicted, length)))
    whole = jnp.maximum(total(now), least_positive(ahead.dtype))
    count = 2.0 * jnp.sum(field.most > field.least, dtype=ahead.dtype) + jnp.sum(
        alive(field), dtype=ahead.dtype
    )
    tau = jnp.clip((ahead / whole) ** 3, *FALLS) * whole / jnp.maximum(count, 1.0)
    trust = jnp.where(length > FAR, 1.0, length)
    by, prices = jax.tree.map(lambda to: trust * to, predicted)
    second = Multipliers(-by * prices.low, by * prices.high, field.spent(by) * prices.water)
    corrected = towards(masked(field, jax.tree.map(lambda more: tau + more, second)))
    length = jnp.minimum(1.0, WITHIN * longest(field, point, corrected))
    return moved(point, corrected, length * damping(spread, field, point, corrected, length, tau))


def damping(
    spread: Spread, field: Field, point: Point, direction: Point, length: Scalar, tau: Scalar
) -> Scalar:
    """The largest share of a step, of some, at which V + τ Σ log slacks has not fallen, up to rounding; the
    least where it has at all. A full step from where curves bend to where they are all but flat goes too far,
    and the next one back again."""
    free = field.most > field.least

    def barrier(share: Scalar) -> Scalar:
        effort = point.effort + share * length * direction.effort
        low, high, left = slacks(field, effort)
        logs = jnp.sum(jnp.where(free, jnp.log(low) + jnp.log(high), 0.0)) + jnp.sum(jnp.log(left))
        return spread.value(effort) + tau * logs

    shares = jnp.asarray(SHARES, tau.dtype)
    now, reached = barrier(jnp.zeros_like(tau)), jax.vmap(barrier)(shares)
    good = reached >= now - number_error(now)
    return jnp.max(jnp.where(good, shares, shares[-1]))


def moved(point: Point, direction: Point, length: Scalar) -> Point:
    """The point so far along a direction."""
    return jax.tree.map(lambda now, to: now + length * to, point, direction)


def longest(field: Field, point: Point, direction: Point) -> Scalar:
    """How far a direction goes until a slack or a multiplier is 0."""
    distance, by = slacks(field, point.effort), direction.effort
    moves = masked(field, Multipliers(by, -by, -field.spent(by)))
    pairs = [*zip(distance, moves, strict=True), *zip(point.prices, direction.prices, strict=True)]
    return jnp.min(jnp.stack([reach(now, to) for now, to in pairs]))


def reach(now: Array, to: Array) -> Scalar:
    """How far numbers above 0 may go along a direction."""
    return jnp.min(jnp.where(to < 0, -now / jnp.where(to < 0, to, -1.0), jnp.inf))


def bends(spread: Spread, effort: Efforts) -> Efforts:
    """δ^(t−1) r_i''(s_it), 0 where the curve is bent upwards."""
    effective = spread.effective(effort)
    _, found = jax.jvp(jax.vmap(spread.portfolio.slope), (effective,), (jnp.ones_like(effective),))
    found = spread.worths(effort.shape[0])[:, None] * found
    return jnp.minimum(jnp.where(jnp.isfinite(found), found, 0.0), 0.0)


def directions(spread: Spread, field: Field, point: Point) -> Callable[[Multipliers], Point]:
    """Newton's direction to any products of slacks and multipliers, by matrices factored once."""
    effort, prices = point
    periods = effort.shape[0]
    free, far = field.most > field.least, slacks(field, effort)
    lags = spread.lags(periods)
    bent = -jnp.einsum("ntp,tn,ntq->npq", lags, bends(spread, effort), lags)
    bent = jnp.where(free.T[:, :, None] & free.T[:, None, :], bent, 0.0)
    barrier = jnp.where(free, prices.low / far.low + prices.high / far.high, 1.0)
    blocks = bent + barrier.T[:, :, None] * jnp.eye(periods, dtype=effort.dtype)[None]
    factors = jax.vmap(factored)(blocks)
    slope = backward(lags, jnp.nan_to_num(spread.own_slope(effort)))

    def solve(right: Float[Array, "projects periods columns"]) -> Float[Array, "projects periods columns"]:
        columns = jax.vmap(solved, in_axes=(None, 1), out_axes=1)
        return jax.vmap(columns)(factors, right)

    # Costs of what has a choice, as a matrix from periods to periods: one block a project.
    costs = jnp.where(free, field.costs, 0.0).T
    spent = costs[:, :, None] * jnp.eye(periods, dtype=effort.dtype)[None]
    by_period = jnp.einsum("npq,npr->qr", spent, solve(spent))
    open_ = alive(field)
    loose = jnp.where(open_, far.water / jnp.where(open_, prices.water, 1.0), 1.0)
    schur = factored(field.sums(by_period) + jnp.diag(loose))

    def towards(to: Multipliers) -> Point:
        right = slope + to.low / far.low - to.high / far.high
        right = jnp.where(free, right - field.costs * field.spread(to.water / far.water), 0.0)
        alone = solve(right.T[:, :, None])[:, :, 0].T
        pull = solved(schur, field.spent(jnp.where(free, alone, 0.0)))
        priced = jnp.where(free, field.costs * field.spread(pull), 0.0)
        by = alone - solve(priced.T[:, :, None])[:, :, 0].T
        moves = Multipliers(
            to.low / far.low - prices.low - prices.low / far.low * by,
            to.high / far.high - prices.high + prices.high / far.high * by,
            to.water / far.water - prices.water + prices.water / far.water * field.spent(by),
        )
        return Point(by, masked(field, moves))

    return towards
