"""Bound: the Lagrangian bound, with the best feasible effort that its search meets."""

from __future__ import annotations

import jax.numpy as jnp

from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio
from engine.solvers.batching import in_chunks
from engine.solvers.branching import use_units
from engine.solvers.density import climb, table_entries
from engine.solvers.dual import Dual, integer_dual
from engine.solvers.greedy import fill
from engine.solvers.lattice import Lattice
from engine.solvers.responses import Scalar, unit_bounds
from engine.solvers.solution import Solution, conclude


def bound(portfolio: Portfolio, budget: Scalar, lattice: Lattice) -> Solution:
    """The Lagrangian bound, with the allocation of its affordable best responses, filled up by density; or
    unit by unit and by one project at once, where a table of jumps does not fit."""

    def solve(portfolio: Portfolio, budget: Scalar) -> tuple[Vector, Dual]:
        dual = integer_dual(portfolio, budget, lattice)
        least, most = unit_bounds(portfolio, budget, lattice)
        inside = jnp.maximum(dual.inside, least)
        if portfolio.diminishing:  # the densest jump is the next unit
            return fill(portfolio, budget, inside, most), dual
        if not lattice.tables:
            return use_units(portfolio, budget, inside, lattice), dual
        return climb(portfolio, budget, inside, lattice), dual

    entries = table_entries(portfolio, lattice) if lattice.tables else portfolio.shape[-1]
    effort, dual = in_chunks(solve, entries)(portfolio, budget)
    return conclude(portfolio, budget, effort, dual.price, dual.bound)
