"""When is re-planning worth more than a tenth more budget?

    python -m benchmarks.replanning      results/replanning.json

Worlds of the scenario many_bets (twelve S-shaped bets with start-up costs, of which four in ten succeed) with
planning=stalls, over how uncertain scale and pace of the curves are (σ as a multiple of the scenario's) and
how long a stall lasts on average. Numbers of each, relative to what the static plan returns: what the rolling
plan returns more, what a static plan of a tenth more budget returns more, and the first less the second, with
standard errors; in pairs, since all meet the same curves, stalls and noise. At the middle all policies are
compared.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import engine
from benchmarks.machine import save
from engine.cli.compose import register_schemas
from engine.files.shipped import config_folder
from engine.planning.policies import POLICIES
from engine.simulation.simulate import NamedScenario, Simulated
from engine.simulation.summaries import means

WIDER, STALLS = (0.5, 1.0, 2.0), (1.0, 2.0, 4.0)


def shipped() -> dict[str, Any]:
    """The scenario with its planning, as `engine run scenario=many_bets planning=stalls` has it."""
    register_schemas()
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        given = compose("run", ["scenario=many_bets", "planning=stalls"])
    chosen: Any = OmegaConf.to_container(given.scenario, resolve=True)
    return {key: chosen[key] for key in ("planning", "uncertainty")}


def worlds(wider: float, stall: float) -> NamedScenario:
    """The scenario, so many times as uncertain, with stalls of so many periods on average."""
    given = shipped()
    spread = {name: wider * sigma for name, sigma in given["uncertainty"]["spread"].items()}
    planning = given["planning"] | {"resume": 1.0 / stall}
    return engine.scenario(
        "many_bets", planning=planning, uncertainty=given["uncertainty"] | {"spread": spread}
    )


def relative(found: Simulated, policy: str, metric: str, base: float) -> tuple[float, float]:
    """(the mean of a metric over a base, its standard error)."""
    numbers = means(found.summaries[policy][metric])
    return numbers["mean"] / base, numbers["standard_error"] / base


def row(wider: float, stall: float, count: int) -> dict[str, Any]:
    """One cell of the grid."""
    found = engine.simulate(worlds(wider, stall), solvers=("static", "rolling"), portfolios=count)
    static = found.mean("static")
    richer = relative(found, "static", "over_richer", static)
    return {
        "wider": wider,
        "stall": stall,
        "static": static,
        "replanning": relative(found, "rolling", "over_static", static),
        "budget": (-richer[0], richer[1]),
        "difference": relative(found, "rolling", "over_richer", static),
    }


def main() -> None:
    """Play, print, save."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1000)
    count = parser.parse_args().count
    rows = [row(wider, stall, count) for wider in WIDER for stall in STALLS]
    middle = engine.simulate(worlds(1.0, 2.0), solvers=tuple(POLICIES), portfolios=count)
    base = middle.mean("static")
    policies = {name: relative(middle, name, "over_static", base) for name in POLICIES}
    figures = {"worlds": count, "grid": rows, "policies_against_static": policies}
    print(json.dumps(figures, indent=2))
    if count == 1000:
        print(save("replanning", figures))


if __name__ == "__main__":
    main()
