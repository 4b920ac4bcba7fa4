"""A study computed from the command line, a run, a sweep or a benchmark: as far as it is not there."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import jax
import yaml

from engine.cli.interruption import Interruption
from engine.cli.progress import study_progress
from engine.cli.sheet import show
from engine.cli.tables import result_table
from engine.cli.words import blocks_text, say, settings_text, some_text, time_text
from engine.files.shipped import config_folder
from engine.simulation.blocks import lanes
from engine.study.config import SweepOptions
from engine.study.manifest import Manifest, machine_facts
from engine.study.plan import plan_sweep
from engine.study.results import slowest
from engine.study.store import Store
from engine.study.study import Study
from engine.study.sweep import Sweep
from engine.study.worker import Estimate, Tally, Worker

FAILED_BLOCKS = 3  # the exit code
SLOWEST = 3


def compute(
    manifest: Manifest, output: str, again: str, options: SweepOptions | None = None, table: bool = True
) -> int:
    """Compute what is missing of a study and show what it found; the exit code.

    **Arguments:** `again`, the command that goes on with it; `options`, how this process takes part, by
    default as `engine sweep` does unless told otherwise; `table`, whether to show what was found.

    **Raises:** `ValueError` naming the key that cannot be; `StoreError` for a folder with another study.
    """
    options, folder = options or _shipped_options(), Path(output)
    with jax.enable_x64(True):  # what is proved is proved in float64, whatever the dtype of the draws
        sweep = plan_sweep(manifest)
        if options.dry_run:
            say(_plan_text(sweep, folder))
            say(_estimate_text(Worker(sweep, None).estimate()))
            return 0
        store = Store.open(folder, manifest)
        try:
            grown = store.manifest
            if (grown.groups, grown.block) != (manifest.groups, manifest.block) or manifest.inputs:
                sweep = plan_sweep(grown, folder)
            signum, tally, seconds = _work(sweep, store, options)
            return _close(store, tally, signum, seconds, again, table)
        finally:
            store.close()


def _shipped_options() -> SweepOptions:
    """Those of `configs/sweep.yaml`, where they are said."""
    return SweepOptions(**yaml.safe_load((config_folder() / "sweep.yaml").read_text())["sweep"])


def _work(sweep: Sweep, store: Store, options: SweepOptions) -> tuple[int | None, Tally, float]:
    """Run what is to do: the signal that stopped it, what was done, in how many seconds."""
    damaged = store.drop_damaged()
    if damaged:
        say(f"{blocks_text(len(damaged))} damaged, to be done again: {some_text(damaged)}")
    _warn_of_other_versions(store)
    done = store.done()
    say(_plan_text(sweep, store.folder))
    if done:
        say(f"{blocks_text(len(done))} there already")
    worker = Worker(sweep, store, options.worker, options.workers)
    store.log({"message": "begins", "worker": options.worker, "of": options.workers, **machine_facts()})
    begin = time.perf_counter()
    with Interruption() as interruption:
        with study_progress(sweep, done, options.log_seconds) as report:
            for number, tally in enumerate(worker.run(options.retry_failed)):
                if number == 0:  # the first blocks are the calibration
                    say(_estimate_text(worker.estimate_by_tally(set(done))))
                report(tally)
                if interruption.signum:
                    break
        signum = interruption.signum
    store.log({"message": "ends", "signal": signum, **_facts(worker.tally)})
    return signum, worker.tally, time.perf_counter() - begin


def _close(store: Store, tally: Tally, signum: int | None, seconds: float, again: str, table: bool) -> int:
    """Say how it ended; the exit code."""
    done, failed, manifest = store.done(), store.failed(), store.manifest
    if tally.blocks:
        compiled = f"compiling {tally.compilations} in {tally.compile_seconds:.1f} s"
        say(f"{tally.portfolios:,} portfolios in {seconds:.1f} s, {tally.rate:,.0f}/s after {compiled}")
    for settings, each in slowest(store, SLOWEST if manifest.points > 1 else 0):
        say(f"slowest: {settings_text(settings)}: {each:.2f} s a block")
    if failed:
        say(f"warning: {blocks_text(len(failed))} failed: {some_text(list(failed))}; see one again by")
        say(f"  engine replay study={store.folder} block={next(iter(failed))}")
    left = manifest.blocks - len(done) - len(failed)
    if signum:
        say(f"stopped with {blocks_text(left)} to do; go on by\n  {again}")
        return 128 + signum
    if left:
        say(f"{blocks_text(left)} in other workers' hands; the last to finish writes the summary")
        return 0
    if done:
        study = Study(store.folder)
        study.write_summary()
        _tell(study, table)
    return FAILED_BLOCKS if failed else 0


def _tell(study: Study, table: bool) -> None:
    """Show what a study found."""
    if table:
        show(result_table(study))
    unsolved = max(found.unsolved for found in study.found)
    if unsolved:
        say(f"warning: {unsolved:,} portfolios were not solved")
    manifest = study.manifest
    there = sum(manifest.size(number) for number in study.store.done())
    of = manifest.portfolios * manifest.tasks
    say(f"{there:,} of {of:,} portfolios; results in {study.folder}")


def _warn_of_other_versions(store: Store) -> None:
    """Another version or device may round differently: results are as good, but not the same to the bit."""
    began = {"versions": store.manifest.versions, "device": store.manifest.device}
    facts = machine_facts()
    for what, named in began.items():
        for name, there in named.items():
            here = facts[what].get(name)
            if here != there and name != "count":
                say(f"warning: the study began with {name} {there}, this is {here}: bits may differ")


def _plan_text(sweep: Sweep, folder: Path) -> str:
    manifest = sweep.manifest
    axes = " × ".join(f"{len(axis)} {' and '.join(axis.keys)}" for axis in manifest.grid.axes)
    points = f"{manifest.points:,} points ({axes})" if axes else f"{manifest.title}: one point"
    kinds = f"{len(sweep.kinds)} compilation{'s' * (len(sweep.kinds) > 1)}"
    block = min(manifest.block, manifest.portfolios)
    return (
        f"{points}, {blocks_text(manifest.blocks)} of {block:,} portfolios, "
        f"{sweep.portfolios:,} in all, {kinds}; "
        f"solvers {', '.join(manifest.solvers)}; {manifest.run['dtype']}, {len(lanes())} blocks at a time on "
        f"{jax.default_backend()}; results in {folder}"
    )


def _estimate_text(estimate: Estimate) -> str:
    tried = "" if estimate.tried == estimate.kinds else f", by {estimate.tried} of {estimate.kinds} kinds"
    return (
        f"about {time_text(estimate.seconds)} in all and {estimate.bytes / 2**20:,.0f} MiB a block{tried} "
        f"(compiled in {estimate.compile_seconds:.1f} s)"
    )


def _facts(tally: Tally) -> dict[str, Any]:
    return {"blocks": tally.blocks, "portfolios": tally.portfolios, "failed": tally.failed}
