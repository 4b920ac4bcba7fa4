"""Plans: from a configuration to a manifest, and from a manifest alone to the points that are to be run."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from engine.allocation.allocate import check_budget
from engine.allocation.old_names import by_current_names
from engine.bets.lifted import CLIMBS
from engine.simulation.blocks import default_block
from engine.simulation.config import PlanningConfig, SpilloverConfig, UncertaintyConfig
from engine.simulation.methods import check_method, reference
from engine.simulation.point import Point, chosen_lattice
from engine.simulation.problems import Problem
from engine.simulation.scenarios import Scenario, build_scenario
from engine.solvers.lattice import PARTS
from engine.solvers.registry import Takes
from engine.study.config import MonteCarloConfig, RunConfig
from engine.study.grid import Axis, Grid, build_grid
from engine.study.manifest import CHOICE, DRAWS, Manifest, Settings, machine_facts
from engine.study.sweep import Sweep

DTYPES = ("float32", "float64")
MOST_PORTFOLIOS = 2**32 - 1
# Of a planning: what is believed and what is true.
COUNTED = ("particles", "worlds")
# What numbers the blocks is common to a study, as is what is no part of it.
COMMON = ("run.portfolios", "run.block", "run.output", "run.records", "sweep")
# Settings of a run that say what is studied.
STUDIED = ("portfolios", "seed", "block", "dtype", "records")


def checked_solvers(solvers: Mapping[str, Any], gives: Takes = "portfolio") -> dict[str, dict[str, Any]]:
    """The options of each solver, of portfolios or of what else a scenario gives."""
    if not solvers:
        raise ValueError("solver is empty, expected at least one solver")
    return {name: dict(check_method(name, options, gives)) for name, options in solvers.items()}


def check_run(run: MonteCarloConfig) -> MonteCarloConfig:
    """The settings of a run as they are, or a `ValueError` naming the key that cannot be."""
    if not 1 <= run.portfolios <= MOST_PORTFOLIOS:
        raise ValueError(f"run.portfolios is {run.portfolios}, expected a number from 1 to {MOST_PORTFOLIOS}")
    if run.block is not None and not 1 <= run.block <= 10_000_000:
        raise ValueError(f"run.block is {run.block}, expected a number from 1 to 10000000")
    if not 0 <= run.seed < 2**32:
        raise ValueError(f"run.seed is {run.seed}, expected a number from 0 to {2**32 - 1}")
    if run.dtype not in DTYPES:
        raise ValueError(f"run.dtype is {run.dtype!r}, expected one of {', '.join(DTYPES)}")
    return run


# Manifests.


def run_manifest(config: RunConfig, overrides: tuple[str, ...] = ()) -> Manifest:
    """The study of one point that `engine run` makes."""
    return _manifest("run", _plain(OmegaConf.structured(config)), Grid(()), overrides=overrides)


def sweep_manifest(
    config: DictConfig, compose: Callable[[list[str]], DictConfig], overrides: tuple[str, ...] = ()
) -> Manifest:
    """The study that a configuration of `engine sweep` describes.

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
    names = next((axis.values[axis.keys.index(CHOICE)] for axis in grid.axes if CHOICE in axis.keys), ())
    choices = {str(name): _plain(compose([f"{CHOICE}={name}"])) for name in names}
    plain = _plain(config)
    return _manifest("sweep", plain, grid, choices, options.question, overrides)


def benchmark_manifest(
    problems: list[str],
    sizes: list[tuple[int, int]],
    solvers: dict[str, Any],
    run: MonteCarloConfig,
    overrides: tuple[str, ...] = (),
) -> Manifest:
    """The study of solvers on test problems of these sizes, pairs of projects and budget."""
    projects, budgets = zip(*sizes, strict=True)
    grid = Grid((Axis(("projects", "budget"), (projects, budgets)), Axis(("problem",), (tuple(problems),))))
    plain = {"solver": solvers, "run": _plain(OmegaConf.structured(run))}
    return _manifest("benchmark", plain, grid, overrides=overrides)


def _plain(config: DictConfig) -> dict[str, Any]:
    plain: Any = OmegaConf.to_container(config, resolve=False)
    plain.pop("sweep", None)
    nothing: dict[str, Any] = {
        "uncertainty": dataclasses.asdict(UncertaintyConfig()),
        "approaches": {},
        "spillover": dataclasses.asdict(SpilloverConfig()),
        "planning": dataclasses.asdict(PlanningConfig()),
    }
    for key, absent in nothing.items():
        if plain.get("scenario", {}).get(key) == absent:
            # What is not there leaves no trace: studies go on that began before it could be said.
            del plain["scenario"][key]
    return dict(plain)


