"""The commands for nights: `engine sweep`, `engine status`, `engine report` and `engine replay`."""

from __future__ import annotations

import importlib
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
import jax
import numpy as np
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from engine.config import ReplayConfig, ReportConfig, StudyConfig, SweepConfig, config_folder
from engine.grid import write_grid
from engine.interruption import Interruption
from engine.planning import check_run, plan_sweep
from engine.report import show, study_table
from engine.results import load, slowest, write_summary
from engine.simulation import Simulation, Study, lanes
from engine.storage import Records, machine_facts, open_folder, write_text
from engine.store import Store, StoreError, digest
from engine.sweep import Estimate, Sweep, Tally, Worker

FAILED_BLOCKS = 3  # the exit code
FORMAT = 1
# Settings of a command that are no part of what is studied.
NOT_STUDIED = ("output", "records")
SLOWEST = 3
PROGRESS_SECONDS = 30.0


def sweep_command(config: SweepConfig, given: DictConfig) -> None:
    """`engine sweep`."""
    check_run(config.run)
    if config.run.records:
        raise ValueError("run.records is true, expected false: a sweep keeps no portfolio, replay does")
    join_others(config)
    overrides = [*HydraConfig.get().overrides.task, *_own_folders()]
    with jax.enable_x64(True):
        sweep = plan_sweep(given, lambda choices: _compose(overrides, choices))
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
    given = _compose(overrides, [])
    sweep = plan_sweep(given, lambda choices: _compose(overrides, choices))
    store = Store.open(Path(given.run.output), _manifest(sweep, given, overrides))
    try:
        store.drop_damaged()
        say(_plan_text(sweep, store.folder))
        with Interruption() as interruption, _progress(sweep, store.done(), PROGRESS_SECONDS) as report:
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
        say(f"{_blocks(len(damaged))} damaged, to be done again: {_some(damaged)}")
    _warn_of_other_versions(store)
    done = store.done()
    say(_plan_text(sweep, store.folder))
    if done:
        say(f"{_blocks(len(done))} there already")
    options = config.sweep
    worker = Worker(sweep, store, options.worker, options.workers)
    store.log({"message": "begins", "worker": options.worker, "of": options.workers, **machine_facts()})
    begin = time.perf_counter()
    with Interruption() as interruption:
        with _progress(sweep, done, options.log_seconds) as report:
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
        say(f"slowest: {_settings(settings)}: {each:.2f} s a block")
    if failed:
        say(f"warning: {_blocks(len(failed))} failed: {_some(list(failed))}; see one again by")
        say(f"  engine replay study={store.folder} block={next(iter(failed))}")
    left = sweep.blocks - len(done) - len(failed)
    if signum:
        say(f"stopped with {_blocks(left)} to do; go on by\n  {again}")
        return 128 + signum
    if left:
        say(f"{_blocks(left)} in other workers' hands; the last to finish writes the summary")
        return 0
    if done:
        show(study_table(write_summary(store), store.manifest))
        say(f"results in {store.folder}")
    return FAILED_BLOCKS if failed else 0


@contextmanager
def _progress(sweep: Sweep, done: dict[int, Path], log_seconds: float) -> Iterator[Any]:
    """Show the tally: a bar on a terminal, else a line now and then."""
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[at]}"))
    logged = time.perf_counter()
    left = sum(sweep.size(n) for n in range(sweep.blocks) if n not in done)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("blocks", total=sweep.blocks, completed=len(done), at="")

        def report(tally: Tally) -> None:
            nonlocal logged
            remaining = (left - tally.portfolios) / tally.rate if tally.rate > 0 else math.nan
            point = _settings(sweep.settings[tally.point])
            at = f"{tally.rate:,.0f} portfolios/s, {_time(remaining)} left, at {point}"
            bar.update(task, completed=len(done) + tally.blocks, at=at)
            now = time.perf_counter()
            if not console.is_terminal and now - logged > log_seconds:
                logged = now
                say(f"{len(done) + tally.blocks:,} of {_blocks(sweep.blocks)}, {at}")

        yield report


def status_command(config: StudyConfig, given: DictConfig) -> None:
    """`engine status`."""
    store = Store(Path(config.study))
    progress = store.progress()
    rate = progress.rate * store.manifest["block"]
    print(f"{store.folder}: {store.manifest['points']} points of {store.manifest['blocks_per_point']} blocks")
    print(f"done      {progress.done:,} of {_blocks(progress.blocks)}")
    print(f"to do     {progress.left:,}, {progress.running:,} of them in hand")
    print(f"failed    {progress.failed:,}")
    if progress.left:
        known = not math.isnan(progress.seconds_left)
        time_left = f"{rate:,.0f} portfolios/s, {_time(progress.seconds_left)} left" if known else "not known"
        print(f"rate      {time_left}")
    for block, path in store.failed().items():
        print(f"failed block {block}: {_error_of(path)}")


def report_command(config: ReportConfig, given: DictConfig) -> None:
    """`engine report`: the table of what was found, and a page of it all."""
    folder = Path(config.study)
    page = Path(config.output or folder / "report.html")
    if (folder / "run.json").exists():
        webpage = load_with_figures("engine.webpage")
        write_text(page, webpage.run_page(folder, config.question))
        say(f"report in {page}")
        return
    store = Store(folder)
    progress = store.progress()
    table = load(store.folder) if progress.left or progress.failed else write_summary(store)
    show(study_table(table, store.manifest))
    if progress.left or progress.failed:
        say(f"{progress.done:,} of {_blocks(progress.blocks)} done, {progress.failed:,} failed: so far only")
    if config.html:
        webpage = load_with_figures("engine.webpage")
        write_text(page, webpage.study_page(store, study_of(store), config.question))
        say(f"report in {page}")


