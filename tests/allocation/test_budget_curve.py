"""The budget curve against brute force, the solvers at every budget, and hulls drawn by hand."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine
from engine import Exponential, Lifecycle, Log, Portfolio, Tabulated
from engine.allocation import budget_curve as budget_curves
from engine.allocation import running as border
from engine.allocation.budget_curve import budget_curve
from engine.allocation.optima import Optima, along_path, along_programme, majorant_slopes
from tests import reference

BUDGET = 12
BATCH = (8, 3)
# Values are sums of a few float64 numbers of size 1 to 10.
ROUNDING = 1e-12

CASES = [
    ("log", ()),
    ("mixture_concave", ("bounds",)),
    ("hill", ()),
    ("tabulated", ("bounds",)),
    ("lifecycle", ("cost",)),
    ("mixture", ("quarter_cost", "startup", "success", "curvature", "threshold")),
]


def each(portfolio: Portfolio, count: int) -> Portfolio:
    """Every portfolio of a batch `count` times in a row."""
    return jax.tree.map(lambda a: np.repeat(np.asarray(a), count, 0), portfolio)


@pytest.mark.parametrize(("name", "parts"), CASES, ids=reference.id_of)
def test_every_budget_is_the_brute_force_optimum(name: str, parts: tuple[str, ...]) -> None:
    portfolio = reference.draw(name, 1, BATCH, parts)
    largest = 5 if "quarter_cost" in parts else BUDGET
    curve = budget_curve(portfolio, largest)
    step = 0.25 if "quarter_cost" in parts else 1.0
    np.testing.assert_array_equal(curve.budget, np.arange(largest / step + 1) * step)
    for i, budget in enumerate(curve.budget):
        optimum = reference.brute_force(portfolio, budget)
        solved = np.isfinite(optimum)
        np.testing.assert_array_equal(curve.status[:, i], np.where(solved, 0, 1))
        np.testing.assert_allclose(curve.value[solved, i], optimum[solved], rtol=ROUNDING, atol=ROUNDING)
        assert np.all(np.isnan(curve.value[~solved, i]))
        np.testing.assert_array_equal(curve.proved[:, i], solved)


@pytest.mark.parametrize(("name", "parts"), CASES, ids=reference.id_of)
def test_its_allocations_are_feasible_and_worth_their_value(name: str, parts: tuple[str, ...]) -> None:
    portfolio = reference.draw(name, 2, BATCH, parts)
    curve = budget_curve(portfolio, 5 if "quarter_cost" in parts else BUDGET)
    solved = curve.status == 0
    for i, budget in enumerate(curve.budget):
        good = solved[:, i]
        effort = np.where(good[:, None], curve.effort[:, i], 0.0)
        spent = (reference.costs(portfolio) * effort).sum(-1)
        np.testing.assert_array_equal(effort, np.round(effort))
        np.testing.assert_allclose(spent[good], curve.spent[good, i], rtol=ROUNDING)
        np.testing.assert_allclose(curve.unspent[good, i], budget - spent[good], atol=ROUNDING)
        assert np.all(spent[good] <= budget + ROUNDING)
        lower, upper = reference.limits(portfolio)
        assert np.all((effort >= lower)[good] & (effort <= upper)[good])
        worth = reference.value(portfolio, effort)
        np.testing.assert_allclose(worth[good], curve.value[good, i], rtol=ROUNDING, atol=ROUNDING)
        assert np.all(np.isnan(curve.effort[~good, i]))
    # What earns nothing is not spent: where the value stands still, so does the spend.
    still = np.diff(curve.value) <= 0
    assert np.all(np.diff(curve.spent)[still] == 0)


@pytest.mark.parametrize(
    ("name", "parts"), [("log", ()), ("hill", ()), ("lifecycle", ("cost",))], ids=reference.id_of
)
def test_solving_budget_by_budget_gives_the_same(name: str, parts: tuple[str, ...]) -> None:
    portfolio = reference.draw(name, 3, BATCH, parts, reach=BUDGET)
    curve = budget_curve(portfolio, BUDGET)
    budgets = np.tile(curve.budget, BATCH[0])
    solution = engine.allocate(each(portfolio, BUDGET + 1), budgets)
    np.testing.assert_allclose(curve.value.ravel(), solution.value, rtol=ROUNDING)
    np.testing.assert_array_equal(curve.proved.ravel(), solution.proved)


def test_a_batch_is_a_loop_of_single_portfolios() -> None:
    portfolio = reference.draw("hill", 3, BATCH, reach=BUDGET)
    curve, one = budget_curve(portfolio, BUDGET), budget_curve(reference.pick(portfolio, 2), BUDGET)
    for field in dataclasses.fields(Optima):
        whole = np.asarray(getattr(curve, field.name))
        part = whole if field.name == "budget" else whole[2]
        np.testing.assert_allclose(getattr(one, field.name), part, rtol=ROUNDING, err_msg=field.name)


def test_the_greedy_path_is_the_programme_on_concave_curves() -> None:
    portfolio = reference.draw("mixture_concave", 4, (16, 5), ("bounds",), reach=40.0)
    terms = budget_curves.terms_of(portfolio)
    nested, lattice = budget_curves.choose_method(terms, 60.0)
    assert nested
    path = jax.jit(jax.vmap(lambda p: along_path(p, lattice)))(portfolio)
    whole = jax.jit(jax.vmap(lambda p: along_programme(p, lattice)))(portfolio)
    np.testing.assert_array_equal(path.status, whole.status)
    for field in ("value", "spent", "marginal", "price", "price_left"):
        # Differences of values of size 10, where the path has the gains themselves.
        np.testing.assert_allclose(getattr(path, field), getattr(whole, field), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(path.effort, whole.effort)
    rises = np.diff(path.marginal)
    assert np.all(rises[~np.isnan(rises)] <= ROUNDING)


def test_equal_costs_are_nested_whatever_they_are() -> None:
    # A cost of π has no simple fraction; its multiples are the budgets all the same.
    portfolio = Portfolio(Log([3.0, 1.0], [1.0, 2.0]), cost=[np.pi, np.pi])
    curve = budget_curve(portfolio, 10 * np.pi)
    np.testing.assert_allclose(curve.budget, np.pi * np.arange(11), rtol=1e-14)
    assert np.all(curve.proved)
    values = [max(3 * np.log1p(k) + np.log1p(2 * (b - k)) for k in range(b + 1)) for b in range(11)]
    np.testing.assert_allclose(curve.value, values, rtol=ROUNDING)
    np.testing.assert_allclose(curve.marginal[:-1] * np.pi, np.diff(values), rtol=1e-9)
    np.testing.assert_allclose(curve.spent, curve.budget, rtol=1e-14)
    staged = Portfolio(Tabulated([[0.0, 0.0, 5.0], [0.0, 1.0, 1.0]]), cost=[np.pi, np.pi])
    np.testing.assert_array_equal(budget_curve(staged, 10.0).value, [0.0, 1.0, 5.0, 6.0])


def test_a_staged_budget_curve_by_hand() -> None:
    # One project pays 6 from its third unit on, another 1 for its first unit.
    portfolio = Tabulated([[0.0, 0.0, 0.0, 6.0], [0.0, 1.0, 1.0, 1.0]])
    curve = budget_curve(portfolio, 6)
    nan = np.nan
    np.testing.assert_array_equal(curve.value, [0, 1, 1, 6, 7, 7, 7])
    np.testing.assert_array_equal(curve.spent, [0, 1, 1, 3, 4, 4, 4])
    np.testing.assert_array_equal(curve.unspent, [0, 0, 1, 0, 0, 1, 2])
    np.testing.assert_array_equal(curve.effort[3], [3, 0])
    np.testing.assert_array_equal(curve.effort[6], [3, 1])
    np.testing.assert_array_equal(curve.marginal, [1, 0, 5, 1, 0, 0, nan])
    # The majorant runs straight from (0, 0) to (3, 6), on to (4, 7), then flat.
    np.testing.assert_allclose(curve.price_left, [nan, 2, 2, 2, 1, 0, 0], rtol=1e-15)
    np.testing.assert_allclose(curve.price, [2, 2, 2, 1, 0, 0, 0], rtol=1e-15)
    assert np.all(curve.proved)


def test_nothing_to_gain_and_nothing_to_spend() -> None:
    flat = budget_curve(Tabulated([[1.0, 1.0], [2.0, 2.0]]), 3)
    np.testing.assert_array_equal(flat.value, [3.0] * 4)
    np.testing.assert_array_equal(flat.spent, [0.0] * 4)
    np.testing.assert_array_equal(flat.price_left[1:], [0.0] * 3)
    for curves in (Log([1.0, 2.0], 1.0), Tabulated([[0.0, 1.0]])):
        none = budget_curve(curves, 0)
        np.testing.assert_array_equal(none.budget, [0.0])
        np.testing.assert_array_equal(none.value, [0.0])
        assert np.isnan(none.price_left[0])
        assert none.price[0] > 0  # what the first budgets beyond return
        assert none.proved[0]
    single = budget_curve(Exponential([2.0], [0.5]), 4)
    np.testing.assert_array_equal(single.effort[:, 0], np.arange(5))


@pytest.mark.parametrize("curves", [Log([1.0, 2.0], 1.0), Tabulated(np.cumsum(np.ones((2, 9)), -1))])
def test_budgets_beyond_all_caps_stay_unspent(curves: engine.Curve) -> None:
    curve = budget_curve(Portfolio(curves, upper=[2.0, 1.0]), 9)
    np.testing.assert_array_equal(curve.spent, [0, 1, 2, 3, 3, 3, 3, 3, 3, 3])
    np.testing.assert_array_equal(curve.unspent, [0, 0, 0, 0, 1, 2, 3, 4, 5, 6])
    np.testing.assert_array_equal(curve.marginal[3:-1], np.zeros(6))
    np.testing.assert_array_equal(curve.price[3:], np.zeros(7))


@pytest.mark.parametrize("curves", [Log([1.0, 2.0], 1.0), Tabulated(np.cumsum(np.ones((2, 9)), -1))])
def test_budgets_below_the_lower_bounds_have_no_optimum(curves: engine.Curve) -> None:
    curve = budget_curve(Portfolio(curves, lower=[2.0, 1.0]), 5)
    np.testing.assert_array_equal(curve.status, [1, 1, 1, 0, 0, 0])
    np.testing.assert_array_equal(np.isnan(curve.value), curve.status == 1)
    np.testing.assert_array_equal(np.isnan(curve.marginal), [True] * 3 + [False] * 2 + [True])
    np.testing.assert_array_equal(np.isnan(curve.price), [True] * 3 + [False] * 3)
    np.testing.assert_array_equal(curve.effort[3], [2.0, 1.0])
    np.testing.assert_array_equal(curve.proved, curve.status == 0)


def test_costs_without_a_common_unit_give_lower_bounds_that_are_not_proved() -> None:
    portfolio = reference.draw("hill", 9, (12, 3), ("real_cost",))
    curve = budget_curve(portfolio, 8.0)
    assert curve.budget.size == 4097
    assert not np.any(curve.proved)
    assert np.all(np.diff(curve.value) >= 0)
    for i in (512, 2048, 4096):
        budget = curve.budget[i]
        optimum = reference.brute_force(portfolio, budget)
        assert np.all(curve.value[:, i] <= optimum + ROUNDING)
        assert np.all(curve.spent[:, i] <= budget + ROUNDING)
        # Rounding up costs each of the 3 projects at most one of the steps.
        missed = reference.brute_force(portfolio, budget - 3 * curve.budget[1])
        assert np.all(curve.value[:, i] >= np.where(np.isfinite(missed), missed, 0) - 1e-9)


@given(seed=st.integers(0, 2**32 - 1))
def test_prices_are_the_slopes_of_the_least_concave_majorant(seed: int) -> None:
    portfolio = reference.draw("mixture", seed, (4, 3), reach=10.0)
    curve = budget_curve(portfolio, 12)
    assert np.all(np.diff(curve.value) >= 0)
    left, right = curve.price_left[:, 1:], curve.price[:, :-1]
    np.testing.assert_array_equal(left, right)
    # Sums of steps in another order may differ by a few ulps of the values.
    assert np.all(np.diff(left) <= 1e-12)
    hull = curve.value[:, :1] + np.concatenate([np.zeros((4, 1)), np.cumsum(left, -1)], -1)
    assert np.all(hull >= curve.value - 1e-12)
    # The least one: it bends only where it touches.
    bends = np.diff(left) < -1e-9
    np.testing.assert_allclose(hull[:, 1:-1][bends], curve.value[:, 1:-1][bends], rtol=1e-11)
    # A dual price of the budget lies between the two sides, wherever a project can still be bought more of.
    assert np.all(left[:, :-1] >= right[:, 1:] - 1e-12)


@given(steps=st.lists(st.integers(-5, 9), min_size=12, max_size=12))
def test_pooling_is_the_hull_by_all_chords(steps: list[int]) -> None:
    value = np.concatenate([[0.0], np.cumsum(steps)])
    at = np.arange(value.size)
    # The majorant at b is the highest chord over it.
    hull = [
        max(value[a] + (value[c] - value[a]) * ((b - a) / max(c - a, 1)) for a in at[: b + 1] for c in at[b:])
        for b in at
    ]
    slopes = compiled_slopes(jnp.asarray(steps, jnp.float64))
    np.testing.assert_allclose(slopes, np.diff(hull), rtol=1e-12, atol=1e-12)


compiled_slopes = jax.jit(majorant_slopes)


# Real effort.


def test_water_filling_along_a_grid() -> None:
    portfolio = reference.draw("mixture_concave", 5, (6, 4), ("cost", "bounds"), reach=20.0)
    portfolio = dataclasses.replace(portfolio, upper=None)
    grid = np.array([14.0, 20.5, 31.0, 47.25])
    curve = budget_curve(portfolio, grid, "waterfilling")
    np.testing.assert_array_equal(curve.budget, grid)
    for i, budget in enumerate(grid):
        effort, price = reference.concave_optimum(portfolio, budget)
        # Nested bisection of the reference, 70 and 80 halvings.
        np.testing.assert_allclose(curve.value[:, i], reference.value(portfolio, effort), rtol=1e-10)
        np.testing.assert_allclose(curve.price_left[:, i], price, rtol=1e-6)
    np.testing.assert_allclose(curve.price_left, curve.price, rtol=1e-12)
    np.testing.assert_allclose(curve.spent, np.tile(grid, (6, 1)), rtol=1e-12)
    assert np.all(curve.proved)
    # A mean slope between two budgets lies between the slopes at them.
    mean = curve.marginal[:, :-1]
    assert np.all((mean <= curve.price_left[:, :-1]) & (mean >= curve.price_left[:, 1:]))


def test_water_filling_counts_whole_budgets_by_itself() -> None:
    curve = budget_curve(Log([3.0, 1.0], 1.0), 4.5, "waterfilling")
    np.testing.assert_array_equal(curve.budget, np.arange(5.0))
    whole = budget_curve(Log([3.0, 1.0], 1.0), 4.5)
    np.testing.assert_array_equal(whole.budget, np.arange(5.0))
    assert np.all(curve.value >= whole.value - ROUNDING)
    short = budget_curve(Portfolio(Log([3.0, 1.0], 1.0), lower=[1.5, 0.0]), 3, "waterfilling")
    np.testing.assert_array_equal(short.status, [1, 1, 0, 0])
    np.testing.assert_array_equal(np.isnan(short.price_left), [True, True, False, False])


def test_water_filling_does_not_call_a_gap_proved() -> None:
    # Three units open a stage worth 5, in either project; the fourth has nowhere to go that pays.
    stages = np.array([[0.0, 3.0], [0.0, 3.0]]), np.array([[0.0, 5.0], [0.0, 5.0]])
    staged = Lifecycle(*stages, np.full((2, 2), 0.1), np.ones((2, 2)))
    curve = budget_curve(staged, np.array([3.0, 4.0, 6.0]), "waterfilling")
    np.testing.assert_array_equal(curve.proved, [True, False, True])
    assert np.all(np.diff(curve.value) >= 0)


def test_float32_stays_float32() -> None:
    portfolio = reference.draw("hill", 7, BATCH, reach=BUDGET / 2, dtype=np.float32)
    curve = budget_curve(portfolio, BUDGET)
    expected = budget_curve(reference.cast(portfolio, np.float64), BUDGET)
    for field in dataclasses.fields(Optima):
        assert getattr(curve, field.name).dtype in (np.float32, np.bool_, np.int32), field.name
    # Sums of three float32 numbers: a few times 1.2e-7.
    np.testing.assert_allclose(curve.value, expected.value, rtol=3e-6)


def test_leading_axes_and_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    flat = reference.draw("hill", 3, (6, 3), reach=BUDGET)
    grid = jax.tree.map(lambda a: np.reshape(a, (2, 3, *np.shape(a)[1:])), flat)
    one = budget_curve(flat, BUDGET)
    monkeypatch.setattr(border, "ROUND_ENTRIES", 1)
    other = budget_curve(grid, BUDGET)
    assert other.effort.shape == (2, 3, BUDGET + 1, 3)
    np.testing.assert_allclose(one.value, other.value.reshape(6, -1), rtol=ROUNDING)
    np.testing.assert_array_equal(one.effort, other.effort.reshape(6, -1, 3))


BAD: dict[str, tuple[object, dict[str, str], str]] = {
    "negative": (-1.0, {}, "budget is -1"),
    "not a number": (np.nan, {}, "budget is nan"),
    "text": ("much", {}, "'much'"),
    "too large to count": (1e9, {}, "1e+09"),
    "a grid of whole units": ([1.0, 2.0], {}, "one number"),
    "a grid that falls": ([2.0, 1.0], {"solver": "waterfilling"}, "increasing"),
    "an empty grid": ([], {"solver": "waterfilling"}, "increasing"),
    "a negative grid": ([-1.0, 1.0], {"solver": "waterfilling"}, "budget is -1"),
    "a grid of words": (["a"], {"solver": "waterfilling"}, "increasing"),
    "too many budgets": (1e9, {"solver": "waterfilling"}, "1e+09"),
    "another solver": (3.0, {"solver": "density"}, "'density'"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_is_refused(what: str) -> None:
    budget, options, expected = BAD[what]
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        budget_curve(Log([1.0, 2.0], 1.0), budget, **options)  # type: ignore[arg-type]
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_each_lattice_is_compiled_once() -> None:
    budget_curves._compiled_curve.cache_clear()
    for seed in range(3):
        budget_curve(reference.draw("hill", seed, BATCH, reach=BUDGET), BUDGET)
    nested, lattice = budget_curves.choose_method(
        budget_curves.terms_of(reference.draw("hill", 0, BATCH)), BUDGET
    )
    assert budget_curves._compiled_curve.cache_info().misses == 1
    assert budget_curves._compiled_curve(nested, lattice).together._cache_size() == 1