def _manifest(
    command: str,
    config: dict[str, Any],
    grid: Grid,
    choices: dict[str, dict[str, Any]] | None = None,
    question: str | None = None,
    overrides: tuple[str, ...] = (),
) -> Manifest:
    choices = choices or {}
    for one in (config, *choices.values()):
        one["run"] = {key: one["run"][key] for key in STUDIED}
        one["solver"] = by_current_names(one["solver"])
    given = [one.get("scenario", {}).get("draws") for one in (config, *choices.values())]
    varied = [
        v
        for axis in grid.axes
        for key, vs in zip(axis.keys, axis.values, strict=True)
        for v in vs
        if key == DRAWS
    ]
    inputs = {str(path): _sha256(str(path)) for path in (*given, *varied) if path is not None}
    groups = (tuple(config["solver"]),)
    facts = machine_facts()
    manifest = Manifest(command, config, grid, groups, choices, inputs, overrides, question, **facts)
    if manifest.run["block"] is not None:
        return manifest
    sized = manifest.in_blocks_of(default_block(manifest.portfolios, most_draws(manifest)))
    return dataclasses.replace(sized, own_blocks=True)


def most_draws(manifest: Manifest) -> int:
    """How many draws a portfolio has at most; sets of approaches weigh as much, and climbs where effort
    spills over."""
    bases = [one.get("scenario", {}) for one in (manifest.config, *manifest.choices.values())]
    given = [base.get("uncertainty", {}).get("draws", 0) for base in bases]
    given += [1 << len(base.get("approaches", {})) for base in bases]
    given += [CLIMBS if base.get("spillover") else 1 for base in bases]
    given += [sum(base.get("planning", {}).get(name, 0) for name in COUNTED) for base in bases]
    keys = ("uncertainty.draws", *(f"planning.{name}" for name in COUNTED))
    varied = [settings.get(f"{CHOICE}.{key}", 0) for key in keys for settings in manifest.settings]
    return max([1, *(number for number in (*given, *varied) if isinstance(number, int))])


def _sha256(path: str) -> str:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror}), expected draws of engine fit") from None


# Points.


def plan_sweep(manifest: Manifest, folder: Path | None = None) -> Sweep:
    """All that is to be computed for a study, whose folder holds the files it draws from, if it has one.

    **Raises:** `ValueError` naming the key that cannot be.
    """
    planner = Planner(manifest, folder)
    points = [planner.point(number) for number in range(manifest.points)]
    return Sweep(manifest, [point.by(group) for group in manifest.groups for point in points])


class Planner:
    """Plans the points of a study from its manifest."""

    def __init__(self, manifest: Manifest, folder: Path | None = None) -> None:
        self._manifest, self._folder = manifest, folder
        self._bases: dict[str | None, DictConfig] = {}

    def point(self, number: int) -> Point:
        """What is drawn and solved at a point.

        **Raises:** `ValueError` naming the key that cannot be.
        """
        settings = self._manifest.settings[number]
        if self._manifest.command == "benchmark":
            run = MonteCarloConfig(**self._manifest.run, output="")
            problem = Problem(settings["problem"], settings["projects"], settings["budget"])
            return self._of(problem, float(problem.budget), self._manifest.solvers, run)
        config = self._configured(settings)
        budget = check_budget(config.budget)
        return self._of(build_scenario(config.scenario), budget, config.solver, config.run)

    def _of(
        self, source: Scenario | Problem, budget: float, solver: dict[str, Any], run: MonteCarloConfig
    ) -> Point:
        solvers = checked_solvers(solver, source.gives)
        # Where budgets vary, octaves share their compiled code.
        octaves = self._manifest.command == "sweep" and "budget" in self._manifest.keys
        block, dtype = self._manifest.block, np.dtype(run.dtype)
        lattice = chosen_lattice(source, budget, solvers, block, 1 if octaves else PARTS)
        best = reference(solvers)
        return Point(source, budget, solvers, lattice, run.seed, run.portfolios, block, dtype, best)

    def _configured(self, settings: Settings) -> RunConfig:
        """The configuration of a point."""
        choice = settings.get(CHOICE)
        if choice not in self._bases:
            base: Any = OmegaConf.merge(OmegaConf.structured(RunConfig), self._manifest.base(settings))
            base.run.output = ""
            self._bases[choice] = base
        config = copy.deepcopy(self._bases[choice])
        for key, value in settings.items():
            if key != CHOICE:
                _set(config, key, value)
        draws = self._manifest.draws(settings)
        if draws is not None and self._folder is not None:
            config.scenario.draws = str(self._folder / "inputs" / f"{self._manifest.inputs[draws]}.parquet")
        point: Any = OmegaConf.to_object(config)
        check_run(point.run)
        return point


def _set(config: DictConfig, key: str, value: Any) -> None:
    try:
        if OmegaConf.select(config, key, default=key) == key:
            raise ValueError(f"sweep.grid has {key}, which is no key of the configuration")
        OmegaConf.update(config, key, value)
    except OmegaConfBaseException as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ValueError(f"sweep.grid.{key} cannot be {value!r}: {reason}") from None


def plan(config: RunConfig) -> Point:
    """The point that a configuration describes.

    **Raises:** `ValueError` naming the key that cannot be.
    """
    return Planner(run_manifest(config)).point(0)
