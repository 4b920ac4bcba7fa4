"""Density: never worse than greedy, and across plateaus."""

from __future__ import annotations

import numpy as np
import pytest

import engine
from engine import Tabulated
from engine.allocation.allocate import solve
from tests import reference

BUDGET = 40.0
SHAPE = (32, 6)


@pytest.mark.parametrize(
    ("name", "parts"),
    [("hill", ()), ("lifecycle", ()), ("tabulated", ("cost",)), ("mixture", ("threshold", "upper"))],
)
def test_density_is_never_worse_than_greedy(name: str, parts: tuple[str, ...]) -> None:
    better = []
    for seed in range(4):
        portfolio = reference.draw(name, seed, SHAPE, parts, reach=BUDGET / 2)
        one, other = (solve(portfolio, BUDGET, solver).value for solver in ("density", "greedy"))
        assert np.all(one >= other - 1e-12 * np.abs(other))
        better.append(one > other + 1e-6)
    assert np.mean(better) > 0.3


def test_density_crosses_a_plateau_where_greedy_is_stuck() -> None:
    # Budget 3. The first project pays 6 for all three units and nothing before: its first gain is 0, its
    # average gain 2. The second gains 1, 0.5, 0.25: greedy takes those (1.75), density the plateau (6).
    curves = Tabulated([[0.0, 0.0, 0.0, 6.0], [0.0, 1.0, 1.5, 1.75]])
    stuck, crossed = (engine.allocate(curves, 3.0, solver) for solver in ("greedy", "density"))
    np.testing.assert_array_equal(stuck.effort, [0.0, 3.0])
    np.testing.assert_allclose(stuck.value, 1.75, rtol=1e-15)
    np.testing.assert_array_equal(crossed.effort, [3.0, 0.0])
    np.testing.assert_allclose(crossed.value, 6.0, rtol=1e-15)
    assert crossed.proved
    assert stuck.bound >= 6.0


def test_density_goes_on_when_the_densest_jump_no_longer_fits() -> None:
    # Budget 4: the jump to 3 (density 3) is taken first; the next best jump of the second project needs 2
    # units (density 2.5) and no longer fits, so its single unit (density 1) is.
    curves = Tabulated([[0.0, 0.0, 0.0, 9.0], [0.0, 1.0, 5.0, 5.0]])
    solution = engine.allocate(curves, 4.0, "density")
    np.testing.assert_array_equal(solution.effort, [3.0, 1.0])
    np.testing.assert_allclose(solution.value, 10.0, rtol=1e-15)
