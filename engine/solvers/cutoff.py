"""Cutoff: the greedy allocation without its sequence of units.

Greedy buys exactly the units whose gain, and that of every unit before them in the same project, is at
least some multiplier λ: the price at which units are cut off. So find λ and count.

- Diminishing portfolios: Newton's method on the logarithm of λ for the real effort that the slopes alone
  afford; at that λ the units are counted, which comes within a few units of the budget; a secant on the
  counts mends the rare case where it does not; the last few units are bought, or given back, one by one.
- Other portfolios: bisection on a table of running minima of the gains, since a unit is within reach only
  after those before it. So this is greedy, unit for unit, on *every* curve, with its myopia.

Where costs differ greedy is not exact even on concave curves, since what is left at the end may buy none of
the best units. Then this is the exact solver.

Cost: O(projects) a step for the first, O(projects · levels) for the second.

Source: Fox (1966) and Frederickson & Johnson (1982) for selection by a price in place of a sequence.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array

from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio
from engine.solvers.batching import projects_first
from engine.solvers.dual import bisect_price, integer_dual
from engine.solvers.exact import exact
from engine.solvers.greedy import fill
from engine.solvers.kernel import Matrix, Row, as_kernel, some
from engine.solvers.lattice import Lattice
from engine.solvers.responses import Scalar, total, unit_bounds
from engine.solvers.rounding import budget_slack, first_best
from engine.solvers.solution import Solution, conclude

NEWTON_STEPS = 12
SECANT_STEPS = 64
# Newton stops within this much of the budget, the secant within so many units of it.
NEAR_BUDGET = 0.25
FEW_UNITS = 3.0
Search = tuple[Row, Row, Row, Row, Array, Array]
State = tuple[Matrix, Row, Row, Row, Array]


def cutoff(portfolio: Portfolio, budget: Scalar, lattice: Lattice) -> Solution:
    """Allocate as greedy by gain does, in parallel; exactly where costs differ."""
    if portfolio.cost is not None:
        return exact(portfolio, budget, lattice)
    if portfolio.diminishing:
        settle = partial(_settle, lattice=lattice)
        effort, price, bound = projects_first(settle, 16 * portfolio.shape[-1])(portfolio, budget)
        return conclude(portfolio, budget, effort, price, bound)
    _, most = unit_bounds(portfolio, budget, lattice)
    effort = fill(portfolio, budget, _count_by_table(portfolio, budget, lattice), most)
    dual = integer_dual(portfolio, budget, lattice)
    return conclude(portfolio, budget, effort, dual.price, dual.bound)


def _settle(portfolio: Portfolio, budget: Row, lattice: Lattice) -> tuple[Matrix, Array, Array]:
    """(effort, price, bound) of many diminishing portfolios, arrays [projects, portfolios].

    The densest unit left unbought is where the budget broke, so its gain is the dual's own minimiser
    (Dantzig 1957), and what was bought is the best response to it: L(λ) = V + λ·unspent.
    """
    effort = as_kernel(partial(_search, lattice=lattice), portfolio.shape[0])(portfolio, budget)
    next_gain = jnp.where(effort < jnp.floor(portfolio.uppers()), portfolio.gain(effort), 0.0)
    price = jnp.maximum(jnp.max(next_gain, axis=0, keepdims=True), 0.0)
    bound = total(portfolio.returns(effort)) + price * (budget - total(effort))
    return effort, price[0], bound[0]


def _search(portfolio: Portfolio, budget: Row, projects: int, lattice: Lattice) -> Matrix:
    """Greedy's effort; projects past the number given have no say in it."""
    least, most = (_first(bound, projects, 0.0) for bound in unit_bounds(portfolio, budget, lattice))
    wanted = jnp.floor(budget + budget_slack(budget) - total(least))
    price, elasticity, ends = _water_level(portfolio, wanted, least, most, projects)
    effort = _count(portfolio, wanted, least, most, price, elasticity, ends)
    return _unit_by_unit(portfolio, wanted, least, most, effort)


def _first(values: Matrix, projects: int, otherwise: float) -> Matrix:
    """The values of the first projects, as many as given, and another number for those past them."""
    if projects == values.shape[0]:
        return values
    index = jax.lax.broadcasted_iota(jnp.int32, values.shape, 0)
    return jnp.where(index < projects, values, otherwise)


def _water_level(
    portfolio: Portfolio, wanted: Row, least: Matrix, most: Matrix, projects: int
) -> tuple[Row, Row, tuple[Row, Row]]:
    """(log λ, elasticity of effort in λ, the bracket of log λ) where the slopes afford what is wanted."""
    limits = jnp.finfo(least.dtype)

    def logarithm(slope: Array) -> Array:
        return jnp.log(jnp.clip(slope, float(limits.tiny), float(limits.max)))

    last = _first(portfolio.slope(most), projects, jnp.inf)
    low = logarithm(jnp.min(last, axis=0, keepdims=True))
    first = _first(portfolio.slope(least), projects, 0.0)
    high = logarithm(2.0 * jnp.max(first, axis=0, keepdims=True))
    share = jnp.clip(least + wanted / projects, least, most)
    guess = logarithm(total(_first(portfolio.slope(share), projects, 0.0)) / projects)
    floor, target = total(least), jnp.maximum(wanted, NEAR_BUDGET)

    def effort_above(level: Row) -> Row:
        return total(jnp.clip(portfolio.inverse_slope(jnp.exp(level)), least, most)) - floor

    def newton(state: Search) -> Search:
        level, low, high, _, _, step = state
        effort, change = jax.jvp(effort_above, (level,), (jnp.ones_like(level),))
        over = effort > target
        low, high = jnp.where(over, level, low), jnp.where(over, high, level)
        falls = (change < 0) & (effort > 0)
        relative = jnp.where(falls, change / jnp.where(falls, effort, 1.0), -1.0)
        better = level + jnp.log(target / jnp.where(falls, effort, target)) / relative
        inside = falls & (better >= low) & (better <= high)
        done = jnp.abs(effort - target) <= NEAR_BUDGET
        level = jnp.where(done, level, jnp.where(inside, better, 0.5 * (low + high)))
        return level, low, high, relative, done, step + 1

    def unfinished(state: Search) -> Array:
        return some(~state[4]) & (state[5] < NEWTON_STEPS)

    begin = (jnp.clip(guess, low, high), low, high, -jnp.ones_like(low), low != low, jnp.int32(0))
    level, _, _, elasticity, _, _ = jax.lax.while_loop(unfinished, newton, begin)
    return level, elasticity, (low, high)


