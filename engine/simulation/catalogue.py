"""The scenarios that ship, by name: their YAML files read without Hydra."""

from __future__ import annotations

from typing import Any, cast

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from engine.files.shipped import config_folder
from engine.simulation.config import ScenarioConfig


def scenario_names() -> list[str]:
    """The scenarios that ship, but the one that samples a file."""
    return sorted({path.stem for path in (config_folder() / "scenario").glob("*.yaml")} - {"fitted"})


def shipped_scenario(name: str, **changes: Any) -> ScenarioConfig:
    """The configuration of a scenario that ships, with some of its keys changed.

    **Raises:** `ValueError` naming a scenario or a key that there is not.
    """
    if name not in scenario_names():
        raise ValueError(f"unknown scenario {name!r}, expected one of {', '.join(scenario_names())}")
    given: Any = OmegaConf.load(config_folder() / "scenario" / f"{name}.yaml")
    families = [
        family for entry in given.pop("defaults", []) if entry != "_self_" for family in _families(entry)
    ]
    curves = [
        {"curves": OmegaConf.load(config_folder() / "curves" / f"{family}.yaml")} for family in families
    ]
    try:
        merged = OmegaConf.merge(OmegaConf.structured(ScenarioConfig), *curves, given, changes)
    except OmegaConfBaseException as error:
        raise ValueError(f"scenario {name}: {str(error).splitlines()[0].rstrip('.')}") from None
    return cast(ScenarioConfig, OmegaConf.to_object(merged))


def _families(entry: Any) -> list[str]:
    """The families of an entry `/curves@curves: [hill, log]` of a scenario's defaults."""
    ((_, families),) = entry.items()
    return [families] if isinstance(families, str) else list(families)
