"""The command line: `engine run`, `engine allocate` and `engine frontier`, configured by Hydra.

Standard output carries the result alone; progress, warnings and errors go to standard error. Whatever is
wrong with what the user gave is one line and exit code 2.
"""

from __future__ import annotations

import csv
import json
import os
import re
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import field, fields, is_dataclass, make_dataclass
from pathlib import Path
from typing import Any, get_args

import hydra
import jax
import numpy as np
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import engine
from engine.allocation import MOST_BUDGET, allocate
from engine.comparison import Comparison, compare
from engine.config import (
    AllocateConfig,
    BenchmarkConfig,
    DemoConfig,
    FiguresConfig,
    FitConfig,
    FrontierConfig,
    ReplayConfig,
    ReportConfig,
    ResponsesConfig,
    RunConfig,
    StudyConfig,
    SweepConfig,
    TextbookConfig,
    config_folder,
)
from engine.demo_command import demo_command
from engine.figures_command import figures_command
from engine.files import load_portfolio, portfolio_path
from engine.fit_command import fit_command
from engine.frontier import budget_frontier
from engine.planning import check_run, checked_solvers, plan
from engine.report import (
    allocation_table,
    comparison_table,
    frontier_columns,
    frontier_table,
    outcome_table,
    show,
)
from engine.responses_command import responses_command
from engine.results import tabulate_run
from engine.simulation import Outcome, Simulation, Study
from engine.solvers import SOLVERS, real_effort, solver_options
from engine.storage import (
    Records,
    machine_facts,
    open_folder,
    write_comparison,
    write_parquet,
    write_summary,
    write_text,
)
from engine.sweep_commands import replay_command, report_command, status_command, sweep_command
from engine.targets import KINDS, budget_for
from engine.textbook_command import textbook_command

USAGE = """usage: engine COMMAND [key=value ...]

commands:
  run        draw portfolios of a scenario, allocate by every solver, compare    (engine run scenario=staged)
  allocate   allocate a budget over one portfolio from a file    (engine allocate portfolio=FILE budget=100)
  frontier   the optimum of every budget at once, and its price    (engine frontier portfolio=FILE budget=100)
  fit        curves from measurements    (engine fit data=FILE)
  responses  curves from Robyn, PyMC-Marketing or Meridian    (engine responses source=robyn data=FOLDER)
  sweep      a grid of scenarios, in blocks that survive anything    (engine sweep sweep.grid.budget=[50,100])
  status     how far a sweep is, also while it runs    (engine status study=FOLDER)
  report     what a sweep or run has found, as a page too    (engine report study=FOLDER)
  figures    figures of a sweep, a run, a fit or a portfolio    (engine figures study=FOLDER)
  replay     one block of a sweep again, with every portfolio    (engine replay study=FOLDER block=7)
  demo       a live local page: drag the budget and the projects    (engine demo scenario=staged)
  textbook   the textbook experiment as a study, with its figures    (engine textbook)
  benchmark  solvers over test problems and published knapsacks    (engine benchmark 'sizes=[[20,300]]')

engine COMMAND --help shows the command's configuration and choices.
"""
LOG_SECONDS = 10.0


def register_schemas() -> None:
    """Tell Hydra the schema of each command, and of each solver's options as its signature types them."""
    store = ConfigStore.instance()
    store.store(group="schema", name="run", node=RunConfig)
    store.store(group="schema", name="allocate", node=AllocateConfig)
    store.store(group="schema", name="frontier", node=FrontierConfig)
    store.store(group="schema", name="benchmark", node=BenchmarkConfig)
    store.store(group="schema", name="fit", node=FitConfig)
    store.store(group="schema", name="responses", node=ResponsesConfig)
    store.store(group="schema", name="demo", node=DemoConfig)
    store.store(group="schema", name="textbook", node=TextbookConfig)
    store.store(group="schema", name="sweep", node=SweepConfig)
    store.store(group="schema", name="study", node=StudyConfig)
    store.store(group="schema", name="figures", node=FiguresConfig)
    store.store(group="schema", name="report", node=ReportConfig)
    store.store(group="schema", name="replay", node=ReplayConfig)
    for name in SOLVERS:
        options = [
            (n, str if get_args(p.annotation) else p.annotation, field(default=p.default))
            for n, p in solver_options(name).items()
        ]
        store.store(group="schema/solver", name=name, node=make_dataclass(f"{name}_options", options))


