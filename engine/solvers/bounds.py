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
from jaxtyping import Array, Bool, Float

from engine.curves import Vector
from engine.lattice import Lattice
from engine.portfolio import Portfolio, concave_utility
from engine.solvers.batching import choose
from engine.solvers.solution import budget_slack

Scalar = Float[Array, ""]

TANGENT_STEPS = 48
MOST_CHORDS = 64
LEVELS_PER_CANDIDATE = 64


class Response(NamedTuple):
    """The effort that is best at a price, and what it pays net of the price, per project."""

    effort: Vector
    payoff: Vector


class Dual(NamedTuple):
    """The minimum of L: its price, its value, and the best responses on either side of the budget."""

    price: Scalar
    bound: Scalar
    inside: Vector
    outside: Vector


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
    to_bits = lambda x: jax.lax.bitcast_convert_type(jnp.asarray(x, dtype), kind)  # noqa: E731
    to_float = lambda b: jax.lax.bitcast_convert_type(b, dtype)  # noqa: E731

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
    tiny = jnp.asarray(jnp.finfo(portfolio.dtype).tiny, portfolio.dtype)
    bracket = bisect_price(
        lambda price: respond(price).effort, lambda effort: portfolio.spend(effort) <= limit, idle
    )
    lagrangian = lambda price: jnp.sum(respond(price).payoff) + price * budget  # noqa: E731
    bound = jnp.minimum(lagrangian(bracket.low), lagrangian(bracket.high))
    free = bracket.low <= tiny
    price = jnp.where(free, 0.0, bracket.high)
    inside = jnp.where(free, bracket.outside, bracket.inside)
    return Dual(price, bound, inside, bracket.outside)


# Whole units.


def unit_bounds(portfolio: Portfolio, budget: Scalar, lattice: Lattice) -> tuple[Vector, Vector]:
    """The least and most whole units of each project: its bounds, and what the whole budget buys."""
    affordable = jnp.floor((budget + budget_slack(budget)) / portfolio.costs())
    most = jnp.minimum(jnp.minimum(jnp.floor(portfolio.uppers()), affordable), float(lattice.units))
    least = jnp.ceil(portfolio.lowers())
    return least, jnp.maximum(most, least)


def units_above(portfolio: Portfolio, price: Scalar, least: Vector, most: Vector) -> Vector:
    """How many units of each project gain at least the price: diminishing portfolios only.

    The slope at x brackets the gains on either side of it, so the count is floor(x) or one more; one
    comparison of gains settles which, and a second one repairs a rounding of x.
    """
    priced = price * portfolio.costs()
    inverse = portfolio.curves.inverse_slope(priced / portfolio.stakes())  # type: ignore[attr-defined]
    units = jnp.clip(jnp.floor(inverse), least, most)
    more = (portfolio.gain(units) >= priced) & (units < most)
    fewer = (units > least) & (portfolio.gain(jnp.maximum(units - 1.0, 0.0)) < priced)
    return jnp.where(more, units + 1.0, jnp.where(fewer, units - 1.0, units))


def unit_response(
    portfolio: Portfolio, budget: Scalar, lattice: Lattice, *, rough: bool = False
) -> Callable[[Scalar], Response]:
    """The best response in whole units; the least effort on a tie.

    By inverse slope where returns diminish, among the whole units around the curve's own candidates where
    those are few, else by enumeration of all levels. A `rough` one may look for candidates in float32.
    """
    least, most = unit_bounds(portfolio, budget, lattice)
    costs = portfolio.costs()
    if portfolio.diminishing:

        def respond(price: Scalar) -> Response:
            effort = units_above(portfolio, price, least, most)
            return Response(effort, portfolio.returns(effort) - price * costs * effort)

        return respond

    if few_candidates(portfolio, lattice):
        returns_at = jax.vmap(portfolio.returns)

        def compare(price: Scalar) -> Response:
            levels = candidate_units(portfolio, price, least, most, rough=rough)
            return _best(levels, returns_at(levels), (price * costs)[None] * levels)

        return compare

    levels = jnp.arange(lattice.units + 1, dtype=portfolio.dtype)
    table = jnp.where(levels[:, None] <= most[None], portfolio.table(lattice.units).T, -jnp.inf)

    def enumerate_levels(price: Scalar) -> Response:
        best = _best(levels[:, None], table, (price * costs)[None] * levels[:, None])
        return best._replace(effort=jnp.minimum(best.effort, most))

    return enumerate_levels


