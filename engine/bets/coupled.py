"""What a coupled portfolio gets: `greedy`, `relaxation` or `enumeration`, each judged by one bound.

`relaxation` climbs over real effort from many starts (`ascent`), rounds each to whole units, fills up
greedily and moves units while V rises (`whole`). The greedy plan and that of who ignores the coupling begin
there too, so that it returns no less than either. The bound is that of `decoupled`, or the value itself
where every plan was looked at.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from engine.bets import whole
from engine.bets.ascent import ascend, free_numbers, random_starts
from engine.bets.decoupled import upper_bound
from engine.bets.spillover import Coupled
from engine.model.curves.base import Vector
from engine.solvers.relaxation import Box, feasible_set
from engine.solvers.responses import Scalar
from engine.solvers.rounding import budget_slack, steps_error, sum_error
from engine.solvers.solution import Solution, Status


def greedy_effort(coupled: Coupled, budget: Scalar) -> Vector:
    """The greedy plan of whole units, from the lower limits on."""
    coupled = whole.in_whole_bounds(coupled)
    box = feasible_set(coupled.portfolio, budget)
    return whole.greedy(coupled, box, box.least)


def greedy(coupled: Coupled, budget: Scalar, effort: Vector | None = None) -> Solution:
    """Unit by unit, by the largest rise of V per cost; the effort may be known."""
    effort = greedy_effort(coupled, budget) if effort is None else effort
    coupled = whole.in_whole_bounds(coupled)
    box = feasible_set(coupled.portfolio, budget)
    return judge(coupled, box, effort, *upper_bound(coupled, box, effort))


def enumeration(coupled: Coupled, budget: Scalar, plans: Float[Array, "plans projects"]) -> Solution:
    """The best of all plans of whole units; the value is its own bound."""
    coupled = whole.in_whole_bounds(coupled)
    box = feasible_set(coupled.portfolio, budget)
    effort = whole.best_plan(coupled, box, plans)
    value = coupled.value(effort)
    return judge(
        coupled, box, effort, value, sum_error(2 * effort.size, jnp.abs(coupled.returns(effort)).sum())
    )


def relaxation(
    coupled: Coupled,
    budget: Scalar,
    others: Float[Array, "others projects"],
    *,
    starts: int,
    rounding: bool = True,
    tolerance: Scalar | float = 1e-6,
    max_steps: Scalar | int = 300,
) -> Solution:
    """By gradient from many starts, for whole units with `rounding`, for real effort without.

    **Arguments:** `others`, plans that it is to return no less than; `starts`, how many more to climb from;
    `tolerance`, the relative Frank–Wolfe gap at which a climb ends; `max_steps` of each.
    """
    coupled = whole.in_whole_bounds(coupled) if rounding else coupled
    box = feasible_set(coupled.portfolio, budget)
    known = jnp.clip(others, box.least[None], box.most[None])
    free = jnp.concatenate([random_starts(box, starts), jax.vmap(lambda x: free_numbers(box, x))(known)])
    climbs = jax.vmap(lambda z: ascend(coupled.value, coupled.slope, box, z, tolerance, max_steps))(free)
    surest = climbs.effort[jnp.argmin(climbs.value + climbs.gap)]
    if rounding:
        rounded = jax.vmap(lambda x: whole.whole_units(coupled, box, x))(climbs.effort)
        improved = jax.vmap(lambda x: whole.improve(coupled, box, x))(known)
        found = jnp.concatenate([rounded, improved])
    else:
        found = jnp.concatenate([climbs.effort, known])
    effort = best_of(coupled, found)
    bound, slack = upper_bound(coupled, box, surest if coupled.concave else effort)
    return judge(coupled, box, effort, bound, slack)


def best_of(coupled: Coupled, efforts: Float[Array, "efforts projects"]) -> Vector:
    """The effort that returns most."""
    values = jax.vmap(coupled.value)(efforts)
    return efforts[jnp.argmax(jnp.where(jnp.isnan(values), -jnp.inf, values))]


def judge(coupled: Coupled, box: Box, effort: Vector, bound: Scalar, slack: Scalar) -> Solution:
    """The value of an effort, whether the bound proves it, and whether it could be at all."""
    portfolio = coupled.portfolio
    value, spent = coupled.value(effort), portfolio.spend(effort)
    margin = budget_slack(box.budget)
    near = steps_error(effort)
    within = (effort >= portfolio.lowers() - near) & (effort <= portfolio.uppers() + near)
    feasible = jnp.all(within) & (spent <= box.budget + margin)
    finite = jnp.isfinite(value) & jnp.isfinite(bound)
    status = jnp.where(finite, Status.SOLVED, Status.NOT_FINITE)
    status = jnp.where(feasible, status, Status.INFEASIBLE).astype(jnp.int32)
    solved = status == Status.SOLVED
    below = effort < portfolio.uppers()
    return Solution(
        effort=effort,
        value=jnp.where(solved, value, jnp.nan),
        bound=jnp.where(solved, jnp.maximum(bound + slack, value), jnp.nan),
        multiplier=jnp.max(jnp.where(below, coupled.slope(effort) / box.costs, 0.0)),
        spent=spent,
        proved=solved & (bound - value <= slack),
        status=status,
    )
