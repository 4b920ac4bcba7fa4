"""A plan of one's own beside the optimum: what it returns, what it loses at most, which rules it breaks.

The optimum's upper bound B̄ holds for every allocation of its kind, so a plan x within the rules loses
B̄ − V(x) at most, whichever solver found the optimum. Where no project may be farther than d_i from the plan,

    maximise V(y)   subject to   Σ_i c_i y_i ≤ B,   max(l_i, x_i − d_i) ≤ y_i ≤ min(u_i, x_i + d_i)

is the same problem within narrower bounds; the optimum less its optimum is the price of staying so near.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
from jaxtyping import Float

from engine.allocation.allocate import allocate
from engine.allocation.answer import MOST_NAMED, Allocation
from engine.allocation.facts import as_frame, plain
from engine.allocation.measured_ends import notes_on_ends
from engine.allocation.running import on_host
from engine.model.curves.base import Curve
from engine.model.portfolio import Portfolio, project_names
from engine.model.validation import normalise
from engine.solvers.registry import SOLVERS
from engine.solvers.rounding import COUNTED, budget_slack, value_error

Efforts = Mapping[str, float] | Float[np.ndarray, " projects"]


@dataclass(frozen=True, eq=False, repr=False)
class OwnPlan:
    """A plan beside the optimum of one portfolio; printed, it is a few lines.

    - `allocation`: the optimum, or what the solver found.
    - `effort`: the plan's units of effort, [projects].
    - `returns`: what it returns of each project, [projects].
    - `broken`: in words, every rule that it breaks: the budget, a limit, whole units or lots; none for a plan
      that is feasible.
    - `within`: how far from the plan `near` may be, in words: "5" units, or "20%" of the plan's own effort.
    - `near`: the best allocation no farther from the plan; None where none was asked for.
    """

    allocation: Allocation
    effort: Float[np.ndarray, " projects"]
    returns: Float[np.ndarray, " projects"]
    broken: tuple[str, ...] = ()
    within: str = ""
    near: Allocation | None = None

    @property
    def value(self) -> float:
        """V(plan), its total return, or its profit where that is the objective."""
        return float(np.sum(self.returns)) - self.allocation.counted * self.spent

    @property
    def spent(self) -> float:
        """What the plan costs."""
        return spend_of(self.allocation.portfolio, self.effort)

    @property
    def feasible(self) -> bool:
        """Whether it is within the budget and the limits, in the optimum's units."""
        return not self.broken

    @property
    def lost(self) -> float:
        """How much more the optimum can return at most: its bound, or value where that is proved, less the
        plan's value; 0 where rounding is all. Below 0 only of a plan that breaks a rule."""
        best = self.allocation
        lost = float(best.value if best.proved else best.bound) - self.value
        rounding: Any = value_error(self.effort.size, best.bound)  # type: ignore[arg-type]
        return 0.0 if abs(lost) <= float(rounding) else lost

    @property
    def gap(self) -> float:
        """The same as a share of the bound."""
        bound = abs(float(self.allocation.bound))
        return self.lost / max(bound, float(np.finfo(np.float64).tiny))

    @property
    def price_of_nearness(self) -> float | None:
        """What staying so near to the plan costs: the optimum's value less that of `near`."""
        return None if self.near is None else float(self.allocation.value) - float(self.near.value)

    @property
    def notes(self) -> tuple[str, ...]:
        """Those of the optimum; and where the plan itself goes beyond the last measured point of a table."""
        own = notes_on_ends(self.allocation.portfolio, self.effort, np.inf, 0.0)
        return (*self.allocation.notes, *(f"plan: {note}" for note in own))

    def projects(self) -> list[dict[str, Any]]:
        """One row a project: effort of the optimum, of the plan, of what is near it; returns of the first
        two."""
        best = self.allocation.projects()
        rows = [
            {"project": row["project"], "effort": row["effort"], "plan": float(own), "return": row["return"]}
            | {"plan_return": float(returned)}
            for row, own, returned in zip(best, self.effort, self.returns, strict=True)
        ]
        near = [] if self.near is None else [{"near": float(units)} for units in self.near.effort]
        return [row | more for row, more in zip(rows, near or [{} for _ in rows], strict=True)]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, as `engine allocate plan=FILE format=json` prints them: the optimum's, `plan`, and
        `near` where it was asked for."""
        names = self.allocation.names
        plan = {
            "effort": dict(zip(names, plain(self.effort), strict=True)),
            **{name: getattr(self, name) for name in ("value", "lost", "gap", "spent", "feasible")},
            "broken": list(self.broken),
        }
        found = {**self.allocation.to_dict(), "plan": plan}
        if self.near is not None:
            price = {"within": self.within, "price": self.price_of_nearness}
            found["near"] = {**price, **{"allocation": self.near.to_dict()}}
        return found

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame` of `projects()`.

        **Raises:** `ImportError` without pandas.
        """
        return as_frame(self.projects())

    def lines(self) -> list[str]:
        """What is said of the plan, and of what is near it."""
        if self.feasible and self.lost <= 0:
            beside = "as much as the optimum"
        elif self.feasible:
            beside = f"at most {self.lost:.6g} ({100 * self.gap:.4g} %) less than any allocation could"
        elif self.lost >= 0:
            beside = f"{self.lost:.6g} less than the upper bound"
        else:
            beside = f"{-self.lost:.6g} more than the upper bound, by breaking its rules"
        found = [f"plan: returns {self.value:.8g}, {beside}"]
        found.append(f"plan: spends {self.spent:g} of {self.allocation.budget:.9g}")
        found += [f"plan: breaks a rule: {rule}" for rule in self.broken]
        if self.near is not None:
            returned = f"returns {self.near.value:.8g}, {self.near.proof}"
            price = f"staying so near costs {self.price_of_nearness:.6g}"
            found.append(f"within {self.within} of the plan: {returned}; {price}")
        return found

    def __repr__(self) -> str:
        near = [] if self.near is None else [f"within {self.within} of the plan: {self.near._efforts()}"]
        return "\n".join([repr(self.allocation), *self.lines(), *near])


