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

from engine.solvers.bound import bound
from engine.solvers.continuous import continuous
from engine.solvers.density import density
from engine.solvers.exact import exact
from engine.solvers.greedy import greedy
from engine.solvers.relaxation import relaxation
from engine.solvers.solution import Solution
from engine.solvers.threshold import threshold
from engine.solvers.waterfilling import waterfilling

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


def solver_options(name: str) -> dict[str, inspect.Parameter]:
    """The options of a solver by name: its keyword-only arguments."""
    parameters = inspect.signature(SOLVERS[name], eval_str=True).parameters
    return {n: p for n, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}


def real_effort(name: str, options: dict[str, Any]) -> bool:
    """Whether this solver's answers are real effort rather than whole units."""
    return name in ("waterfilling", "continuous") or (
        name == "relaxation" and not options.get("rounding", True)
    )
