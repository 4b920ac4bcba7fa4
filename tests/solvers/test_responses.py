"""Best responses to a price: what the search for one has to find on its own."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
import pytest

from engine import Exponential, Log, Portfolio
from engine.model.validation import check, normalise
from engine.solvers.responses import threshold_effort


def test_threshold_effort_is_the_least_that_meets_the_threshold() -> None:
    curves = Exponential([2.0, 2.0, 2.0, 2.0], [0.5, 0.5, 0.5, 0.5])
    portfolio = normalise(
        Portfolio(curves, threshold=[1.0, 1.0, 3.0, 0.5], startup=[0, 4, 0, 0], lower=[0, 0, 0, 3])
    )
    found = threshold_effort(portfolio, jnp.full(4, 50.0))
    # 2 (1 − e^(−x/2)) = 1 at 2 log 2; later by the start-up; never; met at the lower limit already.
    expected = [2 * math.log(2), 4 + 2 * math.log(2), math.inf, 3.0]
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    assert np.all(portfolio.performance(found)[:2] >= 1.0)  # met, not missed by a rounding


def test_threshold_effort_beyond_the_limit_is_infinite() -> None:
    portfolio = normalise(Portfolio(Log([1.0, 1.0], [1.0, 1.0]), threshold=[math.log(11), math.log(11)]))
    found = threshold_effort(portfolio, jnp.array([9.9, 10.1]))
    assert found[0] == math.inf
    assert float(found[1]) == pytest.approx(10.0, rel=1e-12)


def test_threshold_of_minus_infinity_is_met_at_once() -> None:
    portfolio = normalise(Portfolio(Log([1.0], [1.0]), threshold=[-math.inf]))
    check(portfolio)
    assert threshold_effort(portfolio, jnp.array([10.0]))[0] == 0.0
    assert float(portfolio.value(jnp.array([2.0]))) == pytest.approx(math.log(3))
