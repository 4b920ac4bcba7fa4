"""An upper bound for curves of any shape: prices on the effort that counts take projects and periods apart.

    L(p) = Σ_it max_{s_it} [δ^(t−1) r_i(s_it) − p_it s_it] + p·a + max_{x feasible} (Aᵀp)·x  ≥  V*

for every p ≥ 0, with s_it between the least and the most effort that can count for project i in period t.
Proof: a feasible x has s = A x + a within those bounds, so V(x) = Σ [δ^(t−1) r_i(s_it) − p_it s_it] + p·a +
(Aᵀp)·x, and each part is at most its maximum. The first maxima are those of the Lagrangian bounds, which ask
nothing of the curves; the last is a knapsack of real effort. The least L is the optimum with concave
envelopes for curves.

Sources: Everett (1963); Udell & Boyd (2013) for concave envelopes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import jax
import jax.numpy as jnp

from engine.bets.decoupled import LEAST_PRICE, MOST_PRICE, Prices, descend
from engine.model.curves.base import Vector
from engine.periods.field import Field
from engine.periods.spread import Efforts, Spread, backward, forward
from engine.solvers.responses import Response, Scalar, real_response
from engine.solvers.rounding import least_positive, sum_error


def reachable(spread: Spread, field: Field) -> tuple[Efforts, Efforts]:
    """The least and the most effort that can count: no unit counts more than once in a period, so what is
    beyond the lower limits is at most what all budgets buy of it."""
    periods = field.least.shape[0]
    lags = spread.lags(periods)
    least = forward(lags, field.least) + spread.start(periods)
    more = jnp.minimum(forward(lags, field.most - field.least), jnp.sum(field.room) / field.costs)
    return least, least + more


def bounds(spread: Spread, field: Field) -> Callable[[Vector], Prices]:
    """L of prices, flat, not yet rounded outwards."""
    periods = field.least.shape[0]
    lags, start, worths = spread.lags(periods), spread.start(periods), spread.worths(periods)
    least, most = reachable(spread, field)
    top = jnp.max(most)

    def respond(least: Vector, most: Vector, prices: Vector) -> Response:
        counted = replace(spread.portfolio, cost=None, lower=least, upper=most)
        return real_response(counted, top)(prices)

    def bound_at(flat: Vector) -> Prices:
        prices = flat.reshape(least.shape)
        response = jax.vmap(respond)(least, most, prices / worths[:, None])
        payoff = worths[:, None] * response.payoff
        worth = backward(lags, prices)
        spent = field.best_response(worth)
        bought, carried = jnp.sum(worth * spent), jnp.sum(prices * start)
        flow = forward(lags, spent) + start
        sizes = jnp.sum(jnp.abs(payoff)) + 2.0 * jnp.sum(prices * response.effort) + bought + carried
        slack = 2.0 * sum_error(2 * periods * flat.size, sizes)
        bound = jnp.sum(payoff) + carried + bought
        # Prices at which something overflows bound nothing.
        bound = jnp.where(jnp.isnan(bound), jnp.inf, bound)
        return Prices(flat, bound, (flow - response.effort).reshape(-1), slack)

    return bound_at


def upper_bound(spread: Spread, field: Field, effort: Efforts) -> tuple[Scalar, Scalar]:
    """(a bound that is right for every curve, how far rounding may move it), from prices at this effort.

    Where V is concave they are the slopes there. Elsewhere the least of some steps down the subgradient, from
    the slopes and, where a slope at 0 says little of an S-shaped curve, from chords.
    """
    tiny = least_positive(effort.dtype)
    slopes = jnp.clip(jnp.nan_to_num(spread.own_slope(effort)), tiny, 1.0 / tiny)
    bound_at = bounds(spread, field)
    at_slopes = bound_at(slopes.reshape(-1))
    if spread.concave:
        return at_slopes.bound, at_slopes.slack
    least, most = reachable(spread, field)
    returns = jax.vmap(spread.portfolio.returns)
    rise = spread.worths(effort.shape[0])[:, None] * (returns(most) - returns(least))
    chords = jnp.maximum(rise, 0.0) / jnp.maximum(most - least, tiny)
    steepest = jnp.max(chords) + tiny
    prices = jnp.clip(jnp.maximum(slopes, chords), LEAST_PRICE * steepest, MOST_PRICE * steepest)
    found = descend(bound_at, jnp.log(prices.reshape(-1)))
    better = found.bound < at_slopes.bound
    return jnp.where(better, found.bound, at_slopes.bound), jnp.where(better, found.slack, at_slopes.slack)
