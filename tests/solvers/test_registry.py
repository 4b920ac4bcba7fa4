"""Every solver on every family: feasible, honest about its value, and bounded from above.

References are brute force over all whole-unit allocations of tiny portfolios and formulas written anew.
Tests are grouped by compiled solver (a module-scoped fixture), since compiling is what takes the time.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest

import engine
from engine import SOLVERS, Log, Portfolio, Solution, Tabulated
from tests import reference
from tests.conftest import quickly

pytestmark = pytest.mark.filterwarnings("ignore:costs differ")

BUDGET = 8.0
SHAPE = (48, 3)
# Efforts, values and bounds are sums of a few float64 numbers of size 1 to 100.
ROUNDING = 1e-9
REAL_EFFORT = tuple(name for name, method in SOLVERS.items() if method.real({}))

EVERYTHING = ("quarter_cost", "bounds", "startup", "success", "curvature", "threshold")
# Every family, with and without the optional parts; each case is a compilation for every solver.
CASES = [
    ("log", ()),
    ("log", ("cost",)),
    ("power", ("bounds",)),
    ("exponential", ("quarter_cost",)),
    ("exponential", ("threshold",)),
    ("log", ("fractional_bounds",)),
    ("hill", ("real_cost", "fractional_bounds")),
    ("hill", ()),
    ("weibull", ("startup",)),
    ("purelog", ()),
    ("logistic", ("success", "curvature")),
    ("lifecycle", ()),
    ("tabulated", ("cost",)),
    ("tabulated_points", ("bounds",)),
    ("mixture", EVERYTHING),
    ("mixture_powers", ()),
    ("mixture_straight", ("bounds",)),
]
# Solvers that take long to compile meet every kind of portfolio once: every part at one family, every kind of
# family in one mixture, since parts and families do not know one another.
SLOW_TO_COMPILE = ("relaxation", "continuous", "exact", "density", "bound")
FEWER_CASES = [
    ("log", ("cost",)),
    ("log", ("fractional_bounds",)),
    ("hill", ("real_cost", "fractional_bounds")),
    ("exponential", EVERYTHING),
    ("hill", ()),
    ("tabulated_points", ("bounds",)),
    ("mixture", ()),
    ("mixture_powers", ("quarter_cost",)),
    ("mixture_straight", ("bounds",)),
]


class Case:
    """A batch of tiny portfolios, what brute force says of it, and one solver's solutions."""

    def __init__(self, name: str, parts: tuple[str, ...], solver: str) -> None:
        self.solver = solver
        self.portfolio = reference.draw(name, 11, SHAPE, parts)
        self.optimum = reference.brute_force(self.portfolio, BUDGET)
        self.solvable = np.isfinite(self.optimum)
        self.solution = engine.allocate(self.portfolio, BUDGET, solver)


@pytest.fixture(
    scope="module",
    params=[(n, p, s) for s in SOLVERS for n, p in (FEWER_CASES if s in SLOW_TO_COMPILE else CASES)],
    ids=lambda case: "-".join([case[0], *case[1], case[2]]),
)
def case(request: pytest.FixtureRequest) -> Case:
    return Case(*request.param)


def test_status_tells_whether_lower_bounds_can_be_met(case: Case) -> None:
    assert np.mean(case.solvable) > 0.8
    lower, _ = reference.limits(case.portfolio)
    least = lower if case.solver in REAL_EFFORT else np.ceil(lower)
    covered = (least * reference.costs(case.portfolio)).sum(-1) <= BUDGET
    np.testing.assert_array_equal(case.solution.status == 0, covered)
    np.testing.assert_array_equal(covered & case.solvable, case.solvable)
    if case.solver not in REAL_EFFORT:
        np.testing.assert_array_equal(covered, case.solvable)


def test_effort_is_feasible(case: Case) -> None:
    effort = case.solution.effort[case.solvable]
    lower, upper = (limit[case.solvable] for limit in reference.limits(case.portfolio))
    spent = (reference.costs(case.portfolio)[case.solvable] * effort).sum(-1)
    # Real efforts may exceed the budget by the rounding of their own sum; whole units by nothing.
    assert np.all(spent <= BUDGET * (1 + (1e-14 if case.solver in REAL_EFFORT else 0.0)))
    np.testing.assert_allclose(case.solution.spent[case.solvable], spent, rtol=1e-14)
    assert np.all((effort >= lower) & (effort <= upper))
    if case.solver not in REAL_EFFORT:
        np.testing.assert_array_equal(effort, np.round(effort))


def test_value_is_that_of_the_effort(case: Case) -> None:
    effort, solved = case.solution.effort, case.solution.value[case.solvable]
    # Effort chosen to meet a threshold may meet it in one order of rounding and not in another.
    least = reference.value(case.portfolio, effort)[case.solvable]
    most = reference.value(case.portfolio, effort, leeway=1e-12)[case.solvable]
    slack = ROUNDING * np.maximum(np.abs(most), 1.0)
    assert np.all((solved >= least - slack) & (solved <= most + slack))


