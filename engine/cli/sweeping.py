"""`engine sweep`: a grid of scenarios, in blocks that survive anything."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import jax
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from engine.cli.compose import compose_sweep, search_path
from engine.cli.interruption import Interruption
from engine.cli.progress import PROGRESS_SECONDS, sweep_progress
from engine.cli.sheet import show
from engine.cli.tables import study_table
from engine.cli.words import blocks_text, say, settings_text, some_text, time_text
from engine.simulation.blocks import lanes
from engine.study.config import SweepConfig
from engine.study.grid import write_grid
from engine.study.manifest import machine_facts
from engine.study.plan import check_run, plan_sweep
from engine.study.results import slowest, write_summary
from engine.study.store import Store, digest
from engine.study.sweep import Sweep
from engine.study.worker import Estimate, Tally, Worker

FAILED_BLOCKS = 3  # the exit code


FORMAT = 1


# Settings of a command that are no part of what is studied.
NOT_STUDIED = ("output", "records")


SLOWEST = 3


def sweep_command(config: SweepConfig) -> None:
    """`engine sweep`."""
    check_run(config.run)
    if config.run.records:
        raise ValueError("run.records is true, expected false: a sweep keeps no portfolio, replay does")
    join_others(config)
    overrides = [*HydraConfig.get().overrides.task, *search_path()]
    with jax.enable_x64(True):
        given = compose_sweep(overrides, [])
        sweep = plan_sweep(given, lambda choices: compose_sweep(overrides, choices))
        folder = Path(config.run.output)
        again = _command(overrides)
        if config.sweep.dry_run:
            say(_plan_text(sweep, folder))
            say(_estimate_text(Worker(sweep, None).estimate()))
            return
        store = Store.open(folder, _manifest(sweep, given, overrides))
        try:
            code = _work(sweep, store, config, again)
        finally:
            store.close()
    if code:
        sys.exit(code)


def run_sweep(overrides: list[str]) -> Store:
    """The finished study of these overrides of `engine sweep`; what is there is not computed again."""
    given = compose_sweep(overrides, [])
    sweep = plan_sweep(given, lambda choices: compose_sweep(overrides, choices))
    store = Store.open(Path(given.run.output), _manifest(sweep, given, overrides))
    try:
        store.drop_damaged()
        say(_plan_text(sweep, store.folder))
        with Interruption() as interruption, sweep_progress(sweep, store.done(), PROGRESS_SECONDS) as report:
            for tally in Worker(sweep, store).run():
                report(tally)
                if interruption.signum:
                    raise KeyboardInterrupt
        write_summary(store)
    finally:
        store.close()
    return Store(store.folder)


def join_others(config: SweepConfig) -> None:
    """Join JAX's distributed runtime, if there is one: each process is a worker with its own devices."""
    options = config.sweep
    if options.coordinator is None:
        return
    if options.coordinator == "auto":
        jax.distributed.initialize()
    else:
        jax.distributed.initialize(options.coordinator, options.workers, options.worker)
    options.worker, options.workers = jax.process_index(), jax.process_count()


def _work(sweep: Sweep, store: Store, config: SweepConfig, again: str) -> int:
    """Run what is to do; the exit code."""
    damaged = store.drop_damaged()
    if damaged:
        say(f"{blocks_text(len(damaged))} damaged, to be done again: {some_text(damaged)}")
    _warn_of_other_versions(store)
    done = store.done()
    say(_plan_text(sweep, store.folder))
    if done:
        say(f"{blocks_text(len(done))} there already")
    options = config.sweep
    worker = Worker(sweep, store, options.worker, options.workers)
    store.log({"message": "begins", "worker": options.worker, "of": options.workers, **machine_facts()})
    begin = time.perf_counter()
    with Interruption() as interruption:
        with sweep_progress(sweep, done, options.log_seconds) as report:
            for number, tally in enumerate(worker.run(options.retry_failed)):
                if number == 0:  # the first blocks are the calibration
                    say(_estimate_text(worker.estimate_by_tally(set(done))))
                report(tally)
                if interruption.signum:
                    break
        signum = interruption.signum
    store.log({"message": "ends", "signal": signum, **_facts(worker.tally)})
    return _close(sweep, store, worker.tally, signum, time.perf_counter() - begin, again)


