"""The exact solver against an independent dynamic programme and HiGHS, with its proof and its budget."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine
from benchmarks.hard_cases import PROJECTS, ROWS, UNITS, hard_cases
from engine import Hill, Lifecycle, Portfolio, Tabulated
from engine.allocation.allocate import choose_lattice
from engine.model.validation import normalise
from engine.solvers import lattice as lattice_module
from engine.solvers.exact import ways
from tests import reference
from tests.conftest import quickly

BUDGET = 30.0
SHAPE = (24, 5)
# Values are sums of five float64 numbers of size 1 to 10.
ROUNDING = 1e-9

CASES = [
    ("hill", ()),
    ("logistic", ("cost",)),
    ("lifecycle", ("cost",)),
    ("tabulated", ("bounds",)),
    ("tabulated_points", ("quarter_cost",)),
    ("mixture", ()),
    ("mixture", ("cost", "startup", "success", "curvature", "threshold")),
]


@pytest.fixture(autouse=True)
def however_little_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small batches meet the cores, too, as large ones do."""
    monkeypatch.setattr(lattice_module, "BRIEF_WORK", 0.0)


@pytest.mark.parametrize(("name", "parts"), CASES, ids=reference.id_of)
def test_value_is_that_of_dynamic_programming_and_highs(name: str, parts: tuple[str, ...]) -> None:
    portfolio = reference.draw(name, 3, SHAPE, parts, reach=BUDGET / 2)
    solution = engine.allocate(portfolio, BUDGET)
    assert np.all(solution.status == 0)
    assert np.all(solution.proved)
    step = 0.25 if "quarter_cost" in parts else 1.0
    one_by_one = [reference.pick(portfolio, i) for i in range(SHAPE[0])]
    expected = [reference.dynamic_programme(p, BUDGET, step) for p in one_by_one]
    np.testing.assert_allclose(solution.value, expected, rtol=ROUNDING)
    np.testing.assert_allclose(reference.value(portfolio, solution.effort), expected, rtol=ROUNDING)
    # HiGHS stops at feasibility and integrality tolerances of 1e-6.
    highs = [reference.multiple_choice(p, BUDGET) for p in one_by_one[:4]]
    np.testing.assert_allclose(solution.value[:4], highs, rtol=1e-6)


@given(seed=st.integers(0, 2**32 - 1))
def test_no_other_solver_beats_it(seed: int) -> None:
    portfolio = reference.draw("mixture", seed, (16, 4), reach=10.0)
    best = engine.allocate(portfolio, 12.0)
    for solver in ("greedy", "bound"):
        with quickly():
            value = engine.allocate(portfolio, 12.0, solver).value
        assert np.all(value <= best.value + ROUNDING * np.abs(best.value))
    expected = [reference.dynamic_programme(reference.pick(portfolio, i), 12.0) for i in range(4)]
    np.testing.assert_allclose(best.value[:4], expected, rtol=ROUNDING)


@pytest.mark.parametrize("name", ["logistic", "tabulated"])
def test_value_never_falls_with_the_budget(name: str) -> None:
    budgets = np.arange(SHAPE[0]) * BUDGET / (SHAPE[0] - 1)
    one = reference.draw(name, 5, (1, 5), reach=BUDGET / 2)
    fields = {k: np.repeat(v, SHAPE[0], 0) for k, v in vars(one.curves).items() if v is not None}
    portfolio = Portfolio(type(one.curves)(**fields), weight=np.repeat(one.weight, SHAPE[0], 0))
    value = engine.allocate(portfolio, budgets).value
    # Sums in another order may differ by a few ulps.
    assert np.all(np.diff(value) >= -1e-12)
    assert value[-1] > value[0]


def test_float32_portfolios_are_proved_in_float64() -> None:
    portfolio = reference.draw("hill", 7, SHAPE, reach=BUDGET / 2, dtype=np.float32)
    solution = engine.allocate(portfolio, BUDGET)
    assert solution.value.dtype == solution.bound.dtype == np.float64
    assert np.all(solution.proved)
    expected = engine.allocate(reference.cast(portfolio, np.float64), BUDGET)
    np.testing.assert_array_equal(solution.effort, expected.effort)
    np.testing.assert_array_equal(solution.value, expected.value)


@pytest.mark.parametrize("name", hard_cases())
def test_no_hard_case_falls_through(name: str) -> None:
    portfolio = hard_cases()[name]
    one = reference.pick(normalise(portfolio), 0)
    lattice = choose_lattice(["exact"], UNITS, PROJECTS, portfolio.cost)
    assert len(ways(one, lattice)) > 1, "a core comes before the full programme"
    solution = engine.allocate(portfolio, UNITS)
    assert np.all(solution.proved)
    expected = [reference.dynamic_programme(reference.pick(portfolio, i), UNITS) for i in range(ROWS)]
    np.testing.assert_allclose(solution.value, expected, rtol=ROUNDING, atol=ROUNDING)
    np.testing.assert_allclose(
        reference.value(portfolio, solution.effort, leeway=1e-12), expected, rtol=ROUNDING, atol=ROUNDING
    )
    spent = (reference.costs(portfolio) * solution.effort).sum(-1)
    assert np.all(spent <= UNITS)


