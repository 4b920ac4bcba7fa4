"""Published 0/1 knapsacks, whose optima are known: all right, all proved, how fast?

    python -m benchmarks.knapsacks FOLDER              every file in FOLDER; results/knapsacks.json
    python -m benchmarks.knapsacks --page              results/knapsacks.json as the table of a page

A file holds the number of items and the capacity, then a worth and a cost a line; its optimum is in a file of
the same name in the folder FOLDER-optimum. The instances knapPI_1, 2 and 3 (uncorrelated, weakly and strongly
correlated; Pisinger 2005, "Where are the hard knapsack problems?") are handed around in this form, of 100 to
10,000 items. The peer is OR-Tools' own knapsack solver, by branch and bound; it runs in the last Python that
BENCHMARK_PYTHON names, or in this one. Seconds are of the best of `ROUNDS` warm calls; the peer has `LIMIT`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import engine
from benchmarks.machine import RESULTS, save

ROUNDS, LIMIT = 3, 60

PEER = """
import json, sys, time
from importlib.metadata import version
from ortools.algorithms.python import knapsack_solver as knapsack
rounds, limit, path = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
worth, cost, capacity = json.load(open(path))
seconds = []
for _ in range(rounds):
    kind = knapsack.SolverType.KNAPSACK_MULTIDIMENSION_BRANCH_AND_BOUND_SOLVER
    solver = knapsack.KnapsackSolver(kind, "one")
    solver.set_time_limit(limit)
    begin = time.perf_counter()
    solver.init(worth, [cost], [capacity])
    value = solver.solve()
    seconds.append(time.perf_counter() - begin)
    if seconds[-1] > limit:
        break
done = solver.is_solution_optimal() and min(seconds) <= limit
print(json.dumps([value, bool(done), min(seconds), version("ortools")]))
"""


def read(path: Path) -> tuple[np.ndarray, np.ndarray, float, float]:
    """(worth, cost, capacity, the published optimum) of one file."""
    numbers = np.array(path.read_text().split(), float)
    count = int(numbers[0])
    items = numbers[2 : 2 + 2 * count].reshape(count, 2)
    optimum = float((path.parent.with_name(f"{path.parent.name}-optimum") / path.name).read_text().split()[0])
    return items[:, 0], items[:, 1], float(numbers[1]), optimum


def ours(worth: np.ndarray, cost: np.ndarray, capacity: float) -> tuple[engine.Allocation, float]:
    """Our answer, and the seconds of the best warm call."""
    curves = engine.Tabulated(np.stack([0.0 * worth, worth], axis=1))
    portfolio = engine.Portfolio(curves, cost=cost, upper=np.ones_like(worth))
    seconds = []
    for _ in range(1 + ROUNDS):
        begin = time.perf_counter()
        found = engine.allocate(portfolio, capacity)
        seconds.append(time.perf_counter() - begin)
    return found, min(seconds[1:])


def theirs(
    worth: np.ndarray, cost: np.ndarray, capacity: float, folder: Path
) -> tuple[float, bool, float, str]:
    """The peer's (value, whether it ended, seconds, version)."""
    path = folder / "instance.json"
    path.write_text(json.dumps([worth.astype(int).tolist(), cost.astype(int).tolist(), int(capacity)]))
    python = os.environ.get("BENCHMARK_PYTHON", sys.executable).split(":")[-1]
    command = [python, "-c", PEER, str(ROUNDS), str(LIMIT), str(path)]
    value, done, seconds, version = json.loads(
        subprocess.run(command, check=True, capture_output=True).stdout
    )
    return value, done, seconds, version


def measure(files: list[Path], folder: Path) -> dict[str, Any]:
    """A row a file."""
    rows, version = [], ""
    for path in files:
        worth, cost, capacity, optimum = read(path)
        found, seconds = ours(worth, cost, capacity)
        value, done, peer_seconds, version = theirs(worth, cost, capacity, folder)
        rows.append(
            {
                "instance": path.name,
                "items": worth.size,
                "capacity": capacity,
                "optimum": optimum,
                "value": float(found.value),
                "proved": bool(found.proved),
                "seconds": seconds,
                "peer_value": value,
                "peer_ended": done,
                "peer_seconds": peer_seconds,
            }
        )
        print(rows[-1], flush=True)
    return {"ortools": version, "limit": LIMIT, "rows": rows}


def page(figures: dict[str, Any]) -> str:
    """The table of a page."""
    lines = [
        "| instance | items | capacity | optimum | `exact` | ms | OR-Tools, ms |",
        "| --- |" + " ---: |" * 6,
    ]
    for row in figures["rows"]:
        verdict = "proved" if row["proved"] and np.isclose(row["value"], row["optimum"], rtol=1e-6) else "no"
        peer = (
            f"{1e3 * row['peer_seconds']:.3g}" if row["peer_ended"] else f"over {1e3 * figures['limit']:,.0f}"
        )
        lines.append(
            f"| {row['instance']} | {row['items']:,} | {row['capacity']:,.0f} | {row['optimum']:,.0f} | "
            f"{verdict} | {1e3 * row['seconds']:.3g} | {peer} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, or show what was measured."""
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--page", action="store_true")
    arguments = parser.parse_args()
    if arguments.page:
        print(page(json.loads((RESULTS / "knapsacks.json").read_text())))
        return
    files = sorted(arguments.folder.iterdir(), key=lambda path: (path.stat().st_size, path.name))
    with tempfile.TemporaryDirectory() as folder:
        print(save("knapsacks", measure(files, Path(folder))))


if __name__ == "__main__":
    main()
