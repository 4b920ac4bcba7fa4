"""The Lagrangian dual over the prices of several resources.

    L(p) = Σ_i max_k [v_ik − (Σ_r p_r c_ri) k] + Σ_r p_r B_r  ≥  V*          for every p ≥ 0

with v the table of returns by whole units k, −∞ where a number of units is not allowed. L is convex and made
of planes, one for each plan: V + p·(B − usage). Its minimum is the best mean of plans that respects the
budgets, a linear programme of resources + 1 rows, solved by the revised simplex method: the responses to a
price are the plan that enters next, and where its return is what the prices in force say, they are optimal.
With one resource this is the search by chords of `engine.solvers.dual`. Prices are looked at halfway between
those in force and the best seen, which swing less. L is a bound wherever the search ends.

Resources are in shares of their budgets, so that all budgets are 1. Cost: O(projects · choices) an
evaluation, some ten to thirty of them.

Sources: Everett (1963); Dantzig & Wolfe (1960), Decomposition principle for linear programs; Fisher (1981),
The Lagrangian relaxation method; Wentges (1997), Weighted Dantzig–Wolfe decomposition, for prices halfway.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from engine.model.curves.base import Vector
from engine.resources.menu import Choice, Menu, Prices
from engine.solvers.responses import Scalar
from engine.solvers.rounding import epsilon, least_positive, sum_error

# Evaluations a resource, and one for each at the least; where the search has come within this share of what
# is left to prove it ends: the boxes that follow bring more.
EVALUATIONS, NEAR = 24, 0.02
# How far the prices that are looked at lie from those in force towards the best seen.
TOWARDS_BEST = 0.5


class Dual(NamedTuple):
    """The least L found and its prices; the plans whose mean is the best one, with their shares in it."""

    bound: Scalar
    prices: Prices
    choices: Int[Array, "plans projects"]
    shares: Float[Array, " plans"]


class Response(NamedTuple):
    """The best choices at prices, and what each project has left after them."""

    choice: Choice
    payoff: Vector


class _Search(NamedTuple):
    """Columns of the simplex method: resources + 1 plans or unused budgets, and the best prices seen."""

    inverse: Float[Array, "plans plans"]
    value: Float[Array, " plans"]
    choices: Int[Array, "plans projects"]
    plans: Bool[Array, " plans"]
    bound: Scalar
    prices: Prices
    swerve: Scalar
    step: Int[Array, ""]
    ended: Bool[Array, ""]


def payoffs(menu: Menu, prices: Prices) -> Float[Array, "projects choices"]:
    """v_ik − (Σ_r p_r c_ri) k."""
    rates = jnp.sum(prices[:, None] * menu.usage, axis=0)
    return menu.returns - rates[:, None] * menu.levels


def respond(menu: Menu, prices: Prices) -> Response:
    """The best choice of each project at prices, the least of equals."""
    payoff = payoffs(menu, prices)
    choice = jnp.argmax(payoff, axis=1).astype(jnp.int32)
    return Response(choice, jnp.take_along_axis(payoff, choice[:, None], axis=1)[:, 0])


def lagrangian(menu: Menu, prices: Prices, slack: Scalar) -> tuple[Scalar, Scalar, Response]:
    """(L(p), how far rounding can move it, the best responses). What it may be off by beyond half of `slack`,
    which the caller allows for, is added to it."""
    response = respond(menu, prices)
    paid, spend = menu.paid(response.choice), menu.spend(menu.units(response.choice))
    size = jnp.sum(jnp.abs(paid)) + jnp.sum(prices * (spend + menu.budgets))
    rounding = sum_error(menu.terms, size)
    off = jnp.maximum(0.5 * (rounding - slack), 0.0)
    return jnp.sum(response.payoff) + jnp.sum(prices * menu.budgets) + off, rounding, response


def slack_of(menu: Menu, choice: Choice, value: Scalar) -> Scalar:
    """How far rounding can move a plan's value or a bound of its size: see `solution.rounding_slack`."""
    returns = menu.paid(choice)
    total = jnp.sum(jnp.where(jnp.isfinite(returns), jnp.abs(returns), 0.0))
    return sum_error(menu.terms, total + 3.0 * jnp.abs(value))


def minimise(menu: Menu, least: Choice, guess: Prices, enough: Scalar, slack: Scalar) -> Dual:
    """The least L(p) over p ≥ 0, or any L(p) that is at most `enough`.

    **Arguments:** `least`, a plan that is within the budgets; `guess`, prices to begin at; `slack`, what the
    caller allows for rounding twice over: what L(p) may be off by beyond half of it is added to the bound.
    """
    start = _begin(menu, least, guess)
    most = EVALUATIONS * (menu.usage.shape[0] + 1)

    def unfinished(search: _Search) -> Array:
        return ~search.ended & (search.step < most)

    def advance(search: _Search) -> _Search:
        return _advance(menu, search, enough, slack)

    end = jax.lax.while_loop(unfinished, advance, start)
    shares = jnp.where(end.plans, jnp.maximum(_shares(menu, end), 0.0), 0.0)
    return Dual(end.bound, end.prices, end.choices, shares)


