"""The scenarios that ship, by name: their YAML files read without Hydra."""

from __future__ import annotations

from typing import Any, cast

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from engine.files.shipped import config_folder
from engine.model.naming import one_of
from engine.simulation.config import ScenarioConfig


def scenario_names() -> list[str]:
    """The scenarios that ship, but the one that samples a file."""
    return sorted({path.stem for path in (config_folder() / "scenario").glob("*.yaml")} - {"fitted"})


def shipped_scenario(name: str, **changes: Any) -> ScenarioConfig:
    """The configuration of a scenario that ships, with some of its keys changed.

    **Raises:** `ValueError` naming a scenario or a key that there is not.
    """
    if name not in scenario_names():
        raise ValueError(f"unknown scenario {name!r}{one_of(name, scenario_names())}")
    try:
        merged = OmegaConf.merge(OmegaConf.structured(ScenarioConfig), *_layers(name), changes)
    except OmegaConfBaseException as error:
        raise ValueError(f"scenario {name}: {str(error).splitlines()[0].rstrip('.')}") from None
    return cast(ScenarioConfig, OmegaConf.to_object(merged))


def _layers(name: str) -> list[Any]:
    """What a scenario's file merges, in order: its defaults, curves or another scenario, and its own keys."""
    given: Any = OmegaConf.load(config_folder() / "scenario" / f"{name}.yaml")
    layers: list[Any] = []
    for entry in given.pop("defaults", []):
        if isinstance(entry, str):
            layers += [] if entry == "_self_" else _layers(entry)
            continue
        ((_, families),) = entry.items()  # /curves@curves: [hill, log]
        several = [families] if isinstance(families, str) else families
        paths = (config_folder() / "curves" / f"{family}.yaml" for family in several)
        layers += [{"curves": OmegaConf.load(path)} for path in paths]
    return [*layers, given]
