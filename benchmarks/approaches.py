"""Wrong answers for approaches that may fail, against all efforts and all outcomes; what simpler plans lose.

    python -m benchmarks.approaches              2,400 bets; results/approaches.json

An answer is wrong if its value differs from the largest over all efforts by more than 1e-11 of it, if it is
not called proved, if its effort is worth something else, or if it overspends. The value of an effort is the
mean, over all outcomes of a project's approaches, of the best return that succeeds: NumPy float64, without
the formula and the programme of `engine.bets.best_of`. Returns are tables: points of Hill curves, or random
numbers, which also fall.
"""

from __future__ import annotations

import itertools
import sys
from typing import Any, NamedTuple

import numpy as np

from benchmarks.machine import save
from engine.allocation.bet import Bet
from engine.allocation.place import bet
from engine.bets.approaches import Approaches
from engine.model.curves.staged import Tabulated
from engine.model.portfolio import Portfolio

# (projects, approaches, budget), each with curves and tables, with and without costs.
SIZES = ((1, 6, 5), (1, 4, 8), (2, 2, 10), (2, 3, 8), (3, 3, 6), (4, 2, 8))
EACH = 100
TOLERANCE = 1e-11


class Drawn(NamedTuple):
    """Bets [bets, projects, approaches]: returns if successful at 0, 1, … units, success, upper limits, costs
    [bets, projects]."""

    returns: np.ndarray
    success: np.ndarray
    upper: np.ndarray
    cost: np.ndarray | None
    budget: int

    def approaches(self) -> Approaches:
        """The same bets as `engine` takes them."""
        curves: Any = Tabulated(self.returns)
        return Approaches(Portfolio(curves, success=self.success, upper=self.upper), self.cost)


class Truth(NamedTuple):
    """The largest expected best over all efforts, and over those of one approach a project."""

    best: float
    single: float


def draw(seed: int, count: int, size: tuple[int, int, int], curves: bool, costs: bool) -> Drawn:
    """So many bets of one size."""
    rng, (projects, approaches, budget) = np.random.default_rng(seed), size
    shape = count, projects, approaches
    levels = np.arange(budget + 1.0)
    if curves:
        half, exponent, scale = (rng.uniform(0.5, 4, (*shape, 1)) for _ in range(3))
        returns = scale * levels**exponent / (half**exponent + levels**exponent)
    else:  # whole numbers, so that many efforts tie
        returns = rng.integers(0, 6, (*shape, budget + 1)).astype(float)
        returns[..., 0] = rng.choice([0.0, 1.0], shape)
    certain = rng.choice([0.0, 0.5, 1.0], shape)
    success = np.where(rng.random(shape) < 0.5, certain, rng.random(shape))
    upper = rng.integers(0, budget + 2, shape).astype(float)
    cost = rng.integers(1, 4, shape[:2]).astype(float) if costs else None
    return Drawn(returns, success, upper, cost, budget)


def outcomes_mean(returns: np.ndarray, success: np.ndarray) -> np.ndarray:
    """The mean of the best return that succeeds, over all outcomes; of efforts [efforts, approaches]."""
    mean = np.zeros(len(returns))
    for outcome in itertools.product([False, True], repeat=success.size):
        chance = np.prod(np.where(outcome, success, 1.0 - success))
        if any(outcome):
            mean += chance * np.max(returns[:, list(outcome)], axis=1)
    return mean


def worth(drawn: Drawn, bet: int, effort: np.ndarray) -> float:
    """The expected best of one bet's effort [projects, approaches]."""
    total = 0.0
    for project, units in enumerate(effort.astype(int)):
        returns = drawn.returns[bet, project][np.arange(units.size), units]
        total += float(outcomes_mean(returns[None], drawn.success[bet, project])[0])
    return total


