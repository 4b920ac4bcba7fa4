"""`engine sweep`: a grid of scenarios, in blocks that survive anything."""

from __future__ import annotations

from engine.cli.command import Command
from engine.study.config import SweepConfig


def sweep(config: SweepConfig) -> None:
    """`engine sweep`."""
    from engine.cli.sweeping import sweep_command

    sweep_command(config)


COMMAND = Command(
    "a grid of scenarios, in blocks that survive anything",
    "engine sweep sweep.grid.budget=[50,100]",
    SweepConfig,
    sweep,
)
