"""On a GPU: the same answers as on the CPU of the same machine, in both precisions, block by block.

Transcendental functions differ in their last bits between the two, and sums in their order. So float64 agrees
to 1e-9 and float32 to 1e-5, sums of up to a few hundred numbers; bits are compared on the GPU alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import engine
from engine.allocation import allocate, running
from engine.simulation import blocks
from engine.simulation.blocks import Block, Simulation
from engine.simulation.metrics import METRICS
from engine.simulation.point import Point
from engine.solvers import batching, cutoff, max_plus
from engine.solvers.kernel import run_kernel
from engine.solvers.lattice import build_lattice
from engine.study.plan import plan
from tests.simulation.blocks import every_block
from tests.simulation.test_scenarios import draw, shipped

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.filterwarnings("ignore:costs differ"),
    pytest.mark.filterwarnings("ignore:The Pallas Triton backend is deprecated:DeprecationWarning"),
]

SCENARIOS = ["staged", "s_shaped", "big_tech", "independent_division"]
TOLERANCE = {"float32": 1e-5, "float64": 1e-9}


def in_numpy(tree: Any, dtype: Any = None) -> Any:
    """The arrays on the host; real ones in this dtype."""

    def on_host(a: Any) -> np.ndarray:
        real = np.issubdtype(a.dtype, np.floating)
        return np.asarray(a, dtype if real else None)

    return jax.tree.map(on_host, tree)


def on_cpu(portfolios: engine.Portfolio, solver: str) -> engine.Solution:
    """The reference: float64 on the CPU."""
    with jax.default_device(jax.devices("cpu")[0]):
        return engine.allocate(in_numpy(portfolios, np.float64), 40.0, solver)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("solver", list(engine.SOLVERS))
def test_a_gpu_allocates_as_the_cpu_does(solver: str, scenario: str) -> None:
    portfolios = draw(shipped(scenario).scenario, 32)
    on_gpu, expected = engine.allocate(portfolios, 40.0, solver), on_cpu(portfolios, solver)
    np.testing.assert_allclose(on_gpu.value, expected.value, rtol=TOLERANCE["float64"])
    np.testing.assert_allclose(on_gpu.bound, expected.bound, rtol=TOLERANCE["float64"])


@pytest.mark.parametrize("scenario", ["s_shaped", "product_embedded"])
@pytest.mark.parametrize("solver", list(engine.SOLVERS))
def test_float32_answers_are_feasible_and_certified_in_float64(solver: str, scenario: str) -> None:
    portfolios = in_numpy(draw(shipped(scenario).scenario, 32, dtype=np.float32))
    on_gpu, expected = engine.allocate(portfolios, 40.0, solver), on_cpu(portfolios, solver)
    precise = in_numpy(portfolios, np.float64)
    effort = np.asarray(on_gpu.effort, np.float64)
    with jax.default_device(jax.devices("cpu")[0]):
        own, spent = np.asarray(precise.value(effort)), np.asarray(precise.spend(effort))
    hair = TOLERANCE["float32"]
    np.testing.assert_array_equal(on_gpu.status, 0)
    np.testing.assert_allclose(on_gpu.value, own, rtol=hair)
    assert np.all(effort >= 0)
    assert np.all(spent <= 40.0 * (1 + hair))
    # Whatever rounding makes of a heuristic's path, the bounds of either precision hold for both.
    assert np.all(on_gpu.value <= expected.bound * (1 + hair))
    assert np.all(on_gpu.bound >= expected.value * (1 - hair))


def test_chunks_on_a_gpu_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    portfolios = in_numpy(draw(shipped("s_shaped").scenario, 100))
    whole = engine.allocate(portfolios, 40.0, "exact")
    monkeypatch.setattr(running, "ACCELERATOR_ROUND_ENTRIES", 30 * 8 * 64)
    monkeypatch.setattr(batching, "ACCELERATOR_ENTRIES", 1)
    allocate.compiled.cache_clear()
    parts = engine.allocate(portfolios, 40.0, "exact")
    allocate.compiled.cache_clear()
    np.testing.assert_array_equal(parts.effort, whole.effort)
    np.testing.assert_allclose(parts.value, whole.value, rtol=1e-12)


@pytest.mark.parametrize("dtype", list(TOLERANCE))
def test_the_kernels_find_what_the_same_functions_do_without(dtype: str) -> None:
    """Numbers of portfolios and projects that fill neither a program nor a power of two."""
    with jax.enable_x64(dtype == "float64"):
        random = np.random.default_rng(0)
        tables = np.cumsum(random.random((5, max_plus.padded_levels(90), 77)), axis=1).astype(dtype)
        tables[:, 90:], states = -np.inf, random.integers(0, 120, 77).astype(np.int32)
        found = jax.jit(max_plus.optima, static_argnums=2)(tables, states, 119)
        expected = max_plus.optima(jnp.asarray(tables), jnp.asarray(states), 119, interpret=True)
        jax.tree.map(np.testing.assert_array_equal, found, expected)
        drawn = draw(shipped("growth").scenario, 77, dtype=np.dtype(dtype))
        across = jax.tree.map(lambda a: jnp.asarray(a.T), drawn)
        search = partial(cutoff._search, lattice=build_lattice(40, 5))
        budget = jnp.full((1, 77), 40, dtype)
        found = jax.jit(partial(run_kernel, search))(across, budget)
        np.testing.assert_array_equal(np.sum(found, axis=0), 40.0)
        other = jax.jit(partial(search, projects=5))(across, budget)
        values = [np.asarray(drawn.value(np.asarray(effort).T)) for effort in (found, other)]
        np.testing.assert_allclose(*values, rtol=TOLERANCE[dtype])


# Monte Carlo.


def study(*overrides: str, scenario: str = "staged", solvers: str = "greedy,density,exact") -> Point:
    return plan(shipped(scenario, f"solver=[{solvers}]", "budget=40", *overrides))


def compiled_for(what: Point, devices: list[jax.Device], monkeypatch: pytest.MonkeyPatch) -> Simulation:
    """A point that runs on these devices, with its records."""
    with monkeypatch.context() as patch:
        patch.setattr(blocks, "lanes", lambda: devices)
        return Simulation(what, records=True)


def run(compiled: Simulation) -> list[Block]:
    return every_block(compiled)


def assert_same_bits(one: list[Block], other: list[Block]) -> None:
    """Records and summaries of the same blocks."""
    for mine, theirs in zip(one, other, strict=True):
        kept = [(block.records, block.summaries, block.failed, block.broken) for block in (mine, theirs)]
        jax.tree.map(np.testing.assert_array_equal, *kept)


@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("scenario", [*SCENARIOS, "product_embedded", "research_lab"])
def test_a_gpu_draws_what_the_cpu_draws(scenario: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    overrides = "run.portfolios=300", "run.block=300", f"run.dtype={dtype}"
    what = study(*overrides, scenario=scenario, solvers="greedy")
    one, other = (
        compiled_for(what, [devices[0]], monkeypatch).draw((what, 0))
        for devices in (jax.devices(), jax.devices("cpu"))
    )
    # The random bits are the same; exponentials of numbers up to about 7 multiply the error of a bit by that.
    hair = {"float32": 4e-6, "float64": 1e-14}[dtype]
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for mine, theirs in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_allclose(np.asarray(mine), np.asarray(theirs), rtol=hair, atol=hair)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_blocks_on_a_gpu_find_what_those_on_the_cpu_do(
    scenario: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    what = study("run.portfolios=100", "run.block=40", scenario=scenario)
    on_gpu = run(compiled_for(what, jax.devices()[:1], monkeypatch))
    expected = run(compiled_for(what, jax.devices("cpu")[:1], monkeypatch))
    hair = TOLERANCE["float64"]
    for mine, theirs in zip(on_gpu, expected, strict=True):
        assert (mine.index, mine.count, mine.failed) == (theirs.index, theirs.count, theirs.failed)
        for solver, records in mine.records.items():
            for name in ("value", "bound", "spent", "status"):
                np.testing.assert_allclose(records[name], theirs.records[solver][name], rtol=hair)
            for metric in ("value", "bound", "funded"):
                found, known = mine.summaries[solver][metric], theirs.summaries[solver][metric]
                assert found.count == known.count
                np.testing.assert_allclose(found.mean, known.mean, rtol=hair)


def test_a_run_on_a_gpu_is_repeated_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is what resuming a sweep, and sharing it, rely on."""
    what = study("run.portfolios=20000", "run.block=8192")
    compiled = compiled_for(what, jax.devices()[:1], monkeypatch)
    first = run(compiled)
    assert_same_bits(run(compiled), first)
    assert_same_bits(run(compiled_for(what, jax.devices()[:1], monkeypatch)), first)


