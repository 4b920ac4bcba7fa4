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
    (
        "engine run scenario=staged  # every solver on 10,000 portfolios with plateaus and jumps",
        "engine run scenario=textbook 'solver=[greedy,exact]' run.portfolios=1000  # two solvers on fewer",
        "engine run scenario=many_bets scenario.projects=6 'solver=[exact,mean_cvar]'  # under uncertainty",
    ),
    RunConfig,
    run,
)
