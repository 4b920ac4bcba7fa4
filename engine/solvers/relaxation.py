"""Relaxation: real effort by gradient ascent, for any differentiable curves, then rounded to whole units.

At an effort x, with slope g and bend g' (both by differentiation, so nothing else need be known of a curve),
every curve is replaced by the logarithm that osculates it: slope g/(1 + (y − x)/r) with reach r = −g/g', the
effort over which the slope halves. At a multiplier λ its best response is x + r (g/(λc) − 1): linear in
1/λ, so the multiplier that spends the budget is found by Newton's method on a piecewise linear function.
This is a projected Newton step in the diagonal metric of a separable problem (Bertsekas 1982), taken on 1/f'
rather than f': exact at once for logs, and free of units, so no scenario needs a step size. Where a curve
bends upwards its reach is all that the budget buys.

V is separable, and so is the safeguard: a project whose step does not pay for itself at λ stays where it is
and tries a quarter of the reach next time. A step that lowers V as a whole is not taken.

It stops when the Frank–Wolfe gap, max_{y feasible} ∇V(x)·(y − x), is within `tolerance` of the value: a few
steps, since convergence is quadratic. Where V is concave that gap bounds V* − V(x) and is the certificate
(Jaggi 2013); elsewhere the Lagrangian bound is, and the climb starts from the dual's best responses and
from each of their neighbours: one project dropped, or one more taken up.

Rounding: down to whole units, then the rest of the budget by largest marginal gains. Where curves are not
concave the dual's best responses, filled up jump by jump, stand against that.

Cost: one slope, one bend and one gain a project and step. At the median 1 step on logs, 5 on
exponentials, 9 on powers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio
from engine.solvers.batching import choose
from engine.solvers.density import best_of, climb, equal_split
from engine.solvers.dual import Dual, integer_dual, real_dual
from engine.solvers.greedy import certify, fill
from engine.solvers.lattice import Lattice
from engine.solvers.responses import (
    Response,
    Scalar,
    effort_bounds,
    real_response,
    unit_bounds,
    unit_response,
)
from engine.solvers.rounding import least_positive, number_error, steps_error
from engine.solvers.solution import Solution, conclude

# Newton steps for the multiplier at each step of the ascent; what they leave over, the next one finds.
MULTIPLIER_STEPS = 5
# Relative to the highest water level that matters, where a bisection of a bracket from 0 begins.
FAINT = 1e-12
# A project whose slope is below this share of its price is far above its optimum: its reach may grow to
# LONGEST_REACH times that of the osculating log, which underrates how far a saturated curve has to fall.
FAR = 0.3
LONGEST_REACH = 16.0
# The most that a step may take from an effort whose slope is infinite at the lower limit: down to a tenth.
NEAREST_ZERO = 0.1
# It has stalled after so many steps without a rise of this relative size or a smaller gap.
STALLED_STEPS = 4
WORTHWHILE = 1e-9
# Steps from each start, after which the best one alone goes on.
SCOUT_STEPS = 4
# Relative to the dual's price: where a project that is idle there might be funded.
LOWER_PRICES = (0.8, 0.6, 0.4, 0.2)
# Efforts that close below a whole unit count as that unit.
ROUND_UP = 1e-3


class Box(NamedTuple):
    """Where effort may lie: Σ c x ≤ budget, least ≤ x ≤ most; `steep` where the slope there is infinite."""

    budget: Scalar
    costs: Vector
    least: Vector
    most: Vector
    steep: Array


class Point(NamedTuple):
    """An effort with its returns, their slope and reach, the water level 1/λ, and its Frank–Wolfe gap."""

    effort: Vector
    returns: Vector
    slope: Vector
    reach: Vector
    water: Scalar
    gap: Scalar

    @property
    def value(self) -> Scalar:
        """V(x)."""
        return jnp.sum(self.returns)


class Ascent(NamedTuple):
    """Where an ascent stands, each project's share of its reach, the best point so far and steps since."""

    point: Point
    share: Vector
    best: Point
    idle: Int[Array, ""]
    steps: Int[Array, ""]


