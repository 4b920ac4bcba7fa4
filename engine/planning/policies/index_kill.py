"""Index rule with kill: a project whose best return per lot is below the price of a lot is dropped."""

from __future__ import annotations

from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from engine.planning.policies.base import Policy
from engine.planning.situation import Lots, Situation, best_per_lot, planned
from engine.solvers.programme import read_back


class IndexKill(Policy):
    """The rolling plan among the projects not killed.

    A project's index is the largest mean gain per lot over all numbers of lots to the end, as in the Gittins
    index of a deteriorating arm (Gittins, Glazebrook & Weber 2011, chapter 2); it is killed for good once
    that is below the shadow price, the gain of the last lot of the plan.
    """

    name: ClassVar[str] = "index_kill"

    def begin(self, situation: Situation) -> Any:
        return jnp.ones(situation.per_lot.shape, bool)

    def choose(self, situation: Situation, memory: Any, key: Array) -> tuple[Lots, Any]:
        table = jnp.where(memory[:, None], situation.to_the_end(), 0.0)
        index = jnp.maximum(best_per_lot(table, situation.left), 0.0)
        solved = planned(table)
        optimum = solved.before[-1]
        price = optimum[situation.left] - optimum[jnp.maximum(situation.left - 1, 0)]
        plan = read_back(solved, situation.left).astype(jnp.int32)
        alive = memory & ((index >= price) | (plan > 0))
        return situation.part_of(plan), alive
