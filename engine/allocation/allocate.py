"""The border between a user's portfolios and the solvers: validate once, choose the lattice, batch, run.

dtype follows the input: portfolios of NumPy float64 arrays (or lists and numbers) are solved in float64
whatever JAX's own default, float32 ones in float32; but what is proved optimal is always proved in float64.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import warnings
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

import jax
import numpy as np

from engine.allocation.answer import Allocation
from engine.allocation.foresight import foresee
from engine.allocation.free import least_cost, set_aside
from engine.allocation.old_names import current
from engine.allocation.running import Program, batched, program, round_size
from engine.model.curves.base import Curve
from engine.model.lots import in_lots, round_unit
from engine.model.portfolio import Portfolio
from engine.model.profit import as_profit
from engine.model.validation import check, normalise
from engine.solvers.exact import most_steps
from engine.solvers.lattice import NO_LATTICE, Lattice, build_lattice, most_units
from engine.solvers.registry import (
    FEW_NUMBERS,
    SOLVERS,
    Method,
    Options,
    Solver,
    check_options,
    find_method,
)
from engine.solvers.responses import few_candidates
from engine.solvers.solution import Solution

MOST_BUDGET = 1e15


def allocate(
    portfolio: Portfolio | Curve,
    budget: float | np.ndarray,
    solver: str = "exact",
    *,
    unit: float | str | None = None,
    objective: str = "return",
    per_unit: float = 1.0,
    **options: Any,
) -> Allocation:
    """Allocate a budget over one portfolio, or over each of a batch.

    **Arguments:** `portfolio` of arrays [projects], or [..., projects] with any leading axes; `budget` in
    units of cost, one number or an array of the leading axes' shape; `solver`, a name in `engine.SOLVERS`;
    `unit`, what effort is bought in multiples of, by default 1: "auto" takes the least of 1, 2, 5, 10, … of
    which no project can take more than 10,000; `objective`, "return", or "profit" for the return less the
    spend, each unit of budget counted at `per_unit` of return: what earns less is left unspent; `options` of
    that solver.

    **Returns:** an `Allocation`, of NumPy numbers.

    **Raises:** `ValueError` naming what cannot be: a parameter out of its domain, lower limits above the
    upper ones, a budget that is negative, not a number or too large, an unknown solver or option, a unit for
    a solver of real effort, an unknown objective, profit of a concave utility or a threshold. One portfolio
    whose lower limits cost more than the budget, or whose return is not a finite number, is such an error; in
    a batch its `status` tells.
    """
    counted, solver = check_objective(objective, per_unit), current(solver)
    given, solution, lot = _answer(portfolio, budget, solver, options, unit, counted)
    batch = solution.effort.shape[:-1]
    budgets = np.broadcast_to(np.asarray(budget, dtype=float), batch)[()]
    allocation = Allocation(given, budgets, solution, solver, options, lot, counted)
    return allocation if batch else allocation.require_solved()


def solve(
    portfolio: Portfolio | Curve, budget: float | np.ndarray, solver: str = "exact", **options: Any
) -> Solution:
    """The arrays of `allocate`. One portfolio that cannot be solved does not raise either: see `status`."""
    return _answer(portfolio, budget, current(solver), options)[1]


def _answer(
    asked: Portfolio | Curve,
    budget: float | np.ndarray,
    solver: str,
    options: dict[str, Any],
    unit: float | str | None = None,
    counted: float = 0.0,
) -> tuple[Portfolio, Solution, float]:
    """The portfolio as arrays of its own dtype, its solution, and what effort is in multiples of; a unit of
    budget is counted at so much return."""
    options, method = check_options(solver, options), find_method(solver)
    given = portfolio = normalise(asked)
    if method.exactly(given.cost) and given.dtype != np.float64:
        portfolio = normalise(asked, np.dtype(np.float64))
    check(portfolio)
    check_batch(portfolio)
    portfolio = as_profit(portfolio, counted) if counted else portfolio
    budgets = check_budgets(budget, portfolio.shape[:-1], portfolio.dtype)
    whole = not method.real(options)
    check_kind(portfolio, solver, whole)
    lot = check_unit(unit, budgets, portfolio, whole)
    if lot != 1:
        portfolio, budgets = in_lots(portfolio, lot), budgets / lot
    if whole:
        check_whole_units(portfolio, lot)
    portfolio, free = set_aside(portfolio, whole)
    upper = math.inf if portfolio.upper is None else float(np.max(portfolio.upper))
    most = float(np.max(budgets, initial=0.0))
    projects = portfolio.shape[-1]
    lots = "buy effort in lots (unit=auto)"
    lattice = choose_lattice([solver], most, projects, portfolio.cost, upper, lambda: portfolio, lots)
    lattice = lattice.shared(projects, budgets.size) if method.counts else lattice
    size = round_size(portfolio, FEW_NUMBERS + method.entries(portfolio, lattice))
    if method.exactly(given.cost) and len(portfolio.shape) == 1:
        foresee(most_steps(portfolio, lattice))
    code, shared = prepared(solver, lattice, options)
    solution = free.put_back(batched(code, portfolio, budgets, size, shared))
    return given, solution if lot == 1 else in_units(solution, lot), lot


def check_kind(portfolio: Portfolio, solver: str, whole: bool) -> None:
    """Real effort on curves that name too few maximisers is a `ValueError`."""
    if portfolio.curves.listed and not whole:
        raise ValueError(
            f"solver {solver} is of real effort, expected concave curves or tables where prices rise, or "
            "solver=exact"
        )


def check_objective(objective: str, per_unit: float) -> float:
    """What a unit of budget is counted at, 0 where the objective is the return alone; or a `ValueError`."""
    if objective not in ("return", "profit"):
        raise ValueError(f"objective is {objective!r}, expected return or profit")
    number = isinstance(per_unit, (int, float, np.number)) and not isinstance(per_unit, bool)
    if not number or not 0 < per_unit < math.inf:
        raise ValueError(f"per_unit is {per_unit!r}, expected a number above 0")
    return float(per_unit) if objective == "profit" else 0.0


def check_unit(unit: float | str | None, budgets: np.ndarray, portfolio: Portfolio, whole: bool) -> float:
    """What effort is bought in multiples of, or a `ValueError`."""
    if unit is None:
        return 1.0
    if not whole:
        raise ValueError("unit is for whole units, expected none where effort is real")
    if unit == "auto":
        return round_unit(float(np.max(budgets, initial=0.0)), least_cost(portfolio))
    number = unit if isinstance(unit, (int, float, np.number)) and not isinstance(unit, bool) else math.nan
    if not 0 < number < math.inf:
        raise ValueError(f"unit is {unit!r}, expected a number above 0, or auto")
    return float(number)


def in_units(solution: Solution, lot: float) -> Solution:
    """A solution in lots as one in units of effort and budget."""
    kind = solution.effort.dtype.type(lot)
    return dataclasses.replace(
        solution,
        effort=solution.effort * kind,
        spent=solution.spent * kind,
        multiplier=solution.multiplier / kind,
    )


def choose_lattice(
    solvers: Collection[str],
    budget: float,
    projects: int,
    costs: Any = None,
    upper: float = math.inf,
    known: Callable[[], Portfolio] | None = None,
    instead: str = "measure effort in larger units",
) -> Lattice:
    """The lattice that these solvers need; see `build_lattice`. Warns if one of them stands for another.

    **Arguments:** `known`, which gives the portfolio, arrays [..., projects] or their shapes, and is asked
    where tables do not fit: some solvers then count budgets of any size; `instead`, what to do where a budget
    is too large.

    **Raises:** `ValueError` for a budget so large that what the solvers hold does not fit in memory.
    """
    methods = {name: find_method(name) for name in sorted(set(solvers))}
    if not any(method.counts for method in methods.values()):
        return NO_LATTICE
    lattice = build_lattice(budget, projects, costs, upper)
    if costs is not None and np.ptp(costs) > 0:
        for name in (name for name, method in methods.items() if method.optimal == "with costs"):
            warnings.warn(f"costs differ, where greedy is not exact: {name} is solved as exact", stacklevel=3)
    if not lattice.tables:
        _refuse_tables(methods, lattice, budget, projects, known, instead)
    return lattice


def _refuse_tables(
    methods: Mapping[str, Method],
    lattice: Lattice,
    budget: float,
    projects: int,
    known: Callable[[], Portfolio] | None,
    instead: str,
) -> None:
    """Solvers that hold a table, which does not fit, are a `ValueError` that names what can do without."""
    free = {"never": False, "diminishing": False, "always": False}
    if known is not None:
        portfolio = known()
        free |= {"diminishing": portfolio.diminishing, "always": responds(portfolio, lattice)}
    bound_to = [name for name, m in methods.items() if m.counts and not free[m.any_budget]]
    if bound_to:
        others = [name for name, m in SOLVERS.items() if m.optimal != "never" and free[m.any_budget]]
        raise ValueError(
            f"budget {budget:g} lets a project take {lattice.units:.3g} units, and {bound_to[0]} holds at "
            f"most {most_units(projects):,} of each: {instead}, set upper limits, or "
            f"choose solver={' or '.join([*others, 'continuous'])}"
        )


def responds(portfolio: Portfolio, lattice: Lattice) -> bool:
    """Whether the best responses of portfolios, arrays [..., projects], need no table of all levels."""
    axes = len(portfolio.shape) - 1
    first = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape[axes:], a.dtype), portfolio)
    with jax.enable_x64(portfolio.dtype == np.float64):
        return portfolio.diminishing or few_candidates(first, lattice)


def check_batch(portfolio: Any) -> None:
    """An empty batch, of portfolios or of bets, is a `ValueError`."""
    if 0 in portfolio.shape:
        raise ValueError(f"a batch of shape {portfolio.shape[:-1]} has no portfolios, expected at least one")


def check_whole_units(portfolio: Portfolio, unit: float = 1.0) -> None:
    """Bounds between which a project has no whole number of units, or multiple of `unit`, are a
    `ValueError`."""
    if portfolio.lower is not None and portfolio.upper is not None:
        empty = np.ceil(portfolio.lower) > np.floor(portfolio.upper)
        if np.any(empty):
            low, high = (unit * np.asarray(a)[empty][0] for a in (portfolio.lower, portfolio.upper))
            what = "whole number of units" if unit == 1 else f"multiple of {unit:g}"
            raise ValueError(f"a project has no {what} within its limits {low:g} and {high:g}")


def check_budget(budget: float) -> float:
    """A budget as it is, or a `ValueError` that says what it is instead."""
    if not 0 <= budget <= MOST_BUDGET:
        raise ValueError(f"budget is {budget:g}, expected a number from 0 to {MOST_BUDGET:g}")
    return budget


def check_budgets(budget: float | np.ndarray, batch: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """The budget of each of a batch, or a `ValueError` that says what it is instead."""
    try:
        budgets = np.asarray(budget, dtype=float)
        budgets = np.broadcast_to(budgets, batch)
    except (TypeError, ValueError):
        raise ValueError(f"budget is {budget!r}, expected a number, or one for each portfolio") from None
    except OverflowError:
        raise ValueError(f"budget is beyond counting, expected a number from 0 to {MOST_BUDGET:g}") from None
    bad = budgets[~((budgets >= 0) & (budgets <= MOST_BUDGET))]
    if bad.size:
        check_budget(bad[0])
    return budgets.astype(dtype)


@functools.lru_cache(maxsize=256)
def compiled(solver: Solver, sizes: Lattice, static: tuple[tuple[str, Any], ...]) -> Program[Solution]:
    """The compiled solver, a function of (portfolio, budget, the lattice's numbers, the options that are
    numbers); one that was compiled before is taken as it was."""

    def run(portfolio: Portfolio, budget: Any, numbers: dict[str, Any], traced: dict[str, Any]) -> Solution:
        return solver(portfolio, budget, sizes._replace(**numbers), **dict(static), **traced)

    return program(run, shared=2)


def prepared(
    solver: str, lattice: Lattice, options: Options = MappingProxyType({})
) -> tuple[Program[Solution], tuple[dict[str, Any], dict[str, Any]]]:
    """The compiled solver, and what it takes besides portfolio and budget; see `batched`."""
    method = find_method(solver)
    code = compiled(method.solve, lattice.sizes, tuple(sorted(method.static(options).items())))
    return code, (lattice.numbers, method.traced(options))