def feasible_set(portfolio: Portfolio, budget: Scalar) -> Box:
    """The efforts that the budget and the bounds leave."""
    least, most = effort_bounds(portfolio, budget)
    costs = portfolio.costs()
    room = jnp.maximum(budget - portfolio.spend(least), 0.0)
    most = jnp.maximum(jnp.minimum(most, least + room / costs), least)
    return Box(budget, costs, least, most, ~jnp.isfinite(portfolio.slope(least)))


def frank_wolfe_gap(box: Box, effort: Vector, slope: Vector, price: Scalar) -> Scalar:
    """max over feasible y of slope·(y − x), by its own dual at a price: an upper bound at any, tight at λ."""
    excess = slope - price * box.costs
    gained = jnp.where((excess > 0) & (effort < box.most), excess * (box.most - effort), 0.0)
    saved = jnp.where((excess < 0) & (effort > box.least), excess * (box.least - effort), 0.0)
    return jnp.sum(gained + saved) + price * jnp.maximum(box.budget - jnp.sum(box.costs * effort), 0.0)


def evaluate(portfolio: Portfolio, box: Box, effort: Vector, water: Scalar) -> Point:
    """All that a step needs to know of an effort."""
    slope, bend = jax.jvp(portfolio.slope, (effort,), (jnp.ones_like(effort),))
    finite = jnp.isfinite(slope)  # an infinite slope leaves the gap infinite at every price
    falls = (bend < 0) & finite
    tiny = least_positive(effort.dtype)
    most = jnp.maximum(box.most - box.least, tiny)
    reach = jnp.where(falls & (slope > 0), slope / jnp.where(falls, -bend, 1.0), most)
    highest = jnp.maximum(jnp.max(jnp.where(finite, slope, 0.0) / box.costs), 0.0)
    gap = jnp.minimum(
        frank_wolfe_gap(box, effort, slope, 1.0 / water), frank_wolfe_gap(box, effort, slope, highest)
    )
    slope = jnp.where(finite, slope, 0.0)
    return Point(effort, portfolio.returns(effort), slope, jnp.clip(reach, tiny, most), water, gap)


def respond(box: Box, point: Point, reach: Vector) -> tuple[Vector, Scalar]:
    """The osculating logs' optimum, and its water level 1/λ.

    Spend_i = clip(a_i + b_i·water) rises in the water level, piecewise linearly: Newton's method within a
    bracket, or to the next kink where nothing is between its bounds.
    """
    start = box.costs * (point.effort - reach)
    rate = jnp.where(point.slope > 0, reach * point.slope, 0.0)
    floor, cap = box.costs * box.least, box.costs * box.most
    rising = rate > 0
    safe = jnp.where(rising, rate, 1.0)
    leaves, meets = (floor - start) / safe, (cap - start) / safe
    infinite = jnp.asarray(jnp.inf, floor.dtype)
    low = jnp.maximum(jnp.min(jnp.where(rising, leaves, infinite)), 0.0)
    high = jnp.max(jnp.where(rising, meets, 0.0))
    low = jnp.minimum(low, high)
    hair = number_error(box.budget)

    def newton(_: int, bracket: tuple[Scalar, Scalar, Scalar]) -> tuple[Scalar, Scalar, Scalar]:
        low, high, water = bracket
        spend = start + rate * water
        missing = box.budget - jnp.sum(jnp.clip(spend, floor, cap))
        speed = jnp.sum(jnp.where((spend > floor) & (spend < cap), rate, 0.0))
        over = missing < 0
        low, high = jnp.where(over, low, water), jnp.where(over, water, high)
        above = jnp.min(jnp.where(rising & (leaves > water), leaves, infinite))
        below = jnp.max(jnp.where(rising & (meets < water), meets, 0.0))
        step = water + missing / jnp.where(speed > 0, speed, 1.0)
        step = jnp.where(speed > 0, step, jnp.where(over, below, above))
        step = jnp.where((step > low) & (step < high), step, jnp.sqrt(jnp.maximum(low, FAINT * high) * high))
        return low, high, jnp.where(jnp.abs(missing) <= hair, water, step)

    begin = low, high, jnp.clip(point.water, low, high)
    water = jax.lax.fori_loop(0, MULTIPLIER_STEPS, newton, begin)[2]
    water = jnp.maximum(water, least_positive(floor.dtype))
    return jnp.clip((start + rate * water) / box.costs, box.least, box.most), water


