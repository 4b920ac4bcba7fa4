"""Listed curves: the return of every whole level, as a budget curve has it; only for what is inside."""

from __future__ import annotations

from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from engine.model.curves.base import Curve, Refuse, Vector, curve_family, parameter


@curve_family
class Listed(Curve):
    """Values at 0, 1, 2, … whole levels, which never fall; −∞ below the first that is allowed."""

    family: ClassVar[str] = "listed"
    drawable: ClassVar[bool] = False
    values: Float[Array, "projects levels"] = parameter(any_sign=True, neutral=0.0, axes=1)

    def check(self, refuse: Refuse) -> None:
        """Nothing: what makes these is inside."""

    def value(self, effort: Vector) -> Vector:
        level = jnp.clip(effort, 0, self.values.shape[-1] - 1).astype(jnp.int32)
        return jnp.take_along_axis(self.values, level[..., None], axis=-1)[..., 0]

    def at_levels(self, levels: Float[Array, "levels projects"]) -> Float[Array, "levels projects"]:
        count = min(levels.shape[0], self.values.shape[-1])
        first = jnp.moveaxis(self.values[..., :count], -1, 0)
        last = jnp.broadcast_to(first[-1:], (levels.shape[0] - count, *first.shape[1:]))
        return jnp.concatenate([first, last])

    def lift(self, effort: Vector) -> Vector:
        return self.value(effort) - self.value(jnp.zeros_like(effort))

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        return self.value(effort + step) - self.value(effort)

    def maximisers(self, price: Vector) -> Float[Array, "candidates projects"]:
        levels = jnp.arange(self.values.shape[-1], dtype=price.dtype)
        return jnp.broadcast_to(levels.reshape(-1, *[1] * price.ndim), (levels.size, *price.shape))


def rising(table: Float[Array, "projects levels"]) -> Float[Array, "projects levels"]:
    """What each level returns where less may be spent than there is."""
    return jax.lax.cummax(table, axis=1)


def least_equal(table: Float[Array, "projects levels"], level: Vector) -> Float[Array, " projects"]:
    """The least level that returns as much as this one."""
    there = jnp.take_along_axis(table, level.astype(jnp.int32)[:, None], axis=1)
    return jnp.argmax(table >= there, axis=1).astype(level.dtype)
