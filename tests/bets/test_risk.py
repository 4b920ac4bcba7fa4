"""Real effort for objectives over draws: against cutting planes by HiGHS, grids, and their own bounds."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
from scipy import optimize

import engine
from engine.bets.objectives import Chance, Mean, MeanCVaR, MeanDeviation, Objective
from engine.bets.uncertain import Uncertain
from tests import reference
from tests.bets.draws import draw_bet, values
from tests.bets.test_objectives import expected
from tests.conftest import quickly

Array = np.ndarray
BUDGET = 10.0
TERMS: tuple[tuple[str, ...], ...] = ((), ("cost", "bounds"))


def cutting_planes(bet: Uncertain, objective: MeanCVaR, budget: float) -> tuple[float, float]:
    """(the best value met, a bound) of concave draws by Kelley's cutting planes: linear programmes of V_s at
    most its tangents."""
    count, projects = bet.draws.shape
    cost, lower, upper = limits(bet)
    # Variables: x, V_s, t, u_s; maximise (1 − κ) mean V + κ t − κ/(αS) Σ u.
    goal = np.zeros(projects + 2 * count + 1)
    goal[projects : projects + count] = -(1 - objective.aversion) / count
    goal[projects + count] = -objective.aversion
    goal[projects + count + 1 :] = objective.aversion / (objective.tail * count)
    eye = np.eye(count)
    shortfall = np.hstack([np.zeros((count, projects)), -eye, np.ones((count, 1)), -eye])
    spend = np.concatenate([cost, np.zeros(2 * count + 1)])[None]
    rows, right = [spend, shortfall], [np.array([budget]), np.zeros(count)]
    bounds = [
        *zip(lower, np.minimum(upper, budget / cost), strict=True),
        *[(None, 1e6)] * (count + 1),
        *[(0, None)] * count,
    ]
    effort, best = np.maximum(lower, 0.3), -np.inf
    for _ in range(200):
        slope = reference.slope(bet.draws, np.broadcast_to(effort, bet.draws.shape))
        tangent = values(bet, effort) - slope @ effort
        rows.append(np.hstack([-slope, eye, np.zeros((count, count + 1))]))
        right.append(tangent)
        found = optimize.linprog(goal, np.vstack(rows), np.concatenate(right), bounds=bounds)
        effort = np.maximum(found.x[:projects], 1e-7)  # where slopes are finite
        best = max(best, expected(objective, values(bet, found.x[:projects])))
        if -found.fun - best < 1e-8 * abs(found.fun):
            break
    return best, float(-found.fun)


def limits(bet: Uncertain) -> tuple[Array, Array, Array]:
    """(cost, lower, upper) as arrays."""
    neutral = {"cost": 1.0, "lower": 0.0, "upper": np.inf}
    cost, lower, upper = (
        np.full(bet.shape, n) if getattr(bet, k) is None else np.asarray(getattr(bet, k), float)
        for k, n in neutral.items()
    )
    return cost, lower, upper


def feasible(bet: Uncertain, effort: Array, budget: float) -> bool:
    """Whether effort keeps to budget and bounds."""
    cost, lower, upper = limits(bet)
    slack = 1e-9
    return bool(
        np.all(effort >= lower - slack)
        and np.all(effort <= upper + slack)
        and cost @ effort <= budget + slack
    )


def grid(bet: Uncertain, budget: float, points: int = 41) -> Array:
    """Efforts that spend the budget as far as they may, on a grid of shares, [efforts, projects]."""
    cost, lower, upper = limits(bet)
    room = budget - cost @ lower
    steps = np.linspace(0, 1, points)
    shares = np.array([s for s in itertools.product(steps, repeat=bet.shape[-1]) if sum(s) <= 1 + 1e-9])
    return np.minimum(lower + shares * room / cost, upper)


def bet_on(bet: Uncertain, objective: Objective, **options: Any) -> engine.Bet:
    return engine.bet(bet, BUDGET, objective=objective, knowledge=False, **options)


@pytest.mark.parametrize("terms", TERMS, ids=reference.id_of)
@pytest.mark.parametrize("name", ["log", "exponential", "hill_concave", "mixture_concave"])
def test_mean_cvar_of_concave_draws_is_the_optimum(name: str, terms: tuple[str, ...]) -> None:
    for seed, objective in enumerate((MeanCVaR(0.5, 0.2), MeanCVaR(1.0, 0.1), MeanCVaR(0.9, 0.5))):
        bet = draw_bet(name, terms, seed, draws=24, projects=4)
        found = bet_on(bet, objective, tolerance=1e-7)
        effort = found.effort
        assert feasible(bet, effort, BUDGET)
        np.testing.assert_allclose(found.value, expected(objective, values(bet, effort)), rtol=1e-12)
        best, bound = cutting_planes(bet, objective, BUDGET)
        assert best * (1 - 2e-7) <= found.value <= bound * (1 + 1e-9)
        assert found.bound >= best * (1 - 1e-12)
        assert found.proved
        if name != "hill_concave":  # whose slopes at 0 are infinite: planes close in slowly
            assert bound - best <= 1e-7 * bound


SHAPED = (("hill", ()), ("mixture", ("threshold", "startup", "cost", "bounds")))


@pytest.mark.parametrize("objective", [MeanCVaR(0.5, 0.2), MeanDeviation(0.5), MeanDeviation(2.0)], ids=repr)
@pytest.mark.parametrize(("name", "parts"), SHAPED, ids=str)
def test_no_effort_of_a_grid_is_above_the_bound(
    name: str, parts: tuple[str, ...], objective: Objective
) -> None:
    for seed in range(3):
        bet = draw_bet(name, parts, seed)
        found = bet_on(bet, objective)
        assert feasible(bet, found.effort, BUDGET)
        np.testing.assert_allclose(found.value, expected(objective, values(bet, found.effort)), rtol=1e-12)
        best = max(expected(objective, v) for v in values(bet, grid(bet, BUDGET)))
        assert found.bound >= best - 1e-9 * abs(best)
        size = max(abs(best), float(found.figures["mean"]))
        assert found.value >= best - 0.02 * size, "a local optimum well below the grid's best"


def test_more_starts_find_no_less() -> None:
    bet = draw_bet("hill", (), 7)
    few, many = (bet_on(bet, MeanCVaR(0.8, 0.2), starts=k) for k in (1, 8))
    assert many.value >= few.value - 1e-9


@pytest.mark.parametrize("name", ["log", "hill"])
def test_chance_is_between_a_grid_and_every_draw_for_itself(name: str) -> None:
    bet = draw_bet(name, (), 3, draws=40)
    efforts = grid(bet, BUDGET)
    returns = values(bet, efforts)
    target = float(np.quantile(np.max(returns, axis=0), 0.4))
    found = bet_on(bet, Chance(target))
    best = np.mean(returns >= target, axis=1).max()
    np.testing.assert_allclose(found.value, np.mean(values(bet, found.effort) >= target), rtol=1e-12)
    assert best - 0.05 <= found.value <= found.bound
    assert found.bound >= np.mean(np.max(returns, axis=0) >= target)


def test_a_chance_of_one_is_proved_and_of_none_too() -> None:
    bet = draw_bet("log", (), 4)
    sure = bet_on(bet, Chance(0.0 + float(np.min(values(bet, np.zeros(3))))))
    assert sure.value == 1.0
    assert sure.proved
    never = bet_on(bet, Chance(1e6))
    assert never.value == 0.0
    assert never.proved


@pytest.mark.parametrize("budget", [0.0, 1e-9, 1.0, 1e6])
def test_budgets_of_any_size(budget: float) -> None:
    bet = draw_bet("log", (), 5)
    found = engine.bet(bet, budget, objective="mean_cvar", knowledge=False)
    assert feasible(bet, found.effort, budget)
    assert found.gap <= 2e-6
    if budget == 1.0:
        np.testing.assert_allclose(found.value, cutting_planes(bet, MeanCVaR(0.5, 0.1), budget)[0], rtol=2e-6)


def test_certain_curves_have_one_objective() -> None:
    """With one draw all objectives are its return, water-filled."""
    bet = draw_bet("exponential", ("cost",), 6, draws=1)
    with quickly():
        best = engine.allocate(bet.each(), BUDGET, "waterfilling").value[0]
    for objective in (Mean, MeanDeviation, MeanCVaR):
        found = bet_on(bet, objective())
        if objective is not Mean:  # whole units
            np.testing.assert_allclose(found.value, best, rtol=2e-6)


def test_risk_is_priced() -> None:
    """More aversion gives no larger mean and no smaller tail."""
    bet = draw_bet("log", ("success",), 8, draws=60)
    found = [bet_on(bet, MeanCVaR(k, 0.1)) for k in (0.0, 0.3, 0.6, 1.0)]
    means, tails = ([float(f.figures[name]) for f in found] for name in ("mean", "cvar"))
    assert np.all(np.diff(means) <= 1e-5 * means[0])
    assert np.all(np.diff(tails) >= -1e-5 * abs(tails[0]))
    assert tails[-1] > tails[0]


def test_identical_bets_in_a_batch_are_answered_alike() -> None:
    one = draw_bet("log", ("cost", "bounds"), 9)
    import jax

    batch = jax.tree.map(lambda a: np.stack([a] * 20), one)
    found = engine.bet(batch, np.full(20, BUDGET), objective="mean_cvar", knowledge=False)
    alone = engine.bet(one, BUDGET, objective="mean_cvar", knowledge=False)
    assert found.batch == (20,)
    np.testing.assert_allclose(found.value, alone.value, rtol=1e-12)
    np.testing.assert_allclose(found[3].effort, alone.effort, rtol=1e-6, atol=1e-6)


def test_falling_curves_have_no_bound_and_say_so() -> None:
    points = np.tile([0.0, 1.0, 0.5], (6, 2, 1)) * np.linspace(1, 2, 6)[:, None, None]
    bet = Uncertain(engine.Portfolio(engine.Tabulated(points)))
    found = engine.bet(bet, 4.0, objective="mean_cvar", knowledge=False)
    assert found.bound == np.inf
    assert not found.proved
    assert found.proof == "no bound known"
    np.testing.assert_allclose(found.value, 2 * (0.5 * 1.5 + 0.5 * 1.0), rtol=2e-2)


def test_names_make_no_new_program(compilations: list[str]) -> None:
    one = draw_bet("log", (), 10)
    for names in ((), ("a", "b", "c"), ("x", "y", "z")):
        compilations.clear()
        engine.bet(dataclasses.replace(one, names=names), BUDGET, objective="mean_cvar")
    assert not compilations
