"""Comparison: rows that agree with solving the same portfolios one way or another."""

from __future__ import annotations

import numpy as np

import engine
from engine.study.comparison import COLUMNS, Comparison, compare
from tests.simulation.test_problems import draw

SOLVERS: dict[str, dict[str, object]] = {"greedy": {}, "exact": {}}


def test_rows_are_those_of_the_solvers_themselves() -> None:
    sizes = [(6, 60)]
    comparison = Comparison(["hill", "log"], sizes, SOLVERS, 40, 1, 16, np.dtype(np.float64))
    (hill_greedy, hill_exact), (log_greedy, log_exact) = compare(comparison)
    for name, greedy, exact in (("hill", hill_greedy, hill_exact), ("log", log_greedy, log_exact)):
        assert set(greedy) == set(exact) == set(COLUMNS)
        portfolios = draw(name)
        optimum = engine.allocate(portfolios, 60).value
        value = engine.allocate(portfolios, 60, "greedy").value
        loss = (optimum - value) / optimum
        assert (greedy["problem"], greedy["projects"], greedy["budget"]) == (name, 6, 60)
        assert (greedy["solver"], exact["solver"]) == ("greedy", "exact")
        assert greedy["portfolios"] == exact["portfolios"] == 40
        # Means of blocks merged against one mean of all.
        np.testing.assert_allclose(greedy["value"], value.mean(), rtol=1e-12)
        np.testing.assert_allclose(exact["value"], optimum.mean(), rtol=1e-12)
        np.testing.assert_allclose(greedy["loss"], loss.mean(), rtol=1e-9, atol=1e-14)
        np.testing.assert_allclose(greedy["largest_loss"], loss.max(), rtol=1e-9, atol=1e-14)
        # The histogram's bins are 2.1 % wide.
        assert greedy["loss_q99"] <= loss.max() * 1.03 + 1e-12
        assert exact["proved"] == 1.0
        assert abs(exact["loss"]) < 1e-14
        assert greedy["per_second"] > 0
    assert log_greedy["optimal"] == 1.0
    assert hill_greedy["optimal"] < 1.0
    assert hill_greedy["largest_loss"] > 0.1