def test_all_devices_find_what_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one GPU, that it is the one which runs take."""
    what = study("run.portfolios=1000", "run.block=100")
    whole = Simulation(what, records=True)
    assert set(whole.lanes) == set(jax.local_devices())
    assert {device.platform for device in whole.lanes} == {jax.default_backend()}
    assert whole.draw((what, 0)).weight.devices() == {whole.lanes[0]}
    assert_same_bits(run(whole), run(compiled_for(what, jax.local_devices()[:1], monkeypatch)))


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A function that fills the first device's memory up to this many bytes; freed after the test."""
    held: list[jax.Array] = []

    def leave(size: int) -> None:
        stats = jax.devices()[0].memory_stats()
        free = stats["bytes_limit"] - stats["bytes_in_use"] - size
        while free > 0:
            piece = min(free, 1 << 30)
            held.append(jax.block_until_ready(jnp.zeros(piece, jnp.uint8)))
            free -= piece

    yield leave
    for array in held:
        array.delete()


def test_a_block_that_does_not_fit_is_solved_in_parts(room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    overrides = "run.portfolios=500000", "run.block=500000", "scenario.projects=40"
    what = plan(shipped("product_embedded", "solver=[cutoff]", "budget=400", *overrides))
    ample = Simulation(what)
    (expected,) = ample.blocks([(what, 0)])
    assert ample.parts == 1
    tight = Simulation(what)
    room(int(0.7 * tight.bytes))
    (found,) = tight.blocks([(what, 0)])
    assert tight.parts > 1
    assert found.count == expected.count
    assert found.failed == expected.failed
    for metric in METRICS:
        mine, theirs = (block.summaries["cutoff"][metric] for block in (found, expected))
        assert mine.count == theirs.count
        np.testing.assert_allclose(mine.mean, theirs.mean, rtol=1e-9, atol=1e-12)
