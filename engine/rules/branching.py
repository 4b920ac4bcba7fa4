"""Branching on who is funded, for rules that cross the tree.

The optimum without these rules is a bound. Where it breaks one of them, it is split in two: a project of that
rule is funded, or it is not. Each part is solved by the same compiled program, since who is funded is a
number there; the part with the highest bound comes next.

Source: Land & Doig (1960), "An automatic method of solving discrete programming problems".
"""

from __future__ import annotations

import dataclasses
import heapq
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from engine.rules.ruled import Fund, Ruled
from engine.rules.tree import Loose, LooseCount
from engine.solvers.solution import Solution, Status

# Parts that are solved at most: what is open then is the bound.
MOST_PARTS = 5000
Solve = Callable[[Ruled], Solution]


def branched(given: Ruled, loose: tuple[Loose, ...], solve: Solve) -> Solution:
    """The optimum of one portfolio that keeps these rules too; `solve` keeps all the others."""
    given = decidable(given)
    order = itertools.count()
    first = solve(given)
    best: Solution | None = None
    open_parts = [(-float(first.bound), next(order), given, first)] if solved(first) else []
    for _ in range(MOST_PARTS):
        if not open_parts:
            return best if best is not None else failed(first)
        bound, _, part, solution = heapq.heappop(open_parts)
        if best is not None and -bound <= float(best.value):
            return best
        broken = next((rule for rule in loose if breaks(rule, part, solution.effort)), None)
        if broken is None:
            better = best is None or float(solution.value) > float(best.value)
            best = solution if better else best
            continue
        for half in halves(broken, part, solution.effort):
            found = solve(half)
            if solved(found):
                heapq.heappush(open_parts, (-float(found.bound), next(order), half, found))
    return unproved(best if best is not None else failed(first), -open_parts[0][0] if open_parts else None)


def solved(solution: Solution) -> bool:
    """Whether there is an allocation at all."""
    return int(solution.status) == Status.SOLVED


def failed(solution: Solution) -> Solution:
    """That there is no allocation."""
    nan: Any = np.full_like(solution.value, np.nan)
    no: Any = np.asarray(False)
    infeasible: Any = np.asarray(Status.INFEASIBLE, np.int32)
    return dataclasses.replace(
        solution,
        value=nan,
        bound=nan,
        proved=no,
        status=infeasible,
    )


def unproved(best: Solution, bound: float | None) -> Solution:
    """The best that was found, with what could not be ruled out."""
    if bound is None or not bound > float(best.value):
        return best
    most: Any = np.asarray(bound, best.value.dtype)
    no: Any = np.asarray(False)
    return dataclasses.replace(best, bound=most, proved=no)


def decidable(given: Ruled) -> Ruled:
    """The same with arrays of who is funded and from which effort, so that all parts share a program."""
    fund: Any = np.zeros(given.shape, np.int32) if given.fund is None else np.array(given.fund)
    portfolio = given.portfolio
    lower: Any = np.zeros(given.shape, given.dtype) if portfolio.lower is None else np.array(portfolio.lower)
    return dataclasses.replace(given, fund=fund, portfolio=dataclasses.replace(portfolio, lower=lower))


def breaks(rule: Loose, given: Ruled, effort: Any) -> bool:
    """Whether an allocation breaks a rule."""
    if isinstance(rule, LooseCount):
        return int(np.count_nonzero(effort[list(rule.members)] > 0)) not in rule.counts
    return bool(effort[rule.project] > 0 and effort[rule.needs] < enough(rule.place, given))


def enough(need: int, given: Ruled) -> float:
    """The effort from which on a need is met."""
    past = given.needs[need].past
    return 1.0 if past is None else float(np.ceil(np.asarray(past) - 1e-9))


def halves(rule: Loose, given: Ruled, effort: Any) -> Iterator[Ruled]:
    """Two parts that hold all allocations that keep a rule, and not this one both."""
    assert given.fund is not None
    if isinstance(rule, LooseCount):
        open_members = [p for p in rule.members if given.fund[p] == Fund.MAY]
        if not open_members:
            return
        project = max(open_members, key=lambda p: effort[p])
        yield decided(given, project, Fund.NEVER)
        yield decided(given, project, Fund.MUST)
        return
    if given.fund[rule.project] == Fund.MAY:
        yield decided(given, rule.project, Fund.NEVER)
    lower: Any = np.array(given.portfolio.lower)
    lower[rule.needs] = max(lower[rule.needs], enough(rule.place, given))
    funded = dataclasses.replace(given, portfolio=dataclasses.replace(given.portfolio, lower=lower))
    yield decided(funded, rule.project, Fund.MUST) if given.fund[rule.project] == Fund.MAY else funded


def decided(given: Ruled, project: int, fund: Fund) -> Ruled:
    """With one more project decided."""
    array: Any = np.array(given.fund)
    array[project] = fund
    return dataclasses.replace(given, fund=array)