def _best(
    levels: Float[Array, "levels _"],
    returns: Float[Array, "levels projects"],
    spend: Float[Array, "levels projects"],
) -> Response:
    """The largest payoff of each project, and the least level that has it, up to rounding.

    A compiler may compute the payoffs once for their maximum and once more for the comparison, and round them
    differently, so that none equals the maximum.
    """
    payoffs = returns - spend
    payoff = jnp.max(payoffs, axis=0)
    slack = 4.0 * float(jnp.finfo(payoffs.dtype).eps) * (jnp.abs(returns) + spend)
    near = (payoffs >= payoff[None] - slack) & jnp.isfinite(returns)
    return Response(jnp.min(jnp.where(near, levels, jnp.inf), axis=0), payoff)


def few_candidates(portfolio: Portfolio, lattice: Lattice) -> bool:
    """Whether comparing the curve's own candidates is less work than enumerating all levels.

    A utility moves the maximisers away from those that the curve names, so it leaves enumeration.
    """
    if portfolio.curvature is not None or portfolio.threshold is not None:
        return False
    candidates = jax.eval_shape(portfolio.curves.maximisers, portfolio.costs()).shape[0]
    return candidates * LEVELS_PER_CANDIDATE <= lattice.units


def candidate_units(
    portfolio: Portfolio, price: Scalar, least: Vector, most: Vector, *, rough: bool = False
) -> Float[Array, "candidates projects"]:
    """The whole units among which returns less the price are largest: on either side of each maximiser.

    Between two maximisers a curve is the upper envelope of pieces each of which falls away from its own
    maximiser or is convex, so no other whole unit can pay more.
    """
    curves, asked = portfolio.curves, price * portfolio.costs() / portfolio.stakes()
    if rough:
        lowest = float(jnp.finfo(jnp.float32).tiny)
        curves, asked = jax.tree.map(_in_float32, (curves, jnp.maximum(asked, lowest)))
    efforts = jax.vmap(portfolio.effort_to)(curves.maximisers(asked).astype(portfolio.dtype))
    down = jnp.clip(jnp.floor(efforts), least[None], most[None])
    up = jnp.clip(jnp.floor(efforts) + 1.0, least[None], most[None])
    return jnp.concatenate([least[None], down, up])


def _in_float32(array: Array) -> Array:
    return array.astype(jnp.float32) if jnp.issubdtype(array.dtype, jnp.floating) else array


class Line(NamedTuple):
    """A supporting line of L at some price: total return less spend, and the efforts that give it."""

    value: Scalar
    spend: Scalar
    effort: Vector


def integer_dual(
    portfolio: Portfolio, budget: Scalar, lattice: Lattice, most_chords: int = MOST_CHORDS
) -> Dual:
    """The Lagrangian dual over whole units, by the chords of its supporting lines.

    Best responses at a price give a line V + λ(B − spend) that supports L there. The next price is where the
    last affordable and the last unaffordable line meet; once the response there spends as one of them, that
    crossing is the minimum: found in a dozen evaluations where bisection takes sixty. The search may be
    rough, since L(λ) is a bound at every λ; the bound itself is evaluated in full at the end.

    Source: Eisner & Severance (1976) for lines and crossings of parametric problems; Kelley (1960).
    """
    least, most = unit_bounds(portfolio, budget, lattice)
    respond = unit_response(portfolio, budget, lattice)
    search = unit_response(portfolio, budget, lattice, rough=True)
    limit = budget + budget_slack(budget)
    tiny = jnp.asarray(jnp.finfo(portfolio.dtype).tiny, portfolio.dtype)

    def line(respond: Callable[[Scalar], Response], price: Scalar) -> Line:
        effort, payoff = respond(price)
        spend = portfolio.spend(effort)
        return Line(jnp.sum(payoff) + price * spend, spend, effort)

    def crossing(inside: Line, outside: Line) -> Scalar:
        more = outside.spend - inside.spend
        return jnp.maximum((outside.value - inside.value) / jnp.where(more > 0, more, 1.0), tiny)

    def advance(state: tuple[Line, Line, Array, Array]) -> tuple[Line, Line, Array, Array]:
        inside, outside, _, step = state
        found = line(search, jnp.where(step > 0, crossing(inside, outside), tiny))
        affordable = found.spend <= limit
        met = (found.spend == inside.spend) | (found.spend == outside.spend)
        end = jnp.where(step > 0, met, affordable)
        return choose(affordable, found, inside), choose(affordable, outside, found), end, step + 1

    nothing = Line(portfolio.value(least), portfolio.spend(least), least)
    inside, outside, ended, steps = jax.lax.while_loop(
        lambda state: ~state[2] & (state[3] < most_chords),
        advance,
        (nothing, nothing, jnp.asarray(False), jnp.int32(0)),
    )
    free = ended & (steps == 1)  # even the lowest price is afforded
    price = jnp.where(free, tiny, crossing(inside, outside))
    found = line(respond, price)
    dual = Dual(
        price=jnp.where(free, 0.0, price),
        bound=found.value + price * (budget - found.spend),
        inside=jnp.where(free, found.effort, inside.effort),
        outside=jnp.where(free, found.effort, outside.effort),
    )
    marginal = portfolio.gain(dual.inside) / portfolio.costs()
    sated = dual.inside >= jnp.floor(portfolio.uppers())
    return _reprice(dual, marginal, (dual.inside >= most) & ~sated)


