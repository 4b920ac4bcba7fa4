"""Upper limits: valid over fine grids of real effort, over whole units, and as tight as the envelopes."""

from __future__ import annotations

import numpy as np
import pytest

import engine
from engine import Hill, Lifecycle, Portfolio, Tabulated
from tests import reference

BUDGET = 8.0
# Values are sums of a few float64 numbers of size 1 to 10.
ROUNDING = 1e-9

REAL = [
    *((name, ()) for name in reference.STAGED),
    ("hill", ("curvature",)),
    ("logistic", ("threshold",)),
    ("weibull", ("startup",)),
    ("lifecycle", ("startup",)),
    ("lifecycle", ("startup", "curvature", "threshold", "bounds")),
    ("tabulated_points", ("curvature", "startup")),
    ("tabulated_points", ("threshold",)),
    ("mixture", ("quarter_cost", "bounds", "startup", "success", "curvature", "threshold")),
]


@pytest.mark.parametrize(("name", "parts"), REAL, ids=reference.id_of)
def test_real_bound_holds_on_a_fine_grid(name: str, parts: tuple[str, ...]) -> None:
    portfolio = reference.draw(name, 1, (192, 2), parts, reach=BUDGET)
    solution = engine.allocate(portfolio, BUDGET, "waterfilling")
    assert np.all(solution.status == 0)
    best = reference.fine_grid(portfolio, BUDGET, points=1601)
    assert np.max(best - solution.bound) <= ROUNDING
    assert np.all(solution.value <= solution.bound)
    # Not a bound by being huge: within the concave envelopes, here at most a few times the optimum.
    scale = np.abs(best) + np.abs(reference.returns(portfolio, np.full((192, 2), BUDGET))).sum(-1)
    assert np.all(solution.bound <= best + 2 * scale + ROUNDING)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_real_bound_sees_jumps_behind_start_up_costs(dtype: type) -> None:
    # Each project jumps by 1 at startup + start and gains next to nothing else. In floating point
    # (startup + start) − startup may fall short of start: the jump must count all the same. Budget for
    # both jumps, and a little over.
    rng = np.random.default_rng(0)
    startup, start = np.round(rng.uniform(0.1, 3.0, (2, 128, 1)), 1)
    curves = Lifecycle(
        np.concatenate([np.zeros_like(start), start], -1)[:, None].repeat(2, 1).astype(dtype),
        np.broadcast_to([0.0, 1.0], (128, 2, 2)).astype(dtype),
        np.full((128, 2, 2), 1e-3, dtype),
        np.ones((128, 2, 2), dtype),
    )
    portfolio = Portfolio(curves, startup=startup.repeat(2, 1).astype(dtype))
    budgets = 2 * (startup + start)[:, 0] + 1e-3
    solution = engine.allocate(portfolio, budgets, "waterfilling")
    assert np.all(solution.bound >= 2.0)


def test_real_bound_sees_a_threshold_met_only_on_the_way() -> None:
    # The curve rises to 5 and falls to 0 again: the threshold of 3 is met at 1 unit, not at the last.
    portfolio = Portfolio(Tabulated([[0.0, 5.0, 0.0]]), threshold=[3.0])
    np.testing.assert_array_equal(engine.allocate(portfolio, 2.0).value, 5.0)
    assert engine.allocate(portfolio, 2.0, "waterfilling").bound >= 5.0


@pytest.mark.parametrize("parts", [("quarter_cost",), ("cost", "upper")], ids=reference.id_of)
@pytest.mark.parametrize("name", ["hill", "tabulated", "log"])
def test_integer_bound_is_the_linear_relaxation(name: str, parts: tuple[str, ...]) -> None:
    portfolio = reference.draw(name, 2, (24, 4), parts, reach=12.0)
    solution = engine.allocate(portfolio, 12.0, "bound")
    for i in range(6):
        # HiGHS solves linear programmes to feasibilities of 1e-7.
        expected = reference.multiple_choice(reference.pick(portfolio, i), 12.0, whole=False)
        np.testing.assert_allclose(solution.bound[i], expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["hill", "lifecycle", "exponential"])
def test_real_bound_is_at_least_the_integer_one(name: str) -> None:
    portfolio = reference.draw(name, 3, (64, 4), reach=12.0)
    integer = engine.allocate(portfolio, 12.0, "bound").bound
    real = engine.allocate(portfolio, 12.0, "waterfilling").bound
    assert np.all(real >= integer - ROUNDING)
    assert np.any(real > integer + 1e-3)


