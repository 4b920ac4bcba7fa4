"""What a GPU makes of the solvers: rates beside the floors of its own memory and arithmetic.

    scripts/gpu_benchmark               all of it on a bare machine without a network, the tests first
    python -m benchmarks.gpu --cores --output CORES     with JAX_PLATFORMS=cpu: the same on a CPU's cores
    python -m benchmarks.gpu --beside CORES             on a GPU: results/gpu.json
    python -m benchmarks.gpu --quick    a few small cases, a minute on any machine, nothing saved

First all cases are compiled, as many at a time as there are cores, and the machine is measured
(benchmarks/ceilings.py). Then each case of the grid solver × (N, B) × batch × dtype: seconds a batch, the
median of `REPEATS` after a warm-up, over as many batches drawn apart as exceed the cache, beside its floor
(benchmarks/floors.py). The last answer timed is checked, on a sample of its portfolios, against float64 on
the CPU. Cases come in order of interest, and none begins after `--seconds`. A case that fails or is wrong is
told, makes the exit status 1, and stops no other.

With `--cores`, each core of a CPU runs batches of its own in a thread, the same code as compiled for a CPU.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import engine
from benchmarks.ceilings import REPEATS, measure_machine, median_seconds, rates_of
from benchmarks.floors import FAMILIES as COUNTED
from benchmarks.floors import floor_seconds, inputs, limit, work_of
from benchmarks.machine import RESULTS, machine
from engine.allocation.allocate import choose_lattice
from engine.allocation.running import cores, in_threads
from engine.model.keys import portfolio_key
from engine.model.portfolio import Portfolio
from engine.simulation.blocks import Simulation
from engine.simulation.config import FamilyConfig, PriorConfig, ScenarioConfig, absent
from engine.simulation.point import Point
from engine.simulation.scenarios import Scenario, build_scenario
from engine.solvers.exact import by_programme
from engine.solvers.lattice import Lattice
from engine.solvers.registry import SOLVERS
from engine.solvers.solution import Solution, conclude

# Portfolios of each answer that are checked; blocks of a whole run, and how often it is run.
SAMPLE, BLOCKS, RUNS = 256, 16, 5
# A case that would take longer than this, going by a smaller batch, is left out.
PATIENCE_SECONDS = 30.0
# Bytes that no cache holds.
PAST_THE_CACHE = {"gpu": 256 << 20, "cpu": 8 << 20}
# Relative, of values and bounds. A float32 sum of fifty returns is good to (50 + 8)·6e-8 of itself, and a
# unit that rounding puts elsewhere loses less; in float64 the same is 1e-14, and transcendental functions of
# two machines differ as much. The relaxation stops at 1e-6.
TOLERANCE = {"float32": 1e-5, "float64": 1e-9}
OWN_TOLERANCE = {"relaxation": 1e-5}
HEADLINE = (20, 300)


@dataclass(frozen=True)
class Case:
    """One line of the grid."""

    solver: str
    dtype: str
    projects: int
    budget: int
    batch: int

    @property
    def family(self) -> str:
        """S-shaped curves for the exact solvers, concave ones for the rest."""
        return "hill" if self.solver in ("exact", "programme") else "log"

    @property
    def tolerance(self) -> float:
        """Relative, of values."""
        return max(TOLERANCE[self.dtype], OWN_TOLERANCE.get(self.solver, 0.0))


FIRST, REST = (
    ("draw + cutoff", "cutoff", "draw"),
    ("monte carlo", "greedy", "waterfilling", "relaxation"),
)
BOTH = ("float32", "float64")


def grid(quick: bool) -> Iterator[Case]:
    """The cases, the most interesting first."""
    if quick:
        yield from (Case(solver, dtype, *HEADLINE, 1024) for solver in FIRST for dtype in BOTH)
        yield from (Case(solver, "float64", *HEADLINE, 1024) for solver in (*REST, "exact"))
        yield Case("programme", "float64", *HEADLINE, 64)
        return
    for batch in (1 << 19, 1 << 16, 1 << 21):
        yield from (Case(solver, dtype, *HEADLINE, batch) for solver in (*FIRST, *REST) for dtype in BOTH)
        if batch == 1 << 19:  # proved in float64, whatever the portfolio's dtype
            yield from (Case("exact", "float64", *HEADLINE, count) for count in (1 << 16, 1 << 18))
            yield from (Case("programme", dtype, *HEADLINE, 1 << 16) for dtype in BOTH)
    for size in ((50, 1000), (5, 100)):
        yield from (Case(solver, dtype, *size, 1 << 18) for solver in (*FIRST, *REST) for dtype in BOTH)
        yield Case("exact", "float64", *size, 1 << 15)


def cores_grid() -> Iterator[Case]:
    """Those that are run on all cores of a CPU: what a core has at once fits its cache or nearly."""
    yield from (Case(solver, dtype, *HEADLINE, 1 << 14) for solver in (*FIRST, *REST) for dtype in BOTH)
    yield Case("exact", "float64", *HEADLINE, 1 << 12)
    yield from (Case("programme", dtype, *HEADLINE, 1 << 8) for dtype in BOTH)


# The solvers.


def scenario(family: str, projects: int, budget: int) -> Scenario:
    """Logarithmic curves as benchmarks/throughput.py draws them, or Hill curves as the peers have them."""
    share = budget / projects
    if family == "log":
        scale = PriorConfig("loguniform", low=0.3, high=3.0)
        rate = PriorConfig("loguniform", low=0.02, high=1.0)
        parameters, weight = {"scale": scale, "rate": rate}, absent()
    else:
        weight = PriorConfig("lognormal", median=1.0, sigma=0.5)
        half = PriorConfig("loguniform", low=0.5 * share, high=4.0 * share)
        parameters = {"scale": weight, "half": half, "exponent": PriorConfig("uniform", low=1.0, high=4.0)}
    config = ScenarioConfig(name=family, projects=projects, budget=budget, weight=weight)
    config.curves = {family: FamilyConfig(1.0, parameters)}
    return build_scenario(config)


def solver_of(name: str, lattice: Lattice) -> Callable[[Portfolio, Array], Solution]:
    """A solver by name, or the full programme alone."""
    if name != "programme":
        return partial(SOLVERS[name].solve, lattice=lattice)

    def programme(portfolio: Portfolio, budget: Array) -> Solution:
        zero = jnp.zeros_like(budget)
        answer = by_programme(portfolio, budget, zero, zero, portfolio.lowers(), lattice)
        return conclude(portfolio, budget, answer.effort, zero, answer.bound)

    return programme


class Bench:
    """A case, lowered; once compiled and placed, with its inputs on the device: batches that together exceed
    the cache. `threads` run batches of their own at the same time."""

    def __init__(self, case: Case, threads: int = 1) -> None:
        self.case, self.threads = case, threads
        self.source = jax.device_put(scenario(case.family, case.projects, case.budget))
        self.lattice = choose_lattice(["exact"], case.budget, case.projects)
        self.budget = jnp.asarray(case.budget, case.dtype)

        def draw(source: Scenario, index: Array) -> Portfolio:
            return source.draw(portfolio_key(0, index), np.dtype(case.dtype))

        self.draw = jax.jit(jax.vmap(draw, in_axes=(None, 0)))
        size = inputs(COUNTED[case.family], case.projects, np.dtype(case.dtype).itemsize).bytes * case.batch
        self.sets = max(2, threads, int(-(-PAST_THE_CACHE[jax.default_backend()] // size)))
        if case.solver == "draw":
            run, self.inputs = self.draw, lambda rows: (self.source, rows)
        elif case.solver == "draw + cutoff":
            solve = solver_of("cutoff", self.lattice)
            fused = jax.vmap(lambda source, index, b: solve(draw(source, index), b), in_axes=(None, 0, None))
            run, self.inputs = jax.jit(fused), lambda rows: (self.source, rows, self.budget)
        else:
            run = jax.jit(jax.vmap(solver_of(case.solver, self.lattice), in_axes=(0, None)))
            self.inputs = lambda rows: (self.draw(self.source, rows), self.budget)
        rows = jax.ShapeDtypeStruct((case.batch,), np.uint32)
        self.lowered = run.lower(*jax.eval_shape(self.inputs, rows))

    def compile(self) -> Bench:
        begin = time.perf_counter()
        self.compiled = self.lowered.compile()
        self.compile_seconds = time.perf_counter() - begin
        return self

    def place(self) -> None:
        """Draw the batches, and run one."""
        indices = [jax.device_put(self.rows(turn)) for turn in range(self.sets)]
        self.given = [jax.block_until_ready(self.inputs(index)) for index in indices]
        self.start(0)

    def rows(self, turn: int) -> np.ndarray:
        """The portfolios of the batch of this turn, by index."""
        return (turn % self.sets * self.case.batch + np.arange(self.case.batch)).astype(np.uint32)

    def start(self, turn: int) -> Any:
        """Start the batches of this turn, one a thread."""
        if self.threads == 1:
            self.turn, self.last = turn, self.compiled(*self.given[turn % self.sets])
            return self.last
        turns = [self.threads * turn + thread for thread in range(self.threads)]

        def run(turn: int) -> Any:
            return jax.block_until_ready(self.compiled(*self.given[turn % self.sets]))

        self.turn, self.last = turns[-1], in_threads(run, turns, self.threads)[-1]
        return self.last

    def check(self) -> dict[str, float]:
        """How far the last answer is from float64 on the CPU, on a sample of it."""
        case, some = self.case, np.linspace(0, self.case.batch - 1, min(SAMPLE, self.case.batch)).astype(int)
        answer = jax.tree.map(lambda a: np.asarray(a[some]), self.last)
        rows = self.rows(self.turn)[some]
        if case.solver == "draw":
            with on_cpu():
                drawn = self.draw(scenario(case.family, case.projects, case.budget), rows)
            pairs = zip(jax.tree.leaves(answer), jax.tree.leaves(drawn), strict=True)
            return {"draw": max(worst(a, np.asarray(b)) for a, b in pairs)}
        drawn = self.draw(self.source, jax.device_put(rows))
        return check_answer(case, jax.tree.map(lambda a: np.asarray(a, np.float64), drawn), answer)


def on_cpu() -> Any:
    """Where references are computed."""
    return jax.default_device(jax.devices("cpu")[0])


def worst(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest relative difference; infinite where something is no number."""
    found, expected = np.asarray(found, float), np.asarray(expected, float)
    difference = np.abs(found - expected) / np.maximum(np.abs(expected), np.finfo(float).tiny)
    return float(np.max(np.where(np.isfinite(found), difference, np.inf)))


