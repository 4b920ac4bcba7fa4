"""Branch and bound on the dual of several resources: the best plan of whole units, with its proof.

The open boxes of the largest bounds are split until no bound is above the best plan found. Once the reduced
costs at the first prices leave a few choices a project, the search begins anew with these alone.

Cost: some ten responses a box of O(projects · choices) each; a few to some thousand boxes.

Sources: Kellerer, Pferschy & Pisinger (2004), Knapsack Problems, chapters 9 and 11; Fréville (2004), The
multidimensional 0–1 knapsack problem: an overview; Fisher (1981), The Lagrangian relaxation method.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from engine.model.curves.base import Vector
from engine.resources.boxes import Examined, Problem, examine
from engine.resources.dual import lagrangian, payoffs, slack_of
from engine.resources.menu import Choice, Menu, Prices, build_menu, ends, narrowed
from engine.solvers.batching import for_unfinished, loop_unfinished
from engine.solvers.boxes import FREE_NODES, Node, take_in, twins_of
from engine.solvers.responses import Scalar

# Boxes held at once, and those that are split together.
OPEN_BOXES, TOGETHER = 1024, 2
# Choices a project that are few, with which the search begins anew.
FEW = 16
# Where returns are whole numbers, how much of one a bound may be above a plan that no other beats.
MOST_OF_A_GRAIN = 0.999
# Boxes that are examined at most.
MOST_BOXES = 100_000


class Found(NamedTuple):
    """The best plan found in units, what it returns (−∞: there is none), what no plan exceeds, the prices of
    the resources at the least bound of all plans, whether value and bound are equal up to rounding, and how
    many boxes were looked at."""

    effort: Vector
    value: Scalar
    bound: Scalar
    prices: Prices
    proved: Bool[Array, ""]
    boxes: Int[Array, ""]


class Tree(NamedTuple):
    """Open boxes (bound −∞: none), the largest bound given up unsplit, the best plan, its value and slack,
    the prices of the first box, how many were examined, and whether few choices are left."""

    nodes: Node
    closed: Scalar
    choice: Choice
    value: Scalar
    slack: Scalar
    prices: Prices
    examined: Int[Array, ""]
    narrow: Bool[Array, ""]


def enough_for(tree: Tree, grain: Scalar) -> Scalar:
    """A bound that need not be lowered."""
    return tree.value + jnp.maximum(0.5 * tree.slack, MOST_OF_A_GRAIN * grain - tree.slack)


def solve_table(
    table: Float[Array, "projects levels"],
    usage: Float[Array, "resources projects"],
    budgets: Float[Array, " resources"],
    most_boxes: Int[Array, ""] | int = MOST_BOXES,
) -> Found:
    """The best plan of a table of returns at 0, 1, … units, −∞ where a number of units is not allowed.

    Of one portfolio; batches are `jax.vmap`'s business, which on a CPU takes one after the other: searches
    differ in length. Where more than `most_boxes` would have to be looked at, the best plan found and a bound
    that holds.
    """
    some, projects = jnp.zeros((), table.dtype), table.shape[0]
    nothing = Found(
        effort=jnp.zeros(projects, table.dtype),
        value=some,
        bound=some,
        prices=jnp.zeros_like(budgets),
        proved=jnp.asarray(False),
        boxes=jnp.int32(0),
    )
    entries = usage.shape[0] * table.size + 2 * OPEN_BOXES * projects
    search = for_unfinished(_search, entries, alone=True)
    limit = jnp.asarray(most_boxes, jnp.int32)
    return search(jnp.asarray(False), nothing, table, usage, budgets, limit)  # type: ignore[no-any-return]


def _search(
    table: Float[Array, "projects levels"],
    usage: Float[Array, "resources projects"],
    budgets: Float[Array, " resources"],
    most_boxes: Int[Array, ""],
) -> Found:
    """The best plan of one table."""
    problem = _problem(build_menu(table, usage, budgets))
    tree = _grow(problem, _sapling(problem), most_boxes)
    effort = problem.menu.units(tree.choice)
    if table.shape[1] > FEW:
        core = _problem(narrowed(problem.menu, _kept(problem, tree), FEW), problem.grain)
        last = _grow(core, _sapling(core, tree), most_boxes)
        effort = jnp.where(last.value > tree.value, core.menu.units(last.choice), effort)
        tree = last
    certified = jnp.maximum(jnp.maximum(jnp.max(tree.nodes.bound), tree.closed), tree.value)
    enough = jnp.maximum(enough_for(tree, problem.grain), tree.value + tree.slack)
    proved = jnp.isfinite(tree.value) & (certified <= enough)
    return Found(
        effort=effort,
        value=tree.value,
        bound=jnp.where(proved & (problem.grain > 0), tree.value, certified) + tree.slack,
        prices=tree.prices / jnp.where(budgets > 0, budgets, 1.0),
        proved=proved,
        boxes=tree.examined,
    )


def _problem(menu: Menu, grain: Scalar | None = None) -> Problem:
    """What the search reads of a menu."""
    if grain is None:
        whole = ~jnp.isfinite(menu.returns) | (menu.returns == jnp.round(menu.returns))
        grain = jnp.where(jnp.all(whole), 1.0, 0.0).astype(menu.returns.dtype)
    return Problem(menu, twins_of((menu.returns, menu.usage.T), menu.returns.shape[0]), grain)


def _kept(problem: Problem, tree: Tree) -> Bool[Array, "projects choices"]:
    """What a better plan can have, by the reduced costs at the first prices."""
    bound, _, response = lagrangian(problem.menu, tree.prices, tree.slack)
    cost = response.payoff[:, None] - payoffs(problem.menu, tree.prices)
    return bound - cost > enough_for(tree, problem.grain)


def _sapling(problem: Problem, before: Tree | None = None) -> Tree:
    """A tree of one box that nobody has looked at, to be split into itself and nothing, so that looking is
    compiled once; with the best plan's value and the bounds of the tree before."""
    dtype = problem.menu.returns.dtype
    first, last = ends(jnp.isfinite(problem.menu.returns))
    nowhere, idle = jnp.asarray(-jnp.inf, dtype), jnp.zeros(problem.menu.budgets.shape, dtype)
    top = -nowhere if before is None else jnp.max(before.nodes.bound)
    guess = idle if before is None else before.prices
    begin = Node(first, last, top, guess, jnp.int32(0), last[0], last[0] + 1)
    nodes = jax.tree.map(lambda leaf: jnp.zeros((OPEN_BOXES, *leaf.shape), leaf.dtype), begin)
    nodes = nodes._replace(bound=jnp.full((OPEN_BOXES,), nowhere))
    nodes = jax.tree.map(lambda leaf, new: leaf.at[0].set(new), nodes, begin)
    narrow = jnp.asarray(False)
    if before is None:
        return Tree(nodes, nowhere, first, nowhere, jnp.zeros((), dtype), idle, jnp.int32(-1), narrow)
    return before._replace(nodes=nodes, choice=first, narrow=narrow)