def main() -> None:
    """Entry point of the `engine` command."""
    commands: dict[str, Callable[[Any, DictConfig], None]] = {
        "run": run_command,
        "allocate": allocate_command,
        "frontier": frontier_command,
        "benchmark": benchmark_command,
        "fit": fit_command,
        "responses": responses_command,
        "demo": demo_command,
        "textbook": textbook_command,
        "sweep": sweep_command,
        "status": status_command,
        "report": report_command,
        "figures": figures_command,
        "replay": replay_command,
    }
    command = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if command in ("--help", "-h"):
        print(USAGE, end="")
        return
    if command == "--version":
        print(f"engine {engine.__version__}")
        return
    if command not in commands:
        fail(f"unknown command {command!r}, expected one of {', '.join(commands)}")
    sys.argv = [f"engine {command}", *map(_any_grid_key, sys.argv[2:])]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors reach us, not Hydra's own printer
    warnings.showwarning = _show_warning
    register_schemas()
    keep_compiled_code()
    decorate = hydra.main(version_base="1.3", config_path=str(config_folder()), config_name=command)
    try:
        decorate(lambda config: _guarded(commands[command], config))()
    except (HydraException, OmegaConfBaseException, ValueError, OSError) as error:
        fail(one_line(error))
    except KeyboardInterrupt:
        print("engine: interrupted", file=sys.stderr)
        sys.exit(130)


def _any_grid_key(argument: str) -> str:
    """A grid may have any key, which Hydra asks to be marked."""
    return f"++{argument}" if argument.startswith("sweep.grid.") else argument


def keep_compiled_code() -> None:
    """JAX's compiled code goes to the user's cache folder, unless JAX is told of another place."""
    if jax.config.jax_compilation_cache_dir:  # type: ignore[attr-defined]
        return
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "engine" / "jax"
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    jax.config.update("jax_compilation_cache_dir", str(cache))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def _guarded(command: Callable[[Any, DictConfig], None], config: DictConfig) -> None:
    """Run a command; what is wrong with its input ends it here, before Hydra reports it as a crash."""
    try:
        settings = OmegaConf.to_object(config)
        _refuse_unknown_keys(config, settings)
        command(settings, config)
    except (OmegaConfBaseException, ValueError, OSError) as error:
        fail(one_line(error))


def _refuse_unknown_keys(config: Any, settings: Any, where: str = "") -> None:
    """Keys that `+key=value` added to a schema that does not have them."""
    if not isinstance(config, DictConfig):
        return
    known = {f.name for f in fields(settings)} if is_dataclass(settings) else None
    for key in map(str, config):
        if known is not None and key not in known:
            raise ValueError(f"unknown key {where}{key}, expected one of {', '.join(sorted(known))}")
        value = getattr(settings, key) if known is not None else settings[key]
        _refuse_unknown_keys(config[key], value, f"{where}{key}.")


def fail(message: str) -> None:
    """Say in one line what is wrong with the input, and exit with code 2."""
    print(f"engine: {message}", file=sys.stderr)
    sys.exit(2)


def one_line(error: BaseException) -> str:
    """What is wrong in one line, from an error of ours or of Hydra's."""
    if isinstance(error, MissingMandatoryValue):
        key = _first_line(error).rsplit(" ", 1)[-1]
        return f"{key} is missing, expected {key}=..."
    if missing := re.search(r"Could not (?:find|load) '([\w/]+)/([^'/]*)'", str(error)):
        group, name = missing.groups()
        if group == "hydra/launcher":
            return f"hydra/launcher {name} is not installed: it comes with engine[slurm] or engine[ray]"
        folders = [config_folder(), *_own_folders()]
        known = sorted({path.stem for folder in folders for path in (folder / group).glob("*.yaml")})
        return f"unknown {group} {name!r}, expected one of {', '.join(known)}"
    cause = error.__cause__ or error.__context__ if isinstance(error, HydraException) else None
    text = _first_line(error)
    if override := getattr(error, "override", None):
        text = f"cannot read {override!r}: {text}"
    if cause and _first_line(cause) not in text:
        text += f": {_first_line(cause)}"
    full_key = getattr(error, "full_key", None)
    return f"{full_key}: {text}" if full_key and full_key not in text else text


def _own_folders() -> list[Path]:
    """The folder of `--config-dir`, as far as it is on the command line."""
    given = zip(sys.argv, [*sys.argv[1:], ""], strict=True)
    named = [
        value if word in ("--config-dir", "-cd") else word.partition("=")[2]
        for word, value in given
        if word in ("--config-dir", "-cd") or word.startswith("--config-dir=")
    ]
    return [Path(name) for name in named if name]


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    print(f"engine: warning: {message}", file=sys.stderr)


def run_command(config: RunConfig, given: DictConfig) -> None:
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
    real = {name for name, options in study.solvers.items() if real_effort(name, options)}
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


