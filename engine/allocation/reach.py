"""How far a target's search must go, and what a budget curve says of it; see `engine.allocation.targets`.

The functions are those of one portfolio, arrays [projects], budgets in units of cost.

Source: Everett (1963), "Generalized Lagrange multiplier method".
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from engine.allocation.envelopes import Kind, origin, unlimited
from engine.allocation.optima import Budgets
from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio
from engine.solvers.dual import bisect_price
from engine.solvers.responses import Scalar
from engine.solvers.rounding import value_error

# Prices below a rate at which the reach of its target is looked for.
PRICE_SHARES = 32


class Reach(NamedTuple):
    """How far a search for the target must go.

    - `budget`: the answer is no larger; infinite where no budget meets the target.
    - `best`: the largest value of all budgets, for a value.
    """

    budget: Scalar
    best: Scalar


class Read(NamedTuple):
    """What a budget curve says of a target: the state that meets it, whether any does, the best rate."""

    state: Int[Array, ""]
    met: Bool[Array, ""]
    rate: Scalar


def whole_units(portfolio: Portfolio, effort: Vector) -> Vector:
    """The next whole units up, within the bounds."""
    return jnp.clip(jnp.ceil(effort), jnp.ceil(portfolio.lowers()), jnp.floor(portfolio.uppers()))


def reach_of_value(portfolio: Portfolio, target: Scalar) -> Reach:
    """The spend of the first best response, made whole, that is worth the target."""
    respond = unlimited(portfolio)

    def worth(effort: Vector) -> Scalar:
        return portfolio.value(whole_units(portfolio, effort))

    bracket = bisect_price(
        lambda price: respond(price).effort,
        lambda effort: worth(effort) < target,
        portfolio.lowers(),
    )
    most = jnp.maximum(worth(bracket.outside), portfolio.value(bracket.outside))
    budget = portfolio.spend(whole_units(portfolio, bracket.outside))
    met = most >= target - value_error(portfolio.shape[-1], target)
    return Reach(jnp.where(met, budget, jnp.inf), most)


def reach_of_rate(portfolio: Portfolio, target: Scalar, kind: Kind) -> Reach:
    """The least of (Φ(λ) − V')/(r − λ) over prices λ below r, for V' that the target must beat at price r.

    For V(b) ≤ Φ(λ) + λ·b, and the answer b has V(b) − r·b ≥ V'.
    """
    shares = jnp.arange(1, PRICE_SHARES + 1, dtype=portfolio.dtype) / float(PRICE_SHARES)
    response = jax.vmap(unlimited(portfolio))(shares * target)
    payoff = jnp.sum(response.payoff, axis=-1)
    least = whole_units(portfolio, portfolio.lowers())
    spend, value = origin(portfolio, kind, least)
    beat = value - target * spend
    if kind == "price":
        near = whole_units(portfolio, response.effort[-1])
        beat = jnp.maximum(beat, portfolio.value(near) - target * portfolio.spend(near))
    budgets = (payoff[:-1] - beat) / ((1.0 - shares[:-1]) * target)
    largest = float(jnp.finfo(portfolio.dtype).max)
    return Reach(jnp.clip(jnp.min(budgets), portfolio.spend(least), largest), jnp.zeros_like(value))


def attained_rate(portfolio: Portfolio, _: Scalar, kind: Kind) -> Scalar:
    """The rate of the first best response that earns anything in whole units, the price coming down."""
    respond = unlimited(portfolio)
    spend, value = origin(portfolio, kind, whole_units(portfolio, portfolio.lowers()))

    def idle(effort: Vector) -> Bool[Array, ""]:
        return portfolio.value(whole_units(portfolio, effort)) <= value

    first = bisect_price(lambda price: respond(price).effort, idle, portfolio.lowers()).outside
    first = whole_units(portfolio, first)
    rise, more = portfolio.value(first) - value, portfolio.spend(first) - spend
    return jnp.where((rise > 0) & (more > 0), rise / jnp.where(more > 0, more, 1.0), 0.0)


def read_target(portfolio: Portfolio, budgets: Budgets, values: Budgets, target: Scalar, kind: Kind) -> Read:
    """The state of the budget curve that meets the target, up to rounding."""
    last = values.size - 1
    slack = value_error(portfolio.shape[-1], jnp.where(jnp.isfinite(values), values, 0.0))
    least = whole_units(portfolio, portfolio.lowers())
    spend, value = origin(portfolio, kind, least)
    more = budgets - spend > 0
    rates = jnp.where(more, (values - value) / jnp.where(more, budgets - spend, 1.0), -jnp.inf)
    rate = jnp.max(rates)
    if kind == "value":
        meets = values >= target - slack
        return Read(jnp.argmax(meets).astype(jnp.int32), jnp.any(meets), rate)
    net = values - target * budgets
    goal = value if kind == "return_per_unit" else jnp.max(net)
    meets = (net >= goal - slack) & (values > value + slack)
    state = last - jnp.argmax(meets[::-1]).astype(jnp.int32)
    enough = jnp.searchsorted(values, values[state] - slack[state]).astype(jnp.int32)
    return Read(enough, jnp.any(meets), rate)
