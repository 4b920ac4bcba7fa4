"""Approaches: against all efforts and all outcomes, one by one."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from benchmarks.approaches import Drawn, brute_force, draw, is_wrong
from engine.allocation.allocate import allocate
from engine.allocation.place import bet
from engine.bets.approaches import MOST_APPROACHES, Approaches
from engine.model.curves.concave import Log
from engine.model.curves.s_shaped import Hill
from engine.model.curves.staged import Tabulated
from engine.model.portfolio import Portfolio
from tests.conftest import quickly

BETS = 25


def wrong(drawn: Drawn) -> int:
    """How many answers are not the optimum over all efforts, or the best of one approach a project."""
    found = bet(drawn.approaches(), drawn.budget)
    return sum(is_wrong(drawn, one, found, brute_force(drawn, one)) for one in range(len(drawn.returns)))


@pytest.mark.parametrize("costs", [False, True])
@pytest.mark.parametrize("curves", [False, True])
@pytest.mark.parametrize("size", [(1, 4, 6), (2, 3, 6)])
def test_it_is_the_optimum_over_all_efforts_and_outcomes(
    size: tuple[int, int, int], curves: bool, costs: bool
) -> None:
    assert wrong(draw(7, BETS, size, curves, costs)) == 0


@pytest.mark.parametrize("success", [0.0, 0.5, 1.0])
def test_equal_approaches_and_certain_ones(success: float) -> None:
    drawn = draw(8, BETS, (2, 3, 6), True, False)
    same = np.broadcast_to(drawn.returns[:, :1, :1], drawn.returns.shape)
    assert wrong(drawn._replace(returns=same, success=np.full(drawn.success.shape, success))) == 0


def hill(rng: np.random.Generator, shape: tuple[int, ...], **parts: Any) -> Portfolio:
    """Portfolios of S-shaped curves."""
    scale, half, exponent = (rng.uniform(0.5, 4, shape) for _ in range(3))
    return Portfolio(Hill(scale=scale, half=half, exponent=exponent), **parts)


@pytest.mark.parametrize("costs", [None, np.array([1.0, 2.0, 3.0, 1.5])])
def test_one_approach_is_an_ordinary_portfolio(costs: np.ndarray | None) -> None:
    rng = np.random.default_rng(3)
    parts = {"success": rng.random(4), "weight": rng.uniform(0.5, 2, 4), "startup": rng.uniform(0, 2, 4)}
    portfolio = hill(rng, (4,), **parts)
    with quickly():
        ordinary = allocate(dataclasses.replace(portfolio, cost=costs), 20)
    names = ("a", "b", "c", "d")
    found = bet(Approaches.of(dataclasses.replace(portfolio, cost=costs), names, [""] * 4), 20)
    np.testing.assert_allclose(found.value, ordinary.value, rtol=1e-13)
    np.testing.assert_array_equal(found.effort, ordinary.effort)
    assert found.proved
    assert found.places == (("a",), ("b",), ("c",), ("d",))
    assert found.beside["single best"].difference == 0


def test_another_approach_never_lowers_the_value() -> None:
    rng = np.random.default_rng(4)
    shape = (40, 3, 4)
    ways = hill(rng, shape, success=rng.random(shape), upper=rng.integers(0, 9, shape).astype(float))
    values = []
    for count in range(1, 5):
        some = Approaches(ways, labels=(("a", "b", "c", "d")[:count],) * 3)
        found = bet(some, 12)
        assert found.effort.shape == (40, 3 * count)
        assert np.all(found.proved)
        values.append(found.value)
    assert np.all(np.diff(values, axis=0) >= -1e-12 * values[-1])
    assert np.mean(np.diff(values, axis=0)) > 0.1


def test_a_batch_is_its_bets_one_by_one() -> None:
    rng = np.random.default_rng(5)
    shape = (2, 3, 2, 3)
    ways = hill(rng, shape, success=rng.random(shape))
    cost = rng.integers(1, 4, shape[:3]).astype(float)
    budgets = rng.integers(0, 20, shape[:2]).astype(float)
    found = bet(Approaches(ways, cost), budgets)
    assert found.value.shape == (2, 3)
    part = dataclasses.replace(
        ways,
        curves=Hill(*(getattr(ways.curves, n)[1, 2] for n in ("scale", "half", "exponent"))),
        success=ways.success[1, 2],
    )
    one = bet(Approaches(part, cost[1, 2]), budgets[1, 2])
    np.testing.assert_array_equal(found[1, 2].effort, one.effort)
    np.testing.assert_allclose(found.value[1, 2], one.value, rtol=1e-14)


def test_plans_have_their_own_effort_and_the_optimum_as_bound() -> None:
    rng = np.random.default_rng(6)
    ways = hill(rng, (3, 3), success=np.full((3, 3), 0.4))
    best, greedy, single = (bet(Approaches(ways), 15, solver=s) for s in ("exact", "greedy", "single"))
    assert not greedy.beside
    assert not single.beside
    assert greedy.value <= best.value <= greedy.bound
    assert best.beside["greedy"].value == greedy.value
    assert best.beside["single best"].value == single.value < best.value
    assert best.beside["single best"].difference == single.value - best.value
    assert best.beside["greedy"].error == 0
    assert np.all(np.count_nonzero(single.effort.reshape(3, 3), axis=1) <= 1)
    assert single.gap == pytest.approx((best.value - single.value) / best.value, rel=1e-9)


def test_two_chances_are_better_than_one() -> None:
    """By hand: 1 − 0.5² of 8 for two units, against 0.5 · 8 for one approach alone."""
    curves = Tabulated(np.array([[[0.0, 8.0], [0.0, 8.0]]]))
    found = bet(Approaches(Portfolio(curves, success=np.full((1, 2), 0.5))), 2)
    assert found.value == 6
    assert found.beside["single best"].value == 4
    assert list(found.effort) == [1, 1]


def test_returns_below_zero_count_as_they_are() -> None:
    curves = Tabulated(np.array([[[-2.0, -1.0], [-3.0, 5.0]]]))
    found = bet(Approaches(Portfolio(curves, success=np.array([[1.0, 0.5]]))), 1)
    assert found.value == 0.5 * 5 + 0.5 * -2
    assert found.proved


def test_an_answer_says_what_goes_where() -> None:
    portfolio = Portfolio(Log(scale=np.array([1.0, 2.0, 3.0]), rate=np.ones(3)), success=np.full(3, 0.5))
    found = bet(Approaches.of(portfolio, ["search", "fraud", "search"], ["rules", "rules", "deep"]), 4)
    assert found.places == (("search", "rules"), ("search", "deep"), ("fraud", "rules"))
    assert [row["approach"] for row in found.rows()] == ["rules", "deep", "rules"]
    assert list(found.to_dict()["effort"]) == ["search/rules", "search/deep", "fraud/rules"]
    assert "expected best" in repr(found)
    assert "proved optimal" in repr(found)


def test_an_overflow_is_said() -> None:
    curves = Log(scale=np.full((1, 2), 1e308), rate=np.full((1, 2), 1e300))
    with pytest.raises(ValueError, match="not a finite number"):
        bet(Approaches(Portfolio(curves, weight=np.full((1, 2), 1e300))), 3)


def given(count: int = 2, **parts: Any) -> Approaches:
    """Two projects of some approaches."""
    curves = Log(scale=np.ones((2, count)), rate=np.ones((2, count)))
    beside = {name: parts.pop(name) for name in ("cost", "labels", "names") if name in parts}
    return Approaches(Portfolio(curves, **parts), **{"names": ("search", "fraud"), **beside})


def spread(value: float) -> np.ndarray:
    """One number of the second approach of the first project."""
    numbers = np.full((2, 2), 0.5)
    numbers[0, 1] = value
    return numbers


LABELS = (("rules", "deep"), ("rules", "deep"))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (given(labels=LABELS, success=spread(1.2)), "search/deep: success is 1.2, expected a probability"),
        (given(labels=LABELS, success=spread(np.nan)), "search/deep: success is nan, expected a probability"),
        (given(weight=spread(-1)), "search/approach 1: weight is -1, expected a number of at least 0"),
        (given(lower=spread(0) * 0 + 1), "search/approach 0: lower is 1, expected none: approaches have no"),
        (given(cost=np.array([1.0, 0.0])), "fraud: cost is 0, expected a number above 0"),
        (given(cost=np.ones(3)), r"cost has shape \(3,\), expected one number a project, 2"),
        (given(cost="dear"), "expected one number a project, 2"),
        (given(names=("search",)), "of 2 projects with 1 names"),
        (given(labels=LABELS[:1]), "labels are of 1 projects, expected 2"),
        (given(labels=(("rules", "rules"), ("rules",))), "search: approach rules occurs twice"),
        (given(labels=(("a", "b", "c"), ("a",))), "search: has 3 labels, expected from 1 to 2"),
        (given(MOST_APPROACHES + 1), "search: has 7 approaches, expected at most 6"),
        (
            Approaches(Portfolio(Log(scale=np.ones(2), rate=np.ones(2)))),
            r"shape \(2,\), expected \(projects, app",
        ),
        (Approaches(Portfolio(Log(np.ones((1, 2)), np.ones((1, 2))), cost=np.ones(2))), "cost of their own"),
        (Approaches(Log(np.ones((1, 2)), np.ones((1, 2)))), "ways are Log, expected a Portfolio"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_is_said_in_one_line(asked: Approaches, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        bet(asked, 5)
    assert "\n" not in str(error.value)


def test_budgets_and_solvers_that_cannot_be() -> None:
    for budget in (-1, np.nan, "much"):
        with pytest.raises(ValueError, match="budget is"):
            bet(given(), budget)
    with pytest.raises(ValueError, match="unknown solver 'dual', expected one of exact, greedy, single"):
        bet(given(), 5, solver="dual")
    with pytest.raises(ValueError, match="measure effort in larger units, or set upper limits"):
        bet(given(), 1e9)
    assert bet(given(upper=np.full((2, 2), 3.0)), 1e9).proved
    with pytest.raises(ValueError, match="a bet is Log, expected"):
        bet(given().ways.curves, 5)
    costs = Portfolio(Log(scale=np.ones(2), rate=np.ones(2)), cost=np.array([1.0, 2.0]))
    with pytest.raises(ValueError, match="search/deep: cost is 2, expected 1, the same for all approaches"):
        Approaches.of(costs, ["search", "search"], ["rules", "deep"])
