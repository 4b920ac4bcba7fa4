"""The peers' benchmark: its instances, its judge, its referee, and the peers that SciPy alone can run."""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import peer_comparison
from benchmarks.evaluation import TOLERANCE, judge, loss
from benchmarks.instances import PROBLEMS, SLOPE, Instances, draw
from benchmarks.peers import PEERS, harness, numpy_greedy, python_loop, scipy_milp, slsqp
from benchmarks.peers.engine_solvers import portfolio_of
from tests import reference

PROJECTS, BUDGET, COUNT = 3, 9, 4
TASK = harness.Task("integer", 30.0, "")


def small(problem: str, seed: int = 0) -> Instances:
    return draw(problem, PROJECTS, BUDGET, COUNT, seed)


def brute_force(instances: Instances) -> np.ndarray:
    """The best value over every whole-unit allocation, by enumeration."""
    every = itertools.product(range(instances.budget + 1), repeat=instances.projects)
    allowed = [np.array(x, float) for x in every if sum(x) <= instances.budget]
    shape = (len(allowed), *instances.weight.shape)
    efforts = np.broadcast_to(np.array(allowed)[:, None, :], shape)
    return np.max(np.sum(instances.returns(efforts), axis=-1), axis=0)


# Instances.


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_saved_set_comes_back_to_the_bit(problem: str, tmp_path: Path) -> None:
    instances = small(problem)
    instances.save(tmp_path / "set.npz")
    back = Instances.load(tmp_path / "set.npz")
    assert (back.problem, back.seed, back.family) == (problem, 0, instances.family)
    assert back.budget == BUDGET
    assert back.weight.shape == (COUNT, PROJECTS)
    np.testing.assert_array_equal(back.weight, instances.weight)
    assert back.parameters.keys() == instances.parameters.keys()
    for name, array in instances.parameters.items():
        np.testing.assert_array_equal(back.parameters[name], array)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_returns_are_those_of_the_engine(problem: str) -> None:
    instances = small(problem)
    random = np.random.default_rng(1)
    effort = np.concatenate([np.zeros((1, PROJECTS)), random.uniform(0, BUDGET, (COUNT - 1, PROJECTS))])
    expected = reference.returns(portfolio_of(instances, "float64"), effort)
    # The two write the same formulas in different algebra: a few ulps of values of size 1 to 10.
    np.testing.assert_allclose(instances.returns(effort), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_table_holds_the_returns_at_whole_units(problem: str) -> None:
    instances = small(problem)
    table = instances.table()
    assert table.shape == (COUNT, PROJECTS, BUDGET + 1)
    assert np.all(table[..., 0] == 0)
    assert np.all(np.diff(table) >= 0)
    for level in (1, BUDGET):
        expected = instances.returns(np.full((COUNT, PROJECTS), float(level)))
        np.testing.assert_array_equal(table[..., level], expected)


@pytest.mark.parametrize("family", SLOPE)
def test_slopes_are_derivatives(family: str) -> None:
    instances = small(family)
    effort = np.random.default_rng(2).uniform(0.5, BUDGET, (COUNT, PROJECTS))
    step = 1e-5
    rise = instances.returns(effort + step) - instances.returns(effort - step)
    # A central difference errs by step² and by rounding over step: both near 1e-10.
    np.testing.assert_allclose(instances.slopes(effort), rise / (2 * step), rtol=1e-6, atol=1e-8)


def test_a_draw_depends_on_its_seed_and_an_unknown_one_is_refused() -> None:
    draw.cache_clear()
    first = small("hill")
    draw.cache_clear()
    np.testing.assert_array_equal(first.weight, small("hill").weight)
    assert not np.array_equal(first.weight, small("hill", seed=1).weight)
    with pytest.raises(ValueError, match="unknown problem 'parabola', expected one of log"):
        draw("parabola", 2, 3, 1)


# The judge.


def test_the_judge_rejects_what_is_not_feasible() -> None:
    instances = small("log")
    effort = np.array([[4.0, 4, 2], [-1, 5, 5], [np.nan, 0, 0], [2.5, 2.5, 4]])
    for kind, expected in (("integer", [False] * 4), ("continuous", [False, False, False, True])):
        verdict = judge(instances, effort, kind)
        assert verdict.feasible.tolist() == expected
        assert np.isnan(verdict.value).tolist() == [not ok for ok in expected]
    with pytest.raises(ValueError, match="expected integer or continuous"):
        judge(instances, effort, "whole")
    with pytest.raises(ValueError, match="effort has shape"):
        judge(instances, effort[:2], "integer")


@given(seed=st.integers(0, 2**32 - 1), problem=st.sampled_from(sorted(SLOPE)))
def test_overspending_within_tolerance_gains_nothing(seed: int, problem: str) -> None:
    instances = small(problem)
    share = np.random.default_rng(seed).dirichlet(np.ones(PROJECTS), COUNT)
    exact = judge(instances, BUDGET * share, "continuous")
    over = judge(instances, BUDGET * (1 + 0.9 * TOLERANCE) * share, "continuous")
    assert exact.feasible.all()
    assert over.feasible.all()
    np.testing.assert_allclose(over.value, exact.value, rtol=1e-13)
    np.testing.assert_allclose(exact.value, instances.returns(BUDGET * share).sum(-1), rtol=1e-13)


def test_loss_is_the_share_left_on_the_table() -> None:
    np.testing.assert_allclose(loss(np.array([3.0, 4.0, 0.0]), np.array([4.0, 4.0, 0.0])), [0.25, 0.0, 0.0])


# Peers against brute force.


@pytest.mark.parametrize("problem", PROBLEMS)
def test_milp_finds_the_optimum_and_says_so(problem: str) -> None:
    instances = small(problem)
    best = brute_force(instances)
    for index in range(COUNT):
        answer = scipy_milp.solve(instances.one(index), TASK)
        assert answer.claims
        verdict = judge(instances.one(index), answer.effort[None], "integer")
        assert verdict.feasible.all()
        # It stops at an absolute gap of 1e-6; the values are about 1.
        np.testing.assert_allclose(verdict.value, best[index], rtol=2e-6)
        assert answer.bound >= best[index] * (1 - 1e-6)


@pytest.mark.parametrize("peer", [python_loop, numpy_greedy], ids=["python", "numpy"])
def test_greedy_loops_find_the_optimum_of_concave_curves(peer: object) -> None:
    instances = small("log")
    efforts = np.array([peer.solve(instances.one(i), TASK).effort for i in range(COUNT)])  # type: ignore[attr-defined]
    np.testing.assert_allclose(judge(instances, efforts, "integer").value, brute_force(instances), rtol=1e-12)


def test_slsqp_finds_the_optimum_of_concave_curves() -> None:
    instances = small("log")
    whole = brute_force(instances)
    for index in range(COUNT):
        one = instances.one(index)
        answer = slsqp.solve(one, TASK)
        verdict = judge(one, answer.effort[None], "continuous")
        assert answer.claims
        assert verdict.feasible.all()
        assert verdict.value[0] >= whole[index] - 1e-9
        # Karush–Kuhn–Tucker: no slope above that of the funded projects, which are all alike.
        slopes, funded = one.slopes(answer.effort[None])[0], answer.effort > 1e-3
        np.testing.assert_allclose(slopes[funded], slopes.max(), rtol=1e-3)


def test_slsqp_stops_at_a_local_optimum_of_s_shaped_curves() -> None:
    flat = np.array([[10.0, 10.0]])
    curves = {"scale": np.array([[1.0, 1.0]]), "half": flat, "exponent": np.array([[4.0, 4.0]])}
    twins = Instances("twins", -1, "hill", 10, np.ones((1, 2)), curves)
    answer = slsqp.solve(twins, TASK)
    # The equal split of two equal curves is a stationary point; all on one is worth several times as much.
    assert answer.claims
    np.testing.assert_allclose(answer.effort, 5.0)
    assert judge(twins, answer.effort[None], "continuous").value[0] < 0.3 * brute_force(twins)[0]
    # From other starts it finds all on one.
    several = slsqp.solve(twins, TASK._replace(option="20"))
    assert several.claims
    value = judge(twins, several.effort[None], "continuous").value
    np.testing.assert_allclose(value, brute_force(twins), rtol=1e-6)


# Peers in processes of their own, where they are installed: one breaks another's symbols.

EXACT = [name for name, peer in PEERS.items() if peer.module in ("highs", "cpsat", "scip")]


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("name", EXACT)
def test_an_exact_peer_finds_the_optimum_and_says_so(name: str, problem: str, tmp_path: Path) -> None:
    peer = PEERS[name]
    interpreter, why = peer_comparison.find_interpreter(peer.module, (sys.executable,))
    if interpreter is None:
        pytest.skip(why)
    instances = small(problem)
    given = peer_comparison.arguments(["--peers", name, "--python", interpreter])
    (row,) = [row for row in peer_comparison.contenders("integer", instances, given, {}) if row.name == name]
    result = peer_comparison.run_single(row, instances, "integer", tmp_path, given)
    assert result.failure == ""
    assert result.answers["claims"].all()
    verdict = judge(instances, result.answers["effort"], "integer")
    best = brute_force(instances)
    # A default gap is 1e-4 at most; CP-SAT rounds each return to a billionth of the largest total.
    np.testing.assert_allclose(verdict.value, best, rtol=1e-8 if "tuned" in name else 1e-4)
    assert not np.any(
        peer_comparison.bound_error(result.answers["bound"], best) > peer_comparison.WRONG_BOUND
    )


# Processes and the referee.


def test_a_peer_is_a_process_from_file_to_file(tmp_path: Path) -> None:
    small("log").save(tmp_path / "in.npz")
    command = [sys.executable, "-m", "benchmarks.peers.slsqp", str(tmp_path / "in.npz")]
    command += [str(tmp_path / "out.npz"), "--kind", "continuous", "--seconds", "60"]
    subprocess.run(command, check=True, cwd=peer_comparison.ROOT)
    with np.load(tmp_path / "out.npz") as out:
        assert judge(small("log"), out["effort"], "continuous").feasible.all()
        assert out["claims"].all()
        assert np.all(out["seconds"] > 0)
        assert "scipy" in json.loads(str(out["about"]))["versions"]


def test_what_is_not_installed_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        harness._versions(("no-such-package-as-this",))
    assert ended.value.code == harness.MISSING
    assert json.loads(capsys.readouterr().out) == {
        "missing": "package no-such-package-as-this is not installed"
    }
    peer_comparison.find_interpreter.cache_clear()
    nowhere = argparse.Namespace(peers=("highs", "numba_dp"), python=("/no/such/python",))
    missing: dict[str, str] = {}
    rows = peer_comparison.contenders("integer", small("log"), nowhere, missing)
    assert all(row.name.startswith("engine") for row in rows)
    assert missing.keys() == {"HiGHS", "HiGHS tuned", "numba full DP"}
    assert "/no/such/python: No such file or directory" in missing["HiGHS"]


def test_every_peer_has_a_module_of_its_own() -> None:
    folder = peer_comparison.ROOT / "benchmarks" / "peers"
    for peer in PEERS.values():
        assert (folder / f"{peer.module}.py").exists()
        assert set(peer.kinds) <= {"integer", "continuous"}


def test_losses_false_claims_and_gaps_are_counted() -> None:
    instances = small("log").head(2)
    best = brute_force(instances)
    good = np.array([scipy_milp.solve(instances.one(i), TASK).effort for i in range(2)])
    bad = np.array([[0.0, 0.0, 0.0], [BUDGET + 1.0, 0.0, 0.0]])
    about = {"cores": 1, "versions": {}}
    shared = {"status": np.array(["x", "x"]), "building": np.zeros(2), "about": about}
    claims, unknown = np.array([True, True]), np.full(2, np.nan)
    results = [
        peer_comparison.Result(
            "engine exact f64", {"effort": good, "claims": claims, "bound": best * 1.01, **shared}, 10.0
        ),
        peer_comparison.Result("bad", {"effort": bad, "claims": claims, "bound": unknown, **shared}, 2.0),
        peer_comparison.Result("absent", failure="not here"),
    ]
    cell = peer_comparison.compare(instances, "integer", results)
    first, second, third = cell["rows"]
    assert cell["ratio_to"] == "engine exact f64"
    np.testing.assert_allclose(cell["reference_gap_max"], 0.01, rtol=1e-6)
    assert (first["loss_worst"], first["false_claims"], first["engine_ratio"]) == (0.0, 0.0, 1.0)
    assert (second["feasible"], second["false_claims"], second["engine_ratio"]) == (0.5, 1.0, 5.0)
    np.testing.assert_allclose(second["loss_mean"], 1.0)
    assert third == {"contender": "absent", "failed": "not here"}
    claimed = peer_comparison.failures([cell])
    assert claimed.keys() == {"bad"}
    assert claimed["bad"]["log, integer, N=3, B=9"]["false_claims"] == 1.0
    peer_comparison.show(cell)


def test_a_bound_below_what_was_attained_is_flagged_and_not_used() -> None:
    instances = small("log").head(2)
    best = brute_force(instances)
    effort = np.array([python_loop.solve(instances.one(i), TASK).effort for i in range(2)], float)
    shared = {"effort": effort, "claims": np.full(2, True), "status": np.array(["x", "x"])}
    shared |= {"building": np.zeros(2), "about": {"cores": 1, "versions": {"numpy": "2"}}}
    results = [
        peer_comparison.Result("right", {"bound": best * 1.01, **shared}, 1.0),
        peer_comparison.Result("wrong", {"bound": best * [0.9, 1.02], **shared}, 1.0),
        peer_comparison.Result("rounded", {"bound": best * (1 - 1e-15), **shared}, 1.0),
    ]
    cell = peer_comparison.compare(instances, "integer", results[:2])
    right, wrong = cell["rows"]
    assert (right["wrong_bounds"], right["wrong_bound_worst"]) == (0.0, None)
    assert wrong["wrong_bounds"] == 0.5
    np.testing.assert_allclose([wrong["wrong_bound_worst"], cell["reference_gap_max"]], [0.1, 0.01])
    # Rounding below the value is told as it is, and flags nobody.
    cell = peer_comparison.compare(instances, "integer", results[2:])
    assert cell["rows"][0]["wrong_bounds"] == 0.0
    assert -1e-14 < cell["reference_gap_mean"] < 0
    assert peer_comparison.versions([cell]) == {"numpy": "2"}


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (1.0, "100 %"),
        (0.995361, "99.54 %"),
        (0.9999999, "> 99.99 %"),
        (0.0, "0"),
        (0.0293, "2.93 %"),
        (None, "–"),
    ],
)
def test_a_share_is_never_rounded_to_all(share: float | None, text: str) -> None:
    assert peer_comparison.share_text(share) == text


