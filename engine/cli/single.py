"""`engine run`: draw portfolios of a scenario, allocate by every solver, compare."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import jax
from omegaconf import OmegaConf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from engine.cli.sheet import show
from engine.cli.tables import outcome_table
from engine.files.folders import open_folder, write_parquet, write_text
from engine.simulation.blocks import Outcome, Simulation
from engine.simulation.point import Study
from engine.solvers.registry import SOLVERS
from engine.study.config import RunConfig
from engine.study.manifest import machine_facts
from engine.study.plan import check_run, plan
from engine.study.records import Records, write_summary
from engine.study.results import tabulate_run

LOG_SECONDS = 10.0


def run_command(config: RunConfig) -> None:
    """`engine run`."""
    begin = time.perf_counter()
    check_run(config.run)
    with jax.enable_x64(True):  # what is proved is proved in float64, whatever the dtype of the draws
        study = plan(config)
        folder = open_folder(config.run.output)
        write_text(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.structured(config)))
        print(f"engine: {_describe(study, config)}", file=sys.stderr)
        simulation = Simulation(study, config.run.records)
        print(f"engine: compiled in {simulation.compile_seconds:.1f} s", file=sys.stderr)
        outcome = _simulate(simulation, folder)
    seconds = time.perf_counter() - begin
    write_summary(folder, outcome, _run_facts(study, outcome, seconds))
    write_parquet(folder / "histograms.parquet", tabulate_run(outcome))
    title = f"{config.scenario.name}: {study.portfolios:,} portfolios of {study.source.projects} projects"
    real = {name for name, options in study.solvers.items() if SOLVERS[name].real(options)}
    table = outcome_table(outcome, f"{title}, budget {study.budget:g}", real)
    show(table)
    print(f"engine: {seconds:.1f} s in all; results in {folder}", file=sys.stderr)
    unsolved = max(outcome.failed.values())
    if unsolved:
        print(f"engine: warning: {unsolved} portfolios were not solved", file=sys.stderr)


def _simulate(simulation: Simulation, folder: Path) -> Outcome:
    """Run all blocks, with a progress bar on a terminal and plain lines elsewhere."""
    study = simulation.study
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    begin = logged = time.perf_counter()
    outcome = Outcome()
    with (
        Records(folder) as records,
        Progress(*columns, console=console, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task("portfolios", total=study.portfolios, rate="")
        for block, outcome in simulation.run():
            records.append(block, block.index * study.block)
            now = time.perf_counter()
            rate = outcome.done / (now - begin)
            bar.update(task, completed=outcome.done, rate=f"{rate:,.0f}/s")
            if not console.is_terminal and (now - logged > LOG_SECONDS or outcome.done == study.portfolios):
                logged = now
                left = (study.portfolios - outcome.done) / rate
                line = (
                    f"{outcome.done:,} of {study.portfolios:,} portfolios, {rate:,.0f}/s, {left:.0f} s left"
                )
                print(f"engine: {line}", file=sys.stderr)
    return outcome


def _describe(study: Study, config: RunConfig) -> str:
    solvers = ", ".join(study.solvers)
    devices = f"{jax.device_count()} {jax.default_backend()} device{'s' if jax.device_count() > 1 else ''}"
    return (
        f"scenario {config.scenario.name}, budget {study.budget:g}, {study.portfolios:,} portfolios in "
        f"{study.blocks:,} blocks, seed {study.seed}, {study.dtype.name} on {devices}; solvers {solvers}"
    )


def _run_facts(study: Study, outcome: Outcome, seconds: float) -> dict[str, Any]:
    return {
        **machine_facts(),
        "portfolios": outcome.done,
        "failed": outcome.failed,
        "seconds": seconds,
        "compile_seconds": outcome.compile_seconds,
        "portfolios_per_second": {name: outcome.rate(name) for name in study.solvers},
    }
