"""Composing: the budget curve of a group out of those of its members, and back.

    V_group(b) = max Σ_j V_j(b_j)   subject to   Σ_j b_j = b,   least ≤ b ≤ most

A budget curve says what the best allocation that spends exactly b steps of the lattice returns, −∞ where
there is none; where the number of funded projects matters, it has a row for each. So a group is to what is
above it as a project with a table of returns, and the optimum over a tree of groups is that of one maximum
after the other. Reading back goes the same way down.

Cost: O(b·m) additions and comparisons to add a member that spends up to m steps to a group that spends up
to b, times the rows of either.

Sources: Bellman (1957); Ibaraki & Katoh (1988), Resource Allocation Problems, chapter 9, for budgets within
budgets; Johnson & Niemi (1983), "On knapsacks, partitions, and a new dynamic programming technique for
trees", for needs; Kellerer, Pferschy & Pisinger (2004), section 3.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from engine.rules.tree import After, Counting, Leaf, Node, Together, projects_of
from engine.solvers.rounding import first_best

# The levels of a member are taken in so many parts: the steps below a part's first level are left out of it.
PARTS = 3
LONG_ENOUGH = 48
ONE_AT_MOST = Counting(1, False)
Whole = Int[Array, ""]
Rows = Float[Array, "rows states"]
Levels = dict[int, Whole]


class Terms(NamedTuple):
    """The numbers of one problem.

    - `rows`: of each project, [levels], its returns, −∞ where a level is not allowed. Projects of one group
      have as many levels.
    - `steps`: the same, what a level costs in steps of the lattice; None: level k costs k.
    - `least`, `most`, `minimum`: [groups], in steps.
    - `met`: [needs, levels], whether a level of the project that is needed is enough.
    """

    rows: tuple[Float[Array, " levels"], ...]
    steps: tuple[Int[Array, " levels"], ...] | None
    least: Int[Array, " groups"]
    most: Int[Array, " groups"]
    minimum: Int[Array, " groups"]
    met: Bool[Array, "needs levels"]


class Composed(NamedTuple):
    """A budget curve, and the levels that have its value at a row and a spend."""

    curve: Rows
    read: Callable[[Whole, Whole], Levels]

    def best(self) -> Float[Array, " states"]:
        """The best at each spend, however many projects are funded."""
        return jnp.max(self.curve, axis=0)

    def read_best(self, spend: Whole) -> Levels:
        """The levels that have it."""
        return self.read(jnp.argmax(self.curve[:, spend]).astype(jnp.int32), spend)


class Member(NamedTuple):
    """A project's returns by level, and what the levels cost."""

    project: int
    values: Float[Array, " levels"]
    steps: Int[Array, " levels"] | None


def compose(node: Node, terms: Terms, states: dict[Node, int]) -> Composed:
    """The budget curve of a node; `states`, the most steps that each may spend."""
    if isinstance(node, Leaf):
        return combined([member(node.project, terms)], Counting(), states[node])
    if isinstance(node, After):
        return after(node, terms, states)
    if node.counting == ONE_AT_MOST and all(isinstance(child, Leaf) for child in node.children):
        whole = one_of([leaf.project for leaf in node.children], terms, states[node])  # type: ignore[union-attr]
    else:
        parts = [part(child, terms, states) for child in node.children]
        whole = combined(parts, node.counting, states[node])
    return whole._replace(curve=bounded(node, whole.curve, terms))


def part(node: Node, terms: Terms, states: dict[Node, int]) -> Member | Composed:
    """What is added to a group: a project's levels, or a budget curve."""
    return member(node.project, terms) if isinstance(node, Leaf) else compose(node, terms, states)


def member(project: int, terms: Terms) -> Member:
    """One project as it stands in the table."""
    return Member(project, terms.rows[project], None if terms.steps is None else terms.steps[project])