def within_budget(box: Box, effort: Vector, step: Vector) -> Vector:
    """effort + step, with what is spent more cut to what there is."""
    more, less = jnp.sum(box.costs * jnp.maximum(step, 0.0)), jnp.sum(box.costs * jnp.maximum(-step, 0.0))
    left = jnp.maximum(box.budget - jnp.sum(box.costs * effort) + less, 0.0)
    cut = jnp.where(more > left, left / jnp.where(more > 0, more, 1.0), 1.0)
    return effort + jnp.where(step > 0, cut * step, step)


def propose(portfolio: Portfolio, box: Box, ascent: Ascent) -> tuple[Point, Vector]:
    """The osculating logs' optimum for the projects that it pays, and every project's next share."""
    point, share = ascent.point, ascent.share
    target, water = respond(box, point, share * point.reach)
    nearest = box.least + NEAREST_ZERO * (point.effort - box.least)
    target = jnp.where(box.steep, jnp.maximum(target, nearest), target)
    step = target - point.effort
    price = box.costs / water
    noise = number_error(jnp.abs(point.returns) + price * jnp.abs(step))
    pays = portfolio.returns(target) - point.returns - price * step >= -noise
    far = point.slope < FAR * price
    wider = jnp.where(far, jnp.minimum(2.0 * share, LONGEST_REACH), jnp.minimum(4.0 * share, 1.0))
    share = jnp.where(pays, wider, 0.25 * jnp.minimum(share, 1.0))
    effort = within_budget(box, point.effort, jnp.where(pays, step, 0.0))
    return evaluate(portfolio, box, effort, water), share


def advance(portfolio: Portfolio, box: Box, ascent: Ascent) -> Ascent:
    """One step: taken unless V falls, which happens where the multiplier is not found yet."""
    reached, share = propose(portfolio, box, ascent)
    point = ascent.point
    fell = reached.value < point.value - number_error(jnp.sum(jnp.abs(point.returns)))
    point = choose(fell, point._replace(water=reached.water), reached)
    share = jnp.where(fell, 0.5 * jnp.minimum(ascent.share, 1.0), share)
    best, size = ascent.best, jnp.abs(point.value)
    hair = number_error(size)
    risen = point.value - best.value
    better = (risen > hair) | ((risen >= -hair) & (point.gap < best.gap))
    moving = (risen > WORTHWHILE * size) | (point.gap < 0.9 * best.gap) | fell
    idle = jnp.where(moving, 0, ascent.idle + 1).astype(jnp.int32)
    return Ascent(point, share, choose(better, point, best), idle, ascent.steps + 1)


def set_out(portfolio: Portfolio, box: Box, effort: Vector) -> Ascent:
    """The start of an ascent at this effort, or at the osculating logs' optimum if it cannot be afforded."""
    point = evaluate(portfolio, box, effort, jnp.ones((), portfolio.dtype))
    # The water level if no bound were met.
    rate = jnp.sum(point.reach * point.slope)
    level = (box.budget - portfolio.spend(effort - point.reach)) / jnp.where(rate > 0, rate, 1.0)
    target, water = respond(box, point._replace(water=level), point.reach)
    over = portfolio.spend(effort) > box.budget
    effort = within_budget(box, box.least, jnp.where(over, target, effort) - box.least)
    return begin_at(evaluate(portfolio, box, effort, water))


def ascend(
    portfolio: Portfolio, box: Box, start: Ascent, tolerance: Scalar | float, max_steps: Scalar | int
) -> Point:
    """The best point of a climb, until the Frank–Wolfe gap is within tolerance."""
    near = jnp.maximum(tolerance, steps_error(jnp.ones((), portfolio.dtype)))

    def unfinished(ascent: Ascent) -> Array:
        far = ascent.point.gap > near * jnp.abs(ascent.point.value)
        return far & (ascent.idle < STALLED_STEPS) & (ascent.steps < max_steps)

    return jax.lax.while_loop(unfinished, lambda ascent: advance(portfolio, box, ascent), start).best


def begin_at(point: Point) -> Ascent:
    """An ascent from a point."""
    return Ascent(point, jnp.ones_like(point.effort), point, jnp.int32(0), jnp.int32(0))


