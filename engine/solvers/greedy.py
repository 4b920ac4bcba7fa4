"""Greedy: unit by unit to the project with the largest marginal gain per unit of budget.

Exact for concave curves at unit cost (Gross 1956; Fox 1966), since the gains it picks are the largest
ones there are. On other curves it is the myopic baseline: a plateau has no first gain, so it never
crosses one. Ties go to the lowest index. A unit is bought only if it gains anything and fits the budget;
what does not fit is skipped, so the rest of the budget goes on to cheaper units.

Cost: one gain per unit bought, plus O(projects) per unit to find the largest.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio
from engine.solvers.dual import integer_dual
from engine.solvers.lattice import Lattice
from engine.solvers.responses import Scalar, unit_bounds, unit_response
from engine.solvers.rounding import budget_slack, least_positive
from engine.solvers.solution import Solution, conclude

Marginal = Literal["gain", "slope"]


class State(NamedTuple):
    """Where a greedy run stands: units bought, the density of each next unit, the budget spent."""

    effort: Vector
    density: Vector
    spent: Scalar


class Path(NamedTuple):
    """A greedy run unit by unit: it answers every smaller budget at once where costs are equal.

    `project[t]` is the project that got unit t (−1 once nothing more is bought), `spent[t]` and `value[t]`
    the budget used and the total return after it, `gain[t]` what it gained.
    """

    project: Int[Array, " units"]
    gain: Float[Array, " units"]
    spent: Float[Array, " units"]
    value: Float[Array, " units"]


def densities(portfolio: Portfolio, effort: Vector, most: Vector, marginal: Marginal = "gain") -> Vector:
    """Marginal gain (or slope) of the next unit per unit of budget; −∞ where there is no next unit."""
    rise = portfolio.gain(effort) if marginal == "gain" else portfolio.slope(effort)
    density = rise if portfolio.cost is None else rise / portfolio.cost
    return jnp.where(effort < most, density, -jnp.inf)


def begin(portfolio: Portfolio, effort: Vector, most: Vector, marginal: Marginal = "gain") -> State:
    """The state of a greedy run that continues from this effort."""
    return State(effort, densities(portfolio, effort, most, marginal), portfolio.spend(effort))


def affordable(portfolio: Portfolio, state: State, budget: Scalar) -> Vector:
    """The densities of those next units that still fit the budget."""
    limit = budget + budget_slack(budget)
    cost = 1.0 if portfolio.cost is None else portfolio.cost
    return jnp.where(state.spent + cost <= limit, state.density, -jnp.inf)


def buy(
    portfolio: Portfolio, state: State, budget: Scalar, most: Vector, marginal: Marginal = "gain"
) -> tuple[State, Int[Array, ""]]:
    """Buy the best next unit that fits; also says which project got it, −1 for none."""
    if portfolio.cost is None:  # all next units fit or none does, so no mask over the projects is needed
        best = jnp.argmax(state.density).astype(jnp.int32)
        cost = jnp.ones((), portfolio.dtype)
    else:
        best = jnp.argmax(affordable(portfolio, state, budget)).astype(jnp.int32)
        cost = portfolio.cost[best]
    fits = state.spent + cost <= budget + budget_slack(budget)
    bought = fits & (state.density[best] > 0)
    units = state.effort[best] + bought.astype(state.effort.dtype)
    next_density = densities(portfolio.project(best), units[None], most[best][None], marginal)[0]
    moved = State(
        state.effort.at[best].set(units),
        state.density.at[best].set(jnp.where(bought, next_density, state.density[best])),
        state.spent + jnp.where(bought, cost, 0.0),
    )
    return moved, jnp.where(bought, best, -1)


def fill(
    portfolio: Portfolio, budget: Scalar, effort: Vector, most: Vector, units: int | None = None
) -> Vector:
    """Spend what is left of the budget greedily, starting from this effort; at most so many units of it."""

    def step(carry: tuple[State, Array, Array]) -> tuple[State, Array, Array]:
        state, project = buy(portfolio, carry[0], budget, most)
        return state, project >= 0, carry[2] + 1

    def going(carry: tuple[State, Array, Array]) -> Array:
        return carry[1] if units is None else carry[1] & (carry[2] < units)

    start = begin(portfolio, effort, most), jnp.asarray(True), jnp.int32(0)
    return jax.lax.while_loop(going, step, start)[0].effort


def greedy_effort(
    portfolio: Portfolio, budget: Scalar, lattice: Lattice, marginal: Marginal = "gain"
) -> Vector:
    """The greedy allocation."""
    least, most = unit_bounds(portfolio, budget, lattice)

    def step(_: int, state: State) -> State:
        return buy(portfolio, state, budget, most, marginal)[0]

    return jax.lax.fori_loop(0, lattice.purchases, step, begin(portfolio, least, most, marginal)).effort


def greedy_path(
    portfolio: Portfolio, budget: Scalar, lattice: Lattice, *, marginal: Marginal = "gain"
) -> Path:
    """The greedy run unit by unit: one pass, nested in the budget where costs are equal."""
    least, most = unit_bounds(portfolio, budget, lattice)

    def step(state: State, _: None) -> tuple[State, tuple[Array, Array, Array]]:
        after, project = buy(portfolio, state, budget, most, marginal)
        return after, (project, state.effort[project], after.spent)

    start = begin(portfolio, least, most, marginal)
    _, (project, before, spent) = jax.lax.scan(step, start, None, length=lattice.purchases)

    def gain(index: Array, effort: Scalar) -> Scalar:
        return jnp.where(index >= 0, portfolio.project(jnp.maximum(index, 0)).gain(effort[None])[0], 0.0)

    gains = jax.vmap(gain)(project, before)
    return Path(project, gains, spent, portfolio.value(least) + jnp.cumsum(gains))


def greedy(
    portfolio: Portfolio, budget: Scalar, lattice: Lattice, *, marginal: Marginal = "gain"
) -> Solution:
    """Allocate greedily by `marginal`: the exact discrete `gain`, or the textbook's `slope` before it."""
    effort = greedy_effort(portfolio, budget, lattice, marginal)
    if portfolio.diminishing and marginal == "gain":
        return certify(portfolio, budget, effort, lattice)
    dual = integer_dual(portfolio, budget, lattice)
    return conclude(portfolio, budget, effort, dual.price, dual.bound)


def certify(portfolio: Portfolio, budget: Scalar, effort: Vector, lattice: Lattice) -> Solution:
    """The solution that a finished greedy effort is, for diminishing portfolios.

    The densest unit left unbought is where the budget broke, so its density is the dual's own minimiser
    (Dantzig 1957): one evaluation of the bound, no search.
    """
    most = jnp.floor(portfolio.uppers())
    price = jnp.maximum(jnp.max(densities(portfolio, effort, most)), 0.0)
    tiny = least_positive(portfolio.dtype)
    response = unit_response(portfolio, budget, lattice)(jnp.maximum(price, tiny))
    bound = jnp.sum(response.payoff) + jnp.maximum(price, tiny) * budget
    return conclude(portfolio, budget, effort, price, bound)
