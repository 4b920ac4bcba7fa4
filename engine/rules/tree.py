"""The tree along which rules are composed: which projects stand together, and what is counted where.

Groups that are apart or one within the other make a tree. A project that needs another of the same group
hangs below it. What does not fit into the tree, of counts and needs, is **loose**: it is kept by branching on
who is funded (`branching`).
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.rules.ruled import Group, Ruled

# So many different conditions on one project at most: it is composed once for every set of them that is met.
MOST_CONDITIONS = 3


@dataclass(frozen=True)
class Counting:
    """Numbers of funded projects are told apart up to `most`; more than that are `more`: counted as `most`,
    or else in no allocation."""

    most: int = 0
    more: bool = True

    @property
    def rows(self) -> int:
        """How many numbers are told apart."""
        return self.most + 1

    def row(self, count: int) -> int | None:
        """The row of a number of funded projects, if it has one."""
        if count <= self.most:
            return count
        return self.most if self.more else None


@dataclass(frozen=True)
class Leaf:
    """One project."""

    project: int


@dataclass(frozen=True)
class After:
    """A project, and what hangs below it: for each condition, the place of its need, and what it lets in."""

    project: int
    below: tuple[tuple[int, tuple[Node, ...]], ...]
    counting: Counting


@dataclass(frozen=True)
class Together:
    """What is in one group, whose place is None at the root."""

    group: int | None
    children: tuple[Node, ...]
    counting: Counting
    allowed: tuple[int, ...] | None


Node = Leaf | After | Together


@dataclass(frozen=True)
class LooseCount:
    """A group of which so many may be funded, across the tree."""

    members: tuple[int, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class LooseNeed:
    """A need across the tree, by its place."""

    project: int
    needs: int
    place: int


Loose = LooseCount | LooseNeed


def projects_of(node: Node) -> tuple[int, ...]:
    """The projects of a node and of all below it."""
    if isinstance(node, Leaf):
        return (node.project,)
    if isinstance(node, After):
        below = (child for _, children in node.below for child in children)
        return (node.project, *(project for child in below for project in projects_of(child)))
    return tuple(project for child in node.children for project in projects_of(child))


def scattered(given: Ruled) -> tuple[Loose, ...]:
    """All rules of several projects, without a tree, of portfolios that use several resources."""
    names = given.labels
    counts = [
        LooseCount(given.members(group), group.counts) for group in given.groups if group.counts is not None
    ]
    needs = [
        LooseNeed(names.index(need.project), names.index(need.needs), place)
        for place, need in enumerate(given.needs)
    ]
    return (*counts, *needs)


def plant(given: Ruled) -> tuple[Together, tuple[Loose, ...]]:
    """The tree of a portfolio's rules, and the rules that do not fit into it.

    **Raises:** `ValueError` for two groups that bound spending and overlap.
    """
    members = [frozenset(given.members(group)) for group in given.groups]
    kept, loose = _nested(given.groups, members)
    order = sorted(kept, key=lambda place: (len(members[place]), place))
    parent = {
        place: next((above for above in order[i + 1 :] if members[place] <= members[above]), None)
        for i, place in enumerate(order)
    }
    home = {
        project: next((place for place in order if project in members[place]), None)
        for project in range(given.shape[-1])
    }
    hanging, loose_needs = _hang(given, home)
    grower = Grower(given, parent, home, hanging)
    return grower.together(None, Counting()), (*loose, *loose_needs)


def _nested(
    groups: tuple[Group, ...], members: list[frozenset[int]]
) -> tuple[list[int], tuple[LooseCount, ...]]:
    """The places of the groups that make a tree, and the counts of the others."""
    kept: list[int] = []
    loose: list[LooseCount] = []
    binding = [place for place, group in enumerate(groups) if group.binds]
    for place in sorted(binding, key=lambda place: not groups[place].spends):
        crossing = [other for other in kept if _overlap(members[place], members[other])]
        if not crossing:
            kept.append(place)
            continue
        if groups[place].spends:
            raise ValueError(
                f"groups {groups[crossing[0]].name} and {groups[place].name} share some projects only, "
                "expected groups that bound spending to be apart, or one within the other"
            )
        if (counts := groups[place].counts) is not None:
            loose.append(LooseCount(tuple(sorted(members[place])), counts))
    return kept, tuple(loose)


def _overlap(one: frozenset[int], other: frozenset[int]) -> bool:
    return bool(one & other) and not (one <= other or other <= one)


def _hang(
    given: Ruled, home: dict[int, int | None]
) -> tuple[dict[int, tuple[int, int]], tuple[LooseNeed, ...]]:
    """(what each project that hangs below another needs, and by which need; the other needs)."""
    hanging: dict[int, tuple[int, int]] = {}
    loose: list[LooseNeed] = []
    for place, need in enumerate(given.needs):
        project, needs = given.labels.index(need.project), given.labels.index(need.needs)
        above: int | None = needs
        while above is not None and above != project:
            above = hanging[above][0] if above in hanging else None
        conditions = {given.needs[at].past is None for q, at in hanging.values() if q == needs}
        room = len([1 for q, _ in hanging.values() if q == needs]) < MOST_CONDITIONS or conditions == {True}
        fits = project not in hanging and above is None and home[project] == home[needs] and room
        if fits:
            hanging[project] = (needs, place)
        else:
            loose.append(LooseNeed(project, needs, place))
    return hanging, tuple(loose)


@dataclass(frozen=True)
class Grower:
    """Makes nodes of groups and needs."""

    given: Ruled
    parent: dict[int, int | None]
    home: dict[int, int | None]
    hanging: dict[int, tuple[int, int]]

    def together(self, group: int | None, above: Counting) -> Together:
        """The node of a group, or of all there is."""
        inner = [place for place, above_it in self.parent.items() if above_it == group]
        alone = [p for p, place in self.home.items() if place == group and p not in self.hanging]
        allowed = None if group is None else self.given.groups[group].counts
        size = len(self.given.members(self.given.groups[group])) if group is not None else len(self.home)
        counting = counted(allowed, size, above)
        children = [self.together(place, counting) for place in inner]
        return Together(group, (*(self.project(p, counting) for p in alone), *children), counting, allowed)

    def project(self, project: int, above: Counting) -> Node:
        """A project with what hangs below it."""
        hung = [(p, place) for p, (needs, place) in self.hanging.items() if needs == project]
        if not hung:
            return Leaf(project)
        conditions: dict[int, list[Node]] = {}
        funded = next((place for _, place in hung if self.given.needs[place].past is None), None)
        for child, place in hung:
            simple = self.given.needs[place].past is None and funded is not None
            conditions.setdefault(funded if simple else place, []).append(self.project(child, above))  # type: ignore[arg-type]
        below = tuple((place, tuple(nodes)) for place, nodes in conditions.items())
        return After(project, below, above)


def counted(allowed: tuple[int, ...] | None, size: int, above: Counting) -> Counting:
    """How a group of so many projects counts, by what is allowed in it and by how what is above it counts."""
    if allowed is None:
        return Counting(min(size, above.most), above.more)
    held = [count in allowed for count in range(size + 1)]
    settled = next(c for c in range(size + 1) if len(set(held[c:])) == 1)
    if not held[-1]:
        most = max((c for c in allowed if c <= size), default=0)
        return Counting(most if above.more else min(most, above.most), False)
    if above.more:
        return Counting(min(size, max(settled, above.most)), True)
    return Counting(min(size, above.most), False)
