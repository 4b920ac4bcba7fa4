"""Branch and bound over boxes of efforts: what the searches over real effort and over whole units share.

A node is a box [low, high] of efforts with a bound on what an allocation within it returns. The open node of
the largest bound is split next, at one effort of one project, until that bound is as good as the best effort
found. The bound of every node that is given up unsplit (good enough, or pushed out where more nodes are open
than are held) enters the certificate, so the answer's bound holds however the search ends.

Identical projects are ordered, effort not rising with the index: without that, every permutation of one
allocation would have to be refuted.

Sources: Falk & Soland (1969) for branch and bound on separable problems.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio
from engine.solvers.batching import choose, loop_unfinished
from engine.solvers.responses import Scalar
from engine.solvers.rounding import budget_slack, sum_error
from engine.solvers.solution import rounding_slack

# Every project is compared with every other, to find those that are identical; not where they are too many.
MOST_COMPARED = 1000
# Where no more than these are free the search goes deep rather than wide.
FREE_NODES = 32

# The nearest identical projects before and after each, or itself.
Twins = tuple[Int[Array, " projects"], Int[Array, " projects"]]


class Node(NamedTuple):
    """A box of efforts, its bound and the price of that bound, and where to split it: up to `split`, and from
    `beyond` on."""

    low: Vector
    high: Vector
    bound: Scalar
    price: Scalar
    project: Int[Array, ""]
    split: Scalar
    beyond: Scalar


class Tree(NamedTuple):
    """The open nodes (bound −∞: none), the largest bound given up unsplit, the best effort found."""

    nodes: Node
    closed: Scalar
    effort: Vector
    value: Scalar
    examined: Int[Array, ""]


class Problem(NamedTuple):
    """What the search reads: `twins` are the nearest identical projects before and after each, or itself."""

    portfolio: Portfolio
    budget: Scalar
    twins: Twins


# (problem, low, high, its parent's bound and price) -> the node, a feasible effort, its value or −∞.
Examine = Callable[[Problem, Vector, Vector, Scalar, Scalar], tuple[Node, Vector, Scalar]]


def grow(
    problem: Problem,
    root: tuple[Node, Vector, Scalar],
    idle: Vector,
    examine: Examine,
    tolerance: Scalar | float,
    max_nodes: Scalar | int,
    open_nodes: int,
    *,
    deep: bool = False,
) -> Tree:
    """The finished search tree, which begins with the root as examined; `idle` is feasible if anything is.

    `deep`: whether the search goes deep where it has no room. It then gives no node up, but lowers the
    largest bound late: for searches that are to end with a proof, not at their limit.
    """
    node, effort, value = root
    nowhere = jnp.full_like(value, -jnp.inf)
    nodes = jax.tree.map(lambda leaf: jnp.zeros((open_nodes, *leaf.shape), leaf.dtype), node)
    nodes = nodes._replace(bound=jnp.full((open_nodes,), nowhere))
    least = problem.portfolio.value(idle)
    tree = Tree(
        nodes=jax.tree.map(lambda leaf, new: leaf.at[0].set(new), nodes, node),
        closed=nowhere,
        effort=jnp.where(value > least, effort, idle),
        value=jnp.maximum(value, least),
        examined=jnp.int32(1),
    )

    def unfinished(tree: Tree, problem: Problem) -> Bool[Array, ""]:
        top = jnp.max(tree.nodes.bound)
        promising = top > jnp.maximum(goal(problem.portfolio, tree, tolerance), tree.closed)
        return promising & (tree.examined < max_nodes)

    def step(tree: Tree, problem: Problem) -> Tree:
        at = soon_decided(problem, tree, tolerance) if deep else jnp.argmax(tree.nodes.bound)
        return split_node(problem, tree, at, examine, tolerance)

    return loop_unfinished(unfinished, step, tree, problem)


def certified(tree: Tree) -> Scalar:
    """What no feasible effort exceeds: the largest bound of what was not split."""
    return jnp.maximum(jnp.maximum(jnp.max(tree.nodes.bound), tree.closed), tree.value)


def goal(portfolio: Portfolio, tree: Tree, tolerance: Scalar | float) -> Scalar:
    """A bound that need not be lowered further: within the tolerance, or within rounding, of the value.

    `conclude` widens the bound by the slack, which is therefore taken off the tolerance, with a tenth more
    for the rounding of the gap itself.
    """
    slack = rounding_slack(portfolio, tree.effort, tree.value)
    return tree.value + jnp.maximum(tolerance * jnp.abs(tree.value) - 1.1 * slack, 0.5 * slack)


def find_twins(portfolio: Portfolio) -> Twins:
    """The nearest projects before and after each that are identical to it in every parameter, or itself."""
    return twins_of(jax.tree.leaves(portfolio), portfolio.shape[-1])


def twins_of(parameters: Iterable[Array], count: int) -> Twins:
    """The nearest twins by parameters, arrays that begin with the axis of projects."""
    order = jnp.arange(count, dtype=jnp.int32)
    if count > MOST_COMPARED:
        return order, order
    equal = order[:, None] != order[None]
    for leaf in parameters:
        equal &= jnp.all((leaf[:, None] == leaf[None]).reshape(count, count, -1), axis=-1)
    before = jnp.max(jnp.where(equal & (order[None] < order[:, None]), order[None], -1), axis=1)
    after = jnp.min(jnp.where(equal & (order[None] > order[:, None]), order[None], count), axis=1)
    return jnp.where(before >= 0, before, order), jnp.where(after < count, after, order)


def in_order(twins: Twins, low: Vector, high: Vector) -> tuple[Vector, Vector]:
    """The box without what puts more effort in the later of two twins: each is at most those before it and
    at least those after it. Links are followed two, four, eight, … at a time."""
    before, after = twins
    for _ in range((low.size - 1).bit_length() if low.size <= MOST_COMPARED else 0):
        low, high = jnp.maximum(low, low[after]), jnp.minimum(high, high[before])
        before, after = before[before], after[after]
    return low, high


def tighten(problem: Problem, low: Vector, high: Vector) -> tuple[Vector, Vector, Bool[Array, ""]]:
    """The box without what twins in order, and the budget left by the lower ends, rule out."""
    portfolio, budget, _ = problem
    low, high = in_order(problem.twins, low, high)
    left = budget - portfolio.spend(low)
    feasible = (left >= -budget_slack(budget)) & jnp.all(low <= high)
    # Rounded outwards, so that no jump that the budget just reaches is cut off.
    rounding = sum_error(portfolio.shape[-1], budget)
    reach = low + (jnp.maximum(left, 0.0) + rounding) / portfolio.costs()
    return low, jnp.maximum(jnp.minimum(high, reach), low), feasible


def soon_decided(problem: Problem, tree: Tree, tolerance: Scalar | float) -> Int[Array, ""]:
    """The node of the largest bound; while there is no room, that of the least one, which is soon decided."""
    bound = tree.nodes.bound
    undecided = bound > goal(problem.portfolio, tree, tolerance)
    crowded = jnp.sum(undecided) >= bound.size - FREE_NODES
    least = jnp.argmin(jnp.where(undecided, bound, jnp.inf))
    return jnp.where(crowded, least, jnp.argmax(bound))


def split_node(
    problem: Problem, tree: Tree, at: Int[Array, ""], examine: Examine, tolerance: Scalar | float
) -> Tree:
    """Replace a node by its two halves."""
    nodes = tree.nodes
    best: Node = jax.tree.map(lambda leaf: leaf[at], nodes)
    lows = jnp.stack([best.low, best.low.at[best.project].set(best.beyond)])
    highs = jnp.stack([best.high.at[best.project].set(best.split), best.high])
    halves, efforts, values = jax.vmap(lambda low, high: examine(problem, low, high, best.bound, best.price))(
        lows, highs
    )
    better = jnp.argmax(values)
    improved = values[better] > tree.value
    tree = tree._replace(
        effort=jnp.where(improved, efforts[better], tree.effort),
        value=jnp.where(improved, values[better], tree.value),
        nodes=nodes._replace(bound=nodes.bound.at[at].set(-jnp.inf)),
        examined=tree.examined + 2,
    )
    enough = goal(problem.portfolio, tree, tolerance)
    for half in range(2):
        tree = keep(tree, jax.tree.map(lambda leaf, half=half: leaf[half], halves), enough)
    return tree


def keep(tree: Tree, node: Node, enough: Scalar) -> Tree:
    """Open a node where its bound is worth it, in place of the least; account for what is given up."""
    nodes, closed = take_in(tree.nodes, tree.closed, node, enough)
    return tree._replace(nodes=nodes, closed=closed)


def take_in(nodes: Node, closed: Scalar, node: Node, enough: Scalar) -> tuple[Node, Scalar]:
    """(open nodes, the largest bound given up), after one more node."""
    slot = jnp.argmin(nodes.bound)
    least = nodes.bound[slot]
    opened = (node.bound > enough) & (node.bound > least)
    given_up = jnp.where(opened, least, node.bound)
    kept = choose(opened, node, jax.tree.map(lambda leaf: leaf[slot], nodes))
    nodes = jax.tree.map(lambda leaf, new: leaf.at[slot].set(new), nodes, kept)
    return nodes, jnp.maximum(closed, given_up)
