"""Rounding: the first of the best however what is compared is rounded, and tolerances as they are derived."""

from __future__ import annotations

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Tabulated
from engine.model.portfolio import Portfolio
from engine.solvers import rounding
from engine.solvers.density import best_jump, climb
from engine.solvers.lattice import build_lattice

NUMBERS = st.integers(-40, 40).map(lambda n: n / 8)


class RoundedTwice:
    """`jnp.max` as a compiler may compute it: of values that it rounded once more, upwards."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        original = jnp.max

        def up(values: jax.Array, *arguments: object, **options: object) -> jax.Array:
            best = original(values, *arguments, **options)  # type: ignore[arg-type]
            return jnp.where(jnp.isfinite(best), jnp.nextafter(best, jnp.full_like(best, jnp.inf)), best)

        monkeypatch.setattr(rounding.jnp, "max", up)


@given(values=st.lists(NUMBERS, min_size=1, max_size=12), seed=st.integers(0, 99))
def test_first_best_is_the_first_of_the_largest(values: list[float], seed: int) -> None:
    """Against the definition; each value moved by half of what two roundings of it may differ by."""
    order = np.random.default_rng(seed).permutation(len(values))
    best, first = rounding.first_best(jnp.array(values), jnp.array(order))
    assert best == max(values)
    assert first == min(o for o, v in zip(order, values, strict=True) if v == max(values))


@given(values=st.lists(NUMBERS, min_size=2, max_size=12), seed=st.integers(0, 99))
def test_a_rounding_of_the_values_changes_nothing(values: list[float], seed: int) -> None:
    """The maximum is that of the values rounded otherwise: none of those compared need equal it."""
    exact = jnp.array(values)
    random = np.random.default_rng(seed)
    ulps = random.integers(-1, 2, len(values))
    moved = jnp.array([np.nextafter(v, np.inf * u) if u else v for v, u in zip(values, ulps, strict=True)])
    order = jnp.arange(len(values))
    _, expected = rounding.first_best(exact, order)
    _, found = rounding.first_best(moved, order, 2.0 * rounding.product_error(moved))
    assert found == expected


def test_values_that_are_not_finite_have_no_place() -> None:
    values, order = jnp.array([-jnp.inf, 2.0, jnp.nan, 2.0]), jnp.arange(4)
    assert rounding.first_best(values[:2], order[:2])[1] == 1
    nothing = jnp.full(3, -jnp.inf)
    best, first = rounding.first_best(nothing, order[:3])
    assert best == -jnp.inf
    assert first == jnp.iinfo(order.dtype).max
    assert rounding.first_best(nothing, nothing)[1] == jnp.inf


def test_each_column_has_its_own_best() -> None:
    values = jnp.array([[1.0, 5.0], [3.0, 5.0], [3.0, 2.0]])
    best, first = rounding.first_best(
        values, jnp.array([[0.0], [1.0], [2.0]]), rounding.product_error(values)
    )
    np.testing.assert_array_equal(best, [3.0, 5.0])
    np.testing.assert_array_equal(first, [1.0, 0.0])


@given(row=st.lists(NUMBERS, min_size=2, max_size=9), effort=st.integers(0, 7), cost=st.sampled_from([1, 3]))
def test_the_best_jump_is_the_densest_that_fits(row: list[float], effort: int, cost: int) -> None:
    """Against exact fractions of the same numbers."""
    effort, remaining = min(effort, len(row) - 1), 4 * cost + 1
    found, level = best_jump(
        jnp.array(row), jnp.array(float(effort)), jnp.array(float(cost)), jnp.array(float(remaining))
    )
    levels = [k for k in range(effort + 1, len(row)) if cost * (k - effort) <= remaining]
    if not levels:
        assert found == -jnp.inf
        return
    density = {k: (Fraction(row[k]) - Fraction(row[effort])) / (cost * (k - effort)) for k in levels}
    densest = max(density.values())
    assert float(found) == pytest.approx(float(densest), rel=1e-15)
    assert level == min(k for k in levels if density[k] == densest)


def test_a_jump_is_found_though_none_equals_the_maximum(monkeypatch: pytest.MonkeyPatch) -> None:
    """A miss would lead to the last level, which does not fit, again and again: a search without end."""
    row = jnp.array([0.0, 0.1, 0.7, 0.8, 0.9, 1.0])
    arguments = row, jnp.array(0.0), jnp.array(1.0), jnp.array(3.0)
    expected = best_jump(*arguments)[1]
    RoundedTwice(monkeypatch)
    assert best_jump(*arguments)[1] == expected == 2.0


def test_climbing_ends_though_no_jump_equals_the_maximum(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [[0.0, 0.1, 0.7, 0.8, 0.9, 1.0], [0.0, 0.3, 0.4, 0.6, 1.2, 1.3]]
    portfolio = Portfolio(Tabulated(jnp.array(values)))
    start, lattice = jnp.zeros(2), build_lattice(5.0, 2)
    expected = climb(portfolio, jnp.array(5.0), start, lattice)
    RoundedTwice(monkeypatch)
    np.testing.assert_array_equal(climb(portfolio, jnp.array(5.0), start, lattice), expected)


@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=60), st.integers(0, 99))
def test_sums_in_any_order_differ_by_less_than_their_error(terms: list[float], seed: int) -> None:
    """Against the exact sum, term by term in a random order, in float32."""
    rounded = np.array(terms, np.float32)
    exact = sum((Fraction(float(t)) for t in rounded), Fraction(0))
    total = np.float32(0.0)
    for term in np.random.default_rng(seed).permutation(rounded):
        total = np.float32(total + term)
    error = float(rounding.sum_error(len(terms), jnp.float32(exact)))
    assert abs(Fraction(float(total)) - exact) <= error / 2


def test_the_slack_of_a_budget_is_never_near_a_unit() -> None:
    assert rounding.budget_slack(jnp.float32(1e9)) == rounding.MOST_BUDGET_SLACK
    assert rounding.budget_slack(jnp.float64(100.0)) == 6400 * np.finfo(float).eps


def test_quotients_of_decimals_come_to_whole_numbers() -> None:
    assert [rounding.whole(n) for n in (0.7 / 0.1, 0.3 / 0.1, 2.999, 0.0)] == [7, 3, 2, 0]
