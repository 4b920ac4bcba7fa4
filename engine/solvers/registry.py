"""Solvers: each takes one portfolio, a budget and a lattice, and gives one `Solution`.

    solver(portfolio, budget, lattice, *, options...) -> Solution

Batches are `jax.vmap`'s business, compilation `jax.jit`'s. To add one: a file here with such a function, its
`Method` in `SOLVERS`, and a config of the same name with the values of its options under configs/solver/.

Its keyword-only arguments are its options, typed by their annotations. Numbers (`int`, `float`) are traced:
their values compile nothing, so they may be compared and computed with, but are no array lengths. Switches
(`bool`) and choices (`Literal`) are static: a value is a program of its own.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from engine.model.naming import one_of
from engine.model.portfolio import Portfolio
from engine.solvers.bound import bound
from engine.solvers.continuous import OPEN_NODES, continuous
from engine.solvers.cutoff import cutoff
from engine.solvers.density import density
from engine.solvers.exact import exact
from engine.solvers.greedy import greedy
from engine.solvers.lattice import Lattice
from engine.solvers.relaxation import relaxation
from engine.solvers.solution import Solution
from engine.solvers.waterfilling import waterfilling

Solver = Callable[..., Solution]
Options = Mapping[str, Any]
Effort = Literal["whole", "real"]
Takes = Literal["portfolio", "bet", "approaches", "coupled", "ruled", "plan"]
Prepare = Callable[[float, int, float, float], Mapping[str, Any]]
# What a solver holds of each project besides what grows with the lattice.
FEW_NUMBERS = 64


def a_table(portfolio: Portfolio, lattice: Lattice) -> int:
    """The returns of all levels, and a number for each budget step."""
    return lattice.units + lattice.states


def no_table(portfolio: Portfolio, lattice: Lattice) -> int:
    """Nothing that grows with the lattice: in a batch it looks to its memory itself, or counts nothing."""
    return 0


def a_table_of_jumps(portfolio: Portfolio, lattice: Lattice) -> int:
    """A table of returns where they do not diminish."""
    return 0 if portfolio.diminishing else a_table(portfolio, lattice)


def nothing_besides(budget: float, projects: int, cost: float, upper: float) -> Mapping[str, Any]:
    """No arrays besides."""
    return {}


@dataclass(frozen=True)
class Method:
    """A solver, and what is true of it.

    - `solve`: the function; see the module's first lines.
    - `effort`: whether its answers are whole units, or real effort, which needs no lattice; or a function of
      its options that tells.
    - `optimal`: whether it finds and proves the optimum over whole units, which it does in float64 whatever
      the portfolio's dtype: `"always"`, `"never"`, or `"with costs"`, where it is solved as exact if projects
      have costs.
    - `any_budget`: whether it holds nothing that grows with the budget: `"always"`, if best responses need no
      table, `"diminishing"`, if returns diminish, or `"never"`.
    - `budget_curve`: whether `engine.budget_curve` and `engine.budget_for` follow it.
    - `entries`: how many numbers it holds at once for each project, a function of (portfolio, lattice).
    - `takes`: what its function takes: a portfolio, a bet with its draws, one with the approaches of its
      projects, or one whose effort spills over (`engine.bets.methods`).
    - `prepare`: arrays that it takes besides, by name, computed once outside jit: a function of (budget,
      projects, least unit cost, largest upper limit).
    """

    solve: Solver
    effort: Effort | Callable[[Options], Effort] = "whole"
    optimal: Literal["always", "with costs", "never"] = "never"
    any_budget: Literal["always", "diminishing", "never"] = "never"
    budget_curve: bool = False
    entries: Callable[[Portfolio, Lattice], int] = a_table
    takes: Takes = "portfolio"
    prepare: Prepare = nothing_besides

    @property
    def counts(self) -> bool:
        """Whether it counts whole units, for which it needs a lattice."""
        return self.effort != "real"

    def real(self, options: Options) -> bool:
        """Whether its answers with these options are real effort."""
        effort = self.effort(self.defaults | dict(options)) if callable(self.effort) else self.effort
        return effort == "real"

    def exactly(self, costs: Any) -> bool:
        """Whether it proves optima over whole units of projects with these costs, None for none."""
        return self.optimal == "always" or (self.optimal == "with costs" and costs is not None)

    @property
    def options(self) -> dict[str, inspect.Parameter]:
        """Its options by name: the keyword-only arguments."""
        return _options(self.solve)

    @property
    def defaults(self) -> dict[str, Any]:
        """What its options are if not given."""
        return {n: p.default for n, p in self.options.items() if p.default is not inspect.Parameter.empty}

    def traced(self, options: Options) -> dict[str, Any]:
        """The numbers among its options, given or not: arguments of compiled code."""
        given = self.defaults | dict(options)
        return {n: self.options[n].annotation(v) for n, v in given.items() if self._is_number(n)}

    def static(self, options: Options) -> dict[str, Any]:
        """The switches and choices among its options, given or not: each value is a program of its own."""
        return {n: v for n, v in (self.defaults | dict(options)).items() if not self._is_number(n)}

    def _is_number(self, name: str) -> bool:
        return self.options[name].annotation in (int, float)


@functools.lru_cache(maxsize=64)
def _options(solve: Solver) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(solve, eval_str=True).parameters
    return {n: p for n, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}


def rounded_or_real(options: Options) -> Effort:
    """Whole units if the effort found is rounded."""
    return "whole" if options["rounding"] else "real"


SOLVERS: dict[str, Method] = {
    "greedy": Method(greedy, entries=a_table_of_jumps),
    "density": Method(density),
    "cutoff": Method(cutoff, optimal="with costs", any_budget="diminishing", entries=a_table_of_jumps),
    "waterfilling": Method(waterfilling, effort="real", budget_curve=True, entries=no_table),
    "relaxation": Method(relaxation, effort=rounded_or_real),
    "bound": Method(bound, any_budget="always"),
    "exact": Method(exact, optimal="always", any_budget="always", budget_curve=True, entries=no_table),
    "continuous": Method(continuous, effort="real", entries=lambda portfolio, lattice: 3 * OPEN_NODES),
}

# Solvers by the names that they had. They go with the next release.
OLD_NAMES = {"threshold": "cutoff"}

# The solver that others are compared with: the one that proves the optimum whatever the portfolio.
REFERENCE = next(name for name, method in SOLVERS.items() if method.optimal == "always")


def find_method(solver: str) -> Method:
    """The method of a name, today's or an old one, or a `ValueError` that names what is unknown."""
    if isinstance(solver, str) and solver not in SOLVERS:
        solver = OLD_NAMES.get(solver, solver)
    if not isinstance(solver, str) or solver not in SOLVERS:
        raise ValueError(f"unknown solver {solver!r}{one_of(solver, SOLVERS)}")
    method = SOLVERS[solver]
    if not isinstance(method, Method):
        raise ValueError(f"solver {solver} is a {type(method).__name__}, expected an engine.Method of it")
    return method


