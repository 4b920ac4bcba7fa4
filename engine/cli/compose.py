"""Hydra: the configuration of a command, composed again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import hydra
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from engine.files.shipped import config_folder
from engine.simulation.point import Study
from engine.study.plan import plan_sweep
from engine.study.store import Store
from engine.study.sweep import Sweep


def stored_sweep(store: Store) -> Sweep:
    """The sweep that a study holds the results of."""
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
