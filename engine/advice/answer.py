"""Advice as users hold it: what to spend now, why, and what would change it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from engine.allocation.facts import as_frame, known
from engine.files.names import some

# A gain that falls short of the price by less is the price.
SAME = 1e-9


@dataclass(frozen=True, eq=False, repr=False)
class Advice:
    """What to spend in a period of a plan; arrays [projects]. Printed, it is a few sentences.

    - `names`, `period` (from 1), `periods`, `policy`; `budget`, of the whole plan, `spent` of it so far.
    - `lot`: what a lot is of the budget; `price`: the gain of the last lot of the best plan, per unit of
      budget; once nothing is left, that of a lot more.
    - `effort`, `lots`: to spend this period, by the policy.
    - `planned`: effort from now to the end, in the best plan by mean gains; `used`: effort so far.
    - `returned`, `end`: [3, projects], the mean and the ends of an interval that holds the truth in 80 % of
      cases, of what has been reached, and of what will be if the plan is carried out and never revised.
    - `running`: the chance that it is not stalled; `index`: the largest mean gain per unit of budget over all
      numbers of lots.
    - `best`, `funded`: over joint draws of what is believed, each with a best plan of its own, the share in
      which the project gets the most of that plan, and in which it gets anything.
    - `outlook`: [3, projects], the 10 %, 50 % and 90 % quantiles of what would be measured after this period,
      NaN of those that get nothing; `outlook_planned`: what effort the plan would then give the project.
    - `below`, `above`: the nearest measurements on either side of the median at which that turns to nothing,
      or from nothing to something; NaN where there is none from the 1 % to the 99 % quantile.
    """

    names: tuple[str, ...]
    period: int
    periods: int
    policy: str
    budget: float
    spent: float
    lot: float
    price: float
    effort: Float[np.ndarray, " projects"]
    lots: Int[np.ndarray, " projects"]
    planned: Float[np.ndarray, " projects"]
    used: Float[np.ndarray, " projects"]
    returned: Float[np.ndarray, "3 projects"]
    end: Float[np.ndarray, "3 projects"]
    running: Float[np.ndarray, " projects"]
    index: Float[np.ndarray, " projects"]
    best: Float[np.ndarray, " projects"]
    funded: Float[np.ndarray, " projects"]
    outlook: Float[np.ndarray, "3 projects"]
    outlook_planned: Float[np.ndarray, "3 projects"]
    below: Float[np.ndarray, " projects"]
    above: Float[np.ndarray, " projects"]
    cost: Float[np.ndarray, " projects"]

    @property
    def left(self) -> float:
        """Budget that is left."""
        return max(self.budget - self.spent, 0.0)

    @property
    def over(self) -> bool:
        """Whether no period is left."""
        return self.period > self.periods

    @property
    def now(self) -> float:
        """Budget to spend this period."""
        return float(np.sum(self.cost * self.effort))

    @property
    def dropped(self) -> Bool[np.ndarray, " projects"]:
        """Whether a project is best dropped: its index is below the price and it has no part in the plan."""
        return (self.index < (1.0 - SAME) * self.price) & (self.planned == 0)

    def remarks(self) -> list[str]:
        """What of each project's next measurement turns the plan, or that it is dropped, in words."""
        return [self._remark(project) for project in range(len(self.names))]

    def _remark(self, project: int) -> str:
        if self.over:
            return ""
        if self.dropped[project] and self.effort[project] == 0:
            return "drop: index below the price"
        goes_on = self.outlook_planned[1, project] > 0
        word = "stops" if goes_on else "goes on"
        sides = {"below": self.below[project], "above": self.above[project]}
        return ", ".join(f"{word} {side} {at:.4g}" for side, at in sides.items() if not np.isnan(at))

    def projects(self) -> list[dict[str, Any]]:
        """One row a project, as `engine plan format=json` prints it; None where there is no number."""
        three = {
            "return": self.returned,
            "end": self.end,
            "seen": self.outlook,
            "planned_after": self.outlook_planned,
        }
        ends = {"return": ("", "_low", "_high"), "end": ("", "_low", "_high")}
        columns: dict[str, list[Any]] = {
            "project": list(self.names),
            "effort": known(self.effort),
            "lots": known(self.lots, whole=True),
            "planned": known(self.planned),
            "used": known(self.used),
        }
        for name, values in three.items():
            for end, row in zip(ends.get(name, ("_low", "_median", "_high")), values, strict=True):
                columns[f"{name}{end}"] = known(row)
        for name in ("running", "index", "best", "funded", "below", "above"):
            columns[name] = known(getattr(self, name))
        columns["dropped"] = self.dropped.tolist()
        columns["remark"] = self.remarks()
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, as `engine plan format=json` prints them."""
        numbers = ("period", "periods", "policy", "budget", "spent", "left", "lot", "price")
        return {
            "effort": dict(zip(self.names, known(self.effort), strict=True)),
            **{name: getattr(self, name) for name in numbers},
            "why": self.why,
            "projects": self.projects(),
        }

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame` of `projects()`.

        **Raises:** `ImportError` without pandas.
        """
        return as_frame(self.projects())

    @property
    def why(self) -> str:
        """The advice and its reasons in a few sentences."""
        if self.over:
            return (
                f"The plan is over: {self.spent:.6g} of {self.budget:.6g} is spent, and "
                f"{np.sum(self.returned[0]):.4g} believed to be reached in all."
            )
        said = [self._what(), self._price(), *self._drops(), *self._turns()]
        return " ".join(said)

    def _what(self) -> str:
        head = f"Period {self.period} of {self.periods}:"
        given = [f"{self.names[i]} {self.effort[i]:.6g}" for i in np.flatnonzero(self.effort)]
        if not given:
            return f"{head} nothing of {self.budget:.6g} is left to spend."
        return f"{head} spend {self.now:.6g} of the {self.left:.6g} left, {some(given)}."

    def _price(self) -> str:
        at_end = np.sum(self.end[0])
        reached = f"The best plan by what is believed now reaches {at_end:.4g} in all if it is carried out"
        return f"{reached}; its last lot gains {self.price:.4g} a unit of budget."

    def _drops(self) -> list[str]:
        drops = [self.names[i] for i in np.flatnonzero(self.dropped & (self.effort == 0))]
        if not drops:
            return []
        verb, it = ("is", "it gets") if len(drops) == 1 else ("are", "they get")
        return [f"{some(drops)} {verb} best dropped: however much {it}, a unit gains less on average."]

    def _turns(self) -> list[str]:
        remarks = self.remarks()
        turns = [
            f"{self.names[i]} {remarks[i]}"
            for i in range(len(self.names))
            if not (np.isnan(self.below[i]) and np.isnan(self.above[i])) and remarks[i]
        ]
        if turns:
            return [f"By what is measured next, {some(turns)}."]
        if np.all(np.isnan(self.outlook)):
            return []
        swing = np.nan_to_num(np.ptp(self.outlook_planned, axis=0), nan=-1.0)
        one = int(np.argmax(swing))
        (low, _, high), (after_low, _, after_high) = self.outlook[:, one], self.outlook_planned[:, one]
        return [
            f"No likely measurement alone stops a project; that of {self.names[one]} moves the plan most: "
            f"{after_low:.6g} to come if it is {low:.4g}, {after_high:.6g} if it is {high:.4g}."
        ]

    def __repr__(self) -> str:
        return self.why
