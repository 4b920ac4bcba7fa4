"""Summaries merge to what NumPy says of the whole sample, in any split."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Portfolio, Tabulated
from engine.allocation.allocate import solve
from engine.simulation.metrics import METRICS, measure
from engine.simulation.summaries import ONE, Summary, merge, quantile, standard_error, summarise


def summary_of(values: np.ndarray, size: int) -> Summary:
    """Block by block, the last one padded with numbers that are not counted."""
    total = None
    for start in range(0, len(values), size):
        part = values[start : start + size]
        padded = np.concatenate([part, np.full(size - len(part), 1e9)])
        total = merge(total, summarise(padded, np.arange(size) < len(part)))
    assert total is not None
    return total


@given(st.integers(0, 10_000), st.sampled_from([7, 64, 1000]))
def test_merged_blocks_are_the_whole_sample(seed: int, size: int) -> None:
    values = np.random.default_rng(seed).lognormal(-3, 2, 1000)
    total = summary_of(values, size)
    assert total.count == 1000
    # Float64 sums of 1,000 terms in another order.
    np.testing.assert_allclose(total.mean, values.mean(), rtol=1e-12)
    np.testing.assert_allclose(standard_error(total), values.std(ddof=1) / 1000**0.5, rtol=1e-10)
    assert total.least == values.min()
    assert total.largest == values.max()


@pytest.mark.parametrize("probability", [0.05, 0.5, 0.95, 0.99])
def test_quantiles_are_within_a_bin(probability: float) -> None:
    values = np.random.default_rng(0).lognormal(-3, 2, 5000)
    found = quantile(summary_of(values, 500), probability)
    true = np.quantile(values, probability, method="inverted_cdf")
    # The bin's upper edge: never below, at most one bin (2.1 %) above.
    assert true * (1 - 1e-9) <= found <= true * 1.021


def test_zeros_are_their_own_bin() -> None:
    values = np.concatenate([np.zeros(96), np.full(4, 0.5)])
    assert quantile(summary_of(values, 10), 0.95) == 0.0
    assert quantile(summary_of(values, 10), 0.99) == 0.5


def test_numbers_that_are_not_are_left_out() -> None:
    values = np.array([1.0, np.nan, 3.0, np.inf])
    total = summary_of(values, 4)
    assert total.count == 2
    assert total.mean == 2.0


def test_an_empty_summary_has_no_numbers() -> None:
    total = summary_of(np.array([np.nan]), 2)
    assert total.count == 0
    assert np.isnan(standard_error(total))
    assert np.isnan(quantile(total, 0.95))


def test_metrics_of_a_hand_made_solution() -> None:
    # Two projects on steps: 4 for two units of the first, 1 for one unit of the second, budget 4.
    curves = Tabulated([[0.0, 0.0, 4.0], [0.0, 1.0, 1.0]])
    portfolio = Portfolio(curves, names=("a", "b"))
    best = solve(portfolio, 4.0, "exact")
    np.testing.assert_array_equal(best.effort, [2, 1])
    greedy = solve(portfolio, 4.0, "greedy")  # the first unit of a gains nothing, so it never starts
    np.testing.assert_array_equal(greedy.effort, [0, 1])
    found = measure(portfolio, np.float64(4.0), greedy, best.value)
    expected = {
        "value": 1.0,
        "bound": 5.0,
        "gap": 0.8,
        "difference": -4.0,
        "loss": 0.8,
        "optimal": 0.0,
        "proved": 0.0,
        "frontier": 1.0,
        "frontier_projects": 1.0,
        "funded": 1.0,
        "largest_share": 1.0,
        "effective_number": 1.0,
        "unspent": 0.75,
    }
    assert set(found) == set(METRICS)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-12, err_msg=name)
    found = measure(portfolio, np.float64(4.0), best, best.value)
    assert found["optimal"] == 1.0
    np.testing.assert_allclose(found["effective_number"], 9 / 5, rtol=1e-12)  # shares 2/3 and 1/3
    unknown = measure(portfolio, np.float64(4.0), best, np.float64(np.nan))
    assert np.isnan(unknown["optimal"])
    assert np.isnan(unknown["loss"])


def test_an_accelerators_histogram_is_that_of_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """It sums zeros and ones apart, spreads the others over copies, and drops what is not counted."""
    random = np.random.default_rng(0)
    values = np.concatenate(
        [np.zeros(300), np.ones(200), random.lognormal(-3, 2, 500), [2.0, 1e9, np.nan, -1.0]]
    )
    counted = random.random(values.size) < 0.8
    expected = summarise(jnp.asarray(values), jnp.asarray(counted))
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    found = summarise(jnp.asarray(values), jnp.asarray(counted))
    np.testing.assert_array_equal(found.counts, expected.counts)
    assert float(np.sum(expected.counts)) == np.sum(counted & np.isfinite(values))
    flags = summarise(jnp.asarray(values >= 1, float), jnp.asarray(counted))
    assert np.flatnonzero(flags.counts).tolist() == [0, ONE]
