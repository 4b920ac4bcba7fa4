"""The optimum of every budget of one portfolio, computed; see `engine.allocation.budget_curve`."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_dataclass
from jaxtyping import Array, Bool, Float, Int

from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio
from engine.solvers.greedy import greedy_path
from engine.solvers.lattice import MOST_STATES, NO_LATTICE, Lattice
from engine.solvers.programme import Programme, programme
from engine.solvers.responses import Scalar, unit_bounds
from engine.solvers.rounding import budget_slack, value_error
from engine.solvers.shadow import shadow_prices, up_to, whole_piece
from engine.solvers.solution import Status
from engine.solvers.waterfilling import waterfilling

Budgets = Float[Array, " budgets"]


@register_dataclass
@dataclass(frozen=True)
class Optima:
    """What is computed of every budget, under jit; see `BudgetCurve`."""

    budget: Budgets
    value: Budgets
    spent: Budgets
    effort: Float[Array, "budgets projects"]
    marginal: Budgets
    price: Budgets
    price_left: Budgets
    proved: Bool[Array, " budgets"]
    status: Int[Array, " budgets"]


def budget_steps(lattice: Lattice) -> np.ndarray:
    """The budgets of the lattice, 0, s, 2s, …, without the rounding of a product."""
    grid = np.arange(lattice.states + 1) * lattice.step
    return np.round(grid, 15 - len(str(math.ceil(grid[-1]))))


def along_path(portfolio: Portfolio, lattice: Lattice) -> Optima:
    """One greedy run, which is every budget's optimum: diminishing portfolios at equal costs."""
    bought, gains, least = _path(portfolio, lattice)
    index = _purchases_within(lattice, least)
    effort = least[None] + bought[jnp.clip(index, 0, lattice.purchases)]
    slopes = (
        jnp.where(index[1:] > lattice.purchases, 0.0, gains[jnp.clip(index[:-1], 0, None)]) / lattice.step
    )
    budgets = jnp.asarray(budget_steps(lattice), portfolio.dtype)
    after = whole_piece(portfolio, up_to(budgets[-1])).price
    return _describe(portfolio, budgets, effort, slopes, jnp.append(slopes, after), jnp.asarray(True))


def along_programme(portfolio: Portfolio, lattice: Lattice) -> Optima:
    """One dynamic programme: any curves and costs."""
    solved = programme(portfolio, lattice)
    value = solved.before[-1]
    # The least state of the same value: what earns nothing is not spent.
    enough = jnp.searchsorted(value, value - value_error(portfolio.shape[-1], value)).astype(jnp.int32)
    effort = read_back_all(solved, enough)
    least, _ = unit_bounds(portfolio, _largest(lattice, portfolio), lattice)
    effort = jnp.where(jnp.isfinite(value)[:, None], effort, least[None])
    steps = jnp.diff(value) / lattice.step
    budgets = jnp.asarray(budget_steps(lattice), portfolio.dtype)
    # The majorant's corners within the largest budget are on the lattice; the next one beyond is what the
    # budgets after it are worth, however far that is.
    beyond = whole_piece(portfolio, up_to(budgets[-1])).high
    far = jnp.maximum((beyond.spend - budgets[-1]) / lattice.step, 0.0)
    rise = jnp.where(far > 0, (beyond.value - value[-1]) / jnp.where(far > 0, far, 1.0), 0.0) / lattice.step
    widths = jnp.append(jnp.ones_like(steps), jnp.where(far > 0, far, 1.0))
    slopes = majorant_slopes(jnp.append(steps, rise), widths)
    slopes = jnp.where(jnp.any(portfolio.endless()), jnp.inf, slopes)
    proved = jnp.asarray(lattice.holds_costs)
    return _describe(portfolio, budgets, effort, steps, slopes, proved)


def along_water(portfolio: Portfolio, budgets: Budgets) -> Optima:
    """Real effort, budget by budget."""
    solution = jax.vmap(lambda budget: waterfilling(portfolio, budget, NO_LATTICE))(budgets)
    steps = jnp.diff(solution.value) / jnp.diff(budgets)
    slopes = jnp.append(steps, 0.0)
    curve = _describe(portfolio, budgets, solution.effort, steps, slopes, jnp.asarray(True))
    right, left = jax.vmap(lambda budget: shadow_prices(portfolio, budget, real=True))(budgets)
    solved = solution.status == Status.SOLVED
    return dataclasses.replace(
        curve,
        price=jnp.where(solved, right, jnp.nan),
        price_left=jnp.where(solved, left, jnp.nan),
        proved=solution.proved,
        status=solution.status,
    )


def values_of(portfolio: Portfolio, nested: bool, lattice: Lattice) -> Budgets:
    """V(b) along the lattice; minus infinity where the budget does not cover the lower limits."""
    if not nested:
        return programme(portfolio, lattice).before[-1]
    _, gains, least = _path(portfolio, lattice)
    values = portfolio.value(least) + jnp.concatenate([jnp.zeros(1, portfolio.dtype), jnp.cumsum(gains)])
    index = _purchases_within(lattice, least)
    return jnp.where(index >= 0, values[jnp.clip(index, 0, lattice.purchases)], -jnp.inf)


def _path(
    portfolio: Portfolio, lattice: Lattice
) -> tuple[Float[Array, "purchases1 projects"], Array, Vector]:
    """(units bought by each purchase so far, gains, the lower limits in whole units)."""
    budget = _largest(lattice, portfolio)
    least, _ = unit_bounds(portfolio, budget, lattice)
    path = greedy_path(portfolio, budget, lattice)
    one_each = jax.nn.one_hot(path.project, portfolio.shape[-1], dtype=portfolio.dtype)
    bought = jnp.concatenate([jnp.zeros_like(least)[None], jnp.cumsum(one_each, axis=0)])
    gains = jnp.concatenate([path.gain, jnp.zeros(1, portfolio.dtype)])
    return bought, gains, least


