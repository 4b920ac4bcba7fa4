"""Wrong answers of the exact solver: scenarios of portfolios, test problems, and instances made to be hard.

    python -m benchmarks.exactness              142,000 portfolios; results/exactness.json

An answer is wrong if its value differs from that of the full max-plus programme by more than 1e-11 of it, if
it is not called proved, or if it overspends. The full programme enumerates every budget step, and is itself
tested against a NumPy programme, brute force and HiGHS.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import jax
import numpy as np
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from benchmarks.hard_cases import UNITS, hard_cases
from benchmarks.machine import save
from engine.allocation.allocate import choose_lattice
from engine.cli.compose import register_schemas
from engine.files.shipped import config_folder
from engine.model.keys import portfolio_key
from engine.model.portfolio import Portfolio
from engine.model.validation import normalise
from engine.simulation.problems import Problem
from engine.simulation.scenarios import build_scenario
from engine.solvers.exact import by_programme, ways
from engine.solvers.registry import SOLVERS

RANDOM, BATCH = 6_400, 1_280
PROBLEMS = (
    "hill",
    "logistic",
    "staged",
    "knapsack_strongly_correlated",
    "knapsack_subset_sum",
    "multiple_choice_sinha_zoltners",
)
HARD_ROUNDS = 4
TOLERANCE = 1e-11


def count_wrong(batches: list[Portfolio], budget: float, upper: float = np.inf) -> dict[str, Any]:
    """Solve batches of one shape by the exact solver and by the full programme."""
    first = normalise(batches[0])
    lattice = choose_lattice(["exact"], budget, first.shape[-1], first.cost, upper)
    limit = np.float64(budget)
    exact = jax.jit(jax.vmap(lambda p: SOLVERS["exact"].solve(p, limit, lattice)))

    def enumerate_all(portfolio: Portfolio) -> Any:
        found = by_programme(portfolio, limit, limit, limit, portfolio.lowers(), lattice)
        return portfolio.value(found.effort)

    programme = jax.jit(jax.vmap(enumerate_all))
    wrong, worst, portfolios = 0, 0.0, 0
    for batch in batches:
        solution, optimum = exact(batch), np.asarray(programme(batch))
        error = np.abs(solution.value - optimum) / np.maximum(np.abs(optimum), 1e-300)
        bad = (
            (error > TOLERANCE) | ~np.asarray(solution.proved) | (np.asarray(solution.spent) > budget + 1e-9)
        )
        wrong, worst, portfolios = (
            wrong + int(bad.sum()),
            max(worst, float(np.nan_to_num(error, nan=np.inf).max())),
            portfolios + bad.size,
        )
    cores = len(ways(jax.tree.map(lambda a: a[0], first), lattice)) - 1
    return {"portfolios": portfolios, "wrong": wrong, "largest_error": worst, "cores_before_programme": cores}


def draw(source: Any, start: int, seed: int) -> Portfolio:
    """A batch of consecutive portfolios of a scenario or problem."""
    indices = np.arange(start, start + BATCH, dtype=np.uint32)
    keys = jax.vmap(partial(portfolio_key, seed))(indices)
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(lambda key: source.draw(key, np.float64)))(keys))


def main() -> None:
    """Count, print, save."""
    jax.config.update("jax_enable_x64", True)
    register_schemas()
    rows: dict[str, dict[str, Any]] = {}

    def record(name: str, row: dict[str, Any]) -> None:
        rows[name] = row
        print(
            f"{name:40s}{row['portfolios']:8d} portfolios{row['wrong']:6d} wrong", file=sys.stderr, flush=True
        )

    for path in sorted((config_folder() / "scenario").glob("*.yaml")):
        if path.stem == "fitted":  # samples a file
            continue
        with initialize_config_dir(str(config_folder()), version_base="1.3"):
            composed = compose("run", [f"scenario={path.stem}", "run.output=unused"])
        config: Any = OmegaConf.to_object(composed)
        scenario = build_scenario(config.scenario)
        if scenario.gives == "approaches":  # no portfolios
            continue
        batches = [draw(scenario, start, 1) for start in range(0, RANDOM, BATCH)]
        record(f"scenario: {path.stem}", count_wrong(batches, float(config.budget), scenario.upper()))
    for name in PROBLEMS:
        batches = [draw(Problem(name, 20, 300), start, 1) for start in range(0, RANDOM, BATCH)]
        record(f"problem: {name}", count_wrong(batches, 300.0))
    for name in hard_cases():
        batches = [hard_cases(seed)[name] for seed in range(HARD_ROUNDS)]
        record(f"hard: {name}", count_wrong(batches, UNITS))
    total = sum(row["portfolios"] for row in rows.values())
    wrong = sum(row["wrong"] for row in rows.values())
    print(f"{total:,} portfolios, {wrong} wrong")
    print(f"saved {save('exactness', {'portfolios': total, 'wrong': wrong, 'cases': rows})}")


if __name__ == "__main__":
    main()