def _count(
    portfolio: Portfolio,
    wanted: Row,
    least: Matrix,
    most: Matrix,
    level: Row,
    elasticity: Row,
    ends: tuple[Row, Row],
) -> Matrix:
    """All units that gain some price, within a few units of what is wanted; or all there are, if fewer."""
    floor = total(least)

    def missing(effort: Matrix) -> Row:
        return wanted - (total(effort) - floor)

    def count(level: Row) -> Matrix:
        # The gain of the unit from floor(x) lies half a unit of slope from the price, so that one comparison
        # settles the count unless x itself is wrong by as much.
        price = jnp.exp(level)
        units = jnp.clip(jnp.floor(portfolio.inverse_slope(price)), least, most)
        more = (portfolio.gain(units) >= price) & (units < most)
        return units + more.astype(units.dtype)

    def secant(state: State) -> State:
        effort, level, low, high, step = state
        left = missing(effort)
        near = jnp.abs(left) <= FEW_UNITS
        low, high = jnp.where(left < 0, level, low), jnp.where(left < 0, high, level)
        ratio = jnp.maximum(wanted, 1.0) / jnp.maximum(wanted - left, 1.0)
        better = level + jnp.log(ratio) / elasticity
        inside = (better > low) & (better < high) & (step % 3 < 2)
        level = jnp.where(near, level, jnp.where(inside, better, 0.5 * (low + high)))
        return jnp.where(near, effort, count(level)), level, low, high, step + 1

    def unfinished(state: State) -> Array:
        return some(jnp.abs(missing(state[0])) > FEW_UNITS) & (state[4] < SECANT_STEPS)

    level = jnp.where(total(most) - floor <= wanted, ends[0], level)
    begin = (count(level), level, *ends, jnp.int32(0))
    effort, level, *_ = jax.lax.while_loop(unfinished, secant, begin)
    last = portfolio.gain(jnp.maximum(effort - 1.0, 0.0))
    return jnp.where((effort > least) & (last < jnp.exp(level)), effort - 1.0, effort)


def _unit_by_unit(portfolio: Portfolio, wanted: Row, least: Matrix, most: Matrix, effort: Matrix) -> Matrix:
    """Buy the best units left, or give back the worst bought, until as many are bought as wanted.

    Ties go to the lowest index, as greedy has them, so they are given back by the highest. Of straight curves
    whole runs of units gain the same, and are moved at once.
    """
    left = wanted - (total(effort) - total(least))
    buying = left > 0
    unit = jnp.where(buying, 1.0, -1.0).astype(effort.dtype)
    index = jax.lax.broadcasted_iota(jnp.int32, effort.shape, 0)
    turn = jnp.where(buying, index, -index)

    def step(state: tuple[Matrix, Row]) -> tuple[Matrix, Row]:
        effort, left = state
        gain = portfolio.gain(jnp.where(buying, effort, jnp.maximum(effort - 1.0, 0.0)))
        possible = jnp.where(buying, (effort < most) & (gain > 0), effort > least)
        merit = jnp.where(possible, unit * gain, -jnp.inf)
        best, first = first_best(merit, turn)
        moves = (best > -jnp.inf)[None] & (left > 0)
        chosen = moves & (turn == first[None])
        count = jnp.ones_like(effort)
        if portfolio.curves.straight:
            run = jnp.minimum(left, jnp.where(buying, most - effort, effort - least))
            last = portfolio.gain(jnp.where(buying, effort + run - 1.0, jnp.maximum(effort - run, 0.0)))
            count = jnp.where(last == gain, jnp.maximum(run, 1.0), 1.0)
        effort = jnp.where(chosen, effort + unit * count, effort)
        taken = total(jnp.where(chosen, count, 0.0))
        return effort, jnp.where(moves, left - taken, 0.0)

    return jax.lax.while_loop(lambda state: some(state[1] > 0), step, (effort, jnp.abs(left)))[0]


def _count_by_table(portfolio: Portfolio, budget: Scalar, lattice: Lattice) -> Vector:
    """Units whose running least gain reaches the lowest price at which they are afforded."""
    least, most = unit_bounds(portfolio, budget, lattice)
    levels = jnp.arange(lattice.units, dtype=portfolio.dtype)
    broadcast = jnp.broadcast_to(levels[:, None], (lattice.units, *portfolio.shape))
    gain = jax.vmap(portfolio.gain)(broadcast)
    gain = jnp.where(broadcast < least[None], jnp.inf, gain)
    gain = jnp.where(broadcast < most[None], gain, -jnp.inf)
    reach = jax.lax.cummin(gain, axis=0)

    def count(price: Scalar) -> Vector:
        return jnp.sum(reach >= price, axis=0, dtype=portfolio.dtype)

    limit = budget + budget_slack(budget)
    return bisect_price(count, lambda effort: portfolio.spend(effort) <= limit, least).inside
