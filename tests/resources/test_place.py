"""`engine.bet` over several resources: batches, K = 1 against `exact`, what cannot be, and the answer."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pytest

import engine
from engine.resources.resources import normalise_resourced
from tests import reference
from tests.resources.draws import Drawn, every_plan

HILL = engine.Hill(scale=[9.0, 6.0, 1.0], half=[12.0, 8.0, 5.0], exponent=[3.0, 2.0, 1.0])
PORTFOLIO = engine.Portfolio(HILL, names=("search", "ads", "platform"))
USAGE: Any = [[2, 1, 0.5], [10, 4, 0]]
GIVEN = engine.Resourced(PORTFOLIO, USAGE, ("people", "money"))
BUDGET = {"people": 30, "money": 100}


def test_it_is_the_best_of_every_plan_of_a_batch() -> None:
    rng = np.random.default_rng(1)
    parts = ("fractional_bounds", "startup", "threshold", "success")
    portfolio = reference.draw("mixture", 1, (60, 3), parts, reach=6.0)
    usage = rng.uniform(0.3, 2.0, (60, 2, 3)) * (rng.random((60, 2, 3)) < 0.8)
    budgets = rng.uniform(3.0, 9.0, (60, 2))
    found = engine.bet(engine.Resourced(portfolio, usage, ("people", "money")), budgets)
    best = every_plan(Drawn(reference.table(portfolio, 6), usage, budgets))
    there = np.isfinite(best)
    assert 20 < there.sum() < 60
    np.testing.assert_array_equal(found.status == engine.Status.SOLVED, there)
    np.testing.assert_allclose(found.value[there], best[there], rtol=1e-12)
    assert np.all(found.proved[there])
    assert np.all(np.isnan(found.value[~there]))
    one = int(np.flatnonzero(there)[0])
    alone = engine.bet(engine.Resourced(reference.pick(portfolio, one), usage[one], ("a", "b")), budgets[one])
    np.testing.assert_array_equal(alone.effort, found[one].effort)


def test_of_one_resource_it_is_what_exact_says_with_costs() -> None:
    portfolio = reference.draw("mixture", 4, (40, 5), ("cost", "bounds"), reach=10.0)
    plain = engine.allocate(portfolio, 25.0)
    usage = np.asarray(portfolio.cost)[:, None]
    given = engine.Resourced(dataclasses.replace(portfolio, cost=None), usage, ("money",))
    found = engine.bet(given, {"money": 25})
    assert np.all(found.proved)
    np.testing.assert_allclose(found.value, plain.value, rtol=1e-13)
    np.testing.assert_allclose(found.spent[:, 0] + found.unspent[:, 0], 25.0)


def test_the_answer_says_what_is_left_of_each_resource() -> None:
    found = engine.bet(GIVEN, BUDGET)
    assert isinstance(found, engine.ResourceBet)
    np.testing.assert_array_equal(found.effort, [0, 25, 10])
    np.testing.assert_allclose(found.spent, [30, 100])
    facts = found.to_dict()
    assert facts["spent"] == {"people": 30.0, "money": 100.0}
    assert facts["unspent"] == {"people": 0.0, "money": 0.0}
    assert facts["proved"]
    assert list(facts["price"]) == ["people", "money"]
    text = repr(found)
    assert "budget people 30, money 100 by total return" in text
    assert "people: spent 30, unspent 0, shadow price 0.0263158" in text
    assert found.rows()[1] == {"project": "ads", "effort": 25.0}
    np.testing.assert_array_equal(engine.bet(GIVEN, [30, 100]).effort, found.effort)
    # What is not scarce is worth nothing.
    few = dataclasses.replace(GIVEN, portfolio=dataclasses.replace(PORTFOLIO, upper=[20.0] * 3))
    rich = engine.bet(few, {"money": 100, "people": 1000})
    assert rich.price[0] == 0
    assert rich.unspent[0] > 0


def test_a_price_is_the_slope_of_the_bound() -> None:
    """Concave curves: another hundredth of a resource raises the dual by the price of it, or less."""
    table = engine.Log(scale=np.array([5.0, 3.0, 2.0]), rate=np.array([0.3, 0.5, 1.0]))
    given = engine.Resourced(
        engine.Portfolio(table), np.array([[1.0, 2.0, 1.0], [3.0, 1.0, 0.5]]), ("a", "b")
    )
    here = engine.bet(given, [20.0, 30.0])
    for resource in range(2):
        more = np.array([20.0, 30.0])
        more[resource] += 10
        assert engine.bet(given, more).value <= here.bound + 10 * here.price[resource] + 1e-9


def test_it_takes_names_but_for_capitals_and_signs() -> None:
    given = engine.Resourced(PORTFOLIO, USAGE, ("GPU-hours", "money"))
    found = engine.bet(given, {"gpu_hours": 30, "money": 100})
    assert found.resources == ("GPU-hours", "money")


def test_a_limit_of_boxes_leaves_a_bound() -> None:
    rng = np.random.default_rng(5)
    usage: Any = rng.uniform(1, 2, (4, 30))
    curves = engine.Tabulated(np.stack([np.zeros(30), usage.sum(0) + rng.uniform(0, 1, 30)], axis=1))
    given = engine.Resourced(engine.Portfolio(curves, upper=np.ones(30)), usage, tuple("abcd"))
    short = engine.bet(given, usage.sum(1) * 0.4, most_boxes=10)
    assert not short.proved
    assert 0 < short.gap < 0.1
    assert "gap at most" in short.proof
    full = engine.bet(given, usage.sum(1) * 0.4, most_boxes=1000)
    assert short.value <= full.value <= full.bound <= short.bound * (1 + 1e-12)  # each has its own rounding


@pytest.mark.parametrize(
    ("budget", "line"),
    [
        ({"people": 30}, "budget has no money, expected people, money, got people"),
        ({**BUDGET, "gpus": 1}, "budget names 'gpus', no resource of people, money"),
        ({**BUDGET, "people": -1}, "budget.people is -1, expected a number from 0 to 1e+15"),
        ({**BUDGET, "people": "many"}, "budget.people is 'many', expected a number from 0"),
        ({**BUDGET, "people": float("nan")}, "budget.people is nan, expected a number from 0"),
        ({**BUDGET, "people": True}, "budget.people is True, expected a number from 0"),
        (30, "budget is 30, expected a budget for each of people, money"),
        ([1, 2, 3], "budget is [1, 2, 3], expected a budget for each of people, money"),
        (None, "budget is None, expected a budget for each of people, money"),
        ({**BUDGET, "people": 1e15}, "search: can take 10"),
    ],
)
def test_budgets_that_cannot_be(budget: Any, line: str) -> None:
    if line.startswith("search"):
        budget, line = {"people": 1e15, "money": 1e15}, "platform: can take 2e+15 units, expected at most"
    with pytest.raises(ValueError, match=re.escape(line)):
        engine.bet(GIVEN, budget)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"usage": [[2, -1, 0.5], [10, 4, 0]]}, "ads: usage of people is -1, expected a finite number of at"),
        ({"usage": [[2, 1, 0.5], [10, np.inf, 0]]}, "ads: usage of money is inf, expected a finite number"),
        ({"usage": [[2, 1], [10, 4]]}, "shape (2, 2), expected numbers of shape (..., 2, 3)"),
        ({"usage": [[2, 1, 0], [10, 4, 0]]}, "platform: uses no resource and has no upper limit"),
        ({"resources": ("people",)}, "expected numbers of shape (..., 1, 3)"),
        ({"resources": ("people", "people")}, "resource people occurs twice"),
        ({"resources": ()}, "there are 0 resources, expected 1 to 4"),
        ({"resources": "people"}, "resources are 'people', expected a name for each"),
        ({"portfolio": dataclasses.replace(PORTFOLIO, cost=np.ones(3))}, "the portfolio has a cost"),
        ({"usage": np.ones((5, 2, 3)), "portfolio": None}, "expected leading axes that fit (4,)"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(change: dict[str, Any], line: str) -> None:
    if change.get("portfolio", PORTFOLIO) is None:
        change = {**change, "portfolio": reference.draw("log", 1, (4, 3))}
    given = dataclasses.replace(GIVEN, **change)
    with pytest.raises(ValueError, match=re.escape(line)):
        normalise_resourced(given)


def test_lower_bounds_beyond_a_budget() -> None:
    given = dataclasses.replace(GIVEN, portfolio=dataclasses.replace(PORTFOLIO, lower=[11.0, 0.0, 0.0]))
    with pytest.raises(ValueError, match="budget people 30, money 100 does not cover the projects' lower"):
        engine.bet(given, BUDGET)


def test_other_errors() -> None:
    with pytest.raises(ValueError, match="most_boxes is 0, expected a whole number"):
        engine.bet(GIVEN, BUDGET, most_boxes=0)
    huge = engine.Portfolio(engine.Log(np.full(3, 1e308), np.full(3, 1e300)), weight=np.full(3, 1e300))
    with pytest.raises(ValueError, match="the total return is not a finite number"):
        engine.bet(dataclasses.replace(GIVEN, portfolio=huge), BUDGET)
