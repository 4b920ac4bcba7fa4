"""The command line: `engine run`, `engine allocate` and `engine frontier`, configured by Hydra.

Standard output carries the result alone; progress, warnings and errors go to standard error. Whatever is
wrong with what the user gave is one line and exit code 2.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import field, make_dataclass
from pathlib import Path
from typing import Any, get_args

import hydra
import jax
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from engine._version import __version__
from engine.cli.allocate import AllocateConfig, allocate_command
from engine.cli.benchmark import BenchmarkConfig, benchmark_command
from engine.cli.demo import demo_command
from engine.cli.errors import fail, guarded, one_line, show_warning
from engine.cli.figures import FiguresConfig, figures_command
from engine.cli.fit import FitConfig, fit_command
from engine.cli.frontier import FrontierConfig, frontier_command
from engine.cli.replay import ReplayConfig, replay_command
from engine.cli.report import ReportConfig, report_command
from engine.cli.responses import ResponsesConfig, responses_command
from engine.cli.run import run_command
from engine.cli.status import StudyConfig, status_command
from engine.cli.sweep import sweep_command
from engine.cli.textbook import TextbookConfig, textbook_command
from engine.files.shipped import config_folder
from engine.live.config import DemoConfig
from engine.solvers.registry import SOLVERS
from engine.study.config import RunConfig, SweepConfig

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
    for name, method in SOLVERS.items():
        options = [
            (n, str if get_args(p.annotation) else p.annotation, field(default=p.default))
            for n, p in method.options.items()
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
        print(f"engine {__version__}")
        return
    if command not in commands:
        fail(f"unknown command {command!r}, expected one of {', '.join(commands)}")
    sys.argv = [f"engine {command}", *map(_any_grid_key, sys.argv[2:])]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors reach us, not Hydra's own printer
    warnings.showwarning = show_warning
    register_schemas()
    keep_compiled_code()
    decorate = hydra.main(version_base="1.3", config_path=str(config_folder()), config_name=command)
    try:
        decorate(lambda config: guarded(commands[command], config))()
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