def test_value_is_within_the_bound(case: Case) -> None:
    solution = case.solution
    assert np.all(solution.value[case.solvable] <= solution.bound[case.solvable])
    assert np.all(solution.gap[case.solvable] >= 0)


def test_bound_holds_for_every_whole_unit_allocation(case: Case) -> None:
    missing = case.optimum - case.solution.bound
    assert np.all(missing[case.solvable] <= ROUNDING)


def test_no_whole_unit_value_beats_brute_force(case: Case) -> None:
    if case.solver in REAL_EFFORT:
        # Real effort may do better than whole units: then its own bound is the only ceiling.
        assert np.all(case.solution.value[case.solvable] <= case.solution.bound[case.solvable])
        return
    value, optimum = case.solution.value[case.solvable], case.optimum[case.solvable]
    assert np.all(value <= optimum + ROUNDING * np.abs(optimum))
    if case.solver == "exact":
        np.testing.assert_allclose(value, optimum, rtol=ROUNDING)
    proved = case.solution.proved[case.solvable]
    np.testing.assert_allclose(value[proved], optimum[proved], rtol=ROUNDING)


def test_real_effort_beats_whole_units_on_concave_draws() -> None:
    portfolio = reference.draw("log", 11, SHAPE)
    solution = engine.allocate(portfolio, BUDGET, "waterfilling")
    optimum = reference.brute_force(portfolio, BUDGET)
    assert np.all(solution.value >= optimum - ROUNDING)
    assert np.any(solution.value > optimum + 1e-3)


# Edge cases: one batch of one shape, so that a solver is compiled once for all of them.

EDGES = {
    # name: (budget, lower, upper)
    "zero budget": (0.0, [0, 0, 0], [9, 9, 9]),
    "ties": (7.0, [0, 0, 0], [9, 9, 9]),
    "flat": (6.0, [0, 0, 0], [9, 9, 9]),
    "one open project": (5.0, [0, 0, 0], [0, 9, 0]),
    "lower equals upper": (8.0, [2, 0, 3], [2, 0, 3]),
    "budget above all caps": (9.0, [0, 0, 0], [2, 1, 3]),
    "lower limits take the budget": (6.0, [1, 2, 3], [9, 9, 9]),
    "budget below one unit": (0.5, [0, 0, 0], [9, 9, 9]),
    "falling": (6.0, [0, 0, 0], [9, 9, 9]),
    "falling below a lower limit": (6.0, [0, 2, 0], [9, 9, 9]),
}
EDGE_FAMILIES = ("log", "tabulated")


@functools.cache
def edge_cases(family: str) -> tuple[Portfolio, np.ndarray]:
    names = list(EDGES)
    budgets, lower, upper = (np.array([EDGES[n][k] for n in names], float) for k in range(3))
    if family == "log":
        scale = np.tile([1.0, 3.0, 2.0], (len(names), 1))
        scale[names.index("ties")] = 2.0
        for flat in ("flat", "falling", "falling below a lower limit"):
            scale[names.index(flat)] = 0.0
        curves = Log(scale, np.full_like(scale, 0.7), np.full_like(scale, 0.25))
    else:
        rising = np.cumsum([[0.5, 3.0, 2.0, 1.0, 0.5, 0.2, 0.2, 0.2, 0.2, 0.1]] * 3, axis=-1)
        values = np.tile(rising * np.array([[1.0], [3.0], [2.0]]), (len(names), 1, 1))
        values[names.index("ties")] = rising
        values[names.index("flat")] = 0.5
        for falling in ("falling", "falling below a lower limit"):
            values[names.index(falling)] = 4.0 - 0.3 * np.arange(10.0)
        curves = Tabulated(values)
    return Portfolio(curves, lower=lower, upper=upper), budgets


@pytest.fixture(scope="module", params=[(f, s) for s in SOLVERS for f in EDGE_FAMILIES], ids="-".join)
def edges(request: pytest.FixtureRequest) -> tuple[str, str, Solution]:
    family, solver = request.param
    return family, solver, engine.allocate(*edge_cases(family), solver)


def effort_of(edges: tuple[str, str, Solution], name: str) -> np.ndarray:
    return edges[2].effort[list(EDGES).index(name)]


def test_edge_cases_are_solved_within_their_bounds(edges: tuple[str, str, Solution]) -> None:
    family, _, solution = edges
    portfolio, budgets = edge_cases(family)
    assert np.all(solution.status == 0)
    assert np.all(solution.spent <= budgets * (1 + 1e-14))
    assert np.all(solution.value <= solution.bound)
    np.testing.assert_allclose(
        solution.value, reference.value(portfolio, solution.effort), rtol=ROUNDING, atol=ROUNDING
    )
    optimum = reference.brute_force(portfolio, budgets)
    assert np.all(solution.bound >= optimum - ROUNDING)
    if edges[1] == "exact":
        np.testing.assert_allclose(solution.value, optimum, rtol=ROUNDING)