def check_answer(case: Case, portfolios: Portfolio, answer: Solution) -> dict[str, float]:
    """Worst relative differences: of the value from that of its own effort, and from the reference's; of the
    bound, as far as it lies below a value or above the reference's; and by how much effort breaks the budget,
    zero, or whole units."""
    solver = {"programme": "exact", "draw + cutoff": "cutoff", "monte carlo": "cutoff"}
    with on_cpu(), jax.enable_x64(True):
        expected = engine.allocate(portfolios, float(case.budget), solver.get(case.solver, case.solver))
        effort = np.asarray(answer.effort, np.float64)
        own = np.asarray(portfolios.value(effort))
    spent = np.sum(effort, axis=-1) / case.budget - 1.0
    broken = max(float(np.max(spent)), -float(np.min(effort)), 0.0)
    if case.solver != "waterfilling":
        broken = max(broken, float(np.max(np.abs(effort - np.round(effort)))))
    scale = np.abs(expected.bound)
    below = np.maximum(expected.value, answer.value) - answer.bound
    # A bound is rounded outwards, in its own dtype.
    outwards = 4 * (case.projects + 8) * float(np.finfo(case.dtype).eps)
    above = (answer.bound - expected.bound) / scale - outwards
    return {
        "own_value": worst(answer.value, own),
        "value": worst(answer.value, expected.value),
        "bound": max(float(np.max(below / scale)), float(np.max(above)), 0.0),
        "effort": broken,
        "unsolved": float(np.sum(answer.status != 0)),
    }


