"""`engine run`: draw portfolios of a scenario, allocate by every solver, compare."""

from __future__ import annotations

from engine.cli.command import Command
from engine.study.config import RunConfig


def run(config: RunConfig) -> None:
    """`engine run`."""
    from engine.cli.single import run_command

    run_command(config)


COMMAND = Command(
    "draw portfolios of a scenario, allocate by every solver, compare",
    "engine run scenario=staged",
    RunConfig,
    run,
)