def test_zero_budget_buys_nothing(edges: tuple[str, str, Solution]) -> None:
    np.testing.assert_array_equal(effort_of(edges, "zero budget"), 0.0)


def test_less_than_one_unit_buys_no_whole_unit(edges: tuple[str, str, Solution]) -> None:
    effort = effort_of(edges, "budget below one unit")
    if edges[1] in REAL_EFFORT:
        np.testing.assert_allclose(effort.sum(), 0.5, rtol=1e-12)
    else:
        np.testing.assert_array_equal(effort, 0.0)


def test_equal_projects_share_fairly(edges: tuple[str, str, Solution]) -> None:
    effort = effort_of(edges, "ties")
    np.testing.assert_allclose(effort.sum(), 7.0, rtol=1e-12)
    # Gains fall from unit to unit on both curves (each beyond the table's first rise), so 2 or 3 each.
    assert effort.min() >= 2.0 - 1e-9
    assert effort.max() <= 3.0 + 1e-9
    if edges[1] in ("greedy", "cutoff"):
        np.testing.assert_array_equal(effort, [3.0, 2.0, 2.0])


def test_flat_curves_cost_nothing(edges: tuple[str, str, Solution]) -> None:
    flat = list(EDGES).index("flat")
    expected = 0.75 if edges[0] == "log" else 1.5
    np.testing.assert_allclose(edges[2].value[flat], expected, rtol=1e-12)
    np.testing.assert_allclose(edges[2].bound[flat], expected, rtol=1e-12)
    assert edges[2].proved[flat]
    if edges[1] in ("greedy", "cutoff", "density"):
        np.testing.assert_array_equal(effort_of(edges, "flat"), 0.0)


def test_the_only_open_project_takes_the_budget(edges: tuple[str, str, Solution]) -> None:
    np.testing.assert_allclose(effort_of(edges, "one open project"), [0.0, 5.0, 0.0], rtol=1e-12)


def test_fixed_projects_stay_fixed(edges: tuple[str, str, Solution]) -> None:
    np.testing.assert_array_equal(effort_of(edges, "lower equals upper"), [2.0, 0.0, 3.0])


def test_lower_bounds_may_take_the_whole_budget(edges: tuple[str, str, Solution]) -> None:
    np.testing.assert_array_equal(effort_of(edges, "lower limits take the budget"), [1.0, 2.0, 3.0])


def test_budget_beyond_all_caps_stays_unspent(edges: tuple[str, str, Solution]) -> None:
    np.testing.assert_allclose(effort_of(edges, "budget above all caps"), [2.0, 1.0, 3.0], rtol=1e-12)
    spent = edges[2].spent[list(EDGES).index("budget above all caps")]
    np.testing.assert_allclose(spent, 6.0, rtol=1e-12)


def test_nobody_buys_effort_that_harms(edges: tuple[str, str, Solution]) -> None:
    if edges[0] == "log":
        # The log family has no falling curve: there these cases are flat ones and only the value counts.
        at = [list(EDGES).index(n) for n in ("falling", "falling below a lower limit")]
        np.testing.assert_allclose(edges[2].value[at], 0.75, rtol=1e-12)
        return
    np.testing.assert_array_equal(effort_of(edges, "falling"), 0.0)
    np.testing.assert_array_equal(effort_of(edges, "falling below a lower limit"), [0.0, 2.0, 0.0])


ONE_PROJECT = np.array([0.0, 1.0, 3.0, 8.0])


def one_project(solver: str, dtype: type) -> Solution:
    curves = engine.Exponential(np.full((4, 1), 2.0, dtype), np.full((4, 1), 0.4, dtype))
    return engine.allocate(curves, ONE_PROJECT, solver)


@pytest.mark.parametrize("solver", SOLVERS)
def test_one_project_takes_all_that_pays(solver: str) -> None:
    solution = one_project(solver, np.float64)
    # A relaxation that rounds a hair short of a unit still buys it; the rest use every unit.
    np.testing.assert_allclose(solution.effort[:, 0], ONE_PROJECT, rtol=1e-9)
    np.testing.assert_allclose(solution.value, 2.0 * (1 - np.exp(-0.4 * ONE_PROJECT)), rtol=ROUNDING)
    assert np.all(solution.proved)
    assert solution.effort.dtype == solution.value.dtype == solution.bound.dtype == np.float64


@pytest.mark.parametrize("solver", SOLVERS)
def test_dtype_follows_the_input_unless_optimality_is_proved(solver: str) -> None:
    with quickly():
        solution = one_project(solver, np.float32)
    expected = np.float64 if solver == "exact" else np.float32
    assert solution.effort.dtype == solution.value.dtype == solution.bound.dtype == expected
