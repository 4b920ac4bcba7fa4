"""Prices that rise with effort: x units cost c·x·(1 + x/k), twice as much each at x = k as at first.

Such a portfolio is counted in money: what was effort is what is spent on a project, at a cost of 1, and its
curve is that of what the money buys. Bounds and reach become the money that they cost; whole units are whole
units of budget. What was bought is read back from what was spent.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float

from engine.model.curves.base import Curve
from engine.model.curves.bought import Bought
from engine.model.curves.mixture import Mixture
from engine.model.portfolio import Portfolio, project_names
from engine.model.validation import check, normalise


def rising_prices(portfolio: Portfolio | Curve, rising: Any) -> Portfolio:
    """The same projects by the money spent on them, where the price of a unit rises with the effort.

    **Arguments:** `portfolio`, arrays [..., projects]; `rising`, the effort at which the average price of a
    unit is twice the first one's, one number or one for each project; infinite where it does not rise.

    **Returns:** a portfolio whose effort is money; `engine.Allocation.units` says what it buys.

    **Raises:** `ValueError` naming a project whose number is not above 0, that is free, or has a start-up
    cost.
    """
    given = normalise(portfolio)
    check(given)
    try:
        doubling = np.broadcast_to(np.asarray(rising, given.dtype), given.shape)
    except (TypeError, ValueError):
        raise ValueError(f"rising is {rising!r}, expected a number, or one for each project") from None
    cost = np.ones_like(doubling) if given.cost is None else np.asarray(given.cost)
    startup = np.zeros_like(doubling) if given.startup is None else np.asarray(given.startup)
    rules = (
        (~(doubling > 0), doubling, "rising is {:g}, expected a number above 0, or inf for a steady price"),
        (cost == 0, cost, "cost is {:g}, expected more than 0 where prices rise"),
        (startup != 0, startup, "startup is {:g}, expected none where prices rise"),
    )
    for bad, values, words in rules:
        if np.any(bad):
            at = tuple(np.argwhere(bad)[0])
            raise ValueError(f"{project_names(given)[at[-1]]}: {words.format(values[at])}")

    def wrapped(curve: Curve) -> Curve:
        if isinstance(curve, Mixture):
            return dataclasses.replace(curve, families=tuple(wrapped(family) for family in curve.families))
        return Bought(curve, cost, doubling)  # type: ignore[arg-type]

    def money(effort: Any) -> Any:
        if effort is None:
            return None
        units = np.where(np.isfinite(effort), effort, 0.0).astype(given.dtype)
        return np.where(np.isfinite(effort), cost * units * (1.0 + units / doubling), effort)

    parts: dict[str, Any] = {name: money(getattr(given, name)) for name in ("lower", "upper", "reach")}
    return dataclasses.replace(given, curves=wrapped(given.curves), cost=None, startup=None, **parts)


def units_bought(
    curves: Curve, money: Float[np.ndarray, "... projects"]
) -> Float[np.ndarray, "... projects"] | None:
    """The units of effort that money buys, [..., projects]; None where effort is not counted in money."""
    if isinstance(curves, Mixture):
        parts = [units_bought(family, money) for family in curves.families]
        if any(part is None for part in parts):
            return None
        return np.choose(np.asarray(curves.choice), parts)  # type: ignore[arg-type]
    if not isinstance(curves, Bought):
        return None
    steady = money / np.asarray(curves.cost)
    return 2.0 * steady / (1.0 + np.sqrt(1.0 + 4.0 * steady / np.asarray(curves.doubling)))  # type: ignore[no-any-return]
