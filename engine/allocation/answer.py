"""Answers as users hold them: a solution, with the portfolio, the budget and the solver it belongs to."""

from __future__ import annotations

import functools
import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jax.tree_util import register_dataclass
from jaxtyping import Bool, Float

from engine.allocation.facts import as_frame, in_words, plain, project_rows, stated
from engine.allocation.measured_ends import notes_on_ends
from engine.allocation.prices import shadow_prices
from engine.allocation.solved import Solved
from engine.model.portfolio import Portfolio, project_names
from engine.model.rising import units_bought
from engine.solvers.registry import SOLVERS
from engine.solvers.solution import Solution, Status

# How many projects a printed line names.
MOST_NAMED = 8


@register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class Allocation(Solved):
    """A budget allocated over one portfolio, or over a batch of them; arrays of the host.

    Printed, it is two lines. `allocation[i]` is that of one portfolio of a batch.

    - `portfolio`: as it was given, its arrays [..., projects].
    - `budget`: [...], what there was to spend.
    - `solution`: the arrays that the solver gave; see `engine.Solution`.
    - `solver`, `options`: by which it was found.
    - `unit`: what effort was bought in multiples of.
    - `counted`: where the objective is profit, what a unit of budget is counted at; else 0.
    """

    portfolio: Portfolio
    budget: Float[np.ndarray, ...]
    solution: Solution
    solver: str = field(metadata={"static": True})
    options: Mapping[str, Any] = field(default_factory=dict, metadata={"static": True})
    unit: float = field(default=1.0, metadata={"static": True})
    counted: float = field(default=0.0, metadata={"static": True})

    @property
    def value(self) -> Float[np.ndarray, ...]:
        """V(effort), the total return; where the objective is profit, less what the spend is counted at."""
        return self.solution.value  # type: ignore[return-value]

    @property
    def gap(self) -> Float[np.ndarray, ...]:
        """The certified optimality gap, (bound − value)/|bound|; 0 where the answer is proved."""
        return self.solution.gap[()]  # type: ignore[return-value]

    @property
    def price(self) -> Float[np.ndarray, ...]:
        """The shadow price of the budget: the slope to its right of the concave majorant of the optimum, over
        all budgets. It belongs to portfolio and budget, and is the same whatever the solver, but for whole
        units, lots and real effort; NaN where the budget does not cover the lower limits, infinite where
        some project's returns increase without end."""
        return self._prices.right

    @property
    def price_left(self) -> Float[np.ndarray, ...]:
        """The shadow price to the left of the budget, at least `price`: what a little less budget costs. NaN
        where the lower limits take all of it."""
        return self._prices.left

    @functools.cached_property
    def _prices(self) -> Any:
        """Found when they are first asked for."""
        real = SOLVERS[self.solver].real(self.options)
        return shadow_prices(self.portfolio, self.budget, real=real, unit=self.unit, counted=self.counted)

    @property
    def returned(self) -> Float[np.ndarray, ...]:
        """V(effort), the total return, whatever the objective is."""
        return (self.value + self.counted * self.spent)[()] if self.counted else self.value

    @property
    def why_unspent(self) -> str:
        """Why budget is left over of one allocation, in words; nothing where none is."""
        if not self.unspent > 1e-9 * max(float(self.budget), 1.0):
            return ""
        upper = np.inf if self.portfolio.upper is None else self.portfolio.upper
        costs = 1.0 if self.portfolio.cost is None else self.portfolio.cost
        real = SOLVERS[self.solver].real(self.options)
        more = 1e-9 * (1.0 + self.effort) if real else self.unit
        room = self.effort + more <= upper
        if not np.any(room):
            return "all at their upper limits"
        if self.price == 0:
            return "nothing more pays"
        if np.any(room & (costs * more <= self.unspent * (1.0 + 1e-12))):
            return f"{self.solver} found nothing more that pays"
        return "no further unit fits" if self.unit == 1 else "no further lot fits"

    @property
    def units(self) -> Float[np.ndarray, "... projects"] | None:
        """Where prices rise and `effort` is money: the units of effort that it buys; else None."""
        return units_bought(self.portfolio.curves, self.effort)

    @property
    def unspent(self) -> Float[np.ndarray, ...]:
        """Budget left over."""
        return np.maximum(self.budget - self.spent, 0.0)

    @property
    def names(self) -> tuple[str, ...]:
        """The projects' names, or their numbers."""
        return project_names(self.portfolio)

    @property
    def whole(self) -> bool:
        """Whether effort is in whole units, or in whole multiples of them."""
        return not SOLVERS[self.solver].real(self.options) and float(self.unit).is_integer()

    @property
    def how(self) -> str:
        """By what it was found, in words."""
        return in_words(self.solver, self.unit)

    @functools.cached_property
    def notes(self) -> tuple[str, ...]:
        """What is to be known of one allocation, a line each: projects whose effort goes beyond the last
        measured point of a table, or stops at it though the curve still rose there. None of a batch."""
        if self.batch or self.status != Status.SOLVED:
            return ()
        lot = 0.0 if SOLVERS[self.solver].real(self.options) else float(self.unit)
        price = float(self.solution.multiplier)
        return tuple(notes_on_ends(self.portfolio, self.effort, price, lot))

    def __getitem__(self, index: Any) -> Allocation:
        return jax.tree.map(lambda a: a[index], self)

    def effort_of(self, name: str) -> Float[np.ndarray, ...]:
        """The effort of one project.

        **Raises:** `ValueError` for a name that no project has.
        """
        if name not in self.names:
            raise ValueError(f"unknown project {name!r}, expected one of {_listed(self.names)}")
        return self.effort[..., self.names.index(name)][()]

    def projects(self) -> list[dict[str, Any]]:
        """One row a project: its name, effort, performance, return, what the next `unit` of effort gains (NaN
        at the upper limit), its stage, counted from 1, and whether that is the frontier.

        **Raises:** `ValueError` for a batch.
        """
        self._check_one("projects() is")
        rows = project_rows(self.portfolio, self.effort, self.unit)
        bought = [{}] * len(rows) if self.units is None else [{"units": float(u)} for u in self.units]
        return [{**row, **more} for row, more in zip(rows, bought, strict=True)]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, as `engine allocate format=json` prints them; lists for a batch. A price that is
        infinite, or of no such side, is None."""
        whole, last = self.whole, np.moveaxis(self.effort, -1, 0)
        return {
            "effort": {name: plain(units, whole) for name, units in zip(self.names, last, strict=True)},
            **{name: plain(getattr(self, name)) for name in ("value", "bound", "gap", "proved")},
            **{name: stated(getattr(self, name)) for name in ("price", "price_left")},
            **{name: plain(getattr(self, name)) for name in ("budget", "spent", "unspent")},
            "solver": self.solver,
            **({} if self.units is None else {"units": self._units()}),
            **(self._profit() if self.counted else {}),
            **({} if self.unit == 1 else {"unit": plain(self.unit, self.whole)}),
        }

    def _units(self) -> dict[str, Any]:
        """What the money of each project buys."""
        bought: Any = self.units
        return dict(zip(self.names, (plain(each) for each in np.moveaxis(bought, -1, 0)), strict=True))

    def _profit(self) -> dict[str, Any]:
        """What is said of a profit: what it is made of, and why no more is spent."""
        reason = {} if self.batch else {"why_unspent": self.why_unspent}
        return {"objective": "profit", "per_unit": self.counted, "return": plain(self.returned), **reason}

    @property
    def totals(self) -> str:
        """The total return of one allocation, or the profit and what it is made of."""
        if not self.counted:
            return f"total return {self.value:.8g}"
        spend = f"{self.spent:g}" if self.counted == 1 else f"{self.counted:g} × {self.spent:g} spent"
        return f"profit {self.value:.8g}, return {self.returned:.8g} less {spend}"

    @property
    def left_over(self) -> str:
        """What is unspent of one allocation, and why."""
        reason = f": {self.why_unspent}" if self.why_unspent else ""
        return f"unspent {self.unspent:g}{reason}"

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame`: the rows of `projects()`, or one row a portfolio of a batch.

        **Raises:** `ImportError` without pandas.
        """
        if not self.batch:
            return as_frame(self.projects())
        names = ["budget", "value", "bound", "gap", "proved", "price", "price_left"]
        names += ["spent", "unspent", "status"]
        columns = {name: np.ravel(getattr(self, name)) for name in names}
        efforts = {f"effort.{name}": np.ravel(self.effort_of(name)) for name in self.names}
        axes = [f"axis {i}" for i in range(len(self.batch))] if len(self.batch) > 1 else ["portfolio"]
        places = zip(axes, np.indices(self.batch), strict=True)
        return as_frame({**{axis: np.ravel(at) for axis, at in places}, **columns, **efforts})

    @property
    def proof(self) -> str:
        """How good one allocation is known to be, in words."""
        return "proved optimal" if self.proved else f"gap at most {100 * float(self.gap):.4f} %"

    def require_solved(self) -> Allocation:
        """Itself, one allocation that was solved.

        **Raises:** `ValueError` saying why it was not.
        """
        if self.status == Status.INFEASIBLE:
            units = " in whole units" if self.whole else ""
            raise ValueError(f"budget {self.budget:g} does not cover the projects' lower limits{units}")
        if self.status == Status.NOT_FINITE:
            raise ValueError(
                "the total return is not a finite number, expected parameters of lesser magnitude"
            )
        return self

    def __repr__(self) -> str:
        return "\n".join(self._batch_lines() if self.batch else self._lines())

    def _lines(self) -> list[str]:
        head = f"budget {self.budget:.9g} by {self.how}: {self._efforts()}"
        if self.status != Status.SOLVED:
            return [head, Status(int(self.solution.status)).message]
        price = f"shadow price {self.price:.6g} per unit of budget, {self.left_over}"
        found = [head, f"{self.totals}, {self.proof}; {price}"]
        return [*found, *(f"note: {note}" for note in self.notes)]

    def _efforts(self) -> str:
        """What goes where, in words; of many projects the largest efforts."""
        if not self.portfolio.names:
            more = [f"{self.effort.size - MOST_NAMED} more"] if self.effort.size > MOST_NAMED else []
            return "effort " + ", ".join([*(f"{units:g}" for units in self.effort[:MOST_NAMED]), *more])
        places = sorted(np.argsort(-self.effort, kind="stable")[:MOST_NAMED])
        more = [f"{len(self.names) - MOST_NAMED} more"] if len(self.names) > MOST_NAMED else []
        return ", ".join([*(f"{self.names[i]} {self.effort[i]:g}" for i in places), *more])

    def _batch_lines(self) -> list[str]:
        low, high = np.min(self.budget), np.max(self.budget)
        budgets = f"budget {low:.9g}" if low == high else f"budgets {low:.9g} to {high:.9g}"
        solved = np.asarray(self.status) == Status.SOLVED
        counts = f"{np.count_nonzero(self.proved):,} proved optimal, {np.count_nonzero(~solved):,} not solved"
        mean = float(np.mean(self.value[solved])) if np.any(solved) else float("nan")
        shape = " × ".join(f"{length:,}" for length in self.batch)
        return [
            f"{shape} portfolios of {len(self.names)} projects, {budgets} by {self.how}",
            f"mean total return {mean:.8g}, {counts}",
        ]

    def _repr_html_(self) -> str:
        lines = [html.escape(line) for line in repr(self).splitlines()]
        if self.batch or self.status != Status.SOLVED:
            return f"<p>{'<br>'.join(lines)}</p>"
        rows = self.projects()
        head = "".join(f"<th>{key}</th>" for key in rows[0])
        cells = [[html.escape(_cell(value)) for value in row.values()] for row in rows]
        body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in cells)
        caption = "<br>".join([f"budget {self.budget:.9g} by {html.escape(self.how)}", *lines[1:]])
        return f"<table><caption>{caption}</caption><tr>{head}</tr>{body}</table>"

    def _check_one(self, what: str) -> None:
        if self.batch:
            raise ValueError(
                f"{what} of one portfolio, this is a batch of shape {self.batch}: take one by [i]"
            )


