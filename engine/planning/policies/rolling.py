"""Rolling horizon: plan the whole rest anew in every period, spend this period's part of it."""

from __future__ import annotations

from typing import Any, ClassVar

from jaxtyping import Array

from engine.planning.policies.base import Policy
from engine.planning.situation import Lots, Situation, best_plan


class Rolling(Policy):
    """The best plan by mean gains: certainty-equivalent control (Bertsekas 2017, section 6.1)."""

    name: ClassVar[str] = "rolling"

    def choose(self, situation: Situation, memory: Any, key: Array) -> tuple[Lots, Any]:
        return situation.part_of(best_plan(situation.to_the_end(), situation.left)), memory


class Clairvoyant(Rolling):
    """The same of who knows the curves, progress and which projects run, but not the stalls to come."""

    name: ClassVar[str] = "clairvoyant"
    clairvoyant: ClassVar[bool] = True
