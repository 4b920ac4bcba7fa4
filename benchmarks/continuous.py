"""The certified optimum over real effort of S-shaped and staged portfolios: gaps, nodes, rates.

    python -m benchmarks.continuous            N=20, B=100, 1,000 portfolios a kind; results/continuous.json

The draw, one `numpy.random.default_rng(0)` a kind, arrays [portfolios, projects] in this order:

- scale: lognormal, median 1, sigma 0.5; half-saturation k: lognormal, median B/N, sigma 0.5;
- hill: exponent uniform on [1, 4]; weibull: rate 1/k, exponent uniform on [1, 4];
- logistic: midpoint k, rate uniform on [2, 8] divided by k;
- staged: three lifecycle stages; waits lognormal around k and jumps lognormal around 0.3 of the scale, both
  with sigma 0.5; scale of each stage uniform on [0.1, 0.5] of the scale, rate uniform on [1, 5] divided by k.

Every certificate is checked anew: the effort is affordable and returns the value reported. Rates are medians
over rounds that take turns; compilation is not counted. `while_loop` is the same search on the Hill curves
without compaction, so that the whole batch waits for its slowest portfolio.
"""

from __future__ import annotations

import importlib
import statistics
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np

import engine
from benchmarks.machine import save
from engine.solvers.solution import Solution, conclude

# The module, whose name in the package is that of the function.
solver = importlib.import_module("engine.solvers.continuous")

PROJECTS, BUDGET, BATCH, ROUNDS = 20, 100.0, 1000, 5
TOLERANCES = {"float64": 1e-9, "float32": 1e-4}
MOST_NODES = 2000


def draw(kind: str, dtype: str, seed: int = 0) -> engine.Portfolio:
    """Portfolios of one kind; see the module's first lines."""
    random = np.random.default_rng(seed)
    shape = (BATCH, PROJECTS)

    def lognormal(*more: int) -> np.ndarray:
        return np.exp(0.5 * random.standard_normal((*shape, *more)))

    scale, half = lognormal(), BUDGET / PROJECTS * lognormal()
    curves: engine.Curve
    if kind == "hill":
        curves = engine.Hill(scale, half, random.uniform(1.0, 4.0, shape))
    elif kind == "weibull":
        curves = engine.Weibull(scale, 1.0 / half, random.uniform(1.0, 4.0, shape))
    elif kind == "logistic":
        curves = engine.Logistic(scale, random.uniform(2.0, 8.0, shape) / half, half)
    else:
        zero = np.zeros((*shape, 1))
        start = np.cumsum(np.concatenate([zero, half[..., None] * lognormal(2)], -1), -1)
        base = np.cumsum(np.concatenate([zero, 0.3 * scale[..., None] * lognormal(2)], -1), -1)
        gain = scale[..., None] * random.uniform(0.1, 0.5, (*shape, 3))
        curves = engine.Lifecycle(start, base, gain, random.uniform(1.0, 5.0, (*shape, 3)) / half[..., None])
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), engine.Portfolio(curves))


def contender(portfolio: engine.Portfolio, tolerance: float) -> Callable[[], tuple[Solution, jax.Array]]:
    """The solver compiled for the whole batch; also the nodes that each portfolio took."""
    budget = jnp.asarray(BUDGET, portfolio.dtype)

    def solve(one: engine.Portfolio) -> tuple[Solution, jax.Array]:
        tree, price = solver.grow(one, budget, tolerance, MOST_NODES)
        return conclude(one, budget, tree.effort, price, solver.certified(tree)), tree.examined

    compiled = jax.jit(jax.vmap(solve)).lower(portfolio).compile()
    return lambda: jax.block_until_ready(compiled(portfolio))


def seconds(run: Callable[[], Any]) -> float:
    """Wall time of one run."""
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def judge(
    portfolio: engine.Portfolio, solution: Solution, nodes: jax.Array, tolerance: float
) -> dict[str, Any]:
    """Share certified, gaps and nodes, after checking effort and value."""
    effort = np.asarray(solution.effort, float)
    rounding = 64 * float(np.finfo(portfolio.dtype).eps)
    assert np.all(effort >= 0)
    assert np.all(effort.sum(-1) <= BUDGET * (1 + rounding)), "an effort exceeds the budget"
    value, bound = np.asarray(solution.value, float), np.asarray(solution.bound, float)
    wide = jax.tree.map(lambda leaf: np.asarray(leaf, float), portfolio)
    assert np.allclose(np.asarray(wide.value(effort)), value, rtol=rounding), "a value is not its effort's"
    gap = (bound - value) / np.abs(bound)
    return {
        "tolerance": tolerance,
        "certified": float(np.mean(gap <= tolerance)),
        "certified_at_1e-4": float(np.mean(gap <= 1e-4)),
        "proved": float(np.mean(np.asarray(solution.proved))),
        "worst_gap": float(f"{gap.max():.3g}"),
        "median_nodes": float(np.median(nodes)),
        "max_nodes": int(np.max(nodes)),
    }


def plain_loop(unfinished: Any, step: Any, state: Any, given: Any) -> Any:
    """`loop_unfinished` without compaction."""
    return jax.lax.while_loop(lambda s: unfinished(s, given), lambda s: step(s, given), state)


def main() -> None:
    """Solve, check, time, print, save."""
    jax.config.update("jax_enable_x64", True)
    rows: list[dict[str, Any]] = []
    for kind in ("hill", "logistic", "weibull", "staged"):
        runs: dict[str, Callable[[], Any]] = {}
        found: dict[str, dict[str, Any]] = {}
        for dtype, tolerance in TOLERANCES.items():
            portfolio = draw(kind, dtype)
            runs[dtype] = contender(portfolio, tolerance)
            found[dtype] = {"kind": kind, "dtype": dtype, **judge(portfolio, *runs[dtype](), tolerance)}
        if kind == "hill":
            with mock.patch.object(solver, "loop_unfinished", plain_loop):
                runs["while_loop"] = contender(draw(kind, "float64"), TOLERANCES["float64"])
        times: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(ROUNDS):
            for name, run in runs.items():
                times[name].append(seconds(run))
        rate = {name: round(BATCH / statistics.median(taken), 1) for name, taken in times.items()}
        for name, row in found.items():
            row["portfolios_per_second"] = rate[name]
            if name == "float64" and "while_loop" in rate:
                row["portfolios_per_second_while_loop"] = rate["while_loop"]
            rows.append(row)
            print(*(f"{key} {value}" for key, value in row.items()), sep="  ", flush=True)
    figures = {"projects": PROJECTS, "budget": BUDGET, "batch": BATCH, "runs": rows}
    print(f"saved {save('continuous', figures)}")


if __name__ == "__main__":
    main()
