"""Static plan: the best here and now, never revised."""

from __future__ import annotations

from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from engine.planning.policies.base import Policy
from engine.planning.situation import Lots, Situation, apportioned, best_plan


class Static(Policy):
    """The plan that is best for mean gains before anything is spent, a part of each project's a period."""

    name: ClassVar[str] = "static"

    def begin(self, situation: Situation) -> Any:
        return best_plan(situation.to_the_end(), jnp.int32(situation.terms.all_lots))

    def choose(self, situation: Situation, memory: Any, key: Array) -> tuple[Lots, Any]:
        claims = memory.astype(situation.per_lot.dtype)
        lots = apportioned(claims, memory, situation.now, situation.terms.at_most)
        return lots, memory - lots
