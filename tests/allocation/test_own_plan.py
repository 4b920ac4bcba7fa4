"""A plan beside the optimum: its loss against all allocations, its rules in words, and what is near it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import engine
from engine import Hill, Log, Portfolio
from tests import reference

BUDGET = 7.0


def drawn(family: str, seed: int, parts: tuple[str, ...]) -> Portfolio:
    return reference.draw(family, seed, (1, 3), parts)


@pytest.mark.parametrize(
    ("family", "parts"), [("hill", ("cost",)), ("tabulated_points", ("startup",)), ("log", ("bounds",))]
)
@pytest.mark.parametrize("within", [0, 1, "50%"])
def test_what_is_near_a_plan_is_best_of_all_so_near(
    family: str, parts: tuple[str, ...], within: float | str
) -> None:
    batch = drawn(family, 3, parts)
    portfolio = reference.pick(batch, 0)
    low, high = reference.limits(portfolio)
    plan = np.clip([1.0, 0.0, 2.0], low, high)
    found = engine.own_plan(portfolio, plan, BUDGET, within=within)
    best = reference.brute_force(batch, BUDGET)[0]
    value = reference.value(batch, plan[None])[0]
    assert found.feasible
    np.testing.assert_allclose([found.value, found.lost], [value, best - value], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.gap, (best - value) / abs(best), rtol=1e-9, atol=1e-12)
    reach = 0.5 * plan if within == "50%" else np.full(3, float(within))
    near = dataclasses.replace(
        batch,
        lower=np.maximum(low, plan - reach)[None],
        upper=np.minimum(high, plan + reach)[None],
    )
    assert found.near is not None
    assert found.near.proved
    np.testing.assert_allclose(found.near.value, reference.brute_force(near, BUDGET)[0], rtol=1e-12)
    assert found.price_of_nearness is not None
    np.testing.assert_allclose(found.price_of_nearness, found.allocation.value - found.near.value, atol=1e-15)
    assert np.all(np.abs(found.near.effort - plan) <= reach)
    if within == 0:
        np.testing.assert_array_equal(found.near.effort, plan)


PORTFOLIO = Portfolio(
    Log(np.array([3.0, 2.0]), np.array([0.5, 1.0])),
    lower=np.array([1.0, 0.0]),
    upper=np.array([8.0, 4.0]),
    cost=np.array([1.0, 2.0]),
    names=("search", "ads"),
)


@pytest.mark.parametrize(
    ("plan", "rules"),
    [
        ({"search": 2, "ads": 3}, ()),
        ({"ads": 3, "search": 7}, ("it spends 13, 3 more than the budget of 10",)),
        ({"search": 0, "ads": 1}, ("search: effort 0 is below the lower limit 1",)),
        ({"search": 1, "ads": 4.5}, ("ads: effort 4.5 is above the upper limit 4",)),
        ({"search": 1.5, "ads": 1}, ("search: effort 1.5 is no whole number of units",)),
    ],
)
def test_broken_rules_are_in_words(plan: dict[str, float], rules: tuple[str, ...]) -> None:
    found = engine.own_plan(PORTFOLIO, plan, 10)
    assert found.broken[: len(rules)] == rules
    assert found.feasible == (not rules)
    assert found.effort.tolist() == [plan["search"], plan["ads"]]
    assert found.spent == plan["search"] + 2 * plan["ads"]
    for rule in rules:
        assert f"plan: breaks a rule: {rule}" in repr(found)


def test_real_effort_and_lots_have_rules_of_their_own() -> None:
    plan = {"search": 2.5, "ads": 1.25}
    assert engine.own_plan(PORTFOLIO, plan, 10, "continuous").feasible
    assert engine.own_plan(PORTFOLIO, plan, 10, unit=0.25).feasible
    found = engine.own_plan(PORTFOLIO, plan, 10, unit=0.5)
    assert found.broken == ("ads: effort 1.25 is no multiple of 0.5",)
    near = engine.own_plan(PORTFOLIO, plan, 10, unit=0.25, within="20%").near
    assert near is not None
    assert near.unit == 0.25
    assert np.all(np.abs(near.effort - [2.5, 1.25]) <= [0.5, 0.25])


def test_the_optimum_itself_loses_nothing() -> None:
    best = engine.allocate(PORTFOLIO, 10)
    found = engine.own_plan(PORTFOLIO, best.effort, 10, within=3)
    assert found.feasible
    assert (found.lost, found.gap, found.price_of_nearness) == (0, 0, 0)
    assert "as much as the optimum" in repr(found)


def test_the_loss_is_certified_whatever_the_solver() -> None:
    hills = Portfolio(Hill(np.full(4, 5.0), np.array([2.0, 3.0, 4.0, 5.0]), np.full(4, 3.0)))
    plan = np.array([2.0, 2.0, 2.0, 2.0])
    best = engine.own_plan(hills, plan, 8).lost
    found = engine.own_plan(hills, plan, 8, "greedy")
    assert not found.allocation.proved
    assert found.lost >= best > 0


def test_what_is_known_of_it_as_numbers() -> None:
    found = engine.own_plan(PORTFOLIO, [2, 3], 10, within="50%")
    facts = found.to_dict()
    assert list(facts["plan"]) == ["effort", "value", "lost", "gap", "spent", "feasible", "broken"]
    assert facts["plan"]["effort"] == {"search": 2.0, "ads": 3.0}
    assert list(facts["near"]) == ["within", "price", "allocation"]
    assert facts["near"]["within"] == "50%"
    assert found.near is not None
    assert facts["near"]["allocation"] == found.near.to_dict()
    frame = found.to_pandas()
    assert list(frame) == ["project", "effort", "plan", "return", "plan_return", "near"]
    assert frame["plan_return"].sum() == found.value


WRONG: dict[str, tuple[Any, dict[str, Any], str]] = {
    "unknown": ({"search": 1, "adz": 2}, {}, "plan has project adz, .* did you mean ads"),
    "missing": ({"search": 1}, {}, "plan has no effort of ads"),
    "negative": ({"search": -1, "ads": 2}, {}, "plan has effort -1 of search"),
    "endless": ([1, np.inf], {}, "plan has effort inf of ads"),
    "text": (["many", 1], {}, "plan has an effort that is no number"),
    "shape": ([1, 2, 3], {}, r"plan has efforts of shape \(3,\), expected \(2,\)"),
    "within": ([2, 3], {"within": "far"}, "within is 'far', expected units"),
    "a negative distance": ([2, 3], {"within": -1}, "within is -1, expected units"),
    "no limits so near": (
        [20, 3],
        {"within": 2},
        "search: within is 2, and its limits and whole",
    ),
    "too dear": ([8, 4], {"within": 1}, "within is 1, and what is so near to the plan costs 13 at least"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be(name: str) -> None:
    plan, options, words = WRONG[name]
    with pytest.raises(ValueError, match=words):
        engine.own_plan(PORTFOLIO, plan, 10, **options)


def test_a_batch_has_no_plan() -> None:
    with pytest.raises(ValueError, match=r"a plan is of one portfolio, got a batch of shape \(2,\)"):
        engine.own_plan(Log(np.ones((2, 3)), np.ones((2, 3))), [1, 1, 1], 3)
