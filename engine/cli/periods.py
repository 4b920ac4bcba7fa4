"""Budgets over periods on the command line: what is asked for, and the answer as a sheet."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.cli.sheet import Group, Sheet
from engine.study.words import number_text

if TYPE_CHECKING:
    from engine.allocation.periods import Schedule


def over_periods(given: Any, periods: int | None, budgets: Any, discount: float) -> Any:
    """What is allocated over: a spread where periods are asked for, one without carry-over of a portfolio.

    **Raises:** `ValueError` for periods of what knows none, and for none where effort carries over.
    """
    from engine.model.portfolio import Portfolio
    from engine.periods.spread import Spread

    if budgets is not None and (isinstance(budgets, str) or not isinstance(budgets, Sequence)):
        raise ValueError(f"budget_by_period is {budgets!r}, expected a list, one for each period: [30,30,40]")
    asked = {"periods": periods, "budget_by_period": budgets}
    there = [key for key, value in asked.items() if value is not None]
    if isinstance(given, Spread):
        if not there:
            raise ValueError(
                "periods is missing, expected periods=... or budget_by_period=[...] where effort carries over"
            )
        return dataclasses.replace(given, discount=discount)
    if not there:
        if discount != 1:
            raise ValueError(f"discount is {discount:g}, expected 1 where there are no periods")
        return given
    if not isinstance(given, Portfolio):
        raise ValueError(f"{there[0]} is {asked[there[0]]}, expected none for {type(given).__name__}")
    return Spread(given, np.zeros(given.shape[-1]), discount=discount)  # type: ignore[arg-type]


def schedule_table(found: Schedule) -> Sheet:
    """A row a project and one of all, a column a period and one of all; below, the certificate, what each
    period returns, and what other plans reach."""
    from engine.allocation.bet import beside_text

    names = [*found.names, "spent"]
    cells = np.vstack([found.effort.T, found.spending])
    columns = [f"period {period + 1}" for period in range(found.periods)]
    rows = [[number_text(units, 5) for units in (*row, row.sum())] for row in cells]
    words = found.how.split(",")[0]
    lines = [f"{words} {found.value:.8g}, upper bound {found.bound:.8g}: {found.proof}"]
    lines.append(f"unspent {max(float(found.budget - found.spent), 0.0):g}")
    lines.append(f"return by period: {_listed(found.returns.sum(-1))}")
    over = "each period's budget" if found.budgets.size > 1 else "the budget"
    lines.append(f"return of a little more of {over}: {_listed(found.multipliers)}")
    lines += [f"{name}: {beside_text(plan)}" for name, plan in found.beside.items()]
    return Sheet(
        Group(["project"], [[name] for name in names]),
        [Group([*columns, "total"], rows)],
        f"budget {found.budget:.9g} over {found.periods} periods by {found.how}",
        "\n".join(lines),
        frozenset({len(names) - 1}),
    )


def _listed(numbers: np.ndarray) -> str:
    return ", ".join(number_text(number, 5) for number in numbers)
