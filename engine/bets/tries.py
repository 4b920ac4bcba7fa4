"""Tries: what studies hold of projects with several approaches, of which the best that succeeds counts.

The programme over subsets (`engine.bets.best_of`) makes of each project one table, the most that it is
expected to return with so many units in all. These are an ordinary portfolio, which every solver solves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import register_dataclass
from jaxtyping import Array, Float

from engine.bets.approaches import Approaches
from engine.bets.best_of import Tables, alone, portfolio_of, read_back, subset_optima
from engine.model.portfolio import Portfolio
from engine.solvers.bound import bound
from engine.solvers.exact import exact
from engine.solvers.lattice import Lattice
from engine.solvers.responses import Scalar
from engine.solvers.solution import Solution, conclude, extended


class Tries(NamedTuple):
    """What each approach returns if it succeeds, its chance, and the optima of all sets of approaches."""

    tables: Tables
    success: Float[Array, "projects approaches"]
    best: Float[Array, "projects sets levels"]


@register_dataclass
@dataclass(frozen=True)
class Counted(Solution):
    """A solution, and how many approaches have effort."""

    approaches: Scalar


def tried(given: Approaches, units: int) -> tuple[Portfolio, Tries]:
    """The ordinary portfolio of the best expected returns up to so many units, and what stands behind it."""
    tables, success = given.tables(units), given.success()
    best = jax.vmap(subset_optima)(tables, success)
    return portfolio_of(best[:, -1], given.cost, given.names), Tries(tables, success, best)


def single_plan(portfolio: Portfolio, tries: Tries, budget: Scalar, lattice: Lattice) -> Counted:
    """The optimum where each project has the one of its approaches that does most with its units; the bound
    is that of all plans."""
    lone = jnp.max(jax.vmap(alone)(tries.tables, tries.success), axis=1)
    single = portfolio_of(lone, portfolio.cost)
    plan = exact(single, budget, lattice)
    most = bound(portfolio, budget, lattice).bound
    solution = conclude(single, budget, plan.effort, plan.multiplier, most)
    return _counted(solution, jnp.sum(plan.effort > 0))


def count(tries: Tries, solution: Solution) -> Counted:
    """A solution with its number of approaches, where the projects' units are placed best among them; NaN
    where these are no whole numbers."""
    if isinstance(solution, Counted):
        return solution
    units = jnp.round(solution.effort)
    levels = jnp.clip(units, 0, tries.tables.shape[-1] - 1).astype(jnp.int32)
    placed = jax.vmap(read_back)(tries.best, tries.tables, tries.success, levels)
    whole = jnp.all(units == solution.effort)
    counted = _counted(solution, jnp.sum(placed > 0))
    return dataclasses.replace(counted, approaches=jnp.where(whole, counted.approaches, jnp.nan))


def _counted(solution: Solution, approaches: Array) -> Counted:
    return extended(Counted, solution, approaches=approaches.astype(solution.value.dtype))


METRICS = {"approaches": "number of approaches with effort, all projects together"}
# A table of expected returns has no stages.
OF_STAGES = ("frontier", "frontier_projects")


def measure_tries(solution: Counted, metrics: Mapping[str, Float[Array, ""]]) -> dict[str, Float[Array, ""]]:
    """The metrics of one solution, of which the ordinary ones are given; NaN where they are of stages."""
    known = {name: jnp.full_like(one, jnp.nan) if name in OF_STAGES else one for name, one in metrics.items()}
    return {**known, "approaches": solution.approaches}
