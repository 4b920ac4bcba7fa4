"""Random spreads, and references in NumPy float64: adstock by a loop, values, optima by SciPy."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
from scipy import optimize

from engine import Portfolio
from engine.periods.spread import Spread
from tests import reference


def draw(name: str, seed: int, batch: int, projects: int, parts: tuple[str, ...] = ()) -> Spread:
    """A batch of spreads of one family or mixture."""
    rng, shape = np.random.default_rng(seed), (batch, projects)
    portfolio = reference.draw(name, seed, shape, parts)
    carry = rng.uniform(0.0, 0.95, shape) * (rng.random(shape) < 0.8)
    carried = rng.uniform(0.0, 3.0, shape) * (rng.random(shape) < 0.5)
    return Spread(portfolio, carry, carried, rng.uniform(0.8, 1.0, batch))


def pick(spread: Spread, index: int) -> Spread:
    """One of a batch."""
    return Spread(
        reference.pick(spread.portfolio, index),
        spread.carry[index],
        None if spread.carried is None else spread.carried[index],
        np.broadcast_to(spread.discount, spread.shape[:-1])[index],
    )


def effective(spread: Spread, effort: np.ndarray) -> np.ndarray:
    """s of effort [..., periods, projects], period by period."""
    carry = np.asarray(spread.carry)
    before = np.zeros_like(carry) if spread.carried is None else np.asarray(spread.carried)
    found = []
    for period in range(effort.shape[-2]):
        before = effort[..., period, :] + carry * before
        found.append(before)
    return np.stack(found, -2)


def value(spread: Spread, effort: np.ndarray) -> np.ndarray:
    """V of effort [..., periods, projects]; of one spread."""
    counted = effective(spread, effort)
    periods = range(effort.shape[-2])
    worths = float(spread.discount) ** np.arange(effort.shape[-2])
    totals = [
        reference.value(batch_of_one(spread), counted[..., t, :][..., None, :])[..., 0] for t in periods
    ]
    return np.stack(totals, -1) @ worths


def slope(spread: Spread, effort: np.ndarray) -> np.ndarray:
    """dV/dx [periods, projects], from the last period back."""
    counted, after = effective(spread, effort), np.zeros(effort.shape[-1])
    found = np.zeros_like(effort)
    for period in reversed(range(len(effort))):
        own = reference.slope(batch_of_one(spread), counted[period][None])[0]
        after = float(spread.discount) ** period * own + np.asarray(spread.carry) * after
        found[period] = after
    return found


def batch_of_one(spread: Spread) -> Portfolio:
    """Its portfolio with a leading axis, as the references take them."""
    bare = dataclasses.replace(spread.portfolio, names=())
    return jax.tree.map(lambda a: np.asarray(a)[None], bare)  # type: ignore[no-any-return]


def optimum(spread: Spread, budgets: np.ndarray, periods: int, begin: np.ndarray) -> float:
    """The best value that SLSQP finds in float64; −∞ where what it finds is not feasible."""
    projects = begin.shape[-1]
    cost = np.ones(projects) if spread.portfolio.cost is None else np.asarray(spread.portfolio.cost)
    lower = np.zeros(projects) if spread.portfolio.lower is None else np.asarray(spread.portfolio.lower)
    upper = (
        np.full(projects, np.inf) if spread.portfolio.upper is None else np.asarray(spread.portfolio.upper)
    )
    groups = np.eye(periods) if budgets.size > 1 else np.ones((1, periods))
    spends = (groups[:, :, None] * cost).reshape(budgets.size, -1)

    found = optimize.minimize(
        lambda x: -value(spread, x.reshape(periods, projects)),
        begin.ravel(),
        jac=lambda x: -slope(spread, x.reshape(periods, projects)).ravel(),
        bounds=list(zip(np.tile(lower, periods), np.tile(upper, periods), strict=True)),
        constraints=[{"type": "ineq", "fun": lambda x: budgets - spends @ x, "jac": lambda x: -spends}],
        method="SLSQP",
        options={"ftol": 1e-13, "maxiter": 400},
    )
    feasible = np.all(spends @ found.x <= budgets * (1 + 1e-9) + 1e-9)
    return -float(found.fun) if feasible else -np.inf
