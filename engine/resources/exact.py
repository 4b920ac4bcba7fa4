"""The best plan of whole units within the budgets of several resources, and what it is worth to have more."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from engine.model.portfolio import project_names
from engine.resources.branching import MOST_BOXES, Found, solve_table
from engine.resources.menu import Prices
from engine.resources.resources import Resourced
from engine.solvers.lattice import most_units
from engine.solvers.rounding import whole
from engine.solvers.solution import Solution, Status


def exact(
    given: Resourced, budgets: Prices, units: int, most_boxes: Int[Array, ""] | int = MOST_BOXES
) -> Solution:
    """The integer optimum, or the best plan and a bound where so many boxes do not prove it.

    **Arguments:** `budgets`, of each resource; `units`, as many as any project can take.

    **Returns:** a `Solution` whose `multiplier` and `spent` are [resources].
    """
    table = given.portfolio.table(units)
    found = solve_table(table, given.usage, budgets, most_boxes)
    return judge(given, found, jnp.any(jnp.isnan(table) | (table == jnp.inf)))


def judge(given: Resourced, found: Found, overflows: Array) -> Solution:
    """What was found as a solution: whether there was a plan, and whether it is a number."""
    status = jnp.where(jnp.isfinite(found.value), Status.SOLVED, Status.INFEASIBLE)
    status = jnp.where(overflows, Status.NOT_FINITE, status).astype(jnp.int32)
    solved = status == Status.SOLVED
    return Solution(
        effort=found.effort,
        value=jnp.where(solved, found.value, jnp.nan),
        bound=jnp.where(solved, found.bound, jnp.nan),
        multiplier=jnp.where(solved, found.prices, jnp.nan),
        spent=jnp.sum(given.usage * found.effort[None], axis=1),
        proved=solved & found.proved,
        status=status,
    )


def units_of(given: Resourced, budgets: np.ndarray) -> int:
    """The most whole units that any project of a batch can take, of host arrays [..., resources].

    **Raises:** `ValueError` naming a project that can take more than a table holds.
    """
    usage, upper = np.asarray(given.usage), given.portfolio.upper
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        bought = np.where(usage > 0, budgets[..., None] / usage, np.inf)
    reach = np.minimum(np.min(bought, axis=-2), np.inf if upper is None else np.asarray(upper))
    largest = np.max(reach.reshape(-1, reach.shape[-1]), axis=0)
    projects = reach.shape[-1]
    if np.max(largest) > most_units(projects):
        name = project_names(given.portfolio)[int(np.argmax(largest))]
        raise ValueError(
            f"{name}: can take {np.max(largest):g} units, expected at most {most_units(projects):,}: "
            "measure effort in larger units, or set upper limits"
        )
    return whole(float(np.max(largest)))
