"""Portfolios with rules: right beside every plan and a mixed-integer programme, and how fast.

    python -m benchmarks.rules      results/rules.json

- `small`: random portfolios with every mixture of rules, 125 structures of 80 each, 2 to 5 projects of 3 to 5
  levels, against every plan.
- `middle`: 50 structures of 20 each, 8 to 12 projects of 6 to 10 levels, against HiGHS
  (`scipy.optimize.milp`) at a gap of 0.
- `rates`: N = 20, B = 300, on S-shaped and staged curves: groups (four of five projects, each with 10 to 35 %
  of the budget), nothing or at least 5 to 29 units, and either-or of ten pairs; in one run with `exact`
  without rules, in CPU seconds of all cores (so that other work matters less), and HiGHS on the first of the
  same instances without presolve, its values scaled, in seconds of one thread.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from benchmarks.machine import save
from benchmarks.rules_reference import Case, Shape, best_of, by_every_plan, by_highs, random_ruled
from engine import Group, Ruled
from engine.allocation.allocate import solve
from engine.allocation.ruled import optimum, place_ruled
from engine.allocation.running import cores
from engine.rules.ruled import normalise_ruled
from engine.rules.tree import plant
from engine.simulation.problems import Problem

PROJECTS, BUDGET = 20, 300
SAME = 1e-7
ROUNDS = 3
COUNTED = ("instances", "wrong", "unproved", "infeasible", "not ended", "across the tree")
Judge = Callable[[Case], float]


def checked(structures: int, first: int, shape: Callable[[np.random.Generator], Shape], judge: Judge) -> Any:
    """How many of random portfolios are wrong, by another way of finding the optimum."""
    counts = dict.fromkeys(COUNTED, 0)
    for seed in range(first, first + structures):
        rng = np.random.default_rng(seed)
        ruled, budgets = random_ruled(rng, shape(rng))
        answer = place_ruled(ruled, budgets, prices=False)
        table = np.asarray(ruled.portfolio.curves.values)  # type: ignore[attr-defined]
        counts["across the tree"] += budgets.size * bool(plant(normalise_ruled(ruled))[1])
        for place in range(budgets.size):
            case = Case(ruled, budgets, place, table)
            best, value = judge(case), float(answer.value[place])
            counts["instances"] += 1
            counts["not ended"] += bool(np.isnan(best))
            counts["infeasible"] += best == -np.inf
            counts["wrong"] += is_wrong(case, answer.effort[place], value, best)
            counts["unproved"] += bool(np.isfinite(value)) and not answer.proved[place]
    return counts


def is_wrong(case: Case, effort: np.ndarray, value: float, best: float) -> bool:
    """Whether an answer is not the optimum, or its effort breaks a rule or has another value."""
    if np.isnan(best):
        return False
    if np.isinf(best):
        return not np.isnan(value)
    slack, levels = SAME * max(1.0, abs(best)), effort.astype(int)
    mine = best_of(case, levels[None])
    allowed = all(case.allowed(project, level) for project, level in enumerate(levels))
    return not (allowed and abs(value - best) <= slack and abs(mine - best) <= slack)


def small(rng: np.random.Generator) -> Shape:
    """Small enough to try every plan."""
    return Shape(int(rng.integers(2, 6)), int(rng.integers(3, 6)), 80)


def middle(rng: np.random.Generator) -> Shape:
    """What HiGHS ends."""
    return Shape(int(rng.integers(8, 13)), int(rng.integers(6, 11)), 20)


def kinds(portfolio: Any, count: int) -> dict[str, Ruled]:
    """The rules whose rates are measured."""
    names = portfolio.names
    quarters = [names[5 * j : 5 * j + 5] for j in range(4)]
    share: Any = {"most_share": np.float64(0.35), "least_share": np.float64(0.1)}
    least = np.random.default_rng(0).integers(5, 30, (count, PROJECTS)).astype(float)
    pairs = [names[2 * j : 2 * j + 2] for j in range(10)]
    return {
        "groups": Ruled(portfolio, groups=tuple(Group(f"g{j}", m, **share) for j, m in enumerate(quarters))),
        "minimum if funded": Ruled(portfolio, minimum=least),
        "either-or": Ruled(
            portfolio, groups=tuple(Group(f"e{j}", m, counts=(0, 1)) for j, m in enumerate(pairs))
        ),
    }


def rate(solve_all: Callable[[], Any], count: int) -> float:
    """Portfolios a second of all cores, by CPU time; the best of some rounds after the first."""
    solve_all()
    best = 0.0
    for _ in range(ROUNDS):
        begin = time.process_time()
        solve_all()
        best = max(best, count * cores() / (time.process_time() - begin))
    return best


def rates(count: int, peers: int) -> list[dict[str, Any]]:
    """The rates of each kind of rules on each kind of curves."""
    rows = []
    for name in ("hill", "staged"):
        problem = Problem(name, PROJECTS, BUDGET)
        with jax.enable_x64(True):
            draw = jax.vmap(lambda key, problem=problem: problem.draw(key))
            drawn = jax.tree.map(np.asarray, draw(jax.random.split(jax.random.key(0), count)))
            table = np.asarray(jax.vmap(lambda p: p.table(BUDGET))(jax.tree.map(lambda a: a[:peers], drawn)))
        portfolio = dataclasses.replace(drawn, names=tuple(f"p{i}" for i in range(PROJECTS)))
        budgets = np.full(count, float(BUDGET))
        plain = rate(lambda p=portfolio, b=budgets: solve(p, b), count)
        for kind, ruled in kinds(portfolio, count).items():
            given = normalise_ruled(ruled, np.dtype(np.float64))
            mine = rate(lambda g=given, b=budgets: optimum(g, b, capped=True), count)
            answer = optimum(given, budgets, capped=True)
            cases = [Case(given, budgets, place, table) for place in range(peers)]
            highs = [by_highs(case, 120.0) for case in cases]
            values = np.asarray(answer.value)[:peers]
            seconds = [each for _, each in highs]
            agree = [
                bool(np.isnan(v) or abs(v - mine_v) <= SAME * abs(v))
                for (v, _), mine_v in zip(highs, values, strict=True)
            ]
            rows.append(
                {
                    "curves": name,
                    "rules": kind,
                    "per_second": mine,
                    "without_rules": plain,
                    "share": mine / plain,
                    "proved": float(np.mean(answer.proved)),
                    "highs_per_second": cores() / float(np.mean(seconds)),
                    "times_highs": mine * float(np.mean(seconds)) / cores(),
                    "highs_instances": peers,
                    "agree": all(agree),
                }
            )
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Check and measure everything, and save it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--structures", type=int, default=125)
    parser.add_argument("--middle", type=int, default=50)
    parser.add_argument("--count", type=int, default=2048)
    parser.add_argument("--peers", type=int, default=4)
    given = parser.parse_args()
    found: dict[str, Any] = {"rates": rates(given.count, given.peers)}
    found["small"] = checked(given.structures, 0, small, by_every_plan)
    print(found["small"], flush=True)
    found["middle"] = checked(given.middle, 10_000, middle, lambda case: by_highs(case)[0])
    print(found["middle"], flush=True)
    save("rules", found)


if __name__ == "__main__":
    main()
