"""Lifted: what studies hold of projects that platforms lift.

Where effort spills over, no portfolio stands for it that solvers of portfolios could solve. They ignore the
spill-over, as if the matrix were 0, and what they find is valued with it; the methods of coupled portfolios
see it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_dataclass
from jaxtyping import Array, Bool, Float

from engine.bets import coupled as solvers
from engine.bets.decoupled import upper_bound
from engine.bets.spillover import Coupled, submodular
from engine.bets.whole import plans
from engine.model.portfolio import Portfolio
from engine.solvers.exact import exact
from engine.solvers.lattice import Lattice
from engine.solvers.relaxation import feasible_set
from engine.solvers.responses import Scalar
from engine.solvers.solution import Solution, extended

# Climbs of `coupled`, as many as `engine.bet` begins where nobody says how many.
CLIMBS = 16


class Lifting(NamedTuple):
    """A coupled portfolio, and which of its projects are platforms."""

    coupled: Coupled
    platforms: Bool[Array, " projects"]


@register_dataclass
@dataclass(frozen=True)
class Lifted(Solution):
    """A solution valued with the spill-over, and the share of what it spends that goes to platforms."""

    platform_share: Scalar


def lifted(lifting: Lifting, solution: Solution) -> Lifted:
    """The solution of a method that sees the spill-over."""
    spent = solution.effort * lifting.coupled.portfolio.costs()
    total = jnp.sum(spent)
    share = jnp.sum(jnp.where(lifting.platforms, spent, 0.0)) / jnp.where(total > 0, total, 1.0)
    return extended(Lifted, solution, platform_share=share)


def valued(lifting: Lifting, budget: Scalar, solution: Solution) -> Lifted:
    """A solution of who ignores the spill-over, valued and bounded with it."""
    if isinstance(solution, Lifted):
        return solution
    coupled = lifting.coupled
    effort, budget = solution.effort.astype(coupled.dtype), budget.astype(coupled.dtype)
    box = feasible_set(coupled.portfolio, budget)
    judged = solvers.judge(coupled, box, effort, *upper_bound(coupled, box, effort))
    return lifted(lifting, judged)


def best_known(
    portfolio: Portfolio,
    lifting: Lifting,
    budget: Scalar,
    lattice: Lattice,
    tolerance: Scalar | float,
    max_steps: Scalar | int,
) -> Lifted:
    """The plan by gradient and moves of whole units, no worse than greedy or who ignores the spill-over."""
    apart = exact(portfolio, budget, lattice).effort
    others = jnp.stack([solvers.greedy_effort(lifting.coupled, budget), apart])
    found = solvers.relaxation(
        lifting.coupled, budget, others, starts=CLIMBS, tolerance=tolerance, max_steps=max_steps
    )
    return lifted(lifting, found)


def every_plan(budget: float, projects: int, cost: float, upper: float) -> dict[str, np.ndarray]:
    """The plans that `enumeration` looks at: those of projects that all cost the least and have the largest
    upper limit.

    **Raises:** `ValueError` where there are more than its limit.
    """
    each = np.ones(projects)
    return {"plans": plans(budget, cost * each, 0.0 * each, np.floor(upper) * each)}


METRICS = {
    "platform_share": "share of what is spent that goes to platforms",
    "gained": "what is gained over the lower limits, as a share of what the best plan known gains",
    "submodular": "1 where returns are sure to diminish whatever else is funded",
}


def measure_lifted(
    lifting: Lifting, solution: Lifted, metrics: Mapping[str, Float[Array, ""]]
) -> dict[str, Float[Array, ""]]:
    """The metrics of one solution, of which the ordinary ones are given; stages are of what is received."""
    coupled, value = lifting.coupled, solution.value
    _, frontier = coupled.portfolio.stage(coupled.received(solution.effort))
    nothing = coupled.value(coupled.portfolio.lowers())
    most = value - metrics["difference"] - nothing
    return {
        **metrics,
        "frontier": jnp.any(frontier).astype(value.dtype),
        "frontier_projects": jnp.sum(frontier).astype(value.dtype),
        "platform_share": solution.platform_share,
        "gained": jnp.where(most > 0, (value - nothing) / jnp.where(most > 0, most, 1.0), jnp.nan),
        "submodular": jnp.full_like(value, submodular(coupled)),
    }
