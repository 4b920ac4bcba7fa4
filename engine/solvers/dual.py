"""Lagrangian upper bounds, and the best responses to a price that they are made of.

    L(λ) = Σ_i max_x [w_i R_i(f_i(x)) − λ c_i x] + λ B  ≥  V*          for every price λ ≥ 0

with x over whole units within the bounds (integer bound) or over all efforts within them (real bound,
which is at least the integer one). L is convex; its minimum is found by bisection on whether the best
responses can be afforded. For concave curves the minimum equals the optimum; for S-shaped and
staged ones it is the optimum of their concave envelopes.

Sources: Everett (1963), "Generalized Lagrange multiplier method"; Fox (1966); Udell & Boyd (2013) for the
concave envelopes of S-shaped curves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio
from engine.solvers.batching import choose
from engine.solvers.lattice import Lattice
from engine.solvers.responses import (
    Haste,
    Response,
    Scalar,
    effort_bounds,
    real_response,
    total,
    unit_bounds,
    unit_response,
)
from engine.solvers.rounding import budget_slack, least_positive

MOST_CHORDS = 64


class Dual(NamedTuple):
    """The minimum of L: the price of the budget, its value, the best responses on either side of the budget,
    and the price at which L has this value: the same, or less where a project takes the whole budget."""

    price: Scalar
    bound: Scalar
    inside: Vector
    outside: Vector
    minimiser: Scalar


class Bracket(NamedTuple):
    """Adjacent prices and the efforts on either side of the budget: `inside` affordable, `outside` not."""

    low: Scalar
    high: Scalar
    inside: Vector
    outside: Vector


def bisect_price(
    respond: Callable[[Scalar], Vector],
    affordable: Callable[[Vector], Bool[Array, ""]],
    idle: Vector,
    between: tuple[Scalar, Scalar] | None = None,
    steps: int | None = None,
) -> Bracket:
    """Bisect the price between the efforts that can be afforded and those that cannot.

    Over the bit patterns of positive floats: it ends at adjacent numbers, whatever the prices' scale.
    `idle` is the effort at the highest price. Where every price is affordable, low is the smallest normal
    number. The efforts are those the search itself met: recomputed, they could differ by a rounding.
    `between` and `steps` narrow and shorten the search; high stays affordable.
    """
    dtype = idle.dtype
    limits = jnp.finfo(dtype)
    kind = {4: jnp.int32, 8: jnp.int64}[dtype.itemsize]

    def to_bits(number: Scalar) -> Array:
        return jax.lax.bitcast_convert_type(jnp.asarray(number, dtype), kind)

    def to_float(bits: Array) -> Scalar:
        return jax.lax.bitcast_convert_type(bits, dtype)

    def halve(_: int, bracket: Bracket) -> Bracket:
        middle = bracket.low + (bracket.high - bracket.low) // 2
        effort = respond(to_float(middle))
        ok = affordable(effort)
        return Bracket(
            jnp.where(ok, bracket.low, middle),
            jnp.where(ok, middle, bracket.high),
            jnp.where(ok, effort, bracket.inside),
            jnp.where(ok, bracket.outside, effort),
        )

    low, high = between or (jnp.asarray(limits.tiny, dtype), jnp.asarray(limits.max, dtype))
    begin = Bracket(to_bits(low), to_bits(high), idle, respond(low))
    bracket = jax.lax.fori_loop(0, steps or 8 * dtype.itemsize - 1, halve, begin)
    return bracket._replace(low=to_float(bracket.low), high=to_float(bracket.high))


def minimise_dual(
    portfolio: Portfolio,
    budget: Scalar,
    limit: Scalar,
    idle: Vector,
    respond: Callable[[Scalar], Response],
) -> Dual:
    """The least L(λ) over λ ≥ 0, given the best responses to a price; `limit` is what may be spent."""
    tiny = jnp.asarray(least_positive(portfolio.dtype), portfolio.dtype)
    bracket = bisect_price(
        lambda price: respond(price).effort, lambda effort: portfolio.spend(effort) <= limit, idle
    )

    def lagrangian(price: Scalar) -> Scalar:
        return jnp.sum(respond(price).payoff) + price * budget

    bound = jnp.minimum(lagrangian(bracket.low), lagrangian(bracket.high))
    free = bracket.low <= tiny
    price = jnp.where(free, 0.0, bracket.high)
    inside = jnp.where(free, bracket.outside, bracket.inside)
    return Dual(price, bound, inside, bracket.outside, price)


class Line(NamedTuple):
    """A supporting line of L at some price: total return less spend, and the efforts that give it."""

    value: Scalar
    spend: Scalar
    effort: Vector


def integer_dual(
    portfolio: Portfolio,
    budget: Scalar,
    lattice: Lattice,
    most_chords: int = MOST_CHORDS,
    *,
    rough: bool = False,
) -> Dual:
    """The Lagrangian dual over whole units, by the chords of its supporting lines.

    Best responses at a price give a line V + λ(B − spend) that supports L there. The next price is where the
    last affordable and the last unaffordable line meet; once the response there spends as one of them, that
    crossing is the minimum: found in a dozen evaluations where bisection takes sixty. The search looks for
    candidates in float32, since L(λ) is a bound at every λ; the bound itself is evaluated in full at the end.
    A `rough` one chooses among them in float32, too, and gives `inside` and `outside` as they come.

    Of one portfolio, or of many: arrays [projects, portfolios], numbers [1, portfolios].

    Source: Eisner & Severance (1976) for lines and crossings of parametric problems; Kelley (1960).
    """
    least, most = unit_bounds(portfolio, budget, lattice)
    costs = portfolio.costs()
    search = unit_response(portfolio, budget, lattice, haste=Haste.CHOICE if rough else Haste.CANDIDATES)
    tiny = jnp.asarray(least_positive(portfolio.dtype), portfolio.dtype)
    idle = Response(least, portfolio.returns(least))
    limit = budget + budget_slack(budget)
    inside, outside, free = _cross(
        lambda price: _line(costs, search(price), price),
        _line(costs, idle, jnp.zeros_like(budget)),
        limit,
        tiny,
        most_chords,
    )
    price = jnp.where(free, tiny, _crossing(inside, outside, tiny))
    found = _line(costs, unit_response(portfolio, budget, lattice)(price), price)
    dual = Dual(
        price=jnp.where(free, 0.0, price),
        bound=found.value + price * (budget - found.spend),
        # The search sees no price below those of float32, at which more may be bought than is afforded.
        inside=jnp.where(free & (found.spend <= limit), found.effort, inside.effort),
        outside=jnp.where(free, found.effort, outside.effort),
        minimiser=jnp.where(free, 0.0, price),
    )
    marginal = portfolio.gain(dual.inside) / costs
    sated = dual.inside >= jnp.floor(portfolio.uppers())
    return _reprice(dual, marginal, (dual.inside >= most) & ~sated)


def _line(costs: Vector, response: Response, price: Scalar) -> Line:
    """The line of the best responses to a price."""
    spend = total(costs * response.effort)
    return Line(total(response.payoff) + price * spend, spend, response.effort)


def _crossing(inside: Line, outside: Line, lowest: Scalar) -> Scalar:
    """The price at which two lines meet."""
    more = outside.spend - inside.spend
    return jnp.maximum((outside.value - inside.value) / jnp.where(more > 0, more, 1.0), lowest)


def _cross(
    line: Callable[[Scalar], Line], nothing: Line, limit: Scalar, lowest: Scalar, most_chords: int
) -> tuple[Line, Line, Bool[Array, ...]]:
    """(the last affordable line, the last unaffordable one, whether even the lowest price is afforded)."""

    def advance(state: tuple[Line, Line, Array, Array]) -> tuple[Line, Line, Array, Array]:
        inside, outside, ended, step = state
        found = line(jnp.where(step > 0, _crossing(inside, outside, lowest), lowest))
        affordable = found.spend <= limit
        met = (found.spend == inside.spend) | (found.spend == outside.spend)
        ends = jnp.where(step > 0, met, affordable)
        inside = choose(affordable & ~ended, found, inside)
        outside = choose(affordable | ended, outside, found)
        return inside, outside, ended | ends, jnp.where(ended, step, step + 1)

    def unfinished(state: tuple[Line, Line, Array, Array]) -> Array:
        return jnp.any(~state[2] & (state[3] < most_chords))

    begin = nothing, nothing, jnp.zeros(limit.shape, bool), jnp.zeros(limit.shape, jnp.int32)
    inside, outside, ended, steps = jax.lax.while_loop(unfinished, advance, begin)
    return inside, outside, ended & (steps == 1)


def real_dual(portfolio: Portfolio, budget: Scalar) -> Dual:
    """The Lagrangian dual over real effort: the optimum of the concave envelopes."""
    respond = real_response(portfolio, budget)
    dual = minimise_dual(portfolio, budget, budget, portfolio.lowers(), respond)
    _, most = effort_bounds(portfolio, budget)
    marginal = portfolio.slope(dual.inside) / portfolio.costs()
    return _reprice(dual, marginal, (dual.inside >= most) & (most < portfolio.uppers()))


def _reprice(dual: Dual, marginal: Vector, capped: Bool[Array, " projects"]) -> Dual:
    """The price where one project takes the whole budget.

    No project is offered more than the budget buys, which tightens the bound; the price of the budget is
    then what that project would gain beyond.
    """
    beyond = jnp.where(capped & jnp.isfinite(marginal), marginal, 0.0)
    beyond = jnp.max(beyond, axis=0, keepdims=beyond.ndim > 1)
    return dual._replace(price=jnp.maximum(dual.price, beyond))
