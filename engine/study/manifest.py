"""The manifest: what the folder of a study says of itself, and from which alone the study is planned.

A study is a grid of points; at each of them portfolios are drawn in blocks, and solved by some solvers. Its
solvers come in groups: those it began with, and those that it was grown by later. A point and a group are a
task; block b of task t has the number t·(blocks a point) + b. That number moves when the study grows; what
names a block on the disk does not: the hash of all that its content depends on.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import Any

import jax

from engine.allocation.old_names import by_current_names
from engine.simulation.methods import reference
from engine.study.grid import Grid, read_grid, write_grid

FORMAT = 2
KEY_DIGITS = 16
# The key that chooses a file of settings rather than sets one.
CHOICE = "scenario"
# The key that names a file to draw from.
DRAWS = "scenario.draws"
Settings = dict[str, Any]


class StoreError(ValueError):
    """A study folder that cannot be used as asked; one line that names it."""


def canonical(facts: Any) -> str:
    """The JSON of plain data that is the same for the same data."""
    return json.dumps(facts, sort_keys=True, separators=(",", ":"))


def digest(facts: Any) -> str:
    """The SHA-256 of plain data."""
    return hashlib.sha256(canonical(facts).encode()).hexdigest()


def machine_facts() -> dict[str, Any]:
    """What a result depends on besides its configuration: versions, and the device."""
    return {
        "versions": {n: version(n) for n in ("engine", "jax", "jaxlib", "numpy", "optax")},
        "device": {"kind": jax.devices()[0].device_kind, "count": jax.device_count()},
        "cores": os.cpu_count(),
    }


@dataclass(frozen=True)
class Manifest:
    """What a study is.

    - `command`: the command that makes such studies: run, sweep or benchmark.
    - `config`: the composed configuration, its interpolations kept, so that what is derived from a setting
      follows it; `choices`: the same for each scenario that an axis of the grid chooses, by its name.
    - `grid`: the axes; `groups`: the solvers, those together that are computed together.
    - `inputs`: the SHA-256 of every file that is drawn from, by its path.
    - `overrides`: what was given on the command line; `question`: what the study asks, if it was said.
    - `versions`, `device`, `cores`: where it began.
    - `own_blocks`: whether nobody said how large its blocks are to be, so that they are as suits the device.
    """

    command: str
    config: dict[str, Any]
    grid: Grid
    groups: tuple[tuple[str, ...], ...]
    choices: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    inputs: dict[str, str] = dataclasses.field(default_factory=dict)
    overrides: tuple[str, ...] = ()
    question: str | None = None
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    device: dict[str, Any] = dataclasses.field(default_factory=dict)
    cores: int | None = None
    own_blocks: bool = dataclasses.field(default=False, compare=False)

    # On disk.

    def write(self) -> str:
        """As JSON."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        plain |= {"grid": write_grid(self.grid), "groups": self.groups}
        return json.dumps({"format": FORMAT, **plain}, indent=1) + "\n"

    @classmethod
    def read(cls, text: str) -> Manifest:
        """From JSON.

        **Raises:** `ValueError`, `KeyError` or `TypeError` for what is no manifest; `StoreError` for one of
        another format.
        """
        plain = json.loads(text)
        if (found := plain.pop("format")) != FORMAT:
            raise StoreError(f"is a study of format {found}, expected {FORMAT}: compute it anew elsewhere")
        plain["grid"] = read_grid(plain["grid"])
        plain["groups"] = tuple(map(tuple, plain["groups"]))
        plain["overrides"] = tuple(plain["overrides"])
        found = cls(**plain)
        found._check()
        by_current_names(found.solvers)  # tells of old names; the study keeps them, which name its blocks
        return found

    def _check(self) -> None:
        """Ask for all that a study is planned, named and shown by: what is no manifest fails here."""
        known = self.keys_of_tasks, self.records, self.run["seed"], self.versions.items()
        if not known or not all(isinstance(override, str) for override in self.overrides):
            raise ValueError("a manifest without overrides")
        if self.blocks < 1 or not all(axis.keys and len(axis) for axis in self.grid.axes):
            raise ValueError("a manifest without blocks")

    # What is common to all points.

    @property
    def run(self) -> dict[str, Any]:
        """How many portfolios, from which seed, in blocks of what size and precision."""
        return dict(self.config["run"])

    @property
    def portfolios(self) -> int:
        """At every point."""
        return int(self.run["portfolios"])

    @property
    def block(self) -> int:
        """Portfolios in a block; the last one of a point may have fewer."""
        return int(self.run["block"])

    def in_blocks_of(self, portfolios: int) -> Manifest:
        """The same study in blocks of this size."""

        def resized(config: dict[str, Any]) -> dict[str, Any]:
            return {**config, "run": {**config["run"], "block": portfolios}}

        choices = {name: resized(config) for name, config in self.choices.items()}
        return dataclasses.replace(self, config=resized(self.config), choices=choices)

    @property
    def records(self) -> bool:
        """Whether every portfolio is stored."""
        return bool(self.run["records"])

    @property
    def solvers(self) -> dict[str, dict[str, Any]]:
        """The options of each solver, in the order in which they are shown."""
        return {name: dict(options) for name, options in self.config["solver"].items()}

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys that vary."""
        return self.grid.keys

    @property
    def title(self) -> str:
        """The study in a few words."""
        if self.command == "benchmark":
            return "benchmark"
        name = self.config.get("scenario", {}).get("name", self.command)
        return str(name if CHOICE not in self.keys else " and ".join(self.choices))

    # Points, tasks and blocks.

    @cached_property
    def settings(self) -> list[Settings]:
        """What each point sets."""
        return list(self.grid.points())

    @property
    def points(self) -> int:
        """How many there are."""
        return len(self.settings)

    @property
    def blocks_per_point(self) -> int:
        """Of each group."""
        return -(-self.portfolios // self.block)

    @property
    def tasks(self) -> int:
        """Points by groups; task t is of point t modulo the number of points."""
        return self.points * len(self.groups)

    @property
    def blocks(self) -> int:
        """Of all tasks."""
        return self.tasks * self.blocks_per_point

    def unit(self, number: int) -> tuple[int, int]:
        """The task of a block, and its index there."""
        return divmod(number, self.blocks_per_point)

    def point_of(self, number: int) -> int:
        """The point of a block."""
        return self.unit(number)[0] % self.points

    def group_of(self, task: int) -> tuple[str, ...]:
        """The solvers of a task."""
        return self.groups[task // self.points]

    def settings_of(self, number: int) -> Settings:
        """What the point of a block sets."""
        return self.settings[self.point_of(number)]

    def size(self, number: int) -> int:
        """How many portfolios a block has."""
        return min(self.block, self.portfolios - self.unit(number)[1] * self.block)

    def reference(self, number: int) -> int | None:
        """The block of the same portfolios that holds their optima, where this one needs them of another."""
        task, index = self.unit(number)
        best = reference(self.solvers)
        known = [g for g, group in enumerate(self.groups) if best in group]
        if not known or best in self.group_of(task):
            return None
        return (known[0] * self.points + task % self.points) * self.blocks_per_point + index

    # Names.

    def base(self, settings: Settings) -> dict[str, Any]:
        """The configuration that a point's settings change."""
        return self.choices[settings[CHOICE]] if CHOICE in settings else self.config

    def draws(self, settings: Settings) -> str | None:
        """The file that a point's portfolios are drawn from, if they are."""
        path: str | None = settings.get(DRAWS) or self.base(settings).get("scenario", {}).get("draws")
        return path

    @cached_property
    def _common(self) -> dict[str | None, str]:
        """The hash of all that blocks of one choice have in common, by that choice."""
        bases = [(None, self.config), *self.choices.items()]
        return {name: digest([self.command, fixed(base)]) for name, base in bases}

    @cached_property
    def keys_of_tasks(self) -> list[str]:
        """What names each task on the disk: it is the same however the study grows."""
        solvers = self.solvers
        best = solvers.get(reference(solvers))
        found = []
        for group in self.groups:
            own = {name: solvers[name] for name in group}
            for settings in self.settings:
                facts = [self._common[settings.get(CHOICE)], settings, own, best]
                drawn_from = self.inputs.get(str(self.draws(settings)))
                found.append(digest([*facts, drawn_from])[:KEY_DIGITS])
        return found

    @cached_property
    def task_of_key(self) -> dict[str, int]:
        """The task of each name."""
        return {key: task for task, key in enumerate(self.keys_of_tasks)}

    def name(self, number: int) -> str:
        """What names a block on the disk: its task, its index there, and how many portfolios it has."""
        task, index = self.unit(number)
        return f"{self.keys_of_tasks[task]}-{index:08d}-{self.size(number)}"

    def number(self, name: str) -> int | None:
        """The block of a name; None where the study has none, or had one of fewer portfolios."""
        key, index, size = name.split("-")
        task = self.task_of_key.get(key)
        if task is None or int(index) >= self.blocks_per_point:
            return None
        number = task * self.blocks_per_point + int(index)
        return number if self.size(number) == int(size) else None


def fixed(config: dict[str, Any]) -> dict[str, Any]:
    """The part of a configuration that no growth changes."""
    run = {key: value for key, value in config["run"].items() if key not in ("portfolios", "records")}
    return {**{key: value for key, value in config.items() if key != "solver"}, "run": run}
