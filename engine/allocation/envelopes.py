"""Targets in real effort: on the concave envelopes, between the responses on either side of a price."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp

from engine.allocation.allocate import MOST_BUDGET
from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio
from engine.solvers.dual import bisect_price
from engine.solvers.responses import Response, Scalar, real_response
from engine.solvers.rounding import least_positive

KINDS: tuple[Kind, ...] = ("value", "return_per_unit", "price")
Kind = Literal["value", "return_per_unit", "price"]


def origin(portfolio: Portfolio, kind: Kind, least: Vector) -> tuple[Scalar, Scalar]:
    """(spend, value) from which a rate counts: no effort for the average, the lower limits for a price."""
    start = least if kind == "price" else jnp.zeros_like(least)
    return portfolio.spend(start), portfolio.value(start)


RATIO_STEPS = 30


def unlimited(portfolio: Portfolio) -> Callable[[Scalar], Response]:
    """The best responses to a price in real effort, whatever they cost."""
    return real_response(portfolio, jnp.asarray(MOST_BUDGET, portfolio.dtype))


def _between(
    portfolio: Portfolio, inside: Vector, outside: Vector, excess: Callable[[Vector], Scalar]
) -> Scalar:
    """The budget at which `excess` is 0 on the line between two responses that are best at one price."""
    low, high = excess(inside), excess(outside)
    share = jnp.clip(low / jnp.where(low == high, 1.0, low - high), 0.0, 1.0)
    start = portfolio.spend(inside)
    return start + jnp.where(low == high, 0.0, share) * (portfolio.spend(outside) - start)


def envelope_of_value(portfolio: Portfolio, target: Scalar) -> tuple[Scalar, Scalar]:
    """(budget at which the envelope reaches the target, largest value)."""
    respond = unlimited(portfolio)

    def missing(effort: Vector) -> Scalar:
        return target - portfolio.value(effort)

    bracket = bisect_price(
        lambda price: respond(price).effort, lambda effort: missing(effort) > 0, portfolio.lowers()
    )
    most = portfolio.value(bracket.outside)
    budget = _between(portfolio, bracket.inside, bracket.outside, missing)
    at_once = missing(portfolio.lowers()) <= 0
    budget = jnp.where(at_once, portfolio.spend(portfolio.lowers()), budget)
    return jnp.where(most >= target, budget, jnp.inf), most


def envelope_of_return(portfolio: Portfolio, target: Scalar) -> tuple[Scalar, Scalar]:
    """(largest budget at which the envelope's average return is the target, best average return)."""
    respond = unlimited(portfolio)
    spend, value = origin(portfolio, "return_per_unit", portfolio.lowers())

    def surplus(effort: Vector) -> Scalar:
        return portfolio.value(effort) - value - target * (portfolio.spend(effort) - spend)

    best = respond(target).effort
    tiny = jnp.asarray(least_positive(portfolio.dtype), portfolio.dtype)
    bracket = bisect_price(
        lambda price: respond(price).effort, lambda effort: surplus(effort) >= 0, best, between=(tiny, target)
    )
    budget = _between(portfolio, bracket.inside, bracket.outside, surplus)
    met = (surplus(best) >= 0) & (portfolio.value(best) > value)
    return jnp.where(met, budget, jnp.inf), _best_ratio(portfolio, respond, spend, value)


def envelope_of_price(portfolio: Portfolio, target: Scalar) -> tuple[Scalar, Scalar]:
    """(spend of the best responses to the price, the price of the first spending)."""
    respond = unlimited(portfolio)
    effort = respond(target).effort
    met = jnp.any(effort > portfolio.lowers())
    spend, value = origin(portfolio, "price", portfolio.lowers())
    best = _best_ratio(portfolio, respond, spend, value)
    return jnp.where(met, portfolio.spend(effort), jnp.inf), best


def _best_ratio(
    portfolio: Portfolio, respond: Callable[[Scalar], Response], spend: Scalar, value: Scalar
) -> Scalar:
    """The largest (V(x) − value)/(spend of x − spend), by Dinkelbach's iteration (1967)."""

    def ratio(effort: Vector, otherwise: Scalar) -> Scalar:
        rise, more = portfolio.value(effort) - value, portfolio.spend(effort) - spend
        return jnp.where((more > 0) & (rise > 0), rise / jnp.where(more > 0, more, 1.0), otherwise)

    bracket = bisect_price(
        lambda price: respond(price).effort,
        lambda effort: ~(portfolio.value(effort) > value),
        portfolio.lowers(),
    )
    start = ratio(bracket.outside, jnp.zeros_like(value))

    def improve(_: int, rate: Scalar) -> Scalar:
        return jnp.maximum(rate, ratio(respond(rate).effort, rate))

    return jax.lax.fori_loop(0, RATIO_STEPS, improve, start)
