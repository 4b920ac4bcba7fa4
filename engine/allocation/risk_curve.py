"""The curve of mean against CVaR: the best of each aversion to risk, at one budget.

Each point maximises (1 − κ)·mean + κ·CVaR_α over real effort. No effort has both a larger mean and a larger
CVaR than a point that is proved: elsewhere it is called an efficient frontier (Markowitz 1952; Rockafellar
& Uryasev 2000).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from engine.allocation.bet import Bet
from engine.allocation.facts import as_frame, plain
from engine.allocation.here_and_now import place_uncertain
from engine.bets.objectives import MeanCVaR, check_objective
from engine.bets.uncertain import Uncertain

POINTS = 11


@dataclass(frozen=True, eq=False, repr=False)
class RiskCurve:
    """The best answers from no aversion to all of it; arrays [points].

    - `budget`, `tail`: what there was to spend, and the share of draws whose mean CVaR is.
    - `names`: the projects' names.
    - `aversion`: κ, rising from 0 to 1.
    - `mean`, `cvar`, `standard_deviation`: of the returns of each answer over the draws.
    - `value`, `bound`, `proved`: of its objective.
    - `effort`: [points, projects].
    """

    budget: float
    tail: float
    names: tuple[str, ...]
    aversion: Float[np.ndarray, " points"]
    mean: Float[np.ndarray, " points"]
    cvar: Float[np.ndarray, " points"]
    standard_deviation: Float[np.ndarray, " points"]
    value: Float[np.ndarray, " points"]
    bound: Float[np.ndarray, " points"]
    proved: Bool[np.ndarray, " points"]
    effort: Float[np.ndarray, "points projects"]

    def columns(self) -> dict[str, Any]:
        """Columns by name, one row a point."""
        numbers = ("aversion", "mean", "cvar", "standard_deviation", "value", "bound", "proved")
        columns = {name: plain(getattr(self, name)) for name in numbers}
        efforts = {name: plain(self.effort[:, i]) for i, name in enumerate(self.names)}
        return {**columns, **{f"effort.{name}": of for name, of in efforts.items()}}

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, as `engine budget_curve format=json` prints them."""
        return {"budget": self.budget, "tail": self.tail, **self.columns()}

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame` of `columns()`.

        **Raises:** `ImportError` without pandas.
        """
        return as_frame(self.columns())

    def __repr__(self) -> str:
        means, tails = (f"{of[0]:.6g} to {of[-1]:.6g}" for of in (self.mean, self.cvar))
        count = f"{np.count_nonzero(self.proved)} of {self.proved.size} proved"
        return f"budget {self.budget:.9g}: mean {means}, CVaR {tails}, {count}"


def risk_curve(
    given: Uncertain, budget: float, tail: float = 0.1, points: int = POINTS, tolerance: float = 1e-6
) -> RiskCurve:
    """The curve of mean against CVaR_`tail` of one bet on draws.

    **Arguments:** `points`, how many aversions from 0 to 1; `tolerance`, as of `engine.bet`.

    **Raises:** `ValueError` naming what cannot be.
    """
    if isinstance(points, bool) or not isinstance(points, int) or points < 2:
        raise ValueError(f"points is {points!r}, expected a number of at least 2")
    check_objective(MeanCVaR(0.5, tail))
    if not isinstance(given, Uncertain):
        raise ValueError(f"a bet is {type(given).__name__}, expected engine.Uncertain")
    if len(given.shape) > 1:
        raise ValueError(f"a batch of shape {given.shape[:-1]} has a curve each, expected one bet")
    aversions = np.linspace(0.0, 1.0, points)

    def answer(aversion: float) -> Bet:
        goal = MeanCVaR(float(aversion), tail)
        found = place_uncertain(given, budget, goal, tolerance=tolerance, knowledge=False)
        return found.require_solved()

    answers = [answer(aversion) for aversion in aversions]

    def of(name: str) -> np.ndarray:
        return np.array([float(one.figures[name]) for one in answers])

    return RiskCurve(
        budget=float(budget),
        tail=tail,
        names=tuple(name for (name,) in answers[0].places),
        aversion=aversions,
        mean=of("mean"),
        cvar=of("cvar"),
        standard_deviation=of("standard_deviation"),
        value=np.array([float(one.value) for one in answers]),
        bound=np.array([float(one.bound) for one in answers]),
        proved=np.array([bool(one.proved) for one in answers]),
        effort=np.stack([one.effort for one in answers]),
    )