def own_plan(
    portfolio: Portfolio | Curve,
    effort: Efforts,
    budget: float,
    solver: str = "exact",
    *,
    within: float | str | None = None,
    unit: float | str | None = None,
    **options: Any,
) -> OwnPlan:
    """A plan of one's own beside the optimum, and the best allocation near it.

    **Arguments:** `portfolio`, of one portfolio, arrays [projects]; `effort` of the plan, a number for every
    project by its name, or an array in their order; `within`, how far from it no project may be: units of
    effort, or text such as "20%" for a share of the plan's own effort; `budget`, `solver`, `unit` and
    `options`, as of `engine.allocate`, objectives too.

    **Returns:** an `OwnPlan`.

    **Raises:** `ValueError` naming what cannot be: what `allocate` refuses, a project that the plan or the
    portfolio has not, an effort below 0, no allocation so near to the plan.
    """
    given = normalise(portfolio, np.dtype(np.float64))
    if len(given.shape) > 1:
        raise ValueError(f"a plan is of one portfolio, got a batch of shape {given.shape[:-1]}")
    own = efforts_of(given, effort)
    best = allocate(portfolio, budget, solver, unit=unit, **options)
    returns: Any = on_host(Portfolio.returns, given, own)
    if not np.isfinite(np.sum(returns)):
        raise ValueError("the plan's return is not a finite number, expected efforts of lesser magnitude")
    lot = None if SOLVERS[best.solver].real(options) else best.unit
    found = OwnPlan(best, own, returns, tuple(broken_rules(given, own, float(budget), lot)))
    if within is None:
        return found
    text, reach = reach_of(within, own)
    narrow = narrowed(given, own, reach, text, lot)
    assert narrow.lower is not None
    fewest = np.asarray(narrow.lower) if lot is None else lot * np.ceil(np.asarray(narrow.lower) / lot)
    least = spend_of(given, fewest)
    if exceeds(least, budget):
        raise ValueError(
            f"within is {text}, and what is so near to the plan costs {least:g} at least, the budget is "
            f"{budget:.9g}"
        )
    near = allocate(narrow, budget, best.solver, unit=best.unit if unit is not None else None, **options)
    return dataclasses.replace(found, within=text, near=near)


def efforts_of(portfolio: Portfolio, effort: Efforts) -> Float[np.ndarray, " projects"]:
    """The plan's efforts in the projects' order, or a `ValueError` naming the one that cannot be."""
    names = project_names(portfolio)
    if isinstance(effort, Mapping):
        for name in effort:
            if name not in names:
                close = get_close_matches(str(name), names, 1, 0.6)
                hint = f", did you mean {close[0]}?" if close else f", saw {', '.join(names[:MOST_NAMED])}"
                raise ValueError(f"plan has project {name}, which the portfolio has not{hint}")
        missing = [name for name in names if name not in effort]
        if missing:
            raise ValueError(f"plan has no effort of {missing[0]}, expected one of every project, 0 for none")
        effort = np.array([effort[name] for name in names])
    try:
        own = np.asarray(effort, dtype=float)
    except (TypeError, ValueError):
        raise ValueError("plan has an effort that is no number, expected one for every project") from None
    if own.shape != portfolio.shape:
        raise ValueError(f"plan has efforts of shape {own.shape}, expected {portfolio.shape}")
    for name, units in zip(names, own, strict=True):
        if not 0 <= units < np.inf:
            raise ValueError(f"plan has effort {units:g} of {name}, expected a number of at least 0")
    return own


