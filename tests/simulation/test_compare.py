"""Policies side by side: reproducible, in pairs, and refused in one line where they cannot be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine
from engine.planning.world import Terms
from engine.simulation.compare import compare

TERMS = Terms(periods=3, lots=2)


def compared(**given: Any) -> Any:
    scenario = engine.scenario("many_bets")
    options = {"policies": ("static", "rolling"), "portfolios": 10, "particles": 16, "block": 4} | given
    return compare(scenario.prior, scenario.budget, options.pop("terms", TERMS), **options)


def test_what_comes_out_does_not_depend_on_the_block() -> None:
    small, whole = compared(), compared(block=16, portfolios=7)
    np.testing.assert_allclose(small.value[:, :7], whole.value, rtol=1e-6)
    np.testing.assert_array_equal(small.lots[:, :7], whole.lots)


def test_differences_are_in_pairs() -> None:
    found = compared()
    mean, error = found.more("rolling", "static")
    difference = found.value[1, :, -1] - found.value[0, :, -1]
    assert mean == pytest.approx(difference.mean())
    assert error == pytest.approx(difference.std(ddof=1) / 10**0.5)
    assert np.all(np.diff(found.value, axis=-1) >= -1e-6)  # what is reached stays


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"policies": ("rollin",)}, "unknown policy 'rollin', expected one of equal_split"),
        ({"terms": Terms(stall=1.5)}, "stall is 1.5, expected a chance from 0 to 1"),
        ({"terms": Terms(periods=0)}, "periods is 0, expected a whole number from 1"),
        ({"terms": Terms(lots=2.0)}, "lots is 2.0, expected a whole number from 1"),
        ({"terms": Terms(noise=float("nan"))}, "noise is nan, expected a number"),
    ],
)
def test_what_cannot_be_is_one_line(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")) as error:
        compared(**given)
    assert "\n" not in str(error.value)


def test_a_scenario_that_is_certain_is_refused() -> None:
    scenario = engine.scenario("textbook")
    with pytest.raises(ValueError, match="no uncertainty"):
        compare(scenario.prior, scenario.budget, TERMS)
