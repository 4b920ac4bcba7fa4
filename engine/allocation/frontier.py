"""Budget frontier: the optimum of every budget at once, and what the next unit of budget is worth.

    V(b) = max { V(x) : Σ_i c_i x_i ≤ b },   b = 0, s, 2s, …, B

over the budget steps s of the lattice. Diminishing portfolios at equal costs are one greedy run, whose
path is nested and optimal at every length (Gross 1956; Fox 1966): O(N·B). All others are one max-plus
programme, which holds every V(b) when it is done; allocations are read back for all budgets together, one
project at a time: O(N·B²) operations and O(N·B) memory, as the programme itself. Real effort is
water-filled budget by budget.

Two prices of the budget run along it. The *marginal return* is what one step more or less changes,
(V(b) − V(b − s))/s: on staged curves it is nothing for long, then a jump. The *shadow price* is the slope of
the least concave majorant of V, the minimiser of the Lagrangian dual, and differs from it wherever V is
not concave: a price at which spending up to b pays on average over the jump that it stands in. Both have a
left and a right side.

Sources: Ibaraki & Katoh (1988), chapter 3; Ayer, Brunk, Ewing, Reid & Silverman (1955) for the
pool-adjacent-violators algorithm.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_dataclass
from jaxtyping import Array, Bool, Float, Int

from engine.allocation.allocate import MOST_BUDGET, check_batch, check_whole_units, choose_lattice
from engine.allocation.running import batched, round_size
from engine.model.curves.base import Curve, Vector
from engine.model.portfolio import Portfolio
from engine.model.validation import check, normalise
from engine.solvers.greedy import greedy_path
from engine.solvers.lattice import MOST_STATES, NO_LATTICE, Lattice
from engine.solvers.programme import Programme, programme
from engine.solvers.registry import SOLVERS
from engine.solvers.responses import Scalar, unit_bounds
from engine.solvers.rounding import budget_slack, value_error
from engine.solvers.solution import INFEASIBLE, NOT_FINITE, SOLVED
from engine.solvers.waterfilling import waterfilling

Budgets = Float[Array, " budgets"]


@register_dataclass
@dataclass(frozen=True)
class Frontier:
    """The optimum of every budget; arrays [..., budgets] but for the one grid of budgets.

    - `budget`: the budgets, increasing.
    - `value`: the optimum V(b); NaN where the budget does not cover the lower bounds.
    - `spent`: what the allocation uses of it. Nothing is spent that earns nothing.
    - `effort`: [..., budgets, projects], the optimal effort.
    - `marginal`: (V(b) − V(b'))/(b − b') over the step from the budget b' before: the discrete marginal
      return on the left; the one on the right is the next entry. NaN at the first budget.
    - `price_left`, `price_right`: the shadow price on either side, the slopes of the concave majorant of V
      over the budgets given. Equal for real effort, where V is smooth. NaN where there is no such side:
      before the first budget and, for whole units, after the last.
    - `proved`: whether the value is the optimum beyond doubt. Costs without a common unit are rounded up to
      the lattice: values are then lower bounds of the optimum, and none is proved.
    - `status`: as in `Solution`.
    """

    budget: Budgets
    value: Budgets
    spent: Budgets
    effort: Float[Array, "budgets projects"]
    marginal: Budgets
    price_left: Budgets
    price_right: Budgets
    proved: Bool[Array, " budgets"]
    status: Int[Array, " budgets"]

    @property
    def unspent(self) -> Budgets:
        """Budget that no effort within the bounds could put to use."""
        return np.maximum(self.budget - self.spent, 0.0)  # type: ignore[return-value]


def budget_frontier(
    portfolio: Portfolio | Curve, budget: float | np.ndarray, solver: str = "exact"
) -> Frontier:
    """The optimum of every budget from 0 to `budget`, in one call, for one portfolio or a batch.

    **Arguments:** `portfolio` of arrays [..., projects]; `budget`, the largest budget, common to the batch.
    With `solver="exact"`, whole units, every step of the lattice is a budget: 1 where costs are whole. With
    `solver="waterfilling"`, real effort, `budget` may be a grid of increasing budgets instead; a number is
    the grid 0, 1, …, ⌊budget⌋. It is exact for concave portfolios, and `proved` says where.

    **Raises:** `ValueError` naming what cannot be.
    """
    portfolio = checked(portfolio, solver)
    shared: tuple[np.ndarray, ...] = ()
    if SOLVERS[solver].effort == "real":
        grid = _check_grid(budget).astype(portfolio.dtype)
        run, shared, entries = _compiled_water(), (grid,), 40 * grid.size
    else:
        nested, lattice = choose_method(terms_of(portfolio), check_number(budget))
        grid, run = budget_steps(lattice), _compiled_frontier(nested, lattice)
        entries = lattice.units + 6 * lattice.states + 64
    numbers = np.zeros(portfolio.shape[:-1], portfolio.dtype)
    frontier = batched(run, portfolio, numbers, round_size(portfolio, entries), shared)
    return dataclasses.replace(frontier, budget=grid.astype(portfolio.dtype))  # type: ignore[arg-type]


# The border.


def checked(portfolio: Portfolio | Curve, solver: str) -> Portfolio:
    """The portfolio, normalised, or a `ValueError` that names what is wrong with it or the solver."""
    known = [name for name, method in SOLVERS.items() if method.frontier]
    if solver not in known:
        raise ValueError(f"solver is {solver!r}, expected one of {', '.join(known)}")
    portfolio = normalise(portfolio)
    check(portfolio)
    check_batch(portfolio)
    if SOLVERS[solver].counts:
        check_whole_units(portfolio)
    return portfolio


def check_number(budget: Any) -> float:
    """The largest budget, or a `ValueError` that says what it is instead."""
    try:
        number = float(budget)
    except (TypeError, ValueError):
        raise ValueError(f"budget is {budget!r}, expected one number, the largest budget") from None
    if not 0 <= number <= MOST_BUDGET:
        raise ValueError(f"budget is {number:g}, expected a number from 0 to {MOST_BUDGET:g}")
    return number


def _check_grid(budget: Any) -> np.ndarray:
    """The grid of budgets of real effort."""
    if np.ndim(budget) == 0:
        most = math.floor(check_number(budget))
        if most > MOST_STATES:
            raise ValueError(f"budget is {most:g}, expected at most {MOST_STATES:,}, or a grid of budgets")
        return np.arange(most + 1.0)
    try:
        grid = np.asarray(budget, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"budget is {budget!r}, expected a number or a list of increasing numbers") from None
    if grid.ndim != 1 or grid.size == 0 or not np.all(np.diff(grid) > 0):
        raise ValueError("budget is not a list of increasing numbers, expected one, or one number")
    check_number(grid[0])
    check_number(grid[-1])
    return grid


# The lattice and the method.


class Terms(NamedTuple):
    """What the choice of method and lattice depends on, besides the budget."""

    diminishing: bool
    projects: int
    costs: np.ndarray | None
    upper: float


def terms_of(portfolio: Portfolio) -> Terms:
    """What of a portfolio decides how its frontier is computed."""
    costs = None if portfolio.cost is None else np.unique(portfolio.cost)
    upper = math.inf if portfolio.upper is None else float(np.max(portfolio.upper))
    return Terms(portfolio.diminishing, portfolio.shape[-1], costs, upper)


def choose_method(terms: Terms, budget: float) -> tuple[bool, Lattice]:
    """Whether greedy is optimal and nested, and the lattice; equal costs are its step, whatever they are."""
    equal = terms.costs is None or terms.costs.size == 1
    nested = equal and terms.diminishing
    method = "greedy" if nested else "exact"
    lattice = choose_lattice([method], budget, terms.projects, terms.costs, terms.upper)
    return nested, lattice


def budget_steps(lattice: Lattice) -> np.ndarray:
    """The budgets of the lattice, 0, s, 2s, …, without the rounding of a product."""
    grid = np.arange(lattice.states + 1) * lattice.step
    return np.round(grid, 15 - len(str(math.ceil(grid[-1]))))


# The frontier of one portfolio.


@functools.lru_cache(maxsize=64)
def _compiled_frontier(nested: bool, lattice: Lattice) -> Callable[..., Frontier]:
    along = along_path if nested else along_programme
    return jax.jit(jax.vmap(lambda portfolio, _: along(portfolio, lattice)))


@functools.lru_cache(maxsize=1)
def _compiled_water() -> Callable[..., Frontier]:
    return jax.jit(jax.vmap(lambda portfolio, _, grid: along_water(portfolio, grid), in_axes=(0, 0, None)))


def along_path(portfolio: Portfolio, lattice: Lattice) -> Frontier:
    """One greedy run, which is every budget's optimum: diminishing portfolios at equal costs."""
    bought, gains, least = _path(portfolio, lattice)
    index = _purchases_within(lattice, least)
    effort = least[None] + bought[jnp.clip(index, 0, lattice.purchases)]
    slopes = (
        jnp.where(index[1:] > lattice.purchases, 0.0, gains[jnp.clip(index[:-1], 0, None)]) / lattice.step
    )
    budgets = jnp.asarray(budget_steps(lattice), portfolio.dtype)
    return _describe(portfolio, budgets, effort, slopes, slopes, jnp.asarray(True))


def along_programme(portfolio: Portfolio, lattice: Lattice) -> Frontier:
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
    proved = jnp.asarray(lattice.holds_costs)
    return _describe(portfolio, budgets, effort, steps, majorant_slopes(steps), proved)


def along_water(portfolio: Portfolio, budgets: Budgets) -> Frontier:
    """Real effort, budget by budget; its price is the water level, the same on both sides."""
    solution = jax.vmap(lambda budget: waterfilling(portfolio, budget, NO_LATTICE))(budgets)
    steps = jnp.diff(solution.value) / jnp.diff(budgets)
    frontier = _describe(portfolio, budgets, solution.effort, steps, steps, jnp.asarray(True))
    price = jnp.where(solution.status == SOLVED, solution.price, jnp.nan)
    return dataclasses.replace(
        frontier,
        price_left=price,
        price_right=price,
        proved=solution.proved,
        status=solution.status,
    )


def values_of(portfolio: Portfolio, nested: bool, lattice: Lattice) -> Budgets:
    """V(b) along the lattice; minus infinity where the budget does not cover the lower bounds."""
    if not nested:
        return programme(portfolio, lattice).before[-1]
    _, gains, least = _path(portfolio, lattice)
    values = portfolio.value(least) + jnp.concatenate([jnp.zeros(1, portfolio.dtype), jnp.cumsum(gains)])
    index = _purchases_within(lattice, least)
    return jnp.where(index >= 0, values[jnp.clip(index, 0, lattice.purchases)], -jnp.inf)


def _path(
    portfolio: Portfolio, lattice: Lattice
) -> tuple[Float[Array, "purchases1 projects"], Array, Vector]:
    """(units bought by each purchase so far, gains, the lower bounds in whole units)."""
    budget = _largest(lattice, portfolio)
    least, _ = unit_bounds(portfolio, budget, lattice)
    path = greedy_path(portfolio, budget, lattice)
    one_each = jax.nn.one_hot(path.project, portfolio.shape[-1], dtype=portfolio.dtype)
    bought = jnp.concatenate([jnp.zeros_like(least)[None], jnp.cumsum(one_each, axis=0)])
    gains = jnp.concatenate([path.gain, jnp.zeros(1, portfolio.dtype)])
    return bought, gains, least


def _purchases_within(lattice: Lattice, least: Vector) -> Int[Array, " budgets"]:
    """How many purchases each budget affords after the lower bounds, at one step each."""
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


def majorant_slopes(steps: Float[Array, " steps"]) -> Float[Array, " steps"]:
    """The slopes of the least concave majorant of a function with these increments.

    They are the decreasing regression of the increments: neighbours that rise are pooled into their mean.
    Each of the 2·size turns pools the last two blocks or begins another one.
    """
    size = steps.size
    if size == 0:
        return steps

    def turn(_: int, state: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        taken, top, sums, counts = state
        last, other = jnp.maximum(top - 1, 0), jnp.maximum(top - 2, 0)
        rises = (top >= 2) & (sums[last] / counts[last] >= sums[other] / counts[other])
        begins = ~rises & (taken < size)
        step = steps[jnp.minimum(taken, size - 1)]
        at = jnp.where(rises, other, jnp.minimum(top, size - 1))
        total = jnp.where(rises, sums[other] + sums[last], jnp.where(begins, step, sums[at]))
        count = jnp.where(rises, counts[other] + counts[last], jnp.where(begins, 1.0, counts[at]))
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
    slopes: Float[Array, " steps"],
    proved: Bool[Array, ""],
) -> Frontier:
    """The frontier of these allocations, with the returns of the steps between and their concave slopes."""
    spent = jax.vmap(portfolio.spend)(effort)
    values = jax.vmap(portfolio.value)(effort)
    feasible = spent <= budgets + jax.vmap(budget_slack)(budgets)
    best = jax.lax.cummax(jnp.where(feasible, values, -jnp.inf))  # a sum in another order may fall by an ulp
    status = jnp.where(feasible, jnp.where(jnp.isfinite(best), SOLVED, NOT_FINITE), INFEASIBLE)
    solved = status == SOLVED

    def known(numbers: Array, where: Array) -> Array:
        return jnp.where(where, numbers, jnp.nan)

    end = jnp.full(1, jnp.nan, portfolio.dtype)
    inner = jnp.concatenate([jnp.zeros(1, bool), solved[:-1] & solved[1:]])
    return Frontier(
        budget=budgets,
        value=known(best, solved),
        spent=known(spent, solved),
        effort=known(effort, solved[:, None]),
        marginal=known(jnp.concatenate([end, steps]), inner),
        price_left=known(jnp.concatenate([end, slopes]), inner),
        price_right=known(jnp.concatenate([slopes, end]), jnp.append(inner[1:], False)),
        proved=proved & solved,
        status=status.astype(jnp.int32),
    )
