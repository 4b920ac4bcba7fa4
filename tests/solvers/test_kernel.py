"""Kernels for GPUs, interpreted on this CPU: what they compute is what the functions they stand for do."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from engine.model.curves.concave import Exponential, Log
from engine.model.curves.mixture import Mixture
from engine.model.portfolio import Portfolio
from engine.solvers import cutoff, kernel, max_plus
from engine.solvers.exact import exact
from engine.solvers.lattice import build_lattice
from engine.solvers.programme import programme, read_back
from engine.solvers.solution import Solution

DTYPES = [np.float32, np.float64]


@pytest.fixture(autouse=True)
def small_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few threads and short tiles, which compile quickly."""
    monkeypatch.setattr(max_plus, "THREADS", 8)
    monkeypatch.setattr(max_plus, "STATES", {4: 8, 8: 4})
    monkeypatch.setattr(max_plus, "LEVELS", 4)
    monkeypatch.setattr(kernel, "NUMBERS", 32)


# Fewer levels than states, as many, more; portfolios that fill their programs and that do not.
@pytest.mark.parametrize(
    ("projects", "levels", "last", "portfolios"), [(3, 38, 40, 5), (2, 21, 20, 16), (1, 9, 5, 3)]
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_optima_are_those_of_the_programme_to_the_bit(
    projects: int, levels: int, last: int, portfolios: int, dtype: type
) -> None:
    random = np.random.default_rng(0)
    returns = np.cumsum(random.random((projects, levels, portfolios)), axis=1).astype(dtype)
    returns[:, 0], returns[0, 2] = 0.0, -np.inf
    padded = np.full((projects, max_plus.padded_levels(levels), portfolios), -np.inf, dtype)
    padded[:, :levels] = returns
    states = random.integers(0, last + 1, portfolios).astype(np.int32)
    optimum, effort = max_plus.optima(jnp.asarray(padded), jnp.asarray(states), last, interpret=True)
    best = np.zeros((last + 1, portfolios), dtype)
    for project in range(projects):
        after = np.full_like(best, -np.inf)
        for level in range(min(levels, last + 1)):
            np.maximum(after[level:], best[: last + 1 - level] + returns[project, level], out=after[level:])
        best = after
    lanes, units = np.arange(portfolios), np.asarray(effort).astype(int)
    np.testing.assert_array_equal(optimum, best[states, lanes])
    assert np.all(units.sum(axis=0) <= states)
    own = sum(returns[project, units[project], lanes] for project in range(projects))
    np.testing.assert_allclose(own, optimum, rtol=projects * float(np.finfo(dtype).eps))


def test_where_nothing_is_allowed_effort_is_zero() -> None:
    tables = np.full((2, 8, 1), -np.inf)
    optimum, effort = max_plus.optima(jnp.asarray(tables), jnp.asarray([7], jnp.int32), 7, interpret=True)
    assert optimum[0] == -np.inf
    np.testing.assert_array_equal(effort, 0.0)


def test_of_levels_that_tie_the_least_is_taken() -> None:
    tables = np.zeros((2, 8, 1))
    tables[1, 5:] = 1.0
    optimum, effort = max_plus.optima(jnp.asarray(tables), jnp.asarray([7], jnp.int32), 7, interpret=True)
    assert optimum[0] == 1.0
    np.testing.assert_array_equal(effort[:, 0], [0.0, 5.0])


def test_the_tables_of_portfolios_have_the_levels_that_it_takes() -> None:
    """As `optimum_within` calls it on a GPU: levels beyond the lattice are those above the bounds."""
    random = np.random.default_rng(1)
    scale, rate = random.uniform(1, 3, (2, 5, 3))
    portfolios = Portfolio(Log(jnp.asarray(scale), jnp.asarray(rate)), upper=jnp.full((5, 3), 6.0))
    lattice = build_lattice(11, 3, upper=6.0)
    levels = max_plus.padded_levels(lattice.units + 1)
    tables = jax.vmap(lambda portfolio: portfolio.table(levels - 1), out_axes=-1)(portfolios)
    states = jnp.arange(7, 12, dtype=jnp.int32)
    optimum, effort = max_plus.optima(tables, states, lattice.states, interpret=True)
    for index in range(5):
        solved = programme(jax.tree.map(lambda a, i=index: a[i], portfolios), lattice)
        np.testing.assert_array_equal(optimum[index], solved.before[-1, states[index]])
        np.testing.assert_array_equal(effort[:, index], read_back(solved, states[index]))


@pytest.mark.parametrize(("projects", "budget"), [(20, 300), (5, 40), (1, 7)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_search_as_a_kernel_finds_the_same_effort(projects: int, budget: int, dtype: type) -> None:
    """Also where some projects take no more than a few units, or none, and are not as many as fill a power of
    2.
    """
    random, shape = np.random.default_rng(2), (projects, 37)
    scale, rate = (jnp.asarray(random.uniform(0.1, 3, shape), dtype) for _ in range(2))
    upper = jnp.full(shape, budget, dtype).at[0, :5].set(3.0).at[-1, 5:9].set(0.0)
    portfolios = Portfolio(Exponential(scale, rate / budget), upper=upper)
    search = partial(cutoff._search, lattice=build_lattice(budget, projects))
    found = kernel.run_kernel(search, portfolios, jnp.full((1, 37), budget, dtype), interpret=True)
    expected = search(portfolios, jnp.full((1, 37), budget, dtype), projects)
    np.testing.assert_array_equal(found, expected)
    assert np.all(np.sum(found, axis=0) <= budget)


@pytest.mark.skipif(version("jax") >= "0.11", reason="JAX 0.11 lowers kernels only where there is a GPU")
@pytest.mark.parametrize("dtype", DTYPES)
def test_all_that_kernels_do_can_be_compiled_for_a_gpu(dtype: type) -> None:
    """As far as that can be told without one: Triton knows each of their operations."""
    search = partial(cutoff._search, lattice=build_lattice(40, 5))
    curves = Mixture((Log(*_random(dtype)), Exponential(*_random(dtype))), jnp.zeros((5, 64), jnp.int32))
    tables = jnp.zeros((5, max_plus.padded_levels(41), 64), dtype)
    for run, *given in (
        (partial(kernel.run_kernel, search), Portfolio(curves), jnp.full((1, 64), 40.0, dtype)),
        (partial(max_plus.optima, last=40), tables, jnp.zeros(64, jnp.int32)),
    ):
        text = jax.jit(run).trace(*given).lower(lowering_platforms=("cuda",)).as_text()
        assert "triton" in text


def _random(dtype: type) -> list[jax.Array]:
    numbers = np.random.default_rng(4).uniform(0.2, 0.8, (2, 5, 64))
    return [jnp.asarray(parameter, dtype) for parameter in numbers]


def test_the_cpu_of_a_machine_with_a_gpu_does_without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the process has a GPU, and the arrays lie on its CPU."""
    random, lattice = np.random.default_rng(3), build_lattice(30, 4)
    scale, rate = (jnp.asarray(random.uniform(0.1, 3, (9, 4))) for _ in range(2))
    portfolios, budget = Portfolio(Log(scale, rate)), jnp.asarray(30.0)
    names = {"cutoff": cutoff.cutoff, "exact": exact}

    def solved() -> dict[str, Solution]:
        solvers = {n: jax.vmap(partial(solve, lattice=lattice), (0, None)) for n, solve in names.items()}
        return {name: jax.jit(solve)(portfolios, budget) for name, solve in solvers.items()}

    expected = solved()
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    found = solved()
    for name in names:
        np.testing.assert_array_equal(found[name].effort, expected[name].effort)
        np.testing.assert_allclose(found[name].bound, expected[name].bound, rtol=1e-14)


@pytest.mark.parametrize("conditions", [[[True, False]], [[False, False]]])
def test_some_is_any(conditions: list[list[bool]]) -> None:
    assert bool(kernel.some(jnp.asarray(conditions))) == np.any(conditions)
