"""Relaxation: real effort by gradient ascent, for any differentiable curves, then rounded to whole units.

The budget above the lower bounds is shared out in logarithmic coordinates: spend_i = min(τ e^{z_i}, cap_i),
with τ such that the budget is used; where curves can fall, a slack coordinate that earns nothing takes
what is not worth spending. Every iterate is feasible. The ascent direction in z is each project's
relative excess of slope per unit of budget over the mean, the natural gradient of the entropy geometry
(Beck & Teboulle 2003), so step sizes have no unit and no scenario needs tuning; optax's Adam with a cosine
schedule paces it.

It stops when the Frank–Wolfe gap, max_{y feasible} ∇V(x)·(y − x), of every start is within `tolerance` of
the value. Where V is concave that gap bounds V* − V(x) and is the certificate (Jaggi 2013); elsewhere the
Lagrangian bound is. Non-concave portfolios are started from the equal split, the density climb, the best
responses of the dual and random shares.

Rounding: down to whole units, then the rest of the budget by largest marginal gains; never worse than the
climb it may have started from.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from engine.curves import Vector
from engine.lattice import Lattice
from engine.portfolio import Portfolio
from engine.solvers.bounds import Scalar, effort_bounds, integer_dual, real_dual, unit_bounds
from engine.solvers.density import best_of, climb, equal_split
from engine.solvers.greedy import fill
from engine.solvers.solution import Solution, conclude

LEARNING_RATE = 0.3
LARGEST_STEP = 2.0
FAINTEST_SHARE = -40.0
SLACK_SHARE = -3.0
SCALING_STEPS = 40
ROUND_UP = 1e-3
CAPPED = 1.0 - 1e-6


class Simplex(NamedTuple):
    """The feasible set in budget units above the lower bounds; the last coordinate is unspent budget."""

    least: Vector
    costs: Vector
    caps: Float[Array, " projects1"]
    room: Scalar
    capped: bool
    slack: float

    def spend(self, logits: Float[Array, " projects1"]) -> Float[Array, " projects1"]:
        """min(τ e^z, cap) with τ such that the room is used: softmax, or a bisection where caps can bind."""
        if not self.capped:
            return self.room * jax.nn.softmax(logits)
        weights = jnp.exp(logits - jnp.max(logits))

        def halve(_: int, bracket: tuple[Scalar, Scalar]) -> tuple[Scalar, Scalar]:
            low, high = bracket
            middle = jnp.sqrt(low * high)
            over = jnp.sum(jnp.minimum(middle * weights, self.caps)) > self.room
            return jnp.where(over, low, middle), jnp.where(over, middle, high)

        scale = jnp.maximum(self.room, float(jnp.finfo(weights.dtype).tiny))
        ends = scale * float(np.exp(FAINTEST_SHARE)), scale * float(np.exp(-FAINTEST_SHARE))
        low, _ = jax.lax.fori_loop(0, SCALING_STEPS, halve, ends)
        return jnp.minimum(low * weights, self.caps)

    def effort(self, spend: Float[Array, " projects1"]) -> Vector:
        """The effort that this spend buys."""
        return self.least + spend[:-1] / self.costs

    def logits(self, effort: Vector) -> Float[Array, " projects1"]:
        """Coordinates near this effort."""
        share = (effort - self.least) * self.costs / jnp.where(self.room > 0, self.room, 1.0)
        faint = jnp.maximum(jnp.log(jnp.maximum(share, 0.0)), 0.25 * FAINTEST_SHARE)
        return jnp.append(faint, self.slack)

    def frank_wolfe_gap(self, spend: Float[Array, " projects1"], slope: Float[Array, " projects1"]) -> Scalar:
        """max over feasible y of slope·(y − spend): the densest coordinates filled first."""
        order = jnp.argsort(-slope)
        caps = self.caps[order]
        filled = jnp.clip(self.room - (jnp.cumsum(caps) - caps), 0.0, caps)
        best = jnp.sum(jnp.where(filled > 0, filled * slope[order], 0.0))
        return best - _dot(spend, slope)


class Ascent(NamedTuple):
    """One start's progress, with the best effort and the least Frank–Wolfe bound seen so far."""

    logits: Float[Array, " projects1"]
    optimiser: optax.OptState
    effort: Vector
    value: Scalar
    bound: Scalar
    steps: Array


def _dot(spend: Array, slope: Array) -> Scalar:
    return jnp.sum(jnp.where(spend > 0, spend * slope, 0.0))


def feasible_set(portfolio: Portfolio, budget: Scalar) -> Simplex:
    """The simplex that the budget and the bounds leave."""
    least, most = effort_bounds(portfolio, budget)
    costs = portfolio.costs()
    room = jnp.maximum(budget - portfolio.spend(least), 0.0)
    caps = jnp.append(jnp.minimum(costs * (most - least), room), room)
    slack = FAINTEST_SHARE if portfolio.curves.rising else SLACK_SHARE
    return Simplex(least, costs, caps, room, capped=portfolio.upper is not None, slack=slack)