def neighbours(
    box: Box, dual: Dual, response: Callable[[Scalar], Response]
) -> Float[Array, "starts projects"]:
    """The dual's best responses, inside and outside the budget, and those with one project toggled.

    A project that is taken up goes to its best response at the highest of some lower prices that funds it.
    """
    inside, outside = dual.inside, dual.outside
    prices = dual.price * jnp.asarray(LOWER_PRICES, inside.dtype)
    lower = jax.vmap(lambda price: response(price).effort)(prices)
    taken_up = outside
    for effort in lower:
        taken_up = jnp.where(taken_up > box.least, taken_up, effort)
    toggled = jnp.where(inside > box.least, box.least, taken_up)
    chosen = jnp.eye(inside.size, dtype=bool)
    singles = jnp.where(chosen, toggled[None], inside[None])
    return jnp.concatenate([inside[None], outside[None], singles])


def relaxation(
    portfolio: Portfolio,
    budget: Scalar,
    lattice: Lattice,
    *,
    rounding: bool = True,
    tolerance: float = 1e-6,
    max_steps: int = 60,
) -> Solution:
    """Allocate by gradient ascent; whole units with `rounding`, real effort without.

    **Arguments:** `tolerance`, the relative Frank–Wolfe gap at which a start stops; `max_steps` of the
    ascent.
    """
    portfolio = _in_whole_bounds(portfolio) if rounding else portfolio
    box = feasible_set(portfolio, budget)
    if portfolio.diminishing:
        even = box.least + (budget - portfolio.spend(box.least)) / (box.costs * portfolio.shape[-1])
        start = set_out(portfolio, box, jnp.minimum(even, box.most))
        point = ascend(portfolio, box, start, tolerance, max_steps)
        if not rounding:
            price = margin(portfolio, box, point)
            return conclude(portfolio, budget, point.effort, price, point.value + point.gap)
        whole = whole_units(portfolio, budget, lattice, point.effort)
        effort = best_of(portfolio, whole, equal_split(portfolio, budget, lattice))
        return certify(portfolio, budget, effort, lattice)
    if rounding:
        dual, response = integer_dual(portfolio, budget, lattice), unit_response(portfolio, budget, lattice)
    else:
        dual, response = real_dual(portfolio, budget), real_response(portfolio, budget)
    starts = neighbours(box, dual, response)
    scouts = jax.vmap(
        lambda effort: ascend(portfolio, box, set_out(portfolio, box, effort), tolerance, SCOUT_STEPS)
    )(starts)
    values = jnp.sum(scouts.returns, axis=-1)
    best = jnp.argmax(jnp.where(jnp.isnan(values), -jnp.inf, values))
    point = jax.tree.map(lambda leaf: leaf[best], scouts)
    effort = ascend(portfolio, box, begin_at(point), tolerance, max_steps).effort
    if rounding:
        least, _ = unit_bounds(portfolio, budget, lattice)
        whole = whole_units(portfolio, budget, lattice, effort)
        jumped = climb(portfolio, budget, jnp.maximum(dual.inside, least), lattice)
        effort = best_of(portfolio, whole, jumped)
    return conclude(portfolio, budget, effort, dual.price, dual.bound)


def _in_whole_bounds(portfolio: Portfolio) -> Portfolio:
    """The portfolio with the whole units within its bounds as its bounds: what is climbed over real effort is
    then affordable in whole units too, and bounded no looser."""
    lower = None if portfolio.lower is None else jnp.ceil(portfolio.lower)
    upper = None if portfolio.upper is None else jnp.floor(portfolio.upper)
    return replace(portfolio, lower=lower, upper=upper)


def margin(portfolio: Portfolio, box: Box, point: Point) -> Scalar:
    """What a little more budget would earn: the steepest slope per unit of budget below the upper limits."""
    below = point.effort < portfolio.uppers()
    return jnp.max(jnp.where(below, point.slope / box.costs, 0.0))


def whole_units(portfolio: Portfolio, budget: Scalar, lattice: Lattice, effort: Vector) -> Vector:
    """Round down (a hair short of a unit counts as that unit), then fill up by largest marginal gains."""
    least, most = unit_bounds(portfolio, budget, lattice)
    down = jnp.clip(jnp.floor(effort), least, most)
    near = jnp.clip(jnp.floor(effort + ROUND_UP), least, most)
    fits = portfolio.spend(near) <= budget
    return fill(portfolio, budget, jnp.where(fits, near, down), most)
