"""Whole units where effort spills over: greedy unit by unit, moves of units while V rises, enumeration.

Each is a function of one `Coupled`. A unit more on project j returns Σ_i [r_i(y_i + A_ij) − r_i(y_i)], from
increments computed without cancellation.
"""

from __future__ import annotations

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from engine.bets.spillover import Coupled
from engine.model.curves.base import Vector
from engine.solvers.relaxation import Box
from engine.solvers.responses import Scalar
from engine.solvers.rounding import COUNTED, budget_slack, number_error, whole

# Plans are enumerated up to so many, and looked at so many at once.
MOST_PLANS, PLANS_AT_ONCE = 2_000_000, 4096
# Moves of units end after so many a project: V rises with each, so they end in any case.
MOST_MOVES = 50
# Units that one move takes from a project, or gives to it.
MOVED = (1.0, 2.0, 4.0)


def in_whole_bounds(coupled: Coupled) -> Coupled:
    """With the whole units within the bounds as bounds."""
    given = coupled.portfolio
    lower = None if given.lower is None else jnp.ceil(given.lower)
    upper = None if given.upper is None else jnp.floor(given.upper)
    return replace(coupled, portfolio=replace(given, lower=lower, upper=upper))


def spare(box: Box, effort: Vector) -> Scalar:
    """The budget that is left, and what rounding of the costs may have taken of it."""
    return box.budget + budget_slack(box.budget) - jnp.sum(box.costs * effort)


def greedy(coupled: Coupled, box: Box, effort: Vector) -> Vector:
    """Buy units one by one, each time that of the largest rise of V per cost, as long as V rises; from this
    effort on. Where costs are equal, the plan of a smaller budget is a part of that of a larger one."""

    def densities(effort: Vector) -> Vector:
        fits = (effort + 1.0 <= most) & (box.costs <= spare(box, effort))
        return jnp.where(fits, coupled.gain(effort) / box.costs, -jnp.inf)

    def buy(state: tuple[Vector, Vector]) -> tuple[Vector, Vector]:
        effort, density = state
        effort = effort.at[jnp.argmax(density)].add(1.0)
        return effort, densities(effort)

    most = coupled.portfolio.uppers()
    start = effort, densities(effort)
    return jax.lax.while_loop(lambda state: jnp.max(state[1]) > 0, buy, start)[0]


def improve(coupled: Coupled, box: Box, effort: Vector) -> Vector:
    """Move one, two or four units from one project to another, or buy some, each time what raises V most, as
    long as V rises by more than rounding."""
    portfolio, shares, projects = coupled.portfolio, coupled.shares(), effort.size
    least, most = portfolio.lowers(), portfolio.uppers()
    sizes = jnp.asarray(MOVED, effort.dtype)
    # What is taken: nothing, or some units of one project. What is given: some units of one.
    units = jnp.kron(sizes[:, None], jnp.eye(projects, dtype=effort.dtype))
    taken = jnp.concatenate([jnp.zeros((1, projects), effort.dtype), units])
    flows = units @ shares.T

    def best_of_one(effort: Vector, take: Vector) -> tuple[Scalar, Vector]:
        fewer = effort - take
        received, left = coupled.received(fewer), spare(box, fewer)
        values = jax.vmap(lambda flow: portfolio.value(received + flow))(flows)
        within = jnp.all((fewer[None] + units <= most[None]) & (fewer >= least)[None], axis=1)
        values = jnp.where(within & (units @ box.costs <= left), values, -jnp.inf)
        at = jnp.argmax(values)
        return values[at], fewer + units[at]

    def move(state: tuple[Vector, Scalar, Array, Array]) -> tuple[Vector, Scalar, Array, Array]:
        effort, value, _, moves = state
        values, efforts = jax.lax.map(lambda take: best_of_one(effort, take), taken)
        at = jnp.argmax(values)
        rises = values[at] > value + number_error(jnp.sum(jnp.abs(coupled.returns(effort))))
        effort, value = jnp.where(rises, efforts[at], effort), jnp.where(rises, values[at], value)
        return effort, value, rises, moves + 1

    def unfinished(state: tuple[Vector, Scalar, Array, Array]) -> Array:
        return state[2] & (state[3] < MOST_MOVES * projects)

    start = effort, coupled.value(effort), jnp.asarray(True), jnp.int32(0)
    return jax.lax.while_loop(unfinished, move, start)[0]


def whole_units(coupled: Coupled, box: Box, effort: Vector) -> Vector:
    """Real effort rounded down, filled up greedily, then improved."""
    down = jnp.clip(jnp.floor(effort), box.least, box.most)
    return improve(coupled, box, greedy(coupled, box, down))


def count_plans(budget: float, costs: np.ndarray, least: np.ndarray, most: np.ndarray) -> int:
    """At least as many plans as there are: those that spend no more than the budget, up to a limit that is
    never passed."""
    room = budget - float(np.sum(costs * least))
    choices = [whole(min(m - a, room / c)) + 1 for c, a, m in zip(costs, least, most, strict=True)]
    box = math.prod(max(count, 0) for count in choices)
    units = whole(max(room, 0.0) / float(np.min(costs)))
    return min(box, math.comb(units + len(choices), len(choices)))


def plans(
    budget: float, costs: np.ndarray, least: np.ndarray, most: np.ndarray
) -> Float[np.ndarray, "plans projects"]:
    """Every plan of whole units within the budget and the bounds.

    **Raises:** `ValueError` where there are more than the limit.
    """
    count = count_plans(budget, costs, least, most)
    if count > MOST_PLANS:
        raise ValueError(
            f"enumeration would look at up to {count:.3g} plans, more than its limit of {MOST_PLANS:,}: "
            "expected a smaller budget, tighter bounds, or another solver"
        )
    limit = budget * (1.0 + COUNTED)
    found, spent = np.zeros((1, 0)), np.zeros(1)
    later = [float(np.sum((costs * least)[project + 1 :])) for project in range(costs.size)]
    for project, reserve in enumerate(later):
        room = (limit - spent - reserve) / costs[project]
        highest = np.floor(np.minimum(room, most[project]) * (1.0 + COUNTED))
        counts = np.maximum(highest - least[project] + 1, 0).astype(int)
        parent = np.repeat(np.arange(counts.size), counts)
        offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        units = least[project] + offsets
        found = np.concatenate([found[parent], units[:, None]], axis=1)
        spent = spent[parent] + costs[project] * units
    return found


def best_plan(coupled: Coupled, box: Box, plans: Float[Array, "plans projects"]) -> Vector:
    """The plan that returns most of those given which the budget and the bounds allow."""
    count, projects = plans.shape
    least, most = coupled.portfolio.lowers(), coupled.portfolio.uppers()
    rounds = -(-count // PLANS_AT_ONCE)
    padded = plans[jnp.minimum(jnp.arange(rounds * PLANS_AT_ONCE), count - 1)]

    def look(best: tuple[Scalar, Vector], some: Array) -> tuple[tuple[Scalar, Vector], None]:
        values = jax.vmap(coupled.value)(some)
        within = jnp.all((some >= least[None]) & (some <= most[None]), axis=1)
        fits = some @ box.costs <= box.budget + budget_slack(box.budget)
        values = jnp.where(within & fits, values, -jnp.inf)
        at = jnp.argmax(values)
        better = values[at] > best[0]
        return (jnp.where(better, values[at], best[0]), jnp.where(better, some[at], best[1])), None

    begin = jnp.asarray(-jnp.inf, coupled.dtype), box.least
    return jax.lax.scan(look, begin, padded.reshape(rounds, PLANS_AT_ONCE, projects))[0][1]
