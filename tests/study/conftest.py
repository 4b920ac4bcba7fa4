"""Studies are computed by code that is compiled once for a file of tests."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from engine.simulation.blocks import Simulation
from engine.simulation.point import Point
from engine.study import worker


@pytest.fixture(autouse=True, scope="module")
def compiled_once() -> Iterator[None]:
    """Simulations of one kind are compiled once for all tests of this file, but for those that count it."""
    kept: dict[Any, Simulation] = {}

    def simulation(point: Point, records: bool = False, parts: int = 1) -> Simulation:
        key = point.kind, records, parts
        if key not in kept:
            kept[key] = Simulation(point, records, parts)
        made = copy.copy(kept[key])
        made.parts = parts
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "Simulation", simulation)
        yield
