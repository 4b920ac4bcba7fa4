"""Budgets of targets that lie beyond the budget curves that fit: found by a few dozen exact allocations.

V(b), the optimum in whole units, never falls with the budget. So the least budget of a value is found by
halving. The largest spend s with V(s) − r·s ≥ v is found from above: V(s) ≤ V(b) for all s ≤ b, so that none
between (V(b) − v)/r and b can be it, and b moves down there, until what it buys meets the condition. A return
per unit r has v = V(no effort); a price r has v = Σ_i max_k [w_i R_i(f_i(k)) − r c_i k] (Everett 1963).

Source: Dinkelbach (1967), "On nonlinear fractional programming", for the iteration from above.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from engine.allocation.allocate import choose_lattice, prepared
from engine.allocation.budget_curve import Terms
from engine.allocation.envelopes import Kind, origin
from engine.allocation.running import Program, batched, on_host, program, round_size
from engine.model.portfolio import Portfolio
from engine.solvers.lattice import Lattice
from engine.solvers.registry import FEW_NUMBERS
from engine.solvers.responses import Scalar, unit_response
from engine.solvers.rounding import value_error
from engine.solvers.solution import Solution

MOST_ALLOCATIONS = 10_000
Allocate = Callable[[np.ndarray], Solution]


class FarFound(NamedTuple):
    """Budgets that meet targets, whether any does, and the allocations there."""

    budget: Any
    met: Any
    solution: Solution


def find_far(
    portfolio: Portfolio, terms: Terms, kind: Kind, targets: np.ndarray, reach: np.ndarray
) -> FarFound:
    """The budgets that meet these targets, none above `reach`.

    **Raises:** `ValueError` for portfolios whose best responses need a table of all levels.
    """
    projects, most = terms.projects, float(np.max(reach))
    lattice = choose_lattice(["exact"], most, projects, terms.costs, terms.upper, lambda: portfolio)
    lattice = lattice.shared(projects, targets.size)
    code, shared = prepared("exact", lattice)
    size = round_size(portfolio, FEW_NUMBERS)

    def allocate(budgets: np.ndarray) -> Solution:
        return batched(code, portfolio, np.asarray(budgets, portfolio.dtype), size, shared)

    if kind == "value":
        return _least_of_value(allocate, targets, reach, lattice.step, projects)
    beat = batched(_compiled_beat(kind, lattice.sizes), portfolio, targets, size, (lattice.numbers, most))
    return _largest_of_rate(allocate, targets, beat, reach, projects)


def _least_of_value(
    allocate: Allocate, targets: np.ndarray, reach: np.ndarray, step: float, projects: int
) -> FarFound:
    """By halving, over budget steps."""

    def meets(solution: Solution) -> Any:
        return solution.value >= targets - on_host(value_error, projects, targets)

    low, high = np.zeros_like(reach), np.ceil(reach / step) * step
    met = meets(allocate(high))
    while np.any(high - low > 1.5 * step):
        middle = np.round(0.5 * (low + high) / step) * step
        ok = meets(allocate(middle))
        low, high = np.where(ok, low, middle), np.where(ok, middle, high)
    solution = allocate(high)
    return FarFound(solution.spent, met & meets(solution), solution)


def _largest_of_rate(
    allocate: Allocate, rates: np.ndarray, beat: np.ndarray, reach: np.ndarray, projects: int
) -> FarFound:
    """From above, until what a budget buys meets the rate."""
    budget = reach
    for _ in range(MOST_ALLOCATIONS):
        solution = allocate(budget)
        error = on_host(value_error, projects, np.abs(solution.value) + np.abs(beat))
        met = solution.value - rates * solution.spent >= beat - error
        if np.all(met | ~(budget > 0)):
            break
        below = np.minimum((solution.value - beat) / rates, np.nextafter(solution.spent, -np.inf))
        budget = np.where(met, budget, np.maximum(below, 0.0))
    return FarFound(solution.spent, met & (solution.spent > 0), solution)


@functools.lru_cache(maxsize=8)
def _compiled_beat(kind: Kind, sizes: Lattice) -> Program[Any]:
    """What V(s) − r·s must come to: see the module's first lines."""

    def beat(portfolio: Portfolio, rate: Scalar, numbers: dict[str, Any], most: Scalar) -> Scalar:
        least = jnp.ceil(portfolio.lowers())
        if kind == "return_per_unit":
            spend, value = origin(portfolio, kind, least)
            return value - rate * spend
        respond = unit_response(portfolio, jnp.asarray(most, portfolio.dtype), sizes._replace(**numbers))
        return jnp.sum(respond(rate).payoff)

    return program(beat, shared=2)