def brute_force(drawn: Drawn, bet: int) -> Truth:
    """The optima of one bet: all efforts of each project, then all ways to share the budget."""
    projects, approaches = drawn.success.shape[1:]
    grid = np.array(list(itertools.product(range(drawn.budget + 1), repeat=approaches)))
    optima: list[dict[str, dict[int, float]]] = []
    for project in range(projects):
        cost = 1 if drawn.cost is None else int(drawn.cost[bet, project])
        allowed = (cost * grid.sum(axis=1) <= drawn.budget) & np.all(
            grid <= drawn.upper[bet, project], axis=1
        )
        efforts = grid[allowed]
        returns = drawn.returns[bet, project][np.arange(approaches), efforts]
        values = outcomes_mean(returns, drawn.success[bet, project])
        best: dict[str, dict[int, float]] = {"best": {}, "single": {}}
        for value, units in zip(values.tolist(), efforts, strict=True):
            for kind in ("best", "single")[: 1 + (np.count_nonzero(units) <= 1)]:
                spend = cost * int(units.sum())
                best[kind][spend] = max(best[kind].get(spend, -np.inf), value)
        optima.append(best)

    def shared(kind: str) -> float:
        tables = [best[kind].items() for best in optima]
        ways = itertools.product(*tables)
        return max(sum(v for _, v in way) for way in ways if sum(s for s, _ in way) <= drawn.budget)

    return Truth(shared("best"), shared("single"))


def spend(drawn: Drawn, bet: int, effort: np.ndarray) -> float:
    """Σ c x of one bet."""
    cost = np.ones(effort.shape[0]) if drawn.cost is None else drawn.cost[bet]
    return float(np.sum(cost * effort.sum(axis=1)))


def is_wrong(drawn: Drawn, bet: int, found: Bet, truth: Truth) -> bool:
    """Whether the answer to one bet, or a plan beside it, is not what it says it is."""
    effort = found.effort[bet].reshape(drawn.success.shape[1:])
    slack = TOLERANCE * max(truth.best, 1e-300)
    single, greedy = (float(found.beside[name].value[bet]) for name in ("single best", "greedy"))
    right = (
        abs(found.value[bet] - truth.best) <= slack
        and abs(worth(drawn, bet, effort) - truth.best) <= slack
        and abs(single - truth.single) <= slack
        and greedy <= truth.best + slack
        and bool(found.proved[bet])
        and truth.best <= found.bound[bet] + slack
        and spend(drawn, bet, effort) <= drawn.budget
        and bool(np.all((effort >= 0) & (effort <= drawn.upper[bet]) & (effort == np.round(effort))))
    )
    return not right


def statistics(losses: np.ndarray) -> dict[str, float]:
    """The mean share of the optimum that is missed, its standard error, and how often any is."""
    error = float(np.std(losses, ddof=1) / np.sqrt(losses.size))
    return {
        "mean_loss": float(np.mean(losses)),
        "standard_error": error,
        "share_optimal": float(np.mean(losses <= 0)),
    }


def main() -> None:
    """Count, print, save."""
    cases, losses = [], {"greedy": np.empty(0), "single best": np.empty(0)}
    for seed, (size, curves, costs) in enumerate(itertools.product(SIZES, (True, False), (False, True))):
        drawn = draw(seed, EACH, size, curves, costs)
        found = bet(drawn.approaches(), drawn.budget)
        truths = [brute_force(drawn, one) for one in range(EACH)]
        wrong = sum(is_wrong(drawn, one, found, truth) for one, truth in enumerate(truths))
        names = ("projects", "approaches", "budget")
        setting = {
            **dict(zip(names, size, strict=True)),
            "curves": "hill" if curves else "random",
            "costs": costs,
        }
        best = np.array([truth.best for truth in truths])
        case = {}
        for name in losses:
            share = -found.beside[name].difference / np.where(best > 0, best, 1.0)
            losses[name] = np.concatenate([losses[name], share])
            case[name] = statistics(share)
        cases.append({**setting, "bets": EACH, "wrong": wrong, **case})
        print(f"{setting} {EACH} bets, {wrong} wrong", file=sys.stderr, flush=True)
    total, wrong = EACH * len(cases), sum(case["wrong"] for case in cases)
    found_all = {name: statistics(share) for name, share in losses.items()}
    print(f"{total:,} bets, {wrong} wrong; {found_all}")
    print(f"saved {save('approaches', {'bets': total, 'wrong': wrong, **found_all, 'cases': cases})}")


if __name__ == "__main__":
    main()
