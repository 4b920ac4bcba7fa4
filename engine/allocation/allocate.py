"""The border between a user's portfolios and the solvers: validate once, choose the lattice, batch, run.

dtype follows the input: portfolios of NumPy float64 arrays (or lists and numbers) are solved in float64
whatever JAX's own default, float32 ones in float32; but what is proved optimal is always proved in float64.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Iterable
from typing import Any, get_args

import jax
import numpy as np

from engine.allocation.running import batched, chunk_size
from engine.model.curves.base import Curve
from engine.model.portfolio import Portfolio
from engine.model.validation import check, normalise
from engine.solvers.continuous import OPEN_NODES
from engine.solvers.lattice import NO_LATTICE, Lattice, build_lattice
from engine.solvers.registry import SOLVERS, real_effort, solver_options
from engine.solvers.solution import INFEASIBLE, NOT_FINITE, Solution

MOST_BUDGET = 1e15


MOST_WORK = 1e12


NEEDS_NO_LATTICE = ("waterfilling", "continuous")


def allocate(portfolio: Portfolio | Curve, budget: float, solver: str = "exact", **options: Any) -> Solution:
    """Allocate a budget over one portfolio.

    **Arguments:** `portfolio` of arrays [projects]; `budget` in units of cost; `solver`, a name in
    `engine.SOLVERS`; `options` of that solver.

    **Returns:** a `Solution` of NumPy numbers.

    **Raises:** `ValueError` naming what cannot be: a parameter out of its domain, lower bounds above the
    upper ones or above the budget, a budget that is negative, not a number or too large, an unknown solver
    or option.
    """
    solution = solve(portfolio, budget, solver, **options)
    if solution.effort.ndim != 1:
        raise ValueError(f"allocate takes one portfolio, got a batch of shape {solution.effort.shape[:-1]}")
    if int(solution.status) == INFEASIBLE:
        units = "" if real_effort(solver, options) else " in whole units"
        raise ValueError(f"budget {budget:g} does not cover the projects' lower bounds{units}")
    if int(solution.status) == NOT_FINITE:
        raise ValueError("the total return is not a finite number, expected parameters of lesser magnitude")
    return solution


def solve(
    portfolio: Portfolio | Curve, budget: float | np.ndarray, solver: str = "exact", **options: Any
) -> Solution:
    """Allocate over a batch of portfolios: arrays [..., projects] with any leading axes.

    `budget` is one number or an array of the batch's shape. A portfolio that cannot be solved does not
    raise: its `status` tells (see `Solution`). For the rest, see `allocate`.
    """
    options = check_options(solver, options)
    portfolio = normalise(portfolio)
    if solves_exactly(solver, portfolio.cost):
        portfolio = normalise(portfolio, np.dtype(np.float64))
    check(portfolio)
    check_batch(portfolio)
    budgets = _check_budget(budget, portfolio.shape[:-1], portfolio)
    if not real_effort(solver, options):
        check_whole_units(portfolio)
    upper = math.inf if portfolio.upper is None else float(np.max(portfolio.upper))
    most = float(np.max(budgets, initial=0.0))
    lattice = choose_lattice([solver], most, portfolio.shape[-1], portfolio.cost, upper)
    run = compiled(solver, lattice, tuple(sorted(options.items())))
    return batched(run, portfolio, budgets, chunk_size(portfolio, _entries(solver, lattice, portfolio)))


def check_options(solver: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options, or a `ValueError` that names the unknown solver, the unknown option or its wrong type."""
    if not isinstance(solver, str) or solver not in SOLVERS:
        raise ValueError(f"unknown solver {solver!r}, expected one of {', '.join(SOLVERS)}")
    known = solver_options(solver)
    for name, value in options.items():
        if name not in known:
            expected = f"one of {', '.join(known)}" if known else "none: it has no options"
            raise ValueError(f"unknown option {name!r} of solver {solver}, expected {expected}")
        kind = known[name].annotation
        if choices := get_args(kind):
            if value not in choices:
                raise ValueError(
                    f"option {name} of solver {solver} is {value!r}, expected {' or '.join(choices)}"
                )
            continue
        allowed = (int, float) if kind is float else (kind,)
        if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
            raise ValueError(f"option {name} of solver {solver} is {value!r}, expected {kind.__name__}")
        if kind in (int, float) and not 0 < value < math.inf:
            raise ValueError(f"option {name} of solver {solver} is {value!r}, expected a number above 0")
    return options