@register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class BudgetFound:
    """The budget that a target asks for, and the allocation there; printed, it is three lines.

    - `target`: what was asked for, by its kind: {"value": 15.0}.
    - `allocation`: that at the budget; infeasible where there is none.
    - `best`: where there is none, the best that any budget attains: the largest value, return per unit or
      price. NaN elsewhere, and where the budget would be beyond what whole units can count.
    - `proved`: whether this is the very least (or largest) budget, a whole step of the lattice. Costs without
      a common unit leave it a budget that meets the target, and may leave a better one unseen.
    """

    target: dict[str, Float[np.ndarray, ...]]
    allocation: Allocation
    best: Float[np.ndarray, ...]
    proved: Bool[np.ndarray, ...]

    @property
    def budget(self) -> Float[np.ndarray, ...]:
        """The budget; infinite where none meets the target."""
        return self.allocation.budget

    @property
    def notes(self) -> tuple[str, ...]:
        """Those of the allocation."""
        return self.allocation.notes

    @property
    def goal(self) -> str:
        """What the budget of one portfolio is for, in words."""
        ((kind, number),) = self.target.items()
        words = {
            "value": f"the least that returns {number:g}",
            "return_per_unit": f"the most that returns {number:g} per unit on average",
            "price": f"the most whose last spending returns {number:g} per unit",
        }
        return words[kind] if self.proved else f"{words[kind]}, not proved"

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, as `engine allocate format=json` prints them; lists for a batch."""
        target = {kind: plain(number) for kind, number in self.target.items()}
        return {**self.allocation.to_dict(), "target": target, "budget_proved": plain(self.proved)}

    def __repr__(self) -> str:
        if np.ndim(self.budget):
            met = np.count_nonzero(np.isfinite(self.budget))
            goal = f"{next(iter(self.target))}: {met:,} of {np.size(self.budget):,} targets are met"
        else:
            goal = f"budget {self.budget:.9g}: {self.goal}"
        return f"{goal}\n{self.allocation!r}"


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (", …" if len(names) > MOST_NAMED else "")
