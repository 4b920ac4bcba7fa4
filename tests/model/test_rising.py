"""Prices that rise with effort: against all whole-unit budgets, fine grids, and by hand."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

import engine
from engine import Exponential, Hill, Log, Portfolio, Root, rising_prices
from engine.solvers.registry import SOLVERS
from tests import reference

BUDGET = 12
ROUNDING = 1e-12
CASES = [
    ("log", ()),
    ("mixture_straight", ("cost", "success")),
    ("hill", ("upper",)),
    ("tabulated_points", ("cost",)),
    ("mixture", ("threshold",)),
]


def drawn(
    family: str, parts: tuple[str, ...], shape: tuple[int, int] = (8, 3)
) -> tuple[Portfolio, np.ndarray]:
    rng = np.random.default_rng(9)
    rising = np.where(rng.random(shape) < 0.3, np.inf, rng.uniform(1.0, 12.0, shape))
    return reference.draw(family, 4, shape, parts), rising


def bought(money: np.ndarray, cost: np.ndarray, rising: np.ndarray) -> np.ndarray:
    """The root of c·x·(1 + x/k) = s, by the formula."""
    steady = money / cost
    quadratic = np.where(np.isfinite(rising), rising, 1.0)
    root = 0.5 * quadratic * (np.sqrt(1.0 + 4.0 * steady / quadratic) - 1.0)
    return np.where(np.isfinite(rising), root, steady)


def tables(portfolio: Portfolio, rising: np.ndarray) -> np.ndarray:
    """Returns [batch, projects, money] of whole units of budget; −∞ outside the bounds."""
    cost, (lower, upper) = reference.costs(portfolio), reference.limits(portfolio)
    rows = []
    for money in range(BUDGET + 1):
        units = bought(np.full(portfolio.shape, float(money)), cost, rising)
        allowed = (units >= lower - 1e-9) & (units <= upper + 1e-9)
        rows.append(np.where(allowed, reference.returns(portfolio, units, 1e-12), -np.inf))
    return np.stack(rows, axis=-1)


@pytest.mark.parametrize("solver", ["exact", "cutoff", "density", "greedy", "relaxation", "bound"])
@pytest.mark.parametrize(("family", "parts"), CASES, ids=reference.id_of)
def test_whole_units_of_budget_against_all_splits(family: str, parts: tuple[str, ...], solver: str) -> None:
    portfolio, rising = drawn(family, parts)
    found = engine.allocate(rising_prices(portfolio, rising), BUDGET, solver)
    rows = tables(portfolio, rising)
    splits = np.array([s for s in itertools.product(range(BUDGET + 1), repeat=3) if sum(s) <= BUDGET])
    best = np.max(sum(rows[:, i, splits[:, i]] for i in range(3)), axis=-1)
    known = np.isfinite(best) & (found.status == 0)
    assert np.mean(known) > 0.5
    assert np.all(found.bound[known] >= best[known] - 1e-9)
    assert np.all(found.value[known] <= best[known] + 1e-9)
    if SOLVERS[solver].exactly(None):
        assert np.all(found.proved[known])
        np.testing.assert_allclose(found.value[known], best[known], rtol=1e-9)
    assert found.units is not None
    expected = bought(found.effort, reference.costs(portfolio), rising)
    np.testing.assert_allclose(found.units, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("family", "parts"), [("log", ()), ("tabulated_points", ("cost",))])
def test_real_effort_reaches_the_best_of_a_fine_grid(family: str, parts: tuple[str, ...]) -> None:
    portfolio, rising = drawn(family, parts, (16, 2))
    found = engine.allocate(rising_prices(portfolio, rising), float(BUDGET), "continuous")
    first = np.linspace(0.0, BUDGET, 4001)[:, None]
    money = np.stack([np.broadcast_to(first, (4001, 16)), np.broadcast_to(BUDGET - first, (4001, 16))], -1)
    earned = reference.returns(portfolio, bought(money, reference.costs(portfolio), rising))
    kept = np.maximum.accumulate(earned[::-1, :, 1], axis=0)[::-1]
    best = np.max(np.maximum.accumulate(earned[..., 0], axis=0) + kept, axis=0)
    assert np.all(found.value >= best - 1e-8)
    assert np.all(found.value <= found.bound)
    assert np.all(found.gap <= 1e-8)


def test_the_margins_meet() -> None:
    """f'(x) = λ c (1 + 2x/k) at the optimum of every project."""
    curves = Portfolio(Exponential([5.0, 9.0, 4.0], [0.5, 0.2, 0.9]), cost=[1.0, 2.0, 0.5])
    rising = np.array([3.0, 8.0, np.inf])
    found = engine.allocate(rising_prices(curves, rising), 20.0, "waterfilling")
    units = found.units
    assert units is not None
    slope = np.array([2.5, 1.8, 3.6]) * np.exp(-np.array([0.5, 0.2, 0.9]) * units)
    margin = np.array([1.0, 2.0, 0.5]) * (1 + 2 * units / rising)
    np.testing.assert_allclose(slope / margin, found.price, rtol=1e-8)
    spent = np.array([1.0, 2.0, 0.5]) * units * (1 + units / rising)
    np.testing.assert_allclose(spent, found.effort, rtol=1e-12)