def solves_exactly(solver: str, costs: Any) -> bool:
    """Whether this solver proves whole-unit optima, which takes float64 whatever the portfolio's dtype."""
    return solver == "exact" or (solver == "threshold" and costs is not None)


def choose_lattice(
    solvers: Iterable[str],
    budget: float,
    projects: int,
    costs: Any = None,
    upper: float = math.inf,
) -> Lattice:
    """The lattice that these solvers need; see `build_lattice`. Warns if one of them stands for another.

    **Raises:** `ValueError` for a budget beyond what they can count or compute.
    """
    if all(solver in NEEDS_NO_LATTICE for solver in solvers):
        return NO_LATTICE
    solvers = set(solvers)
    lattice = build_lattice(budget, projects, costs, upper)
    work = projects * lattice.states * lattice.units
    if "threshold" in solvers and costs is not None and np.ptp(costs) > 0:
        warnings.warn("costs differ, where greedy is not exact: threshold is solved as exact", stacklevel=3)
    if any(solves_exactly(solver, costs) for solver in solvers) and work > MOST_WORK:
        raise ValueError(
            f"budget {budget:g} makes the exact solver take {work:.1e} steps, expected at most "
            f"{MOST_WORK:.0e}: measure effort in larger units, or choose solver=bound"
        )
    return lattice


def check_batch(portfolio: Portfolio) -> None:
    """An empty batch is a `ValueError`."""
    if 0 in portfolio.shape:
        raise ValueError(f"a batch of shape {portfolio.shape[:-1]} has no portfolios, expected at least one")


def check_whole_units(portfolio: Portfolio) -> None:
    """Bounds between which a project has no whole number of units are a `ValueError`."""
    if portfolio.lower is not None and portfolio.upper is not None:
        empty = np.ceil(portfolio.lower) > np.floor(portfolio.upper)
        if np.any(empty):
            low, high = np.asarray(portfolio.lower)[empty][0], np.asarray(portfolio.upper)[empty][0]
            raise ValueError(f"a project has no whole number of units within its bounds {low:g} and {high:g}")


def _check_budget(budget: float | np.ndarray, batch: tuple[int, ...], portfolio: Portfolio) -> np.ndarray:
    try:
        budgets = np.asarray(budget, dtype=float)
        budgets = np.broadcast_to(budgets, batch)
    except (TypeError, ValueError):
        raise ValueError(f"budget is {budget!r}, expected a number, or one for each portfolio") from None
    bad = ~((budgets >= 0) & (budgets <= MOST_BUDGET))
    if np.any(bad):
        raise ValueError(f"budget is {budgets[bad].flat[0]:g}, expected a number from 0 to {MOST_BUDGET:g}")
    return budgets.astype(portfolio.dtype)


def _entries(solver: str, lattice: Lattice, portfolio: Portfolio) -> int:
    """How many numbers a solver holds at once for each project."""
    needs_no_table = ("exact", "waterfilling", *(("greedy", "threshold") if portfolio.diminishing else ()))
    boxes = 3 * OPEN_NODES if solver == "continuous" else 0
    levels = 0 if solver in needs_no_table else lattice.units + lattice.states
    return levels + boxes + 64


@functools.lru_cache(maxsize=256)
def compiled(
    solver: str, lattice: Lattice, options: tuple[tuple[str, Any], ...]
) -> Callable[[Portfolio, np.ndarray], Solution]:
    """The compiled solver of a batch; one that was compiled before is taken as it was."""
    method = SOLVERS[solver]
    return jax.jit(jax.vmap(lambda p, b: method(p, b, lattice, **dict(options))))
