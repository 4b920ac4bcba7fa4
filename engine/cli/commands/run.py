"""`engine run`: draw portfolios of a scenario, allocate by every solver, compare."""

from __future__ import annotations

import sys

from engine.cli.command import Command
from engine.study.config import RunConfig


def run(config: RunConfig) -> None:
    """`engine run`: a study of one point."""
    from engine.cli.compose import again, given_overrides, is_of_the_study
    from engine.cli.computing import compute
    from engine.study.plan import check_run, run_manifest

    check_run(config.run)
    manifest = run_manifest(config, tuple(filter(is_of_the_study, given_overrides())))
    if code := compute(manifest, config.run.output, again("run", config.run.output)):
        sys.exit(code)


COMMAND = Command(
    "draw portfolios of a scenario, allocate by every solver, compare",
    "engine run scenario=staged",
    RunConfig,
    run,
)