def bounded(node: Together, curve: Rows, terms: Terms) -> Rows:
    """A budget curve within the bounds of its group."""
    if node.group is None:
        return curve
    spend = jnp.arange(curve.shape[1], dtype=jnp.int32)
    least, most, minimum = terms.least[node.group], terms.most[node.group], terms.minimum[node.group]
    allowed = (spend >= least) & (spend <= most) & ((spend == 0) | (spend >= minimum))
    counts = jnp.asarray([node.allowed is None or row in node.allowed for row in range(curve.shape[0])])
    return jnp.where(allowed[None] & counts[:, None], curve, -jnp.inf)


def after(node: After, terms: Terms, states: dict[Node, int]) -> Composed:
    """A project and what hangs below it: the best over the sets of conditions that are met."""
    own = member(node.project, terms)
    options: list[tuple[Composed, tuple[int, ...]]] = []
    for met in itertools.product((False, True), repeat=len(node.below)):
        values, parts, unfunded = own.values, list[Member | Composed](), list[int]()
        for yes, (need, children) in zip(met, node.below, strict=True):
            if yes:
                values = jnp.where(terms.met[need, : values.size], values, -jnp.inf)
                parts += [part(child, terms, states) for child in children]
            else:
                unfunded += [project for child in children for project in projects_of(child)]
        whole = combined([own._replace(values=values), *parts], node.counting, states[node])
        nothing = sum((terms.rows[project][0] for project in unfunded), jnp.zeros((), values.dtype))
        options.append((whole._replace(curve=whole.curve + nothing), tuple(unfunded)))

    def read(row: Whole, spend: Whole) -> Levels:
        paid = jnp.stack([whole.curve[row, spend] for whole, _ in options])
        found: Levels = {}
        for place, (whole, unfunded) in enumerate(options):
            levels = whole.read(row, spend) | {project: jnp.zeros_like(spend) for project in unfunded}
            chosen = jnp.argmax(paid) == place
            found = {p: jnp.where(chosen, level, found.get(p, level)) for p, level in levels.items()}
        return found

    curve = options[0][0].curve
    for whole, _ in options[1:]:
        curve = jnp.maximum(curve, whole.curve)
    return Composed(curve, read)


def combined(parts: list[Member | Composed], counting: Counting, states: int) -> Composed:
    """The budget curve of several members, up to so many steps: of projects first, then of what has a curve
    of its own."""
    members = [p for p in parts if isinstance(p, Member)]
    curves = [p for p in parts if isinstance(p, Composed)]
    kind = (members[0].values if members else curves[0].curve).dtype
    best = nothing = jnp.full((counting.rows, states + 1), -jnp.inf, kind).at[0, 0].set(0.0)
    back: list[Callable[[Whole, Whole], tuple[Levels, Whole, Whole]]] = []
    if members:
        rows = stacked(members)
        first, rest = jax.tree.map(lambda a: a[0], rows), jax.tree.map(lambda a: a[1:], rows)

        def add(best: Rows, row: Member) -> tuple[Rows, Rows]:
            return with_member(best, row, counting), best

        best, before = jax.lax.scan(add, placed(first, counting, states), rest)
        before = jnp.concatenate([nothing[None], before])
        names = [m.project for m in members]
        back.append(lambda row, spend: read_members(before, rows, names, counting, row, spend))
    for place, curve in enumerate(curves):
        back.append(curve_reader(best, curve, counting))
        begins = place == 0 and not members
        best = begun(curve.curve, counting, states) if begins else with_curve(best, curve.curve, counting)

    def read(row: Whole, spend: Whole) -> Levels:
        found: Levels = {}
        for step in reversed(back):
            levels, row, spend = step(row, spend)
            found |= levels
        return found

    return Composed(best, read)


