"""Thompson sampling: plan as if one particle of each project, drawn at random, were the truth."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array

from engine.planning.beliefs import Belief, taken
from engine.planning.policies.base import Policy
from engine.planning.situation import Lots, Situation, best_plan


class Thompson(Policy):
    """The best plan of a draw from the belief (Thompson 1933; Russo et al. 2018)."""

    name: ClassVar[str] = "thompson"

    def choose(self, situation: Situation, memory: Any, key: Array) -> tuple[Lots, Any]:
        belief = situation.belief
        projects, particles = belief.log_weight.shape
        uniform = jax.random.uniform(key, (projects, 1), belief.log_weight.dtype)
        below = jnp.sum(jnp.cumsum(belief.weight, axis=1) <= uniform, axis=1, keepdims=True, dtype=jnp.int32)
        chosen = jnp.minimum(below, particles - 1)
        draws, state = jax.tree.map(lambda a: taken(a, chosen), (belief.draws, belief.state))
        drawn = situation._replace(belief=Belief(draws, state, jnp.zeros_like(belief.log_weight[:, :1])))
        return drawn.part_of(best_plan(drawn.to_the_end(), drawn.left)), memory
