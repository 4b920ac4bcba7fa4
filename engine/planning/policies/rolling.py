"""Rolling horizon: plan the whole rest anew in every period, spend this period's part of it."""

from __future__ import annotations

from typing import Any, ClassVar

from jaxtyping import Array

from engine.planning.policies.base import Policy
from engine.planning.situation import Lots, Situation, Table, apportioned, best_plan


def part_of(situation: Situation, table: Table) -> Lots:
    """This period's lots of the best plan by a table of gains to the end: in proportion to the plan, and to
    the chance that a project runs now."""
    plan = best_plan(table, situation.left)
    claims = plan.astype(table.dtype) * situation.belief.mean(situation.chance)
    return apportioned(claims, plan, situation.now, situation.terms.lots)


class Rolling(Policy):
    """The best plan by mean gains: certainty-equivalent control (Bertsekas 2017, section 6.1)."""

    name: ClassVar[str] = "rolling"

    def choose(self, situation: Situation, memory: Any, key: Array) -> tuple[Lots, Any]:
        return part_of(situation, situation.to_the_end()), memory


class Clairvoyant(Rolling):
    """The same of who knows the curves, progress and which projects run, but not the stalls to come."""

    name: ClassVar[str] = "clairvoyant"
    clairvoyant: ClassVar[bool] = True
