"""`engine sweep`: a grid of scenarios, in blocks that survive anything."""

from __future__ import annotations

import sys

from engine.cli.command import Command
from engine.study.config import SweepConfig, SweepOptions


def sweep(config: SweepConfig) -> None:
    """`engine sweep`."""
    from engine.cli.compose import again, given_overrides, sweep_of
    from engine.cli.computing import compute
    from engine.study.plan import check_run

    check_run(config.run)
    _join_others(config.sweep)
    code = compute(
        sweep_of(given_overrides()), config.run.output, again("sweep", config.run.output), config.sweep
    )
    if code:
        sys.exit(code)


def _join_others(options: SweepOptions) -> None:
    """Join JAX's distributed runtime, if there is one: each process is a worker with its own devices."""
    if options.coordinator is None:
        return
    import jax

    if options.coordinator == "auto":
        jax.distributed.initialize()
    else:
        jax.distributed.initialize(options.coordinator, options.workers, options.worker)
    options.worker, options.workers = jax.process_index(), jax.process_count()


COMMAND = Command(
    "a grid of scenarios, in blocks that survive anything",
    (
        "engine sweep 'sweep.grid.budget=[50,100]'  # of scenario=staged, into outputs/sweep/staged",
        "engine sweep scenario=textbook 'sweep.grid.scenario.skew=[0,1,2]'  # a key of another scenario",
        "engine sweep grid@sweep.grid=budget_by_skew sweep.dry_run=true  # a grid that ships: how long?",
    ),
    SweepConfig,
    sweep,
)
