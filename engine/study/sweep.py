"""All blocks of all points of a grid; points that are alike share what is compiled."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from engine.simulation.point import Study
from engine.solvers.lattice import Lattice
from engine.study.grid import Grid

# Budgets within this factor of each other count on the larger one's lattice.
SAME_LATTICE = 2.0


@dataclass(frozen=True)
class Sweep:
    """A grid, and the study of each of its points."""

    grid: Grid
    settings: list[dict[str, Any]]
    studies: list[Study]

    def __post_init__(self) -> None:
        object.__setattr__(self, "studies", share_lattices(self.studies))

    @property
    def blocks_per_point(self) -> int:
        """The same of every point."""
        return self.studies[0].blocks

    @property
    def blocks(self) -> int:
        """Of all points."""
        return len(self.studies) * self.blocks_per_point

    @property
    def portfolios(self) -> int:
        """Of all points."""
        return sum(study.portfolios for study in self.studies)

    def kinds(self) -> dict[Hashable, list[int]]:
        """The points of each kind, in order."""
        kinds: dict[Hashable, list[int]] = {}
        for point, study in enumerate(self.studies):
            kinds.setdefault(study.kind, []).append(point)
        return kinds

    def unit(self, number: int) -> tuple[Study, int]:
        """The study and the index in it of a block."""
        point, index = divmod(number, self.blocks_per_point)
        return self.studies[point], index

    def size(self, number: int) -> int:
        """How many portfolios a block has."""
        study, index = self.unit(number)
        return min(study.block, study.portfolios - index * study.block)


def share_lattices(studies: Sequence[Study]) -> list[Study]:
    """The same studies on fewer lattices: each on the largest of those it can do with at little cost."""
    order = sorted(range(len(studies)), key=lambda i: -studies[i].lattice.states)
    shared: dict[tuple[Any, ...], list[Lattice]] = {}
    found: dict[int, Study] = {}
    for i in order:
        study, own = studies[i], studies[i].lattice
        bare = dataclasses.replace(study, lattice=Lattice(0, 0, 0, 0.0, own.holds_costs))
        known = shared.setdefault((bare.kind,), [])
        for lattice in known:
            near = lattice.states <= SAME_LATTICE * own.states
            if near and lattice.units >= own.units:
                break
        else:
            lattice = own
            known.append(own)
        found[i] = dataclasses.replace(study, lattice=lattice._replace(**own.numbers))
    return [found[i] for i in range(len(studies))]