def _grow(problem: Problem, tree: Tree, most_boxes: Int[Array, ""]) -> Tree:
    """The search tree once it is finished, or few choices are left."""

    def unfinished(tree: Tree, given: tuple[Problem, Array]) -> Bool[Array, ""]:
        top = jnp.max(tree.nodes.bound)
        enough = enough_for(tree, given[0].grain)
        return (top > jnp.maximum(enough, tree.closed)) & (tree.examined < given[1]) & ~tree.narrow

    def step(tree: Tree, given: tuple[Problem, Array]) -> Tree:
        tree = _split(given[0], tree)
        if given[0].menu.levels.shape[1] <= FEW:
            return tree
        return tree._replace(narrow=jnp.all(jnp.sum(_kept(given[0], tree), axis=1) <= FEW))

    return loop_unfinished(unfinished, step, tree, (problem, most_boxes))


def _next(tree: Tree, enough: Scalar) -> Int[Array, " boxes"]:
    """The boxes of the largest bounds; while there is no room those of the least, which are soon decided."""
    bound = tree.nodes.bound
    undecided = bound > enough
    crowded = jnp.sum(undecided) >= bound.size - FREE_NODES
    order = jnp.where(undecided, jnp.where(crowded, -bound, bound), -jnp.inf)
    return jax.lax.top_k(order, TOGETHER)[1]


def _split(problem: Problem, tree: Tree) -> Tree:
    """Replace a few boxes by their halves."""
    enough = enough_for(tree, problem.grain)
    at = _next(tree, enough)
    best: Node = jax.tree.map(lambda leaf: leaf[at], tree.nodes)
    alive = best.bound > enough
    pick = jnp.arange(best.low.shape[1], dtype=jnp.int32)[None] == best.project[:, None]
    lows = jnp.concatenate([best.low, jnp.where(pick, best.beyond[:, None], best.low)])
    highs = jnp.concatenate([jnp.where(pick, best.split[:, None], best.high), best.high])
    twice = jax.tree.map(lambda leaf: jnp.concatenate([leaf, leaf]), best)

    def look(low: Choice, high: Choice, parent: Scalar, guess: Prices) -> Examined:
        return examine(problem, low, high, parent, guess, enough, tree.slack)

    halves = jax.vmap(look)(lows, highs, twice.bound, twice.price)
    dead = ~jnp.concatenate([alive, alive])
    values = jnp.where(dead, -jnp.inf, halves.value)
    better = jnp.argmax(values)
    improved = values[better] > tree.value
    choice = jnp.where(improved, halves.choice[better], tree.choice)
    value = jnp.where(improved, values[better], tree.value)
    bounds = tree.nodes.bound.at[at].set(jnp.where(alive, -jnp.inf, best.bound))
    tree = tree._replace(
        nodes=tree.nodes._replace(bound=bounds),
        choice=choice,
        value=value,
        slack=jnp.where(improved, slack_of(problem.menu, choice, value), tree.slack),
        prices=jnp.where(tree.examined < 0, halves.node.price[0], tree.prices),
        examined=tree.examined + 2 * jnp.sum(alive).astype(jnp.int32),
    )
    enough = enough_for(tree, problem.grain)
    nodes = halves.node._replace(bound=jnp.where(dead, -jnp.inf, halves.node.bound))
    opened, closed = tree.nodes, tree.closed
    for half in range(2 * TOGETHER):
        node = jax.tree.map(lambda leaf, half=half: leaf[half], nodes)
        opened, closed = take_in(opened, closed, node, enough)
    return tree._replace(nodes=opened, closed=closed)
