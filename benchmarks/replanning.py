"""When is re-planning worth more than a tenth more budget?

    python -m benchmarks.replanning      results/replanning.json

Worlds of the scenario many_bets (twelve S-shaped bets with start-up costs, of which four in ten succeed), its
budget spent in 8 periods of 4 lots, over how uncertain scale and pace of the curves are (σ as a multiple of
the scenario's) and how long a stall lasts on average; what runs stalls with a chance of .2 a period. Three
numbers for each, relative to what the static plan returns: what the rolling plan returns more, what a static
plan of a tenth more budget returns more, and the first less the second, with standard errors; in pairs, since
all meet the same curves, stalls and noise. At the middle all policies are compared.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import Any

import numpy as np

import engine
from benchmarks.machine import save
from engine.planning.policies import POLICIES
from engine.planning.world import Terms
from engine.simulation.compare import Compared, compare

WIDER, STALLS = (0.5, 1.0, 2.0), (1.0, 2.0, 4.0)
TERMS = Terms(periods=8, lots=4, stall=0.2, resume=0.5, progress=0.1, noise=0.02)
MORE = 1.1


def worlds(wider: float) -> Any:
    """The scenario's prior, so many times as uncertain."""
    prior = engine.scenario("many_bets").prior
    spread = {name: wider * sigma for name, sigma in prior.uncertainty.spread.items()}
    return dataclasses.replace(prior, uncertainty=dataclasses.replace(prior.uncertainty, spread=spread))


def relative(gain: np.ndarray, base: np.ndarray) -> tuple[float, float]:
    """(mean gain over the mean of a base, its standard error by the delta method)."""
    ratio = gain.mean() / base.mean()
    return float(ratio), float((gain - ratio * base).std(ddof=1) / base.size**0.5 / base.mean())


def final(found: Compared, policy: str) -> np.ndarray:
    """What a policy has in the end, in every world."""
    return found.value[found.policies.index(policy), :, -1].astype(np.float64)


def row(wider: float, stall: float, count: int) -> dict[str, Any]:
    """One cell of the grid."""
    prior, budget = worlds(wider), engine.scenario("many_bets").budget
    terms = dataclasses.replace(TERMS, resume=1.0 / stall)
    here = compare(prior, budget, terms, ("static", "rolling"), portfolios=count)
    richer = final(compare(prior, MORE * budget, terms, ("static",), portfolios=count), "static")
    static, rolling = final(here, "static"), final(here, "rolling")
    return {
        "wider": wider,
        "stall": stall,
        "static": float(static.mean()),
        "replanning": relative(rolling - static, static),
        "budget": relative(richer - static, static),
        "difference": relative(rolling - richer, static),
    }


def main() -> None:
    """Play, print, save."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1000)
    count = parser.parse_args().count
    rows = [row(wider, stall, count) for wider in WIDER for stall in STALLS]
    middle = compare(
        worlds(1.0), engine.scenario("many_bets").budget, TERMS, tuple(POLICIES), portfolios=count
    )
    base = final(middle, "static")
    policies = {name: relative(final(middle, name) - base, base) for name in POLICIES}
    figures = {"worlds": count, "grid": rows, "policies_against_static": policies}
    print(json.dumps(figures, indent=2))
    if count == 1000:
        print(save("replanning", figures))


if __name__ == "__main__":
    main()
