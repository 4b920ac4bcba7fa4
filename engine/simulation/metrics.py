"""What is measured of a solution."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from engine.model.portfolio import Portfolio
from engine.solvers.rounding import optimum_error
from engine.solvers.solution import Solution

METRICS = {
    "value": "total return V(x)",
    "bound": "certified upper bound",
    "gap": "certified optimality gap, (bound − value)/|bound|",
    "difference": "value less that of the exact integer optimum, the same portfolio",
    "loss": "share of the exact integer optimum that is missed",
    "optimal": "1 where the value is that of the exact integer optimum",
    "proved": "1 where the bound proves the answer",
    "frontier": "1 where some project reaches the frontier",
    "frontier_projects": "number of projects at the frontier",
    "funded": "number of projects with effort",
    "largest_share": "largest share of the budget spent on one project",
    "effective_number": "1/Σ share²: the number of equally funded projects of the same concentration",
    "multiplier": "multiplier of the budget that the solver ended with",
    "unspent": "share of the budget not spent",
}


def measure(
    portfolio: Portfolio, budget: Float[Array, ""], solution: Solution, optimum: Float[Array, ""]
) -> dict[str, Float[Array, ""]]:
    """The metrics of one solution; `optimum` is the exact integer optimum, or NaN if it is not known."""
    dtype = solution.value.dtype
    spend = solution.effort if portfolio.cost is None else solution.effort * portfolio.cost
    share = spend / jnp.where(solution.spent > 0, solution.spent, 1.0)
    squares = jnp.sum(share * share)
    _, frontier = portfolio.stage(solution.effort)
    scale = jnp.where(optimum != 0, jnp.abs(optimum), 1.0)
    rounding = optimum_error(portfolio.shape[-1], scale)
    known = jnp.isfinite(optimum)
    difference = solution.value - optimum

    def flag(condition: Array) -> Array:
        return condition.astype(dtype)

    return {
        "value": solution.value,
        "bound": solution.bound,
        "gap": solution.gap,
        "difference": difference,
        "loss": -difference / scale,
        "optimal": jnp.where(known, flag(difference >= -rounding), jnp.nan),
        "proved": flag(solution.proved),
        "frontier": flag(jnp.any(frontier)),
        "frontier_projects": jnp.sum(flag(frontier)),
        "funded": jnp.sum(flag(solution.effort > 0)),
        "largest_share": jnp.max(share),
        "effective_number": jnp.where(squares > 0, 1.0 / jnp.where(squares > 0, squares, 1.0), 0.0),
        "multiplier": solution.multiplier,
        "unspent": jnp.where(budget > 0, 1.0 - solution.spent / jnp.where(budget > 0, budget, 1.0), 0.0),
    }
