"""How good plans are where effort spills over: greedy, the relaxation and its bound, against every plan.

    python -m benchmarks.spillover

Small random problems of each kind, three pairs of projects in ten coupled, by shares drawn from 0 to 1.
Every plan is looked at by `enumeration`, and once more by NumPy alone from the curves' formulas; `wrong`
counts where they differ. Losses are shares of the optimum; `greedy_share` is the least of what greedy gains
over spending nothing, as a share of what the optimum does, at least 1 − 1/e where V is submodular.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import engine
from benchmarks.machine import save
from engine.allocation.place import bet
from engine.bets.spillover import Coupled

PROBLEMS, PROJECTS, BUDGET = 500, 4, 10
SHARE = 1 - 1 / np.e
Formula = Callable[[np.ndarray], np.ndarray]


def exponential(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[engine.Curve, Formula]:
    """Concave: a·(1 − e^(−b y))."""
    scale, rate = rng.uniform(0.3, 3, shape), rng.uniform(0.05, 1.0, shape)
    return engine.Exponential(scale, rate), lambda y: scale * (1 - np.exp(-rate * y))


def log(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[engine.Curve, Formula]:
    """Concave: a·log(1 + b y)."""
    scale, rate = rng.uniform(0.3, 3, shape), rng.uniform(0.05, 2.0, shape)
    return engine.Log(scale, rate), lambda y: scale * np.log(1 + rate * y)


def hill(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[engine.Curve, Formula]:
    """S-shaped: a·y^h / (k^h + y^h), h from 1 to 6."""
    scale, half, exponent = rng.uniform(0.3, 3, shape), rng.uniform(1, 8, shape), rng.uniform(1, 6, shape)
    return engine.Hill(scale, half, exponent), lambda y: scale * y**exponent / (half**exponent + y**exponent)


def staged(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[engine.Curve, Formula]:
    """Staged: nothing before an effort drawn from 0 to 6, a step of 0 to 3 within the unit after it."""
    first, scale = rng.integers(0, 7, shape), rng.uniform(0, 3, shape)
    levels = np.arange(9)
    values = np.where(levels > first[..., None], scale[..., None], 0.0)

    def formula(y: np.ndarray) -> np.ndarray:
        return scale * np.clip(y - first, 0, 1)

    return engine.Tabulated(values), formula


KINDS = {"exponential": exponential, "log": log, "hill": hill, "staged": staged}


def brute_force(shares: np.ndarray, formula: Formula) -> np.ndarray:
    """The best value of each problem over all plans."""
    every = itertools.product(range(BUDGET + 1), repeat=PROJECTS)
    plans = np.array([plan for plan in every if sum(plan) <= BUDGET], float)
    best = np.full(len(shares), -np.inf)
    for plan in plans:
        best = np.maximum(best, formula(shares @ plan).sum(-1))
    return best


def measure(kind: str, seed: int = 0) -> dict[str, Any]:
    """The figures of one kind of curve."""
    rng = np.random.default_rng(seed)
    curves, formula = KINDS[kind](rng, (PROBLEMS, PROJECTS))
    square = (PROBLEMS, PROJECTS, PROJECTS)
    between = (rng.random(square) < 0.3) & ~np.eye(PROJECTS, dtype=bool)
    spillover: Any = np.where(between, rng.uniform(0, 1, square), 0.0)
    given = Coupled(engine.Portfolio(curves), spillover)
    best = brute_force(spillover + np.eye(PROJECTS), formula)
    found, seconds = {}, {}
    for solver in ("enumeration", "greedy", "relaxation"):
        bet(given, BUDGET, solver=solver)  # compiled
        begin = time.perf_counter()
        found[solver] = bet(given, BUDGET, solver=solver)
        seconds[solver] = time.perf_counter() - begin
    size = np.maximum(np.abs(best), 1e-12)
    loss = {name: (best - answer.value) / size for name, answer in found.items()}
    relaxed, climb = found["relaxation"], loss["relaxation"]
    gap = (relaxed.bound - best) / size
    share = found["greedy"].value / size  # these curves return nothing at no effort
    return {
        "kind": kind,
        "submodular": bool(np.all(relaxed.figures["submodular"])),
        "problems": PROBLEMS,
        "wrong": int(np.sum(np.abs(loss["enumeration"]) > 1e-9)),
        "greedy_share": float(share.min()),
        "greedy_loss": {"mean": float(loss["greedy"].mean()), "worst": float(loss["greedy"].max())},
        "greedy_optimal": float(np.mean(loss["greedy"] <= 1e-9)),
        "relaxation_loss": {
            "mean": float(loss["relaxation"].mean()),
            "worst": float(loss["relaxation"].max()),
        },
        "relaxation_optimal": float(np.mean(climb <= 1e-9)),
        "bound_below_optimum": int(np.sum(gap < -1e-9)),
        "bound_above_optimum": {"median": float(np.median(gap)), "worst": float(gap.max())},
        "ignoring_loss": float(np.mean((best - relaxed.beside["without spill-over"].value) / size)),
        "milliseconds_a_problem": {name: 1e3 * s / PROBLEMS for name, s in seconds.items()},
    }


def main() -> None:
    """Measure all kinds, and hold greedy to its guarantee."""
    rows = []
    for kind in KINDS:
        rows.append(measure(kind))
        print(rows[-1], flush=True)
        assert rows[-1]["wrong"] == 0, kind
        assert rows[-1]["bound_below_optimum"] == 0, kind
        assert not rows[-1]["submodular"] or rows[-1]["greedy_share"] >= SHARE, kind
    print(save("spillover", {"projects": PROJECTS, "budget": BUDGET, "rows": rows}))


if __name__ == "__main__":
    main()
