"""Solvers: each takes one portfolio, a budget and a lattice, and gives one `Solution`.

    solver(portfolio, budget, lattice, *, options...) -> Solution

Batches are `jax.vmap`'s business, compilation `jax.jit`'s. To add one: a file here with such a function,
its name in `SOLVERS`, and a config of the same name under configs/solver/. Its keyword-only arguments are
its options, typed by their annotations; whatever is wrong with an option is a `ValueError`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from engine.curves import Vector
from engine.lattice import Lattice
from engine.portfolio import Portfolio
from engine.solvers.batching import in_chunks
from engine.solvers.bounds import Dual, Scalar, integer_dual, unit_bounds
from engine.solvers.continuous import continuous
from engine.solvers.density import climb, density, table_entries
from engine.solvers.exact import exact
from engine.solvers.greedy import Path, fill, greedy, greedy_path
from engine.solvers.relaxation import relaxation
from engine.solvers.solution import Solution, conclude
from engine.solvers.threshold import threshold
from engine.solvers.waterfilling import waterfilling


def bound(portfolio: Portfolio, budget: Scalar, lattice: Lattice) -> Solution:
    """The Lagrangian bound, with the allocation of its affordable best responses, filled up by density."""

    def solve(portfolio: Portfolio, budget: Scalar) -> tuple[Vector, Dual]:
        dual = integer_dual(portfolio, budget, lattice)
        least, most = unit_bounds(portfolio, budget, lattice)
        inside = jnp.maximum(dual.inside, least)
        if portfolio.diminishing:  # the densest jump is the next unit
            return fill(portfolio, budget, inside, most), dual
        return climb(portfolio, budget, inside, lattice), dual

    effort, dual = in_chunks(solve, table_entries(portfolio, lattice))(portfolio, budget)
    return conclude(portfolio, budget, effort, dual.price, dual.bound)


Solver = Callable[..., Solution]

SOLVERS: dict[str, Solver] = {
    "greedy": greedy,
    "density": density,
    "threshold": threshold,
    "waterfilling": waterfilling,
    "relaxation": relaxation,
    "bound": bound,
    "exact": exact,
    "continuous": continuous,
}

__all__ = ["SOLVERS", "Path", "Solution", "Solver", "greedy_path", "real_effort", "solver_options"]


def solver_options(name: str) -> dict[str, inspect.Parameter]:
    """The options of a solver by name: its keyword-only arguments."""
    parameters = inspect.signature(SOLVERS[name], eval_str=True).parameters
    return {n: p for n, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}


def real_effort(name: str, options: dict[str, Any]) -> bool:
    """Whether this solver's answers are real effort rather than whole units."""
    return name in ("waterfilling", "continuous") or (
        name == "relaxation" and not options.get("rounding", True)
    )
