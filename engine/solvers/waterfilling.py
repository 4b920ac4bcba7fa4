"""Water-filling: the optimum over real effort, by the price at which the best responses use the budget.

At the optimum of a concave portfolio every funded project has the same slope per unit of budget, the
water level λ (Karush–Kuhn–Tucker): f_i'(x_i) w_i = λ c_i. Between the last affordable price and the first
unaffordable one lies a single float; what budget is left there is spent along the line between the two
responses, which is optimal too, since both are best at that price.

On S-shaped and staged curves this fills the concave envelopes: exact in its bound, and in its effort
wherever no response jumps at the water level. A jump that does not fit is then retried project by
project, and what is left goes to the one project that gains most by it.

Source: Gibbs' lemma (Koopman 1953; Patriksson 2008, section 2).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio
from engine.solvers.density import best_of
from engine.solvers.dual import Dual, real_dual
from engine.solvers.lattice import Lattice
from engine.solvers.responses import Scalar, effort_bounds
from engine.solvers.solution import Solution, conclude


def waterfilling(portfolio: Portfolio, budget: Scalar, lattice: Lattice) -> Solution:
    """The real-effort optimum of a concave portfolio; a certified allocation of any other."""
    del lattice
    dual = real_dual(portfolio, budget)
    effort = recover(portfolio, budget, dual)
    return conclude(portfolio, budget, effort, dual.price, dual.bound)


def recover(portfolio: Portfolio, budget: Scalar, dual: Dual) -> Vector:
    """A feasible effort from the responses on either side of the budget: the best of four ways."""
    left = budget - portfolio.spend(dual.inside)
    missing = portfolio.spend(dual.outside) - portfolio.spend(dual.inside)
    share = jnp.where(missing > 0, jnp.clip(left / jnp.where(missing > 0, missing, 1.0), 0.0, 1.0), 0.0)
    blend = dual.inside + share * (dual.outside - dual.inside)
    in_order = _one_by_one(portfolio, budget, dual)
    return best_of(portfolio, blend, dual.inside, in_order, _to_one(portfolio, budget, dual.inside))


def _to_one(portfolio: Portfolio, budget: Scalar, effort: Vector) -> Vector:
    """Spend what is left on the project that gains most by it."""
    _, most = effort_bounds(portfolio, budget)
    left = jnp.maximum(budget - portfolio.spend(effort), 0.0)
    step = jnp.clip(left / portfolio.costs(), 0.0, most - effort)
    best = jnp.argmax(portfolio.gain(effort, step))
    return effort.at[best].add(step[best])


def _one_by_one(portfolio: Portfolio, budget: Scalar, dual: Dual) -> Vector:
    """Raise projects from the inside to the outside response, each as far as the budget goes."""
    costs = portfolio.costs()
    _, most = effort_bounds(portfolio, budget)

    def raise_project(left: Scalar, project: tuple[Scalar, ...]) -> tuple[Scalar, Scalar]:
        inside, outside, cost, most = project
        target = jnp.clip(jnp.maximum(outside, inside), inside, most)
        effort = jnp.minimum(target, inside + jnp.maximum(left, 0.0) / cost)
        return left - cost * (effort - inside), effort

    left = budget - portfolio.spend(dual.inside)
    return jax.lax.scan(raise_project, left, (dual.inside, dual.outside, costs, most))[1]
