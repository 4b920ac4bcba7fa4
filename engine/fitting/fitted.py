"""What a fit found: every family, the one chosen for each project, and the portfolio that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from engine.files.draws import Draws
from engine.files.measurements import Measurements
from engine.files.rows import build
from engine.fitting.bands import evaluate
from engine.fitting.shapes import SHAPES
from engine.model.portfolio import Portfolio

# Beyond this many times the largest effort measured, fitted curves are not trusted.
EXTRAPOLATE = 4.0

# A curve falls with effort where its correlation with the order of efforts is below this.
FALLS = -0.5
# Replicates are remarked on where chance would spread them so far in fewer curves than this share.
CHANCE = 1e-3

# How many projects are printed.
MOST_PRINTED = 8


@dataclass(frozen=True)
class FamilyFit:
    """One family fitted to every project, in the units of the data.

    - `parameters`: the family's numbers, scale and baseline among them, each [projects].
    - `error`: root mean square error on the largest efforts, by a fit to the smaller ones; NaN where too few
      points are left for one.
    - `residual`: root mean square error of the fit to all points; `r2`, its share of the variance explained.
    - `aicc`: Akaike's criterion, corrected for few points; infinite where it does not exist.
    - `limited`: by number, scale among them, the projects for which the search ended on one of its limits.
    - `theta`, `most`: what was searched and within which largest rise to the ceiling, dimensionless.
    """

    family: str
    parameters: dict[str, Float[np.ndarray, " projects"]]
    error: Float[np.ndarray, " projects"]
    residual: Float[np.ndarray, " projects"]
    r2: Float[np.ndarray, " projects"]
    aicc: Float[np.ndarray, " projects"]
    limited: dict[str, Bool[np.ndarray, " projects"]]
    theta: Float[np.ndarray, "projects numbers"]
    most: Float[np.ndarray, " projects"]


class Bands(NamedTuple):
    """Between `low` and `high` a performance lies with the probability of its level."""

    levels: tuple[float, ...]
    effort: Float[np.ndarray, "projects efforts"]
    low: Float[np.ndarray, "levels projects efforts"]
    high: Float[np.ndarray, "levels projects efforts"]


@dataclass(frozen=True, eq=False, repr=False)
class Fitted:
    """What `fit` found: every family, the index of the one chosen for each project, and predictive draws of
    every project's curve, from several families, if some were asked for.
    """

    measurements: Measurements
    families: dict[str, FamilyFit]
    chosen: np.ndarray
    draws: Draws | None

    def family_of(self, project: int) -> str:
        """The family chosen for a project."""
        return list(self.families)[int(self.chosen[project])]

    def portfolio(self, extrapolate: float | None = EXTRAPOLATE) -> Portfolio:
        """The chosen curve of every project, with its name.

        **Arguments:** `extrapolate`, to how many times its largest effort measured a project may be funded;
        None for no upper limit.

        **Raises:** `ValueError` for one below 1.
        """
        check_extrapolate(extrapolate)
        data, rows = self.measurements, {}
        most = np.max(np.where(data.weight > 0, data.effort, 0.0), axis=1)
        for project, name in enumerate(data.names):
            family = self.family_of(project)
            numbers = {n: float(v[project]) for n, v in self.families[family].parameters.items()}
            upper = {} if extrapolate is None else {"upper": float(extrapolate * most[project])}
            rows[name] = {"family": family, **numbers, **upper}
        return build(rows, [])

    def bands(
        self,
        effort: Float[np.ndarray, "... efforts"] | Sequence[float],
        levels: Sequence[float] = (0.5, 0.8, 0.9),
        *,
        measured: bool = False,
        seed: int = 0,
    ) -> Bands:
        """Quantiles of the predictive draws at efforts.

        **Arguments:** `effort`, [efforts] of all projects or [projects, efforts]; `levels`, the probabilities
        in the middle; `measured`, whether of a measurement there, with the standard error of the project's
        last one where that is known, and not of the curve itself; `seed`, of those errors.

        **Raises:** `ValueError` if there are no draws, or for a level that is no share.
        """
        if self.draws is None:
            raise ValueError("the fit has no draws, expected one by fit(..., draws=200)")
        if not all(0 < level < 1 for level in levels):
            raise ValueError(f"levels are {list(levels)}, expected shares between 0 and 1")
        data = self.measurements
        efforts = np.broadcast_to(np.asarray(effort, float), (len(data.names), np.shape(effort)[-1]))
        values = evaluate(self.draws, efforts)
        if measured and data.error is not None:
            last = data.error[np.arange(len(data.names)), data.counts - 1]
            normal = np.random.default_rng(seed).normal(size=values.shape)
            values = values + last[:, None] * normal
        share = np.asarray(levels, float)
        low, high = (np.quantile(values, ends, axis=0) for ends in ((1 - share) / 2, (1 + share) / 2))
        return Bands(tuple(levels), efforts, low, high)

    def __repr__(self) -> str:
        names = self.measurements.names
        lines = [f"{len(names)} curves fitted, of the families {', '.join(self.families)}"]
        for project, name in enumerate(names[:MOST_PRINTED]):
            fit = self.families[self.family_of(project)]
            quality = f"residual {fit.residual[project]:.3g}, R² {fit.r2[project]:.4f}"
            lines.append(f"{name}: {fit.family}, {quality}")
        more = [f"and {len(names) - MOST_PRINTED} more"] if len(names) > MOST_PRINTED else []
        return "\n".join([*lines, *more])


def check_extrapolate(extrapolate: float | None) -> None:
    """How far beyond the measurements a curve may be funded: a `ValueError` for less than all of them."""
    if extrapolate is not None and not extrapolate >= 1:
        raise ValueError(f"extrapolate is {extrapolate}, expected a number of at least 1, or null")


def warnings_of(fitted: Fitted, drop: float = 0.02) -> list[list[str]]:
    """What a user should know of each project's fit: too few points, a curve that falls, one that is flat,
    replicates that are not of one curve, numbers that end on a limit of the search.

    **Arguments:** `drop`, the share of a curve's range by which it may fall between neighbours unremarked.
    """
    data, found = fitted.measurements, []
    for project in range(len(data.names)):
        count = int(data.counts[project])
        values = data.performance[project, :count]
        numbers = len(SHAPES[fitted.family_of(project)].parameters) + 2
        notes = [f"{count} efforts are few for {numbers} numbers"] if count < numbers + 2 else []
        notes += _fall(values, drop) + _replicates(fitted, project, count - numbers)
        found.append(notes + _limits(fitted, project))
    return found


def _fall(values: Float[np.ndarray, " points"], drop: float) -> list[str]:
    """That performance is flat, falls with effort, or does so on the way."""
    span = float(values.max() - values.min())
    if span == 0.0:
        return ["performance does not change"]
    if values.size < 2:
        return []
    if np.corrcoef(np.arange(values.size), values)[0, 1] < FALLS:
        ends = f"from {values[0]:.4g} to {values[-1]:.4g}"
        return [f"performance falls with effort, {ends}: where less is better, say direction=down"]
    step = float(np.min(np.diff(values)))
    return [f"performance falls by {-step / span:.0%} of its range on the way"] if step < -drop * span else []


def _replicates(fitted: Fitted, project: int, spare: int) -> list[str]:
    """That replicates scatter far more about their means than these do about the curve, by an F-test."""
    data = fitted.measurements
    if data.repeats is None or data.scatter is None or spare < 1 or data.scatter[project] == 0.0:
        return []
    from scipy.special import fdtrc  # here, since no other command should wait for it

    repeats, count = int(data.repeats[project]), int(data.counts[project])
    residual = fitted.families[fitted.family_of(project)].residual[project] * np.sqrt(count / spare)
    expected = max(float(residual * np.sqrt(1 + repeats / count)), np.finfo(float).tiny)
    times = float(data.scatter[project]) / expected
    if fdtrc(repeats, spare, times**2) >= CHANCE:
        return []
    return [
        f"replicates differ by {data.scatter[project]:.3g}, where the residual suggests {expected:.3g}: "
        "are they of one curve?"
    ]


def _limits(fitted: Fitted, project: int) -> list[str]:
    """That a project's numbers end on limits of the search, where they do: at most one remark."""
    family = fitted.family_of(project)
    fit, shape = fitted.families[family], SHAPES[family]
    names = [name for name, where in fit.limited.items() if where[project] and name != shape.spared]
    if not names:
        return []
    ends = "ends on a limit" if len(names) == 1 else "end on limits"
    return [
        f"{' and '.join(names)} {ends} of the search: the measurements do not determine the {family} curve"
    ]