def check_options(solver: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options, or a `ValueError` that names the unknown solver, the unknown option or its wrong type."""
    return check_options_of(find_method(solver), solver, options)


def check_options_of(method: Method, solver: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options of a method of this name, or a `ValueError` that names the one that cannot be."""
    known = method.options
    if not isinstance(options, Mapping):
        raise ValueError(f"solver.{solver} is {options!r}, expected its options")
    for name, value in options.items():
        if name not in known:
            expected = one_of(name, known) if known else ", expected none: it has no options"
            raise ValueError(f"unknown option {name!r} of solver {solver}{expected}")
        _check_option(f"option {name} of solver {solver} is {value!r}", known[name].annotation, value)
    for name, option in known.items():
        if option.default is inspect.Parameter.empty and name not in options:
            raise ValueError(f"option {name} of solver {solver} is missing, it has no default")
    return options


def _check_option(what: str, kind: Any, value: Any) -> None:
    if choices := get_args(kind):
        if value not in choices:
            raise ValueError(f"{what}, expected {' or '.join(choices)}")
        return
    allowed = (int, float) if kind is float else (kind,)
    if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{what}, expected {kind.__name__}")
    if kind in (int, float) and not 0 < value < math.inf:
        raise ValueError(f"{what}, expected a number above 0")
