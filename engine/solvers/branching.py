"""Branching: the integer optimum at budgets and costs that no table of levels can hold.

Branch and bound over boxes of whole units. A box is bounded by the Lagrangian dual with every project's best
response taken among its whole units. At the minimising price the responses on either side of the budget
differ by a jump in generically one project: across the convex part of its curve or a plateau, or, where costs
differ, by the last unit that does not fit. The box is split within that jump. Where all that is left of the
curves is concave and costs are equal the dual has no gap, so that every jump is soon decided: S-shaped
portfolios of twenty projects take some tens of boxes, whatever the budget.

Each box gives an allocation too: the affordable responses, and what is left of the budget spent unit by unit,
then by one project at once.

Cost: O(projects · candidates) a response, some twenty responses a box; nothing grows with the budget.

Sources: Falk & Soland (1969); Udell & Boyd (2013) for S-shaped curves; Kolesar (1967) for branch and bound by
Dantzig's bound where costs differ.
"""

from __future__ import annotations

import dataclasses
from functools import partial

import jax.numpy as jnp
from jaxtyping import Array, Bool

from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio
from engine.solvers.boxes import Node, Problem, certified, find_twins, goal, grow, tighten
from engine.solvers.dual import integer_dual
from engine.solvers.greedy import fill
from engine.solvers.lattice import Lattice
from engine.solvers.responses import Scalar, unit_bounds
from engine.solvers.rounding import budget_slack

# Boxes held at once; what one portfolio may take to be proved, in boxes times projects, and in boxes.
OPEN_BOXES = 1024
MOST_WORK, MOST_BOXES, LEAST_BOXES = 40_000_000, 200_000, 1000
# Units that are filled in one by one before a project takes all that is left, and after it.
UNITS_BEFORE, UNITS_AFTER = 32, 8


def branch(
    portfolio: Portfolio, budget: Scalar, seen: Vector, lattice: Lattice
) -> tuple[Vector, Scalar, Bool[Array, ""]]:
    """(the best allocation found, what none exceeds, whether that proves it). `seen` is an allocation known
    before, feasible if any is."""
    if lattice.holds_costs:  # a part of a step buys nothing, and would be worth its price in every bound
        budget = jnp.floor((budget + budget_slack(budget)) / lattice.step) * lattice.step
    least, most = unit_bounds(portfolio, budget, lattice)
    problem = Problem(portfolio, budget, find_twins(portfolio))
    anything = jnp.asarray(jnp.inf, portfolio.dtype)
    look = partial(examine, lattice=lattice)
    root = look(problem, least, most, anything, jnp.zeros_like(budget))
    boxes = most_boxes(portfolio.shape[-1])
    tree = grow(problem, root, seen, look, 0.0, boxes, OPEN_BOXES, deep=True)
    bound = certified(tree)
    return tree.effort, bound, bound <= goal(portfolio, tree, 0.0)


def most_boxes(projects: int) -> int:
    """How many boxes of so many projects are examined at most."""
    return min(MOST_BOXES, max(MOST_WORK // projects, LEAST_BOXES))


def examine(
    problem: Problem, low: Vector, high: Vector, parent: Scalar, guess: Scalar, lattice: Lattice
) -> tuple[Node, Vector, Scalar]:
    """Bound a box of whole units; also an allocation and its value (−∞ where the box has none)."""
    portfolio, budget, _ = problem
    low, high, feasible = tighten(problem, low, high)
    high = jnp.maximum(jnp.floor(high), low)
    box = dataclasses.replace(portfolio, lower=low, upper=high)
    dual = integer_dual(box, budget, lattice)
    jump = dual.outside - dual.inside
    left = budget - portfolio.spend(dual.inside)
    missing = portfolio.spend(dual.outside) - portfolio.spend(dual.inside)
    share = jnp.where(missing > 0, jnp.clip(left / jnp.where(missing > 0, missing, 1.0), 0.0, 1.0), 0.0)
    # Where the responses do not differ nothing but rounding is left: the widest side is halved.
    wide = jnp.where(jump > 0, 1.0 + portfolio.costs() * jump, (high - low) / (1.0 + high - low))
    project = jnp.argmax(jnp.where(high > low, wide, -1.0))
    within = jnp.where(jump > 0, dual.inside + jnp.floor(share * jump), jnp.floor(0.5 * (low + high)))[
        project
    ]
    split = jnp.clip(within, low[project], jnp.maximum(high[project] - 1.0, low[project]))
    splits = jnp.any(high > low)
    node = Node(
        low=low,
        high=high,
        bound=jnp.where(feasible, jnp.minimum(dual.bound, parent), -jnp.inf),
        price=dual.price,
        project=project,
        split=split,
        beyond=split + 1.0,
    )
    effort = use_units(portfolio, budget, dual.inside, lattice)
    affordable = portfolio.spend(effort) <= budget + budget_slack(budget)
    value = jnp.where(feasible & affordable, portfolio.value(effort), -jnp.inf)
    value = jnp.where(jnp.isnan(value), -jnp.inf, value)
    # A box of one allocation is decided by it.
    single = jnp.where(feasible, portfolio.value(low), -jnp.inf)
    return node._replace(bound=jnp.where(splits, node.bound, single)), effort, value


def use_units(portfolio: Portfolio, budget: Scalar, effort: Vector, lattice: Lattice) -> Vector:
    """Spend what is left: a few units where they gain most, the rest on one project, a few units again."""
    _, most = unit_bounds(portfolio, budget, lattice)
    effort = fill(portfolio, budget, effort, most, UNITS_BEFORE)
    left = jnp.maximum(budget + budget_slack(budget) - portfolio.spend(effort), 0.0)
    raised = jnp.minimum(effort + jnp.floor(left / portfolio.costs()), most)
    gain = portfolio.returns(raised) - portfolio.returns(effort)
    best = jnp.argmax(gain)
    effort = effort.at[best].set(jnp.where(gain[best] > 0, raised[best], effort[best]))
    return fill(portfolio, budget, effort, most, UNITS_AFTER)
