"""The optimum of a portfolio with rules, and proof of it.

What is below the root of the tree is composed (`compose`): each group is then one project whose returns are
its budget curve. Over these, and the projects of no group, `exact` finds and proves the optimum, as of any
other portfolio. Where all of the budget is to be spent the root is composed as well.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio
from engine.rules.compose import Composed, Levels, Member, Terms, combined, compose, part
from engine.rules.levels import allowed, at_least
from engine.rules.listed import Listed, least_equal, rising
from engine.rules.ruled import Group, Ruled
from engine.rules.tree import Counting, Leaf, Node, Together, projects_of
from engine.solvers.dual import integer_dual
from engine.solvers.exact import exact
from engine.solvers.lattice import Lattice
from engine.solvers.responses import Scalar
from engine.solvers.rounding import budget_slack, first_best
from engine.solvers.solution import Solution, Status, conclude

# More steps than any budget has.
UNBOUNDED = 2**30
# Up to so many parts of the root, and steps of the budget, are composed too. Of two parts the optimum is a
# single maximum.
FEW, FEW_STATES = 8, 2048


class Plan(NamedTuple):
    """How a problem is solved: its tree, the most steps that each node may spend, whether all is spent."""

    root: Together
    states: tuple[tuple[Node, int], ...]
    spend_all: bool


class Found(NamedTuple):
    """The level of each project, what no allocation can return more than, the price of a budget step's worth,
    and whether there is an allocation at all."""

    levels: Levels
    bound: Scalar
    price: Scalar
    feasible: Bool[Array, ""]


def solve_ruled(given: Ruled, budget: Scalar, lattice: Lattice, plan: Plan) -> Solution:
    """The integer optimum that keeps the rules in the tree, proved. Of one portfolio."""
    portfolio = given.portfolio
    terms = terms_of(given, budget, lattice, levels_of(plan, lattice, portfolio))
    root = plan.root
    if plan.spend_all:
        found = spend_all(root, terms, dict(plan.states), budget, lattice)
    else:
        found = spend_most(root, portfolio, terms, dict(plan.states), budget, lattice)
    units = jnp.stack([found.levels[project] for project in range(portfolio.shape[-1])])
    effort = jnp.where(found.feasible, units.astype(portfolio.dtype), portfolio.lowers())
    return concluded(portfolio, budget, effort, found.price, found.bound, found.feasible)


def concluded(
    portfolio: Portfolio,
    budget: Scalar,
    effort: Vector,
    price: Scalar,
    bound: Scalar,
    feasible: Bool[Array, ""],
) -> Solution:
    """An allocation judged, where there is one that keeps the rules."""
    solution = conclude(portfolio, budget, effort, price, bound)
    nothing = jnp.where(feasible, 0.0, jnp.nan)
    return dataclasses.replace(
        solution,
        value=solution.value + nothing,
        bound=solution.bound + nothing,
        proved=solution.proved & feasible,
        status=jnp.where(feasible, solution.status, jnp.int32(Status.INFEASIBLE)),
    )


def levels_of(plan: Plan, lattice: Lattice, portfolio: Portfolio) -> dict[int, int]:
    """The highest level that each project can have within the groups it is in."""
    if portfolio.cost is not None:
        return dict.fromkeys(range(portfolio.shape[-1]), lattice.units)
    states = dict(plan.states)
    found: dict[int, int] = {}
    for node, most in states.items():
        if not isinstance(node, Together):
            found |= dict.fromkeys(projects_of(node), min(most, lattice.units))
    return found


def terms_of(given: Ruled, budget: Scalar, lattice: Lattice, levels: dict[int, int]) -> Terms:
    """The numbers of a problem, in steps of the lattice; `levels`, the highest of each project."""
    portfolio, projects = given.portfolio, range(given.shape[-1])
    rows: dict[int, Array] = {}
    for highest in sorted(set(levels.values())):
        places = [project for project in projects if levels[project] == highest]
        some = portfolio if len(places) == len(projects) else picked(portfolio, places)
        fits = allowed(given, highest).T[jnp.asarray(places)]
        rows |= dict(zip(places, jnp.where(fits, some.table(highest), -jnp.inf), strict=True))
    units = jnp.arange(lattice.units + 1, dtype=portfolio.dtype)
    steps = None
    if portfolio.cost is not None:
        each = jnp.round(portfolio.cost[:, None] * units[None] / lattice.step)
        steps = tuple(jnp.minimum(each, float(UNBOUNDED)).astype(jnp.int32))
    bounds = [bounds_of(group, budget, lattice) for group in given.groups]
    met = [units > 0 if need.past is None else at_least(units, need.past) for need in given.needs]
    least, most, minimum = (
        jnp.stack([each[place] for each in bounds]) if bounds else jnp.zeros(0, jnp.int32)
        for place in range(3)
    )
    no_needs = jnp.zeros((0, units.size), bool)
    table = tuple(rows[project] for project in projects)
    return Terms(table, steps, least, most, minimum, jnp.stack(met) if met else no_needs)


def picked(portfolio: Portfolio, places: list[int]) -> Portfolio:
    """The portfolio of some projects."""
    at = jnp.asarray(places)
    return jax.tree.map(lambda array: array[at], portfolio)


def bounds_of(group: Group, budget: Scalar, lattice: Lattice) -> tuple[Array, Array, Array]:
    """The least and most steps that a group spends, and the least if it spends anything."""

    def up(number: Scalar) -> Scalar:
        return jnp.ceil((number - budget_slack(number)) / lattice.step)

    least, most, minimum = jnp.zeros_like(budget), jnp.full_like(budget, UNBOUNDED), jnp.zeros_like(budget)
    if group.least is not None:
        least = jnp.maximum(least, up(group.least))
    if group.least_share is not None:
        least = jnp.maximum(least, up(group.least_share * budget))
    if group.minimum is not None:
        minimum = up(group.minimum)
    for number in (group.most, None if group.most_share is None else group.most_share * budget):
        if number is not None:
            most = jnp.minimum(most, jnp.floor((number + budget_slack(number)) / lattice.step))
    return tuple(jnp.minimum(a, float(UNBOUNDED)).astype(jnp.int32) for a in (least, most, minimum))  # type: ignore[return-value]


def spend_all(
    root: Together, terms: Terms, states: dict[Node, int], budget: Scalar, lattice: Lattice
) -> Found:
    """The optimum that spends every step of the budget."""
    composed = compose(root, terms, states)
    spend = jnp.floor((budget + budget_slack(budget)) / lattice.step).astype(jnp.int32)
    value, less = composed.curve[0, spend], composed.curve[0, jnp.maximum(spend - 1, 0)]
    price = jnp.where(jnp.isfinite(value - less), (value - less) / lattice.step, 0.0)
    return Found(composed.read(jnp.int32(0), spend), value, price, jnp.isfinite(value))


def spend_most(
    root: Together,
    portfolio: Portfolio,
    terms: Terms,
    states: dict[Node, int],
    budget: Scalar,
    lattice: Lattice,
) -> Found:
    """The optimum within the budget: over the projects of no group and the budget curves of the others."""
    children = len(root.children)
    if children <= 2 or (children <= FEW and lattice.states <= FEW_STATES):
        return of_few(root, terms, states, budget, lattice)
    parts = [part(child, terms, states) for child in root.children]
    table = rising(same_length([p.values if isinstance(p, Member) else p.best() for p in parts]))
    there = table > -jnp.inf
    least = jnp.argmax(there, axis=1).astype(portfolio.dtype)
    cost = None
    if portfolio.cost is not None:
        step = lattice.step + jnp.zeros_like(budget)
        cost = jnp.stack([portfolio.cost[p.project] if isinstance(p, Member) else step for p in parts])
    counted = lattice._replace(units=table.shape[1] - 1)
    answer = exact(Portfolio(Listed(table), cost=cost, lower=least), budget, counted)
    level = least_equal(table, jnp.clip(answer.effort, 0, counted.units)).astype(jnp.int32)
    levels: Levels = {}
    for place, mine in enumerate(parts):
        levels |= {mine.project: level[place]} if isinstance(mine, Member) else mine.read_best(level[place])
    feasible = jnp.all(jnp.any(there, axis=1)) & (answer.status == Status.SOLVED)
    bound = jnp.where(answer.proved, answer.value, answer.bound)
    return Found(levels, bound, answer.multiplier, feasible)


def of_few(root: Together, terms: Terms, states: dict[Node, int], budget: Scalar, lattice: Lattice) -> Found:
    """The optimum within the budget over few parts: what all but the last do not spend, the last may."""
    *first, last = [part(child, terms, states) for child in root.children]
    most = lattice.states
    parts = [joined(some, most) for some in (first, [last]) if some]
    table = rising(same_length([p.best() for p in parts], most + 1))
    spend = jnp.floor((budget + budget_slack(budget)) / lattice.step).astype(jnp.int32)
    steps = jnp.arange(most + 1, dtype=jnp.int32)
    left = jnp.maximum(spend - steps, 0)
    paid = jnp.where(steps <= spend, table[0] + (table[1, left] if first else 0.0), -jnp.inf)
    value, taken = first_best(paid, steps)
    taken = jnp.minimum(taken, most)
    level = least_equal(table, jnp.stack([taken, left[taken]][: len(parts)])).astype(jnp.int32)
    levels: Levels = {}
    for place, mine in enumerate(parts):
        levels |= mine.read_best(level[place])
    least = jnp.argmax(table > -jnp.inf, axis=1).astype(table.dtype)
    dual = integer_dual(
        Portfolio(Listed(table), lower=least), budget / lattice.step, lattice._replace(units=most), rough=True
    )
    return Found(levels, value, dual.price / lattice.step, jnp.isfinite(value))


def joined(parts: list[Member | Composed], most: int) -> Composed:
    """The budget curve of some parts; of one that has such a curve, itself."""
    alone = parts[0]
    return alone if len(parts) == 1 and isinstance(alone, Composed) else combined(parts, Counting(), most)


def same_length(rows: list[Array], length: int = 0) -> Array:
    """Returns of parts, −∞ past the last level of each."""
    length = max(length, *(row.size for row in rows))
    return jnp.stack([jnp.pad(row, (0, length - row.size), constant_values=-jnp.inf) for row in rows])


def plan_of(root: Together, given: Ruled, caps: dict[int, float], steps: int) -> Plan:
    """The most steps that each node may spend: what its groups leave it. `caps`, of groups, in steps."""
    found: dict[Node, int] = {}

    def walk(node: Node, most: int) -> None:
        if isinstance(node, Together):
            if node.group is not None:
                most = min(most, int(caps.get(node.group, most)))
            found[node] = most
            for child in node.children:
                walk(child, most)
        else:
            found[node] = most
            for child in [] if isinstance(node, Leaf) else [c for _, cs in node.below for c in cs]:
                walk(child, most)

    walk(root, steps)
    return Plan(root, tuple(found.items()), given.spend_all)
