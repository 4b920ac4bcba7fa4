"""The lattice of effort units and budget steps: exact where costs allow it, and never too large."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.allocation.allocate import choose_lattice
from engine.solvers.lattice import (
    BRIEF_WORK,
    COARSE_STATES,
    LEAST_SIZE,
    MOST_STATES,
    MOST_TABLE_ENTRIES,
    PARTS,
    Lattice,
    build_lattice,
)


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
    """A thousandth is the common unit, but two million of them would be too many states for an array."""
    fine = lattice_of(2000.0, [50.0, 70.001])
    assert fine.holds_costs
    assert fine.states == 2_000_000
    lattice = fine.coarse(2000.0)
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
def test_a_budget_whose_tables_do_not_fit_in_memory_says_so(cost: list[float], budget: float) -> None:
    assert not lattice_of(budget, cost).tables
    assert lattice_of(budget / 2, cost).tables == (budget == MOST_STATES + 1.0)
    with pytest.raises(ValueError, match=re.escape(f"budget {budget:g} lets a project take")) as caught:
        choose_lattice(["density"], budget, len(cost), np.array(cost))
    message = str(caught.value)
    assert "\n" not in message
    assert f"density holds at most {MOST_STATES:,} of each" in message
    assert "solver=continuous" in message


def test_many_projects_may_take_fewer_units_each() -> None:
    most = MOST_TABLE_ENTRIES // 1000
    assert build_lattice(float(most), 1000).tables
    assert not build_lattice(most + 1.0, 1000).tables


def test_more_than_a_thousand_different_whole_costs_have_a_common_unit() -> None:
    lattice = build_lattice(20_011.0, 1001, np.arange(1001) + 101.0)
    assert lattice.holds_costs
    assert lattice.step == 1.0


def test_sizes_that_hold_nothing_are_shared_by_the_octave() -> None:
    sizes = {build_lattice(budget, 3).shared(3, 10**6).sizes for budget in np.linspace(1.1e8, 1.3e8, 9)}
    assert len(sizes) == 1


def test_upper_bound_lets_cheap_units_fit() -> None:
    """Thirty million units of the cheapest project, had it no upper limit."""
    assert build_lattice(30.0, 2, np.array([1e-6, 1.0]), upper=50.0).units == 50


def test_small_budget_fits_however_many_projects_and_odd_costs_there_are() -> None:
    """Ten units at most, so a refusal for too many units would be beside the point."""
    lattice = build_lattice(10.0, 5000, np.linspace(1.0, math.pi, 5000))
    assert lattice.units == 10
    assert not lattice.holds_costs


@given(budget=st.integers(0, 20_000), cost=st.sampled_from([1.0, 2.0, 0.25]))
def test_shared_sizes_hold_what_a_budget_needs_and_little_more(budget: int, cost: float) -> None:
    own = lattice_of(float(budget), [cost, 3 * cost])
    many = own.shared(2, 10**9)
    assert many.numbers == own.numbers
    assert not many.brief
    for size in ("units", "states"):
        least = getattr(own, size)
        assert least <= getattr(many, size) <= least * (1 + 1 / PARTS)
    one = own.shared(2, 1)
    if one.brief:
        assert max(own.units, LEAST_SIZE) <= one.units <= max(2 * own.units, LEAST_SIZE)
        assert one.states.bit_count() == one.units.bit_count() == 1
        assert 2 * one.units * one.states <= BRIEF_WORK


def test_near_budgets_share_their_sizes() -> None:
    brief = {build_lattice(float(b), 4).shared(4, 1).sizes for b in range(1, 513)}
    assert len(brief) == 3  # 128, 256 and 512 units
    long = {build_lattice(float(b), 20).shared(20, 10_000).sizes for b in range(257, 513)}
    assert len(long) == PARTS


def test_shared_sizes_at_the_budgets_of_the_benchmarks() -> None:
    for budget, size in ((300, 304), (1000, 1024)):
        assert build_lattice(float(budget), 20).shared(20, 10_000).states == size


def test_costs_without_a_common_unit_differ_in_numbers_only() -> None:
    sizes = {lattice_of(b, [1.0, math.sqrt(2)]).shared(2, 1).sizes for b in (100.0, 100.5, 117.3)}
    assert len(sizes) == 1


@pytest.mark.parametrize("cost", [math.sqrt(2), math.pi, 1 / 997, 0.1])
def test_one_cost_is_its_own_unit(cost: float) -> None:
    lattice = lattice_of(7 * cost, [cost, cost])
    assert lattice.holds_costs
    assert lattice.step == pytest.approx(cost, rel=1e-15)
    assert lattice.states == lattice.units == 7


def test_largest_budget_is_taken() -> None:
    assert build_lattice(float(MOST_STATES), 3).states == MOST_STATES
