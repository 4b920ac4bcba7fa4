"""Continuous: the global optimum over real effort of any portfolio, concave or not, with its certificate.

Branch and bound on concave envelopes. A node is a box [low, high] of efforts. Its bound is the Lagrangian
dual with every project's best response taken within the box,

    min_λ Σ_i max { w_i R_i(f_i(x)) − λ c_i x : low_i ≤ x ≤ high_i } + λ B,

which is the optimum of the curves' concave envelopes over the box. At the minimising price the responses
on either side of the budget differ by a jump in generically one project: on the straight part of its
envelope, across the convex part or the plateau of its curve. The envelope promises there what the curve
does not hold, so the box is split at that effort. The node with the largest bound is split next, until
that bound is within `tolerance` of the best effort found. Each node gives a feasible effort too: its
responses, moved together to use the budget, without the jump.

The tree itself is that of `engine.solvers.boxes`.

The price search keeps the supporting lines of the dual on either side of the budget and goes to where they
cross (Kelley's cutting plane, exact at a kink); later steps alternate with the chord of the spend (which
converges faster where the dual is smooth). Any price gives a valid bound, so the search may stop anywhere.

Cost: O(projects) a response, `CHILD_STEPS` responses a node. Random S-shaped and staged portfolios of
twenty projects take three nodes at the median and some dozens at most. Projects that are nearly but not
quite identical are the hard case: their permutations differ too little for the bound to tell them apart.

Sources: Udell & Boyd (2013), "Maximizing a sum of sigmoids"; Falk & Soland (1969) for the branch and
bound; Kelley (1960).
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio
from engine.solvers.batching import choose
from engine.solvers.boxes import Node, Problem, Tree, certified, find_twins, grow, tighten
from engine.solvers.lattice import Lattice
from engine.solvers.responses import Scalar, effort_bounds, real_response
from engine.solvers.rounding import least_positive, number_error
from engine.solvers.solution import Solution, conclude
from engine.solvers.waterfilling import waterfilling

OPEN_NODES = 64
ROOT_STEPS = 24
CHILD_STEPS = 12
# Steps of the price search that follow the supporting lines alone.
CUT_STEPS = 8
# A child's price is sought first at this relative distance from its parent's, then ever further.
FIRST_STRIDE = 0.03
# A split leaves at least this share of a jump on either side.
NEAREST_SPLIT = 0.05


class Point(NamedTuple):
    """A supporting line of the dual: the best responses to a price, and what their envelopes return."""

    price: Scalar
    effort: Vector
    returns: Vector
    spend: Scalar


def continuous(
    portfolio: Portfolio,
    budget: Scalar,
    lattice: Lattice,
    *,
    tolerance: float = 1e-9,
    max_nodes: int = 2000,
) -> Solution:
    """The optimum over real effort, to a certified gap.

    **Arguments:** `tolerance`, the relative gap at which the search ends; `max_nodes` to examine, after
    which the answer's own bound tells how far it came.
    """
    if portfolio.diminishing:
        return waterfilling(portfolio, budget, lattice)
    tree, price = search(portfolio, budget, tolerance, max_nodes)
    return conclude(portfolio, budget, tree.effort, price, certified(tree))


def search(portfolio: Portfolio, budget: Scalar, tolerance: float, max_nodes: int) -> tuple[Tree, Scalar]:
    """The finished search tree, and the root's price."""
    problem = Problem(portfolio, budget, find_twins(portfolio))
    least, most = effort_bounds(portfolio, budget)
    anything = jnp.asarray(jnp.inf, portfolio.dtype)
    root = examine(problem, least, most, anything, jnp.zeros_like(budget), ROOT_STEPS)
    tree = grow(problem, root, least, examine, tolerance, max_nodes, OPEN_NODES)
    return tree, root[0].price


def examine(
    problem: Problem,
    low: Vector,
    high: Vector,
    parent: Scalar,
    guess: Scalar,
    steps: int = CHILD_STEPS,
) -> tuple[Node, Vector, Scalar]:
    """Bound a box; also a feasible effort and its value (−∞ where the box has none)."""
    portfolio, budget, _ = problem
    low, high, feasible = tighten(problem, low, high)
    box = dataclasses.replace(portfolio, lower=low, upper=high)
    inside, outside, bound = search_price(box, budget, guess, steps)

    left = budget - inside.spend
    share = _share(left, outside.spend - inside.spend)
    jump = outside.effort - inside.effort
    envelope = inside.returns + share * (outside.returns - inside.returns)
    lost = envelope - portfolio.returns(inside.effort + share * jump)
    broken = lost > number_error(envelope)
    project = jnp.argmax(jnp.where(broken, lost, -1.0 / (1.0 + jnp.abs(jump))))
    middle = 0.5 * (low + high)
    between = inside.effort + jnp.clip(share, NEAREST_SPLIT, 1.0 - NEAREST_SPLIT) * jump
    split = jnp.where((between > low) & (between < high), between, middle)[project]
    node = Node(
        low=low,
        high=high,
        bound=jnp.where(feasible, jnp.minimum(bound, parent), -jnp.inf),
        price=inside.price,
        project=project,
        split=split,
        beyond=split,
    )
    effort = use_budget(portfolio, budget, inside.effort, jnp.where(broken, 0.0, jump), left)
    affordable = portfolio.spend(effort) <= budget + number_error(budget)
    value = jnp.where(feasible & affordable, portfolio.value(effort), -jnp.inf)
    return node, effort, jnp.where(jnp.isnan(value), -jnp.inf, value)


