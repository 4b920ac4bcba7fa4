"""All blocks of all points of a study; points that are alike share what is compiled."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property

from engine.simulation.point import Point
from engine.study.manifest import Manifest


@dataclass(frozen=True)
class Sweep:
    """A study, and what is drawn and solved in each of its tasks."""

    manifest: Manifest
    tasks: list[Point]

    @property
    def blocks(self) -> int:
        """Of all tasks."""
        return self.manifest.blocks

    @property
    def portfolios(self) -> int:
        """Of all points."""
        return self.manifest.points * self.manifest.portfolios

    @cached_property
    def kinds(self) -> dict[Hashable, list[int]]:
        """The tasks of each kind, in order."""
        kinds: dict[Hashable, list[int]] = {}
        for task, point in enumerate(self.tasks):
            kinds.setdefault(point.kind, []).append(task)
        return kinds

    def unit(self, number: int) -> tuple[Point, int]:
        """The point of a block, with the solvers of its task, and the block's index there."""
        task, index = self.manifest.unit(number)
        return self.tasks[task], index
