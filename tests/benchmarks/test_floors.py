"""The floors of benchmarks/floors.py against counts by hand, and counts made by loops."""

from __future__ import annotations

import jax
import pytest

from benchmarks import floors
from benchmarks.floors import FAMILIES, HILL, LOG, Rates, Work
from engine.model.curves.concave import Log
from engine.model.curves.s_shaped import Hill

RATES = Rates(bandwidth=100.0, flops=10.0, pairs=5.0, mixes=2.0)


@pytest.mark.parametrize(("projects", "budget"), [(1, 1), (2, 3), (3, 10)])
def test_the_programme_has_a_pair_for_every_level_above_none_within_every_state(
    projects: int, budget: int
) -> None:
    pairs = sum(1 for _ in range(projects) for state in range(budget + 1) for _ in range(1, state + 1))
    assert floors.programme_pairs(projects, budget) == pairs


def test_the_core_has_the_pairs_that_its_loops_have() -> None:
    # Nineteen projects with sixteen levels at 49 states; one with as many at as few states as there are.
    assert floors.core_pairs(20, 300) == 19 * 16 * 49 == 14_896
    assert floors.core_pairs(2, 9) == 16 * 19


def test_bytes_are_what_is_read_and_written_once() -> None:
    # Two parameters of two projects are read; two efforts, four numbers, a flag and a status are written.
    assert floors.work_of("cutoff", "log", 2, 3, 4).bytes == 2 * 2 * 4 + (2 + 4) * 4 + 5
    assert floors.work_of("exact", "hill", 2, 3, 8).bytes == 2 * 4 * 8 + (2 + 4) * 8 + 5
    assert floors.work_of("draw", "log", 2, 3, 8).bytes == 2 * 2 * 8
    assert floors.work_of("draw + cutoff", "log", 2, 3, 4).bytes == (2 + 4) * 4 + 5
    assert floors.work_of("monte carlo", "log", 2, 3, 4).bytes == 0


def test_a_draw_hashes_once_a_number_and_once_a_key() -> None:
    # Two projects of two parameters; the keys of the portfolio, of its curves and of each parameter.
    assert floors.random_numbers(LOG, 2).mixes == 20 * (4 + 4)
    assert floors.random_numbers(LOG, 2).flops == 2 * 4 + 2 * 2 * floors.EXPONENTIAL


def test_searches_of_one_project_and_one_unit() -> None:
    newton = 3 * (LOG.inverse + floors.DIVISION + 4)
    ends = LOG.inverse + LOG.gain + 4 + LOG.gain + LOG.value + 2
    assert floors.cutoff_search(LOG, 1).flops == newton + ends
    assert floors.greedy_search(LOG, 1, 1).flops == 3 * LOG.gain + LOG.value + 3
    assert floors.waterfilling_search(LOG, 1, 4).flops == 31 * (LOG.inverse + 3) + 4 * (LOG.value + 1)
    programme = floors.programme_search(HILL, 1, 1)
    assert (programme.flops, programme.pairs) == (2 * (HILL.value + 1), 1)


@pytest.mark.parametrize("name", list(FAMILIES))
def test_parameters_are_those_of_the_family(name: str) -> None:
    weight = 1 if name == "hill" else 0
    curve = {"log": Log, "hill": Hill}[name]
    assert FAMILIES[name].parameters == len(curve.parameters()) + weight


def test_the_floor_is_the_longer_of_moving_and_computing() -> None:
    light, heavy = Work(bytes=100.0), Work(flops=10.0, pairs=5.0, mixes=2.0, bytes=100.0)
    assert floors.floor_seconds(light, RATES) == 1.0
    assert floors.limit(light, RATES) == "bytes"
    assert floors.floor_seconds(heavy, RATES) == 3.0
    assert floors.limit(heavy, RATES) == "arithmetic"
    assert floors.floor_seconds(heavy + light, RATES) == 3.0


def test_the_generator_is_called_once_a_number() -> None:
    """Which is how JAX draws numbers that do not depend on how many are drawn, or on how many devices."""
    assert jax.config.jax_threefry_partitionable  # type: ignore[attr-defined]
