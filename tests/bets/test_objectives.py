"""Objectives over draws, against NumPy, and the weights that bound them."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from engine.bets.objectives import (
    OBJECTIVES,
    Chance,
    Mean,
    MeanCVaR,
    MeanDeviation,
    Objective,
    check_objective,
    find_objective,
)

COHERENT = (
    Mean(),
    MeanDeviation(0.3),
    MeanDeviation(2.0),
    MeanCVaR(0.5, 0.1),
    MeanCVaR(1.0, 0.33),
    MeanCVaR(0.0, 0.5),
)


def expected(objective: Objective, values: np.ndarray) -> float:
    """By definition; CVaR as the largest of its own programme over t, which is one of the returns."""
    if isinstance(objective, Mean):
        return float(np.mean(values))
    if isinstance(objective, MeanDeviation):
        return float(np.mean(values) - objective.aversion * np.sqrt(np.mean((values - np.mean(values)) ** 2)))
    if isinstance(objective, MeanCVaR):
        tail = max(t - np.mean(np.maximum(t - values, 0.0)) / objective.tail for t in values)
        return float((1 - objective.aversion) * np.mean(values) + objective.aversion * tail)
    assert isinstance(objective, Chance)
    return float(np.mean(values >= objective.target))


@pytest.mark.parametrize("objective", [*COHERENT, Chance(3.0)], ids=repr)
@pytest.mark.parametrize("draws", [1, 2, 7, 64])
def test_values(objective: Objective, draws: int) -> None:
    rng = np.random.default_rng(draws)
    for _ in range(5):
        values = rng.gamma(2.0, 2.0, draws)
        np.testing.assert_allclose(
            objective.value(values), expected(objective, values), rtol=1e-12, atol=1e-12
        )


@pytest.mark.parametrize("objective", COHERENT, ids=repr)
def test_weights_are_the_gradient_and_the_least_of_the_envelope(objective: Objective) -> None:
    rng = np.random.default_rng(0)
    values = rng.gamma(2.0, 2.0, 20)
    weights = np.asarray(objective.weights(values))
    np.testing.assert_allclose(weights, jax.grad(objective.value)(values), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(np.sum(weights), 1.0, rtol=1e-12)
    np.testing.assert_allclose(weights @ values, objective.value(values), rtol=1e-12)
    for _ in range(50):  # no other returns' weights are less, here
        others = np.asarray(objective.weights(rng.normal(size=20)))
        assert others @ values >= weights @ values - 1e-12


@pytest.mark.parametrize("objective", COHERENT, ids=repr)
def test_weights_without_negative_ones_bound_the_value(objective: Objective) -> None:
    rng = np.random.default_rng(1)
    for _ in range(30):
        weights = objective.weights(rng.normal(size=20))
        if isinstance(objective, MeanCVaR):  # a solver's, which only nearly add up
            weights = weights + 1e-3 * rng.random(20)
        weights = objective.toward(weights)
        assert np.min(weights) >= 0.0
        np.testing.assert_allclose(np.sum(weights), 1.0, rtol=1e-12)
        for values in rng.gamma(2.0, 2.0, (20, 20)):
            assert weights @ values >= objective.value(values) - 1e-12


@pytest.mark.parametrize("level", [-1.0, 2.0, 4.0, 50.0])
def test_a_level_says_no_more_than_the_value(level: float) -> None:
    values = np.random.default_rng(2).gamma(2.0, 2.0, 40)
    for objective in COHERENT:
        assert objective.at_least(values, level) <= objective.value(values) + 1e-12
    cvar = MeanCVaR(1.0, 0.25)
    np.testing.assert_allclose(cvar.at_least(values, np.sort(values)[10]), cvar.value(values), rtol=1e-12)


def test_a_smoothed_chance_climbs_towards_the_target() -> None:
    values = np.array([1.0, 2.9, 3.1, 9.0])
    weights = np.asarray(Chance(3.0).smoothed(values, 0.5))
    assert np.all(weights > 0)
    assert np.argmax(weights) in (1, 2)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("best", {}, "unknown objective 'best', expected one of mean, mean_deviation, mean_cvar, chance"),
        ("mean", {"tail": 0.1}, "unknown option 'tail' of objective mean, expected none"),
        (
            "mean_cvar",
            {"tial": 0.1},
            r"unknown option 'tial' of objective mean_cvar: did you mean tail\? expected one",
        ),
        (
            "mean_cvar",
            {"tail": 0.0},
            "tail of objective mean_cvar is 0.0, expected a share above 0 and below 1",
        ),
        ("mean_cvar", {"tail": 1.0}, "expected a share above 0 and below 1"),
        ("mean_cvar", {"aversion": 1.5}, "expected a share from 0 to 1"),
        ("mean_deviation", {"aversion": -1.0}, "expected a number of at least 0"),
        ("mean_deviation", {"aversion": float("nan")}, "expected a number of at least 0"),
        ("chance", {}, "option target of objective chance is missing, expected a number"),
        ("chance", {"target": "high"}, "target of objective chance is 'high', expected a number"),
    ],
)
def test_what_cannot_be_is_named(name: str, options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_objective(find_objective(name, **options))


def test_names_are_the_keys() -> None:
    assert {kind.name: kind for kind in OBJECTIVES.values()} == OBJECTIVES
