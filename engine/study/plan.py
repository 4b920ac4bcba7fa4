"""Plans: from what a user configured to the studies that are to be run."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from engine.allocation.allocate import MOST_BUDGET, choose_lattice
from engine.simulation.point import Study
from engine.simulation.scenarios import build_scenario
from engine.solvers.registry import check_options
from engine.study.config import MonteCarloConfig, RunConfig, SweepConfig
from engine.study.grid import build_grid
from engine.study.sweep import Sweep

DTYPES = ("float32", "float64")


MOST_PORTFOLIOS = 2**32 - 1


# What numbers the blocks is common to a sweep, as is what is no part of a study.
COMMON = ("run.portfolios", "run.block", "run.output", "run.records", "sweep")


# Keys that choose a file of settings rather than set one.
CHOICES = ("scenario",)


def plan(config: RunConfig) -> Study:
    """The study that a configuration describes.

    **Raises:** `ValueError` naming the key that cannot be.
    """
    run = config.run
    if not 0 <= config.budget <= MOST_BUDGET:
        raise ValueError(f"budget is {config.budget:g}, expected a number from 0 to {MOST_BUDGET:g}")
    scenario = build_scenario(config.scenario)
    dtype = np.dtype(run.dtype)
    solvers = checked_solvers(config.solver)
    costs, upper = scenario.costs(), scenario.upper()
    lattice = choose_lattice(solvers, config.budget, scenario.projects, costs, upper)
    return Study(scenario, config.budget, solvers, lattice, run.seed, run.portfolios, run.block, dtype)


def plan_stored(path: Path) -> Study:
    """The study of a run, from the configuration that it left.

    **Raises:** `ValueError` naming the file, if it is no configuration of this engine's.
    """
    try:
        config: Any = OmegaConf.to_object(
            OmegaConf.merge(OmegaConf.structured(RunConfig), OmegaConf.load(path))
        )
    except (OSError, OmegaConfBaseException, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path}: is no configuration of a run ({reason})") from None
    return plan(config)


def checked_solvers(solvers: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The options of each solver."""
    if not solvers:
        raise ValueError("solver is empty, expected at least one solver")
    return {name: check_options(name, dict(options)) for name, options in solvers.items()}


def check_run(run: MonteCarloConfig) -> MonteCarloConfig:
    """The settings of a run as they are, or a `ValueError` naming the key that cannot be."""
    if not 1 <= run.portfolios <= MOST_PORTFOLIOS:
        raise ValueError(f"run.portfolios is {run.portfolios}, expected a number from 1 to {MOST_PORTFOLIOS}")
    if not 1 <= run.block <= 10_000_000:
        raise ValueError(f"run.block is {run.block}, expected a number from 1 to 10000000")
    if not 0 <= run.seed < 2**32:
        raise ValueError(f"run.seed is {run.seed}, expected a number from 0 to {2**32 - 1}")
    if run.dtype not in DTYPES:
        raise ValueError(f"run.dtype is {run.dtype!r}, expected one of {', '.join(DTYPES)}")
    return run


def plan_sweep(config: DictConfig, compose: Callable[[list[str]], DictConfig]) -> Sweep:
    """The sweep that a configuration describes.

    **Arguments:** `config`, with its interpolations, so that what is derived from a setting follows it;
    `compose`, which makes the configuration anew with these overrides: for the choice of a scenario.

    **Raises:** `ValueError` naming the key that cannot be.
    """
    options: Any = OmegaConf.to_object(config.sweep)
    if not 0 <= options.worker < options.workers:
        raise ValueError(f"sweep.worker is {options.worker}, expected one of 0 to {options.workers - 1}")
    grid = build_grid(options.grid, options.zip)
    for key in grid.keys:
        if any(key == common or key.startswith(f"{common}.") for common in COMMON):
            raise ValueError(f"sweep.grid has {key}, which is common to all points of a sweep")
    settings = list(grid.points())
    bases: dict[str, DictConfig] = {}
    studies = []
    for point in settings:
        choices = [f"{key}={point[key]}" for key in CHOICES if key in point]
        base = bases.setdefault(" ".join(choices), compose(choices) if choices else config)
        studies.append(plan(_set(base, {k: v for k, v in point.items() if k not in CHOICES})))
    return Sweep(grid, settings, studies)


def _set(base: DictConfig, settings: dict[str, Any]) -> SweepConfig:
    """The configuration of a point."""
    config = copy.deepcopy(base)
    for key, value in settings.items():
        try:
            if OmegaConf.select(config, key, default=key) == key:
                raise ValueError(f"sweep.grid has {key}, which is no key of the configuration")
            OmegaConf.update(config, key, value)
        except OmegaConfBaseException as error:
            reason = str(error).splitlines()[0].rstrip(".")
            raise ValueError(f"sweep.grid.{key} cannot be {value!r}: {reason}") from None
    point: Any = OmegaConf.to_object(config)
    check_run(point.run)
    return point