def ascend(
    portfolio: Portfolio,
    simplex: Simplex,
    logits: Float[Array, " projects1"],
    tolerance: float,
    most_steps: int,
) -> Ascent:
    """Climb from one start until its Frank–Wolfe gap is within tolerance of its value."""
    optimiser = optax.adam(optax.cosine_decay_schedule(LEARNING_RATE, most_steps))
    tiny = float(jnp.finfo(portfolio.dtype).tiny)

    def evaluate(state: Ascent) -> tuple[Ascent, Array]:
        """Record the current point; also its direction of ascent."""
        spend = simplex.spend(state.logits)
        effort = simplex.effort(spend)
        value = portfolio.value(effort)
        slope = jnp.append(portfolio.slope(effort) / simplex.costs, 0.0)
        free = jnp.where(spend < CAPPED * simplex.caps, spend, 0.0)
        mean = jnp.maximum(_dot(free, slope) / jnp.maximum(jnp.sum(free), tiny), tiny)
        bound = value + simplex.frank_wolfe_gap(spend, slope)
        better = value > state.value
        kept = state._replace(
            effort=jnp.where(better, effort, state.effort),
            value=jnp.where(better, value, state.value),
            bound=jnp.minimum(bound, state.bound),
        )
        direction = jnp.clip((slope - mean) / mean, -LARGEST_STEP, LARGEST_STEP)
        return kept, jnp.where(free > 0, direction, jnp.minimum(direction, 0.0))

    def step(state: Ascent) -> Ascent:
        state, direction = evaluate(state)
        with jax.numpy_dtype_promotion("standard"):  # optax mixes its int32 step count with floats
            update, memory = optimiser.update(-direction, state.optimiser)
        logits = state.logits + update
        logits = jnp.maximum(logits - jnp.max(logits), FAINTEST_SHARE)
        return state._replace(logits=logits, optimiser=memory, steps=state.steps + 1)

    def unfinished(state: Ascent) -> Array:
        far = state.bound - state.value > tolerance * jnp.abs(state.value)
        return (state.steps < most_steps) & far

    infinite = jnp.asarray(jnp.inf, portfolio.dtype)
    begin = Ascent(logits, optimiser.init(logits), simplex.least, -infinite, infinite, jnp.int32(0))
    return evaluate(jax.lax.while_loop(unfinished, step, evaluate(begin)[0]))[0]


def relaxation(
    portfolio: Portfolio,
    budget: Scalar,
    lattice: Lattice,
    *,
    rounding: bool = True,
    tolerance: float = 1e-5,
    most_steps: int = 300,
    restarts: int = 4,
) -> Solution:
    """Allocate by gradient ascent; whole units with `rounding`, real effort without.

    **Arguments:** `tolerance`, the relative Frank–Wolfe gap at which a start stops; `most_steps` of the
    ascent; `restarts`, random starts of a portfolio that is not known to be concave.
    """
    simplex = feasible_set(portfolio, budget)
    split = jnp.zeros(portfolio.shape[-1] + 1, portfolio.dtype).at[-1].set(simplex.slack)
    if portfolio.diminishing:
        ascent = ascend(portfolio, simplex, split, tolerance, most_steps)
        effort, bound = ascent.effort, ascent.bound
        price = jnp.maximum(
            _dot(effort - simplex.least, portfolio.slope(effort)) / jnp.maximum(simplex.room, 1e-30), 0.0
        )
        baselines: tuple[Vector, ...] = (equal_split(portfolio, budget, lattice),)
    else:
        dual = real_dual(portfolio, budget)
        least, _ = unit_bounds(portfolio, budget, lattice)
        climbed = climb(portfolio, budget, least, lattice)
        shares = jax.random.exponential(
            jax.random.key(0), (restarts, portfolio.shape[-1]), dtype=portfolio.dtype
        )
        random = jax.vmap(lambda s: jnp.append(jnp.log(s), simplex.slack))(shares)
        known = jnp.stack([split, simplex.logits(climbed), simplex.logits(dual.inside)])
        starts = jnp.concatenate([known, random])
        ascents = jax.vmap(lambda z: ascend(portfolio, simplex, z, tolerance, most_steps))(starts)
        baselines = (climbed, jnp.floor(dual.inside))
        effort = best_of(portfolio, *ascents.effort, climbed, dual.inside)
        price, bound = dual.price, dual.bound
    if not rounding:
        return conclude(portfolio, budget, effort, price, bound)
    whole = whole_units(portfolio, budget, lattice, effort)
    dual = integer_dual(portfolio, budget, lattice)
    feasible = [jnp.maximum(b, jnp.ceil(simplex.least)) for b in baselines]
    return conclude(portfolio, budget, best_of(portfolio, whole, *feasible), dual.price, dual.bound)


def whole_units(portfolio: Portfolio, budget: Scalar, lattice: Lattice, effort: Vector) -> Vector:
    """Round down (a hair short of a unit counts as that unit), then fill up by largest marginal gains."""
    least, most = unit_bounds(portfolio, budget, lattice)
    down = jnp.clip(jnp.floor(effort), least, most)
    near = jnp.clip(jnp.floor(effort + ROUND_UP), least, most)
    fits = portfolio.spend(near) <= budget
    return fill(portfolio, budget, jnp.where(fits, near, down), most)
