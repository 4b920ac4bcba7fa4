"""Grids: which keys of a configuration a sweep varies, over which values.

A grid is written as the configuration itself is, with a list of values where that has one value:

    sweep.grid.budget=[100,300,1000]                     these values
    sweep.grid.scenario.skew={linear: [0, 1, 5]}         5 values from 0 to 1
    sweep.grid.scenario.weight.sigma={log: [0.1, 10, 7]} 7 values from 0.1 to 10, equal ratios apart
    sweep.grid.scenario.projects={range: [10, 50, 10]}   10, 20, 30, 40, 50
    sweep.zip=[[budget,scenario.projects]]               these axes advance together

The points are the product of the axes, the last axis fastest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

MOST_POINTS = 1_000_000
SPANS = ("linear", "log", "range")
Values = tuple[Any, ...]


@dataclass(frozen=True)
class Axis:
    """Keys that advance together, and the values of each."""

    keys: tuple[str, ...]
    values: tuple[Values, ...]

    def __len__(self) -> int:
        return len(self.values[0])

    def settings(self, index: int) -> dict[str, Any]:
        """The keys' values at a place of the axis."""
        return {key: values[index] for key, values in zip(self.keys, self.values, strict=True)}


@dataclass(frozen=True)
class Grid:
    """The product of some axes; without any, one point."""

    axes: tuple[Axis, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return tuple(len(axis) for axis in self.axes)

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys that vary."""
        return tuple(key for axis in self.axes for key in axis.keys)

    def points(self) -> Iterator[dict[str, Any]]:
        """The settings of each point."""
        for place in np.ndindex(self.shape):
            settings: dict[str, Any] = {}
            for axis, index in zip(self.axes, place, strict=True):
                settings |= axis.settings(index)
            yield settings


def write_grid(grid: Grid) -> list[dict[str, Any]]:
    """The axes as plain data."""
    return [{"keys": list(axis.keys), "values": [list(v) for v in axis.values]} for axis in grid.axes]


def read_grid(axes: list[dict[str, Any]]) -> Grid:
    """The grid of these axes."""
    return Grid(tuple(Axis(tuple(a["keys"]), tuple(map(tuple, a["values"]))) for a in axes))


def build_grid(grid: Mapping[str, Any], together: Sequence[Sequence[str]] = ()) -> Grid:
    """The grid that a configuration writes down.

    **Arguments:** `grid`, nested keys with their values; `together`, groups of keys that are zipped.

    **Raises:** `ValueError` naming the key that cannot be.
    """
    values = dict(_leaves(grid, ""))
    groups = [tuple(map(str, group)) for group in together]
    for key, count in _occurrences(groups).items():
        if key not in values:
            raise ValueError(f"sweep.zip names {key}, expected one of {', '.join(values) or 'no key'}")
        if count > 1:
            raise ValueError(f"sweep.zip names {key} {count} times, expected once")
    axes: list[Axis] = []
    for key in values:
        group = next((g for g in groups if key in g), (key,))
        if group[0] not in values or any(key in axis.keys for axis in axes):
            continue
        lengths = {k: len(values[k]) for k in group}
        if len(set(lengths.values())) > 1:
            named = ", ".join(f"{k} has {n} values" for k, n in lengths.items())
            raise ValueError(f"sweep.zip: {named}, expected as many of each")
        axes.append(Axis(group, tuple(values[k] for k in group)))
    points = math.prod(len(axis) for axis in axes)
    if points > MOST_POINTS:
        raise ValueError(f"sweep.grid has {points:,} points, expected at most {MOST_POINTS:,}")
    return Grid(tuple(axes))


def _leaves(node: Mapping[str, Any], where: str) -> Iterator[tuple[str, Values]]:
    for name, value in node.items():
        key = f"{where}{name}"
        if isinstance(value, Mapping) and not _is_span(value):
            yield from _leaves(value, f"{key}.")
        else:
            yield key, _values(value, f"sweep.grid.{key}")


def _is_span(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)) in SPANS


def _values(value: Any, where: str) -> Values:
    if isinstance(value, Mapping):
        ((kind, numbers),) = value.items()
        return _span(kind, numbers, where)
    if not isinstance(value, (list, tuple)) or not value:
        spans = ", ".join(f"{{{kind}: [...]}}" for kind in SPANS)
        raise ValueError(f"{where} is {value!r}, expected a list of values, or one of {spans}")
    if len({repr(one) for one in value}) < len(value):
        raise ValueError(f"{where} is {list(value)}, expected values that differ")
    return tuple(value)


def _span(kind: str, numbers: Any, where: str) -> Values:
    """The values of a span; whole numbers stay whole."""
    third = "step" if kind == "range" else "count"
    numeric = isinstance(numbers, (list, tuple)) and all(
        isinstance(n, (int, float)) and not isinstance(n, bool) and math.isfinite(n) for n in numbers
    )
    if not numeric or len(numbers) != 3:
        raise ValueError(f"{where}.{kind} is {numbers!r}, expected [first, last, {third}]")
    first, last, third_number = numbers
    if kind == "range":
        if not third_number > 0 or first > last:
            raise ValueError(f"{where}.range is {numbers!r}, expected first ≤ last and a step above 0")
        count = math.floor((last - first) / third_number * (1 + 1e-12)) + 1
        if count > MOST_POINTS:
            raise ValueError(f"{where}.range has {count:,} values, expected at most {MOST_POINTS:,}")
        return tuple(first + i * third_number for i in range(count))
    if third_number != int(third_number) or not 2 <= third_number <= MOST_POINTS:
        raise ValueError(f"{where}.{kind} is {numbers!r}, expected a count of at least 2")
    if first == last or (kind == "log" and not (first > 0 and last > 0)):
        expected = "two numbers above 0 that differ" if kind == "log" else "two numbers that differ"
        raise ValueError(f"{where}.{kind} is {numbers!r}, expected {expected}")
    spaced = np.geomspace if kind == "log" else np.linspace
    # Shortest decimals: a tenth is written .1, not .1000…01.
    return tuple(float(f"{x:.12g}") for x in spaced(first, last, int(third_number)))


def _occurrences(groups: list[tuple[str, ...]]) -> dict[str, int]:
    keys = [key for group in groups for key in group]
    return {key: keys.count(key) for key in keys}
