"""Blocks: the same portfolios and summaries whatever the block size, order and number of devices."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pyarrow.parquet as pq
import pytest

import engine
from engine import Portfolio, Solution
from engine.allocation.allocate import solve
from engine.model.keys import portfolio_key
from engine.simulation.blocks import Block, Simulation
from engine.simulation.metrics import METRICS
from engine.simulation.point import Point
from engine.simulation.summaries import Summary
from engine.solvers.solution import conclude
from engine.study.plan import plan
from tests.simulation.blocks import every_block, merged
from tests.simulation.test_scenarios import shipped

Summaries = dict[str, dict[str, Summary]]

SOLVERS = "solver=[greedy,density,exact]"


def study(*overrides: str, scenario: str = "staged") -> Point:
    return plan(shipped(scenario, SOLVERS, "budget=40", *overrides))


def run(what: Point) -> tuple[list[Block], Summaries]:
    blocks = every_block(Simulation(what, records=True))
    return blocks, merged(blocks)


def column(blocks: list[Block], solver: str, name: str) -> np.ndarray:
    return np.concatenate([block.records[solver][name] for block in blocks])


@pytest.fixture(scope="module")
def reference() -> tuple[list[Block], Summaries]:
    return run(study("run.portfolios=100", "run.block=32"))


def test_another_block_size_gives_the_same_portfolios(reference: Any) -> None:
    blocks, summaries = run(study("run.portfolios=100", "run.block=50"))
    for solver in ("greedy", "density", "exact"):
        for name in ("value", "gap", "effort", "frontier"):
            expected = column(reference[0], solver, name)
            assert len(expected) == 100
            # Values are sums in one order; only vector width may round them differently.
            np.testing.assert_allclose(column(blocks, solver, name), expected, rtol=1e-12, atol=1e-12)
        mean = summaries[solver]["value"].mean
        np.testing.assert_allclose(mean, reference[1][solver]["value"].mean, rtol=1e-12)


def test_the_summaries_are_those_of_the_records(reference: Any) -> None:
    blocks, found = reference
    assert sum(block.count for block in blocks) == 100
    for solver, summaries in found.items():
        for metric in METRICS:
            values = column(blocks, solver, metric)
            assert summaries[metric].count == 100
            np.testing.assert_allclose(summaries[metric].mean, values.mean(), rtol=1e-12, atol=1e-14)


def test_blocks_solve_what_the_scenario_draws(reference: Any) -> None:
    what = study()
    keys = jax.vmap(lambda j: portfolio_key(0, j))(np.arange(100, dtype=np.uint32))
    portfolios = jax.vmap(lambda key: what.source.draw(key, np.float64))(keys)
    expected = solve(portfolios, 40.0, "exact")
    np.testing.assert_allclose(column(reference[0], "exact", "value"), expected.value, rtol=1e-12)
    np.testing.assert_array_equal(column(reference[0], "exact", "effort"), expected.effort)


def test_the_exact_optimum_is_the_reference_whatever_the_order_of_solvers(reference: Any) -> None:
    exact = column(reference[0], "exact", "value")
    for solver in ("greedy", "density"):
        value = column(reference[0], solver, "value")
        np.testing.assert_allclose(column(reference[0], solver, "difference"), value - exact, atol=1e-12)
        assert np.all(column(reference[0], solver, "loss") >= -1e-12)
    assert np.all(column(reference[0], "exact", "optimal") == 1)
    assert list(reference[1]) == ["greedy", "density", "exact"]


def test_blocks_in_any_order_are_the_same(reference: Any) -> None:
    simulation = Simulation(study("run.portfolios=100", "run.block=32"), records=True)
    for index in (3, 0, 2):
        (block,) = simulation.blocks([(simulation.point, index)])
        assert block.count == (4 if index == 3 else 32)
        for solver, records in block.records.items():
            for name, values in records.items():
                np.testing.assert_array_equal(values, reference[0][index].records[solver][name])


def test_portfolios_that_cannot_be_solved_are_counted_not_averaged() -> None:
    what = study("scenario.lower={dist: choice, values: [0, 30]}", "run.portfolios=64", "run.block=64")
    blocks, summaries = run(what)
    status = column(blocks, "exact", "status")
    (block,) = blocks
    assert 0 < block.failed["exact"] < 64
    assert block.failed["exact"] == np.sum(status != 0)
    assert summaries["exact"]["value"].count == np.sum(status == 0)
    assert np.all(np.isnan(column(blocks, "exact", "value")[status != 0]))


def part_of(portfolio: Portfolio, budget: Any, lattice: Any, *, share: float = 1.0) -> Solution:
    """The same part of the budget for every project, and no more."""
    effort = share * budget / portfolio.shape[-1] / portfolio.costs()
    return conclude(portfolio, budget, effort, budget * 0, portfolio.value(budget / portfolio.costs()))


def test_compiled_code_takes_the_options_of_each_study(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number among a solver's options is an argument, as the budget is."""
    monkeypatch.setitem(engine.SOLVERS, "part_of", engine.Method(part_of, effort="real"))
    whole = plan(shipped("textbook", "solver=[exact]", "run.portfolios=8", "run.block=8"))
    studies = [dataclasses.replace(whole, solvers={"part_of": {"share": share}}) for share in (1.0, 0.25)]
    assert studies[0].kind == studies[1].kind
    simulation = Simulation(studies[0], records=True)
    for study, share in zip(studies, (1.0, 0.25), strict=True):
        (block,) = simulation.blocks([(study, 0)])
        np.testing.assert_allclose(block.records["part_of"]["spent"], share * whole.budget, rtol=1e-14)


