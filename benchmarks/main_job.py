"""Seconds and peak memory of the whole default job, from the command to the printed table.

    python -m benchmarks.main_job              10,000 and 100,000 portfolios; results/main_job.json

Each run is a fresh process with nothing compiled before.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import save

# The child reports its own peak, so that one run's does not hide behind another's.
CHILD = """
import resource, sys
from engine.cli.main import main
sys.argv = ["engine", *sys.argv[1:]]
main()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, file=sys.stderr)
"""


def measure(*arguments: str) -> dict[str, Any]:
    """Seconds and MiB of one `engine run`."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", CHILD, "run", f"run.output={Path(folder) / 'out'}", *arguments]
        begin = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return {
            "arguments": list(arguments),
            "seconds": round(time.perf_counter() - begin, 1),
            "peak_mib": round(float(done.stderr.strip().splitlines()[-1])),
        }


def main() -> None:
    """Measure, print, save."""
    runs = [measure(), measure("run.portfolios=100000")]
    growth = runs[1]["peak_mib"] / runs[0]["peak_mib"]
    for run in runs:
        print(f"{' '.join(run['arguments']) or 'default':30s}{run['seconds']:8.1f} s{run['peak_mib']:8d} MiB")
    print(f"ten times the portfolios take {growth:.3f} times the memory")
    print(f"saved {save('main_job', {'runs': runs, 'memory_growth': round(growth, 3)})}")


if __name__ == "__main__":
    main()
