"""`engine run`: draw portfolios of a scenario, allocate by every solver, compare."""

from __future__ import annotations

import sys

from engine.cli.command import Command
from engine.study.config import RunConfig


def run(config: RunConfig) -> None:
    """`engine run`: a study of one point."""
    from engine.cli.compose import again, studied_overrides
    from engine.cli.computing import compute
    from engine.study.plan import check_run, run_manifest

    check_run(config.run)
    manifest = run_manifest(config, studied_overrides())
    if code := compute(manifest, config.run.output, again("run", config.run.output)):
        sys.exit(code)


COMMAND = Command(
    "draw portfolios of a scenario, allocate by every solver, compare",
    "engine run scenario=staged",
    RunConfig,
    run,
)
