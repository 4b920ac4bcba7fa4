"""The budget curve: the optimum of every budget at once, and what the next unit of budget is worth.

    V(b) = max { V(x) : Σ_i c_i x_i ≤ b },   b = 0, s, 2s, …, B

over the budget steps s of the lattice. Diminishing portfolios at equal costs are one greedy run, whose
path is nested and optimal at every length (Gross 1956; Fox 1966): O(N·B). All others are one max-plus
programme, which holds every V(b) when it is done; allocations are read back for all budgets together, one
project at a time: O(N·B²) operations and O(N·B) memory, as the programme itself. Real effort is
water-filled budget by budget.

Two rates run along it. The *marginal* return is what the next step gains, (V(b + s) − V(b))/s: on staged
curves it is nothing for long, then a jump. The *shadow price* is the slope of the least concave majorant of
V, the minimiser of the Lagrangian dual, and differs from it wherever V is not concave: where the next step
gains little, it is what saving up for the next jump returns on average. The majorant is that over all
budgets, those beyond the largest one asked for too (`engine.solvers.shadow`), and so the price is that of
`engine.allocate`, however far the curve goes. It has a left and a right side.

Sources: Ibaraki & Katoh (1988), chapter 3; Ayer, Brunk, Ewing, Reid & Silverman (1955) for the
pool-adjacent-violators algorithm.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from jax.tree_util import register_dataclass

from engine.allocation.allocate import (
    check_batch,
    check_budget,
    check_kind,
    check_unit,
    check_whole_units,
    choose_lattice,
)
from engine.allocation.answer import Allocation
from engine.allocation.facts import as_frame, in_words, known, milestones, plain
from engine.allocation.foresight import foresee
from engine.allocation.free import set_aside
from engine.allocation.optima import Budgets, Optima, along_path, along_programme, along_water, budget_steps
from engine.allocation.running import Program, batched, program, round_size
from engine.model.curves.base import Curve
from engine.model.lots import in_lots
from engine.model.portfolio import Portfolio, project_names
from engine.model.validation import check, normalise
from engine.solvers.lattice import MOST_STATES, Lattice
from engine.solvers.registry import SOLVERS
from engine.solvers.rounding import budget_slack
from engine.solvers.solution import Solution, Status

# Steps of the longest programme that a budget curve takes: minutes.
MOST_WORK = 1e12


@register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class BudgetCurve(Optima):
    """The optimum of every budget of one portfolio, or of a batch; printed, it is two lines.

    - `portfolio`: as it was given, its arrays [..., projects].
    - `solver`: by which it was found.

    and the arrays of the host [..., budgets], but for the one grid of budgets:

    - `budget`: the budgets, increasing.
    - `value`: the optimum V(b); NaN where the budget does not cover the lower limits.
    - `spent`: what the allocation uses of it. Nothing is spent that earns nothing.
    - `effort`: [..., budgets, projects], the optimal effort.
    - `marginal`: what the next step of budget gains, (V(b') − V(b))/(b' − b) with b' the next budget. NaN at
      the last one.
    - `price`: the shadow price, that of `Allocation.price`: the slope of the concave majorant of V over all
      budgets, to the right. Where V is concave it is the marginal return of a unit.
    - `price_left`: the shadow price to the left, at least `price`. Equal for real effort, where V is smooth.
      NaN where there is no such side: at the first budget and where the lower limits take it all.
    - `proved`: whether the value is the optimum beyond doubt. Costs without a common unit are rounded up to
      the lattice: values are then lower bounds of the optimum, none is proved, and prices are theirs.
    - `status`: the numbers of `engine.Status`.
    - `unit`: what effort was bought in multiples of.
    """

    portfolio: Portfolio
    solver: str = field(metadata={"static": True})
    unit: float = field(default=1.0, metadata={"static": True})

    @property
    def unspent(self) -> Budgets:
        """Budget that no effort within the limits could put to use."""
        return np.maximum(self.budget - self.spent, 0.0)  # type: ignore[return-value]

    @property
    def names(self) -> tuple[str, ...]:
        """The projects' names, or their numbers."""
        return project_names(self.portfolio)

    @property
    def whole(self) -> bool:
        """Whether effort is in whole units, or in whole multiples of them."""
        return SOLVERS[self.solver].counts and float(self.unit).is_integer()

    @property
    def how(self) -> str:
        """By what it was found, in words."""
        return in_words(self.solver, self.unit)

    def at(self, budget: float) -> Allocation:
        """The allocation at one budget. Whole units are looked up at the largest step within it.

        The bound is the value where that is proved, and infinite elsewhere.

        **Raises:** `ValueError` for a budget beyond the curve, one between those of real effort, and, for
        one portfolio, one that does not cover the lower limits.
        """
        place = self._place(budget)

        def now(numbers: Any) -> Any:
            return np.asarray(numbers)[..., place][()]

        value, proved = now(self.value), now(self.proved)
        arrays: dict[str, Any] = {
            "effort": np.asarray(self.effort)[..., place, :],
            "value": value,
            "bound": np.where(proved | np.isnan(value), value, np.inf)[()],
            "multiplier": now(self.price),
            "spent": now(self.spent),
            "proved": proved,
            "status": now(self.status),
        }
        batch = np.shape(value)
        budgets = np.full(batch, budget, float)[()]
        found = Allocation(self.portfolio, budgets, Solution(**arrays), self.solver, unit=self.unit)
        return found if batch else found.require_solved()

    def _place(self, budget: float) -> int:
        grid, number = np.asarray(self.budget), check_number(budget)
        place = int(np.searchsorted(grid, number + float(budget_slack(grid[-1])), side="right")) - 1
        if place < 0 or number > grid[-1] + self.unit:
            raise ValueError(
                f"budget is {number:g}, expected one of the curve's, {grid[0]:g} to {grid[-1]:g}"
            )
        if not SOLVERS[self.solver].counts and not math.isclose(grid[place], number, rel_tol=1e-6):
            near = " and ".join(f"{each:g}" for each in grid[place : place + 2])
            raise ValueError(f"budget is {number:g}, expected one of the curve's: the nearest are {near}")
        return place

    def milestones(self) -> dict[int, list[str]]:
        """What happens along the budget curve of one portfolio, in words: at which budgets, by their place, a
        project is first funded beyond its lower limit or reaches a stage."""
        self._check_one()
        return milestones(self.portfolio, np.asarray(self.effort), np.asarray(self.status) == Status.SOLVED)

    def to_dict(self) -> dict[str, Any]:
        """Lists of plain numbers, as `engine budget_curve format=json` prints them; None where there is none.

        **Raises:** `ValueError` for a batch.
        """
        columns = self.columns()
        efforts = {name: columns.pop(f"effort.{name}") for name in self.names}
        lots = {} if self.unit == 1 else {"unit": plain(self.unit, self.whole)}
        return {**columns, "effort": efforts, "solver": self.solver, **lots}

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame` of `columns()`: one row a budget.

        **Raises:** `ImportError` without pandas; `ValueError` for a batch.
        """
        return as_frame(self.columns())

    def columns(self) -> dict[str, list[Any]]:
        """Every budget of one portfolio, by column; the effort of each project in one of its own.

        **Raises:** `ValueError` for a batch.
        """
        self._check_one()
        names = ("budget", "value", "spent", "unspent", "marginal", "price", "price_left")
        efforts = zip(self.names, np.asarray(self.effort).T, strict=True)
        return {
            **{name: known(getattr(self, name)) for name in names},
            "proved": np.asarray(self.proved).tolist(),
            **{f"effort.{name}": known(effort, self.whole) for name, effort in efforts},
        }

    def __repr__(self) -> str:
        budget, value = np.asarray(self.budget), np.asarray(self.value)
        batch = value.shape[:-1]
        many = f", {' × '.join(f'{length:,}' for length in batch)} portfolios" if batch else ""
        solved = np.asarray(self.status) == Status.SOLVED
        least, most = (np.nanmin(value), np.nanmax(value)) if np.any(solved) else (math.nan, math.nan)
        proved = f"{np.count_nonzero(self.proved):,} of {value.size:,} values proved optimal"
        return (
            f"{budget.size:,} budgets from {budget[0]:.9g} to {budget[-1]:.9g} by {self.how}, "
            f"{len(self.names)} projects{many}\n"
            f"total return {least:.8g} to {most:.8g}, {proved}"
        )

    def _check_one(self) -> None:
        if np.ndim(self.value) > 1:
            raise ValueError("this is of one portfolio, and the curve of a batch: look at(budget) instead")


def budget_curve(
    portfolio: Portfolio | Curve,
    budget: float | np.ndarray,
    solver: str = "exact",
    *,
    unit: float | str | None = None,
) -> BudgetCurve:
    """The optimum of every budget from 0 to `budget`, in one call, for one portfolio or a batch.

    **Arguments:** `portfolio` of arrays [..., projects]; `budget`, the largest budget, common to the batch.
    With `solver="exact"`, whole units, every step of the lattice is a budget: 1 where costs are whole. With
    `solver="waterfilling"`, real effort, `budget` may be a grid of increasing budgets instead; a number is
    the grid 0, 1, …, ⌊budget⌋. It is exact for concave portfolios, and `proved` says where. `unit`, what
    effort is bought in multiples of, as for `engine.allocate`: a step is then one of those.

    **Raises:** `ValueError` naming what cannot be.
    """
    given = portfolio = checked(portfolio, solver)
    whole, lot = SOLVERS[solver].counts, 1.0
    if unit is not None:
        lot = check_unit(unit, np.asarray(check_number(budget)), portfolio, whole)
        portfolio, budget = in_lots(portfolio, lot), check_number(budget) / lot
    if whole:
        check_whole_units(portfolio, lot)
    portfolio, free = set_aside(portfolio, whole)
    shared: tuple[np.ndarray, ...] = ()
    if SOLVERS[solver].effort == "real":
        grid = _check_grid(budget).astype(portfolio.dtype)
        run, shared, entries = _compiled_water(), (grid,), 40 * grid.size
    else:
        nested, lattice = choose_method(terms_of(portfolio), check_number(budget))
        grid, run = budget_steps(lattice), _compiled_curve(nested, lattice)
        entries = lattice.units + 6 * lattice.states + 64
        foresee(budget_curve_steps(portfolio.shape, nested, lattice))
    numbers = np.zeros(portfolio.shape[:-1], portfolio.dtype)
    optima = batched(run, portfolio, numbers, round_size(portfolio, entries), shared)
    effort, value = optima.effort + np.expand_dims(free.effort, -2), optima.value + free.value[..., None]
    arrays = {**vars(optima), "budget": grid.astype(portfolio.dtype), "effort": effort, "value": value}
    if lot != 1:
        kind = portfolio.dtype.type(lot)
        arrays |= {name: arrays[name] * kind for name in ("budget", "spent", "effort")}
        arrays |= {name: arrays[name] / kind for name in ("marginal", "price", "price_left")}
    return BudgetCurve(**arrays, portfolio=given, solver=solver, unit=lot)


# The border.


def checked(portfolio: Portfolio | Curve, solver: str) -> Portfolio:
    """The portfolio, normalised, or a `ValueError` that names what is wrong with it or the solver."""
    known = [name for name, method in SOLVERS.items() if method.budget_curve]
    if solver not in known:
        raise ValueError(f"solver is {solver!r}, expected one of {', '.join(known)}")
    portfolio = normalise(portfolio)
    check(portfolio)
    check_batch(portfolio)
    check_kind(portfolio, solver, SOLVERS[solver].counts)
    return portfolio


def check_number(budget: Any) -> float:
    """The largest budget, or a `ValueError` that says what it is instead."""
    try:
        number = float(budget)
    except (TypeError, ValueError):
        raise ValueError(f"budget is {budget!r}, expected one number, the largest budget") from None
    return check_budget(number)


def _check_grid(budget: Any) -> np.ndarray:
    """The grid of budgets of real effort."""
    if np.ndim(budget) == 0:
        most = math.floor(check_number(budget))
        if most > MOST_STATES:
            raise ValueError(f"budget is {most:g}, expected at most {MOST_STATES:,}, or a grid of budgets")
        return np.arange(most + 1.0)
    try:
        grid = np.asarray(budget, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"budget is {budget!r}, expected a number or a list of increasing numbers") from None
    if grid.ndim != 1 or grid.size == 0 or not np.all(np.diff(grid) > 0):
        raise ValueError("budget is not a list of increasing numbers, expected one, or one number")
    check_number(grid[0])
    check_number(grid[-1])
    return grid


# The lattice and the method.


class Terms(NamedTuple):
    """What the choice of method and lattice depends on, besides the budget."""

    diminishing: bool
    projects: int
    costs: np.ndarray | None
    upper: float


def terms_of(portfolio: Portfolio) -> Terms:
    """What of a portfolio decides how its budget curve is computed."""
    costs = None if portfolio.cost is None else np.unique(portfolio.cost)
    upper = math.inf if portfolio.upper is None else float(np.max(portfolio.upper))
    return Terms(portfolio.diminishing, portfolio.shape[-1], costs, upper)


def choose_method(terms: Terms, budget: float) -> tuple[bool, Lattice]:
    """Whether greedy is optimal and nested, and the lattice; equal costs are its step, whatever they are."""
    equal = terms.costs is None or terms.costs.size == 1
    nested = equal and terms.diminishing
    method = "greedy" if nested else "exact"
    lattice = choose_lattice([method], budget, terms.projects, terms.costs, terms.upper).coarse(budget)
    work = terms.projects * lattice.states * lattice.units
    if not nested and work > MOST_WORK:
        raise ValueError(
            f"budget {budget:g} makes the curve of all budgets take {work:.1e} steps, expected at most "
            f"{MOST_WORK:.0e}: buy effort in lots (unit=auto), or allocate one budget"
        )
    return nested, lattice


def budget_curve_steps(shape: tuple[int, ...], nested: bool, lattice: Lattice) -> float:
    """How many steps the budget curves of portfolios of this shape take."""
    return math.prod(shape) * lattice.states * (1.0 if nested else lattice.units / 2)


@functools.lru_cache(maxsize=64)
def _compiled_curve(nested: bool, lattice: Lattice) -> Program[Optima]:
    along = along_path if nested else along_programme
    return program(lambda portfolio, _: along(portfolio, lattice))


@functools.lru_cache(maxsize=1)
def _compiled_water() -> Program[Optima]:
    return program(lambda portfolio, _, grid: along_water(portfolio, grid), shared=1)
