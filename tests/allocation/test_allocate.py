"""The public border: batches, chunks, compilation, the known answer, and errors in one clear line."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import engine
from engine import Exponential, Log, Portfolio, Power, Solution, Tabulated, allocate, load_portfolio
from engine.allocation import running
from engine.allocation.allocate import solve
from engine.model.validation import normalise
from engine.solvers.solution import conclude
from tests import reference

TEXTBOOK = Path(__file__).parents[2] / "configs" / "portfolios" / "textbook.csv"
BUDGET = 12.0
FIELDS = ("effort", "value", "bound", "multiplier", "spent", "proved", "status")


@pytest.mark.parametrize("solver", ["exact", "greedy", "cutoff", "density", "bound", "waterfilling"])
@pytest.mark.parametrize(("budget", "expected"), [(100, [25, 30, 12, 20, 13]), (300, [75, 90, 36, 60, 39])])
def test_textbook_answer_is_in_proportion_to_scale(solver: str, budget: float, expected: list[int]) -> None:
    solution = allocate(load_portfolio(TEXTBOOK), budget, solver)
    # Scales are 25, 30, 12, 20, 13 and sum to 100; water-filling is right to about 1e-12.
    np.testing.assert_allclose(solution.effort, expected, rtol=1e-9)
    assert solution.proved
    assert solution.spent == pytest.approx(budget, rel=1e-12)
    # λ = Σ a / B at real effort; whole units put it between the gains on either side of the last unit.
    assert solution.price == pytest.approx(100 / budget, rel=0.05)


def test_slopes_give_the_textbook_answer_too() -> None:
    solution = allocate(load_portfolio(TEXTBOOK), 100, "greedy", marginal="slope")
    assert solution.effort.sum() == 100
    # The slope before a unit overrates it: at most one unit from the answer in proportion.
    np.testing.assert_allclose(solution.effort, [25, 30, 12, 20, 13], atol=1.0)


def assert_equal(one: Solution, other: Solution) -> None:
    for field in FIELDS:
        a, b = np.asarray(getattr(one, field)), np.asarray(getattr(other, field))
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        # Another batch size is another compiled function: equal to a few ulps.
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12, err_msg=field)


@pytest.mark.filterwarnings("ignore:costs differ")
@pytest.mark.parametrize("solver", ["exact", "cutoff", "waterfilling"])
def test_a_batch_is_a_loop_of_single_portfolios(solver: str) -> None:
    portfolio = reference.draw("mixture", 1, (6, 4), ("cost",), reach=BUDGET)
    batch = solve(portfolio, BUDGET, solver)
    # One lattice for all: the costs of a batch share their common unit, which single portfolios need not.
    for i in range(6):
        one = allocate(reference.pick(portfolio, i), BUDGET, solver).solution
        assert_equal(one, Solution(**{f: getattr(batch, f)[i] for f in FIELDS}))


def test_leading_axes_are_kept() -> None:
    flat = reference.draw("log", 2, (6, 4), reach=BUDGET)
    grid = Portfolio(
        Log(*(p.reshape(2, 3, 4) for p in (flat.curves.scale, flat.curves.rate, flat.curves.baseline))),
        weight=flat.weight.reshape(2, 3, 4),
    )
    one, other = solve(flat, BUDGET), solve(grid, BUDGET)
    assert other.effort.shape == (2, 3, 4)
    assert other.value.shape == (2, 3)
    np.testing.assert_array_equal(one.effort, other.effort.reshape(6, 4))
    assert solve(reference.pick(flat, 0), BUDGET).value.shape == ()


@pytest.mark.parametrize("entries", [1, 2000])
def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch, entries: int) -> None:
    portfolio = reference.draw("hill", 3, (7, 4), reach=BUDGET)
    budgets = np.linspace(0.0, BUDGET, 7)
    whole = solve(portfolio, budgets)
    monkeypatch.setattr(running, "ROUND_ENTRIES", entries)
    assert_equal(solve(portfolio, budgets), whole)


def test_an_accelerator_gets_larger_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    portfolio = reference.draw("log", 0, (2, 20), reach=BUDGET)
    assert running.round_size(portfolio, 64) == 30_000_000 // (20 * 64)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert running.round_size(portfolio, 64) == (1 << 28) // (20 * 64)


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The arguments of every tracing of the greedy solver, with nothing compiled before."""
    traced: list[Any] = []
    method = engine.SOLVERS["greedy"]

    @functools.wraps(method.solve)
    def counted(*arguments: Any, **options: Any) -> Solution:
        traced.append(arguments)
        return method.solve(*arguments, **options)

    monkeypatch.setitem(engine.SOLVERS, "greedy", dataclasses.replace(method, solve=counted))
    return traced


