"""Rules where several resources are scarce: levels, how many are funded, and who needs whom.

The search over several resources takes any table of allowed levels, so that the rules of single projects are
where that is −∞. Those of several are kept by branching on who is funded.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax.numpy as jnp
import numpy as np

from engine.allocation.bet import Beside
from engine.allocation.resourced import LEAST_UNITS, PARTS, Asked, ResourceBet, check_resources
from engine.allocation.running import Program, batched, one_after_another, program, round_size
from engine.resources.branching import MOST_BOXES, OPEN_BOXES, solve_table
from engine.resources.exact import judge, units_of
from engine.resources.resources import Resourced, normalise_resourced
from engine.rules.branching import branched
from engine.rules.levels import allowed
from engine.rules.ruled import Ruled
from engine.rules.tree import scattered
from engine.solvers.lattice import round_up
from engine.solvers.responses import Scalar
from engine.solvers.solution import Solution, Status


def place_ruled_resources(ruled: Ruled, budget: Any, *, prices: bool) -> ResourceBet:
    """Place the budgets of several resources over a normalised portfolio with rules; see `place_ruled`."""
    assert ruled.usage is not None
    uses = normalise_resourced(Resourced(ruled.portfolio, ruled.usage, ruled.resources), np.dtype(np.float64))
    budgets = check_resources(budget, uses.resources, uses.shape[:-1])
    units = max(int(round_up(max(units_of(uses, budgets), 1), PARTS)), LEAST_UNITS)
    solution = optimum(ruled, budgets, units)
    if not ruled.shape[:-1] and int(solution.status) == Status.INFEASIBLE:
        raise ValueError("the budgets do not keep the rules together with the limits of projects")
    rules = ruled.rules() if prices else ()
    beside = {f"without {name}": against(optimum(less, budgets, units), solution) for name, less in rules}
    return ResourceBet(
        budget=budgets,
        solution=solution,
        places=tuple((name,) for name in ruled.labels),
        how="total return with rules, branch and bound",
        beside=beside,
        resources=uses.resources,
    )


def optimum(ruled: Ruled, budgets: np.ndarray, units: int) -> Solution:
    """The optimum of one portfolio, or of each of a batch."""
    loose, size = scattered(ruled), round_size(ruled.portfolio, 4 * (OPEN_BOXES + units))

    def search(one: Ruled, amounts: np.ndarray) -> Solution:
        def solve(part: Ruled) -> Solution:
            bare = dataclasses.replace(part, portfolio=dataclasses.replace(part.portfolio, names=()))
            return batched(compiled(units), Asked(bare, amounts), np.asarray(float(MOST_BOXES)), size)

        return branched(one, loose, solve)

    return one_after_another(search, ruled, budgets, budgets.ndim - 1)


def against(other: Solution, solution: Solution) -> Beside:
    """Another optimum beside a solution."""
    value: Any = other.value
    return Beside(value, value - solution.value, np.zeros_like(value))


@functools.lru_cache(maxsize=64)
def compiled(units: int) -> Program[Solution]:
    """The compiled search for tables of so many units."""

    def run(asked: Asked, limit: Scalar) -> Solution:
        ruled, portfolio = asked.given, asked.given.portfolio
        table = portfolio.table(units)
        masked = jnp.where(allowed(ruled, units).T, table, -jnp.inf)
        usage: Any = ruled.usage
        found = solve_table(masked, usage, asked.budgets, limit.astype(jnp.int32))
        overflows = jnp.any(jnp.isnan(table) | (table == jnp.inf))
        return judge(Resourced(portfolio, usage, ruled.resources), found, overflows)

    return program(run)