def one_of(projects: list[int], terms: Terms, states: int) -> Composed:
    """The budget curve of projects of which one may be funded at most: the highest of theirs."""
    curves = jnp.stack([placed(member(project, terms), ONE_AT_MOST, states) for project in projects])
    idle = curves[:, 0, 0]
    others = jnp.stack([jnp.sum(jnp.delete(idle, j)) for j in range(len(projects))])
    funded = curves[:, 1] + others[:, None]
    nobody = jnp.full_like(funded[0], -jnp.inf).at[0].set(jnp.sum(idle))

    def read(row: Whole, spend: Whole) -> Levels:
        winner = jnp.where(row > 0, jnp.argmax(funded[:, spend]), -1)
        return {
            p: jnp.where(winner == place, level_at(member(p, terms), spend), 0)
            for place, p in enumerate(projects)
        }

    return Composed(jnp.stack([nobody, jnp.max(funded, axis=0)]), read)


def level_at(mine: Member, spend: Whole) -> Whole:
    """The level of one project that spends so much and returns most."""
    if mine.steps is None:
        return spend
    return jnp.argmax(jnp.where(mine.steps == spend, mine.values, -jnp.inf)).astype(jnp.int32)


def stacked(members: list[Member]) -> Member:
    """Projects as one, whose arrays have a row for each."""
    values = jnp.stack([m.values for m in members])
    steps: Any = [m.steps for m in members]
    steps = None if steps[0] is None else jnp.stack(steps)
    places: Any = jnp.arange(len(members), dtype=jnp.int32)
    return Member(places, values, steps)


def placed(first: Member, counting: Counting, states: int) -> Rows:
    """The budget curve of one project."""
    curve = jnp.full((counting.rows, states + 1), -jnp.inf, first.values.dtype)
    row = counting.row(1)
    if row is not None and first.steps is None:
        length = min(states + 1, first.values.size)
        curve = curve.at[row, 1:length].set(first.values[1:length])
    elif row is not None and first.steps is not None:
        curve = curve.at[row, first.steps[1:]].max(first.values[1:], mode="drop")
    return curve.at[0, 0].max(first.values[0])


def with_member(best: Rows, row: Member, counting: Counting) -> Rows:
    """A budget curve with one project more."""
    funded = row.values.at[0].set(-jnp.inf)
    lifted = raised(best, funded) if row.steps is None else raised_by(best, funded, row.steps)
    return jnp.maximum(best + row.values[0], counted_up(lifted, 1, counting))


def with_curve(best: Rows, curve: Rows, counting: Counting) -> Rows:
    """A budget curve with another one more."""
    lifted = [counted_up(raised(best, row), count, counting) for count, row in enumerate(curve)]
    return functools.reduce(jnp.maximum, lifted)


def begun(curve: Rows, counting: Counting, states: int) -> Rows:
    """A budget curve as the first of several, up to so many steps."""
    inside = curve[:, : states + 1]
    wide = jnp.pad(inside, ((0, 0), (0, states + 1 - inside.shape[1])), constant_values=-jnp.inf)
    return counted_up(wide, 0, counting)


def counted_up(rows: Rows, count: int, counting: Counting) -> Rows:
    """Rows with so many more funded projects."""
    found: list[list[Array]] = [[] for _ in range(counting.rows)]
    for row in range(rows.shape[0]):
        to = counting.row(row + count)
        if to is not None:
            found[to].append(rows[row])
    none = jnp.full_like(rows[0], -jnp.inf)
    return jnp.stack([functools.reduce(jnp.maximum, group, none) for group in found])


