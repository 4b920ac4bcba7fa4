"""Here-and-now allocation: the mean against brute force, and what knowledge is worth."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

import engine
from engine import Uncertain
from tests import reference
from tests.bets.draws import draw_bet, values
from tests.bets.test_risk import limits

BUDGET = 9
KINDS = (("hill", ()), ("mixture", ("cost", "bounds", "success")), ("lifecycle", ("startup", "threshold")))


def every_plan(bet: Uncertain) -> np.ndarray:
    """All plans of whole units."""
    cost, lower, upper = limits(bet)
    plans = np.array(list(itertools.product(range(BUDGET + 1), repeat=bet.shape[-1])), float)
    inside = np.all((plans >= lower) & (plans <= upper), axis=1) & (plans @ cost <= BUDGET + 1e-9)
    return plans[inside]


@pytest.mark.parametrize(("name", "parts"), KINDS, ids=str)
def test_the_mean_is_the_best_of_every_plan(name: str, parts: tuple[str, ...]) -> None:
    for seed in range(6):
        bet = draw_bet(name, parts, seed)
        found = engine.bet(bet, BUDGET)
        returns = values(bet, every_plan(bet))
        np.testing.assert_allclose(found.value, np.max(np.mean(returns, axis=1)), rtol=1e-11)
        assert found.proved
        best = np.max(returns, axis=0)
        here = values(bet, found.effort)
        see = found.beside["wait and see"]
        np.testing.assert_allclose(see.value, np.mean(best), rtol=1e-11)
        np.testing.assert_allclose(see.difference, np.mean(best - here), rtol=1e-9, atol=1e-12)
        error = np.std(best - here, ddof=1) / np.sqrt(16)
        np.testing.assert_allclose(see.error, error, rtol=1e-6, atol=1e-12)
        assert see.difference >= -1e-12
        assert found.beside["mean parameters"].difference <= 1e-9 * abs(found.value)


def test_a_batch_is_each_for_itself() -> None:
    batch = [draw_bet("hill", ("cost",), seed) for seed in range(5)]
    import jax

    stacked = jax.tree.map(lambda *a: np.stack(a), *batch)
    budgets = np.array([3.0, 4.0, 5.0, 6.0, 9.0])
    for objective in ("mean", "mean_cvar"):
        together = engine.bet(stacked, budgets, objective=objective)
        for i, one in enumerate(batch):
            alone = engine.bet(one, budgets[i], objective=objective)
            np.testing.assert_allclose(together.value[i], alone.value, rtol=1e-7)
            np.testing.assert_allclose(
                together.beside["wait and see"].value[i], alone.beside["wait and see"].value, rtol=1e-7
            )
    assert "5 bets on 3 places" in repr(together)


def test_outcomes_reach_the_mean_of_success() -> None:
    """The mean over many draws of who succeeds is near that of the probabilities."""
    portfolio = reference.pick(reference.draw("log", 3, (1, 4), ("success",)), 0)
    certain = engine.allocate(portfolio, 12)
    drawn = engine.bet(engine.outcomes(portfolio, 4000, seed=1), 12)
    np.testing.assert_allclose(drawn.value, certain.value, rtol=0.03)


def test_float32_is_proved_in_float64() -> None:
    bet = draw_bet("log", (), 2)
    single = Uncertain(reference.cast(bet.draws, np.float32))
    np.testing.assert_allclose(engine.bet(single, BUDGET).value, engine.bet(bet, BUDGET).value, rtol=1e-5)


def test_lower_bounds_beyond_the_budget() -> None:
    bet = dataclasses.replace(draw_bet("log", (), 2), lower=np.full(3, 4.0))
    for objective in ("mean", "mean_cvar", "mean_deviation"):
        with pytest.raises(ValueError, match="budget 9 does not cover the projects' lower limits"):
            engine.bet(bet, BUDGET, objective=objective)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"objective": "cvar"},
            r"unknown objective 'cvar': did you mean mean_cvar\? expected one of mean, mean_deviation",
        ),
        (
            {"objective": "mean_cvar", "tail": 2.0},
            "tail of objective mean_cvar is 2.0, expected a share above 0",
        ),
        (
            {"objective": "mean_cvar", "tolerance": 0.0},
            "tolerance is 0.0, expected a number above 0 and below 1",
        ),
        ({"objective": "mean_cvar", "starts": 0}, "starts is 0, expected a number of at least 1"),
        ({"objective": engine.OBJECTIVES["mean"](), "tail": 0.1}, "an objective and tail are given"),
    ],
)
def test_what_cannot_be_is_named(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        engine.bet(draw_bet("log", (), 2), BUDGET, **options)


def test_budgets_that_cannot_be() -> None:
    bet = draw_bet("log", (), 2)
    with pytest.raises(ValueError, match="budget is -1"):
        engine.bet(bet, -1.0)
    with pytest.raises(ValueError, match="measure effort in larger units"):
        engine.bet(bet, 1e9)
    with pytest.raises(ValueError, match="a project of draws costs 0"):
        engine.bet(dataclasses.replace(bet, cost=np.array([1.0, 0.0, 1.0])), 5.0)
    with pytest.raises(ValueError, match="a bet is Portfolio, expected engine"):
        engine.bet(bet.each(), 5.0)
