"""Where the portfolios that the core does not prove go on: inside jit, on the host, or everyone together.

    python -m benchmarks.compaction             N=20, B=300; results/compaction.json

Three ways to run the same two steps, the first core and the full programme, on the same portfolios:

- inside: what `exact` does, gathering the unproved into chunks within one compiled call;
- host: one call for the first step, the unproved picked by NumPy and filled up to a power of two, a second
  call for them;
- together: every portfolio runs the programme and the proof chooses, as `vmap` of a `cond` does.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.machine import save
from engine.allocation.allocate import choose_lattice
from engine.model.keys import portfolio_key
from engine.simulation.problems import Problem
from engine.solvers.batching import for_unfinished, in_chunks
from engine.solvers.dual import integer_dual
from engine.solvers.exact import ways as ways_of_exact

PROJECTS, BUDGET, BATCH, ROUNDS = 20, 300, 1024, 5
CASES = ("hill", "logistic", "multiple_choice_uncorrelated", "knapsack_uncorrelated")


def draw(name: str) -> Any:
    """A batch of portfolios of a test problem."""
    problem = Problem(name, PROJECTS, BUDGET)
    keys = jax.vmap(lambda j: portfolio_key(0, j))(np.arange(BATCH, dtype=np.uint32))
    return jax.block_until_ready(jax.jit(jax.vmap(lambda key: problem.draw(key, np.float64)))(keys))


def ways(portfolios: Any) -> tuple[dict[str, Callable[[], Any]], float]:
    """The three ways, each compiled, and the share that the first step proves."""
    budget = np.float64(BUDGET)
    lattice = choose_lattice(["exact"], BUDGET, PROJECTS)
    one = jax.tree.map(lambda a: a[0], portfolios)
    first, *_, last = ways_of_exact(one, lattice)

    start_all, solve_all = (in_chunks(step.solve, step.entries) for step in (first, last))

    def begin(portfolio: Any) -> Any:
        dual = integer_dual(portfolio, budget, lattice)
        return start_all(portfolio, budget, dual.price, dual.bound, dual.inside)

    def inside(portfolio: Any) -> Any:
        answer = begin(portfolio)
        return for_unfinished(last.solve, last.entries)(
            answer.finished, answer, portfolio, budget, answer.price, answer.bound, answer.effort
        ).effort

    def together(portfolio: Any) -> Any:
        answer = begin(portfolio)
        full = solve_all(portfolio, budget, answer.price, answer.bound, answer.effort)
        return jnp.where(answer.finished, answer.effort, full.effort)

    start = jax.jit(jax.vmap(begin))
    finish = jax.jit(jax.vmap(lambda p, a: solve_all(p, budget, a.price, a.bound, a.effort).effort))

    def on_host() -> Any:
        answer = jax.tree.map(np.asarray, start(portfolios))
        effort = answer.effort.copy()
        left = np.flatnonzero(~answer.finished)
        if left.size:
            filled = np.resize(left, 1 << (left.size - 1).bit_length())
            rows = jax.tree.map(lambda a: np.asarray(a)[filled], (portfolios, answer))
            effort[left] = np.asarray(finish(*rows))[: left.size]
        return effort

    compiled = {"inside": jax.jit(jax.vmap(inside)), "together": jax.jit(jax.vmap(together))}
    runs: dict[str, Callable[[], Any]] = {
        name: lambda f=f: jax.block_until_ready(f(portfolios)) for name, f in compiled.items()
    }
    return {**runs, "host": on_host}, float(np.mean(start(portfolios).finished))


def main() -> None:
    """Check that all agree, time, print, save."""
    jax.config.update("jax_enable_x64", True)
    cases = {}
    for name in CASES:
        portfolios = draw(name)
        runs, proved = ways(portfolios)
        value = jax.jit(jax.vmap(lambda p, e: p.value(e)))
        values = [np.asarray(value(portfolios, run())) for run in runs.values()]
        assert all(np.allclose(v, values[0], rtol=1e-12) for v in values)
        seconds: dict[str, list[float]] = {way: [] for way in runs}
        for _ in range(ROUNDS):
            for way, run in runs.items():
                begin = time.perf_counter()
                run()
                seconds[way].append(time.perf_counter() - begin)
        rates = {way: round(BATCH / statistics.median(times), 1) for way, times in seconds.items()}
        cases[name] = {"proved_by_first_core": proved, "portfolios_per_second": rates}
        print(
            f"{name:32s}{100 * proved:6.1f} % by the core   "
            + "   ".join(f"{w} {r:,.0f}/s" for w, r in rates.items())
        )
    figures = {"projects": PROJECTS, "budget": BUDGET, "batch": BATCH, "cases": cases}
    print(f"saved {save('compaction', figures)}")


if __name__ == "__main__":
    main()
