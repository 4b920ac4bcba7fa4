"""Advice on a plan as a sheet."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from engine.cli.sheet import WIDTH, Group, Sheet
from engine.study.words import number_text, percent_text

if TYPE_CHECKING:
    from engine.advice.answer import Advice

CAPTION = (
    "effort: to spend this period. planned: from now to the end, by the best plan.\n"
    "return, end: now, and at the end by that plan; within low to high with 80 %.\n"
    "index: the most that a unit of budget gains on average, however much is spent.\n"
    "best, funded: share of joint draws whose own plan gives it the most, anything.\n"
    "if low, middle, high: the 10, 50 and 90 % quantiles of what will be measured,\n"
    "and what the plan would then have to come."
)
AFTER = ("if low", "if middle", "if high")


def plan_table(advice: Advice) -> Sheet:
    """One row a project; below, what the columns are and the reasons in a few sentences."""
    projects = range(len(advice.names))

    def texts(values: np.ndarray, digits: int = 4) -> list[str]:
        return [number_text(float(value), digits) for value in values]

    spending = [texts(values, 6) for values in (advice.effort, advice.planned, advice.used)]
    believed = [texts(values) for values in (*advice.returned, *advice.end)]
    chances = [[percent_text(float(share), 0) for share in getattr(advice, name)] for name in CHANCES]
    columns = [chances[0], texts(advice.index), *chances[1:]]
    groups = [
        Group(["effort", "planned", "spent"], _rows(spending)),
        Group(["return", "low", "high"], _rows(believed[:3])),
        Group(["end", "low", "high"], _rows(believed[3:])),
        Group(["running", "index", "best", "funded"], _rows(columns)),
    ]
    if not np.all(np.isnan(advice.outlook)):
        after = [[_after(advice, row, project) for project in projects] for row in range(len(AFTER))]
        groups.append(Group(list(AFTER), _rows(after)))
    if any(advice.remarks()):
        groups.append(Group(["what changes it"], [[remark] for remark in advice.remarks()], remarks=True))
    return Sheet(
        Group(["project"], [[name] for name in advice.names]),
        groups,
        _title(advice),
        "\n".join([CAPTION, *textwrap.wrap(advice.why, WIDTH)]),
    )


CHANCES = ("running", "best", "funded")


def _rows(columns: list[list[str]]) -> list[list[str]]:
    return [list(row) for row in zip(*columns, strict=True)]


def _after(advice: Advice, row: int, project: int) -> str:
    """A measurement, and what would be planned after it."""
    seen, planned = (float(values[row, project]) for values in (advice.outlook, advice.outlook_planned))
    return "–" if np.isnan(seen) else f"{number_text(seen, 3)}: {number_text(planned, 4)}"


def _title(advice: Advice) -> str:
    if advice.over:
        return f"after period {advice.periods} of {advice.periods}: the plan is over"
    now = f"period {advice.period} of {advice.periods} by {advice.policy}"
    return f"{now}: {advice.now:.6g} of {advice.left:.6g} left, price {advice.price:.4g}"
