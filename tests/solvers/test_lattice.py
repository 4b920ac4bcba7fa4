"""The lattice of effort units and budget steps: exact where costs allow it, and never too large."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.solvers.lattice import COARSE_STATES, MOST_STATES, MOST_TABLE_ENTRIES, Lattice, build_lattice


def lattice_of(budget: float, cost: list[float], dtype: type = np.float64) -> Lattice:
    """The lattice of one project a cost."""
    return build_lattice(budget, len(cost), np.array(cost, dtype))


@pytest.mark.parametrize(("budget", "units"), [(0.0, 0), (0.99, 0), (1.0, 1), (7.0, 7), (7.9, 7), (300, 300)])
def test_without_costs_a_step_is_a_unit(budget: float, units: int) -> None:
    assert build_lattice(budget, 3)[:5] == (units, units, units, 1.0, True)


def test_costs_of_1_are_no_costs() -> None:
    assert lattice_of(20.0, [1.0, 1.0, 1.0]) == build_lattice(20.0, 3)


@pytest.mark.parametrize(
    ("cost", "budget", "expected"),
    [
        # (units of the cheapest, purchases, budget steps, step)
        ([2.0, 3.0, 5.0], 30.0, (15, 15, 30, 1.0)),
        ([4.0, 6.0, 10.0], 31.0, (7, 7, 15, 2.0)),
        ([3.0, 3.0], 10.0, (3, 3, 3, 3.0)),
        ([100.0, 250.0], 1000.0, (10, 10, 20, 50.0)),
        ([0.25, 0.5, 1.75], 3.0, (12, 12, 12, 0.25)),
        ([0.75, 1.25], 5.0, (6, 6, 20, 0.25)),
        ([0.1, 0.3], 0.3, (3, 3, 3, 0.1)),
        ([1 / 3, 0.5], 2.0, (6, 6, 12, 1 / 6)),
        ([1.5, 2.0], 1.0, (0, 0, 2, 0.5)),
    ],
)
def test_costs_with_a_common_unit_are_held_exactly(
    cost: list[float], budget: float, expected: tuple[int, int, int, float]
) -> None:
    lattice = lattice_of(budget, cost)
    assert lattice[:3] == expected[:3]
    assert lattice.step == pytest.approx(expected[3], rel=1e-15)
    assert lattice.holds_costs


@given(
    numerators=st.lists(st.integers(1, 60), min_size=1, max_size=5),
    denominator=st.sampled_from([1, 2, 3, 4, 5, 8, 10, 100]),
    budget=st.integers(1, 400),
)
def test_simple_costs_give_their_greatest_common_divisor(
    numerators: list[int], denominator: int, budget: int
) -> None:
    """Against fractions; a common unit smaller than 1/1000 is not looked for, and none of these is."""
    lattice = lattice_of(float(budget), [n / denominator for n in numerators])
    step = Fraction(math.gcd(*numerators), denominator)
    assert lattice.holds_costs
    assert lattice.step == pytest.approx(float(step), rel=1e-15)
    assert lattice.states == budget // step
    assert lattice.units == lattice.purchases == budget // Fraction(min(numerators), denominator)


def test_float32_costs_count_as_the_decimals_they_were() -> None:
    lattice = lattice_of(2.5, [0.1, 0.7], np.float32)
    assert lattice.holds_costs
    assert lattice.step == pytest.approx(0.1, rel=1e-7)  # half an ulp of float32
    assert lattice.states == 25


@pytest.mark.parametrize(
    "cost",
    [
        [1.0, math.sqrt(2)],  # 1393/985 is right to 3e-7 only
        [1.0, math.pi],  # 355/113 is right to 9e-8 only
        [math.e, math.pi, math.sqrt(3)],
        [1 / 997, 1 / 991],
        [1.0, 1.0000001],
    ],
)
def test_costs_without_a_common_unit_take_a_coarse_grid(cost: list[float]) -> None:
    lattice = lattice_of(100.0, cost)
    assert not lattice.holds_costs
    assert lattice.states == COARSE_STATES
    assert lattice.step == 100.0 / COARSE_STATES
    assert lattice.units == math.floor(100.0 / min(cost))


@given(st.lists(st.floats(0.5, 9.0), min_size=1, max_size=4))
def test_costs_called_held_are_whole_numbers_of_steps(cost: list[float]) -> None:
    """To a rounding: what spends a billionth too much could not be called feasible, let alone proved."""
    lattice = lattice_of(20.0, cost)
    if lattice.holds_costs:
        steps = np.array(cost) / lattice.step
        np.testing.assert_allclose(steps, np.round(steps), rtol=1e-9)
    else:
        assert lattice.states == COARSE_STATES


def test_too_many_exact_steps_give_way_to_a_coarse_grid() -> None:
    """A thousandth is the common unit, but two million of them would be too many states."""
    lattice = lattice_of(2000.0, [50.0, 70.001])
    assert not lattice.holds_costs
    assert lattice.states == COARSE_STATES
    assert lattice_of(900.0, [50.0, 70.001]).holds_costs


@pytest.mark.parametrize("cost", [[5.0, 7.0], [math.e * 5, math.pi * 5]])
def test_budget_below_every_cost_buys_nothing(cost: list[float]) -> None:
    lattice = lattice_of(3.0, cost)
    assert (lattice.units, lattice.purchases) == (0, 0)


def test_budget_of_an_exact_multiple_is_not_lost_to_rounding() -> None:
    """In binary, 3 · 0.1 is more than 0.3, and 0.7/0.1 less than 7."""
    assert lattice_of(0.7, [0.1]).units == 7
    assert lattice_of(0.3, [0.1]).states == 3


@pytest.mark.parametrize(
    ("upper", "units", "purchases"),
    [
        (5.0, 5, 15),
        (5.9, 5, 15),
        (0.5, 0, 0),
        (0.0, 0, 0),
        (math.inf, 20, 20),
        (5000.0, 20, 20),
        (7.0, 7, 20),
    ],
)
def test_upper_bound_limits_units_and_purchases(upper: float, units: int, purchases: int) -> None:
    assert build_lattice(20.0, 3, upper=upper)[:5] == (units, purchases, 20, 1.0, True)


def test_upper_bound_counts_units_not_budget() -> None:
    assert build_lattice(30.0, 2, np.array([2.0, 3.0]), upper=4.0)[:5] == (4, 8, 30, 1.0, True)


@pytest.mark.parametrize(
    ("cost", "budget"),
    [([1.0], MOST_STATES + 1.0), ([1e-6, 1.0], 30.0), ([1.0], 1e12)],
    ids=["unit-costs", "tiny-cost", "huge"],
)
def test_budget_that_does_not_fit_in_memory_is_refused(cost: list[float], budget: float) -> None:
    with pytest.raises(ValueError, match=re.escape(f"budget {budget:g} lets a project take")) as caught:
        lattice_of(budget, cost)
    message = str(caught.value)
    assert "\n" not in message
    assert f"expected at most {MOST_STATES:,}" in message
    assert "solver=waterfilling" in message


def test_many_projects_may_take_fewer_units_each() -> None:
    most = MOST_TABLE_ENTRIES // 1000
    assert build_lattice(float(most), 1000).units == most
    with pytest.raises(ValueError, match=f"expected at most {most:,}"):
        build_lattice(most + 1.0, 1000)


def test_upper_bound_lets_cheap_units_fit() -> None:
    """Thirty million units of the cheapest project, had it no upper bound."""
    assert build_lattice(30.0, 2, np.array([1e-6, 1.0]), upper=50.0).units == 50


def test_small_budget_fits_however_many_projects_and_odd_costs_there_are() -> None:
    """Ten units at most, so a refusal for too many units would be beside the point."""
    lattice = build_lattice(10.0, 5000, np.linspace(1.0, math.pi, 5000))
    assert lattice.units == 10
    assert not lattice.holds_costs


def test_largest_budget_is_taken() -> None:
    assert build_lattice(float(MOST_STATES), 3).states == MOST_STATES
