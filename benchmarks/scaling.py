"""How it scales: seconds and memory of one allocation against projects, budget and batch, with peers beside.

    python -m benchmarks.scaling                      results/scaling.json, and the picture of docs/scaling.md
    python -m benchmarks.scaling --quick              two small sizes in a minute or two; saves nothing
    python -m benchmarks.scaling --page               results/scaling.json as the tables of that page
    python -m benchmarks.scaling --figure             draw the picture again
    BENCHMARK_PYTHON=/envs/peers/bin/python python -m benchmarks.scaling

Three axes: N projects at ten units each, budgets B of 20 projects, batches of 20 projects and 300 units. Two
problems: S-shaped Hill curves, exponents 1 to 4 and half-saturation scaled with B/N, and logarithmic ones. A
line is one contender along one axis. Each of its sizes is a process of its own (`benchmarks.scaling_case`),
so that a peak of memory is its own; the line ends at the first size that is refused, that takes over
`--limit` seconds or that asks for over `MEMORY` bytes. Compilation and the building of models are not in the
seconds and are told apart. Every answer is judged by `benchmarks.evaluation`, and those that should be
optimal must agree.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from benchmarks.machine import RESULTS, save
from benchmarks.peer_comparison import ROOT, environment, find_interpreter, versions
from benchmarks.scaling_case import ENGINE, Case

MEMORY = 12e9
# Seconds that compiling may take besides, on a busy machine.
COMPILING = {ENGINE: 40.0, "numba_dp": 40.0, "numba_greedy": 40.0}
# Optimal answers differ by the tolerances of those who search real effort, and by rounding.
AGREEMENT = 1e-6
PROJECTS, BUDGET, EACH = 20, 300, 10


class Line(NamedTuple):
    """A contender on a problem; `optimal`: whether its answers should be the optimum."""

    name: str
    problem: str
    kind: str
    module: str
    option: str = ""
    optimal: bool = True

    @property
    def ours(self) -> bool:
        """Whether it is a solver of `engine`."""
        return self.module == ENGINE


def ours(solver: str, problem: str, kind: str = "integer", optimal: bool = True) -> Line:
    """The line of a solver of `engine`, in float64."""
    return Line(f"engine {solver}", problem, kind, ENGINE, solver, optimal)


LINES = (
    ours("exact", "hill"),
    ours("density", "hill", optimal=False),
    ours("bound", "hill", optimal=False),
    Line("numba full DP", "hill", "integer", "numba_dp"),
    Line("HiGHS tuned", "hill", "integer", "highs", "tuned"),
    Line("SCIP tuned", "hill", "integer", "scip", "tuned"),
    ours("continuous", "hill", "continuous"),
    Line("SciPy SLSQP", "hill", "continuous", "slsqp", optimal=False),
    ours("cutoff", "log"),
    ours("greedy", "log"),
    Line("numba heap greedy", "log", "integer", "numba_greedy"),
    ours("waterfilling", "log", "continuous"),
    Line("CVXPY + Clarabel", "log", "continuous", "clarabel"),
)


Sizes = dict[str, tuple[int, ...]]


class Plan(NamedTuple):
    """Sizes by axis of those that compile for each, and of those that do not, most of which end early."""

    compiled: Sizes
    others: Sizes


FULL = Plan(
    compiled={
        "projects": (5, 100, 1000, 10_000),
        "budget": (100, 10_000, 1_000_000, 100_000_000),
        "batch": (1, 100, 10_000, 100_000),
    },
    others={
        "projects": (5, 20, 100, 300, 1000, 10_000),
        "budget": (100, 1000, 10_000, 100_000, 1_000_000, 100_000_000),
        "batch": (1, 10, 100, 1000, 100_000),
    },
)
SMALL = {"projects": (5,), "batch": (3,)}
QUICK = Plan(SMALL, SMALL)


def instances_of(axis: str, size: int) -> dict[str, int]:
    """Projects, budget and portfolios at a size."""
    match axis:
        case "projects":
            return {"projects": size, "budget": EACH * size, "count": 1}
        case "budget":
            return {"projects": PROJECTS, "budget": size, "count": 1}
    return {"projects": PROJECTS, "budget": BUDGET, "count": size}


def run_case(line: Line, interpreter: str, axis: str, size: int, limit: float) -> dict[str, Any]:
    """One size of a line, as its process says it, or why it ended."""
    compiling = COMPILING.get(line.module, 0.0)
    case = Case(
        line.module,
        line.option,
        line.problem,
        line.kind,
        **instances_of(axis, size),
        limit=limit,
        compiling=compiling,
        memory=MEMORY,
    )
    command = [interpreter, "-m", "benchmarks.scaling_case", json.dumps(case._asdict())]
    # For one portfolio Numba's second thread only waits, some thousand times as long as the first one works.
    threads = {"NUMBA_NUM_THREADS": "1"} if case.count == 1 else {}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment() | threads)
    if done.returncode == -signal.SIGALRM:
        return {"ended": "time"}
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or [""])[-1]
        return {"ended": "failed", "message": said or f"exit code {done.returncode}"}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    # Peers stop at the time limit by themselves.
    if found.get("claims", 1.0) < 1.0 and found["seconds"] >= 0.9 * limit:
        return {"ended": "time"}
    return found


def run_line(line: Line, axis: str, sizes: tuple[int, ...], given: argparse.Namespace) -> dict[str, Any]:
    """A contender along an axis, up to where it ends."""
    figures: dict[str, Any] = {
        "contender": line.name,
        "problem": line.problem,
        "kind": line.kind,
        "optimal": line.optimal,
        "axis": axis,
        "cases": [],
        "end": None,
    }
    interpreters = (sys.executable,) if line.ours else given.python
    interpreter, about = find_interpreter(line.module, interpreters)
    if interpreter is None:
        return {**figures, "end": {"size": sizes[0], "ended": "not installed", "message": about}}
    figures |= {key: json.loads(about)[key] for key in ("cores", "versions")}
    for size in sizes:
        found = run_case(line, interpreter, axis, size, given.limit)
        if "ended" in found:
            figures["end"] = {"size": size, **found}
            break
        figures["cases"].append({"size": size, **found})
    return figures


def disagreements(lines: list[dict[str, Any]]) -> list[str]:
    """Give every answer its loss to the best of its kind, and say which are not what they should be."""
    best: dict[tuple[Any, ...], float] = {}
    cases = [(line, case) for line in lines for case in line["cases"]]
    for line, case in cases:
        place = line["problem"], line["kind"], line["axis"], case["size"]
        if case["feasible"] == 1.0:
            best[place] = max(best.get(place, -float("inf")), case["value"])
    wrong = []
    for line, case in cases:
        place = line["problem"], line["kind"], line["axis"], case["size"]
        what = f"{line['contender']} at {' '.join(map(str, place))}"
        if case["feasible"] < 1.0:
            wrong.append(f"{what}: infeasible")
            continue
        case["loss"] = (best[place] - case["value"]) / best[place]
        if line["optimal"] and case["loss"] > AGREEMENT:
            wrong.append(f"{what}: loses {case['loss']:.1e}")
        if case["bound"] is not None and case["bound"] < best[place] * (1 - AGREEMENT):
            wrong.append(f"{what}: its bound is wrong by {1 - case['bound'] / best[place]:.1e}")
    return wrong


def measured(
    plan: Plan, given: argparse.Namespace, keep: Callable[[dict[str, Any]], object] | None = None
) -> dict[str, Any]:
    """Every line along every axis; `keep` is told what there is so far."""
    begin, busy = time.perf_counter(), [os.getloadavg()[0]]
    lines: list[dict[str, Any]] = []
    figures: dict[str, Any] = {}
    for axis in plan.compiled:
        for line in LINES:
            if given.contenders and line.name not in given.contenders:
                continue
            sizes = plan.compiled if line.module in COMPILING else plan.others
            lines.append(run_line(line, axis, sizes[axis], given))
            busy.append(os.getloadavg()[0])
            show(lines[-1])
            figures = {
                "limit": given.limit,
                "memory": MEMORY,
                "minutes": round((time.perf_counter() - begin) / 60, 1),
                "load": {"least": min(busy), "mean": round(sum(busy) / len(busy), 2), "most": max(busy)},
                "versions": versions([{"rows": lines}]),
                "disagreements": disagreements(lines),
                "lines": lines,
            }
            if keep is not None:
                keep(figures)
    return figures


def show(line: dict[str, Any]) -> None:
    """Print a line as it ends."""
    sizes = "  ".join(f"{case['size']:,}: {case['seconds']:.2g} s" for case in line["cases"])
    end = "" if line["end"] is None else f"  ended at {line['end']['size']:,} ({line['end']['ended']})"
    print(f"{line['axis']:9s}{line['problem']:5s}{line['contender']:20s}{sizes}{end}", flush=True)


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Seconds and memory against projects, budget and batch.")

    def words(text: str) -> tuple[str, ...]:
        return tuple(w.strip() for w in text.split(",") if w.strip())

    parser.add_argument("--quick", action="store_true", help="two small sizes; saves nothing")
    parser.add_argument("--contenders", type=words, default=(), help="these alone; saves nothing")
    parser.add_argument("--limit", type=float, default=10.0, help="the most seconds for one size")
    parser.add_argument("--page", action="store_true", help="only print what was saved as tables")
    parser.add_argument("--figure", action="store_true", help="only draw what was saved")
    interpreters = os.environ.get("BENCHMARK_PYTHON", sys.executable)
    parser.add_argument("--python", default=interpreters, help="interpreters that have the peers")
    options = parser.parse_args(given)
    known = {line.name for line in LINES}
    if unknown := set(options.contenders) - known:
        parser.error(f"unknown contender {min(unknown)}, expected one of {', '.join(sorted(known))}")
    options.python = tuple(options.python.split(os.pathsep))
    return options


def main() -> None:
    """Measure, check, print, save; or show what was saved."""
    from benchmarks import scaling_page

    given = arguments()
    if given.page or given.figure:
        figures = json.loads((RESULTS / "scaling.json").read_text())
        print(scaling_page.tables(figures) if given.page else f"drew {scaling_page.draw(figures)}")
        return
    saves = not given.quick and not given.contenders
    keep = partial(save, "scaling") if saves else None
    figures = measured(QUICK if given.quick else FULL, given, keep)
    for what in figures["disagreements"]:
        print(f"disagrees: {what}")
    if saves:
        print(f"drew {scaling_page.draw(figures)}")
    print(f"{figures['minutes']} minutes")


if __name__ == "__main__":
    main()