def test_a_steady_price_is_what_a_cost_is() -> None:
    portfolio = Portfolio(Root([3.0, 5.0], [0.5, 0.3]), cost=[2.0, 1.0], upper=[4.0, np.inf])
    both = rising_prices(portfolio, np.inf), portfolio
    found, plain = (engine.allocate(each, 20.0, "continuous") for each in both)
    np.testing.assert_allclose(found.value, plain.value, rtol=1e-9)
    assert found.units is not None
    np.testing.assert_allclose(found.units, plain.effort, rtol=1e-5)


def test_profit_budget_curves_and_targets_are_in_money_too() -> None:
    portfolio = rising_prices(Log([9.0, 6.0], [1.0, 2.0]), [4.0, 7.0])
    found = engine.allocate(portfolio, 100, objective="profit")
    units = [bought(np.arange(101.0), np.ones(1), np.array(k)) for k in (4.0, 7.0)]
    rows = [9 * np.log1p(units[0]), 6 * np.log1p(2 * units[1])]
    assert found.effort.tolist() == [int(np.argmax(row - np.arange(101))) for row in rows]
    curve = engine.budget_curve(portfolio, 15)
    np.testing.assert_allclose(curve.value[15], engine.allocate(portfolio, 15).value, rtol=1e-12)
    assert engine.budget_for(portfolio, value=float(curve.value[9]) - 1e-9).budget == 9


FILE = """project,family,scale,rate,cost,rising,upper
search,log,9,1,2,4,6
ads,log,6,2,1,,
"""


def test_a_file_is_the_same_as_the_function(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(FILE)
    portfolio = Portfolio(Log([9.0, 6.0], [1.0, 2.0]), cost=[2.0, 1.0], upper=[6.0, np.inf])
    one, other = engine.load_portfolio(path), rising_prices(portfolio, [4.0, np.inf])
    assert engine.allocate(one, 30).value == engine.allocate(other, 30).value
    assert one.upper is not None
    np.testing.assert_array_equal(one.upper, [2 * 6 * (1 + 6 / 4), np.inf])
    with pytest.raises(ValueError, match="prices rise, expected steady ones"):
        engine.save_portfolio(one, path)


WRONG = {
    "project 0: rising is 0, expected a number above 0": (Portfolio(Log([1.0], [1.0])), 0.0),
    "project 0: cost is 0, expected more than 0": (Portfolio(Log([1.0], [1.0]), cost=[0.0]), 3.0),
    "project 0: startup is 2, expected none": (Portfolio(Log([1.0], [1.0]), startup=[2.0]), 3.0),
    "rising is 'much', expected a number": (Portfolio(Log([1.0], [1.0])), "much"),
}


@pytest.mark.parametrize("words", WRONG)
def test_what_cannot_be(words: str) -> None:
    with pytest.raises(ValueError, match=words):
        rising_prices(*WRONG[words])


def test_real_effort_of_other_shapes_is_refused() -> None:
    portfolio = rising_prices(Hill([1.0], [3.0], [2.0]), 5.0)
    for solve in (
        lambda: engine.allocate(portfolio, 9, "continuous"),
        lambda: engine.budget_curve(portfolio, [1.0, 2.0], solver="waterfilling"),
    ):
        with pytest.raises(
            ValueError, match=r"real effort, expected concave curves or tables where prices rise"
        ):
            solve()
