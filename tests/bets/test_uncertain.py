"""Uncertain: draws as one thing, held against NumPy."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np
import pytest

import engine
from engine import Hill, Log, Mixture, Portfolio, Tabulated, Uncertain, outcomes
from engine.bets.uncertain import normalise_uncertain
from tests.bets.draws import draw_bet, values

KINDS = (
    ("log", ()),
    ("hill", ("success",)),
    ("mixture", ("startup", "curvature")),
    ("lifecycle", ("threshold",)),
)


@pytest.mark.parametrize(("name", "parts"), KINDS, ids=lambda kind: str(kind))
def test_returns_are_those_of_every_draw(name: str, parts: tuple[str, ...]) -> None:
    bet, rng = draw_bet(name, parts, 1), np.random.default_rng(0)
    for effort in rng.uniform(0, 8, (20, 3)):
        np.testing.assert_allclose(bet.values(effort), values(bet, effort), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(("name", "parts"), KINDS, ids=lambda kind: str(kind))
def test_the_mean_of_curves_is_a_table(name: str, parts: tuple[str, ...]) -> None:
    bet = draw_bet(name, (*parts, "bounds", "cost"), 2)
    table = bet.mean_portfolio(9)
    for k in range(10):
        effort = np.full(3, float(k))
        expected = np.mean(values(bet, effort))
        np.testing.assert_allclose(table.value(effort), expected, rtol=1e-11, atol=1e-12)
    assert table.cost is bet.cost
    assert table.lower is bet.lower
    assert table.upper is bet.upper


def test_weighted_tables_weigh_draws() -> None:
    bet, rng = draw_bet("hill", (), 3), np.random.default_rng(1)
    levels, weights = rng.uniform(0, 9, (3, 7)), rng.normal(size=(2, 16))
    found = bet.weighted_tables(levels, weights)
    for k in range(7):
        each = np.stack([values(bet, np.where(np.arange(3) == i, levels[i, k], 0.0)) for i in range(3)], -1)
        nothing = values(bet, np.zeros(3))
        np.testing.assert_allclose(
            np.sum(found[:, :, k], axis=1), weights @ (each.sum(-1) - 2 * nothing), rtol=1e-9, atol=1e-12
        )


def test_slopes_are_derivatives() -> None:
    bet, effort = draw_bet("weibull", ("startup", "curvature"), 4), np.array([1.3, 5.2, 2.4])
    for i in range(3):
        step = 1e-6 * (np.arange(3) == i)
        expected = (values(bet, effort + step) - values(bet, effort - step)) / 2e-6
        np.testing.assert_allclose(bet.slopes(effort)[:, i], expected, rtol=1e-5, atol=1e-7)


def test_each_draw_is_a_portfolio() -> None:
    bet = draw_bet("log", ("cost", "bounds"), 5)
    batch = bet.each()
    assert batch.shape == (16, 3)
    effort = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(batch.value(np.broadcast_to(effort, (16, 3))), values(bet, effort), rtol=1e-11)
    assert np.all(np.asarray(batch.costs()) == bet.cost)
    assert np.all(np.asarray(batch.uppers()) == bet.upper)


def test_mean_parameters_of_families_that_differ() -> None:
    """The most frequent family, with the mean numbers of its own draws."""
    choice = np.array([[0, 1], [0, 1], [1, 1]])
    log = Log(scale=[[1.0, 9.0], [3.0, 9.0], [100.0, 9.0]], rate=np.ones((3, 2)))
    hill = Hill(np.array([[50.0, 1.0], [50.0, 2.0], [7.0, 6.0]]), np.ones((3, 2)), np.full((3, 2), 2.0))
    plain = Uncertain(Portfolio(Mixture((log, hill), choice), weight=[[1.0, 1.0], [2.0, 1.0], [6.0, 1.0]]))
    mean = normalise_uncertain(plain).mean_parameters()
    effort = np.array([3.0, 1.0])
    np.testing.assert_allclose(mean.returns(effort), [3.0 * 2.0 * np.log(4.0), 3.0 * 0.5], rtol=1e-12)


def test_outcomes_pay_in_full_or_nothing() -> None:
    sure = Portfolio(Log([1.0, 2.0], [0.5, 0.5]), success=[0.25, 1.0], cost=[2.0, 1.0], names=("a", "b"))
    bet = outcomes(sure, 4000, seed=3)
    returns = np.asarray(bet.returns(np.array([4.0, 4.0])))
    full = np.array([1.0, 2.0]) * np.log(3.0)
    assert set(np.unique(returns[:, 0])) == {0.0, full[0]}
    assert np.all(returns[:, 1] == full[1])
    assert abs(np.mean(returns[:, 0] > 0) - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 4000)
    assert bet.names == ("a", "b")
    assert np.all(bet.cost == [2.0, 1.0])
    again = outcomes(sure, 4000, seed=3)
    assert np.array_equal(again.draws.success, bet.draws.success)
    assert bet.draws.curves.scale.shape == (1, 2), "curves are held once"


def test_a_batch_of_outcomes() -> None:
    sure = Portfolio(Log(np.ones((5, 2)), np.ones((5, 2))), success=np.full((5, 2), 0.5))
    assert outcomes(sure, 7).shape == (5, 2)
    assert outcomes(sure, 7).count == 7


@pytest.mark.parametrize(
    ("bet", "concave", "rising"),
    [
        (Uncertain(Portfolio(Hill(np.ones((4, 2)), np.ones((4, 2)), np.full((4, 2), 0.8)))), True, True),
        (Uncertain(Portfolio(Hill(np.ones((4, 2)), np.ones((4, 2)), np.full((4, 2), 1.1)))), False, True),
        (Uncertain(Portfolio(Tabulated(np.tile([0.0, 1.0, 1.5], (4, 2, 1))))), False, True),
        (Uncertain(Portfolio(Tabulated(np.tile([0.0, 1.0, 0.5], (4, 2, 1))))), False, False),
        (Uncertain(Portfolio(Log(np.ones((4, 2)), np.ones((4, 2))), startup=np.ones((4, 2)))), False, True),
    ],
)
def test_what_the_numbers_tell_of_shapes(bet: Uncertain, concave: bool, rising: bool) -> None:
    found = normalise_uncertain(bet)
    assert found.concave is concave
    assert found.rising is rising


LOG = Log(np.ones((4, 2)), np.ones((4, 2)))


@pytest.mark.parametrize(
    ("bet", "message"),
    [
        (
            Uncertain(Portfolio(Log([1.0, 1.0], [1.0, 1.0]))),
            r"have shape \(2,\), expected \(draws, projects\)",
        ),
        (Uncertain(Portfolio(LOG, success=np.full((4, 2), 1.2))), "draw 0 of project 0: success is 1.2"),
        (
            Uncertain(
                Portfolio(Log(np.where(np.eye(4, 2) > 0, -1.0, 1.0), np.ones((4, 2)))), names=("a", "b")
            ),
            "draw 0 of a: scale is -1",
        ),
        (Uncertain(Portfolio(LOG, cost=np.ones((4, 2)))), "the draws have a cost of their own"),
        (
            Uncertain(Portfolio(LOG), cost=np.ones(3)),
            r"cost has shape \(3,\), expected one number a project, 2",
        ),
        (
            Uncertain(Portfolio(LOG), lower=[2.0, 0.0], upper=[1.0, 1.0]),
            "lower is 2, expected at most the upper",
        ),
        (Uncertain(Portfolio(LOG), names=("a",)), "2 projects and 1 names"),
        (Uncertain(Portfolio(Log(np.ones((4, 2)), np.ones((3, 2))))), "do not share one number"),
    ],
)
def test_what_cannot_be_is_named(bet: Uncertain, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        normalise_uncertain(bet)
    with pytest.raises(ValueError, match=message):
        engine.bet(bet, 5.0)


def test_too_few_draws() -> None:
    with pytest.raises(ValueError, match="draws is 0, expected a number of at least 1"):
        outcomes(Portfolio(LOG), 0)


def test_it_is_a_pytree() -> None:
    bet: Any = normalise_uncertain(draw_bet("log", ("cost",), 6))
    assert jax.tree.map(lambda a: a, bet).shape == (3,)
    assert dataclasses.replace(bet, names=("a", "b", "c")).names == ("a", "b", "c")
