"""The relaxation against its goals: distance from the optimum, and portfolios per second next to SLSQP's.

    python -m benchmarks.relaxation        10,000 concave, 4,000 S-shaped portfolios; results/relaxation.json

Concave cases are measured against water-filling, S-shaped ones against the exact integer optimum: real
effort may exceed that one, whole units may not. SLSQP (SciPy, analytic slopes) takes turns with the
relaxation in the same process on the first few portfolios of each concave case. The draws are of a seed that
no constant of the relaxation was chosen on.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

# SLSQP's tiny matrices are slowed by BLAS threads that wait for each other; read when NumPy is imported.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import jax
import numpy as np
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from scipy import optimize

import engine
from benchmarks.machine import save
from engine.cli.compose import register_schemas
from engine.files.shipped import config_folder
from engine.model.keys import portfolio_key
from engine.simulation.scenarios import build_scenario

PORTFOLIOS, S_SHAPED_PORTFOLIOS, ROUNDS, LOOPS, SEED = 10_000, 4_000, 3, 100, 2026
TWENTY = ("scenario.projects=20", "budget=300")
CONCAVE: dict[str, tuple[str, ...]] = {
    "product_embedded": ("scenario=product_embedded",),
    "research_lab": ("scenario=research_lab",),
    "big_tech": ("scenario=big_tech",),
    "log, power, exponential": (
        "scenario=s_shaped",
        "curves@scenario.curves=[log,power,exponential]",
        "scenario.weight.sigma=1.5",
        *TWENTY,
    ),
}
S_SHAPED = {name: (f"scenario={name}",) for name in ("s_shaped", "independent_division")}


def draw(overrides: tuple[str, ...], count: int, seed: int) -> tuple[engine.Portfolio, float]:
    """Portfolios 0, 1, … of a scenario with these overrides, in float64, and its budget."""
    register_schemas()
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        composed = compose("run", ["run.output=unused", *overrides])
    config: Any = OmegaConf.to_object(composed)
    scenario = build_scenario(config.scenario)
    keys = jax.vmap(lambda j: portfolio_key(seed, j))(np.arange(count, dtype=np.uint32))
    drawn = jax.jit(jax.vmap(lambda key: scenario.draw(key, np.float64)))(keys)
    return jax.tree.map(np.asarray, drawn), float(config.budget)


def cast(portfolio: engine.Portfolio, dtype: type) -> engine.Portfolio:
    """The same in another floating dtype."""
    return jax.tree.map(lambda a: a.astype(dtype) if np.issubdtype(a.dtype, np.floating) else a, portfolio)


def pick(portfolio: engine.Portfolio, index: int) -> engine.Portfolio:
    """One of a batch."""
    return jax.tree.map(lambda a: a[index], portfolio)


def loss_and_slope(portfolio: engine.Portfolio) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """−V and its gradient of one portfolio of log, power and exponential curves, as plain NumPy."""
    families = getattr(portfolio.curves, "families", (portfolio.curves,))
    choice = getattr(portfolio.curves, "choice", np.zeros(portfolio.shape[-1], int))
    stakes = np.ones(portfolio.shape[-1])
    for factor in (portfolio.weight, portfolio.success):
        stakes = stakes if factor is None else stakes * factor
    groups = []
    for i, curve in enumerate(families):
        who = np.flatnonzero(choice == i)
        names = ("scale", "exponent", "shift") if curve.family == "power" else ("scale", "rate")
        scale, *shape = (getattr(curve, name)[who] for name in names)
        if who.size:
            groups.append((curve.family, who, stakes[who] * scale, shape))

    def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
        total, slope = 0.0, np.empty_like(x)
        for family, who, scale, shape in groups:
            effort = x if len(groups) == 1 else x[who]
            if family == "log":
                (rate,) = shape
                total += scale @ np.log1p(rate * effort)
                slope[who] = scale * rate / (1.0 + rate * effort)
            elif family == "exponential":
                (rate,) = shape
                left = np.exp(-rate * effort)
                total += scale @ (1.0 - left)
                slope[who] = scale * rate * left
            else:
                exponent, shift = shape
                grown = 1.0 + effort / shift
                power = grown**exponent
                total += scale @ (power - 1.0)
                slope[who] = scale * exponent / shift * power / grown
        return -total, -slope

    return evaluate


def slsqp(portfolio: engine.Portfolio, budget: float, count: int) -> Callable[[], np.ndarray]:
    """SLSQP with its default stopping and analytic slopes, portfolio by portfolio, on NumPy formulas."""
    projects = portfolio.shape[-1]
    lower, upper = np.asarray(portfolio.lowers()), np.asarray(portfolio.uppers())
    start, ones = np.full(projects, budget / projects), np.ones(projects)
    spare = {"type": "ineq", "fun": lambda x: budget - x.sum(), "jac": lambda x: -ones}
    jobs = [
        (
            loss_and_slope(pick(portfolio, i)),
            optimize.Bounds(lower[i], np.minimum(upper[i], budget)),
        )
        for i in range(count)
    ]

    def run() -> np.ndarray:
        answers = [
            optimize.minimize(loss, start, jac=True, bounds=bounds, constraints=[spare], method="SLSQP")
            for loss, bounds in jobs
        ]
        return np.array([-answer.fun for answer in answers])

    return run


def seconds(run: Callable[[], object]) -> float:
    """Of one call."""
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def concave(name: str) -> dict[str, Any]:
    """Worst gaps to water-filling in both dtypes, real effort, and rates beside SLSQP's."""
    portfolio, budget = draw(CONCAVE[name], PORTFOLIOS, SEED)
    best = engine.allocate(portfolio, budget, "waterfilling").value
    figures: dict[str, Any] = {"projects": portfolio.shape[-1], "budget": budget}
    loop = slsqp(portfolio, budget, LOOPS)
    figures["slsqp_worst_gap"] = float(np.max((best[:LOOPS] - loop()) / best[:LOOPS]))
    runs: dict[str, tuple[Callable[[], object], int]] = {"slsqp": (loop, LOOPS)}
    for dtype in (np.float64, np.float32):
        run = partial(engine.allocate, cast(portfolio, dtype), budget, "relaxation", rounding=False)
        solution, label = run(), np.dtype(dtype).name
        value = np.asarray(jax.vmap(engine.Portfolio.value)(portfolio, solution.effort.astype(float)))
        figures[label] = {
            "worst_gap": float(np.max((best - value) / best)),
            "mean_gap": float(np.mean((best - value) / best)),
            "worst_certified_gap": float(np.max(solution.gap)),
            "overspent": float(
                np.max(solution.effort.astype(float) @ np.ones(portfolio.shape[-1])) / budget - 1
            ),
        }
        runs[label] = (run, PORTFOLIOS)
    times: dict[str, list[float]] = {label: [] for label in runs}
    for _ in range(ROUNDS):
        for label, (run, _) in runs.items():
            times[label].append(seconds(run))
    rates = {label: runs[label][1] / statistics.median(times[label]) for label in runs}
    figures["portfolios_per_second"] = {label: round(rate, 1) for label, rate in rates.items()}
    figures["times_slsqp"] = {k: round(rates[k] / rates["slsqp"], 1) for k in ("float64", "float32")}
    return figures


