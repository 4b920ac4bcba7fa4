"""Equal split: as much for every project, whatever was seen."""

from __future__ import annotations

from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from engine.planning.policies.base import Policy
from engine.planning.situation import Lots, Situation


class EqualSplit(Policy):
    """Lots in turn, beginning where the period before ended."""

    name: ClassVar[str] = "equal_split"

    def choose(self, situation: Situation, memory: Any, key: Array) -> tuple[Lots, Any]:
        projects = situation.per_lot.size
        turn = (jnp.arange(projects, dtype=jnp.int32) - memory) % projects
        rounds, rest = situation.now // projects, situation.now % projects
        return rounds + (turn < rest).astype(jnp.int32), (memory + rest) % projects
