"""What a sweep costs beside its solvers: rate, memory, scaling, start-up.

    python -m benchmarks.sweep          a million portfolios, N=20, B=300, 20 points; results/sweep.json

The bare rate is that of drawing and solving such blocks, side by side as a sweep does, with no statistics,
no store and no progress, before and after the sweep. Every sweep is a process of its own; compiled code comes
from a cache that the first one fills.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax

from benchmarks.machine import save

POINTS, BLOCK = 20, 10_000
SWEEP = (
    *("scenario=research_lab", "scenario.projects=20", "budget=300", "solver=[cutoff,bound]"),
    *(f"sweep.grid.scenario.skew={{linear: [0, 2, {POINTS}]}}", f"run.block={BLOCK}"),
)
BARE_BLOCKS = 20
# The child reports its own peak, so that one run's does not hide behind another's.
CHILD = """
import resource, sys
from engine.cli.main import main
sys.argv = ["engine", *sys.argv[1:]]
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, file=sys.stderr)
"""


def start(folder: Path, *arguments: str, cores: str | None = None, **variables: str) -> subprocess.Popen[str]:
    """Begin a sweep."""
    command = [sys.executable, "-c", CHILD, "sweep", *SWEEP, f"run.output={folder}", *arguments]
    pinned = ["taskset", "-c", cores, *command] if cores else command
    environment = {**os.environ, **variables}
    return subprocess.Popen(
        pinned, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    )


def finish(process: subprocess.Popen[str]) -> dict[str, float]:
    """Its rate after compilation, and its peak memory in MiB."""
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    rate = re.search(r"([\d,]+)/s after", errors)
    return {
        "per_second": float(rate[1].replace(",", "")) if rate else 0.0,
        "peak_mib": float(errors.strip().splitlines()[-1]),
    }


def timed(*starts: dict[str, Any]) -> tuple[float, list[dict[str, float]]]:
    """Seconds until all of these sweeps, begun at once, are done."""
    begin = time.perf_counter()
    processes = [start(s["folder"], *s["arguments"], cores=s["cores"]) for s in starts]
    found = [finish(process) for process in processes]
    return time.perf_counter() - begin, found


def bare_rate() -> float:
    """Portfolios per second of drawing and solving alone."""
    from hydra import compose, initialize_config_dir

    from engine.cli.compose import register_schemas
    from engine.files.shipped import config_folder
    from engine.simulation.blocks import Simulation
    from engine.study.plan import plan_sweep, sweep_manifest

    register_schemas()
    marked = [f"++{o}" if o.startswith("sweep.grid") else o for o in SWEEP]
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        config = compose("sweep", [*marked, "run.output=unused", "run.portfolios=50000"])
    with jax.enable_x64(True):
        point = plan_sweep(sweep_manifest(config, lambda _: config)).tasks[0]
        simulation = Simulation(point)

    def solve(block: int) -> None:
        lane = block % len(simulation.lanes)
        device = simulation.lanes[lane]
        with jax.enable_x64(True):
            portfolios = simulation.draw((point, block), lane=lane)
            given = simulation._given(device, point)
            for name, solver in simulation._code[device].solve.items():
                jax.block_until_ready(solver(portfolios, given.budget, *given.numbers[name]))

    with ThreadPoolExecutor(len(simulation.lanes)) as pool:
        list(pool.map(solve, range(2)))
        begin = time.perf_counter()
        list(pool.map(solve, range(BARE_BLOCKS)))
        return BARE_BLOCKS * BLOCK / (time.perf_counter() - begin)


def seconds_to_first_block(folder: Path) -> float:
    """From the command to the first block on the disk."""
    begin = time.perf_counter()
    process = start(folder, "run.portfolios=50000")
    while not (folder / "blocks").exists() or not list((folder / "blocks").rglob("*.parquet")):
        time.sleep(0.01)
        assert process.poll() is None, process.communicate()
    seconds = time.perf_counter() - begin
    process.kill()
    process.communicate()
    return seconds


def main() -> None:
    """Measure, print, save."""
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        finish(start(folder / "warm", "run.portfolios=10000"))
        figures["seconds_to_first_block"] = round(seconds_to_first_block(folder / "first"), 2)

        before = bare_rate()
        small = finish(start(folder / "small", "run.portfolios=10000", "run.block=10000"))
        large = finish(start(folder / "large", "run.portfolios=50000"))
        middle = finish(start(folder / "middle", "run.portfolios=20000"))
        after = bare_rate()
        peaks = {"200,000": small, "400,000": middle, "1,000,000": large}
        bare = (before + after) / 2
        figures |= {
            "bare_per_second": round(bare),
            "sweep_per_second": round(large["per_second"]),
            "share_of_bare": round(large["per_second"] / bare, 3),
            "peak_mib": {n: round(run["peak_mib"]) for n, run in peaks.items()},
        }
        # Devices: the same sweep on one CPU and on four pretended ones, in turn.
        rates: dict[int, list[float]] = {1: [], 4: []}
        for turn in range(3):
            for devices, found in rates.items():
                flags = f"--xla_force_host_platform_device_count={devices}"
                run = start(folder / f"{devices}-{turn}", "run.portfolios=20000", XLA_FLAGS=flags)
                found.append(finish(run)["per_second"])
        middle_of = {devices: sorted(found)[1] for devices, found in rates.items()}
        figures["four_devices_to_one"] = round(middle_of[4] / middle_of[1], 3)
        # Processes: one worker on one core, and two workers on a core each.
        load = ("run.portfolios=50000",)
        one, _ = timed({"folder": folder / "one", "arguments": load, "cores": "0"})
        halves = [(*load, "sweep.workers=2", f"sweep.worker={worker}") for worker in range(2)]
        two, _ = timed(
            *({"folder": folder / "two", "arguments": h, "cores": str(c)} for c, h in enumerate(halves))
        )
        figures |= {"one_worker_seconds": round(one, 1), "two_workers_seconds": round(two, 1)}
        figures["two_workers_to_one"] = round(two / one, 3)
    for key, value in figures.items():
        print(f"{key:28s}{value}")
    print(f"saved {save('sweep', figures)}")


if __name__ == "__main__":
    main()
