"""Derivatives of the optimal value and effort against central differences of independent optima.

The optima of concave portfolios come from the nested bisection of `tests.portfolios`, written without the
engine. Every direction changes one field of the portfolio (or the budget) in all projects at once, by random
amounts, so that one compiled function serves all fields of a case.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import engine
from engine import Curve, Portfolio
from tests import portfolios as reference

BUDGET = 20.0
SHAPE = (24, 4)
# Central differences of step 1e-4 relative err by about 1e-8 of the third derivative; optima are right to
# about 1e-12 in effort, so differences of efforts to about 1e-8.
STEP = 1e-4
CLOSE = 2e-5

CONCAVE = [
    ("log", ()),
    ("power", ("real_cost",)),
    ("exponential", ("bounds", "real_cost", "success")),
    ("hill_concave", ("upper",)),
    ("weibull_concave", ()),
    ("log", ("curvature",)),
    ("mixture_concave", ()),
]
ids = lambda part: "-".join(part) if isinstance(part, tuple) else None  # noqa: E731


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
    kind = lambda a: a.dtype if np.issubdtype(a.dtype, np.floating) else jax.dtypes.float0  # noqa: E731
    return jax.tree.map(lambda a: np.zeros(a.shape, kind(a)), portfolio)


def both(portfolio: Portfolio, budget: Any) -> tuple[Any, Any]:
    return engine.optimal_value(portfolio, budget), engine.optimal_effort(portfolio, budget)


@jax.jit
@functools.partial(jax.vmap, in_axes=(0, 0, 0, 0))
def push(portfolio: Portfolio, budget: Any, portfolio_dot: Any, budget_dot: Any) -> Any:
    return jax.jvp(both, (portfolio, budget), (portfolio_dot, budget_dot))


@pytest.mark.parametrize(("name", "parts"), CONCAVE, ids=ids)
def test_derivatives_are_those_of_central_differences(name: str, parts: tuple[str, ...]) -> None:
    portfolio = reference.draw(name, 1, SHAPE, parts, reach=BUDGET)
    rng = np.random.default_rng(2)
    budgets = rng.uniform(0.5, 1.5, SHAPE[0]) * BUDGET
    still = zeros(portfolio)

    def optimum(p: Portfolio, budget: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        effort, _ = reference.concave_optimum(p, budget)
        lower, upper = reference.limits(p)
        place = (effort > lower + 1e-9).astype(int) + (effort >= upper - 1e-9)
        return reference.value(p, effort), effort, place

    directions = [("budget", None), *fields(portfolio)]
    compared = []
    for field, put in directions:
        if put is None:
            move = 0.1 * budgets
            ends = [optimum(portfolio, budgets + sign * STEP * move) for sign in (1, -1)]
            (value, _), (value_dot, effort_dot) = push(portfolio, budgets, still, move)
        else:
            here = find(portfolio, field)
            # In proportion, so that what is 0, a bound or a curvature, stays within its domain.
            move = rng.uniform(-1.0, 1.0, SHAPE) * np.where(np.isfinite(here), here, 0.0)
            ends = [optimum(put(here + sign * STEP * move), budgets) for sign in (1, -1)]
            tangent = dict(fields(still))[field](move)
            (value, _), (value_dot, effort_dot) = push(portfolio, budgets, tangent, np.zeros_like(budgets))
        here_value, here_effort, here_place = optimum(portfolio, budgets)
        np.testing.assert_allclose(value, here_value, rtol=1e-9)
        smooth = np.all((ends[0][2] == here_place) & (ends[1][2] == here_place), axis=-1)
        compared.append(smooth.mean())
        slope = (ends[0][0] - ends[1][0]) / (2 * STEP)
        size = np.abs(here_value) + np.abs(slope)
        assert np.all(np.abs(value_dot - slope)[smooth] <= 1e-7 * size[smooth]), field
        change = (ends[0][1] - ends[1][1]) / (2 * STEP)
        size = np.abs(here_effort).max(-1) + np.abs(change).max(-1)
        assert np.all(np.abs(effort_dot - change).max(-1)[smooth] <= CLOSE * size[smooth]), field
    # Rows where a project reaches or leaves a bound within the step are no test of a derivative.
    assert np.mean(compared) > 0.8


@pytest.mark.parametrize(("name", "parts"), [("hill", ()), ("logistic", ("startup",))], ids=ids)
def test_other_portfolios_are_differentiated_at_the_optimum_found(name: str, parts: tuple[str, ...]) -> None:
    portfolio = reference.draw(name, 3, SHAPE, parts, reach=BUDGET)
    rng = np.random.default_rng(4)
    budgets, still = np.full(SHAPE[0], BUDGET), zeros(portfolio)
    for field, put in [("budget", None), *fields(portfolio)]:
        move = 0.1 * budgets if put is None else rng.uniform(-1.0, 1.0, SHAPE) * find(portfolio, field)
        tangent = still if put is None else dict(fields(still))[field](move)
        rise = move if put is None else np.zeros_like(budgets)
        (_, effort), (value_dot, effort_dot) = push(portfolio, budgets, tangent, rise)
        ends = []
        for sign in (STEP, -STEP):
            moved = portfolio if put is None else put(find(portfolio, field) + sign * move)
            found = push(moved, budgets + sign * rise, still, np.zeros_like(budgets))[0][1]
            ends.append((reference.value(moved, found), np.asarray(found)))
        # Where the best allocation jumps, or a project meets a bound or its kink, there is no derivative.
        support = [np.asarray(e) > 1e-9 for e in (effort, ends[0][1], ends[1][1])]
        near = np.abs(ends[0][1] - ends[1][1]).max(-1) < 0.1
        smooth = np.all((support[0] == support[1]) & (support[0] == support[2]), -1) & near
        assert smooth.mean() > 0.7
        slope = (ends[0][0] - ends[1][0]) / (2 * STEP)
        change = (ends[0][1] - ends[1][1]) / (2 * STEP)
        off = np.abs(value_dot - slope) / (1 + np.abs(slope)), np.abs(effort_dot - change).max(-1)
        assert np.quantile(off[0][smooth], 0.9) <= 1e-6, field
        assert np.quantile((off[1] / (1 + np.abs(change).max(-1)))[smooth], 0.8) <= 1e-4, field


def test_price_is_the_derivative_in_the_budget() -> None:
    portfolio = reference.draw("log", 5, SHAPE, ("bounds", "real_cost"), reach=BUDGET)
    # From nothing to more than all caps can take.
    budgets = np.concatenate([np.full(4, 20.0), np.linspace(12.0, 400.0, SHAPE[0] - 4)])
    price = engine.solve(portfolio, budgets, "waterfilling").price
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
    grad = jax.jit(jax.value_and_grad(engine.optimal_value, argnums=1))
    push_budget = jax.jit(jax.jacfwd(engine.optimal_effort, argnums=1))
    # No budget: the first unit goes to the steeper project, whose slope is 2 · 0.5.
    np.testing.assert_allclose(grad(curves, 0.0), (0.0, 1.0), atol=1e-12)
    np.testing.assert_allclose(push_budget(curves, 0.0), [1.0, 0.0])
    # More than the caps can take: nothing changes, and a cap is worth the slope there.
    capped = Portfolio(curves, upper=jnp.array([1.0, 1.0]))
    np.testing.assert_allclose(jax.grad(engine.optimal_value, argnums=1)(capped, 5.0), 0.0, atol=1e-12)
    by_cap = jax.grad(engine.optimal_value)(capped, 5.0).upper
    np.testing.assert_allclose(by_cap, 0.5 * np.array([2.0, 1.0]) * np.exp(-0.5), rtol=1e-12)
    with pytest.raises(ValueError, match="use jax"):
        engine.optimal_value(engine.Log(np.ones((3, 2)), np.ones((3, 2))), 1.0)