def test_running_compiles_nothing_more() -> None:
    simulation = Simulation(study("run.portfolios=96", "run.block=32"))
    list(simulation.blocks([(simulation.point, 0)]))  # also the small transfers around the compiled functions
    compiled: list[str] = []

    def note(event: str, seconds: float, **_: object) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            compiled.append(event)

    jax.monitoring.register_event_duration_secs_listener(note)
    jax.block_until_ready(jax.jit(lambda a: a + 7)(np.arange(11)))
    assert compiled, "the listener hears of compilations"
    compiled.clear()
    every_block(simulation)
    assert not compiled


DIGEST = """
import hashlib, sys, jax, numpy as np
jax.config.update("jax_enable_x64", True)
from engine.simulation.blocks import Code, Simulation
from tests.simulation.test_blocks import study

class Draws(Simulation):
    # What draws is compiled first; nothing is solved here.
    def _compile_all(self):
        drawn = {device: next(self._lower(device)).compile() for device in dict.fromkeys(self.lanes)}
        self._code = {device: Code(draw, {}, {}, None, None, 0) for device, draw in drawn.items()}

assert jax.device_count() == int(sys.argv[1])
overrides = "run.portfolios=100", f"run.block={sys.argv[2]}", "solver=[waterfilling]"
simulation = Draws(study(*overrides, scenario="independent_division"))
parts = []
what = simulation.point
for index in range(what.blocks):
    drawn = simulation.draw((what, index), lane=index % len(simulation.lanes))
    parts.append(jax.tree.map(lambda a: np.asarray(a)[: 100 - index * what.block], drawn))
whole = jax.tree.map(lambda *a: np.concatenate(a), *parts)
assert whole.shape == (100, 8)
print(hashlib.sha256(b"".join(a.tobytes() for a in jax.tree.leaves(whole))).hexdigest())
"""


@pytest.mark.slow
def test_the_seed_rule() -> None:
    """The same portfolios to the bit for two block sizes, on 1 and on 2 devices."""
    digests = {
        subprocess.run(
            [sys.executable, "-c", DIGEST, str(devices), str(block)],
            env=forced(devices),
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for devices, block in ((1, 40), (1, 25), (2, 40), (2, 7))
    }
    assert len(digests) == 1


def forced(devices: int) -> dict[str, str]:
    """An environment in which JAX sees this many CPU devices."""
    flags = f"--xla_force_host_platform_device_count={devices}"
    return {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}


@pytest.mark.slow
def test_two_devices_allocate_as_one_does(tmp_path: Path) -> None:
    for devices in (1, 2):
        arguments = ["run", "scenario=s_shaped", "budget=40", "run.portfolios=100", "run.block=40"]
        arguments += ["run.records=true", f"run.output={tmp_path / str(devices)}"]
        arguments += ["solver=[greedy,density,cutoff,waterfilling,bound,exact]"]
        engine = Path(sys.executable).parent / "engine"
        subprocess.run([engine, *arguments], env=forced(devices), check=True, capture_output=True)
    one, two = (pq.read_table(tmp_path / d / "records.parquet").to_pydict() for d in ("1", "2"))
    assert one["portfolio"] == two["portfolio"]
    assert one["solver"] == two["solver"]
    for name in ("value", "bound", "multiplier", "effort", "difference", "status"):
        np.testing.assert_array_equal(one[name], two[name], err_msg=name)
