"""Whether rules can be kept at all, what budget that takes, and which of them cannot be kept together.

What a node of the tree can spend is a set of whole numbers of steps: the bits of one Python integer, of which
a project more is a shift a level. So every combination of rules is tried in no time, and a smallest set that
cannot be kept is found by leaving out one rule after the other for good where the others still conflict.

Source: Chinneck & Dravnieks (1991), "Locating minimal infeasible constraint sets in linear programs", for the
deletion filter.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from engine.rules.branching import decidable, enough
from engine.rules.levels import allowed
from engine.rules.ruled import Ruled
from engine.rules.solve import UNBOUNDED, bounds_of
from engine.rules.tree import After, Leaf, Loose, LooseCount, Node, plant, projects_of
from engine.solvers.lattice import Lattice

# Who is funded is tried in all ways for so many projects of rules that cross the tree.
MOST_LOOSE = 10
# Where rules are of shares, budgets are tried that grow so, up to so many times what the others ask for.
GROWTH, MOST_TIMES = 1.02, 100.0
# The sets of steps that can be spent, by how many projects are funded.
Spends = dict[int, int]


class Attainable:
    """What one portfolio with rules can spend, in steps of a lattice, up to a budget."""

    def __init__(self, given: Ruled, budget: float, lattice: Lattice) -> None:
        self.lattice = lattice
        self.full = (1 << (lattice.states + 1)) - 1
        self.given = given
        with jax.enable_x64(True):
            own = np.asarray(allowed(given, lattice.units)).T
            amount: Any = np.float64(budget)
            groups = [bounds_of(g, amount, lattice) for g in given.groups]
        self.groups = [tuple(int(n) for n in group) for group in groups]
        units = np.arange(lattice.units + 1)
        portfolio = given.portfolio
        lower, upper = (
            a if a is not None else n for a, n in ((portfolio.lower, 0.0), (portfolio.upper, np.inf))
        )
        inside = (units >= np.reshape(lower, (-1, 1)) - 1e-9) & (units <= np.reshape(upper, (-1, 1)) + 1e-9)
        self.own = own & inside
        costs = np.ones(given.shape[-1]) if portfolio.cost is None else portfolio.cost
        self.steps = np.minimum(np.round(costs[:, None] * units / lattice.step), UNBOUNDED).astype(int)

    def spends(self) -> int:
        """The steps that can be spent, as bits."""
        root, loose = plant(self.given)
        projects = sorted({p for rule in loose for p in loose_projects(rule)})
        if not projects or len(projects) > MOST_LOOSE:
            return functools.reduce(int.__or__, self.node(root, self.own).values(), 0)
        found = 0
        for funded in itertools.product((False, True), repeat=len(projects)):
            who = dict(zip(projects, funded, strict=True))
            own = self.decided(who, loose)
            if own is not None:
                found |= functools.reduce(int.__or__, self.node(root, own).values(), 0)
        return found

    def decided(self, who: dict[int, bool], loose: tuple[Loose, ...]) -> np.ndarray | None:
        """The levels that are left where these are funded and those not; None where a rule is broken."""
        own = self.own.copy()
        for project, yes in who.items():
            own[project, 0] &= not yes
            own[project, 1:] &= yes
        for rule in loose:
            if isinstance(rule, LooseCount):
                if sum(who[p] for p in rule.members) not in rule.counts:
                    return None
            elif who[rule.project]:
                own[rule.needs, : int(enough(rule.place, self.given))] = False
        return own

    def node(self, node: Node, own: np.ndarray) -> Spends:
        """What a node can spend."""
        if isinstance(node, Leaf):
            return self.project(node.project, own[node.project])
        if isinstance(node, After):
            return self.after(node, own)
        found: Spends = {0: 1}
        for child in node.children:
            found = self.both(found, self.node(child, own))
        if node.group is None:
            return found
        least, most, minimum = self.groups[node.group]
        bits = self.between(least, most) & (self.between(minimum, UNBOUNDED) | 1)
        kept = {count: spends & bits for count, spends in found.items()}
        return {c: s for c, s in kept.items() if s and (node.allowed is None or c in node.allowed)}

    def between(self, least: int, most: int) -> int:
        """The bits of the steps from one number to another."""
        if least > self.lattice.states or most < least:
            return 0
        return ((1 << (min(most, self.lattice.states) + 1)) - 1) & ~((1 << least) - 1)

    def project(self, project: int, levels: np.ndarray) -> Spends:
        """What a project can spend."""
        idle = 1 if levels[0] else 0
        funded = 0
        for level in np.flatnonzero(levels[1:]) + 1:
            if self.steps[project, level] <= self.lattice.states:
                funded |= 1 << int(self.steps[project, level])
        return {count: spends for count, spends in ((0, idle), (1, funded)) if spends}

    def after(self, node: After, own: np.ndarray) -> Spends:
        """What a project and what hangs below it can spend."""
        found: Spends = {}
        for met in itertools.product((False, True), repeat=len(node.below)):
            levels = own[node.project].copy()
            part: Spends = {0: 1}
            for yes, (need, children) in zip(met, node.below, strict=True):
                if yes:
                    levels[: int(enough(need, self.given))] = False
                for child in children:
                    idle = all(own[p, 0] for p in projects_of(child))
                    part = self.both(part, self.node(child, own) if yes else ({0: 1} if idle else {}))
            for count, spends in self.both(part, self.project(node.project, levels)).items():
                found[count] = found.get(count, 0) | spends
        return found

    def both(self, one: Spends, other: Spends) -> Spends:
        """What two parts can spend together."""
        found: Spends = {}
        for (count, spends), (more, added) in itertools.product(one.items(), other.items()):
            few, many = sorted((spends, added), key=int.bit_count)
            together = 0
            while few:
                shift = (few & -few).bit_length() - 1
                together |= many << shift
                few &= few - 1
            if together & self.full:
                found[count + more] = found.get(count + more, 0) | (together & self.full)
        return found


def loose_projects(rule: Loose) -> tuple[int, ...]:
    """The projects that a rule across the tree is about."""
    return rule.members if isinstance(rule, LooseCount) else (rule.project, rule.needs)


def conflict(given: Ruled, budget: float, lattice: Lattice, large: Lattice, lot: float = 1.0) -> str:
    """Why one portfolio has no allocation: the fewest rules that cannot be kept together, and what budget
    would do.

    **Arguments:** `lattice`, which counts the budget; `large`, which counts more than the rules can ask for,
    in the same steps; `lot`, what a unit of both stands for.
    """
    given = decidable(given)

    def within(rules: Ruled) -> bool:
        spends = Attainable(rules, budget, lattice).spends()
        return bool(spends >> lattice.states) if rules.spend_all else bool(spends)

    def at_all(rules: Ruled) -> bool:
        return bool(Attainable(unscaled(rules), budget, large).spends())

    if not at_all(given):
        return f"no budget keeps these rules together: {in_words(smallest(given, at_all))}"
    rules = in_words(smallest(given, within))
    least = least_budget(given, budget, large)
    if least is None:
        return (
            f"budget {budget * lot:g} does not keep {rules}, nor does one {MOST_TIMES:g} times what they ask"
        )
    if least > budget:
        return f"budget {budget * lot:g} does not keep {rules}, expected at least {least * lot:g}"
    spends = Attainable(given, budget, lattice).spends()
    below = (spends.bit_length() - 1) * lattice.step
    return (
        f"no allocation spends all of {budget * lot:g} and keeps {rules}, expected a budget of "
        f"{below * lot:g}, or not to spend all"
    )


def unscaled(given: Ruled) -> Ruled:
    """The rules but for shares of the budget, which grow with it."""
    groups = tuple(dataclasses.replace(g, least_share=None, most_share=None) for g in given.groups)
    return dataclasses.replace(given, groups=groups)


def least_budget(given: Ruled, budget: float, large: Lattice) -> float | None:
    """The least budget that keeps the rules; where some are shares of it, the first of rising budgets that
    does, each `GROWTH` times the one before, and None where none does."""
    spends = Attainable(unscaled(given), budget, large).spends()
    least = ((spends & -spends).bit_length() - 1) * large.step
    if all(group.least_share is None and group.most_share is None for group in given.groups):
        return least
    amount, most = max(least, large.step), MOST_TIMES * max(least, large.step)
    while amount <= most:
        states = int(np.ceil(amount / large.step))
        units = max(large.units, int(large.units * states / max(large.states, 1)))
        wide = large._replace(states=states, units=units)
        if Attainable(given, states * large.step, wide).spends():
            return states * large.step
        amount *= GROWTH
    return None


def smallest(given: Ruled, kept: Callable[[Ruled], bool]) -> list[str]:
    """The names of the fewest rules that cannot be kept together: a rule is left out for good where the
    others cannot be kept without it."""
    named: list[str] = []
    seen: set[str] = set()
    while (rule := next((each for each in every_rule(given) if each[0] not in seen), None)) is not None:
        name, less = rule
        seen.add(name)
        if kept(less):
            named.append(name)
        else:
            given = less
    return named


def every_rule(given: Ruled) -> Iterator[tuple[str, Ruled]]:
    """The rules, and the lower and upper limits of projects, by name; and what is left without each."""
    yield from given.rules()
    for key, free in (("lower", 0.0), ("upper", np.inf)):
        bound = getattr(given.portfolio, key)
        for project in [] if bound is None else np.flatnonzero(bound != free):
            array: Any = np.array(bound)
            array[project] = free
            portfolio = dataclasses.replace(given.portfolio, **{key: array})
            name = f"{given.labels[project]} {key} bound"
            yield name, dataclasses.replace(given, portfolio=portfolio)


def in_words(names: list[str]) -> str:
    """Several names in a sentence."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
