"""Derivatives of the optimal value and effort against central differences of independent optima.

The optima of concave portfolios come from the nested bisection of `tests.reference`, written without the
engine. Every direction changes one field of the portfolio (or the budget) in all projects at once, by random
amounts; all directions of a case are rows of one batch, so that one compiled function serves them.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import engine
from engine import Curve, Portfolio
from tests import reference

BUDGET = 20.0
SHAPE = (24, 4)
# Central differences of step 1e-4 relative err by about 1e-8 of the third derivative; optima are right to
# about 1e-12 in effort, so differences of efforts to about 1e-8.
STEP = 1e-4
CLOSE = 2e-5

CONCAVE = {
    "promised": ("mixture_concave", ("real_cost", "bounds", "success")),
    "infinitely steep": ("mixture_steep", ("upper",)),
}


def fields(portfolio: Portfolio) -> Iterator[tuple[str, Any]]:
    """(name, function that puts another array in its place) of every array of numbers."""
    for name in portfolio.optional_fields():
        if getattr(portfolio, name) is not None:
            yield name, lambda value, name=name: dataclasses.replace(portfolio, **{name: value})
    curves = portfolio.curves
    families: tuple[Curve, ...] = getattr(curves, "families", (curves,))
    for i, family in enumerate(families):
        for field in dataclasses.fields(family):
            if getattr(family, field.name) is None:
                continue

            def put(value: Any, i: int = i, name: str = field.name) -> Portfolio:
                changed = dataclasses.replace(families[i], **{name: value})
                if len(families) == 1:
                    return dataclasses.replace(portfolio, curves=changed)
                every = (*families[:i], changed, *families[i + 1 :])
                return dataclasses.replace(portfolio, curves=dataclasses.replace(curves, families=every))

            yield f"{family.family}.{field.name}", put


def find(portfolio: Portfolio, name: str) -> np.ndarray:
    """The array of that name."""
    head, _, tail = name.partition(".")
    if not tail:
        return getattr(portfolio, name)
    families = getattr(portfolio.curves, "families", (portfolio.curves,))
    return getattr(next(f for f in families if f.family == head), tail)


def zeros(portfolio: Portfolio) -> Portfolio:
    """The tangent that changes nothing; integers have tangents of their own kind."""

    def zero(a: np.ndarray) -> np.ndarray:
        return np.zeros(a.shape, a.dtype if np.issubdtype(a.dtype, np.floating) else jax.dtypes.float0)

    return jax.tree.map(zero, portfolio)


def both(portfolio: Portfolio, budget: Any) -> tuple[Any, Any]:
    return engine.optimal_value(portfolio, budget), engine.optimal_effort(portfolio, budget)


@jax.jit
@functools.partial(jax.vmap, in_axes=(0, 0, 0, 0))
def push(portfolio: Portfolio, budget: Any, portfolio_dot: Any, budget_dot: Any) -> Any:
    return jax.jvp(both, (portfolio, budget), (portfolio_dot, budget_dot))


class Directions(NamedTuple):
    """Every portfolio once for each field, stacked: where it is, and what changes of the field and budget."""

    names: list[str]
    portfolio: Portfolio
    budget: np.ndarray
    portfolio_dot: Portfolio
    budget_dot: np.ndarray

    def moved(self, step: float) -> tuple[Portfolio, np.ndarray]:
        """The portfolios and budgets at this step along the directions."""

        def add(a: np.ndarray, d: np.ndarray) -> np.ndarray:
            return a if d.dtype == jax.dtypes.float0 else np.where(d == 0, a, a + step * d)

        portfolio = jax.tree.map(add, self.portfolio, self.portfolio_dot)
        return portfolio, self.budget + step * self.budget_dot

    def of(self, rows: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        """(field, its rows)."""
        return zip(self.names, np.split(rows, len(self.names)), strict=True)


def directions(portfolio: Portfolio, budget: np.ndarray, seed: int) -> Directions:
    """In proportion to what moves, so that a bound or a parameter that is 0 stays within its domain."""
    rng = np.random.default_rng(seed)
    still = zeros(portfolio)
    tangents, rises = [still], [0.1 * budget]
    for field, put in fields(still):
        here = find(portfolio, field)
        tangents.append(put(rng.uniform(-1.0, 1.0, here.shape) * np.where(np.isfinite(here), here, 0.0)))
        rises.append(np.zeros_like(budget))

    def stack(trees: list[Portfolio]) -> Portfolio:
        return jax.tree.map(lambda *rows: np.concatenate(rows), *trees)

    names, count = ["budget", *(field for field, _ in fields(portfolio))], len(tangents)
    budgets = np.tile(budget, count)
    return Directions(names, stack([portfolio] * count), budgets, stack(tangents), np.concatenate(rises))


@pytest.mark.parametrize("case", CONCAVE)
def test_derivatives_are_those_of_central_differences(case: str) -> None:
    name, parts = CONCAVE[case]
    portfolio = reference.draw(name, 1, SHAPE, parts, reach=BUDGET)
    along = directions(portfolio, np.random.default_rng(2).uniform(0.5, 1.5, SHAPE[0]) * BUDGET, 3)

    def optimum(step: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        moved, budget = along.moved(step)
        effort, _ = reference.concave_optimum(moved, budget)
        lower, upper = reference.limits(moved)
        place = (effort > lower + 1e-9).astype(int) + (effort >= upper - 1e-9)
        return reference.value(moved, effort), effort, place

    (value, _), (value_dot, effort_dot) = push(*along[1:])
    (here, effort, place), above, below = (optimum(step) for step in (0.0, STEP, -STEP))
    np.testing.assert_allclose(value, here, rtol=1e-9)
    # Rows where a project reaches or leaves a bound within the step are no test of a derivative.
    smooth = np.all((above[2] == place) & (below[2] == place), axis=-1)
    slope, change = (above[0] - below[0]) / (2 * STEP), (above[1] - below[1]) / (2 * STEP)
    off_value = np.abs(value_dot - slope) / (np.abs(here) + np.abs(slope))
    off_effort = np.abs(effort_dot - change).max(-1) / (np.abs(effort).max(-1) + np.abs(change).max(-1))
    for field, rows in along.of(np.arange(smooth.size)):
        kept = rows[smooth[rows]]
        assert kept.size > 0.7 * rows.size, field
        assert np.max(off_value[kept]) <= 1e-7, field
        assert np.max(off_effort[kept]) <= CLOSE, field


def test_other_portfolios_are_differentiated_at_the_optimum_found() -> None:
    """S-shaped, with a start-up: the references are the engine's own optima, a step to either side."""
    portfolio = reference.draw("mixture_s_shaped", 3, SHAPE, ("startup", "curvature"), reach=BUDGET)
    along = directions(portfolio, np.full(SHAPE[0], BUDGET), 4)
    found = []
    for step in (0.0, STEP, -STEP):
        moved, budget = along.moved(step)
        (_, effort), dots = push(moved, budget, along.portfolio_dot, along.budget_dot)
        found.append((reference.value(moved, effort), np.asarray(effort), dots))
    (_, effort, (value_dot, effort_dot)), above, below = found
    # Where the best allocation jumps, or a project meets a bound or its kink, there is no derivative.
    support = [e > 1e-9 for e in (effort, above[1], below[1])]
    near = np.abs(above[1] - below[1]).max(-1) < 0.1
    smooth = np.all((support[0] == support[1]) & (support[0] == support[2]), -1) & near
    slope, change = (above[0] - below[0]) / (2 * STEP), (above[1] - below[1]) / (2 * STEP)
    off_value = np.abs(value_dot - slope) / (1 + np.abs(slope))
    off_effort = np.abs(effort_dot - change).max(-1) / (1 + np.abs(change).max(-1))
    for field, rows in along.of(np.arange(smooth.size)):
        kept = rows[smooth[rows]]
        assert kept.size > 0.7 * rows.size, field
        assert np.quantile(off_value[kept], 0.9) <= 1e-6, field
        assert np.quantile(off_effort[kept], 0.8) <= 1e-4, field


