"""What is said of tables whose measured points end before the effort does, or where effort stops at the end.

Beyond its last point a table is flat: nothing is known there, so nothing is promised. An allocation that goes
beyond, and one that stops at the last point of a curve that still rose there by more than a unit of budget is
worth, are told of in one line a project, since more measurements might change them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from engine.model.curves.base import Curve
from engine.model.curves.mixture import Mixture
from engine.model.curves.staged import Tabulated
from engine.model.portfolio import Portfolio, project_names
from engine.solvers.rounding import COUNTED

Ends = tuple[Float[np.ndarray, " projects"], Float[np.ndarray, " projects"]]


def measured_ends(curves: Curve, projects: int) -> Ends:
    """(the effort of the last measured point, infinite where nothing is tabulated; the slope up to it)."""
    if isinstance(curves, Mixture):
        parts = [measured_ends(family, projects) for family in curves.families]
        choice = np.asarray(curves.choice)
        last, slope = (np.choose(choice, list(each)) for each in zip(*parts, strict=True))
        return last, slope
    if not isinstance(curves, Tabulated):
        return np.full(projects, np.inf), np.zeros(projects)
    values = np.asarray(curves.values, float)
    levels = np.arange(values.shape[-1], dtype=float)
    points = np.broadcast_to(
        levels if curves.points is None else np.asarray(curves.points, float), values.shape
    )
    last = points[:, -1] if curves.last is None else np.asarray(curves.last, float)
    at = np.maximum(np.sum(points <= last[:, None], axis=-1) - 1, 0)
    before, rows = np.maximum(at - 1, 0), np.arange(projects)
    width = points[rows, at] - points[rows, before]
    rise = values[rows, at] - values[rows, before]
    return last, np.where(width > 0, rise / np.where(width > 0, width, 1.0), 0.0)


def notes_on_ends(
    portfolio: Portfolio, effort: Float[np.ndarray, " projects"], price: float, lot: float
) -> list[str]:
    """What is to be said of these efforts of one portfolio, a line a project.

    **Arguments:** `price` of a unit of budget; `lot`, what effort is bought in multiples of, 0 where it is
    real.
    """
    last, slope = measured_ends(portfolio.curves, effort.size)
    if not np.any(np.isfinite(last)):
        return []

    def given(name: str, neutral: float) -> Any:
        values = getattr(portfolio, name)
        return np.broadcast_to(neutral if values is None else np.asarray(values, float), effort.shape)

    end = last + given("startup", 0.0)
    stakes, cost = given("weight", 1.0) * given("success", 1.0), given("cost", 1.0)
    hair = COUNTED * np.where(np.isfinite(end), np.maximum(end, 1.0), 0.0)
    beyond = effort > end + hair
    stopped = (effort > 0) & ~beyond & ((effort + lot > end + hair) | (effort >= end - hair))
    rising = (slope > 0) & (stakes * slope >= (1.0 - COUNTED) * price * cost)
    kept = stopped & rising & (given("upper", np.inf) > end + hair)
    names = project_names(portfolio)
    found = []
    for project in np.flatnonzero(beyond | kept):
        name, where = names[project], f"its last measured point {end[project]:g}"
        if beyond[project]:
            found.append(
                f"{name}: effort {effort[project]:g} is beyond {where}, where its curve is taken as flat"
            )
        else:
            found.append(f"{name}: still rises at {where}, beyond which its curve is taken as flat")
    return found
