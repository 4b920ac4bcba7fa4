"""How long the report of a large study takes, and a drag on the live page.

    python -m benchmarks.pages    about a minute; results/pages.json

The study has 400 points of 64 portfolios by three solvers; its report is written twice, and the second time
counts, since the first may compile. A drag is timed by the live page's browser test, from the change to
the page's changed numbers, exact solver included: 10 projects, budget 300, median of 40 after warming up.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import save

ENGINE = str(Path(sys.executable).parent / "engine")
STUDY = (
    *("sweep", "scenario=staged", "solver=[greedy,density,exact]", "run.portfolios=64", "run.block=64"),
    *("sweep.grid.budget={linear: [20, 210, 20]}", "sweep.grid.scenario.skew={linear: [0, 2, 20]}"),
)
DRAG = re.compile(r"numbers after ([\d.]+) ms, painted after ([\d.]+) ms .* server's part ([\d.]+) ms")


def time_report() -> dict[str, Any]:
    """Seconds and bytes of the report of a study of 400 points."""
    with tempfile.TemporaryDirectory() as folder:
        study = f"{folder}/study"
        subprocess.run([ENGINE, *STUDY, f"run.output={study}"], check=True, capture_output=True)
        for _ in range(2):
            begin = time.perf_counter()
            subprocess.run([ENGINE, "report", f"study={study}"], check=True, capture_output=True)
            seconds = time.perf_counter() - begin
        return {"points": 400, "seconds": seconds, "bytes": (Path(study) / "report.html").stat().st_size}


def time_drag() -> dict[str, float]:
    """Milliseconds of a drag, by the browser test."""
    test = "tests/live/test_server.py::test_the_time_of_a_drag_is_told"
    command = [sys.executable, "-m", "pytest", "-n", "0", "-s", "-m", "browser", test]
    told = subprocess.run(command, capture_output=True, text=True).stdout
    found = DRAG.search(told)
    if found is None:
        raise SystemExit(f"the browser test told no times:\n{told}")
    shown, painted, server = map(float, found.groups())
    return {"numbers_ms": shown, "painted_ms": painted, "server_ms": server}


def main() -> None:
    """Time, print, save."""
    figures: dict[str, Any] = {"report": time_report(), "drag": time_drag()}
    print(figures)
    print(f"saved {save('pages', figures)}")


if __name__ == "__main__":
    main()
