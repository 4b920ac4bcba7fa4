"""Families in stages: plateaus and jumps in slope, or points that were measured."""

from __future__ import annotations

import math
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from engine.model.curves.base import SPENT_SLOPE, Curve, Refuse, Vector, curve_family, parameter


@curve_family
class Lifecycle(Curve):
    """Upper envelope of stages: stage s opens after effort `start`, at level `base`, then gains as a log.

    Feature engineering → classical ML → deep learning → research frontier: each stage is
    base + scale·log(1 + rate·(x − start)), and a project is at the frontier when its last stage is the
    one that carries the performance. Parameters have a trailing axis of stages.
    """

    family: ClassVar[str] = "lifecycle"
    start: Float[Array, "projects stages"] = parameter(positive=False, neutral=0.0, axes=1, ordered=True)
    base: Float[Array, "projects stages"] = parameter(any_sign=True, neutral=0.0, axes=1, ordered=True)
    scale: Float[Array, "projects stages"] = parameter(positive=False, axes=1)
    rate: Float[Array, "projects stages"] = parameter(axes=1)
    baseline: Vector | None = parameter(any_sign=True, default=None)

    def _stages(self, effort: Vector) -> Float[Array, "projects stages"]:
        since = effort[..., None] - self.start
        lift = self.base + self.scale * jnp.log1p(self.rate * jnp.maximum(since, 0.0))
        return jnp.where(since >= 0, lift, -jnp.inf)

    def _active(self, effort: Vector) -> tuple[Int[Array, " projects"], Bool[Array, " projects"]]:
        """The stage that carries the performance, the latest of several, and whether it has begun."""
        stages = self._stages(effort)
        latest = stages.shape[-1] - 1 - jnp.argmax(stages[..., ::-1], axis=-1)
        return latest, jnp.max(stages, axis=-1) >= 0

    def lift(self, effort: Vector) -> Vector:
        return jnp.maximum(jnp.max(self._stages(effort), axis=-1), 0.0)

    def _picked(self, values: Float[Array, "projects stages"], stage: Int[Array, " projects"]) -> Vector:
        return jnp.take_along_axis(values, stage[..., None], axis=-1)[..., 0]

    def slope(self, effort: Vector) -> Vector:
        stage, opened = self._active(effort)
        since = jnp.maximum(effort[..., None] - self.start, 0.0)
        slopes = self.scale * self.rate / (1.0 + self.rate * since)
        return jnp.where(opened, self._picked(slopes, stage), 0.0)

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        before, opened = self._active(effort)
        after, _ = self._active(effort + step)
        since = effort - self._picked(self.start, before)
        rate = self._picked(self.rate, before)
        within = self._picked(self.scale, before) * jnp.log1p(
            rate * step / (1.0 + rate * jnp.maximum(since, 0.0))
        )
        across = self.lift(effort + step) - self.lift(effort)
        return jnp.where(opened & (before == after), within, across)

    def maximisers(self, price: Vector) -> Float[Array, "candidates projects"]:
        since = jnp.maximum(self.scale / price[..., None] - 1.0 / self.rate, 0.0)
        return jnp.moveaxis(self.start + since, -1, 0)

    def ceiling(self) -> Vector:
        return self.base[..., -1] - self.scale[..., -1] * math.log(SPENT_SLOPE)

    def stage(
        self, effort: Vector, cuts: tuple[float, ...], ceiling: Vector
    ) -> tuple[Int[Array, " projects"], Bool[Array, " projects"]]:
        stage, opened = self._active(effort)
        stage = jnp.where(opened, stage, 0).astype(jnp.int32)
        return stage, opened & (stage == self.start.shape[-1] - 1)


@curve_family
class Tabulated(Curve):
    """Piecewise linear through measured performances, flat beyond the last one; any shape.

    **Arguments:** `values[..., projects, levels]`, the performance at each level; `points`, of the same
    shape and strictly increasing along levels, the effort at each level (whole units 0, 1, 2, … without
    it). Before the first point the curve is flat at its performance. The baseline is `value(0)`.
    """

    family: ClassVar[str] = "tabulated"
    rising: ClassVar[bool] = False
    drawable: ClassVar[bool] = False
    values: Float[Array, "projects levels"] = parameter(any_sign=True, neutral=0.0, axes=1)
    points: Float[Array, "projects levels"] | None = parameter(
        any_sign=True, default=None, neutral=0.0, axes=1
    )

    def check(self, refuse: Refuse) -> None:
        super().check(refuse)
        if self.points is not None:
            points = np.asarray(self.points)
            steps = np.concatenate([np.diff(points, axis=-1), np.ones_like(points[..., :1])], axis=-1)
            refuse(points < 0, "points", points, "efforts of at least 0")
            refuse(steps <= 0, "points", points, "efforts that increase strictly")

    def _position(self, effort: Vector) -> tuple[Int[Array, " projects"], Vector, Vector]:
        """(segment, share of it that lies behind, its width)."""
        last = max(self.values.shape[-1] - 2, 0)
        if self.points is None:
            segment = jnp.clip(jnp.floor(effort), 0, last).astype(jnp.int32)
            return segment, jnp.clip(effort - segment.astype(effort.dtype), 0.0, 1.0), jnp.ones_like(effort)
        passed = jnp.sum(self.points <= effort[..., None], axis=-1).astype(jnp.int32)
        segment = jnp.clip(passed - 1, 0, last)
        left = self._at(self.points, segment)
        width = self._at(self.points, segment + 1) - left
        share = (effort - left) / jnp.where(width > 0, width, 1.0)
        return segment, jnp.clip(share, 0.0, 1.0), jnp.where(width > 0, width, 1.0)

    def _at(self, table: Float[Array, "projects levels"], level: Int[Array, " projects"]) -> Vector:
        level = jnp.minimum(level, table.shape[-1] - 1)
        return jnp.take_along_axis(table, level[..., None], axis=-1)[..., 0]

    def value(self, effort: Vector) -> Vector:
        segment, share, _ = self._position(effort)
        left, right = self._at(self.values, segment), self._at(self.values, segment + 1)
        return jnp.where(share < 1.0, left + (right - left) * share, right)

    def lift(self, effort: Vector) -> Vector:
        return self.value(effort) - self.value(jnp.zeros_like(effort))

    def slope(self, effort: Vector) -> Vector:
        segment, share, width = self._position(effort)
        rise = self._at(self.values, segment + 1) - self._at(self.values, segment)
        inside = share < 1.0
        if self.points is not None:
            inside = inside & (effort >= self.points[..., 0])
        return jnp.where(inside, rise / width, 0.0)

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        segment, share, _ = self._position(effort)
        after, later, _ = self._position(effort + step)
        rise = self._at(self.values, segment + 1) - self._at(self.values, segment)
        across = self.value(effort + step) - self.value(effort)
        return jnp.where(segment == after, rise * (later - share), across)

    def maximisers(self, price: Vector) -> Float[Array, "candidates projects"]:
        if self.points is None:
            levels = jnp.arange(self.values.shape[-1], dtype=price.dtype)
            return jnp.broadcast_to(levels.reshape(-1, *[1] * price.ndim), (levels.size, *price.shape))
        return jnp.moveaxis(self.points, -1, 0)

    def ceiling(self) -> Vector:
        return jnp.max(self.values, axis=-1) - self.value(jnp.zeros_like(self.values[..., 0]))