def raised(best: Rows, values: Float[Array, " levels"]) -> Rows:
    """max_k best(b − k) + values(k), of every row."""
    count, states = min(values.size, best.shape[1]), best.shape[1]
    parts = PARTS if count >= LONG_ENOUGH else 1
    edges = [count * part // parts for part in range(parts + 1)]
    padded = jnp.concatenate([jnp.full_like(best, -jnp.inf), best], axis=1)
    after = jnp.full_like(best, -jnp.inf)
    for begin, end in itertools.pairwise(edges):

        def level(k: Whole, above: Rows, begin: int = begin) -> Rows:
            size = (best.shape[0], states - begin)
            shifted = jax.lax.dynamic_slice(padded, (jnp.zeros_like(k), states + begin - k), size)
            return jnp.maximum(above, shifted + values[k])

        above = jax.lax.fori_loop(jnp.int32(begin), jnp.int32(end), level, after[:, begin:])
        after = jnp.concatenate([after[:, :begin], above], axis=1)
    return after


def raised_by(best: Rows, values: Float[Array, " levels"], steps: Int[Array, " levels"]) -> Rows:
    """max_k best(b − steps(k)) + values(k), of every row."""
    spend = jnp.arange(best.shape[1], dtype=jnp.int32)

    def level(k: Whole, after: Rows) -> Rows:
        source = spend - steps[k]
        shifted = jnp.where(source >= 0, best[:, jnp.maximum(source, 0)], -jnp.inf)
        return jnp.maximum(after, shifted + values[k])

    return jax.lax.fori_loop(0, values.size, level, jnp.full_like(best, -jnp.inf))


def from_rows(to: Whole, count: int, counting: Counting) -> Bool[Array, " rows"]:
    """The rows that so many more funded projects lead to this row from."""
    lead = [counting.row(row + count) for row in range(counting.rows)]
    return jnp.asarray([-1 if row is None else row for row in lead], jnp.int32) == to


def read_members(
    before: Float[Array, "members rows states"],
    rows: Member,
    names: list[int],
    counting: Counting,
    row: Whole,
    spend: Whole,
) -> tuple[Levels, Whole, Whole]:
    """The levels of several projects on the way to a row and a spend, the last one first; and where that
    began."""
    levels = jnp.arange(rows.values.shape[1], dtype=jnp.int32)

    def one(state: tuple[Whole, Whole], given: tuple[Rows, Member]) -> tuple[tuple[Whole, Whole], Whole]:
        (row, spend), (before, mine) = state, given
        source = spend - (levels if mine.steps is None else mine.steps)
        paid = jnp.where(source >= 0, before[:, jnp.maximum(source, 0)] + mine.values[None], -jnp.inf)
        idle, funded = from_rows(row, 0, counting), from_rows(row, 1, counting)
        leads = jnp.where((levels == 0)[None], idle[:, None], funded[:, None])
        order = levels[None] * counting.rows + jnp.arange(counting.rows, dtype=jnp.int32)[:, None]
        _, first = first_best(jnp.where(leads, paid, -jnp.inf).ravel(), order.ravel())
        first = jnp.minimum(first, order.size - 1)
        level = first // counting.rows
        return (first % counting.rows, jnp.maximum(source[level], 0)), level

    (row, spend), found = jax.lax.scan(one, (row, spend), (before, rows), reverse=True)
    return {project: found[place] for place, project in enumerate(names)}, row, spend


def curve_reader(
    before: Rows, added: Composed, counting: Counting
) -> Callable[[Whole, Whole], tuple[Levels, Whole, Whole]]:
    """Reads back what was added with a budget curve of its own."""
    rows, states = added.curve.shape
    levels = jnp.arange(states, dtype=jnp.int32)

    def read(row: Whole, spend: Whole) -> tuple[Levels, Whole, Whole]:
        source = spend - levels
        there = jnp.where(source >= 0, before[:, jnp.maximum(source, 0)], -jnp.inf)
        leads = jnp.stack([from_rows(row, count, counting) for count in range(rows)])
        paid = jnp.where(leads[:, :, None], there[None] + added.curve[:, None], -jnp.inf)
        level = jnp.broadcast_to(levels, paid.shape)
        count = jnp.arange(rows, dtype=jnp.int32)[:, None, None]
        at = jnp.arange(counting.rows, dtype=jnp.int32)[None, :, None]
        order = (level * rows + count) * counting.rows + at
        _, first = first_best(paid.ravel(), order.ravel())
        first = jnp.minimum(first, order.size - 1)
        mine = first // counting.rows
        found = added.read(mine % rows, mine // rows)
        return found, first % counting.rows, jnp.maximum(spend - mine // rows, 0)

    return read
