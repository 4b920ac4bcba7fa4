"""Myopic re-planning: what gains most in this period."""

from __future__ import annotations

from typing import Any, ClassVar

from jaxtyping import Array

from engine.planning.policies.base import Policy
from engine.planning.situation import Lots, Situation, best_plan


class Myopic(Policy):
    """The best plan of this period's lots, as if it were the last."""

    name: ClassVar[str] = "myopic"

    def choose(self, situation: Situation, memory: Any, key: Array) -> tuple[Lots, Any]:
        return best_plan(situation.this_period(), situation.now), memory
