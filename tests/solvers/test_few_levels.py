"""The programme over the few levels at which tables rise, against one over all levels in NumPy."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import engine
from engine.model.validation import normalise
from engine.solvers import lattice as lattice_module
from engine.solvers.few_levels import dual_price, rising, solve_few
from engine.solvers.lattice import build_lattice
from tests import reference

UNITS, PROJECTS, FEW = 30, 6, 5


def tables(seed: int, rises: int, dips: bool, count: int = 40) -> np.ndarray:
    """Random tables [count, projects, levels] that rise at so many levels above 0."""
    random = np.random.default_rng(seed)
    steps = np.zeros((count, PROJECTS, UNITS + 1))
    for place in np.ndindex(count, PROJECTS):
        at = random.choice(np.arange(1, UNITS + 1), rises, replace=False)
        steps[(*place, at)] = random.choice([0.5, 1.0, 2.0], rises) * random.uniform(0.9, 1.1, rises)
        if dips:
            down = random.choice(np.setdiff1d(np.arange(1, UNITS + 1), at), 4, replace=False)
            steps[(*place, down)] = -random.uniform(0.1, 3.0, 4)
    return steps.cumsum(axis=-1)


@pytest.mark.parametrize(("rises", "dips"), [(1, False), (4, False), (4, True)])
@pytest.mark.parametrize("budget", [0.0, 7.0, 30.0, 200.0])
def test_the_value_is_that_of_all_levels(rises: int, dips: bool, budget: float) -> None:
    batch = normalise(engine.Portfolio(engine.Tabulated(tables(rises, rises, dips))))
    lattice = build_lattice(UNITS, PROJECTS)
    found = jax.vmap(lambda one: solve_few(one, jnp.asarray(budget), lattice, FEW))(batch)
    assert np.all(found.finished)
    each = [reference.pick(batch, i) for i in range(batch.shape[0])]
    expected = [reference.dynamic_programme(one, min(budget, float(UNITS))) for one in each]
    effort = np.asarray(found.effort)
    assert np.all(effort.sum(axis=-1) <= min(budget, UNITS))
    np.testing.assert_allclose(reference.value(batch, effort), expected, rtol=1e-12)
    np.testing.assert_allclose(found.bound, expected, rtol=1e-12)


def test_bounds_are_kept() -> None:
    lower, upper = np.array([0, 3, 0, 8, 0, 0.0]), np.array([30, 30, 2, 20, 0, 30.0])
    given = engine.Portfolio(engine.Tabulated(tables(9, 4, True)), lower=lower, upper=upper)
    batch, lattice = normalise(given), build_lattice(UNITS, PROJECTS)
    found = jax.vmap(lambda one: solve_few(one, jnp.asarray(25.0), lattice, FEW))(batch)
    each = [reference.pick(batch, i) for i in range(batch.shape[0])]
    expected = [reference.dynamic_programme(one, 25.0) for one in each]
    np.testing.assert_allclose(reference.value(batch, np.asarray(found.effort)), expected, rtol=1e-12)
    effort = np.asarray(found.effort)
    assert np.all((effort >= lower) & (effort <= upper))


def test_what_rises_more_often_is_left_to_others() -> None:
    batch = tables(4, FEW, False, 8)
    *_, all_there = jax.vmap(lambda one: rising(one, FEW))(jnp.asarray(batch))
    assert not np.any(all_there)
    *_, all_there = jax.vmap(lambda one: rising(one, FEW + 1))(jnp.asarray(batch))
    assert np.all(all_there)


def test_the_price_is_a_minimum_of_the_dual() -> None:
    for batch in tables(5, 4, False, 10):
        levels, returns, _ = rising(jnp.asarray(batch), FEW)
        price = float(dual_price(levels.astype(returns.dtype), returns, jnp.asarray(20.0)))

        def dual(price: float, batch: np.ndarray = batch) -> Any:
            return (batch - price * np.arange(UNITS + 1)).max(axis=1).sum() + 20.0 * price

        around = [dual(p) for p in np.linspace(0.0, 3.0, 3001)]
        assert dual(price) <= min(around) + 1e-9


@pytest.mark.parametrize("rises", [3, 12, 20])
def test_exact_goes_on_where_some_rise_more_often(rises: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lattice_module, "BRIEF_WORK", 0.0)
    few, many = tables(1, 2, True, 10), tables(2, rises, True, 10)
    batch = engine.Portfolio(engine.Tabulated(np.concatenate([few, many])))
    solution = engine.allocate(batch, 25.0)
    assert np.all(solution.proved)
    each = [reference.pick(normalise(batch), i) for i in range(20)]
    expected = [reference.dynamic_programme(one, 25.0) for one in each]
    np.testing.assert_allclose(solution.value, expected, rtol=1e-9)