def test_results_become_the_tables_of_a_page() -> None:
    row = {"contender": "peer", "per_second": 1234.5, "loss_mean": 1e-15, "loss_worst": 0.0123}
    row |= {"claims_success": 0.995, "instances": 2048, "wrong_bounds": 0.5}
    cell = {"problem": "log", "kind": "integer", "projects": 3, "budget": 9}
    cell["rows"] = [row, {"contender": "absent", "failed": "not here"}]  # type: ignore[assignment]
    lines = peer_comparison.page({"cells": [cell]}).splitlines()
    assert lines[0] == "log, integer, N=3, B=9:"
    assert lines[4] == "| peer | 1,234 | 0 | 1.2 % | 99.5 %; bound wrong | 2,048 |"
    assert lines[5].startswith("| absent | not here |")


def test_no_pass_ends_before_its_least_portfolios(tmp_path: Path) -> None:
    small("log").save(tmp_path / "in.npz")
    command = [sys.executable, "-m", "benchmarks.peers.numpy_greedy", str(tmp_path / "in.npz")]
    command += [str(tmp_path / "out.npz"), "--seconds", "0", "--least", "3"]
    subprocess.run(command, check=True, cwd=peer_comparison.ROOT)
    with np.load(tmp_path / "out.npz") as out:
        assert len(out["effort"]) == 3


