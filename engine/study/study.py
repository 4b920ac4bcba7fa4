"""A study as users hold it: its folder, opened; what it is, what is drawn at its points, what it found."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import jax
import pyarrow as pa

from engine.files.shipped import as_path
from engine.simulation.point import Point
from engine.study.manifest import Manifest
from engine.study.plan import Planner
from engine.study.results import Found, load, merged, rates, solver_rates, write_summary
from engine.study.store import Store


class Study:
    """The folder of a run, a sweep or a benchmark, finished or not.

    It is planned from its own manifest: scenarios that were edited since, or ship otherwise, change nothing.

    **Raises:** `StoreError`, a `ValueError`, if the folder holds no study, or one that cannot be read.
    """

    def __init__(self, folder: str | Path) -> None:
        self.store = Store(as_path(folder, "a study's folder"))
        self._planner = Planner(self.manifest, self.folder)

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.store.folder

    @property
    def manifest(self) -> Manifest:
        """What it is."""
        return self.store.manifest

    @property
    def points(self) -> list[dict[str, object]]:
        """What each point of its grid sets."""
        return self.manifest.settings

    def point(self, number: int) -> Point:
        """What is drawn and solved at a point.

        **Raises:** `IndexError` for a point that the study has not.
        """
        with jax.enable_x64(True):  # as its blocks are drawn and solved
            return self._planner.point(range(self.manifest.points)[number])

    @cached_property
    def found(self) -> list[Found]:
        """What it had found when first asked: each metric of each solver and point, with its histogram.

        **Raises:** `StoreError` for a damaged block.
        """
        return list(merged(self.store))

    def load(self) -> pa.Table:
        """Its results so far: see `engine.load`."""
        return load(self.folder)

    def write_summary(self) -> None:
        """Write summary.csv and summary.parquet, of `found`; and records.parquet, where it has records."""
        write_summary(self.store, self.found)

    def rates(self) -> dict[str, float]:
        """Portfolios per second of each solver, compilation apart."""
        return solver_rates(self.store)

    def rates_of_points(self) -> dict[tuple[int, str], float]:
        """The same of each point and solver."""
        return rates(self.store)


def open_study(folder: str | Path) -> Study:
    """The study of a folder: see `Study`."""
    return Study(folder)