def replay_command(config: ReplayConfig, given: DictConfig) -> None:
    """`engine replay`: solve one block of a study again, store every portfolio, show those that failed."""
    store = Store(Path(config.study))
    blocks = store.manifest["blocks"]
    if not 0 <= config.block < blocks:
        raise ValueError(f"block is {config.block}, expected one of 0 to {blocks - 1}")
    folder = open_folder(config.output or store.folder / "replay" / f"{config.block:08d}")
    with jax.enable_x64(True):
        sweep = stored_sweep(store)
        study, index = sweep.unit(config.block)
        simulation = Simulation(study, records=True)
        (block,) = simulation.blocks([(study, index)])
        with Records(folder) as records:
            records.append(block, index * study.block)
    say(f"block {config.block}: {_settings(sweep.settings[config.block // sweep.blocks_per_point])}")
    say(f"portfolios {index * study.block} to {index * study.block + block.count - 1} of seed {study.seed}")
    for solver, columns in block.records.items():
        unsolved = np.flatnonzero(columns["status"]) + index * study.block
        solved = f"{block.count - unsolved.size} of {block.count} solved"
        print(f"{solver}: {solved}{_worst_of(columns, index * study.block)}")
        for portfolio in unsolved[:10]:
            status = int(columns["status"][portfolio - index * study.block])
            print(f"  portfolio {portfolio}: {('', 'infeasible', 'not a finite number')[status]}")
    say(f"records in {folder}")


def _worst_of(columns: dict[str, np.ndarray], first: int) -> str:
    """Which portfolio of a block is furthest from the optimum, or else from its bound."""
    known = np.isfinite(columns["loss"])
    missed = np.where(known, columns["loss"], columns["gap"])
    if not np.any(np.isfinite(missed)) or np.nanmax(missed) <= 0:
        return ""
    worst = int(np.nanargmax(missed))
    what = "the optimum" if known[worst] else "its bound"
    return f"; portfolio {first + worst} misses most, {missed[worst]:.2%} of {what}"


def load_with_figures(name: str) -> Any:
    """A module that needs `engine[figures]`.

    **Raises:** `ValueError` without it.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in ("matplotlib", "jinja2"):
            raise
        raise ValueError(
            'matplotlib and Jinja2 are missing, expected pip install "engine[figures]"'
        ) from None


def stored_sweep(store: Store) -> Sweep:
    """The sweep that a study holds the results of."""
    overrides = [*store.manifest["overrides"], f"run.output={store.folder}"]
    return plan_sweep(_compose(overrides, []), lambda choices: _compose(overrides, choices))


def study_of(store: Store) -> Callable[[int], Study]:
    """What is drawn and solved at each point of a study; planned when it is first asked for."""
    return lambda point: stored_sweep(store).studies[point]


# What is said, and of what.


def say(text: str) -> None:
    """A line to the user, who may have put standard output elsewhere."""
    print(f"engine: {text}", file=sys.stderr, flush=True)


def _compose(overrides: list[str], more: list[str]) -> DictConfig:
    """The configuration of `engine sweep` with these overrides."""
    if GlobalHydra.instance().is_initialized():
        return hydra.compose("sweep", [*overrides, *more])
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        return hydra.compose("sweep", [*overrides, *more])


def _own_folders() -> list[str]:
    """The folders of `--config-dir`, as an override that whoever composes the configuration again can use."""
    sources = HydraConfig.get().runtime.config_sources
    paths = [str(Path(source.path).resolve()) for source in sources if source.provider == "command-line"]
    return [f"hydra.searchpath=[{','.join(f'file://{path}' for path in paths)}]"] if paths else []


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
        f"{len(sweep.studies):,} points ({axes}), {_blocks(sweep.blocks)} of {study.block:,} portfolios, "
        f"{sweep.portfolios:,} in all, {len(sweep.kinds())} compilations; "
        f"solvers {', '.join(study.solvers)}; {study.dtype.name}, {len(lanes())} blocks at a time on "
        f"{jax.default_backend()}; results in {folder}"
    )


def _estimate_text(estimate: Estimate) -> str:
    tried = "" if estimate.tried == estimate.kinds else f", by {estimate.tried} of {estimate.kinds} kinds"
    return (
        f"about {_time(estimate.seconds)} and {estimate.bytes / 2**20:,.0f} MiB a block{tried} "
        f"(compiled in {estimate.compile_seconds:.1f} s)"
    )


def _command(overrides: list[str]) -> str:
    return " ".join(["engine sweep", *(f"'{o}'" if set(o) & set("[]{} $*?") else o for o in overrides)])


def _facts(tally: Tally) -> dict[str, Any]:
    return {"blocks": tally.blocks, "portfolios": tally.portfolios, "failed": tally.failed}


def _settings(settings: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in settings.items()) or "the only point"


def _blocks(count: int) -> str:
    return f"{count:,} block" + "s" * (count != 1)


def _some(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:5])) + (" ..." if len(numbers) > 5 else "")


def _time(seconds: float) -> str:
    if math.isnan(seconds):
        return "an unknown time"
    minutes, rest = divmod(max(round(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
    )


def _error_of(path: Path) -> str:
    try:
        facts = json.loads(path.read_text())
        return f"{_settings(facts['settings'])}: {facts['error']}"
    except (OSError, ValueError, KeyError):
        raise StoreError(f"{path} is damaged, expected what a worker noted of a block") from None
