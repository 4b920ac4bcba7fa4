"""Best responses to a price: what each project takes if effort costs that much, whole or real."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio, concave_utility
from engine.solvers.batching import choose
from engine.solvers.lattice import Lattice
from engine.solvers.rounding import budget_slack, first_best, least_positive, number_error, payoff_error

Scalar = Float[Array, ""]
Tree = TypeVar("Tree")
TANGENT_STEPS = 48
LOOK_UP_STEPS = 64
LEVELS_PER_CANDIDATE = 56
# How far the lowest price that a curve is asked for stays above the smallest number, which rounds to 0.
ROOM = 1e8


def total(values: Vector) -> Scalar:
    """The sum over projects: a number of one portfolio, a row [1, portfolios] of many."""
    return jnp.sum(values, axis=0, keepdims=values.ndim > 1)


class Response(NamedTuple):
    """The effort that is best at a price, and what it pays net of the price, per project."""

    effort: Vector
    payoff: Vector


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
    units = jnp.clip(jnp.floor(portfolio.inverse_slope(priced)), least, most)
    more = (portfolio.gain(units) >= priced) & (units < most)
    fewer = (units > least) & (portfolio.gain(jnp.maximum(units - 1.0, 0.0)) < priced)
    return jnp.where(more, units + 1.0, jnp.where(fewer, units - 1.0, units))


class Haste(IntEnum):
    """What may be done in float32 to find a best response: nothing, naming the candidates, choosing too."""

    NONE = 0
    CANDIDATES = 1
    CHOICE = 2


def unit_response(
    portfolio: Portfolio, budget: Scalar, lattice: Lattice, *, haste: Haste = Haste.NONE
) -> Callable[[Scalar], Response]:
    """The best response in whole units; the least effort on a tie.

    By inverse slope where returns diminish, among the whole units around the curve's own candidates where
    those are few, else by enumeration of all levels. In haste it may be another effort that pays about as
    much, and what it pays is as rough.

    Of one portfolio, or of many: arrays [projects, portfolios], prices [1, portfolios].
    """
    least, most = unit_bounds(portfolio, budget, lattice)
    costs = portfolio.costs()
    if portfolio.diminishing:

        def respond(price: Scalar) -> Response:
            effort = units_above(portfolio, price, least, most)
            return Response(effort, portfolio.returns(effort) - price * costs * effort)

        return respond

    if few_candidates(portfolio, lattice):
        if haste == Haste.CHOICE:
            single = in_float32(portfolio)

            def guess(price: Scalar) -> Response:
                levels = candidate_units(portfolio, price, least, most, rough=True)
                near = in_float32((levels, (price * costs)[None] * levels))
                response = _best(near[0], jax.vmap(single.returns)(near[0]), near[1])
                return jax.tree.map(lambda a: a.astype(portfolio.dtype), response)

            return guess

        def compare(price: Scalar) -> Response:
            levels = candidate_units(portfolio, price, least, most, rough=haste == Haste.CANDIDATES)
            return _best(levels, jax.vmap(portfolio.returns)(levels), (price * costs)[None] * levels)

        return compare

    levels = all_levels(portfolio, lattice)
    allowed = (levels >= portfolio.lowers()[None]) & (levels <= most[None])
    table = jnp.where(allowed, portfolio.returns_of_all(levels), -jnp.inf)

    listed = in_float32((levels, table)) if haste == Haste.CHOICE else (levels, table)

    def enumerate_levels(price: Scalar) -> Response:
        best = _best(*listed, (price * costs)[None].astype(listed[0].dtype) * listed[0])
        best = jax.tree.map(lambda a: a.astype(portfolio.dtype), best)
        return best._replace(effort=jnp.minimum(best.effort, most))

    return enumerate_levels


def all_levels(portfolio: Portfolio, lattice: Lattice) -> Float[Array, "levels projects"]:
    """0, 1, …, `units` whole units of effort for each project."""
    shape = (lattice.units + 1, *portfolio.shape)
    levels = jnp.arange(lattice.units + 1, dtype=portfolio.dtype)
    return jnp.broadcast_to(levels.reshape(-1, *[1] * len(portfolio.shape)), shape)


def _best(
    levels: Float[Array, "levels projects"],
    returns: Float[Array, "levels projects"],
    spend: Float[Array, "levels projects"],
) -> Response:
    """The largest payoff of each project, and the least level that has it."""
    payoff, level = first_best(returns - spend, levels, payoff_error(returns, spend))
    return Response(level, payoff)


def few_candidates(portfolio: Portfolio, lattice: Lattice) -> bool:
    """Whether comparing the curve's own candidates is less work than enumerating all levels.

    A utility moves the maximisers away from those that the curve names, so it leaves enumeration.
    """
    if (
        lattice.brief
        or portfolio.curves.listed
        or portfolio.curvature is not None
        or portfolio.threshold is not None
    ):
        return False
    named = jax.eval_shape(lambda known: known.curves.maximisers(known.costs()), portfolio)
    return named.shape[0] * LEVELS_PER_CANDIDATE <= lattice.units


def candidate_units(
    portfolio: Portfolio, price: Scalar, least: Vector, most: Vector, *, rough: bool = False
) -> Float[Array, "candidates projects"]:
    """The whole units among which returns less the price are largest: on either side of each maximiser.

    Between two maximisers a curve is the upper envelope of pieces each of which falls away from its own
    maximiser or is convex, so no other whole unit can pay more.
    """
    curves, asked = portfolio.curves, price * portfolio.costs() / portfolio.stakes()
    # The lowest price of all is still one, whatever a unit of performance is worth and a curve divides it by.
    asked = jnp.maximum(asked, ROOM * least_positive(jnp.float32 if rough else portfolio.dtype))
    if rough:
        curves, asked = in_float32((curves, asked))
    efforts = jax.vmap(portfolio.effort_to)(curves.maximisers(asked).astype(portfolio.dtype))
    down = jnp.clip(jnp.floor(efforts), least[None], most[None])
    up = jnp.clip(jnp.floor(efforts) + 1.0, least[None], most[None])
    return jnp.concatenate([least[None], down, up])


def in_float32(tree: Tree) -> Tree:
    """All numbers of a tree of arrays in float32; whole ones as they are."""

    def cast(array: Array) -> Array:
        return array.astype(jnp.float32) if jnp.issubdtype(array.dtype, jnp.floating) else array

    return jax.tree.map(cast, tree)


# Real effort.


def effort_bounds(portfolio: Portfolio, budget: Scalar) -> tuple[Vector, Vector]:
    """The least and most effort of each project: its bounds, and what the whole budget buys."""
    least = portfolio.lowers()
    return least, jnp.maximum(jnp.minimum(portfolio.uppers(), budget / portfolio.costs()), least)


def real_response(portfolio: Portfolio, budget: Scalar) -> Callable[[Scalar], Response]:
    """The best response in real effort, among the candidates that each family names.

    A threshold splits the choice in two: stay at the lower limit, or go at least as far as it takes to be
    paid. A concave utility R is met by its tangents, R(p) ≤ R(q) + R'(q)(p − q): each gives a payoff for a
    curve of the family itself, rescaled, and the least of them, found by bisection on q, is the payoff
    reported. It is never below the true one, and equals it where f is concave.
    """
    least, most = effort_bounds(portfolio, budget)
    costs, stakes = portfolio.costs(), portfolio.stakes()
    paid_from = least
    if portfolio.threshold is not None:
        paid_from = jnp.maximum(threshold_effort(portfolio, most), least)
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
        return Response(*(jnp.take_along_axis(table, at, axis=0)[0] for table in (efforts, score)))

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


def threshold_effort(portfolio: Portfolio, limit: Vector) -> Vector:
    """The least effort in [lower, limit] whose performance meets the threshold; infinite if none does.

    The first candidate effort of the curve that meets it brackets the crossing; the curve rises there.
    A hair more than the crossing itself, so that a rounding of the curve does not lose the return.
    """
    assert portfolio.threshold is not None
    low, threshold = portfolio.lowers(), portfolio.threshold

    def meets(effort: Vector) -> Bool[Array, " projects"]:
        return portfolio.performance(effort) >= threshold

    candidates = jax.vmap(portfolio.effort_to)(portfolio.curves.maximisers(jnp.ones_like(low)))
    candidates = jnp.clip(jnp.concatenate([candidates, limit[None]]), low[None], limit[None])
    first = jnp.min(jnp.where(jax.vmap(meets)(candidates), candidates, jnp.inf), axis=0)

    def halve(_: int, bracket: tuple[Vector, Vector]) -> tuple[Vector, Vector]:
        low, high = bracket
        middle = 0.5 * (low + high)
        ok = meets(middle)
        return jnp.where(ok, low, middle), jnp.where(ok, middle, high)

    _, high = jax.lax.fori_loop(0, LOOK_UP_STEPS, halve, (low, jnp.minimum(first, limit)))
    above = jnp.minimum(high + number_error(high), limit)
    crossing = jnp.where(meets(above), above, high)
    return jnp.where(meets(low), low, jnp.where(jnp.isfinite(first), crossing, jnp.inf))


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
