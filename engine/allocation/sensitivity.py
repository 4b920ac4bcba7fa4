"""Sensitivity: how the optimal value and the optimal real effort change with what they depend on.

    V*(θ, B) = max_x V(x; θ)   subject to  Σ_i c_i x_i ≤ B,  l_i ≤ x_i ≤ u_i

with θ everything in a portfolio: curve parameters, weights, costs, limits and the rest. Both functions carry
a linear rule (`jax.custom_jvp`), so `jax.grad`, `jax.jacfwd`, `jax.jit` and `jax.vmap` work, and
nothing differentiates through the solver's iterations.

- The value by the envelope theorem (Milgrom & Segal 2002): the derivative of the Lagrangian at the optimum,
  its effort and multipliers held fixed. ∂V*/∂B = λ, ∂V*/∂c_i = −λ x_i, ∂V*/∂u_i = f_i' w_i − λ c_i at an
  upper limit that binds, and ∂V/∂θ at x* for all else.
- The effort by implicit differentiation of the conditions of Karush, Kuhn and Tucker (Fiacco 1976),
  f_i'(x_i) w_i = λ c_i and Σ c_i x_i = B: a diagonal plus a rank-one system, solved in closed form over the
  projects strictly within their limits. A project at a limit follows it.

Concave portfolios are solved by water-filling, others by the relaxation. For those this is a statement about
the optimum that was found: valid where it is unique and smooth; at a budget where the best allocation jumps
the value has a kink, the effort no derivative, and what comes back is that of the side that was found.

At a kink of a concave portfolio (a project that reaches or leaves a limit just there) a project at its limit
counts as staying there. Where every project is at a limit, one more unit of budget goes to the project that
earns most with it: the derivative in the budget is the right-hand one, and so is λ.

Cost: one solution, then O(projects) a derivative.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from engine.model.curves.base import Curve, Vector
from engine.model.portfolio import Portfolio
from engine.solvers.lattice import NO_LATTICE
from engine.solvers.relaxation import relaxation
from engine.solvers.responses import Scalar
from engine.solvers.rounding import steps_error
from engine.solvers.waterfilling import waterfilling

# Derivatives take the effort to be optimal: solve as far as rounding allows.
TOLERANCE = 1e-13


def optimal_value(portfolio: Portfolio | Curve, budget: float | Scalar) -> Scalar:
    """V*, the best total return of one portfolio over real effort; differentiable in both arguments.

    **Arguments:** `portfolio` of arrays [projects]; `budget`. Valid numbers, costs above 0 among them,
    are the caller's affair, as under `jax.jit` nothing can be raised; see `engine.allocate` for checks.
    """
    return _value(*_as_arrays(portfolio, budget))


def optimal_effort(portfolio: Portfolio | Curve, budget: float | Scalar) -> Vector:
    """x*, the effort that earns `optimal_value`; differentiable in both arguments."""
    return _optimum(*_as_arrays(portfolio, budget))[0]


def _as_arrays(portfolio: Portfolio | Curve, budget: float | Scalar) -> tuple[Portfolio, Scalar]:
    given = Portfolio(portfolio) if isinstance(portfolio, Curve) else portfolio
    if not isinstance(given, Portfolio):
        raise ValueError(f"expected a Portfolio or curves, got {type(given).__name__}")
    arrays: Portfolio = jax.tree.map(jnp.asarray, given)
    budget = jnp.asarray(budget, arrays.dtype)
    if len(arrays.shape) != 1 or budget.ndim:
        raise ValueError(
            f"expected one portfolio of arrays [projects] and one budget, got shapes {arrays.shape} and "
            f"{budget.shape}: use jax.vmap for a batch"
        )
    return arrays, budget


@jax.custom_jvp
def _optimum(portfolio: Portfolio, budget: Scalar) -> tuple[Vector, Scalar]:
    """(x*, λ)."""
    if portfolio.diminishing:
        solution = waterfilling(portfolio, budget, NO_LATTICE)
        return solution.effort, solution.multiplier
    effort = relaxation(portfolio, budget, NO_LATTICE, rounding=False, tolerance=TOLERANCE).effort
    # The multiplier of this very optimum; the dual's belongs to the concave envelopes.
    slope, costs = portfolio.slope(effort), portfolio.costs()
    free = _responsive(portfolio, budget, effort, slope)
    share = jnp.where(free, costs, 0.0)
    return effort, jnp.sum(jnp.where(free, share * slope, 0.0)) / jnp.maximum(jnp.sum(share * costs), 1e-30)


@_optimum.defjvp
def _optimum_jvp(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    portfolio, budget = primals
    portfolio_dot, budget_dot = tangents
    effort, price = _optimum(portfolio, budget)
    costs, slope = portfolio.costs(), portfolio.slope(effort)
    bend = jax.jvp(portfolio.slope, (effort,), (jnp.ones_like(effort),))[1]
    free = _responsive(portfolio, budget, effort, slope)
    at_lower, at_upper = _bound(portfolio, budget, effort)
    curved = free & (bend < 0)
    pliancy = jnp.where(curved, -1.0 / jnp.where(curved, bend, -1.0), 0.0)  # −1/f''
    # Linear curves share a change equally; nothing is unique there.
    pliancy = jnp.where(jnp.any(curved), pliancy, free.astype(bend.dtype))

    def parts(p: Portfolio) -> tuple[Vector, Vector, Vector, Vector]:
        return p.slope(effort), p.costs(), p.lowers(), p.uppers()

    steeper, dearer, lower_dot, upper_dot = jax.jvp(parts, (portfolio,), (portfolio_dot,))[1]
    steeper = jnp.where(free, steeper, 0.0)
    pushed = jnp.where(at_lower & ~free, lower_dot, 0.0) + jnp.where(at_upper & ~free, upper_dot, 0.0)
    left = budget_dot - jnp.sum(effort * dearer) - jnp.sum(costs * pushed)
    pull = jnp.sum(pliancy * costs * (steeper - price * dearer))
    stiffness = jnp.sum(pliancy * costs * costs)
    binding = (price > 0) & (stiffness > 0)
    price_dot = jnp.where(binding, (pull - left) / jnp.where(binding, stiffness, 1.0), 0.0)
    effort_dot = pushed + pliancy * (steeper - price * dearer - costs * price_dot)
    return (effort, price), (effort_dot, price_dot)


@jax.custom_jvp
def _value(portfolio: Portfolio, budget: Scalar) -> Scalar:
    return portfolio.value(_optimum(portfolio, budget)[0])


@_value.defjvp
def _value_jvp(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    portfolio, budget = primals
    effort, price = _optimum(portfolio, budget)
    at_lower, at_upper = _bound(portfolio, budget, effort)
    excess = portfolio.slope(effort) - price * portfolio.costs()
    excess = jnp.where(jnp.isfinite(excess), excess, 0.0)

    def lagrangian(p: Portfolio, budget: Scalar) -> Scalar:
        bounds = jnp.where(at_lower & (excess < 0), p.lowers(), 0.0)
        bounds = jnp.where(at_upper & (excess > 0), p.uppers(), bounds)
        return p.value(effort) + price * (budget - p.spend(effort)) + jnp.sum(excess * bounds)

    return portfolio.value(effort), jax.jvp(lagrangian, primals, tangents)[1]


def _bound(portfolio: Portfolio, budget: Scalar, effort: Vector) -> tuple[Bool[Array, " projects"], ...]:
    """Which projects are at their lower and at their upper limit, up to rounding."""
    hair = steps_error(jnp.abs(effort) + budget / portfolio.costs())
    return effort <= portfolio.lowers() + hair, effort >= portfolio.uppers() - hair


def _responsive(
    portfolio: Portfolio, budget: Scalar, effort: Vector, slope: Vector
) -> Bool[Array, " projects"]:
    """The projects that a change of the budget reaches: those within their limits, else the steepest."""
    at_lower, at_upper = _bound(portfolio, budget, effort)
    within = ~at_lower & ~at_upper
    density = jnp.where(at_upper | ~jnp.isfinite(slope), -jnp.inf, slope / portfolio.costs())
    spent = portfolio.spend(effort) >= budget - steps_error(budget)
    steepest = (jnp.arange(effort.size) == jnp.argmax(density)) & (density > 0) & spent
    return jnp.where(jnp.any(within), within, steepest)