def use_budget(portfolio: Portfolio, budget: Scalar, effort: Vector, move: Vector, left: Scalar) -> Vector:
    """Spend what is left: as far along the move as it goes, the rest where it gains most."""
    effort = effort + _share(left, portfolio.spend(move)) * move
    _, most = effort_bounds(portfolio, budget)
    left = jnp.maximum(budget - portfolio.spend(effort), 0.0)
    raised = jnp.minimum(effort + left / portfolio.costs(), most)
    gain = portfolio.returns(raised) - portfolio.returns(effort)
    best = jnp.argmax(gain)
    return effort.at[best].set(jnp.where(gain[best] > 0, raised[best], effort[best]))


def _share(left: Scalar, whole: Scalar) -> Scalar:
    """left/whole within [0, 1]; 0 of nothing."""
    return jnp.where(whole > 0, jnp.clip(left / jnp.where(whole > 0, whole, 1.0), 0.0, 1.0), 0.0)


def search_price(
    portfolio: Portfolio, budget: Scalar, guess: Scalar, steps: int
) -> tuple[Point, Point, Scalar]:
    """The responses on either side of the budget (affordable, not), and the least dual value met.

    The first price is next to nothing: where its response is affordable, it is both sides. A guess of 0 is
    none. Until both sides are known the search strides away from the guess, ever further.
    """
    respond = real_response(portfolio, budget)
    dtype, costs, least = portfolio.dtype, portfolio.costs(), portfolio.lowers()
    tiny, infinite = jnp.asarray(least_positive(dtype), dtype), jnp.asarray(jnp.inf, dtype)

    def next_price(step: Int[Array, ""], below: Point, above: Point) -> Scalar:
        missing = below.spend - above.spend
        divisor = jnp.where(missing > 0, missing, 1.0)
        crossing = jnp.sum(below.returns - above.returns) / divisor
        chord = below.price + (above.price - below.price) * ((below.spend - budget) / divisor)
        stride = jnp.exp(FIRST_STRIDE * 4.0 ** jnp.asarray(step - 2, dtype))
        inner = jnp.where((step < CUT_STEPS) | (step % 2 == 0), crossing, chord)
        inner = jnp.where(below.price > tiny, inner, jnp.maximum(crossing, above.price / stride))
        inner = jnp.where(jnp.isfinite(above.price), inner, jnp.minimum(crossing, below.price * stride))
        inner = jnp.where(step == 1, jnp.where(guess > 0, guess, crossing), inner)
        price = jnp.clip(jnp.where(step == 0, tiny, inner), below.price, above.price)
        return jnp.where(jnp.isfinite(price), price, below.price)

    def narrow(step: Int[Array, ""], bracket: tuple[Point, Point, Scalar]) -> tuple[Point, Point, Scalar]:
        below, above, bound = bracket
        price = next_price(step, below, above)
        response = respond(price)
        returns = response.payoff + price * costs * response.effort
        point = Point(price, response.effort, returns, portfolio.spend(response.effort))
        over = point.spend > budget
        below, above = choose(over, point, below), choose(over, above, point)
        # The first price stands for 0: times the budget it would be a gap of its own where returns are 0.
        dual = jnp.where(step == 0, jnp.sum(returns), jnp.sum(response.payoff) + price * budget)
        return below, above, jnp.minimum(bound, dual)

    idle = Point(infinite, least, portfolio.returns(least), portfolio.spend(least))
    begin = idle._replace(price=tiny, spend=infinite), idle, infinite
    below, above, bound = jax.lax.fori_loop(0, steps, narrow, begin)
    free = jnp.isinf(below.spend)
    price = jnp.where(free, 0.0, jnp.where(jnp.isfinite(above.price), above.price, below.price))
    above = above._replace(price=price)
    return above, choose(free, above, below), bound