def _close(sweep: Sweep, store: Store, tally: Tally, signum: int | None, seconds: float, again: str) -> int:
    """Say how it ended; the exit code."""
    done, failed = store.done(), store.failed()
    if tally.blocks:
        compiled = f"{tally.compilations} compilations in {tally.compile_seconds:.1f} s"
        say(f"{tally.portfolios:,} portfolios in {seconds:.1f} s, {tally.rate:,.0f}/s after {compiled}")
    for settings, each in slowest(store, SLOWEST if len(sweep.studies) > 1 else 0):
        say(f"slowest: {settings_text(settings)}: {each:.2f} s a block")
    if failed:
        say(f"warning: {blocks_text(len(failed))} failed: {some_text(list(failed))}; see one again by")
        say(f"  engine replay study={store.folder} block={next(iter(failed))}")
    left = sweep.blocks - len(done) - len(failed)
    if signum:
        say(f"stopped with {blocks_text(left)} to do; go on by\n  {again}")
        return 128 + signum
    if left:
        say(f"{blocks_text(left)} in other workers' hands; the last to finish writes the summary")
        return 0
    if done:
        show(study_table(write_summary(store), store.manifest))
        say(f"results in {store.folder}")
    return FAILED_BLOCKS if failed else 0


def _is_about_the_run(override: str) -> bool:
    key = override.lstrip("+~").split("=")[0]
    return key == "run.output" or (
        key.startswith("sweep.") and not key.startswith(("sweep.grid", "sweep.zip"))
    )


def _manifest(sweep: Sweep, given: DictConfig, overrides: list[str]) -> dict[str, Any]:
    plain: Any = OmegaConf.to_container(given, resolve=False)
    plain["run"] = {k: v for k, v in plain["run"].items() if k not in NOT_STUDIED}
    plain["sweep"] = {k: plain["sweep"][k] for k in ("grid", "zip")}
    return {
        "format": FORMAT,
        "config": plain,
        "hash": digest(plain),
        "seed": plain["run"]["seed"],
        "question": given.sweep.question,
        "overrides": [o for o in overrides if not _is_about_the_run(o)],
        "axes": write_grid(sweep.grid),
        "points": len(sweep.studies),
        "block": sweep.studies[0].block,
        "blocks_per_point": sweep.blocks_per_point,
        "blocks": sweep.blocks,
        **machine_facts(),
    }


def _warn_of_other_versions(store: Store) -> None:
    """Another version or device may round differently: results are as good, but not the same to the bit."""
    facts = machine_facts()
    for what in ("versions", "device"):
        for name, there in store.manifest[what].items():
            here = facts[what].get(name)
            if here != there and name != "count":
                say(f"warning: the study began with {name} {there}, this is {here}: bits may differ")


def _plan_text(sweep: Sweep, folder: Path) -> str:
    study = sweep.studies[0]
    axes = " × ".join(f"{len(axis)} {' and '.join(axis.keys)}" for axis in sweep.grid.axes) or "one point"
    return (
        f"{len(sweep.studies):,} points ({axes}), {blocks_text(sweep.blocks)} of {study.block:,} portfolios, "
        f"{sweep.portfolios:,} in all, {len(sweep.kinds())} compilations; "
        f"solvers {', '.join(study.solvers)}; {study.dtype.name}, {len(lanes())} blocks at a time on "
        f"{jax.default_backend()}; results in {folder}"
    )


def _estimate_text(estimate: Estimate) -> str:
    tried = "" if estimate.tried == estimate.kinds else f", by {estimate.tried} of {estimate.kinds} kinds"
    return (
        f"about {time_text(estimate.seconds)} and {estimate.bytes / 2**20:,.0f} MiB a block{tried} "
        f"(compiled in {estimate.compile_seconds:.1f} s)"
    )


def _command(overrides: list[str]) -> str:
    return " ".join(["engine sweep", *(f"'{o}'" if set(o) & set("[]{} $*?") else o for o in overrides)])


def _facts(tally: Tally) -> dict[str, Any]:
    return {"blocks": tally.blocks, "portfolios": tally.portfolios, "failed": tally.failed}
