"""The shadow prices of budgets, for one portfolio or a batch; see `engine.solvers.shadow`."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from engine.allocation.free import set_aside
from engine.allocation.running import Program, batched, program, round_size
from engine.model.lots import in_lots
from engine.model.portfolio import Portfolio
from engine.model.profit import as_profit
from engine.model.validation import normalise
from engine.solvers import shadow
from engine.solvers.shadow import Prices

# Numbers a project that a search holds at once, besides those of levels looked at.
FEW_NUMBERS = 256


def shadow_prices(
    portfolio: Portfolio, budget: Any, *, real: bool, unit: float = 1.0, counted: float = 0.0
) -> Prices:
    """The prices to the right of each budget and to its left, [...]; always found in float64. NaN where there
    is no such side, or no budget.

    **Arguments:** `budget`, broadcast to the leading axes; `real`, whether effort is real; `unit`, what it is
    bought in multiples of where it is not; `counted`, the return that a unit of budget is counted at.
    """
    double = normalise(portfolio, np.dtype(np.float64))
    asked = np.asarray(np.broadcast_to(budget, portfolio.shape[:-1]), np.float64)
    known = np.isfinite(asked)
    if counted:
        double = as_profit(double, counted)
    if unit != 1.0:
        double = in_lots(double, unit)
    double, _ = set_aside(double, whole=not real)
    entries = FEW_NUMBERS + (0 if real else shadow.levels_held(double))
    numbers = np.where(known, asked, 0.0) / unit
    right, left = batched(_compiled(real), double, numbers, round_size(double, 2 * entries))

    def priced(side: Any) -> Any:
        return np.where(known, side / unit, np.nan).astype(portfolio.dtype)[()]

    return Prices(priced(right), priced(left))


@functools.lru_cache(maxsize=2)
def _compiled(real: bool) -> Program[Prices]:
    return program(functools.partial(shadow.shadow_prices, real=real))
