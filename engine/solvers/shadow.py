"""The shadow price of a budget: the slopes of the least concave majorant of V on either side of it.

    V(b) = max { V(x) : Σ_i c_i x_i ≤ b },   Φ(λ) = Σ_i max_x [v_i(x) − λ c_i x]

with x over whole units, or real effort, within the portfolio's own bounds and no others: what the budget
buys does not limit it, nor how far anybody asked. Φ is the conjugate of V, so the prices λ that minimise
Φ(λ) + λ b are the subgradients at b of the majorant of V over all budgets: an interval, whose smaller end is
the slope to the right of b and whose larger end is the slope to the left.

A solver's own dual offers no project more than the budget buys, which makes for the better bound; the price
at its minimum is that solver's multiplier, and may be another number.

Source: Everett (1963), "Generalized Lagrange multiplier method"; Eisner & Severance (1976) for the search.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio
from engine.solvers.batching import choose
from engine.solvers.dual import bisect_price
from engine.solvers.responses import (
    Response,
    Scalar,
    candidate_units,
    real_response,
    threshold_effort,
    units_above,
)
from engine.solvers.rounding import budget_slack, epsilon, first_best, least_positive, payoff_error

# A chord more than halves what is left of the budgets; those of a float64 need some fifty, and corners more.
MOST_CHORDS = 256
# Whole units that are all looked at where a curve's own candidates say too little, and how many an octave
# beyond.
ALL_LEVELS, LEVELS_AN_OCTAVE = 1024, 64


class Corner(NamedTuple):
    """A best response: an effort, what it spends and what it returns."""

    effort: Vector
    spend: Scalar
    value: Scalar


class Piece(NamedTuple):
    """The straight piece of the majorant after a limit: its slope, and the corners it runs between.

    The slope is NaN where the lower limits cost more; 0 and both corners the same where nothing more is to be
    gained; infinite where some project's returns increase without end, since no line is above V then.
    """

    price: Scalar
    low: Corner
    high: Corner


class Prices(NamedTuple):
    """The shadow price to the right of a budget, and to its left, at least as much."""

    right: Scalar
    left: Scalar


def shadow_prices(portfolio: Portfolio, budget: Scalar, *, real: bool) -> Prices:
    """The shadow prices of a budget, in whole units or in real effort; NaN where there is no such side, since
    the lower limits cost as much."""

    def price(limit: Scalar) -> Scalar:
        return real_price(portfolio, limit) if real else whole_piece(portfolio, limit).price

    return Prices(*jax.vmap(price)(jnp.stack([up_to(budget), below(budget)])))


def up_to(budget: Scalar) -> Scalar:
    """What a corner spends at most that does not lie to the right of a budget."""
    return budget + budget_slack(budget)


def below(budget: Scalar) -> Scalar:
    """What a corner spends at most that lies to the left of a budget."""
    return budget - jnp.maximum(budget_slack(budget), least_positive(budget.dtype))


def real_price(portfolio: Portfolio, limit: Scalar) -> Scalar:
    """The slope of the majorant after a limit of spending, in real effort: of the concave envelopes."""
    respond = real_response(portfolio, jnp.asarray(1.0 / epsilon(portfolio.dtype), portfolio.dtype))
    bracket = bisect_price(
        lambda price: respond(price).effort,
        lambda effort: portfolio.spend(effort) <= limit,
        portfolio.lowers(),
    )
    price = jnp.where(bracket.low <= least_positive(portfolio.dtype), 0.0, bracket.high)
    price = jnp.where(jnp.any(portfolio.endless()), jnp.inf, price)
    return jnp.where(portfolio.spend(portfolio.lowers()) <= limit, price, jnp.nan)


def whole_piece(portfolio: Portfolio, limit: Scalar) -> Piece:
    """The piece of the majorant after a limit of spending, in whole units, by chords of the dual."""
    dtype, costs = portfolio.dtype, portfolio.costs()
    least = jnp.ceil(portfolio.lowers())
    counted = jnp.floor(1.0 / (epsilon(dtype) * costs))  # more units than a float tells apart
    most = jnp.maximum(jnp.minimum(jnp.floor(portfolio.uppers()), counted), least)
    respond = _whole_response(portfolio, least, most)
    tiny = jnp.asarray(least_positive(dtype), dtype)

    def corner(effort: Vector) -> Corner:
        return Corner(effort, portfolio.spend(effort), portfolio.value(effort))

    def slope(low: Corner, high: Corner) -> Scalar:
        more = high.spend - low.spend
        return jnp.maximum((high.value - low.value) / jnp.where(more > 0, more, 1.0), tiny)

    def advance(state: tuple[Corner, Corner, Array, Array]) -> tuple[Corner, Corner, Array, Array]:
        low, high, _, step = state
        found = corner(respond(jnp.where(step > 0, slope(low, high), tiny)).effort)
        before = found.spend <= limit
        met = (found.spend <= low.spend) | (found.spend >= high.spend)
        end = jnp.where(step > 0, met, before)
        low = choose(before & (found.spend > low.spend), found, low)
        high = choose(~before & ((step == 0) | (found.spend < high.spend)), found, high)
        return low, high, end, step + 1

    idle = corner(least)
    low, high, ended, steps = jax.lax.while_loop(
        lambda state: ~state[2] & (state[3] < MOST_CHORDS),
        advance,
        (idle, idle, jnp.asarray(False), jnp.int32(0)),
    )
    sated = ended & (steps == 1)
    high = choose(sated, low, high)
    price = slope(low, high)
    if portfolio.diminishing:  # the same without cancellation
        rise = jnp.where(low.effort < most, portfolio.gain(low.effort) / costs, 0.0)
        price = jnp.maximum(jnp.max(rise), 0.0)
    price = jnp.where(sated, 0.0, price)
    price = jnp.where(jnp.any(portfolio.endless()), jnp.inf, price)
    return Piece(jnp.where(idle.spend <= limit, price, jnp.nan), low, high)


def _whole_response(portfolio: Portfolio, least: Vector, most: Vector) -> Callable[[Scalar], Response]:
    """The best response in whole units within these bounds, the least effort on a tie, without a lattice."""
    costs = portfolio.costs()
    if portfolio.diminishing:

        def count(price: Scalar) -> Response:
            effort = units_above(portfolio, price, least, most)
            return Response(effort, portfolio.returns(effort) - price * costs * effort)

        return count

    start = least
    if portfolio.threshold is not None:
        paid_from = jnp.ceil(threshold_effort(portfolio, most))
        start = jnp.where(paid_from <= most, jnp.maximum(paid_from, least), least)
    fixed = jnp.stack([least, start, most])
    if portfolio.curvature is not None or portfolio.curves.listed:
        # A utility moves the maximisers away from those that the curve names.
        spread = jnp.asarray(_many_levels(portfolio.dtype), portfolio.dtype)[:, None]
        fixed = jnp.concatenate([fixed, jnp.clip(spread, least[None], most[None])])

    def compare(price: Scalar) -> Response:
        levels = jnp.concatenate([fixed, candidate_units(portfolio, price, start, most)])
        returns = jax.vmap(portfolio.returns)(levels)
        spend = (price * costs)[None] * levels
        payoff, level = first_best(returns - spend, levels, payoff_error(returns, spend))
        return Response(level, payoff)

    return compare


def _many_levels(dtype: np.dtype) -> Float[np.ndarray, " levels"]:
    """Whole units from 0 on: all of the first, then evenly spaced by their logarithm."""
    octaves = np.arange(1, LEVELS_AN_OCTAVE * int(-np.log2(epsilon(dtype)) - np.log2(ALL_LEVELS)))
    beyond = np.round(ALL_LEVELS * 2.0 ** (octaves / LEVELS_AN_OCTAVE))
    return np.concatenate([np.arange(ALL_LEVELS + 1.0), beyond])


def levels_held(portfolio: Portfolio) -> int:
    """About how many levels of a project are looked at in one step of the search."""
    if portfolio.diminishing:
        return 0
    spread = portfolio.curvature is not None or portfolio.curves.listed
    many = _many_levels(portfolio.dtype).size if spread else 0
    longest = max((np.shape(leaf)[-1] for leaf in jax.tree.leaves(portfolio.curves)), default=1)
    return 4 * (many + longest)
