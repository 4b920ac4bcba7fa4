"""Branch and bound on the dual of several resources: the best plan of whole units, with its proof.

A box is a first and a last choice for each project. It is bounded by the Lagrangian dual, whose best mean of
plans differs between its plans in generically no more projects than there are resources; the box is split
within the widest such jump. What a better plan cannot have by its reduced cost is cut off the ends of a box.
Each box gives a plan too: its mean rounded down, and what is left spent jump by jump, by return per price.

Cost: some ten responses a box of O(projects · choices) each; a few to some thousand boxes.

Sources: Kellerer, Pferschy & Pisinger (2004), Knapsack Problems, chapters 9 and 11; Fréville (2004), The
multidimensional 0–1 knapsack problem: an overview; Fisher (1981); Ingargiola & Korsh (1973) for reduction.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from engine.model.curves.base import Vector
from engine.resources.dual import Choice, Dual, Menu, Prices, minimise, payoffs, slack_of
from engine.solvers.batching import loop_unfinished
from engine.solvers.boxes import FREE_NODES, Node, Twins, in_order, take_in, twins_of
from engine.solvers.responses import Scalar
from engine.solvers.rounding import sum_error

# Boxes held at once, boxes that are split together, and jumps that fill a plan up.
OPEN_BOXES, TOGETHER, JUMPS = 1024, 2, 12
# Where returns are whole numbers, how much of one a bound may be above a plan that no other beats.
MOST_OF_A_GRAIN = 0.999
# Boxes that are examined at most.
MOST_BOXES = 100_000


class Found(NamedTuple):
    """The best plan found in units, what it returns (−∞: there is none), what no plan exceeds, the prices of
    the resources at the least bound of all plans, and whether value and bound are equal up to rounding."""

    effort: Vector
    value: Scalar
    bound: Scalar
    prices: Prices
    proved: Bool[Array, ""]
    boxes: Int[Array, ""]


class Problem(NamedTuple):
    """What the search reads; `grain` is 1 where all returns are whole numbers, by which plans then differ at
    least, and else 0."""

    menu: Menu
    twins: Twins
    grain: Scalar


class Tree(NamedTuple):
    """Open boxes (bound −∞: none), the largest bound given up unsplit, the best plan, its value and slack,
    and the prices of the first box."""

    nodes: Node
    closed: Scalar
    choice: Choice
    value: Scalar
    slack: Scalar
    prices: Prices
    examined: Int[Array, ""]


def enough_for(tree: Tree, grain: Scalar) -> Scalar:
    """A bound that need not be lowered."""
    return tree.value + jnp.maximum(0.5 * tree.slack, MOST_OF_A_GRAIN * grain - tree.slack)


class Examined(NamedTuple):
    """A box, and a plan within it with its value, −∞ where there is none."""

    node: Node
    choice: Choice
    value: Scalar


def solve_table(
    table: Float[Array, "projects levels"],
    usage: Float[Array, "resources projects"],
    budgets: Float[Array, " resources"],
    most_boxes: Int[Array, ""] | int = MOST_BOXES,
) -> Found:
    """The best plan of a table of returns at 0, 1, … units, −∞ where a number of units is not allowed.

    Of one portfolio; batches are `jax.vmap`'s business. Where more than `most_boxes` would have to be looked
    at, the best plan found and a bound that holds.
    """
    menu = build_menu(table, usage, budgets)
    there = jnp.isfinite(menu.returns)
    grainy = jnp.all(~there | (menu.returns == jnp.round(menu.returns)))
    grain = jnp.where(grainy, 1.0, 0.0).astype(table.dtype)
    problem = Problem(menu, twins_of((menu.returns, menu.usage.T), table.shape[0]), grain)
    tree = _grow(problem, most_boxes)
    certified = jnp.maximum(jnp.maximum(jnp.max(tree.nodes.bound), tree.closed), tree.value)
    scale = jnp.where(budgets > 0, budgets, 1.0)
    solved = jnp.isfinite(tree.value)
    proved = solved & (certified <= jnp.maximum(enough_for(tree, grain), tree.value + tree.slack))
    return Found(
        effort=menu.units(tree.choice),
        value=tree.value,
        bound=jnp.where(proved & grainy, tree.value, certified) + tree.slack,
        prices=tree.prices / scale,
        proved=proved,
        boxes=tree.examined,
    )


def build_menu(
    table: Float[Array, "projects levels"],
    usage: Float[Array, "resources projects"],
    budgets: Float[Array, " resources"],
) -> Menu:
    """The menu without what no budget holds, and what returns no more than fewer units do."""
    scale = jnp.where(budgets > 0, budgets, 1.0)
    levels = jnp.broadcast_to(jnp.arange(table.shape[1], dtype=table.dtype)[None], table.shape)
    most = (budgets + sum_error(usage.shape[1], budgets))[:, None, None]
    held = jnp.all(usage[:, :, None] * levels[None] <= most, axis=0)
    returns = jnp.where(held, table, -jnp.inf)
    below = jax.lax.cummax(returns, axis=1)[:, :-1]
    risen = jnp.pad(returns[:, 1:] > below, ((0, 0), (1, 0)), constant_values=True)
    returns = jnp.where(risen, returns, -jnp.inf)
    return Menu(levels, returns, usage / scale[:, None], jnp.where(budgets > 0, 1.0, 0.0).astype(table.dtype))


def _ends(there: Bool[Array, "projects choices"]) -> tuple[Choice, Choice]:
    """The first and the last choice of each project that is there."""
    first = jnp.argmax(there, axis=1)
    last = there.shape[1] - 1 - jnp.argmax(there[:, ::-1], axis=1)
    return first.astype(jnp.int32), last.astype(jnp.int32)


def _limit(menu: Menu) -> Prices:
    """What a plan may use of each resource, its rounding included."""
    return menu.budgets + sum_error(menu.usage.shape[1], menu.budgets)


def examine(
    problem: Problem,
    low: Choice,
    high: Choice,
    parent: Scalar,
    guess: Prices,
    enough: Scalar,
    slack: Scalar,
) -> Examined:
    """Bound a box, cut off its ends what cannot be in a plan that returns more than `enough`, and find where
    to split it; also a plan within it."""
    low, high = in_order(problem.twins, low, high)
    menu, feasible = _within(problem.menu, low, high)
    least, _ = _ends(jnp.isfinite(menu.returns))
    dual = minimise(menu, least, guess, enough, slack)
    payoff = payoffs(menu, dual.prices)
    cost = jnp.max(payoff, axis=1, keepdims=True) - payoff
    first, last = _ends(dual.bound - cost > enough)
    bound = jnp.where(feasible, jnp.minimum(dual.bound, parent), -jnp.inf)
    # Where nothing better is left the ends say nothing, and the bound does.
    project, split = _jump(menu, dual, first, last)
    choice = fill(menu, _rounded_down(menu, dual, least), dual.prices)
    choice = jnp.where(feasible, choice, least)
    value = jnp.where(feasible, jnp.sum(menu.paid(choice)), -jnp.inf)
    single = jnp.where(feasible, jnp.sum(menu.paid(first)), -jnp.inf)
    alone = jnp.all(first >= last)
    fits = jnp.all(menu.spend(menu.units(first)) <= _limit(menu))
    single = jnp.where(fits, single, -jnp.inf)
    better = alone & (single > value)
    node = Node(
        low=first,
        high=last,
        bound=jnp.where(alone & (bound > enough), jnp.minimum(single, bound), bound),
        price=dual.prices,
        project=project,
        split=split,
        beyond=split + 1,
    )
    return Examined(node, jnp.where(better, first, choice), jnp.where(better, single, value))


def _within(menu: Menu, low: Choice, high: Choice) -> tuple[Menu, Bool[Array, ""]]:
    """The menu of a box, without what its first choices leave no budget for; whether there is a plan."""
    place = jnp.arange(menu.returns.shape[1], dtype=jnp.int32)[None]
    there = jnp.isfinite(menu.returns) & (place >= low[:, None]) & (place <= high[:, None])
    least, _ = _ends(there)
    units = menu.units(least)
    left = _limit(menu) - menu.spend(units)
    rounding = sum_error(menu.usage.shape[1], menu.budgets)
    more = menu.levels - units[:, None]
    allowed = jnp.maximum(left, 0.0) + rounding
    there &= jnp.all(menu.usage[:, :, None] * more[None] <= allowed[:, None, None], axis=0)
    feasible = jnp.all(jnp.any(there, axis=1)) & jnp.all(left >= 0.0)
    return menu._replace(returns=jnp.where(there, menu.returns, -jnp.inf)), feasible


def _mean(menu: Menu, dual: Dual) -> Vector:
    """The units of the best mean of plans."""
    units = jax.vmap(menu.units)(dual.choices)
    return jnp.sum(dual.shares[:, None] * units, axis=0)


def _jump(menu: Menu, dual: Dual, first: Choice, last: Choice) -> tuple[Int[Array, ""], Int[Array, ""]]:
    """The project whose choices differ most between the plans of the mean, by what they cost, and the last
    choice before the jump; where none differs, the middle of the widest project."""
    units = jax.vmap(menu.units)(dual.choices)
    used = (dual.shares > 1e-9)[:, None]
    high = jnp.max(jnp.where(used, units, -jnp.inf), axis=0)
    low = jnp.min(jnp.where(used, units, jnp.inf), axis=0)
    mean = jnp.clip(_mean(menu, dual), low, high)
    rates = jnp.sum((dual.prices + 1e-9)[:, None] * menu.usage, axis=0)
    open_ = last > first
    apart = jnp.where(open_, rates * (high - low), 0.0)
    wide = (last - first).astype(apart.dtype)
    differ = jnp.any(apart > 0)
    project = jnp.argmax(jnp.where(differ, apart, wide)).astype(jnp.int32)
    below = jnp.sum(menu.levels[project] <= mean[project]).astype(jnp.int32) - 1
    middle = (first[project] + last[project]) // 2
    split = jnp.where(differ, below, middle)
    return project, jnp.clip(split, first[project], jnp.maximum(last[project] - 1, first[project]))


def _rounded_down(menu: Menu, dual: Dual, least: Choice) -> Choice:
    """The mean of the plans, each project at the nearest choice below that is allowed."""
    mean = _mean(menu, dual)
    place = jnp.arange(menu.returns.shape[1], dtype=jnp.int32)[None]
    near = jnp.where(jnp.isfinite(menu.returns) & (menu.levels <= mean[:, None] + 1e-9), place, -1)
    down = jnp.maximum(jnp.max(near, axis=1), least)
    fits = jnp.all(menu.spend(menu.units(down)) <= _limit(menu))
    return jnp.where(fits, down, least)


def fill(menu: Menu, choice: Choice, prices: Prices) -> Choice:
    """Spend what is left: the jump that returns most per price of what it uses, again and again."""
    size = jnp.mean(prices)
    rates = jnp.sum((prices + 0.1 * jnp.where(size > 0, size, 1.0))[:, None] * menu.usage, axis=0)
    limit = _limit(menu)

    def jump(state: tuple[Choice, Array, Array]) -> tuple[Choice, Array, Array]:
        choice, step, _ = state
        units = menu.units(choice)
        more = menu.levels - units[:, None]
        left = limit - menu.spend(units)
        fits = jnp.all(menu.usage[:, :, None] * more[None] <= left[:, None, None], axis=0)
        gain = menu.returns - menu.paid(choice)[:, None]
        price = rates[:, None] * more
        density = gain / jnp.where(price > 0, price, 1e-12)
        score = jnp.where(fits & (more > 0) & (gain > 0), density, -jnp.inf)
        best = jnp.argmax(score)
        project, to = best // score.shape[1], best % score.shape[1]
        found = score.ravel()[best] > -jnp.inf
        there = (jnp.arange(choice.size) == project) & found
        return jnp.where(there, to.astype(choice.dtype), choice), step + 1, ~found

    def unfinished(state: tuple[Choice, Array, Array]) -> Array:
        return ~state[2] & (state[1] < JUMPS)

    return jax.lax.while_loop(unfinished, jump, (choice, jnp.int32(0), jnp.asarray(False)))[0]


def _grow(problem: Problem, most_boxes: Int[Array, ""] | int) -> Tree:
    """The finished search tree. It begins with a box that nobody has looked at, split into itself and
    nothing, so that looking is compiled once."""
    dtype = problem.menu.returns.dtype
    first, last = _ends(jnp.isfinite(problem.menu.returns))
    nowhere, idle = jnp.asarray(-jnp.inf, dtype), jnp.zeros(problem.menu.budgets.shape, dtype)
    begin = Node(first, last, -nowhere, idle, jnp.int32(0), last[0], last[0] + 1)
    nodes = jax.tree.map(lambda leaf: jnp.zeros((OPEN_BOXES, *leaf.shape), leaf.dtype), begin)
    nodes = nodes._replace(bound=jnp.full((OPEN_BOXES,), nowhere))
    nodes = jax.tree.map(lambda leaf, new: leaf.at[0].set(new), nodes, begin)
    tree = Tree(nodes, nowhere, first, nowhere, jnp.zeros((), dtype), idle, jnp.int32(-1))

    def unfinished(tree: Tree, given: tuple[Problem, Array]) -> Bool[Array, ""]:
        top = jnp.max(tree.nodes.bound)
        enough = enough_for(tree, given[0].grain)
        return (top > jnp.maximum(enough, tree.closed)) & (tree.examined < given[1])

    def step(tree: Tree, given: tuple[Problem, Array]) -> Tree:
        return _split(given[0], tree)

    return loop_unfinished(unfinished, step, tree, (problem, jnp.asarray(most_boxes, jnp.int32)))


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
