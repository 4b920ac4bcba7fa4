"""What a policy is."""

from __future__ import annotations

from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from engine.planning.situation import Lots, Situation


class Policy:
    """Which projects get this period's lots.

    `clairvoyant`: whether it is given the truth as its belief, instead of particles.
    """

    name: ClassVar[str]
    clairvoyant: ClassVar[bool] = False

    def begin(self, situation: Situation) -> Any:
        """What it remembers from one period to the next, before the first; arrays."""
        return jnp.zeros((), jnp.int32)

    def choose(self, situation: Situation, memory: Any, key: Array) -> tuple[Lots, Any]:
        """(lots of each project, `situation.now` in all at most; the memory for the next period)."""
        raise NotImplementedError
