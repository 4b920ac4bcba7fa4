"""Rules where several resources are scarce: levels, how many are funded, and who needs whom.

The search over several resources takes any table of allowed levels, so that the rules of single projects are
where that is −∞. Those of several are kept by branching on who is funded.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from engine.allocation.bet import Beside
from engine.allocation.resourced import LEAST_UNITS, PARTS, Asked, ResourceBet, check_resources
from engine.allocation.running import Program, batched, program, round_size
from engine.resources.branching import MOST_BOXES, OPEN_BOXES, solve_table
from engine.resources.exact import judge, units_of
from engine.resources.resources import Resourced, normalise_resourced
from engine.rules.branching import branched, decidable
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
        raise ValueError("the budgets do not keep the rules together with the bounds of projects")
    beside: dict[str, Beside] = {}
    for name, less in ruled.rules() if prices else ():
        value = optimum(less, budgets, units).value
        beside[f"without {name}"] = Beside(
            np.asarray(value), np.asarray(value - solution.value), np.zeros(np.shape(value))
        )
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
    loose = scattered(ruled)
    batch = budgets.shape[:-1]
    flat = jax.tree.map(lambda a: a.reshape(-1, *a.shape[len(batch) :]), decidable(ruled))
    size = round_size(ruled.portfolio, 4 * (OPEN_BOXES + units))
    found = []
    for place, amounts in enumerate(budgets.reshape(-1, budgets.shape[-1])):
        one = jax.tree.map(lambda a, place=place: a[place], flat)

        def solve(part: Ruled, amounts: np.ndarray = amounts) -> Solution:
            bare = dataclasses.replace(part, portfolio=dataclasses.replace(part.portfolio, names=()))
            return batched(compiled(units), Asked(bare, amounts), np.asarray(float(MOST_BOXES)), size)

        found.append(branched(one, loose, solve))
    together = jax.tree.map(lambda *parts: np.stack(parts), *found)
    return jax.tree.map(lambda a: a.reshape(batch + a.shape[1:]), together)


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
