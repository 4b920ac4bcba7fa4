"""Mean–CVaR allocation beside CVXPY with Clarabel, on the same draws.

    BENCHMARK_PYTHON=/envs/peers/bin/python python -m benchmarks.cvar      results/cvar.json

Instances of N projects and S draws of one concave family each, in turn logarithms, saturating exponentials,
Michaelis–Menten curves and square roots: scales uniform in [1, 5], rates log-uniform in [.02, .5], both with
lognormal noise of σ = .5 over draws; budget 5 a project. Both maximise (1 − κ)·mean + κ·CVaR_α of real
effort. CVXPY's problem is one vectorised expression over all draws, built and solved in as many processes as
there are cores, and its rate counts both. Ours solves all instances of a family in one call; the rate is that
of the median of a few rounds, taken before and after CVXPY's. Each optimum is judged by a formula of its own,
at the effort given, scaled into the budget where it exceeds it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import save

PROJECTS, DRAWS, BUDGET = 20, 256, 100.0
AVERSION, TAIL = 0.5, 0.1
FAMILIES = ("log", "exponential", "hill", "power")
ROUNDS = 5
# What CVXPY counts returns in: with returns of about 50 Clarabel gives up on some instances.
UNIT = 100.0
Array = np.ndarray


def draw(index: int) -> tuple[str, Array, Array]:
    """(family, scales, rates) of an instance, [draws, projects]."""
    random = np.random.default_rng(index)
    scale = random.uniform(1.0, 5.0, PROJECTS) * np.exp(0.5 * random.normal(size=(DRAWS, PROJECTS)))
    rate = 10 ** random.uniform(np.log10(0.02), np.log10(0.5), PROJECTS)
    return FAMILIES[index % len(FAMILIES)], scale, rate * np.exp(0.5 * random.normal(size=(DRAWS, PROJECTS)))


def returns(family: str, scale: Array, rate: Array, effort: Array) -> Array:
    """The total return of every draw."""
    x = rate * effort
    lift = {
        "log": np.log1p(x),
        "exponential": -np.expm1(-x),
        "hill": x / (1.0 + x),
        "power": np.sqrt(1.0 + x) - 1.0,
    }
    return np.sum(scale * lift[family], axis=-1)


def judge(values: Array) -> float:
    """(1 − κ)·mean + κ·CVaR_α of equally likely returns."""
    size = TAIL * values.size
    share = np.clip(size - np.arange(values.size), 0.0, 1.0) / size
    return float((1.0 - AVERSION) * np.mean(values) + AVERSION * np.sum(share * np.sort(values)))


def by_cvxpy(first: int, last: int) -> list[dict[str, Any]]:
    """Solve instances by CVXPY with Clarabel: effort, status and seconds, building included."""
    import cvxpy as cp

    found = []
    for index in range(first, last):
        family, scale, rate = draw(index)
        begin = time.perf_counter()
        effort, level = cp.Variable(PROJECTS, nonneg=True), cp.Variable()
        x = cp.multiply(rate, cp.reshape(cp.hstack([effort] * DRAWS), (DRAWS, PROJECTS), order="C"))
        lift = {
            "log": lambda x: cp.log1p(x),
            "exponential": lambda x: 1.0 - cp.exp(-x),
            "hill": lambda x: 1.0 - cp.inv_pos(1.0 + x),
            "power": lambda x: cp.sqrt(1.0 + x) - 1.0,
        }[family](x)
        values = cp.sum(cp.multiply(scale / UNIT, lift), axis=1)
        shortfall = cp.sum(cp.pos(level - values)) / (TAIL * DRAWS)
        goal = (1.0 - AVERSION) * cp.sum(values) / DRAWS + AVERSION * (level - shortfall)
        problem = cp.Problem(cp.Maximize(goal), [cp.sum(effort) <= BUDGET])
        with contextlib.suppress(cp.SolverError):
            problem.solve(solver="CLARABEL")
        seconds = time.perf_counter() - begin
        there = effort.value is not None
        answer = np.maximum(effort.value, 0.0).tolist() if there else None
        found.append({"status": problem.status, "effort": answer, "seconds": seconds})
    return found


def by_peers(python: str, count: int) -> tuple[list[dict[str, Any]], float]:
    """(all answers of CVXPY, seconds from the first process's start of solving to the last one's end)."""
    cores = len(os.sched_getaffinity(0))
    ends = [round(count * i / cores) for i in range(cores + 1)]
    with tempfile.TemporaryDirectory() as folder:
        jobs = []
        for i in range(cores):
            path = Path(folder) / f"{i}.json"
            command = [python, "-m", "benchmarks.cvar", "--peer", str(path), str(ends[i]), str(ends[i + 1])]
            threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
            jobs.append((path, subprocess.Popen(command, env=os.environ | threads)))
        for _, job in jobs:
            if job.wait():
                raise SystemExit(f"{python} could not solve by CVXPY")
        parts = [json.loads(path.read_text()) for path, _ in jobs]
    seconds = max(sum(one["seconds"] for one in part) for part in parts)
    return [one for part in parts for one in part], seconds


def by_engine(count: int) -> tuple[dict[int, Any], list[float]]:
    """(answers by instance, the seconds of all instances in each round after the first)."""
    import engine

    bets = {}
    for family in FAMILIES:
        drawn = {index: draw(index) for index in range(count) if draw(index)[0] == family}
        scale, rate = (np.stack([one[k] for one in drawn.values()]) for k in (1, 2))
        curves = {
            "log": lambda: engine.Log(scale, rate),  # noqa: B023
            "exponential": lambda: engine.Exponential(scale, rate),  # noqa: B023
            "hill": lambda: engine.Hill(scale, 1.0 / rate, np.ones_like(rate)),  # noqa: B023
            "power": lambda: engine.Power(scale, np.full_like(rate, 0.5), 1.0 / rate),  # noqa: B023
        }[family]()
        bets[family] = (list(drawn), engine.Uncertain(engine.Portfolio(curves)))
    goal = engine.OBJECTIVES["mean_cvar"](aversion=AVERSION, tail=TAIL)
    found, rounds = {}, []
    for number in range(ROUNDS + 1):
        begin = time.perf_counter()
        for indices, bet in bets.values():
            answer = engine.bet(bet, BUDGET, objective=goal, knowledge=False)
            found |= {index: answer[i] for i, index in enumerate(indices)}
        if number:
            rounds.append(time.perf_counter() - begin)
    return found, rounds


def main() -> None:
    """Solve by both, compare, print, save."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--peer", nargs=3)
    given = parser.parse_args()
    if given.peer:
        path, first, last = given.peer
        Path(path).write_text(json.dumps(by_cvxpy(int(first), int(last))))
        return
    ours, rounds = by_engine(given.count)
    peers, seconds = by_peers(os.environ.get("BENCHMARK_PYTHON", sys.executable).split(":")[0], given.count)
    _, after = by_engine(given.count)
    figures = compare(ours, peers) | rates(given.count, seconds, rounds + after)
    print(json.dumps(figures, indent=2))
    if given.count == 200:
        print(save("cvar", figures))


