"""A study of a hundred million portfolios, from the command to its summary: `engine sweep` as users call it.

    python -m benchmarks.long_run               on a GPU, a minute or two: results/long_run.json
    python -m benchmarks.long_run --thousandth  as many thousandths: for trying it out, nothing saved

Ten budgets of the scenario big_tech, twenty power-law projects each, drawn, allocated by cutoff in
float32, measured, reduced and stored. The means are held against those of the first portfolios of each
budget, solved in float64 by another process on the CPU: their difference in standard errors.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import RESULTS, machine
from engine.simulation.summaries import standard_error
from engine.study.study import Study

BUDGETS = [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]
PORTFOLIOS, SAMPLE = 10 * (1 << 20), 1 << 14


def sweep(folder: Path, portfolios: int, dtype: str, **environment: str) -> float:
    """Run the command; the seconds that it took."""
    call = "from engine.cli.main import main; main()"
    keys = {
        "scenario": "big_tech",
        "solver": "cutoff",
        "sweep.grid.budget": str(BUDGETS),
        "run.portfolios": portfolios,
        "run.dtype": dtype,
        "run.output": folder,
    }
    command = [sys.executable, "-c", call, "sweep", *(f"{key}={value}" for key, value in keys.items())]
    begin = time.perf_counter()
    subprocess.run(command, check=True, env=os.environ | environment)
    return time.perf_counter() - begin


def means(study: Study) -> dict[int, dict[str, float]]:
    """Count, mean and standard error of the value at each budget, and the share that was proved."""
    of = {(int(found.settings["budget"]), found.metric): found.summary for found in study.found}
    return {
        budget: {
            "count": float(of[budget, "value"].count),
            "mean": float(of[budget, "value"].mean),
            "error": standard_error(of[budget, "value"]),
            "proved": float(of[budget, "proved"].mean),
        }
        for budget in BUDGETS
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Time a study of a hundred million portfolios.")
    parser.add_argument("--thousandth", action="store_true", help="a thousandth of the size")
    parser.add_argument("--output", type=Path, default=RESULTS / "long_run.json")
    given = parser.parse_args()
    portfolios, sample = (PORTFOLIOS // 1024, 1024) if given.thousandth else (PORTFOLIOS, SAMPLE)
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder) / "large", Path(folder) / "small"
        seconds = sweep(large, portfolios, "float32")
        sweep(small, sample, "float64", JAX_PLATFORMS="cpu")
        study = Study(large)
        found, expected = means(study), means(Study(small))
    total = sum(round(one["count"]) for one in found.values())
    apart = {
        budget: (one["mean"] - expected[budget]["mean"]) / math.hypot(one["error"], expected[budget]["error"])
        for budget, one in found.items()
    }
    figures = {
        "device": study.manifest.device,
        "block": study.manifest.block,
        "portfolios": total,
        "seconds": seconds,
        "per_second": total / seconds,
        "proved": min(one["proved"] for one in found.values()),
        "standard_errors_apart": max(map(abs, apart.values())),
    }
    print(json.dumps(figures, indent=2))
    assert total == portfolios * len(BUDGETS), "portfolios were left out"
    assert figures["standard_errors_apart"] < 5, f"means differ: {apart}"
    if not given.thousandth:
        given.output.write_text(json.dumps({"machine": machine(), **figures}, indent=2) + "\n")


if __name__ == "__main__":
    main()
