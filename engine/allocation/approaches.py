"""A budget placed on approaches, of which the best that succeeds counts: the border and the lattice."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

import numpy as np

from engine.allocation.allocate import check_batch, check_budgets
from engine.allocation.bet import Beside, Bet
from engine.allocation.running import Program, batched, program, round_size
from engine.bets.approaches import Approaches, normalise_approaches
from engine.bets.best_of import Plans, plans
from engine.model.naming import one_of
from engine.solvers.lattice import Lattice, build_lattice, most_units
from engine.solvers.registry import FEW_NUMBERS
from engine.solvers.solution import Solution

# What each plan is called beside another one.
CALLED = {"exact": "exact", "greedy": "greedy", "single": "single best"}
# Additions of the longest programme over subsets that is run for one bet: some minutes.
MOST_WORK = 1e11


def place_approaches(given: Approaches, budget: float | np.ndarray, *, solver: str = "exact") -> Bet:
    """Place a budget on the approaches of one bet, or of each of a batch, in whole units.

    **Arguments:** `solver`: "exact", the optimum and its proof, beside which are the other two; "greedy",
    unit by unit to the approach with the largest rise of its project's expected best for its cost; "single",
    the best where every project has one approach only. All three have the optimum's bound.

    **Raises:** `ValueError` naming what cannot be.
    """
    if solver not in CALLED:
        raise ValueError(f"unknown solver {solver!r}{one_of(solver, CALLED)}")
    asked = normalise_approaches(given)
    check_batch(asked)
    budgets = check_budgets(budget, asked.shape[:-1], asked.dtype)
    within = spendable(asked, budgets)
    lattice = approaches_lattice(asked, float(np.max(within)), budgets.size)
    size = round_size(asked, FEW_NUMBERS + _sets(asked) * (lattice.units + 1))
    bare = dataclasses.replace(asked, labels=())
    found = batched(compiled(lattice.sizes), bare, within, size, (lattice.numbers,))
    solutions = {name: _flat(solution, asked) for name, solution in found._asdict().items()}
    answer = solutions.pop(solver)
    others = solutions if solver == "exact" else {}
    return Bet(
        budget=budgets[()],
        solution=answer,
        places=asked.places,
        how=f"expected best, {CALLED[solver]}",
        beside={CALLED[name]: _beside(plan, answer) for name, plan in others.items()},
    )


def spendable(given: Approaches, budgets: np.ndarray) -> np.ndarray:
    """As much of each budget as upper limits let be spent: the answer is the same, and tables are short."""
    cost = np.ones(given.shape) if given.cost is None else np.asarray(given.cost)
    return np.minimum(budgets, np.sum(cost * given.most_units(), axis=-1))


def approaches_lattice(given: Approaches, budget: float, bets: int) -> Lattice:
    """The whole units that so many bets are counted in.

    **Raises:** `ValueError` for a budget whose tables do not fit, or that would take too long.
    """
    projects = given.shape[-1]
    costs = None if given.cost is None else np.unique(given.cost)
    lattice = build_lattice(budget, projects, costs, float(np.max(given.most_units())))
    products = given.count * _sets(given) / 2
    in_time = math.isqrt(int(MOST_WORK / (projects * products)))
    most = min(most_units(projects * _sets(given)), in_time)
    if lattice.units > most:
        raise ValueError(
            f"budget {budget:g} lets a project take {lattice.units:,} units, and {given.count} approaches "
            f"a project hold at most {most:,}: measure effort in larger units, or set upper limits"
        )
    return lattice.shared(projects, bets)


def _sets(given: Approaches) -> int:
    return 1 << given.count


@functools.lru_cache(maxsize=256)
def compiled(sizes: Lattice) -> Program[Plans]:
    """The compiled plans, a function of (approaches, budget, the lattice's numbers)."""

    def run(given: Approaches, budget: Any, numbers: dict[str, Any]) -> Plans:
        return plans(given, budget, sizes._replace(**numbers))

    return program(run, shared=1)


def _flat(solution: Solution, given: Approaches) -> Solution:
    """Effort [..., places] of effort [..., projects, approaches]."""
    return dataclasses.replace(solution, effort=solution.effort[..., given.real])


def _beside(plan: Solution, answer: Solution) -> Beside:
    """Another plan of the same bet. What is proved by the same bound is as good, up to rounding."""
    value, own = np.asarray(plan.value), np.asarray(answer.value)
    difference = np.where(plan.proved, 0.0, value - own)
    return Beside(value[()], difference[()], np.zeros_like(difference)[()])
