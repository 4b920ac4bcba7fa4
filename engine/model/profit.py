"""Profit: the return less the spend, each unit of budget counted at so much return.

    maximise  Σ_i w_i π_i f_i(max(x_i − s_i, 0)) − p·Σ_i c_i x_i
    subject to  Σ_i c_i x_i ≤ B,  l_i ≤ x_i ≤ u_i

It is separable as it stands: project i has the curve of its return less p·c_i a unit of effort. What earns
less than p per unit of budget is left unspent.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from engine.model.curves.profit import Profit
from engine.model.portfolio import Portfolio, project_names


def as_profit(portfolio: Portfolio, per_unit: float) -> Portfolio:
    """A normalised portfolio whose return is the profit, at `per_unit` a unit of budget.

    **Raises:** `ValueError` naming a project with a concave utility or a threshold, whose return is no
    multiple of its performance.
    """
    for name, neutral in (("curvature", 0.0), ("threshold", -np.inf)):
        given = getattr(portfolio, name)
        if given is not None and np.any(bad := np.asarray(given) != neutral):
            project = project_names(portfolio)[np.argwhere(bad)[0][-1]]
            raise ValueError(f"{project}: has a {name}, expected none where the objective is profit")
    ones: Any = np.ones(portfolio.shape, portfolio.dtype)
    weight = ones if portfolio.weight is None else portfolio.weight
    weight = weight if portfolio.success is None else weight * portfolio.success
    charge = ones * portfolio.dtype.type(per_unit)
    charge = charge if portfolio.cost is None else charge * portfolio.cost
    nothing: dict[str, Any] = dict.fromkeys(("weight", "success", "startup", "curvature", "threshold"))
    return dataclasses.replace(
        portfolio, curves=Profit(portfolio.curves, weight, charge, portfolio.startup), **nothing
    )
