"""`place_spread`: budgets over several periods, where effort counts for later ones too."""

from __future__ import annotations

import dataclasses
import functools
import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_dataclass
from jaxtyping import Float

from engine.allocation.allocate import check_batch, check_budgets
from engine.allocation.bet import Beside, Bet, beside_text
from engine.allocation.facts import plain
from engine.allocation.running import Program, batched, program, round_size
from engine.model.portfolio import project_names
from engine.periods.plan import Scheduled, schedule
from engine.periods.spread import Spread, normalise_spread
from engine.solvers.responses import Scalar
from engine.solvers.solution import Status

MOST_PERIODS = 1000
# Numbers a project that one problem holds while it is solved, times periods², and starts where it has some.
NUMBERS = 24
HOW = {True: "interior point", False: "gradient from {starts} starts"}


@register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class Schedule(Bet):
    """Budgets placed over periods, or those of a batch; arrays of the host. Printed, it is a few lines.

    As `engine.Bet`, with effort [..., periods, projects] in `solution`, `budget` that of all periods
    together, and:

    - `budgets`: [..., periods], or [..., 1] where there is one over all.
    - `spending`: [..., periods], what is spent in each.
    - `effective`: [..., periods, projects], the effort that counts.
    - `returns`: [..., periods, projects], not discounted; `value` is their discounted sum.
    - `multipliers`: of each of the budgets, what a little more of it would return, discounted.
    """

    budgets: Float[np.ndarray, "... budgets"] = dataclasses.field(default_factory=lambda: np.zeros(1))
    spending: Float[np.ndarray, "... periods"] = dataclasses.field(default_factory=lambda: np.zeros(1))
    effective: Float[np.ndarray, "... periods projects"] = dataclasses.field(
        default_factory=lambda: np.zeros((1, 1))
    )
    returns: Float[np.ndarray, "... periods projects"] = dataclasses.field(
        default_factory=lambda: np.zeros((1, 1))
    )
    multipliers: Float[np.ndarray, "... budgets"] = dataclasses.field(default_factory=lambda: np.zeros(1))

    @property
    def batch(self) -> tuple[int, ...]:
        """The leading axes, none of a single answer."""
        return np.shape(self.solution.effort)[:-2]

    @property
    def periods(self) -> int:
        """How many there are."""
        return int(self.effort.shape[-2])

    @property
    def names(self) -> tuple[str, ...]:
        """The projects' names."""
        return tuple(place[0] for place in self.places)

    def __getitem__(self, index: Any) -> Schedule:
        return jax.tree.map(lambda a: np.asarray(a)[index], self)

    def rows(self) -> list[dict[str, Any]]:
        """One row a period and project: period from 1 on, project, effort, effective effort, return.

        **Raises:** `ValueError` for a batch.
        """
        if self.batch:
            raise ValueError(f"rows() is of one bet, this is a batch of shape {self.batch}: take one by [i]")
        columns = {"effort": self.effort, "effective": self.effective, "return": self.returns}
        return [
            {
                "period": period + 1,
                "project": name,
                **{key: float(column[period, place]) for key, column in columns.items()},
            }
            for period in range(self.periods)
            for place, name in enumerate(self.names)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, as `engine allocate format=json` prints them: by project a list over periods, for a
        batch lists of such."""

        def by_project(field: np.ndarray) -> dict[str, Any]:
            columns = zip(self.names, np.moveaxis(field, -1, 0), strict=True)
            return {name: plain(column) for name, column in columns}

        own = {
            "budgets": plain(self.budgets),
            "spent_by_period": plain(self.spending),
            "effective": by_project(self.effective),
            "returns": by_project(self.returns),
            "multipliers": plain(self.multipliers),
        }
        found = super().to_dict()
        return {"effort": found.pop("effort"), **own, **found}

    def require_solved(self) -> Schedule:
        """Itself, one answer that was solved.

        **Raises:** `ValueError` saying why it was not.
        """
        if self.status == Status.INFEASIBLE:
            given = ", ".join(f"{budget:g}" for budget in self.budgets)
            which = f"budget {given} does" if self.budgets.size == 1 else f"budgets {given} do"
            raise ValueError(f"{which} not cover the projects' lower limits over {self.periods} periods")
        super().require_solved()
        return self

    def __repr__(self) -> str:
        if self.batch:
            shape = " × ".join(f"{length:,}" for length in self.batch)
            return (
                f"{shape} schedules of {self.periods} periods and {len(self.places)} projects by {self.how}"
            )
        lines = [f"budget {self.budget:.9g} over {self.periods} periods by {self.how}"]
        for period, efforts in enumerate(self.effort):
            shown = ", ".join(f"{name} {units:.4g}" for name, units in zip(self.names, efforts, strict=True))
            lines.append(f"period {period + 1}: {shown}")
        lines.append(f"{self.value:.8g}, {self.proof}")
        return "\n".join([*lines, *(f"{name}: {beside_text(plan)}" for name, plan in self.beside.items())])


@register_dataclass
@dataclass(frozen=True)
class Asked:
    """A spread with its budgets [..., groups] and bounds [..., periods, projects]."""

    spread: Spread
    budgets: Any
    lower: Any
    upper: Any
    names: tuple[str, ...] = dataclasses.field(default=(), metadata={"static": True})

    @property
    def shape(self) -> tuple[int, ...]:
        """(..., projects)."""
        return self.spread.shape


def place_spread(
    given: Spread,
    budget: Any,
    *,
    periods: int | None = None,
    lower: Any = None,
    upper: Any = None,
    starts: int = 32,
    tolerance: float = 1e-9,
    max_steps: int = 300,
) -> Schedule:
    """Place budgets over periods, real effort.

    **Arguments:** `budget`, [periods] with one for each, or one number over all `periods`; for a batch either
    with its leading axes; `lower` and `upper`, limits of effort that fit (..., periods, projects), those of
    the portfolio in every period unless given; `starts`, how many to climb from, `max_steps` of each, where
    curves are not concave; `tolerance`, the relative gap at which the search ends where they are.

    **Returns:** a `Schedule`, solved in float64; beside it `equal split` and `without carry-over`, the plan
    of who ignores what carries over, valued with it.
    """
    spread = normalise_spread(given, np.dtype(np.float64))
    check_batch(spread.portfolio)
    if not isinstance(starts, int) or starts < 1:
        raise ValueError(f"starts is {starts!r}, expected a whole number of at least 1")
    budgets, length = check_periods(budget, periods, spread.shape[:-1])
    names, (least, most) = project_names(spread.portfolio), limits(spread, lower, upper, length)
    bare = dataclasses.replace(spread, portfolio=dataclasses.replace(spread.portfolio, names=()))
    asked, total = Asked(bare, budgets, least, most), budgets.sum(-1)
    climbs = 1 if spread.concave else starts
    size = round_size(bare, NUMBERS * length**2 * climbs)
    options = {"tolerance": tolerance, "max_steps": max_steps}
    run, numbers = compiled(climbs), np.asarray(total)
    solution, beside, spending = batched(run, asked, numbers, size, (options,))
    return Schedule(
        budget=total[()],
        solution=solution,
        places=tuple((name,) for name in names),
        how=in_words(spread, starts),
        beside={name: Beside(v, v - solution.value, np.zeros_like(v)) for name, v in beside.items()},
        budgets=budgets,
        spending=spending,
        effective=solution.effective,
        returns=solution.returns,
        multipliers=solution.multipliers,
    )


def check_periods(budget: Any, periods: int | None, batch: tuple[int, ...]) -> tuple[np.ndarray, int]:
    """(budgets [..., groups], how many periods), or a `ValueError` that says what is given instead."""
    if periods is not None and (isinstance(periods, bool) or not isinstance(periods, (int, np.integer))):
        raise ValueError(f"periods is {periods!r}, expected a whole number from 1 to {MOST_PERIODS}")
    if periods is not None and not 1 <= periods <= MOST_PERIODS:
        raise ValueError(f"periods is {periods}, expected a whole number from 1 to {MOST_PERIODS}")
    try:
        each = np.ndim(budget) == len(batch) + 1
        length = np.shape(budget)[-1] if each else periods
    except ValueError:
        raise ValueError(f"budget is {budget!r}, expected a number, or one for each period") from None
    if length is None:
        raise ValueError(
            "periods is missing, expected how many there are, or a budget for each, where effort carries over"
        )
    if (periods is not None and length != periods) or not 1 <= length <= MOST_PERIODS:
        expected = f"{periods}" if periods is not None else f"1 to {MOST_PERIODS}"
        raise ValueError(f"budget has {length} periods, expected {expected}")
    if each:
        return check_budgets(budget, (*batch, length), np.dtype(np.float64)), length
    return check_budgets(budget, batch, np.dtype(np.float64))[..., None], length


def in_words(spread: Spread, starts: int) -> str:
    """Objective and method."""
    discounted = "discounted" if np.any(spread.discount != 1) else "total"
    return f"{discounted} return, {HOW[spread.concave].format(starts=starts)}, real effort"


def limits(spread: Spread, lower: Any, upper: Any, periods: int) -> tuple[np.ndarray, np.ndarray]:
    """(least, most) effort [..., periods, projects], or a `ValueError`."""
    portfolio, shape = spread.portfolio, (*spread.shape[:-1], periods, spread.shape[-1])
    least = check_limits(portfolio.lower, lower, 0.0, shape)
    most = check_limits(portfolio.upper, upper, math.inf, shape)
    if np.any(least > most):
        *_, period, project = where = tuple(np.argwhere(least > most)[0])
        raise ValueError(
            f"{project_names(portfolio)[project]}: lower is {least[where]:g} above upper {most[where]:g} in "
            f"period {period + 1}, expected no more"
        )
    return least, most


def check_limits(own: Any, asked: Any, neutral: float, shape: tuple[int, ...]) -> np.ndarray:
    """Limits [..., periods, projects]: those asked for, the portfolio's own, or none; or a `ValueError`."""
    if asked is None:
        found = np.full(shape, neutral) if own is None else np.expand_dims(own, -2)
        return np.broadcast_to(found, shape)
    which = "upper" if neutral else "lower"
    try:
        found = np.broadcast_to(np.asarray(asked, float), shape)
    except (TypeError, ValueError):
        raise ValueError(f"{which} does not fit {shape}, expected (..., periods, projects)") from None
    if np.any(np.isnan(found) | (found < 0) | (np.isinf(found) & (neutral == 0))):
        raise ValueError(f"{which} has {np.min(found):g}, expected numbers of at least 0")
    return found


@functools.lru_cache(maxsize=64)
def compiled(starts: int) -> Program[Any]:
    """The compiled program: the solution, what other plans reach, and what is spent in each period."""

    def run(asked: Asked, total: Scalar, options: dict[str, Any]) -> tuple[Scheduled, dict[str, Any], Any]:
        found, beside = schedule(
            asked.spread, asked.budgets, asked.lower, asked.upper, starts=starts, **options
        )
        solved = jnp.isfinite(found.value)
        beside = jax.tree.map(lambda value: jnp.where(solved, value, jnp.nan), beside)
        return found, beside, jax.vmap(asked.spread.portfolio.spend)(found.effort)

    return program(run, shared=1)