def compare(ours: dict[int, Any], peers: list[dict[str, Any]]) -> dict[str, Any]:
    """Objectives by the judge: how far ours lies below CVXPY's and below our own bound, at worst."""
    below, unsolved, gaps = [], 0, []
    for index, peer in enumerate(peers):
        family, scale, rate = draw(index)
        own = judge(returns(family, scale, rate, ours[index].effort))
        gaps.append(float((ours[index].bound - own) / abs(own)))
        if peer["effort"] is None:
            unsolved += 1
            continue
        effort = np.array(peer["effort"])
        effort *= min(1.0, BUDGET / np.sum(effort))
        below.append((judge(returns(family, scale, rate, effort)) - own) / abs(own))
    return {
        "projects": PROJECTS,
        "draws": DRAWS,
        "instances": len(peers),
        "cvxpy_without_answer": unsolved,
        "cvxpy_not_optimal": sum(peer["status"] != "optimal" for peer in peers),
        "worst_below_cvxpy": max(below),
        "worst_below_own_bound": max(gaps),
        "worst_spend_over_budget": float(max(np.sum(one.effort) for one in ours.values()) - BUDGET),
        "proved": int(sum(bool(one.proved) for one in ours.values())),
    }


def rates(count: int, peer_seconds: float, rounds: list[float]) -> dict[str, float]:
    """Portfolios a second of both, and their ratio."""
    own = count / float(np.median(rounds))
    peer = count / peer_seconds
    return {"engine_per_second": own, "cvxpy_per_second": peer, "ratio": own / peer}


if __name__ == "__main__":
    main()
