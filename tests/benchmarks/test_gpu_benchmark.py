"""The benchmark of a GPU runs end to end on this CPU, and its checks tell a wrong answer from a right one."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import engine
from benchmarks import gpu
from benchmarks.gpu import Case, check_answer, foreseen, grid, scenario, table
from engine.allocation.allocate import choose_lattice
from engine.model.keys import portfolio_key

ROOT = Path(__file__).parents[2]
CASE = Case("cutoff", "float64", 5, 40, 16)
SOLVERS = {"draw", "cutoff", "draw + cutoff", "greedy", "waterfilling", "relaxation", "exact"}


@pytest.mark.slow
def test_the_quick_benchmark_times_checks_and_reports(tmp_path: Path) -> None:
    output = tmp_path / "gpu.json"
    command = [sys.executable, "-m", "benchmarks.gpu", "--quick", "--output", str(output)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(output.read_text())
    assert found.keys() >= {"machine", "device", "ceilings", "tolerance", "sample", "cases", "left_out"}
    assert found["device"]["platform"] == jax.default_backend()
    assert found["ceilings"].keys() == {"bandwidth", "mixes", "float32", "float64", "seconds"}
    assert all(rate > 0 for dtype in ("float32", "float64") for rate in found["ceilings"][dtype].values())
    assert {case["solver"] for case in found["cases"]} >= SOLVERS | {"monte carlo"}
    assert found["left_out"] == []
    for case in found["cases"]:
        assert case["per_second"] > 0
        assert case["floor_per_second"] > 0
        assert case["limit"] in ("bytes", "arithmetic")
        assert case["wrong"] == []
        assert max(case["check"].values()) <= gpu.TOLERANCE["float32"]
    # The table comes last, and is short.
    last = done.stdout[done.stdout.rindex("\n1 ×") :]
    assert len(last) < 4000
    assert "draw + cutoff" in last
    assert f"{len(found['cases'])} of {len(found['cases'])} cases right" in last


def answered() -> tuple[engine.Portfolio, engine.Solution]:
    source = scenario("log", CASE.projects, CASE.budget)
    portfolios = jax.vmap(lambda j: source.draw(portfolio_key(0, j), np.dtype(float)))(np.arange(16))
    portfolios = jax.tree.map(np.asarray, portfolios)
    return portfolios, engine.allocate(portfolios, float(CASE.budget), "cutoff").solution


def test_a_right_answer_passes() -> None:
    assert max(check_answer(CASE, *answered()).values()) <= 1e-14


@pytest.mark.parametrize(
    ("check", "field", "spoil"),
    [
        ("own_value", "value", lambda a: a * 1.001),
        ("value", "value", lambda a: a * 0.999),
        ("value", "value", lambda a: a * np.nan),
        ("bound", "bound", lambda a: a * 0.99),
        ("bound", "bound", lambda a: a * 1.01),
        ("effort", "effort", lambda a: a + 1.0),
        ("effort", "effort", lambda a: a + 0.25),
        ("effort", "effort", lambda a: -a),
        ("unsolved", "status", lambda a: a + 1),
    ],
)
def test_a_wrong_answer_is_told(check: str, field: str, spoil: Any) -> None:
    portfolios, solution = answered()
    spoilt: Any = {field: spoil(getattr(solution, field))}
    wrong = check_answer(CASE, portfolios, dataclasses.replace(solution, **spoilt))
    assert not wrong[check] <= 1e-4


def test_the_grid_begins_with_the_goal_and_has_every_solver_in_both_precisions() -> None:
    cases = list(grid(quick=False))
    assert cases[0] == Case("draw + cutoff", "float32", 20, 300, 1 << 19)
    assert len(set(cases)) == len(cases)
    for solver in SOLVERS - {"exact"}:
        assert {case.dtype for case in cases if case.solver == solver} == {"float32", "float64"}
    assert {case.projects for case in cases} == {5, 20, 50}


def test_a_case_that_would_take_too_long_is_foreseen() -> None:
    done: list[dict[str, Any]] = [{**dataclasses.asdict(CASE), "per_second": 8.0}]
    assert foreseen(dataclasses.replace(CASE, batch=160), done) == (gpu.REPEATS + 2) * 20.0
    assert foreseen(dataclasses.replace(CASE, solver="greedy"), done) == 0.0


def test_a_case_that_failed_is_left_out_of_the_table() -> None:
    failed = {**dataclasses.asdict(CASE), "projects": 20, "budget": 300, "error": "ValueError: none"}
    assert "cutoff" not in table([failed], [])
    assert "failed: ValueError" in gpu.line(failed)


@pytest.mark.parametrize("case", list(grid(quick=True)), ids=lambda case: f"{case.solver}-{case.dtype}")
def test_what_is_timed_can_be_compiled_for_a_gpu(case: Case) -> None:
    """As far as that can be told without one: all of it lowers, and nothing calls back to the host."""
    name = {"draw + cutoff": "cutoff", "monte carlo": "cutoff"}.get(case.solver, case.solver)
    source, kind = scenario(case.family, case.projects, case.budget), np.dtype(case.dtype)
    lattice = choose_lattice(["exact"], case.budget, case.projects)
    solve = (lambda p, b: p) if name == "draw" else gpu.solver_of(name, lattice)

    def drawn_and_solved(index: jax.Array, budget: jax.Array) -> Any:
        return solve(source.draw(portfolio_key(0, index), kind), budget)

    run = jax.jit(jax.vmap(drawn_and_solved, in_axes=(0, None)))
    rows = jax.ShapeDtypeStruct((64,), np.uint32)
    with jax.enable_x64(case.dtype == "float64"):
        text = run.trace(rows, jax.ShapeDtypeStruct((), kind)).lower(lowering_platforms=("cuda",)).as_text()
    assert "callback" not in text
    assert "f64" not in text or case.dtype == "float64"
