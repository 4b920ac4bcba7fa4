"""Portfolios per second of the greedy allocators against the textbook's Python loop, side by side.

    python -m benchmarks.throughput            N=20, B=300, log curves; results/throughput.json

Every answer is checked against the loop's own before anything is timed. Rates are medians over rounds that
take turns, so that a busy moment of the machine meets all of them; compilation is not counted.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable

import jax
import numpy as np

import engine
from benchmarks.machine import save
from engine.allocation.allocate import choose_lattice
from engine.solvers.registry import SOLVERS

PROJECTS, BUDGET, BATCH = 20, 300, 4096
LOOPS, ROUNDS, SECONDS = 60, 7, 0.3


def python_loop(scale: list[float], rate: list[float]) -> list[int]:
    """The textbook: one unit at a time to the project whose performance it raises most."""
    effort = [0] * len(scale)

    def performance(i: int, x: int) -> float:
        return scale[i] * math.log1p(rate[i] * x)

    for _ in range(BUDGET):
        gains = [performance(i, effort[i] + 1) - performance(i, effort[i]) for i in range(len(effort))]
        effort[gains.index(max(gains))] += 1
    return effort


def numpy_loop(scale: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """The same with the projects as a NumPy vector."""
    effort = np.zeros(len(scale))
    for _ in range(BUDGET):
        effort[np.argmax(scale * np.log1p(rate / (1.0 + rate * effort)))] += 1
    return effort


def draw(dtype: type) -> engine.Portfolio:
    """Random log curves with a spread of scales and rates; the same for every contender."""
    random = np.random.default_rng(0)
    scale = np.exp(random.uniform(np.log(0.3), np.log(3.0), (BATCH, PROJECTS)))
    rate = np.exp(random.uniform(np.log(0.02), np.log(1.0), (BATCH, PROJECTS)))
    return engine.Portfolio(engine.Log(scale.astype(dtype), rate.astype(dtype)))


def contender(name: str, dtype: type) -> Callable[[], engine.Solution]:
    """A solver compiled for the whole batch."""
    portfolio = jax.tree.map(jax.numpy.asarray, draw(dtype))
    lattice = choose_lattice([name], BUDGET, PROJECTS)
    budget = jax.numpy.asarray(BUDGET, dtype)
    solve = jax.jit(jax.vmap(lambda p: SOLVERS[name].solve(p, budget, lattice)))
    compiled = solve.lower(portfolio).compile()
    return lambda: jax.block_until_ready(compiled(portfolio))


def rate_of(run: Callable[[], object], count: int) -> float:
    """Portfolios per second over at least `SECONDS`."""
    begin, done = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - begin) < SECONDS:
        run()
        done += count
    return done / elapsed


def main() -> None:
    """Check, time, print, save."""
    jax.config.update("jax_enable_x64", True)
    portfolio = draw(np.float64)
    scales, rates = np.asarray(portfolio.curves.scale), np.asarray(portfolio.curves.rate)
    pairs = [(scales[i], rates[i]) for i in range(LOOPS)]
    lists = [(s.tolist(), r.tolist()) for s, r in pairs]
    expected = np.array([python_loop(*pair) for pair in lists])
    runs: dict[str, tuple[Callable[[], object], int]] = {
        "python loop": (lambda: [python_loop(*pair) for pair in lists], LOOPS),
        "numpy loop": (lambda: [numpy_loop(*pair) for pair in pairs], LOOPS),
    }
    best = None
    for name in ("greedy", "cutoff", "waterfilling", "exact"):
        for dtype in (np.float32, np.float64):
            run = contender(name, dtype)
            solution = run()
            if name != "waterfilling":
                value = np.asarray(portfolio.value(np.asarray(solution.effort, float)))
                best = value if best is None else best
                assert np.allclose(value, best, rtol=1e-6), f"{name} differs in value"
                if dtype == np.float64:
                    assert np.array_equal(solution.effort[:LOOPS], expected), f"{name} differs from the loop"
            runs[f"{name} {np.dtype(dtype).name}"] = (run, BATCH)
    rates_of: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, (run, count) in runs.items():
            rates_of[name].append(rate_of(run, count))
    medians = {name: statistics.median(rates) for name, rates in rates_of.items()}
    base = medians["python loop"]
    figures = {
        "projects": PROJECTS,
        "budget": BUDGET,
        "batch": BATCH,
        "portfolios_per_second": {name: round(rate, 1) for name, rate in medians.items()},
        "times_the_python_loop": {name: round(rate / base, 1) for name, rate in medians.items()},
    }
    for name, rate in medians.items():
        print(f"{name:22s}{rate:14,.0f} portfolios/s{rate / base:12,.1f} ×")
    print(f"saved {save('throughput', figures)}")


if __name__ == "__main__":
    main()