@pytest.mark.parametrize("name", ["S-shaped", "integer costs"])
def test_the_shortest_program_finds_the_same_optimum(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    portfolio = hard_cases()[name]
    expected = engine.allocate(portfolio, UNITS)
    monkeypatch.setattr(lattice_module, "BRIEF_WORK", 1e12)
    found = engine.allocate(portfolio, UNITS)
    assert np.all(found.proved)
    np.testing.assert_allclose(found.value, expected.value, rtol=ROUNDING)
    np.testing.assert_allclose(found.bound, expected.bound, rtol=ROUNDING)
    assert np.all((reference.costs(portfolio) * found.effort).sum(-1) <= UNITS)


def test_costs_without_a_common_unit_are_proved_too() -> None:
    portfolio = reference.draw("hill", 9, (24, 3), ("real_cost",))
    solution = engine.allocate(portfolio, 8.0)
    optimum = reference.brute_force(portfolio, 8.0)
    assert np.all((reference.costs(portfolio) * solution.effort).sum(-1) <= 8.0 + 1e-12)
    assert np.all(solution.bound >= optimum - ROUNDING)
    assert np.all(solution.proved)
    np.testing.assert_allclose(solution.value, optimum, rtol=ROUNDING)


def test_a_stage_worth_waiting_for_is_reached() -> None:
    # Three units open a stage worth 5; the other project earns log 2, log 3, log 4 = 1.39 for the same.
    late = Lifecycle([[0.0, 3.0], [0.0, 3.0]], [[0.0, 5.0], [0.0, 0.0]], [[0.0, 0.0], [1.0, 0.0]], 1.0)
    late = Lifecycle(late.start, late.base, late.scale, np.ones((2, 2)))
    solution = engine.allocate(late, 3.0)
    np.testing.assert_array_equal(solution.effort, [3.0, 0.0])
    np.testing.assert_allclose(solution.value, 5.0, rtol=1e-15)


def test_equal_answers_take_the_least_effort_of_the_last_project() -> None:
    # Everything is flat: nothing needs to be bought.
    solution = engine.allocate(Tabulated([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]), 2.0)
    np.testing.assert_allclose(solution.value, 3.0, rtol=1e-15)
    assert solution.effort[1] == 0.0


def test_a_price_that_pays_for_the_whole_return_is_no_excuse() -> None:
    # Nearly linear curves: the price times the budget is the value, and rounding the budget is not free.
    scale = np.array([[1.0, 1.01, 0.99, 1.02, 0.98, 1.005]])
    portfolio = Portfolio(engine.Power(scale, 0.999, 1.0))
    solution = engine.allocate(portfolio, 600.0)
    assert np.all(solution.proved)


@pytest.mark.parametrize("family", ["log", "purelog", "hill_concave"])
@pytest.mark.parametrize("seed", range(3))
def test_the_price_is_one_at_which_no_unit_of_a_concave_optimum_moves(family: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    scale, rate = random.uniform(1, 5, 6), random.uniform(1, 3, 6)
    curves = {
        "log": engine.Log(scale, rate),
        "purelog": engine.PureLog(scale, rate),
        "hill_concave": Hill(scale, 10 / rate, np.full(6, 0.8)),
    }[family]
    budget = 90.0
    solution = engine.allocate(Portfolio(curves), budget)

    def value(effort: np.ndarray) -> np.ndarray:
        return np.asarray(curves.value(effort))

    gains = value(solution.effort + 1) - value(solution.effort)
    losses = value(solution.effort) - value(solution.effort - 1)
    assert gains.max() <= solution.solution.multiplier * (1 + 1e-9)
    assert solution.solution.multiplier <= losses.min() * (1 + 1e-9)
    # It is a minimiser of the dual: there the bound is the value.
    levels = np.arange(budget + 1)
    multiplier = solution.solution.multiplier
    payoff = np.max([value(np.full(6, x)) - multiplier * x for x in levels], axis=0)
    assert payoff.sum() + multiplier * budget == pytest.approx(float(solution.value), rel=1e-9)


def test_a_price_far_above_what_returns_leaves_them_their_digits() -> None:
    """Beside a project whose first unit nobody can afford, and which would pay 10^13 times the others."""
    rng = np.random.default_rng(3)
    draws, budget, efforts = 60, 2000, np.arange(2001.0)
    half, exponent = rng.uniform(200.0, 1200.0, (draws, 2)), rng.uniform(1.5, 4.0, (draws, 2))
    scale = rng.uniform(1e-4, 3e-4, (draws, 2))
    far = np.broadcast_to([[1e9, 5.0, 1.0]], (draws, 3))
    scale, half, exponent = (
        np.concatenate([a, far[:, i : i + 1]], axis=1) for i, a in enumerate((scale, half, exponent))
    )
    found = engine.allocate(Portfolio(engine.Hill(scale, half, exponent), cost=[1.0, 1.0, 2001.0]), budget)
    rows = [
        (scale[:, [i]] * efforts ** exponent[:, [i]])
        / (half[:, [i]] ** exponent[:, [i]] + efforts ** exponent[:, [i]])
        for i in range(2)
    ]
    optimum = np.max(rows[0] + rows[1][:, ::-1], axis=1)
    np.testing.assert_allclose(found.value, optimum, rtol=1e-12)
    assert np.all(found.bound >= optimum * (1 - 1e-15))
    assert np.all(found.proved)