def test_each_shape_is_compiled_once(traces: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(3):
        solve(reference.draw("log", seed, (6, 4), reach=BUDGET), BUDGET, "greedy")
    # Smaller budgets within the same largest one share its lattice.
    solve(reference.draw("log", 3, (6, 4), reach=BUDGET), np.linspace(1.0, BUDGET, 6), "greedy")
    assert len(traces) == 1
    # Chunks of one shape, the last one filled up: one more compilation for seven calls.
    monkeypatch.setattr(running, "ROUND_ENTRIES", 1)
    solve(reference.draw("log", 4, (7, 4), reach=BUDGET), BUDGET, "greedy")
    assert len(traces) == 2


@pytest.mark.parametrize(("first", "programs"), [(1, 1), (201, 2)])
def test_a_hundred_budgets_take_a_handful_of_programs(
    compilations: list[str], first: int, programs: int
) -> None:
    curves = engine.Hill([10.0, 20.0, 15.0, 8.0], [30.0, 50.0, 20.0, 40.0], [2.0, 3.0, 1.5, 2.0])
    compilations.clear()
    values = [float(allocate(curves, budget).value) for budget in range(first, first + 100)]
    assert len(compilations) <= programs
    for at in (0, 37, 99):
        expected = reference.dynamic_programme(normalise(curves), first + at)
        np.testing.assert_allclose(values[at], expected, rtol=1e-12)


def test_nothing_is_compiled_twice(compilations: list[str]) -> None:
    allocate(curves(), 3.0)
    compilations.clear()
    allocate(curves(scale=[3.0, 1.0]), 4.0)
    assert compilations == []


def split(portfolio: Portfolio, budget: Any, lattice: Any, *, share: float = 1.0, turns: int = 1) -> Solution:
    """Part of the budget, divided among the projects so many times over."""
    each = share * budget / (portfolio.shape[-1] * turns) / portfolio.costs()
    return conclude(portfolio, budget, each, budget * 0, portfolio.value(budget / portfolio.costs()))


def test_options_that_are_numbers_compile_nothing(
    compilations: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(engine.SOLVERS, "split", engine.Method(split, effort="real"))
    effort = [allocate(curves(), 8.0, "split").effort]
    compilations.clear()
    effort += [allocate(curves(), 8.0, "split", share=share).effort for share in (0.5, 0.25, np.float64(1))]
    effort += [allocate(curves(), 8.0, "split", turns=turns).effort for turns in (2, 4)]
    assert compilations == []
    # Another budget, and a whole number for a real one.
    effort.append(allocate(curves(), 4.0, "split", share=1).effort)
    assert compilations == []
    np.testing.assert_array_equal(effort, np.repeat([[4.0], [2.0], [1.0], [4.0], [2.0], [1.0], [2.0]], 2, 1))


def test_numeric_options_reach_every_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engine.SOLVERS, "split", engine.Method(split, effort="real"))
    monkeypatch.setattr(running, "cores", lambda: 2)
    batch = Exponential(np.ones((150, 2)), np.full((150, 2), 0.5))
    for share in (0.5, 0.25):
        effort = solve(batch, 8.0, "split", share=share).effort
        np.testing.assert_array_equal(effort, np.full((150, 2), 4.0 * share))


def test_a_solver_is_entered_as_a_method(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engine.SOLVERS, "split", split)
    assert "expected an engine.Method" in refusal(lambda: allocate(curves(), 8.0, "split"))


def test_an_option_without_a_default_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def partly(portfolio: Portfolio, budget: Any, lattice: Any, *, share: float) -> Solution:
        return split(portfolio, budget, lattice, share=share)

    monkeypatch.setitem(engine.SOLVERS, "partly", engine.Method(partly, effort="real"))
    assert "share of solver partly is missing" in refusal(lambda: allocate(curves(), 8.0, "partly"))
    assert allocate(curves(), 8.0, "partly", share=0.5).spent == 4.0


def test_host_arrays_are_evaluated_in_their_own_dtype() -> None:
    for dtype in (np.float32, np.float64):
        portfolio = normalise(Log(np.array([1.0, 2.0], dtype), np.array([0.5, 0.5], dtype)))
        effort = np.array([3.0, 4.0], dtype)
        returns = running.on_host(Portfolio.returns, portfolio, effort)
        assert isinstance(returns, np.ndarray)
        assert returns.dtype == dtype
        np.testing.assert_allclose(returns, [np.log(2.5), 2 * np.log(3)], rtol=4 * np.finfo(dtype).eps)


def test_threads_run_in_the_setting_of_their_caller() -> None:
    for double in (False, True):
        with jax.enable_x64(double):
            found = running.in_threads(lambda n: jax.numpy.asarray(float(n)), iter(range(5)), 2)
        assert [float(a) for a in found] == [0.0, 1.0, 2.0, 3.0, 4.0]
        assert {a.dtype.name for a in found} == {"float64" if double else "float32"}


def test_every_portfolio_has_its_own_budget() -> None:
    portfolio = reference.draw("exponential", 4, (5, 3), reach=BUDGET)
    budgets = np.array([0.0, 1.0, 4.0, 7.5, BUDGET])
    solution = solve(portfolio, budgets)
    np.testing.assert_array_equal(solution.spent, np.floor(budgets))
    for i, budget in enumerate(budgets):
        expected = reference.dynamic_programme(reference.pick(portfolio, i), np.floor(budget))
        np.testing.assert_allclose(solution.value[i], expected, rtol=1e-12)


@pytest.mark.parametrize("solver", engine.SOLVERS)
def test_an_infeasible_portfolio_leaves_the_others_alone(solver: str) -> None:
    curves = Exponential(np.ones((3, 2)), np.full((3, 2), 0.5))
    lower = np.array([[1.0, 1.0], [4.0, 5.0], [0.0, 2.0]])
    solution = solve(Portfolio(curves, lower=lower), 6.0, solver)
    np.testing.assert_array_equal(solution.status, [0, 1, 0])
    assert np.isnan(solution.value[1])
    assert np.isnan(solution.bound[1])
    assert not solution.proved[1]
    # Equal concave projects: three units each.
    np.testing.assert_allclose(solution.value[[0, 2]], 2 * (1 - np.exp(-1.5)), rtol=1e-4)


def test_lists_and_numbers_are_float64_portfolios() -> None:
    solution = allocate(Log([1.0, 2.0], 0.5), 3)
    assert solution.effort.dtype == np.float64
    assert solution.effort.sum() == 3


def curves(**changes: Any) -> Exponential:
    return Exponential(**({"scale": [1.0, 2.0], "rate": [0.5, 0.5]} | changes))


BUDGETS = {
    "negative": -1.0,
    "not a number": np.nan,
    "infinite": np.inf,
    "huge for anything": 1e16,
    "text": "much",
    "a list of lists": [[1.0, 2.0], [3.0]],
}


@pytest.mark.parametrize("budget", BUDGETS.values(), ids=BUDGETS)
def test_budgets_that_cannot_be_are_refused(budget: Any) -> None:
    assert "budget" in refusal(lambda: allocate(curves(), budget))


def test_budgets_of_another_number_of_portfolios_are_refused() -> None:
    assert "budget" in refusal(lambda: solve(reference.draw("log", 0, (3, 2)), np.ones(4)))


def refusal(call: Callable[[], Any]) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        call()
    message = str(caught.value)
    assert "\n" not in message
    assert message.strip() == message != ""
    return message


OPTIONS: dict[str, tuple[str, dict[str, Any], str]] = {
    "unknown solver": ("magic", {}, "expected one of greedy"),
    "unknown option": ("relaxation", {"patience": 3}, "unknown option 'patience'"),
    "option of another solver": ("exact", {"rounding": False}, "unknown option 'rounding'"),
    "text for a number": ("relaxation", {"tolerance": "small"}, "tolerance"),
    "number for a switch": ("relaxation", {"rounding": 1}, "rounding"),
    "fraction for a count": ("relaxation", {"max_steps": 2.5}, "max_steps"),
    "switch for a count": ("relaxation", {"max_steps": True}, "max_steps"),
    "no steps": ("relaxation", {"max_steps": 0}, "max_steps"),
    "negative tolerance": ("relaxation", {"tolerance": -1e-3}, "tolerance"),
    "tolerance not a number": ("relaxation", {"tolerance": float("nan")}, "tolerance"),
    "unknown marginal": ("greedy", {"marginal": "average"}, "marginal"),
    "number for a marginal": ("greedy", {"marginal": 1}, "marginal"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_solvers_and_options_that_cannot_be_are_refused(name: str) -> None:
    solver, options, expected = OPTIONS[name]
    assert expected in refusal(lambda: allocate(curves(), 3.0, solver, **options))


PORTFOLIOS: dict[str, tuple[Callable[[], Any], str]] = {
    "lower above upper": (lambda: Portfolio(curves(), lower=[0.0, 3.0], upper=[9.0, 2.0]), "lower"),
    "lower without end": (lambda: Portfolio(curves(), lower=[0.0, np.inf]), "lower"),
    "lowers above the budget": (lambda: Portfolio(curves(), lower=[2.0, 2.0]), "lower limits"),
    "no whole unit between limits": (lambda: Portfolio(curves(), lower=[0.2, 0], upper=[0.8, 9]), "limits"),
    "negative lower": (lambda: Portfolio(curves(), lower=[-1.0, 0.0]), "lower"),
    "negative upper": (lambda: Portfolio(curves(), upper=[-1.0, 0.0]), "upper"),
    "parameter not a number": (lambda: curves(scale=[1.0, np.nan]), "project 1: scale"),
    "infinite parameter": (lambda: curves(rate=[np.inf, 1.0]), "project 0: rate"),
    "negative scale": (lambda: curves(scale=[-1.0, 2.0]), "project 0: scale"),
    "rate of zero": (lambda: curves(rate=[0.5, 0.0]), "project 1: rate"),
    "baseline not a number": (lambda: curves(baseline=[0.0, np.nan]), "baseline"),
    "power exponent of zero": (lambda: Power([1.0], [0.0], [1.0]), "exponent"),
    "power exponent of one": (lambda: Power([1.0], [1.0], [1.0]), "exponent"),
    "power exponent above one": (lambda: Power([1.0], [1.5], [1.0]), "exponent"),
    "rising power of negative scale": (lambda: Power([-1.0], [0.5], [1.0]), "scale"),
    "falling power of positive scale": (lambda: Power([1.0], [-0.5], [1.0]), "scale"),
    "points that do not increase": (lambda: Tabulated([[0.0, 1.0]], [[2.0, 2.0]]), "points"),
    "points before effort 0": (lambda: Tabulated([[0.0, 1.0]], [[-1.0, 2.0]]), "points"),
    "probability above one": (lambda: Portfolio(curves(), success=[0.5, 1.5]), "project 1: success"),
    "negative probability": (lambda: Portfolio(curves(), success=[0.5, -0.5]), "success"),
    "cost of zero": (lambda: Portfolio(curves(), cost=[1.0, 0.0]), "project 1: cost"),
    "negative cost": (lambda: Portfolio(curves(), cost=[-1.0, 1.0]), "project 0: cost"),
    "negative weight": (lambda: Portfolio(curves(), weight=[1.0, -1.0]), "weight"),
    "weight not a number": (lambda: Portfolio(curves(), weight=[1.0, np.nan]), "weight"),
    "negative start-up cost": (lambda: Portfolio(curves(), startup=[1.0, -1.0]), "startup"),
    "negative curvature": (lambda: Portfolio(curves(), curvature=[1.0, -1.0]), "curvature"),
    "threshold not a number": (lambda: Portfolio(curves(), threshold=[1.0, np.nan]), "threshold"),
    "other numbers of projects": (lambda: Portfolio(curves(), weight=[1.0, 2.0, 3.0]), "number of projects"),
    "no project": (lambda: Exponential(np.ones(0), np.ones(0)), "at least one project"),
}


@pytest.mark.parametrize("name", PORTFOLIOS)
def test_portfolios_that_cannot_be_are_refused(name: str) -> None:
    build, expected = PORTFOLIOS[name]
    assert expected in refusal(lambda: allocate(build(), 3.0, "greedy"))


def test_names_of_projects_are_in_the_message() -> None:
    portfolio = Portfolio(curves(scale=[1.0, -2.0]), names=("search", "menu images"))
    assert refusal(lambda: allocate(portfolio, 3.0)).startswith("menu images: scale is -2")


def test_large_budgets_need_no_lattice_for_water_filling() -> None:
    solution = allocate(engine.PureLog([1.0, 3.0], [1.0, 1.0]), 1e9, "waterfilling")
    np.testing.assert_allclose(solution.effort, [0.25e9, 0.75e9], rtol=1e-9)


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="no portfolios"):
        engine.allocate(engine.Tabulated(np.zeros((0, 2, 5))), 3.0)
