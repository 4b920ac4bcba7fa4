"""What an unknown key was likely meant to be, among all that the command line could have set."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import hydra
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from engine.cli.choices import choices_of, named_folders
from engine.cli.commented import read_commented
from engine.files.shipped import config_folder
from engine.model.naming import nearest

# How Hydra says that a key is not there.
UNKNOWN = re.compile(r"Could not (?:override|delete from config\.|append to config\.) '([^']+)'")


def key_offer(message: str, name: str, arguments: Sequence[str]) -> str:
    """`: did you mean KEY?`, or what was expected, where a message is about a key that a command has not."""
    found = UNKNOWN.search(message)
    return _offer(found[1], name, arguments) if found else ""


def check_groups(name: str, arguments: Sequence[str]) -> None:
    """Refuse the folders of `configs/` that a command has no choice of: Hydra takes them for one.

    **Raises:** `ValueError` naming the key.
    """
    for argument in arguments:
        key = argument.lstrip("+~").split("=")[0]
        if key and "/" not in key and (config_folder() / key).is_dir() and key not in _choices(name):
            raise ValueError(f"unknown key {key}{_offer(key, name, arguments)}")


def _choices(name: str) -> list[str]:
    return [choice.key for choice in choices_of(read_commented(config_folder() / f"{name}.yaml"))]


def _offer(key: str, name: str, arguments: Sequence[str]) -> str:
    """Of a dotted key the nearest in its own group, where there is such a group, else the nearest of all; or
    where keys are shown."""
    known = known_keys(name, arguments)
    group, _, last = key.rpartition(".")
    beside = {each.rpartition(".")[2]: each for each in known if group and each.rpartition(".")[0] == group}
    near = beside.get(nearest(last, beside) or "") if beside else nearest(key, known)
    if near:
        return f": did you mean {near}?"
    return f", expected a key that engine {name} {'--cfg job' if group else '--help'} shows"


def known_keys(name: str, arguments: Sequence[str]) -> list[str]:
    """The keys of a command with the scenario, the solvers and what else its arguments choose, dotted; none
    where these cannot be composed either."""
    choices = _choices(name)
    chosen = [each for each in arguments if each.split("=")[0].lstrip("+~") in choices]
    if own := named_folders(arguments):
        chosen.append(f"hydra.searchpath=[{','.join(f'file://{path.resolve()}' for path in own)}]")
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(config_folder()), version_base="1.3"):
            tree: Any = OmegaConf.to_container(hydra.compose(name, chosen))
    except (HydraException, OmegaConfBaseException):
        return choices
    return [*choices, *_dotted(tree)]


def _dotted(tree: dict[Any, Any], where: str = "") -> Iterator[str]:
    """The keys of a configuration, groups before what is in them."""
    for key, value in tree.items():
        yield f"{where}{key}"
        if isinstance(value, dict):
            yield from _dotted(value, f"{where}{key}.")