def spend_of(portfolio: Portfolio, effort: Float[np.ndarray, " projects"]) -> float:
    """Σ c_i x_i, in float64."""
    return float(np.sum(effort if portfolio.cost is None else np.asarray(portfolio.cost, float) * effort))


def exceeds(spend: float, budget: float) -> bool:
    """Whether a spend is more than the budget, by more than rounding."""
    number: Any = np.asarray(budget, float)
    return spend > budget + float(budget_slack(number))


def broken_rules(
    portfolio: Portfolio, own: Float[np.ndarray, " projects"], budget: float, lot: float | None
) -> list[str]:
    """In words, which rules a plan breaks; `lot` is what effort is bought in multiples of, None for none."""
    names = project_names(portfolio)
    spent, found = spend_of(portfolio, own), []
    if exceeds(spent, budget):
        found.append(f"it spends {spent:g}, {spent - budget:g} more than the budget of {budget:.9g}")
    neutral = Portfolio.neutral_values()
    low, high = (
        np.broadcast_to(neutral[side] if (at := getattr(portfolio, side)) is None else at, own.shape)
        for side in ("lower", "upper")
    )
    for name, units, least, most in zip(names, own, low, high, strict=True):
        if units < least - COUNTED * abs(least):
            found.append(f"{name}: effort {units:g} is below the lower limit {least:g}")
        if units > most + COUNTED * abs(most):
            found.append(f"{name}: effort {units:g} is above the upper limit {most:g}")
    if lot is not None:
        what = "no whole number of units" if lot == 1 else f"no multiple of {lot:g}"
        lots = as_written(own / lot)
        odd = lots != np.round(lots)
        found += [f"{name}: effort {own[at]:g} is {what}" for at, name in enumerate(names) if odd[at]]
    return found


def reach_of(
    within: float | str, own: Float[np.ndarray, " projects"]
) -> tuple[str, Float[np.ndarray, " projects"]]:
    """(how far, in words; the most units that each project may be from its own), or a `ValueError`."""
    share = isinstance(within, str) and within.strip().endswith("%")
    try:
        if isinstance(within, bool):
            raise ValueError
        number = float(str(within).strip().removesuffix("%"))
    except ValueError:
        number = np.nan
    if not 0 <= number < np.inf:
        raise ValueError(f"within is {within!r}, expected units of effort from 0 on, or a share such as 20%")
    if share:
        return f"{number:g}%", number / 100.0 * own
    return f"{number:g}", np.full_like(own, number)


def narrowed(
    portfolio: Portfolio,
    own: Float[np.ndarray, " projects"],
    reach: Float[np.ndarray, " projects"],
    text: str,
    lot: float | None,
) -> Portfolio:
    """The portfolio whose bounds leave no project farther from its own effort than it may be."""
    low, high = (as_written(each) for each in (np.maximum(own - reach, 0.0), own + reach))
    if portfolio.lower is not None:
        low = np.maximum(low, portfolio.lower)
    if portfolio.upper is not None:
        high = np.minimum(high, portfolio.upper)
    for name, units, least, most in zip(project_names(portfolio), own, low, high, strict=True):
        empty = least > most if lot is None else np.ceil(least / lot) > np.floor(most / lot)
        if empty:
            what = "its limits" if lot is None else "its limits and whole units"
            raise ValueError(
                f"{name}: within is {text}, and {what} leave nothing so near to the plan's {units:g}"
            )
    bounds: dict[str, Any] = {"lower": low, "upper": high}
    return dataclasses.replace(portfolio, **bounds)


def as_written(numbers: Float[np.ndarray, " projects"]) -> Float[np.ndarray, " projects"]:
    """The numbers, those whole that are so but for the rounding of decimals."""
    rounded = np.round(numbers)
    return np.where(np.abs(numbers - rounded) <= COUNTED * np.abs(numbers), rounded, numbers)
