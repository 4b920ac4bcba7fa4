"""How fast do policies re-plan, and how much faster than plain NumPy?

    python -m benchmarks.planning_speed      results/planning_speed.json

Worlds of the scenario many_bets with ten projects, 256 particles of each, 20 periods of 4 lots. A decision
is one period of one portfolio: the policy's choice, what comes of it and what is then believed. First, each
policy in turn plays a few hundred worlds by the engine (blocks of a study, float32, everything drawn anew,
with the plans that all are compared with) and a few by benchmarks/planning_numpy.py: the same filter and
policies in loops over portfolios, periods and projects (float64; its worlds are drawn beforehand and cost
it nothing). Several rounds of both, so that what else the machine does strikes both; the fastest round
counts. Then, where the estimate is under twelve minutes, all `--count` portfolios are played by the engine
as one study of seven policies, compilation included. Knowledge gradient by lots has no plain counterpart.

Seconds are given of the clock and of processors: the engine takes all cores, NumPy one.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

import engine
from benchmarks import planning_numpy as plain
from benchmarks.machine import save
from engine.model.keys import named, portfolio_key
from engine.planning.policies import POLICIES
from engine.planning.world import Terms
from engine.simulation.blocks import Simulation, default_block
from engine.simulation.point import Point
from engine.simulation.simulate import NamedScenario
from engine.solvers.lattice import NO_LATTICE

PROJECTS, PARTICLES, WHOLE = 10, 256, 10_000
TERMS = Terms(periods=20, lots=4, stall=0.2, resume=0.5, progress=0.1, noise=0.02)
SEVEN = ("equal_split", "static", "myopic", "rolling", "thompson", "knowledge_gradient", "index_kill")
# Portfolios of a round, by the engine and by NumPy; the estimate above which the whole is not played.
ROUNDS, BY_ENGINE, BY_NUMPY, MOST_SECONDS = 3, 256, 2, 720.0

Seconds = tuple[float, float]


def clocked(run: Callable[[], Any]) -> Seconds:
    """Seconds of the clock and of processors."""
    clock, processors = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - clock, time.process_time() - processors


def scenario() -> NamedScenario:
    """Ten bets, planned for."""
    planning = {field.name: getattr(TERMS, field.name) for field in dataclasses.fields(TERMS)}
    return engine.scenario("many_bets", projects=PROJECTS, planning=planning | {"particles": PARTICLES})


def compiled(policies: tuple[str, ...], count: int) -> Simulation:
    """The blocks of so many portfolios by some policies."""
    given = scenario()
    options: dict[str, dict[str, Any]] = {name: {} for name in policies}
    block, kind = default_block(count, given.prior.draws), np.dtype(np.float32)
    return Simulation(Point(given.prior, given.budget, options, NO_LATTICE, 1, count, block, kind))


def solved(simulation: Simulation) -> None:
    """Play them."""
    point = simulation.point
    for _ in simulation.in_turn([(point, index) for index in range(point.blocks)]):
        pass


def plain_worlds(count: int) -> list[tuple[plain.World, list[plain.Curve]]]:
    """As many portfolios for NumPy: the same worlds and particles."""
    prior, budget = scenario().prior, scenario().budget
    assert prior.uncertainty is not None
    uncertain = dataclasses.replace(prior.uncertainty, draws=PARTICLES + 1)

    @jax.jit
    def draw(j: jax.Array) -> tuple[jax.Array, ...]:
        key = portfolio_key(1, j)
        drawn = uncertain.around(prior.draw(key), named(key, "uncertainty")).draws
        curves = drawn.curves
        numbers = (curves.scale, curves.half, curves.exponent, drawn.startup, drawn.success)
        return tuple(jax.numpy.broadcast_to(a, (PARTICLES + 1, PROJECTS)) for a in numbers)

    worlds = []
    for j in range(count):
        each = np.stack([np.asarray(a, np.float64) for a in draw(np.uint32(j))])
        truth = [plain.Curve(*each[:, -1, i]) for i in range(PROJECTS)]
        draws = [plain.Curve(*each[:, :-1, i]) for i in range(PROJECTS)]
        scale = np.array([np.abs(curve.returns(budget)).mean() for curve in draws])
        per_lot = np.full(PROJECTS, budget / TERMS.all_lots)
        worlds.append((plain.World(truth, per_lot, np.maximum(scale, 1e-12), float(TERMS.noise)), draws))
    return worlds


def rates(policy: str, worlds: list[Any], rounds: int) -> dict[str, Any]:
    """Microseconds a decision of one policy, of the clock and of processors, by both in turn."""

    def by_numpy() -> None:
        for j, world in enumerate(worlds):
            plain.play(policy, TERMS, *world, np.random.default_rng(j))

    simulation = compiled((policy,), BY_ENGINE)
    solved(simulation)
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(clocked(lambda: solved(simulation)))
        if policy in plain.POLICIES:
            theirs.append(clocked(by_numpy))
    found: dict[str, Any] = {"engine": each(ours, BY_ENGINE)}
    if theirs:
        found["numpy"] = each(theirs, len(worlds))
        found["ratio"] = [t / o for o, t in zip(found["engine"], found["numpy"], strict=True)]
    return found


def each(seconds: list[Seconds], portfolios: int) -> list[float]:
    """Microseconds a decision in the fastest round, of the clock and of processors."""
    return (1e6 * np.min(seconds, axis=0) / (portfolios * TERMS.periods)).tolist()


def summary(found: dict[str, Any], count: int) -> dict[str, Any]:
    """Of the seven policies together; pairs are of the clock and of processors."""
    ours, theirs = (np.sum([found[name][by] for name in SEVEN], axis=0) for by in ("engine", "numpy"))
    return {
        "decisions_a_second": (len(SEVEN) * 1e6 / ours).tolist(),
        "numpy_decisions_a_second": (len(SEVEN) * 1e6 / theirs).tolist(),
        "ratio": (theirs / ours).tolist(),
        "estimated_seconds": (1e-6 * ours * count * TERMS.periods).tolist(),
    }


def whole(count: int) -> Seconds:
    """Seconds of all portfolios by the seven policies, compilation included."""
    jax.clear_caches()
    return clocked(lambda: solved(compiled(SEVEN, count)))


def main() -> None:
    """Play, print, save."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=WHOLE)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    worlds = plain_worlds(BY_NUMPY)
    found = {name: rates(name, worlds, given.rounds) for name in POLICIES}
    seven = summary(found, given.count)
    figures: dict[str, Any] = {"portfolios": given.count, "microseconds_a_decision": found, "seven": seven}
    if seven["estimated_seconds"][0] < MOST_SECONDS:
        seven["seconds"] = whole(given.count)
    print(json.dumps(figures, indent=2))
    if given.count == WHOLE:
        print(save("planning_speed", figures))


if __name__ == "__main__":
    main()