def _purchases_within(lattice: Lattice, least: Vector) -> Int[Array, " budgets"]:
    """How many purchases each budget affords after the lower limits, at one step each."""
    states = jnp.arange(lattice.states + 1, dtype=jnp.int32)
    return states - jnp.minimum(jnp.sum(least), float(2 * MOST_STATES)).astype(jnp.int32)


def _largest(lattice: Lattice, portfolio: Portfolio) -> Scalar:
    return jnp.asarray(lattice.states * lattice.step, portfolio.dtype)


def read_back_all(solved: Programme, states: Int[Array, " budgets"]) -> Float[Array, "budgets projects"]:
    """The optimal effort within each of these budget steps.

    The best level of a project depends on the state alone, so one pass over its levels decides it for all
    states, and every budget follows its own states down.
    """
    size = solved.before.shape[1]
    nothing = jnp.full(size, -jnp.inf, solved.before.dtype)

    def project(state: Array, row: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        before, steps, returns = row
        padded = jnp.concatenate([nothing, before])

        def level(k: Array, best: tuple[Array, Array]) -> tuple[Array, Array]:
            total, chosen = best
            start = jnp.maximum(size - steps[k], 0)
            other = jax.lax.dynamic_slice(padded, (start,), (size,)) + returns[k]
            return jnp.maximum(total, other), jnp.where(other > total, k, chosen)

        start = nothing, jnp.zeros(size, jnp.int32)
        units = jax.lax.fori_loop(0, steps.size, level, start)[1][state]
        return jnp.maximum(state - steps[units], 0), units.astype(returns.dtype)

    rows = (solved.before[:-1], solved.steps, solved.table)
    return jax.lax.scan(project, states, rows, reverse=True)[1].T


def majorant_slopes(
    steps: Float[Array, " steps"], widths: Float[Array, " steps"] | None = None
) -> Float[Array, " steps"]:
    """The slopes of the least concave majorant of a function with these slopes, each over a width, 1 unless
    given; of widths other than 1 there may be one, the last.

    They are the decreasing regression of the slopes: neighbours that rise are pooled into their mean.
    Each of the 2·size turns pools the last two blocks or begins another one.
    """
    widths = jnp.ones_like(steps) if widths is None else widths
    size = steps.size
    if size == 0:
        return steps

    def turn(_: int, state: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        taken, top, sums, counts = state
        last, other = jnp.maximum(top - 1, 0), jnp.maximum(top - 2, 0)
        rises = (top >= 2) & (sums[last] / counts[last] >= sums[other] / counts[other])
        begins = ~rises & (taken < size)
        step, width = (each[jnp.minimum(taken, size - 1)] for each in (steps, widths))
        at = jnp.where(rises, other, jnp.minimum(top, size - 1))
        total = jnp.where(rises, sums[other] + sums[last], jnp.where(begins, step * width, sums[at]))
        count = jnp.where(rises, counts[other] + counts[last], jnp.where(begins, width, counts[at]))
        moved = begins.astype(jnp.int32)
        return (
            taken + moved,
            top + moved - rises.astype(jnp.int32),
            sums.at[at].set(total),
            counts.at[at].set(count),
        )

    begin = jnp.int32(0), jnp.int32(0), jnp.zeros_like(steps), jnp.ones_like(steps)
    _, top, sums, counts = jax.lax.fori_loop(0, 2 * size, turn, begin)
    blocks = jnp.arange(size, dtype=jnp.int32)
    ends = jnp.cumsum(jnp.where(blocks < top, counts, float(size)))
    block = jnp.searchsorted(ends, blocks.astype(steps.dtype), side="right")
    return (sums / counts)[block]


def _describe(
    portfolio: Portfolio,
    budgets: Budgets,
    effort: Float[Array, "budgets projects"],
    steps: Float[Array, " steps"],
    slopes: Budgets,
    proved: Bool[Array, ""],
) -> Optima:
    """The budget curve of these allocations, with the returns of the steps between, and the slopes of the
    concave majorant to the right of every budget."""
    spent = jax.vmap(portfolio.spend)(effort)
    values = jax.vmap(portfolio.value)(effort)
    feasible = spent <= budgets + jax.vmap(budget_slack)(budgets)
    best = jax.lax.cummax(jnp.where(feasible, values, -jnp.inf))  # a sum in another order may fall by an ulp
    status = jnp.where(
        feasible, jnp.where(jnp.isfinite(best), Status.SOLVED, Status.NOT_FINITE), Status.INFEASIBLE
    )
    solved = status == Status.SOLVED

    def known(numbers: Array, where: Array) -> Array:
        return jnp.where(where, numbers, jnp.nan)

    end = jnp.full(1, jnp.nan, portfolio.dtype)
    after = solved[:-1] & solved[1:]
    return Optima(
        budget=budgets,
        value=known(best, solved),
        spent=known(spent, solved),
        effort=known(effort, solved[:, None]),
        marginal=known(jnp.append(steps, jnp.nan), jnp.append(after, False)),
        price=known(slopes, solved),
        price_left=known(jnp.append(end, slopes[:-1]), jnp.append(False, after)),
        proved=proved & solved,
        status=status.astype(jnp.int32),
    )
