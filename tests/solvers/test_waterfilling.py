"""Water-filling against bisection on the multiplier written anew, SLSQP, and its optimality conditions."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

import engine
from engine import Portfolio, PureLog
from tests import reference

BUDGET = 20.0
SHAPE = (32, 5)
CASES = [
    *((name, ()) for name in (*reference.CONCAVE, "mixture_concave")),
    ("log", ("real_cost", "bounds")),
    ("power", ("cost", "success")),
    ("exponential", ("bounds", "curvature")),
    ("hill_concave", ("quarter_cost", "bounds")),
]
cases = pytest.mark.parametrize(("name", "parts"), CASES, ids=reference.id_of)


@cases
def test_value_and_price_are_those_of_nested_bisection(name: str, parts: tuple[str, ...]) -> None:
    portfolio = reference.draw(name, 1, SHAPE, parts, reach=BUDGET)
    solution = engine.allocate(portfolio, BUDGET, "waterfilling")
    assert np.all(solution.status == 0)
    effort, price = reference.concave_optimum(portfolio, BUDGET)
    # The value is flat to second order at the optimum: effort right to 1e-8 gives it to rounding.
    np.testing.assert_allclose(solution.value, reference.value(portfolio, effort), rtol=1e-9)
    scarce = (reference.costs(portfolio) * effort).sum(-1) >= BUDGET * (1 - 1e-9)
    assert scarce.mean() > 0.5
    # Both multipliers are the slopes at efforts known to about 1e-10.
    np.testing.assert_allclose(solution.solution.multiplier[scarce], price[scarce], rtol=1e-6)
    # A concave problem has no duality gap: the bound is the value, widened by rounding alone.
    np.testing.assert_allclose(solution.bound, solution.value, rtol=1e-9)
    assert np.all(solution.bound >= solution.value)


@cases
def test_karush_kuhn_tucker_conditions_hold(name: str, parts: tuple[str, ...]) -> None:
    portfolio = reference.draw(name, 2, SHAPE, parts, reach=BUDGET)
    solution = engine.allocate(portfolio, BUDGET, "waterfilling")
    effort, price = solution.effort, solution.solution.multiplier[:, None]
    lower, upper = reference.limits(portfolio)
    cost, hair = reference.costs(portfolio), 1e-9
    funded, open_ = effort > lower + 2 * hair, effort < upper - 2 * hair
    # A hair more effort pays no more than the price, a hair less would have cost no less: curves with an
    # infinite first slope reach the price at efforts that no float64 holds. Slopes are right to 1e-8.
    more = reference.slope(portfolio, effort + hair) / (cost * np.maximum(price, 1e-300))
    less = reference.slope(portfolio, np.maximum(effort - hair, hair)) / (cost * np.maximum(price, 1e-300))
    assert np.max(more[open_ & (price > 0)]) <= 1 + 1e-6
    assert np.min(less[funded & (price > 0)]) >= 1 - 1e-6
    assert np.mean(funded & open_) > 0.2
    assert np.mean(price > 0) > 0.5
    left = BUDGET - (reference.costs(portfolio) * effort).sum(-1)
    # Complementary slackness: budget is left only where it is worth nothing.
    assert np.all((left <= 1e-9 * BUDGET) | (solution.solution.multiplier == 0))


@pytest.mark.parametrize("name", ["log", "power", "exponential"])
def test_value_is_that_of_slsqp(name: str) -> None:
    portfolio = reference.draw(name, 3, SHAPE, reach=BUDGET)
    solution = engine.allocate(portfolio, BUDGET, "waterfilling")
    for i in range(4):
        one = reference.pick(portfolio, i)
        answer = optimize.minimize(
            lambda x, one=one: -reference.value(one, x),
            np.full(SHAPE[1], BUDGET / SHAPE[1]),
            jac=lambda x, one=one: -reference.slope(one, x),
            bounds=[(0.0, BUDGET)] * SHAPE[1],
            constraints=[
                {"type": "ineq", "fun": lambda x: BUDGET - x.sum(), "jac": lambda x: -np.ones_like(x)}
            ],
            method="SLSQP",
            options={"ftol": 1e-12, "maxiter": 500},
        )
        assert answer.success, answer.message
        # SLSQP stops on changes of 1e-12 of the value; its answer is then right to about 1e-8.
        np.testing.assert_allclose(solution.value[i], -answer.fun, rtol=1e-7)


@given(seed=st.integers(0, 2**32 - 1))
def test_pure_logs_are_funded_in_proportion_to_their_scale(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scale, weight, cost = rng.uniform(0.5, 3.0, (3, 16, 6))
    # From a budget of 5000 on, every project gets well beyond the first 1/rate.
    portfolio = Portfolio(PureLog(scale, rng.uniform(0.5, 5.0, (16, 6))), weight=weight, cost=cost)
    solution = engine.allocate(portfolio, 5000.0, "waterfilling")
    share = scale * weight / (scale * weight).sum(-1, keepdims=True)
    # Effort comes from one division by a price that is a float64 apart from the exact one.
    np.testing.assert_allclose(solution.effort, 5000.0 * share / cost, rtol=1e-9)
    assert np.all(solution.proved)


@pytest.mark.parametrize(("name", "parts"), [("log", ()), ("hill", ()), ("exponential", ("threshold",))])
def test_value_and_bound_never_fall_with_the_budget(name: str, parts: tuple[str, ...]) -> None:
    one = reference.draw(name, 4, (1, 5), parts, reach=BUDGET)
    count = 33

    def repeat(part: np.ndarray | None) -> np.ndarray | None:
        return None if part is None else np.repeat(part, count, 0)

    curves = dataclasses.replace(one.curves, **{k: repeat(v) for k, v in vars(one.curves).items()})
    fields = {n: repeat(getattr(one, n)) for n in one.optional_fields()}
    budgets = np.linspace(0.0, 2 * BUDGET, count)
    solution = engine.allocate(Portfolio(curves, **fields), budgets, "waterfilling")
    # Sums in another order may differ by a few ulps.
    assert np.all(np.diff(solution.bound) >= -1e-12)
    if not parts and name != "hill":
        assert np.all(np.diff(solution.value) > 0)


def test_float32_is_right_to_float32_rounding() -> None:
    portfolio = reference.draw("mixture_concave", 5, SHAPE, reach=BUDGET, dtype=np.float32)
    solution = engine.allocate(portfolio, BUDGET, "waterfilling")
    effort, _ = reference.concave_optimum(reference.cast(portfolio, np.float64), BUDGET)
    # Sums of five float32 numbers: a few times 1.2e-7.
    np.testing.assert_allclose(solution.value, reference.value(portfolio, effort), rtol=3e-6)
    assert np.all(solution.spent <= BUDGET * (1 + 1e-6))
    assert np.all(solution.bound >= reference.value(portfolio, solution.effort) * (1 - 3e-6))


def test_jumps_that_do_not_fit_leave_a_certified_gap() -> None:
    # Two equal S-shapes and budget for one of them: the best is to fund one alone, which pays
    # 2·7^6/(5^6 + 7^6) = 1.77; the envelope shares, and 3.5 on each pays only 0.42.
    curves = engine.Hill([2.0, 2.0], [5.0, 5.0], [6.0, 6.0])
    solution = engine.allocate(curves, 7.0, "waterfilling")
    best = 2.0 * 7.0**6 / (5.0**6 + 7.0**6)
    # At the water level one project is funded up to the tangent point of its envelope, 6.54: 2·5/6.
    assert 2.0 * 5 / 6 <= solution.value <= best
    assert solution.bound >= best
    assert not solution.proved
    assert solution.gap > 0


@pytest.mark.parametrize("projects", [1, 2])
def test_price_is_what_a_little_more_budget_returns(projects: int) -> None:
    # With one project, or one that takes it all: d/dB of log(1 + B) at 5 is 1/6.
    curves = engine.Log([1.0, 1e-3][:projects], [1.0, 1.0][:projects])
    solution = engine.allocate(curves, 5.0, "waterfilling")
    np.testing.assert_allclose(solution.effort[0], 5.0, rtol=1e-12)
    np.testing.assert_allclose(solution.solution.multiplier, 1 / 6, rtol=1e-9)
