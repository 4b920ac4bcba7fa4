"""Threshold: the greedy allocation without its sequence of units.

Greedy buys exactly the units whose density, and that of every unit before them in the same project, is at
least some multiplier λ. So find λ and count.

- Diminishing portfolios: a continuous λ at which the slopes alone afford the budget less one unit a
  project, from inverse slopes with no gain evaluated; every unit that gains λ is then in the greedy
  allocation. From there a few bisections on exact counts; the last few units are bought one by one.
- Other portfolios: the same on a table of running minima of the gains, since a unit is within reach only
  after those before it. So this is greedy, unit for unit, on *every* curve, with its myopia.

Cost: O(projects) per bisection step for the first, O(projects · levels) for the second.

Source: Fox (1966) and Frederickson & Johnson (1982) for selection by threshold in place of a sequence.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from engine.curves import Vector
from engine.lattice import Lattice
from engine.portfolio import Portfolio
from engine.solvers.bounds import Scalar, bisect_price, integer_dual, unit_bounds, units_above
from engine.solvers.greedy import certify, fill
from engine.solvers.solution import Solution, budget_slack, conclude

ROUGH_STEPS = 9
COUNT_STEPS = 5


def threshold(portfolio: Portfolio, budget: Scalar, lattice: Lattice) -> Solution:
    """Allocate as greedy by gain does, in parallel."""
    _, most = unit_bounds(portfolio, budget, lattice)
    if portfolio.diminishing:
        effort = fill(portfolio, budget, _count_by_slope(portfolio, budget, lattice), most)
        return certify(portfolio, budget, effort, lattice)
    effort = fill(portfolio, budget, _count_by_table(portfolio, budget, lattice), most)
    dual = integer_dual(portfolio, budget, lattice)
    return conclude(portfolio, budget, effort, dual.price, dual.bound)


def _count_by_slope(portfolio: Portfolio, budget: Scalar, lattice: Lattice) -> Vector:
    """Units that gain at least a price at which they are afforded, and few more would be."""
    least, most = unit_bounds(portfolio, budget, lattice)
    costs = portfolio.costs()
    ratio = costs / portfolio.stakes()
    unit_each = jnp.sum(costs)
    room = budget - unit_each

    def respond(price: Scalar) -> Vector:
        return jnp.clip(portfolio.curves.inverse_slope(price * ratio), least, most)  # type: ignore[attr-defined]

    limits = jnp.finfo(portfolio.dtype)
    tiny, largest = float(limits.tiny), float(limits.max)
    steepest = jnp.max(portfolio.slope(least) / costs)
    flattest = jnp.min(portfolio.slope(most) / costs)
    rough = bisect_price(
        respond,
        lambda effort: portfolio.spend(effort) <= room,
        least,
        between=(jnp.clip(0.5 * flattest, tiny, largest), jnp.clip(2.0 * steepest, tiny, largest)),
        steps=ROUGH_STEPS,
    )
    count = lambda price: units_above(portfolio, price, least, most)  # noqa: E731
    lower = rough.high * (jnp.maximum(room, 0.0) / (budget + unit_each)) ** 2
    return bisect_price(
        count,
        lambda effort: portfolio.spend(effort) <= budget + budget_slack(budget),
        count(rough.high),
        between=(jnp.maximum(lower, tiny), rough.high),
        steps=COUNT_STEPS,
    ).inside


def _count_by_table(portfolio: Portfolio, budget: Scalar, lattice: Lattice) -> Vector:
    """Units whose running least density reaches the lowest price at which they are afforded."""
    least, most = unit_bounds(portfolio, budget, lattice)
    levels = jnp.arange(lattice.units, dtype=portfolio.dtype)
    broadcast = jnp.broadcast_to(levels[:, None], (lattice.units, *portfolio.shape))
    density = jax.vmap(portfolio.gain)(broadcast) / portfolio.costs()[None]
    density = jnp.where(broadcast < least[None], jnp.inf, density)
    density = jnp.where(broadcast < most[None], density, -jnp.inf)
    reach = jax.lax.cummin(density, axis=0)

    def count(price: Scalar) -> Vector:
        return jnp.sum(reach >= price, axis=0, dtype=portfolio.dtype)

    limit = budget + budget_slack(budget)
    return bisect_price(count, lambda effort: portfolio.spend(effort) <= limit, least).inside