def time_monte_carlo(case: Case) -> dict[str, Any]:
    """A whole run: blocks of this size drawn, solved, measured and reduced, as `engine run` does."""
    source = scenario(case.family, case.projects, case.budget)
    lattice = choose_lattice(["cutoff"], case.budget, case.projects)
    count, kind = BLOCKS * case.batch, np.dtype(case.dtype)
    with jax.enable_x64(True):
        point = Point(source, float(case.budget), {"cutoff": {}}, lattice, 0, count, case.batch, kind)
        simulation = Simulation(point)
        few = replace(point, portfolios=min(SAMPLE, case.batch))
        (block,) = simulation.blocks([(few, 0)])
        drawn = jax.tree.map(lambda a: np.asarray(a[: few.portfolios], float), simulation.draw((few, 0)))
        seconds, units = [], [(point, index) for index in range(BLOCKS)]
        for _ in range(RUNS):
            begin = time.perf_counter()
            done = sum(block.count for block in simulation.in_turn(units))
            seconds.append((time.perf_counter() - begin) / BLOCKS)
        assert done == count, "a run left portfolios out"
    with on_cpu():
        expected = engine.allocate(drawn, float(case.budget), "cutoff")
    summaries = block.summaries["cutoff"]
    mean = {name: float(np.mean(getattr(expected, name))) for name in ("value", "bound")}
    below = (mean["value"] - float(summaries["bound"].mean)) / mean["bound"]
    check = {"value": worst(summaries["value"].mean, mean["value"]), "bound": max(below, 0.0)}
    check["unsolved"] = float(block.failed["cutoff"])
    return timing(case, statistics.median(seconds), BLOCKS, simulation.compile_seconds, check) | {
        "spread": (max(seconds) - min(seconds)) / statistics.median(seconds)
    }


