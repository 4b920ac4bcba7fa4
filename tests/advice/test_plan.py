"""`engine.plan`: from draws and a log to advice, and what it refuses."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest

import engine
from engine.advice.plan import draws_path
from engine.files.portfolios import portfolio_path

PLAN: dict[str, Any] = {"periods": 3, "lots": 2, "particles": 64}
NAMES = ("search", "ads", "video")
MANY = engine.Portfolio(engine.Log(np.ones(9), np.ones(9)))


def bet(count: int = 16, **shared: Any) -> engine.Uncertain:
    random = np.random.default_rng(3)
    scale = [4.0, 3.0, 1.0] * random.lognormal(0.0, 0.4, (count, 3))
    curves = engine.Exponential(scale, np.full((count, 3), 0.1))
    return engine.Uncertain(engine.Portfolio(curves), names=NAMES, **shared)


def frame(*rows: tuple[str, int, float, float | None]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["project", "period", "effort", "seen"])


def test_advice_says_what_it_is() -> None:
    found = engine.plan(bet(), 30, **PLAN)
    assert found.names == NAMES
    assert (found.period, found.periods, found.policy) == (1, 3, "rolling")
    assert (found.budget, found.spent, found.left) == (30, 0, 30)
    assert found.now == pytest.approx(10)
    assert found.effort.sum() == pytest.approx(2 * found.lot)
    assert found.planned.sum() == pytest.approx(30)
    assert np.all(found.best <= found.funded)
    assert np.all(found.returned == 0)
    assert np.all((found.end[1] <= found.end[0]) & (found.end[0] <= found.end[2]))
    assert "Period 1 of 3: spend 10 of the 30 left" in repr(found)
    rows = found.projects()
    assert [row["project"] for row in rows] == list(NAMES)
    assert found.to_dict()["projects"] == rows
    assert found.to_dict()["effort"] == {row["project"]: row["effort"] for row in rows}
    assert list(found.to_pandas().columns) == list(rows[0])


def test_nothing_is_kept_between_calls() -> None:
    log = frame(("search", 1, 6.0, 1.0), ("ads", 1, 4.0, 2.0))
    one, two = (engine.plan(bet(), 30, log, **PLAN) for _ in range(2))
    assert one.to_dict() == two.to_dict()
    assert (one.period, one.spent, one.left) == (2, 10, 20)
    np.testing.assert_array_equal(one.used, [6, 4, 0])
    assert one.to_dict() != engine.plan(bet(), 30, log, seed=1, **PLAN).to_dict()


def test_the_order_of_rows_does_not_count() -> None:
    rows = ("search", 1, 6.0, 1.0), ("ads", 1, 4.0, None), ("ads", 2, 8.0, 2.5)
    one, two = (engine.plan(bet(), 30, frame(*each), **PLAN) for each in (rows, rows[::-1]))
    assert one.to_dict() == two.to_dict()


def test_the_dropped_are_named() -> None:
    draws = bet()
    curves = dataclasses.replace(
        draws.draws.curves, scale=np.asarray(draws.draws.curves.scale) * [1, 1, 0.01]
    )
    draws = dataclasses.replace(draws, draws=engine.Portfolio(curves))
    found = engine.plan(draws, 30, **PLAN)
    assert found.dropped.tolist() == [False, False, True]
    assert found.remarks()[2] == "drop: index below the price"
    assert "video is best dropped" in found.why


def test_a_plan_that_is_over_says_what_was_reached() -> None:
    log = frame(("search", 1, 10.0, 2.0), ("ads", 2, 10.0, 2.0), ("search", 3, 10.0, 3.0))
    found = engine.plan(bet(), 30, log, **PLAN)
    assert found.over
    assert "The plan is over: 30 of 30 is spent" in found.why
    assert not found.effort.any()
    assert found.remarks() == ["", "", ""]


def test_spending_more_than_the_budget_is_a_warning() -> None:
    with pytest.warns(UserWarning, match="spends 31 of a budget of 30: nothing is left"):
        found = engine.plan(bet(), 30, frame(("search", 1, 31.0, 2.0)), **PLAN)
    assert found.left == 0
    assert not found.effort.any()
    assert "nothing of 30 is left to spend" in found.why


def test_costs_are_of_the_budget() -> None:
    found = engine.plan(bet(cost=np.array([1.0, 2.0, 4.0])), 30, frame(("ads", 1, 4.0, 2.0)), **PLAN)
    assert found.spent == 8
    assert found.now == pytest.approx(11)
    assert found.planned @ [1, 2, 4] == pytest.approx(22)


def test_float32_stays_float32() -> None:
    draws = jax.tree.map(np.float32, bet())
    found = engine.plan(draws, 30, **PLAN)
    assert found.effort.dtype == np.float32


def test_a_portfolio_is_one_draw_or_draws_of_who_succeeds() -> None:
    curves = engine.Exponential([4.0, 3.0], [0.1, 0.1])
    sure = engine.plan(engine.Portfolio(curves), 30, stall=0.0, resume=1.0, progress=0.0, **PLAN)
    assert sure.names == ("0", "1")
    np.testing.assert_allclose(sure.end[1], sure.end[2], rtol=1e-9)
    risky = engine.plan(engine.Portfolio(curves, success=[0.5, 1.0]), 30, **PLAN)
    assert risky.end[1, 0] == 0
    assert risky.end[1, 1] > 0


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"budget": 0}, "budget is 0, expected a number above 0"),
        ({"budget": float("nan")}, "budget is nan, expected a number above 0"),
        ({"policy": "luck"}, "policy is 'luck', expected one of equal_split"),
        ({"policy": "clairvoyant"}, "policy is 'clairvoyant', expected one of equal_split"),
        ({"seed": -1}, "seed is -1, expected a whole number"),
        ({"particles": 0}, "particles is 0, expected a whole number from 1 to 65,536"),
        ({"periods": 0}, "periods is 0, expected a whole number"),
        ({"discount": 0}, "discount is 0, expected a number from 1e-6 to 1, or none"),
        ({"stall": 1.5}, "stall is 1.5, expected a chance from 0 to 1"),
        ({"periods": 1000, "lots": 2}, "periods times lots is 2,000, expected 1,000 at most"),
        ({"periods": 999, "lots": 1, "particles": 65_536, "draws": MANY}, "too many to plan for"),
        ({"draws": bet(lower=np.ones(3))}, "bound lower, expected none"),
        ({"draws": bet(cost=np.array([1.0, 0.0, 1.0]))}, "ads: cost is 0"),
        ({"draws": 7}, "expected draws of curves, got int"),
        ({"draws": "none.csv"}, "none.csv: cannot be read"),
        ({"log": frame(("serch", 1, 1.0, None))}, "row 1 has project serch, .* did you mean search?"),
        (
            {"log": frame(*(("ads", period, 1.0, None) for period in range(1, 5)))},
            "row 4 has period 4, the plan has 3",
        ),
    ],
)
def test_what_cannot_be_is_named(more: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        engine.plan(**{"draws": bet(), "budget": 30, **PLAN, **more})


@pytest.mark.parametrize("name", ["weeks", "most"])
def test_an_unknown_keyword_is_no_term(name: str) -> None:
    with pytest.raises(TypeError, match=f"'{name}'"):
        engine.plan(bet(), 30, **{name: 4})


def test_a_discount_makes_later_gains_worth_less() -> None:
    plain, same, less = (engine.plan(bet(), 30, discount=discount, **PLAN) for discount in (None, 1.0, 0.5))
    np.testing.assert_allclose(same.index, plain.index, rtol=1e-9)
    assert np.all(less.index < plain.index)
    assert less.price < plain.price


def test_a_folder_stands_for_the_draws_in_it(tmp_path: Any) -> None:
    assert draws_path(tmp_path) == tmp_path / "draws.parquet"
    assert draws_path("uncertain") == Path("uncertain")
    by_name, by_path = (engine.plan(each, 30, **PLAN) for each in ("uncertain", portfolio_path("uncertain")))
    assert by_name.names == by_path.names
