"""The mean of draws: exact over whole units, against a max-plus programme of its own, and how fast.

    python -m benchmarks.mean_of_draws       results/mean_of_draws.json

Instances of N = 20 projects with S = 256 draws of S-shaped curves (Hill: scales lognormal σ = .5, halves
lognormal around B/N with σ = .6, both with lognormal noise of σ = .5 over draws, exponents uniform in 1–4),
budget 300. The answer of `engine.bet` is held against a float64 max-plus programme in NumPy over averages of
its own, from Hill's formula. Rates, side by side in rounds: of the whole answer, of the averages in it alone,
and of `exact` on portfolios that are given as tables, which is what is left once averages are known.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np

import engine
from benchmarks.machine import save
from engine.allocation.allocate import solve
from engine.allocation.here_and_now import mean_portfolio
from engine.bets.uncertain import normalise_uncertain

PROJECTS, DRAWS, BUDGET = 20, 256, 300
BATCH, ROUNDS = 250, 5
Array = np.ndarray


def draw(first: int, count: int) -> tuple[Array, Array, Array]:
    """Scales, halves [instances, draws, projects] and exponents [instances, 1, projects]."""
    parts = []
    for index in range(first, first + count):
        random = np.random.default_rng(index)
        scale = np.exp(0.5 * random.normal(size=PROJECTS))
        half = BUDGET / PROJECTS * np.exp(0.6 * random.normal(size=PROJECTS))
        scale, half = (a * np.exp(0.5 * random.normal(size=(DRAWS, PROJECTS))) for a in (scale, half))
        parts.append((scale, half, random.uniform(1.0, 4.0, (1, PROJECTS))))
    scale, half, exponent = (np.stack(each) for each in zip(*parts, strict=True))
    return scale, half, exponent


def averages(scale: Array, half: Array, exponent: Array) -> Array:
    """Mean returns [projects, levels] of one instance, by the formula."""
    log_level = np.log(np.arange(1.0, BUDGET + 1.0))[:, None]
    table = np.zeros((PROJECTS, BUDGET + 1))
    for project in range(PROJECTS):
        ratio = np.exp(exponent[0, project] * (np.log(half[:, project]) - log_level))
        table[project, 1:] = (1.0 / (1.0 + ratio)) @ scale[:, project] / DRAWS
    return table


def programme(table: Array) -> float:
    """The optimum by max-plus convolutions: returns do not fall, so that all of the budget may be spent."""
    best = table[0]
    for row in table[1:]:
        # Row k: best(k − j) + row(j), −∞ where j > k.
        padded = np.concatenate([np.full(BUDGET, -np.inf), best])
        shifted = np.lib.stride_tricks.sliding_window_view(padded, BUDGET + 1)[:, ::-1]
        best = np.max(shifted + row, axis=1)
    return float(np.max(best))


def main() -> None:
    """Solve, compare, time, print, save."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=10_000)
    count = parser.parse_args().count
    wrong = unproved = 0
    worst = 0.0
    rates: dict[str, list[float]] = {"bet": [], "averages": [], "exact_on_tables": []}
    for first in range(0, count, BATCH):
        scale, half, exponent = draw(first, BATCH)
        bet = engine.Uncertain(engine.Portfolio(engine.Hill(scale, half, exponent)))
        if first < ROUNDS * BATCH:
            for name, rate in timed(bet).items():
                rates[name].append(rate)
        found = engine.bet(bet, BUDGET, knowledge=False)
        for i in range(BATCH):
            table = averages(scale[i], half[i], exponent[i])
            optimum = programme(table)
            own = float(sum(table[p, int(x)] for p, x in enumerate(found.effort[i])))
            error = max(abs(own - optimum), abs(float(found.value[i]) - optimum)) / optimum
            worst = max(worst, error)
            wrong += error > 1e-12
            unproved += not bool(found.proved[i])
        print(f"{first + BATCH:,}: {wrong} wrong, {unproved} unproved, worst {worst:.1e}", flush=True)
    figures = {
        "instances": count,
        "wrong": wrong,
        "unproved": unproved,
        "worst_relative_error": worst,
        **{f"{name}_per_second": float(np.median(of[1:])) for name, of in rates.items()},
    }
    figures["whole_answer_over_exact_on_tables"] = (
        figures["bet_per_second"] / figures["exact_on_tables_per_second"]
    )
    print(json.dumps(figures, indent=2))
    if count == 10_000:
        print(save("mean_of_draws", figures))


def timed(bet: engine.Uncertain) -> dict[str, float]:
    """Instances a second of the whole answer, of averages alone, and of `exact` on given tables."""
    begin = time.perf_counter()
    engine.bet(bet, BUDGET, knowledge=False)
    whole = time.perf_counter() - begin
    normal = normalise_uncertain(bet)
    begin = time.perf_counter()
    tables = mean_portfolio(normal, BUDGET)
    averaging = time.perf_counter() - begin
    begin = time.perf_counter()
    solve(tables, np.full(BATCH, float(BUDGET)))
    solving = time.perf_counter() - begin
    return {"bet": BATCH / whole, "averages": BATCH / averaging, "exact_on_tables": BATCH / solving}


if __name__ == "__main__":
    main()
