"""The command line before Hydra reads it: what Hydra would answer with a page, or take and ignore."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from engine.files.shipped import config_folder

# Groups of files of which several may be chosen at once.
SEVERAL = ("curves", "solver")


def check_options(arguments: Sequence[str]) -> None:
    """Refuse options that there are not, or that change nothing.

    **Raises:** `ValueError` in one line, where Hydra prints how it is called.
    """
    from hydra._internal.utils import get_args_parser  # Hydra has no other way to ask

    def refuse(message: str) -> NoReturn:
        raise ValueError(f"{message}, expected key=value or an option that engine COMMAND --hydra-help shows")

    parser = get_args_parser()
    parser.error = refuse  # type: ignore[method-assign, assignment]
    known = parser.parse_args(list(arguments))
    if known.package is not None and not known.cfg:
        raise ValueError(f"--package {known.package} changes nothing, expected --cfg=job with it")


def check_overrides(arguments: Sequence[str]) -> None:
    """Refuse overrides that Hydra would merge or ignore in silence.

    **Raises:** `ValueError` naming the key, what it is and what was expected.
    """
    for argument in arguments:
        if argument.startswith("-"):
            continue
        try:
            override = OverridesParser.create().parse_override(argument)
        except HydraException:
            continue  # whoever composes the configuration says what is wrong
        if override.is_delete() or override.is_sweep_override():
            continue
        _check_override(override)


def _check_override(override: Override) -> None:
    key, value = override.key_or_group, override.value()
    if value == {}:
        raise ValueError(f"{key}={{}} changes nothing, expected the keys to set, or ~{key}.NAME to drop one")
    if not (config_folder() / key).is_dir() or value is None:
        return
    names = value if isinstance(value, list) else [value]
    if not all(isinstance(name, (str, int, float)) for name in names):
        raise ValueError(f"{key} is {value}, expected the name of a file{_or_several(key)}")
    if isinstance(value, list) and key not in SEVERAL:
        raise ValueError(f"{key} is {value}, expected one name")
    for name in map(str, names):
        if name.endswith((".yaml", ".yml")):
            raise ValueError(f"{key} is {name}, expected the name alone, {name.rsplit('.', 1)[0]}")


def _or_several(key: str) -> str:
    return ", or a list of them" if key in SEVERAL else ""


def check_switches(config: DictConfig, overrides: Sequence[str]) -> None:
    """Refuse numbers but 0 and 1 for a key that is true or false: OmegaConf takes them all as true.

    **Raises:** `ValueError` naming the key.
    """
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        value: Any = None if override.is_delete() else override.value()
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if number and value not in (0, 1) and isinstance(_selected(config, override), bool):
            raise ValueError(f"{override.key_or_group} is {value}, expected true or false")


def _selected(config: DictConfig, override: Override) -> Any:
    """What a key of the configuration is; None where it is no key."""
    return OmegaConf.select(config, override.key_or_group, throw_on_missing=False)
