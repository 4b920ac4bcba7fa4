"""An upper bound where effort spills over: prices on the effort received take the projects apart.

    L(p) = Σ_i max_{y_i} [r_i(y_i) − p_i y_i] + max_{x feasible} Σ_j (Aᵀp)_j x_j  ≥  V*    for every p ≥ 0

with r_i the return and y_i between the least and the most effort that project i can receive. Proof: a
feasible x has y = A x within those bounds, so V(x) = Σ [r_i(y_i) − p_i y_i] + p·A x, and each part is at most
its maximum. Nothing is asked of the curves. The first maximum is what the Lagrangian bounds use, the second a
knapsack of real effort. L is convex in p (the Lagrangian dual of y = A x), and its minimum is the optimum
with concave envelopes for curves; where returns are concave, p = r'(y) at an effort x makes L(p) equal V(x)
plus the Frank–Wolfe gap. It is a bound for real effort, and so for whole units too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from engine.bets.ascent import knapsack, stride
from engine.bets.spillover import Coupled, worth
from engine.model.curves.base import Vector
from engine.solvers.relaxation import Box
from engine.solvers.responses import Scalar, real_response
from engine.solvers.rounding import least_positive, sum_error

STEPS, LEARNING_RATE = 300, 0.2
# Relative to the steepest chord, where prices begin: slopes may be 0 or infinite.
LEAST_PRICE, MOST_PRICE = 1e-6, 1e3


class Prices(NamedTuple):
    """Prices of effort received, their bound and the subgradient of it, and how far rounding may move it."""

    prices: Vector
    bound: Scalar
    subgradient: Vector
    slack: Scalar


def bounds(coupled: Coupled, box: Box, top: Vector) -> Callable[[Vector], Prices]:
    """L, not yet rounded outwards; `top` is the most that each project can receive."""
    shares = coupled.shares()
    lowest = jnp.sum(shares * box.least[None], axis=1)
    received = replace(coupled.portfolio, cost=None, lower=lowest, upper=jnp.maximum(top, lowest))
    respond = real_response(received, jnp.max(top))

    def bound_at(prices: Vector) -> Prices:
        response, worths = respond(prices), worth(shares, prices)
        spent = knapsack(box, worths)
        bought = jnp.sum(worths * spent)
        flow = jnp.sum(shares * spent[None], axis=1)
        sizes = jnp.sum(jnp.abs(response.payoff)) + 2.0 * jnp.sum(prices * response.effort) + bought
        slack = 2.0 * sum_error(2 * prices.size, sizes)
        bound = jnp.sum(response.payoff) + bought
        bound = jnp.where(
            jnp.isnan(bound), jnp.inf, bound
        )  # prices at which something overflows bound nothing
        return Prices(prices, bound, flow - response.effort, slack)

    return bound_at


def most_received(coupled: Coupled, box: Box) -> Vector:
    """The most effort that each project can receive, by spending all on those that give it most."""
    return jax.vmap(lambda share: jnp.sum(share * knapsack(box, share)))(coupled.shares())


def upper_bound(coupled: Coupled, box: Box, effort: Vector) -> tuple[Scalar, Scalar]:
    """(a bound that is right for every curve, how far rounding may move it), from prices at this effort.

    Where V is concave they are the slopes there; elsewhere, where a slope at 0 says little of an S-shaped
    curve, the least of some steps down the subgradient, taken in log p by optax.
    """
    top = most_received(coupled, box)
    tiny = least_positive(coupled.dtype)
    slopes = jnp.clip(jnp.nan_to_num(coupled.own_slope(effort)), tiny, 1.0 / tiny)
    bound_at = bounds(coupled, box, top)
    at_slopes = bound_at(slopes)
    if coupled.concave:
        return at_slopes.bound, at_slopes.slack
    portfolio = coupled.portfolio
    rise = portfolio.returns(top) - portfolio.returns(jnp.zeros_like(top))
    chords = jnp.maximum(rise, 0.0) / jnp.maximum(top, tiny)
    steepest = jnp.max(chords) + tiny
    begin = jnp.log(jnp.clip(jnp.maximum(slopes, chords), LEAST_PRICE * steepest, MOST_PRICE * steepest))
    found = descend(bound_at, begin)
    better = found.bound < at_slopes.bound
    return jnp.where(better, found.bound, at_slopes.bound), jnp.where(better, found.slack, at_slopes.slack)


def descend(bound_at: Callable[[Vector], Prices], begin: Vector) -> Prices:
    """The least bound of a walk down the subgradient from these logs of prices."""
    optimiser = optax.adam(optax.cosine_decay_schedule(LEARNING_RATE, STEPS, 1e-3))

    def step(carry: tuple[Vector, optax.OptState, Prices], _: None) -> tuple[tuple, None]:  # type: ignore[type-arg]
        logs, state, best = carry
        here = bound_at(jnp.exp(logs))
        gradient = here.subgradient * here.prices
        size = jnp.maximum(jnp.max(jnp.abs(gradient)), least_positive(logs.dtype))
        updates, state = stride(optimiser, gradient / size, state)
        better: Array = here.bound < best.bound
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), here, best)
        return (logs + updates, state, best), None

    first = bound_at(jnp.exp(begin))
    return jax.lax.scan(step, (begin, optimiser.init(begin), first), None, length=STEPS)[0][2]
