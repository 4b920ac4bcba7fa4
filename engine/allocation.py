"""The border between a user's portfolios and the solvers: validate once, choose the lattice, batch, run.

dtype follows the input: portfolios of NumPy float64 arrays (or lists and numbers) are solved in float64
whatever JAX's own default, float32 ones in float32; but what is proved optimal is always proved in float64.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import os
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast, get_args

import jax
import numpy as np

from engine.curves import Curve
from engine.lattice import NO_LATTICE, Lattice, build_lattice
from engine.portfolio import Portfolio, check, normalise
from engine.solvers import SOLVERS, Solution, real_effort, solver_options
from engine.solvers.continuous import OPEN_NODES
from engine.solvers.solution import INFEASIBLE, NOT_FINITE

MOST_BUDGET = 1e15
MOST_WORK = 1e12
# How many numbers the portfolios that go to a device at once may hold there. It takes millions of them to
# fill an accelerator, and every chunk waits for its way there and back.
CHUNK_ENTRIES, ACCELERATOR_CHUNK_ENTRIES = 30_000_000, 1 << 28
LEAST_CHUNK = 64
NEEDS_NO_LATTICE = ("waterfilling", "continuous")

T = TypeVar("T")


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


def batched(
    run: Callable[[Portfolio, np.ndarray], T], portfolio: Portfolio, numbers: np.ndarray, size: int
) -> T:
    """Run a function of (portfolios, one number each) over a batch of any leading axes, `size` at once."""
    batch = portfolio.shape[:-1]
    bare = dataclasses.replace(portfolio, names=())
    flat = jax.tree.map(lambda a: np.reshape(a, (-1, *a.shape[len(batch) :])), bare)
    chunks = _in_chunks(run, flat, numbers.reshape(-1), size)
    return jax.tree.map(lambda *parts: np.concatenate(parts).reshape(batch + parts[0].shape[1:])[()], *chunks)


def chunk_size(portfolio: Portfolio, entries: int) -> int:
    """How many portfolios run at once, at so many numbers a project: bounded memory, whatever the batch."""
    room = CHUNK_ENTRIES if jax.default_backend() == "cpu" else ACCELERATOR_CHUNK_ENTRIES
    return max(1, room // (portfolio.shape[-1] * entries))


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


def _in_chunks(
    run: Callable[[Portfolio, np.ndarray], T], flat: Portfolio, numbers: np.ndarray, size: int
) -> list[T]:
    """Run chunk by chunk; the last one is filled up with its own last portfolio to keep one shape.

    On CPUs a chunk for each core runs at the same time: within one, XLA leaves cores idle where loops are
    short.
    """
    count = numbers.shape[0]
    workers = min(_workers(), max(1, count // LEAST_CHUNK))
    size = max(1, min(size // workers, -(-count // workers)))

    def rows(start: int) -> tuple[Portfolio, np.ndarray]:
        part = slice(start, start + size)
        if start + size > count:
            return jax.tree.map(
                lambda a: a[np.minimum(np.arange(start, start + size), count - 1)], (flat, numbers)
            )
        return jax.tree.map(lambda a: a[part], (flat, numbers))

    def answer(start: int) -> T:
        with jax.enable_x64(numbers.dtype == np.float64):
            kept = min(size, count - start)
            return jax.tree.map(lambda a: np.asarray(a)[:kept], ready(*rows(start)))

    ready, starts = run, range(0, count, size)
    if workers == 1 or len(starts) == 1:
        return [answer(start) for start in starts]
    if isinstance(run, jax.stages.Wrapped):  # compiled before the threads begin, so that it is compiled once
        with jax.enable_x64(numbers.dtype == np.float64):
            ready = _executable(cast(Any, run), *_signature(rows(0)))
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(answer, starts))


def _workers() -> int:
    return len(os.sched_getaffinity(0)) if jax.default_backend() == "cpu" else 1


def _signature(arguments: Any) -> tuple[Any, tuple[jax.ShapeDtypeStruct, ...]]:
    leaves, structure = jax.tree.flatten(arguments)
    return structure, tuple(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in leaves)


@functools.lru_cache(maxsize=256)
def _executable(run: Any, structure: Any, leaves: tuple[jax.ShapeDtypeStruct, ...]) -> Callable[..., Any]:
    return run.lower(*jax.tree.unflatten(structure, leaves)).compile()