def s_shaped(name: str) -> dict[str, Any]:
    """Gaps to the exact integer optimum, and to the certified bound, with and without rounding."""
    portfolio, budget = draw(S_SHAPED[name], S_SHAPED_PORTFOLIOS, SEED)
    best = engine.allocate(portfolio, budget, "exact").value
    figures: dict[str, Any] = {"portfolios": S_SHAPED_PORTFOLIOS, "projects": portfolio.shape[-1]}
    figures["budget"] = budget
    for rounding in (True, False):
        run = partial(engine.allocate, portfolio, budget, "relaxation", rounding=rounding)
        solution = run()
        gap = 1.0 - solution.value / best
        figures["whole units" if rounding else "real effort"] = {
            "mean_gap_to_integer_optimum": float(gap.mean()),
            "p99_gap_to_integer_optimum": float(np.quantile(gap, 0.99)),
            "worst_gap_to_integer_optimum": float(gap.max()),
            "mean_certified_gap": float(solution.gap.mean()),
            "p99_certified_gap": float(np.quantile(solution.gap, 0.99)),
            "portfolios_per_second": round(
                S_SHAPED_PORTFOLIOS / statistics.median(seconds(run) for _ in range(ROUNDS)), 1
            ),
        }
    return figures


def main() -> None:
    """Measure, print, save."""
    jax.config.update("jax_enable_x64", True)
    figures: dict[str, Any] = {"portfolios": PORTFOLIOS, "seed": SEED, "concave": {}, "s_shaped": {}}
    for name in CONCAVE:
        figures["concave"][name] = found = concave(name)
        for label in ("float64", "float32"):
            print(
                f"{name:24s}{label}: worst gap {found[label]['worst_gap']:8.1e}"
                f"{found['portfolios_per_second'][label]:12,.0f}/s"
                f"{found['times_slsqp'][label]:9,.0f} × SLSQP",
                flush=True,
            )
    for name in S_SHAPED:
        figures["s_shaped"][name] = found = s_shaped(name)
        for label, row in ((k, v) for k, v in found.items() if isinstance(v, dict)):
            print(
                f"{name:24s}{label}: mean {row['mean_gap_to_integer_optimum']:9.4%}"
                f" p99 {row['p99_gap_to_integer_optimum']:8.3%} {row['portfolios_per_second']:8,.0f}/s",
                flush=True,
            )
    print(f"saved {save('relaxation', figures)}")


if __name__ == "__main__":
    main()
