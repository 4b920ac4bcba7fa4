"""A plan of one's own on the command line, beside the optimum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.cli.sheet import Group, Sheet
from engine.cli.tables import allocation_table
from engine.study.words import number_text

if TYPE_CHECKING:
    from engine.allocation.own_plan import OwnPlan


def own_plan_table(found: OwnPlan) -> Sheet:
    """One row a project: effort and return of the optimum and of the plan, and the effort near it."""
    sheet = allocation_table(found.allocation)
    rows = found.projects()
    keys = {"effort": "effort", "plan": "plan's effort"}
    if found.near is not None:
        keys["near"] = f"within {found.within}"
    efforts = [[number_text(row[key], 6) for key in keys] for row in rows]
    returns = [[number_text(row["return"]), number_text(row["plan_return"])] for row in rows]
    return Sheet(
        sheet.keys,
        [Group(list(keys.values()), efforts), Group(["return", "plan's return"], returns)],
        sheet.title,
        "\n".join([sheet.caption or "", *found.lines()]),
    )
