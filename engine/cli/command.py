"""A command, and what commands share."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from engine.files.extras import how_to_install
from engine.files.shipped import MISSING, one_of_these


@dataclass(frozen=True)
class Entry:
    """What `engine --help` lists of a command: what it does in a line, and examples that work as they stand,
    each with a word on it after `  # `, which a shell ignores."""

    summary: str
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Command(Entry):
    """A command that is configured by keys: their schema, and its function.

    Its name is that of its file and of its YAML file. `schema` is a dataclass of every key with its type;
    `run` takes a configuration of that type, and raises `ValueError` for what is wrong with it.
    """

    schema: type
    run: Callable[[Any], None]


@dataclass(frozen=True)
class WordCommand(Entry):
    """A command that takes words rather than keys: how it is called, and its function of the words, which
    raises `ValueError` for what is wrong with them."""

    usage: str
    run: Callable[[list[str]], None]


@dataclass
class ReadingConfig:
    """How a command reads tables: `configs/reading.yaml`, and `engine.Reading`."""

    columns: dict[str, Any] = field(default_factory=dict)
    where: dict[str, Any] = field(default_factory=dict)
    direction: str = one_of_these("up", "down")
    effort_unit: float = MISSING
    restarts: str | None = one_of_these("continue", "replace", "average")
    decimal: str | None = one_of_these("point", "comma")
    sheet: str | None = MISSING

    def reading(self) -> dict[str, Any]:
        """The arguments of whoever reads a table."""
        return {each.name: getattr(self, each.name) for each in fields(ReadingConfig)}


def load_with_figures(name: str) -> Any:
    """A module that needs `engine[figures]`.

    **Raises:** `ValueError` without it.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in ("matplotlib", "jinja2"):
            raise
        raise ValueError(f"matplotlib and Jinja2 are missing, expected {how_to_install('figures')}") from None


def one_solver(solvers: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The name of the only solver, and its options."""
    from engine.allocation.old_names import by_current_names

    if len(solvers) != 1:
        raise ValueError(f"solver is {list(solvers)}, expected one solver")
    ((solver, options),) = by_current_names(solvers).items()
    if not isinstance(options, dict):
        raise ValueError(f"solver.{solver} is {options!r}, expected its options")
    return solver, options


def refuse_plan(plan: str | None, within: Any, what: str) -> None:
    """A plan where there is none to hold beside it, or a distance from no plan, is a `ValueError`."""
    for key, given in (("plan", plan), ("within", within)):
        if given is not None:
            raise ValueError(f"{key} is {given}, expected none {what}")
