"""Whatever is wrong with what the user gave, in one line and with exit code 2."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from engine.cli.arguments import check_switches
from engine.cli.choices import files_in, named_folders
from engine.cli.words import fail
from engine.files.extras import how_to_install
from engine.model.naming import one_of

# The launchers that are extras.
LAUNCHERS = ("slurm", "ray")


def guarded(command: Callable[[Any], None], config: DictConfig) -> None:
    """Run a command; what is wrong with its input ends it here, before Hydra reports it as a crash."""
    try:
        check_switches(config, HydraConfig.get().overrides.task)
        settings = OmegaConf.to_object(config)
        _refuse_unknown_keys(config, settings)
        _check_words(settings)
        command(settings)
    except (OmegaConfBaseException, ValueError, OSError) as error:
        fail(one_line(error))


def _refuse_unknown_keys(config: Any, settings: Any, where: str = "") -> None:
    """Keys that `+key=value` added to a schema that does not have them."""
    if not isinstance(config, DictConfig):
        return
    known = {f.name for f in fields(settings)} if is_dataclass(settings) else None
    for key in map(str, config):
        if known is not None and key not in known:
            raise ValueError(f"unknown key {where}{key}{one_of(key, sorted(known))}")
        value = getattr(settings, key) if known is not None else settings[key]
        _refuse_unknown_keys(config[key], value, f"{where}{key}.")


def _check_words(settings: Any, where: str = "") -> None:
    """Keys that are one of some words are one of them, or null."""
    for each in fields(settings):
        key, value, known = f"{where}{each.name}", getattr(settings, each.name), each.metadata.get("values")
        if is_dataclass(value):
            _check_words(value, f"{key}.")
        elif known is not None and value is not None and value not in known:
            raise ValueError(f"{key} is {value!r}{one_of(value, known)}")


def one_line(error: BaseException) -> str:
    """What is wrong in one line, from an error of ours or of Hydra's."""
    if isinstance(error, MissingMandatoryValue):
        key = error.full_key or _first_line(error).rsplit(" ", 1)[-1]
        return f"{key} is missing, expected {key}=..."
    if missing := re.search(r"Could not (?:find|load) '([\w/]+)/([^'/]*)'", str(error)):
        group, name = missing.groups()
        if group == "hydra/launcher":
            extra = how_to_install(name) if name in LAUNCHERS else " or ".join(LAUNCHERS)
            return f"hydra/launcher {name} is not installed, expected {extra}"
        return f"unknown {group} {name!r}{one_of(name, files_in(group, named_folders(sys.argv)))}"
    cause = error.__cause__ or error.__context__ if isinstance(error, HydraException) else None
    text = _first_line(error)
    if override := getattr(error, "override", None):
        text = f"cannot read {override!r}: {text}"
        if str(override).startswith("data=["):
            text += """, expected quotes around names with such signs: data='["a, b.csv",c.csv]'"""
    if cause and _first_line(cause) not in text:
        text += f": {_first_line(cause)}"
    full_key = getattr(error, "full_key", None)
    return f"{full_key}: {text}" if full_key and full_key not in text else text


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