def test_the_referee_runs_engine_and_a_peer_on_the_same_set(tmp_path: Path) -> None:
    given = peer_comparison.arguments(["--quick", "--peers", "slsqp", "--python", sys.executable])
    instances = small("log")
    rows = [
        row
        for row in peer_comparison.contenders("continuous", instances, given, {})
        if row.name in ("engine waterfilling f64", "SciPy SLSQP")
    ]
    assert [row.rounds for row in rows] == [True, False]
    results = peer_comparison.run_alternating(rows[:1], instances, "continuous", tmp_path, given)
    results.append(peer_comparison.run_single(rows[1], instances, "continuous", tmp_path, given))
    cell = peer_comparison.compare(instances, "continuous", results)
    assert cell["ratio_to"] == "engine waterfilling f64"
    for row in cell["rows"]:
        assert row["feasible"] == row["claims_success"] == 1.0
        assert row["loss_worst"] < 1e-6


def test_a_peer_that_does_not_stop_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = peer_comparison.arguments(["--seconds", "0", "--limit", "0"])
    monkeypatch.setattr(peer_comparison, "START", 0.2)
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    row = peer_comparison.Contender("sleeper", sleeper, False)
    result = peer_comparison.run_single(row, small("log"), "integer", tmp_path, given)
    assert result.failure == "no answer in 0 s; its own limit was 0 s"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--problems", "parabola"], "unknown problem parabola"),
        (["--peers", "nobody"], "unknown peer nobody"),
        (["--kinds", "whole"], "unknown kind whole"),
    ],
)
def test_a_wrong_word_is_refused_by_name(
    given: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        peer_comparison.arguments(given)
    assert message in capsys.readouterr().err
