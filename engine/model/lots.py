"""Effort in lots: the same projects, counted in multiples of a unit.

A budget of 1,500,000 that is spent in steps of 500 is one of 3,000 lots. What a solver calls one unit of
effort is then a lot; the budget is divided by the unit, so that costs stay as they are.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from engine.model.curves.lots import Lots
from engine.model.portfolio import Portfolio

# The most lots that a budget is divided into where the unit is left to us.
MOST_LOTS = 10_000


def in_lots(portfolio: Portfolio, unit: float) -> Portfolio:
    """A normalised portfolio whose effort is counted in lots of `unit`; for a budget divided by it."""
    units: Any = np.full(portfolio.shape, unit, portfolio.dtype)
    given: dict[str, Any] = {
        name: getattr(portfolio, name) for name in ("lower", "upper", "startup", "reach")
    }
    counted = {name: value / units for name, value in given.items() if value is not None}
    return dataclasses.replace(portfolio, curves=Lots(portfolio.curves, units), **counted)


def round_unit(budget: float, cheapest: float) -> float:
    """The least of 1, 2, 5, 10, 20, 50, … of which a project can take `MOST_LOTS` at most."""
    need = budget / cheapest / MOST_LOTS
    if not need > 1.0:
        return 1.0
    decade = 10.0 ** math.floor(math.log10(need))
    return next(unit for step in (1.0, 2.0, 5.0, 10.0) if (unit := step * decade) >= need)