def _begin(menu: Menu, least: Choice, guess: Prices) -> _Search:
    """The columns of all budgets unused and of the least plan."""
    resources = menu.usage.shape[0]
    dtype = menu.returns.dtype
    inverse = jnp.eye(resources + 1, dtype=dtype)
    inverse = inverse.at[:-1, -1].set(-menu.spend(menu.units(least)))
    value = jnp.zeros(resources + 1, dtype).at[-1].set(jnp.sum(menu.paid(least)))
    return _Search(
        inverse=inverse,
        value=value,
        choices=jnp.broadcast_to(least, (resources + 1, *least.shape)),
        plans=jnp.arange(resources + 1) == resources,
        bound=jnp.asarray(jnp.inf, dtype),
        prices=guess,
        swerve=jnp.ones((), dtype),
        step=jnp.int32(0),
        ended=jnp.asarray(False),
    )


def _shares(menu: Menu, search: _Search) -> Float[Array, " plans"]:
    """How much of each column there is."""
    return search.inverse[:, -1] + jnp.sum(search.inverse[:, :-1] * menu.budgets[None], axis=1)


def _advance(menu: Menu, search: _Search, enough: Scalar, slack: Scalar) -> _Search:
    """Look at one price, and let a plan, or an unused budget whose price is below 0, enter."""
    dtype = menu.returns.dtype
    dual = jnp.sum(search.value[:, None] * search.inverse, axis=0)
    inforce, rest = dual[:-1], dual[-1]
    reached = rest + jnp.sum(inforce * menu.budgets)
    prices = search.swerve * search.prices + (1.0 - search.swerve) * jnp.maximum(inforce, 0.0)
    bound, rounding, response = lagrangian(menu, prices, slack)
    spend, paid = menu.spend(menu.units(response.choice)), jnp.sum(menu.paid(response.choice))
    best = jnp.minimum(bound, search.bound)
    straight = search.swerve == 0.0
    # Of prices that are equal up to rounding those in force, which are 0 where something is left.
    lower = (bound < search.bound) | (straight & (bound <= search.bound + 0.25 * rounding))
    best_prices = jnp.where(lower, prices, search.prices)

    tiny = 64 * epsilon(dtype) * jnp.maximum(jnp.max(jnp.abs(inforce)), least_positive(dtype))
    unused = jnp.argmin(inforce)
    negative = inforce[unused] < -tiny
    there = jnp.arange(menu.budgets.size) == unused
    column = jnp.where(negative, there.astype(dtype), spend)
    column = jnp.append(column, jnp.where(negative, 0.0, 1.0))
    worth = jnp.where(negative, 0.0, paid)
    gain = worth - jnp.sum(dual * column)
    entering = gain > jnp.where(negative, 0.0, 0.25 * rounding)
    pivoted = _pivot(menu, search, column, worth, response.choice, ~negative)
    near = jnp.isfinite(enough) & (best - reached <= NEAR * (best - enough))
    ended = (best <= enough) | (~negative & (near | (~entering & straight)))
    moved = entering & ~ended
    return _Search(
        inverse=jnp.where(moved, pivoted.inverse, search.inverse),
        value=jnp.where(moved, pivoted.value, search.value),
        choices=jnp.where(moved, pivoted.choices, search.choices),
        plans=jnp.where(moved, pivoted.plans, search.plans),
        bound=best,
        prices=best_prices,
        swerve=jnp.where(entering, TOWARDS_BEST, 0.0).astype(dtype),
        step=search.step + 1,
        ended=ended,
    )


def _pivot(
    menu: Menu, search: _Search, column: Vector, worth: Scalar, choice: Choice, plan: Bool[Array, ""]
) -> _Search:
    """The columns after one has taken the place of that which runs out first."""
    direction = jnp.sum(search.inverse * column[None], axis=1)
    shares = jnp.maximum(_shares(menu, search), 0.0)
    least = 1e3 * epsilon(worth.dtype) * jnp.maximum(jnp.max(jnp.abs(direction)), 1e-300)
    runs_out = direction > least
    room = jnp.where(runs_out, shares / jnp.where(runs_out, direction, 1.0), jnp.inf)
    leaving = jnp.argmin(room)
    gone = jnp.arange(column.size) == leaving
    row = search.inverse[leaving] / jnp.where(runs_out[leaving], direction[leaving], 1.0)
    inverse = jnp.where(gone[:, None], row[None], search.inverse - direction[:, None] * row[None])
    return search._replace(
        inverse=inverse,
        value=jnp.where(gone, worth, search.value),
        choices=jnp.where(gone[:, None], choice[None], search.choices),
        plans=jnp.where(gone, plan, search.plans),
    )
