"""Spreads against NumPy loops: what counts, values, slopes; and what cannot be."""

from __future__ import annotations

import re
from typing import Any

import jax
import numpy as np
import pytest

import engine
from engine.periods.field import field_of
from engine.periods.prices import reachable
from engine.periods.spread import Spread, normalise_spread
from tests.periods import draws

BATCH, PERIODS, PROJECTS = 6, 5, 3


def efforts(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.1, 4.0, (BATCH, PERIODS, PROJECTS))


def test_effort_carries_over_as_in_a_loop() -> None:
    spread, effort = draws.draw("mixture", 3, BATCH, PROJECTS), efforts()
    given = normalise_spread(spread)
    counted = jax.vmap(Spread.effective)(given, effort)
    for k in range(BATCH):
        one = draws.pick(spread, k)
        np.testing.assert_allclose(counted[k], draws.effective(one, effort[k]), rtol=1e-12)


def test_values_and_slopes_are_those_of_the_formulas() -> None:
    spread, effort = draws.draw("mixture_concave", 4, BATCH, PROJECTS, ("success", "curvature")), efforts()
    given = normalise_spread(spread)
    values, slopes = jax.vmap(Spread.value)(given, effort), jax.vmap(Spread.slope)(given, effort)
    for k in range(BATCH):
        one = draws.pick(spread, k)
        np.testing.assert_allclose(values[k], draws.value(one, effort[k]), rtol=1e-11)
        np.testing.assert_allclose(slopes[k], draws.slope(one, effort[k]), rtol=1e-9)


def test_without_carry_only_the_own_period_counts() -> None:
    spread = draws.draw("mixture", 5, 1, PROJECTS)
    given = normalise_spread(Spread(draws.pick(spread, 0).portfolio, 0.0, 3.0))  # type: ignore[arg-type]
    effort = efforts()[0]
    np.testing.assert_array_equal(jax.jit(Spread.effective)(given, effort), effort)


@pytest.mark.parametrize("together", [False, True])
def test_what_can_count_is_within_reach(together: bool) -> None:
    given = normalise_spread(draws.pick(draws.draw("log", 6, 1, PROJECTS, ("real_cost",)), 0))
    effort = efforts(7)
    spent = np.sum(np.asarray(given.portfolio.cost) * effort, -1)
    budgets = spent.sum(-1, keepdims=True) if together else spent
    lower, upper = np.zeros((PERIODS, PROJECTS)), np.full((PERIODS, PROJECTS), np.inf)

    def ends(budgets: Any) -> Any:
        return reachable(given, field_of(given, budgets, lower, upper))

    least, most = jax.jit(jax.vmap(ends))(budgets)
    for k in range(BATCH):
        counted = draws.effective(given, effort[k])
        assert np.all((counted >= least[k] - 1e-12) & (counted <= most[k] + 1e-12))


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        ({"carry": [0.5, 1.0]}, "project 1: carry is 1, expected a number from 0 to below 1"),
        ({"carry": [-0.1, 0.5]}, "project 0: carry is -0.1, expected"),
        ({"carry": [0.1, np.nan]}, "project 1: carry is nan, expected"),
        ({"carry": [0.1, 0.2, 0.3]}, "carry has shape (3,), expected (..., 2)"),
        ({"carry": "much"}, "carry is 'much', expected numbers"),
        ({"carry": 0.5, "carried": [0.0, -1.0]}, "project 1: carried is -1, expected a number of at least 0"),
        ({"carry": 0.5, "discount": 0.0}, "discount is 0, expected a number above 0 and at most 1"),
        ({"carry": 0.5, "discount": 1.1}, "discount is 1.1, expected"),
        ({"carry": 0.5, "discount": [0.9, 1.0]}, ""),
        ({"carry": np.full((3, 2), 0.5), "discount": [0.9, 1.0]}, "carry, carried and discount have leading"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(parts: dict[str, Any], line: str) -> None:
    spread = Spread(engine.Portfolio(engine.Log(scale=[1.0, 2.0], rate=[1.0, 1.0])), **parts)
    if not line:
        assert normalise_spread(spread).shape == (2, 2)
        return
    with pytest.raises(ValueError, match=re.escape(line)) as error:
        normalise_spread(spread)
    assert "\n" not in str(error.value)


def test_costs_of_0_are_refused() -> None:
    portfolio = engine.Portfolio(engine.Log(scale=[1.0], rate=[1.0]), cost=[0.0])
    with pytest.raises(ValueError, match="project 0: cost is 0, expected a number above 0"):
        normalise_spread(Spread(portfolio, 0.5))  # type: ignore[arg-type]