def timing(
    case: Case, seconds: float, calls: int, compile_seconds: float, check: dict[str, float]
) -> dict[str, Any]:
    """What is noted of every case; `seconds` are those of one batch."""
    wrong = [name for name, size in check.items() if not size <= case.tolerance]
    return {
        "calls": calls,
        "seconds": seconds,
        "per_second": case.batch / seconds,
        "compile_seconds": compile_seconds,
        "check": check,
        "wrong": wrong,
    }


def prepare(cases: list[Case], threads: int) -> dict[Case, Future[Bench]]:
    """The cases being compiled, as many at a time as there are cores; a whole run compiles itself."""
    pool = ThreadPoolExecutor(cores())

    def compiled(bench: Bench) -> Bench:
        with jax.enable_x64(bench.case.dtype == "float64"):
            return bench.compile()

    def begun(case: Case) -> Future[Bench]:
        with jax.enable_x64(case.dtype == "float64"):
            return pool.submit(compiled, Bench(case, threads))

    return {case: begun(case) for case in cases if case.solver != "monte carlo"}


def time_case(case: Case, prepared: dict[Case, Future[Bench]]) -> dict[str, Any]:
    """Time and check one case."""
    if case.solver == "monte carlo":
        return time_monte_carlo(case)
    bench = prepared.pop(case).result()
    with jax.enable_x64(case.dtype == "float64"):
        bench.place()
        seconds, spread, calls = median_seconds(bench.start)
        check = bench.check()
    about = {"spread": spread, "sets": bench.sets, "threads": bench.threads}
    return timing(case, seconds / bench.threads, calls, bench.compile_seconds, check) | about


def with_floor(case: Case, found: dict[str, Any], ceilings: dict[str, Any]) -> dict[str, Any]:
    """The case, its floor, which limit that is, and the share of it that is reached."""
    rates = rates_of(ceilings, case.dtype)
    work = work_of(case.solver, case.family, case.projects, case.budget, np.dtype(case.dtype).itemsize)
    least = floor_seconds(work, rates)
    share = least * found["per_second"]
    about = {"floor_per_second": 1 / least, "limit": limit(work, rates), "share_of_floor": share}
    return asdict(case) | {"family": case.family} | found | about


# What is printed and kept.


def line(found: dict[str, Any]) -> str:
    """One case as it is done."""
    what = f"{found['solver']:17s}{found['dtype']:8s}"
    what += f"{found['projects']:4d}{found['budget']:6d}{found['batch']:9d}"
    if "error" in found:
        return f"{what}  failed: {found['error']}"
    wrong = f"  WRONG: {', '.join(found['wrong'])}" if found["wrong"] else ""
    return (
        f"{what}{found['per_second']:14,.0f}/s ±{found['spread'] / 2:5.1%}{found['share_of_floor']:8.2%} of "
        f"{found['limit']:10s}{max(found['check'].values()):9.1e}{found['compile_seconds']:6.1f} s{wrong}"
    )