def benchmark_command(config: BenchmarkConfig, given: DictConfig) -> None:
    """`engine benchmark`."""
    run = check_run(config.run)
    solvers = checked_solvers(config.solver)
    sizes = [_check_size(size) for size in config.sizes]
    if not config.problems or not sizes:
        raise ValueError(f"{'sizes' if config.problems else 'problems'} is empty, expected at least one")
    comparison = Comparison(
        config.problems, sizes, solvers, run.portfolios, run.seed, run.block, np.dtype(run.dtype)
    )
    rows: list[dict[str, Any]] = []
    with jax.enable_x64(True):
        studies = comparison.studies()
        folder = open_folder(run.output)
        write_text(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.structured(config)))
        for number, found in enumerate(compare(comparison), start=1):
            rows += found
            write_comparison(folder, rows, machine_facts())
            size = "{problem}, {projects} projects, budget {budget}".format(**found[0])
            print(f"engine: {number} of {len(studies)}: {size}", file=sys.stderr)
    show(comparison_table(rows))
    print(f"engine: results in {folder}", file=sys.stderr)


def _check_size(size: Any) -> tuple[int, int]:
    """A pair of whole numbers."""
    pair = list(size) if isinstance(size, (list, tuple)) else []
    if len(pair) != 2 or not all(isinstance(n, int) and 1 <= n <= MOST_BUDGET for n in pair):
        raise ValueError(f"sizes has {size!r}, expected pairs of projects and budget: sizes=[[20,300]]")
    return pair[0], pair[1]


def allocate_command(config: AllocateConfig, given: DictConfig) -> None:
    """`engine allocate`."""
    if config.format not in ("table", "json"):
        raise ValueError(f"format is {config.format!r}, expected table or json")
    solver, options = _one_solver(config.solver)
    target = _check_target(config)
    portfolio = load_portfolio(portfolio_path(config.portfolio))
    if config.budget is not None:
        budget, solution, goal = config.budget, allocate(portfolio, config.budget, solver, **options), ""
    else:
        found = budget_for(portfolio, **target, solver=solver)
        budget, solution = float(found.budget), found.solution
        goal = _goal(target, bool(found.proved))
    if config.format == "table":
        show(allocation_table(portfolio, solution, budget, solver, goal))
        return
    whole = not real_effort(solver, options)
    effort = [int(e) if whole else float(e) for e in solution.effort]
    facts = {
        "effort": dict(zip(portfolio.names, effort, strict=True)),
        "value": float(solution.value),
        "bound": float(solution.bound),
        "gap": float(solution.gap),
        "proved": bool(solution.proved),
        "price": float(solution.price),
        "budget": budget,
        "spent": float(solution.spent),
        "unspent": max(budget - float(solution.spent), 0.0),
        "solver": solver,
    }
    if target:
        facts |= {"target": target, "budget_proved": bool(found.proved)}
    print(json.dumps(facts))


def _one_solver(solvers: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The name of the only solver, and its options."""
    if len(solvers) != 1:
        raise ValueError(f"solver is {list(solvers)}, expected one solver")
    ((solver, options),) = solvers.items()
    return solver, dict(vars(options))


def _check_target(config: AllocateConfig) -> dict[str, float]:
    """The target that the budget is asked for; empty where the budget is given."""
    numbers: dict[str, float | None] = {kind: getattr(config.target, kind) for kind in KINDS}
    target = {kind: number for kind, number in numbers.items() if number is not None}
    keys = ["budget"] * (config.budget is not None) + [f"target.{kind}" for kind in target]
    if not keys:
        choices = ", ".join(f"target.{kind}" for kind in KINDS)
        raise ValueError(f"budget is missing, expected budget=... or one of {choices}")
    if len(keys) > 1:
        raise ValueError(f"{' and '.join(keys)} are given, expected one of them")
    return target


def _goal(target: dict[str, float], proved: bool) -> str:
    """What a budget was found for, in words."""
    ((kind, number),) = target.items()
    words = {
        "value": f"the least that returns {number:g}",
        "return_per_unit": f"the most that returns {number:g} per unit on average",
        "price": f"the most whose last spending returns {number:g} per unit",
    }
    return words[kind] if proved else f"{words[kind]}, not proved"


def frontier_command(config: FrontierConfig, given: DictConfig) -> None:
    """`engine frontier`."""
    if config.format not in ("table", "json", "csv"):
        raise ValueError(f"format is {config.format!r}, expected table, json or csv")
    if config.rows < 2:
        raise ValueError(f"rows is {config.rows}, expected a number of at least 2")
    solver, _ = _one_solver(config.solver)
    portfolio = load_portfolio(portfolio_path(config.portfolio))
    frontier = budget_frontier(portfolio, config.budget, solver)
    if config.format == "table":
        show(frontier_table(portfolio, frontier, config.budget, solver, config.rows))
        return
    columns = frontier_columns(portfolio, frontier, whole=solver == "exact")
    if config.format == "json":
        efforts = {name: columns.pop(f"effort.{name}") for name in portfolio.names}
        print(json.dumps({**columns, "effort": efforts, "solver": solver}))
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
