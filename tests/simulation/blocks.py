"""All blocks of a point, one after another, and what they come to."""

from __future__ import annotations

from collections.abc import Iterable

from engine.simulation.blocks import Block, Simulation
from engine.simulation.summaries import Summary, merge


def every_block(simulation: Simulation) -> list[Block]:
    """The blocks of the simulation's own point, as many at a time as run side by side."""
    return list(simulation.in_turn([(simulation.point, index) for index in range(simulation.point.blocks)]))


def merged(blocks: Iterable[Block]) -> dict[str, dict[str, Summary]]:
    """Their summaries by solver and metric, merged in order."""
    found: dict[str, dict[str, Summary]] = {}
    for block in blocks:
        for solver, summaries in block.summaries.items():
            before = found.get(solver, {})
            found[solver] = {metric: merge(before.get(metric), one) for metric, one in summaries.items()}
    return found