def test_price_is_the_derivative_in_the_budget() -> None:
    portfolio = reference.draw("log", 5, SHAPE, ("bounds", "real_cost"), reach=BUDGET)
    # From nothing to more than all caps can take.
    budgets = np.concatenate([np.full(4, 20.0), np.linspace(12.0, 400.0, SHAPE[0] - 4)])
    price = engine.allocate(portfolio, budgets, "waterfilling").price
    slope = jax.jit(jax.vmap(jax.grad(engine.optimal_value, argnums=1)))(portfolio, budgets)
    np.testing.assert_allclose(slope, price, rtol=1e-12)


def test_forward_and_reverse_agree_and_the_hessian_is_symmetric() -> None:
    curves = engine.Log(jnp.array([1.0, 2.0, 3.0]), jnp.array([0.5, 0.2, 0.1]))
    portfolio = Portfolio(curves, weight=jnp.array([1.0, 1.5, 0.7]), cost=jnp.array([1.0, 2.0, 1.0]))
    effort = jax.jit(jax.jacfwd(engine.optimal_effort))(portfolio, 20.0)
    other = jax.jit(jax.jacrev(engine.optimal_effort))(portfolio, 20.0)
    for one, two in zip(jax.tree.leaves(effort), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-14)

    def value(weight: Any) -> Any:
        return engine.optimal_value(dataclasses.replace(portfolio, weight=weight), 20.0)

    hessian = jax.jit(jax.hessian(value))(portfolio.weight)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-9)
    # V* is convex in the weights, a maximum of linear functions of them.
    assert np.linalg.eigvalsh(hessian).min() >= -1e-12
    assert np.linalg.eigvalsh(hessian).max() > 0.01


def test_corners() -> None:
    curves = engine.Exponential(jnp.array([2.0, 1.0]), jnp.array([0.5, 0.5]))
    free = Portfolio(curves, upper=jnp.full(2, jnp.inf))
    grad = jax.jit(jax.value_and_grad(engine.optimal_value, argnums=(0, 1)))
    # No budget: the first unit goes to the steeper project, whose slope is 2 · 0.5.
    value, (_, by_budget) = grad(free, 0.0)
    np.testing.assert_allclose((value, by_budget), (0.0, 1.0), atol=1e-12)
    push_budget = jax.jit(jax.jacfwd(engine.optimal_effort, argnums=1))
    np.testing.assert_allclose(push_budget(free, 0.0), [1.0, 0.0])
    # More than the caps can take: nothing changes, and a cap is worth the slope there.
    _, (by_portfolio, by_budget) = grad(Portfolio(curves, upper=jnp.array([1.0, 1.0])), 5.0)
    np.testing.assert_allclose(by_budget, 0.0, atol=1e-12)
    np.testing.assert_allclose(by_portfolio.upper, 0.5 * np.array([2.0, 1.0]) * np.exp(-0.5), rtol=1e-12)
    with pytest.raises(ValueError, match="use jax"):
        engine.optimal_value(engine.Log(np.ones((3, 2)), np.ones((3, 2))), 1.0)