def test_bound_is_the_envelope_of_two_equal_s_shapes() -> None:
    # The envelope of each is the line to its tangent point t (where f(t) = t f'(t): t^6 = 5 · 5^6), with
    # f(t) = 2 · 5/6, and the budget of 7 is less than 2t: the bound is 7 f(t)/t.
    tangent = 5.0 * 5.0 ** (1 / 6)
    solution = engine.allocate(Hill([2.0, 2.0], [5.0, 5.0], [6.0, 6.0]), 7.0, "waterfilling")
    np.testing.assert_allclose(solution.bound, 7.0 * (2.0 * 5 / 6) / tangent, rtol=1e-9)


@pytest.mark.parametrize("solver", ["greedy", "cutoff"])
def test_greedy_certificate_is_the_dual_bound_on_concave_draws(solver: str) -> None:
    # With unequal costs cutoff is the exact solver, whose bound is the optimum, below the dual's.
    for parts in ((), ("quarter_cost",)) if solver == "greedy" else ((),):
        portfolio = reference.draw("exponential", 4, (64, 4), parts, reach=12.0)
        solution = engine.allocate(portfolio, 12.0, solver)
        dual = engine.allocate(portfolio, 12.0, "bound").bound
        # Any price gives a valid bound; the least is the dual's.
        assert np.all(solution.bound >= dual * (1 - 1e-12))
        if not parts:
            np.testing.assert_allclose(solution.bound, dual, rtol=1e-9)
            assert np.all(solution.proved)


def test_proved_means_optimal() -> None:
    portfolio = reference.draw("hill", 5, (128, 3), reach=BUDGET)
    solution = engine.allocate(portfolio, BUDGET, "bound")
    optimum = reference.brute_force(portfolio, BUDGET)
    assert 0 < solution.proved.mean() < 1
    np.testing.assert_allclose(solution.value[solution.proved], optimum[solution.proved], rtol=ROUNDING)
    assert np.all(solution.gap[solution.proved] == 0)
    assert np.all(solution.gap[~solution.proved] > 0)


@pytest.mark.parametrize("solver", ["greedy", "cutoff", "density", "bound", "exact"])
@pytest.mark.parametrize(("dtype", "beyond"), [(np.float64, 1e15), (np.float32, 1e6)])
def test_a_gain_beyond_the_budget_proves_nothing(solver: str, dtype: type, beyond: float) -> None:
    """Ten units of the first project pay 1, an eleventh that the budget does not buy a fortune."""
    values = np.zeros((2, 12), dtype)
    values[0, 10], values[0, 11] = 1.0, beyond
    values[1] = 0.01 * np.arange(12)
    solution = engine.allocate(engine.Tabulated(values), 10.0, solver)
    assert solution.bound < 1.2
    assert bool(solution.proved) == (abs(solution.value - 1.0) < 1e-5)


def test_the_dual_is_minimal_under_a_utility() -> None:
    # The compiler rounded payoffs one way for their maximum and another for the comparison with it: no level
    # was then the best one, and the dual ended several percent above its minimum.
    curves = Lifecycle(
        start=np.array([[0.0], [4.0], [8.0]]),
        base=np.array([[0.0], [0.4], [1.0]]),
        scale=np.array([[1.1], [0.9], [1.3]]),
        rate=np.array([[0.3], [0.2], [0.4]]),
    )
    for seed in range(20):
        random = np.random.default_rng(seed)
        startup = random.integers(0, 5, 3).astype(float)
        portfolio = Portfolio(
            curves, weight=random.uniform(0.5, 2.0, 3), startup=startup, curvature=np.zeros(3)
        )
        for budget in (12.0, 30.0, 31.0):
            found = engine.allocate(portfolio, budget, "bound")
            levels = np.arange(budget + 1)
            table = np.array([np.asarray(portfolio.returns(np.full(3, x))) for x in levels])
            # The dual is piecewise linear; its corners are slopes between two levels of a project.
            rise, run = table[None] - table[:, None], levels[None] - levels[:, None]
            prices = np.unique(rise[run > 0] / run[run > 0][:, None])
            paid = table[None] - np.append(prices[prices > 0], 0.0)[:, None, None] * levels[None, :, None]
            dual = paid.max(axis=1).sum(axis=1) + np.append(prices[prices > 0], 0.0) * budget
            assert found.bound == pytest.approx(dual.min(), rel=1e-9)