def best_of(cases: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """The best batch of each solver and dtype at N=20, B=300."""
    best: dict[tuple[str, str], dict[str, Any]] = {}
    for found in cases:
        key = found["solver"], found["dtype"]
        if (found["projects"], found["budget"]) == HEADLINE and "error" not in found:
            best[key] = max(best.get(key, found), found, key=lambda one: one["per_second"])
    return best


def table(cases: list[dict[str, Any]], beside: list[dict[str, Any]]) -> str:
    """Of the best batch of each solver: portfolios a second, the share of the floor, and how many times the
    rate of all cores of the CPU that is."""
    best, cores_best = best_of(cases), best_of(beside)
    head = "".join(f"{dtype + '/s':>15s}{'of floor':>9s}{'× cores':>8s}" for dtype in BOTH)
    lines = [f"{'N=20, B=300':18s}{head}  worst"]
    for solver in dict.fromkeys(solver for solver, _ in best):
        row, errors = f"{solver:18s}", []
        for dtype in BOTH:
            found = best.get((solver, dtype))
            core = cores_best.get((solver, dtype))
            ratio = f"{found['per_second'] / core['per_second']:8.1f}" if found and core else f"{'':8s}"
            row += (
                f"{found['per_second']:15,.0f}{found['share_of_floor']:9.2%}{ratio}" if found else f"{'':32s}"
            )
            errors += [max(found["check"].values())] if found else []
        lines.append(f"{row}{max(errors):9.0e}")
    return "\n".join(lines)


def report_machine(ceilings: dict[str, Any]) -> str:
    """The ceilings in two lines."""
    rates = "".join(
        f"; {dtype} {ceilings[dtype]['flops'] / 1e9:,.0f} Gflop/s, "
        f"{ceilings[dtype]['pairs'] / 1e9:,.0f} G pairs/s"
        for dtype in ("float32", "float64")
    )
    seconds = {name: 1e6 * size for name, size in ceilings["seconds"].items()}
    return (
        f"copies {ceilings['bandwidth'] / 1e9:,.0f} GB/s{rates}\n{ceilings['mixes'] / 1e9:,.0f} G mixes/s; "
        f"a call {seconds['call']:.0f} µs, a step of a loop {seconds['loop_step']:.2f} µs"
    )


def foreseen(case: Case, done: list[dict[str, Any]]) -> float:
    """Seconds that a case will take, going by the same at another batch; 0 if there is none."""

    def alike(found: dict[str, Any]) -> bool:
        return all(found[key] == getattr(case, key) for key in ("solver", "dtype", "projects"))

    rates = [found["per_second"] for found in done if "error" not in found and alike(found)]
    return (REPEATS + 2) * case.batch / min(rates) if rates else 0.0


def run(
    prepared: tuple[list[Case], dict[Case, Future[Bench]]],
    ceilings: dict[str, Any],
    until: float,
    keep: Callable[[Any, Any], None],
) -> list[dict[str, Any]]:
    """Time case after case; `keep` is told of each."""
    cases, benches = prepared
    done: list[dict[str, Any]] = []
    left_out: list[dict[str, Any]] = []
    for case in cases:
        if time.perf_counter() > until or foreseen(case, done) > PATIENCE_SECONDS:
            left_out.append(asdict(case))
            benches.pop(case, None)
            continue
        try:
            done.append(with_floor(case, time_case(case, benches), ceilings))
        except Exception as error:  # one case that fails stops no other
            message = (str(error).splitlines() or [""])[0][:200]
            done.append(asdict(case) | {"family": case.family, "error": f"{type(error).__name__}: {message}"})
        print(line(done[-1]), flush=True)
        keep(done, left_out)
    if left_out:
        print(f"{len(left_out)} of {len(cases)} cases left out for time")
    return done


def main() -> None:
    """Measure the machine, time the grid, keep the figures, print a table."""
    parser = argparse.ArgumentParser(description="Time the solvers on a GPU, beside their floors.")
    parser.add_argument("--quick", action="store_true", help="a few small cases")
    parser.add_argument("--cores", action="store_true", help="on a CPU: the same code in a thread a core")
    parser.add_argument("--beside", type=Path, help="what --cores saved on the same machine")
    parser.add_argument("--seconds", type=float, default=450.0, help="after which no case begins")
    parser.add_argument("--output", type=Path, help="a JSON file; on a GPU benchmarks/results/gpu.json")
    given = parser.parse_args()
    begin = time.perf_counter()
    beside = json.loads(given.beside.read_text()) if given.beside else {"cases": []}
    backend, devices = jax.default_backend(), jax.devices()
    output = given.output or (RESULTS / "gpu.json" if backend == "gpu" and not given.quick else None)
    device = {"platform": backend, "kind": devices[0].device_kind, "count": len(devices)}
    name = f"{device['count']} × {device['kind']}"
    print(name if backend == "gpu" else f"{name}: a CPU, so these are no figures of a GPU")
    cases = list(cores_grid() if given.cores and not given.quick else grid(given.quick))
    benches = prepare(cases, cores() if given.cores else 1)
    wait(benches.values())
    ceilings = measure_machine()
    print(f"compiled in {time.perf_counter() - begin:.0f} s\n{report_machine(ceilings)}", flush=True)
    figures = {"device": device, "ceilings": ceilings, "tolerance": TOLERANCE, "sample": SAMPLE}

    def keep(done: list[Any], left_out: list[Any]) -> None:
        if output is not None:
            whole = {"machine": machine(), **figures, "cases": done, "left_out": left_out, "cores": beside}
            output.write_text(json.dumps(whole, indent=2) + "\n")

    done = run((cases, benches), ceilings, begin + given.seconds, keep)
    if output is not None:
        print(f"saved {output}")
    bad = [found for found in done if found.get("error") or found.get("wrong")]
    print(f"\n{name}\n{report_machine(ceilings)}\n{table(done, beside['cases'])}")
    print(f"{len(done) - len(bad)} of {len(done)} cases right within {TOLERANCE}")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