# Real effort.


def effort_bounds(portfolio: Portfolio, budget: Scalar) -> tuple[Vector, Vector]:
    """The least and most effort of each project: its bounds, and what the whole budget buys."""
    least = portfolio.lowers()
    return least, jnp.maximum(jnp.minimum(portfolio.uppers(), budget / portfolio.costs()), least)


def real_response(portfolio: Portfolio, budget: Scalar) -> Callable[[Scalar], Response]:
    """The best response in real effort, among the candidates that each family names.

    A threshold splits the choice in two: stay at the lower bound, or go at least as far as it takes to be
    paid. A concave utility R is met by its tangents, R(p) ≤ R(q) + R'(q)(p − q): each gives a payoff for a
    curve of the family itself, rescaled, and the least of them, found by bisection on q, is the payoff
    reported. It is never below the true one, and equals it where f is concave.
    """
    least, most = effort_bounds(portfolio, budget)
    costs, stakes = portfolio.costs(), portfolio.stakes()
    paid_from = least
    if portfolio.threshold is not None:
        paid_from = jnp.maximum(portfolio.threshold_effort(most), least)
    payable = paid_from <= most
    start = jnp.where(payable, paid_from, least)

    # Candidates are scored on the curve itself, past the start-up cost: adding that cost and taking it off
    # again may fall a rounding short of a jump.
    begin, end = portfolio.effective(start), portfolio.effective(most)

    def best(price: Vector, worth: Vector) -> Response:
        """The maximum of worth·f(x) − price·x over [start, most], per project."""
        candidates = jnp.clip(portfolio.curves.maximisers(price / worth), begin[None], end[None])
        candidates = jnp.concatenate([begin[None], candidates, end[None]])

        def score_one(candidate: Vector) -> tuple[Vector, Vector]:
            effort = portfolio.effort_to(candidate)
            effort = jnp.where(candidate > begin, jnp.minimum(effort, most), start)
            return effort, worth * portfolio.curves.value(candidate) - price * effort

        efforts, score = jax.vmap(score_one)(candidates)
        at = jnp.argmax(score, axis=0)[None]
        pick = lambda table: jnp.take_along_axis(table, at, axis=0)[0]  # noqa: E731
        return Response(pick(efforts), pick(score))

    def respond(price: Scalar) -> Response:
        priced = price * costs
        if portfolio.curvature is None:
            response = best(priced, stakes)
        else:
            response = _tangent_response(portfolio, priced, best, start, most)
        if portfolio.threshold is not None:
            stay = portfolio.returns(least) - priced * least
            leave = payable & (response.payoff > stay)
            response = choose(leave, response, Response(least, stay))
        return response

    return respond


def _tangent_response(
    portfolio: Portfolio,
    priced: Vector,
    best: Callable[[Vector, Vector], Response],
    start: Vector,
    most: Vector,
) -> Response:
    """Best response under a concave utility: the tangent whose own maximiser touches it, by bisection."""
    assert portfolio.curvature is not None
    curvature, stakes = portfolio.curvature, portfolio.stakes()

    def touch(q: Vector) -> tuple[Response, Vector]:
        steepness = jnp.exp(-curvature * q)
        response = best(priced, stakes * steepness)
        offset = stakes * (concave_utility(curvature, q) - steepness * q)
        return Response(response.effort, response.payoff + offset), portfolio.performance(response.effort)

    def halve(_: int, bracket: tuple[Vector, Vector]) -> tuple[Vector, Vector]:
        low, high = bracket
        middle = 0.5 * (low + high)
        above = touch(middle)[1] > middle
        return jnp.where(above, middle, low), jnp.where(above, high, middle)

    ends = portfolio.performance(start), portfolio.performance(most)
    bracket = jnp.minimum(*ends), jnp.maximum(*ends)
    low, high = jax.lax.fori_loop(0, TANGENT_STEPS, halve, bracket)
    (one, _), (other, _) = touch(low), touch(high)
    smaller = one.payoff <= other.payoff
    return choose(smaller, one, other)


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
    beyond = jnp.max(jnp.where(capped & jnp.isfinite(marginal), marginal, 0.0))
    return dual._replace(price=jnp.maximum(dual.price, beyond))
