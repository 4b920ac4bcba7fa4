"""The shadow price is one number: by every command, any solver, however far a budget curve was asked."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import engine
from engine import Hill, Lifecycle, Log, Portfolio, Tabulated
from engine.allocation.prices import shadow_prices
from tests import reference

UNITS = 24
PARTS = [
    ("log", ()),
    ("mixture_concave", ("cost",)),
    ("hill", ()),
    ("logistic", ("startup",)),
    ("lifecycle", ("cost",)),
    ("tabulated", ("cost",)),
    ("hill", ("threshold", "cost")),
    ("mixture", ("quarter_cost", "startup", "success", "curvature", "threshold")),
]


def optima(portfolio: Portfolio, step: float) -> np.ndarray:
    """V at every budget of one portfolio whose upper limits are within `UNITS`, by max-plus convolution."""
    taken = np.round(reference.costs(portfolio) / step).astype(int)
    size = int(taken.sum()) * UNITS + 1
    best = np.where(np.arange(size) == 0, 0.0, -np.inf)
    for cost, row in zip(taken, reference.table(portfolio, UNITS), strict=True):
        after = np.full(size, -np.inf)
        for level, gained in enumerate(row):
            after[level * cost :] = np.maximum(after[level * cost :], best[: size - level * cost] + gained)
        best = after
    return np.maximum.accumulate(best)


@pytest.mark.parametrize(("name", "parts"), PARTS, ids=reference.id_of)
def test_it_is_the_slope_of_the_majorant_over_all_budgets(name: str, parts: tuple[str, ...]) -> None:
    drawn = reference.draw(name, 3, (6, 3), parts, reach=8.0)
    drawn = dataclasses.replace(drawn, upper=np.full(drawn.shape, float(UNITS)))
    step = 0.25 if "quarter_cost" in parts else 1.0
    for budget in (0.0, 3.0, 10.0, 27.0):
        right, left = shadow_prices(drawn, budget, real=False)
        for i in range(6):
            values = optima(reference.pick(drawn, i), step)
            budgets = step * np.arange(values.size)
            at = round(budget / step)
            # The majorant's slope: of the steepest chords from all budgets before, the flattest.
            chords = (values[at + 1 :] - values[: at + 1, None]) / (
                budgets[at + 1 :] - budgets[: at + 1, None]
            )
            np.testing.assert_allclose(right[i], chords.max(1).min(), rtol=1e-9, atol=1e-12)
            if at == 0:
                assert np.isnan(left[i])
                continue
            chords = (values[at:] - values[:at, None]) / (budgets[at:] - budgets[:at, None])
            np.testing.assert_allclose(left[i], chords.max(1).min(), rtol=1e-9, atol=1e-12)


def points(*corners: tuple[float, float]) -> list[float]:
    """The levels 0 to 20 of a curve through these corners."""
    efforts, values = zip(*corners, strict=True)
    return np.interp(np.arange(21), efforts, values).tolist()


PORTFOLIOS: dict[str, tuple[Portfolio, float, float, float]] = {
    # name: portfolio, budget, price to the right, price to the left; NaN where not known by hand
    "concave": (Portfolio(Log([25.0, 30.0], 2.0)), 50.0, np.nan, np.nan),
    "S-shaped": (Portfolio(Hill([9.0, 6.0, 5.0], [20.0, 12.0, 8.0], [3.0, 2.0, 2.0])), 10.0, np.nan, np.nan),
    "a jump": (
        Portfolio(Tabulated([points((0, 0), (12, 0), (15, 60)), points((0, 0), (5, 20), (20, 26))])),
        10.0,
        4.0,
        4.0,
    ),
    "stages": (
        Portfolio(Lifecycle([[0.0, 8.0]] * 2, [[1.0, 9.0]] * 2, [[1.0, 0.5]] * 2, [[1.0, 1.0]] * 2)),
        5.0,
        np.nan,
        np.nan,
    ),
    "capped": (
        Portfolio(Tabulated([5.0 * np.arange(201), 0.06 * np.arange(201)]), upper=[100.0, 100.0]),
        100.0,
        0.06,
        5.0,
    ),
    "open": (Portfolio(Tabulated([5.0 * np.arange(201), 0.06 * np.arange(201)])), 100.0, 5.0, 5.0),
}


@pytest.mark.parametrize("name", PORTFOLIOS)
def test_every_horizon_and_solver_has_the_same(name: str) -> None:
    portfolio, budget, right, left = PORTFOLIOS[name]
    one = engine.allocate(portfolio, budget)
    assert one.price <= one.price_left
    if np.isfinite(right):
        np.testing.assert_allclose([one.price, one.price_left], [right, left], rtol=1e-9)
    for solver in ("greedy", "cutoff"):
        assert engine.allocate(portfolio, budget, solver).price == one.price
    for times in (1, 2, 10):
        curve = engine.budget_curve(portfolio, times * budget)
        at = int(budget)
        # Differences of values up to 1,000 that were added up in another order.
        np.testing.assert_allclose(curve.price[at], one.price, rtol=1e-9)
        np.testing.assert_allclose(curve.price_left[at], one.price_left, rtol=1e-9)
        assert curve.at(budget).price == one.price


@pytest.mark.parametrize("name", PORTFOLIOS)
def test_real_effort_has_the_same_along_a_budget_curve(name: str) -> None:
    portfolio, budget, right, left = PORTFOLIOS[name]
    one = engine.allocate(portfolio, budget, "waterfilling")
    curve = engine.budget_curve(portfolio, [budget / 2, budget, 10 * budget], "waterfilling")
    np.testing.assert_allclose(curve.price[1], one.price, rtol=1e-12)
    np.testing.assert_allclose(curve.price_left[1], one.price_left, rtol=1e-12)
    if np.isfinite(right):
        np.testing.assert_allclose([one.price, one.price_left], [right, left], rtol=1e-9)


def test_lower_bounds_that_take_the_budget_leave_no_side() -> None:
    portfolio = Portfolio(Log([[3.0, 1.0]] * 3, 1.0), lower=[[2.0, 1.0]] * 3)
    batch = engine.allocate(portfolio, np.array([2.0, 3.0, 4.0]))
    np.testing.assert_array_equal(np.isnan(batch.price), [True, False, False])
    np.testing.assert_array_equal(np.isnan(batch.price_left), [True, True, False])
    assert batch[2].price == batch.price[2]


def test_lots_have_the_price_of_the_lots() -> None:
    portfolio = Portfolio(Hill([9.0, 6.0, 5.0], [20.0, 12.0, 8.0], [3.0, 2.0, 2.0]))
    for unit in (0.5, 5.0):
        for budget in (10.0, 30.0):
            one = engine.allocate(portfolio, budget, unit=unit)
            levels = unit * np.arange(161)
            values = np.stack([portfolio.curves.value(np.full(3, x)) for x in levels], axis=1)
            same = engine.allocate(Portfolio(Tabulated(values)), budget / unit)
            np.testing.assert_allclose(
                [one.price, one.price_left], [same.price / unit, same.price_left / unit], rtol=1e-9
            )
