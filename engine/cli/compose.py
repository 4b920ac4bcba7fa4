"""Hydra: the configuration of a command, composed from its YAML file and what the user overrides."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from engine.cli.command import Command
from engine.cli.errors import guarded, one_line
from engine.cli.words import fail
from engine.files.shipped import config_folder

if TYPE_CHECKING:
    from engine.simulation.point import Study
    from engine.study.store import Store
    from engine.study.sweep import Sweep


def register_schemas() -> None:
    """Tell Hydra the schema of each command."""
    from engine.cli.main import command_names, command_of

    for name in command_names():
        register_schema(name, command_of(name))


def register_schema(name: str, command: Command) -> None:
    """Tell Hydra the schema of a command."""
    ConfigStore.instance().store(group="schema", name=name, node=command.schema)


def start(name: str, command: Command) -> None:
    """Run a command with the configuration that the command line asks for; exits with 2 if it is wrong."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors reach us, not Hydra's own printer
    register_schema(name, command)
    decorate = hydra.main(version_base="1.3", config_path=str(config_folder()), config_name=name)
    try:
        decorate(lambda config: guarded(command.run, config))()
    except (HydraException, OmegaConfBaseException, ValueError, OSError) as error:
        fail(one_line(error))
    except KeyboardInterrupt:
        print("engine: interrupted", file=sys.stderr)
        sys.exit(130)


def stored_sweep(store: Store) -> Sweep:
    """The sweep that a study holds the results of."""
    from engine.study.plan import plan_sweep

    overrides = [*store.manifest["overrides"], f"run.output={store.folder}"]
    return plan_sweep(compose_sweep(overrides, []), lambda choices: compose_sweep(overrides, choices))


def study_of(store: Store) -> Callable[[int], Study]:
    """What is drawn and solved at each point of a study; planned when it is first asked for."""
    return lambda point: stored_sweep(store).studies[point]


def compose_sweep(overrides: list[str], more: list[str]) -> DictConfig:
    """The configuration of `engine sweep` with these overrides."""
    if GlobalHydra.instance().is_initialized():
        return hydra.compose("sweep", [*overrides, *more])
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        return hydra.compose("sweep", [*overrides, *more])


def search_path() -> list[str]:
    """The folders of `--config-dir`, as an override that whoever composes the configuration again can use."""
    sources = HydraConfig.get().runtime.config_sources
    paths = [str(Path(source.path).resolve()) for source in sources if source.provider == "command-line"]
    return [f"hydra.searchpath=[{','.join(f'file://{path}' for path in paths)}]"] if paths else []
