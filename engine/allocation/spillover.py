"""`place_coupled`: a budget over projects whose effort spills over, beside the plans of simpler minds."""

from __future__ import annotations

import dataclasses
import functools
import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_dataclass
from jaxtyping import Array

from engine.allocation.allocate import (
    check_batch,
    check_budgets,
    check_whole_units,
    solve,
)
from engine.allocation.bet import Beside, Bet
from engine.allocation.running import Program, batched, program, round_size
from engine.bets import coupled as solvers
from engine.bets.spillover import Coupled, normalise_coupled, submodular
from engine.bets.whole import MOST_PLANS, count_plans, plans
from engine.model.curves.base import Vector
from engine.model.portfolio import project_names
from engine.solvers.responses import Scalar
from engine.solvers.solution import Solution

SOLVERS = ("auto", "enumeration", "relaxation", "greedy")
# Numbers a project that one problem holds while it is solved, times the projects and starts.
NUMBERS = 64
HOW = {
    "enumeration": "every plan of whole units",
    "relaxation": "gradient from {starts} starts, whole units moved while the return rises",
    "greedy": "greedy, unit by unit",
    "real": "gradient from {starts} starts, real effort",
}


@register_dataclass
@dataclass(frozen=True)
class Asked:
    """A coupled portfolio, and the plan of who ignores the coupling: arrays [..., projects]."""

    coupled: Coupled
    apart: Any
    names: tuple[str, ...] = dataclasses.field(default=(), metadata={"static": True})

    @property
    def shape(self) -> tuple[int, ...]:
        """(..., projects)."""
        return self.coupled.shape


def place_coupled(
    given: Coupled,
    budget: Any,
    *,
    solver: str = "auto",
    starts: int = 16,
    rounding: bool = True,
    tolerance: float = 1e-6,
    max_steps: int = 300,
) -> Bet:
    """Place a budget where effort spills over.

    **Arguments:** `solver`, one of

    - `auto`: `enumeration` where all problems together have at most 2,000,000 plans, else `relaxation`;
    - `enumeration`: the best of all plans, proved; up to 2,000,000 of them a problem;
    - `relaxation`: by gradient from `starts` starts, then by moves of whole units; it never returns less than
      greedy or the plan without spill-over;
    - `greedy`: unit by unit.

    `rounding=False` of `relaxation` gives real effort; `tolerance` and `max_steps` say when a climb ends.

    **Returns:** a `Bet`; beside it `greedy` and `without spill-over`, the ordinary exact plan, which ignores
    the coupling and is valued with it. `submodular` says whether greedy's guarantee holds.
    """
    check_options(solver, starts, rounding)
    coupled = normalise_coupled(given)
    check_batch(coupled.portfolio)
    if rounding:
        check_whole_units(coupled.portfolio)
    budgets = check_budgets(budget, coupled.shape[:-1], coupled.dtype)
    known = np.zeros((1, coupled.shape[-1]))
    if solver == "auto":
        few = rounding and loosest_count(coupled, budgets) * budgets.size <= MOST_PLANS
        solver = "enumeration" if few else "relaxation"
    if solver == "enumeration":  # what is proved is proved in float64
        coupled, budgets = normalise_coupled(given, np.dtype(np.float64)), budgets.astype(np.float64)
        known = every_plan(coupled, budgets)
    names = project_names(coupled.portfolio)
    bare = dataclasses.replace(coupled.portfolio, names=())
    apart = solve(bare, budgets).effort.astype(coupled.dtype)
    asked = Asked(dataclasses.replace(coupled, portfolio=bare), apart)
    kind = "real" if solver == "relaxation" and not rounding else solver
    options = {"tolerance": tolerance, "max_steps": max_steps}
    size = round_size(bare, NUMBERS * coupled.shape[-1] * starts)
    solution, beside = batched(
        compiled(kind, starts), asked, budgets, size, (known.astype(coupled.dtype), options)
    )
    return Bet(
        budget=budgets[()].astype(float),
        solution=solution,
        places=tuple((name,) for name in names),
        how=f"total return, {HOW[kind].format(starts=starts)}",
        figures={"submodular": np.broadcast_to(submodular(coupled), budgets.shape)},
        beside={name: against(solution, value) for name, value in beside.items()},
    )


def check_options(solver: str, starts: int, rounding: bool) -> None:
    """Raise `ValueError` for options that cannot be."""
    if solver not in SOLVERS:
        raise ValueError(
            f"solver is {solver!r}, expected one of {', '.join(SOLVERS)} where effort spills over"
        )
    if not isinstance(starts, int) or starts < 1:
        raise ValueError(f"starts is {starts!r}, expected a whole number of at least 1")
    if not rounding and solver not in ("auto", "relaxation"):
        raise ValueError(f"solver is {solver}, expected relaxation where effort is real")


def against(solution: Solution, value: Any) -> Beside:
    """Another plan's value, held against the answer's."""
    return Beside(value, value - solution.value, np.zeros_like(value))


def loosest(coupled: Coupled, budgets: np.ndarray) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """(budget, costs, least, most) that no problem of a batch has looser."""
    portfolio, projects = coupled.portfolio, coupled.shape[-1]

    def rows(value: Any, neutral: float) -> np.ndarray:
        return np.full((1, projects), neutral) if value is None else np.reshape(value, (-1, projects))

    least = np.min(np.ceil(rows(portfolio.lower, 0.0)), axis=0)
    most = np.max(np.floor(rows(portfolio.upper, math.inf)), axis=0)
    return float(np.max(budgets)), np.min(rows(portfolio.cost, 1.0), axis=0), least, most


def loosest_count(coupled: Coupled, budgets: np.ndarray) -> float:
    """At least as many plans as any problem of a batch has."""
    return count_plans(*loosest(coupled, budgets))


def every_plan(coupled: Coupled, budgets: np.ndarray) -> np.ndarray:
    """All plans of whole units of any problem of a batch; no effort where none is within the bounds.

    **Raises:** `ValueError` where there are more than the limit.
    """
    found = plans(*loosest(coupled, budgets))
    return found if len(found) else np.zeros((1, coupled.shape[-1]))


@functools.lru_cache(maxsize=64)
def compiled(kind: str, starts: int) -> Program[Any]:
    """The compiled program of one way to solve: the solution, and what the other plans reach."""

    def run(
        asked: Asked, budget: Scalar, known: Array, options: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        coupled = asked.coupled
        first = solvers.greedy_effort(coupled, budget)
        others = jnp.stack([first, asked.apart])
        found = answer(kind, coupled, budget, first, others, known, starts, options)
        beside = {"greedy": coupled.value(first), "without spill-over": coupled.value(asked.apart)}
        solved = jnp.isfinite(found.value)
        return found, jax.tree.map(lambda value: jnp.where(solved, value, jnp.nan), beside)

    return program(run, shared=2)


def answer(
    kind: str,
    coupled: Coupled,
    budget: Scalar,
    first: Vector,
    others: Array,
    known: Array,
    starts: int,
    options: dict[str, Any],
) -> Solution:
    """The solution of this kind."""
    if kind == "enumeration":
        return solvers.enumeration(coupled, budget, known)
    if kind == "greedy":
        return solvers.greedy(coupled, budget, first)
    rounding = kind == "relaxation"
    return solvers.relaxation(coupled, budget, others, starts=starts, rounding=rounding, **options)
