"""Families in stages: plateaus and jumps in slope, or points that were measured."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from engine.model.curves.base import (
    SPENT_SLOPE,
    Curve,
    Refuse,
    Vector,
    curve_family,
    parameter,
    stage_of,
)

# Tables of no more points than this are looked up by counting them.
FEW_POINTS = 32


@curve_family
class Lifecycle(Curve):
    """Upper envelope of stages: stage s opens after effort `start`, at level `base`, then gains as a log.

    Feature engineering → classical ML → deep learning → research frontier: each stage is
    base + scale·log(1 + rate·(x − start)). A project has reached a stage once that one has overtaken every
    earlier one, each at this effort or a lesser one. An earlier stage that grows faster may carry the
    performance again later on, but nobody leaves the frontier by spending more. Parameters have a trailing
    axis of stages.
    """

    family: ClassVar[str] = "lifecycle"
    start: Float[Array, "projects stages"] = parameter(positive=False, neutral=0.0, axes=1, ordered=True)
    base: Float[Array, "projects stages"] = parameter(any_sign=True, neutral=0.0, axes=1, ordered=True)
    scale: Float[Array, "projects stages"] = parameter(positive=False, axes=1)
    rate: Float[Array, "projects stages"] = parameter(axes=1)
    baseline: Vector | None = parameter(any_sign=True, default=None)

    def _stages(self, effort: Vector) -> Float[Array, "projects stages"]:
        effort = effort[..., None]
        lift = _level(effort, self.start, self.base, self.scale, self.rate)
        return jnp.where(effort >= self.start, lift, -jnp.inf)

    def _active(self, effort: Vector) -> tuple[Int[Array, " projects"], Bool[Array, " projects"]]:
        """The stage that carries the performance, the latest of several, and whether it has begun."""
        stages = self._stages(effort)
        latest = stages.shape[-1] - 1 - jnp.argmax(stages[..., ::-1], axis=-1)
        return latest, jnp.max(stages, axis=-1) >= 0

    def lift(self, effort: Vector) -> Vector:
        return jnp.maximum(jnp.max(self._stages(effort), axis=-1), 0.0)

    def slope(self, effort: Vector) -> Vector:
        stage, opened = self._active(effort)
        since = jnp.maximum(effort[..., None] - self.start, 0.0)
        slopes = self.scale * self.rate / (1.0 + self.rate * since)
        return jnp.where(opened, _picked(slopes, stage), 0.0)

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        before, opened = self._active(effort)
        after, _ = self._active(effort + step)
        since = effort - _picked(self.start, before)
        rate = _picked(self.rate, before)
        within = _picked(self.scale, before) * jnp.log1p(rate * step / (1.0 + rate * jnp.maximum(since, 0.0)))
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
        reached = self._reached(effort)
        numbers = jnp.arange(self.start.shape[-1], dtype=jnp.int32)
        return jnp.max(jnp.where(reached, numbers, 0), axis=-1), reached[..., -1]

    def _reached(self, effort: Vector) -> Bool[Array, "projects stages"]:
        """Whether each stage is open, above the baseline, and has led each earlier one at some effort so far.

        With start t, scale a and rate r the lead of stage s over stage u has the slope
        a_s r_s/(1 + r_s(x − t_s)) − a_u r_u/(1 + r_u(x − t_u)), whose numerator is linear in x. So of all
        efforts from t_s to here it is largest at one of these two, or where the numerator is 0.
        """
        later = [a[..., :, None] for a in (self.start, self.base, self.scale, self.rate)]
        earlier = [a[..., None, :] for a in (self.start, self.base, self.scale, self.rate)]
        (start, _, scale, rate), (before, _, faster, slower) = later, earlier
        falling = rate * slower * (faster - scale)
        turn = scale * rate * (1.0 - slower * before) - faster * slower * (1.0 - rate * start)
        turn = turn / jnp.where(falling > 0, falling, 1.0)
        here = effort[..., None, None]
        tried = (jnp.clip(place, start, jnp.maximum(here, start)) for place in (start, turn, here))
        leads = [_level(place, *later) >= _level(place, *earlier) for place in tried]
        led = leads[0] | leads[1] | leads[2]
        overtaken = [jnp.all(led[..., s, :s], axis=-1) for s in range(self.start.shape[-1])]
        return jnp.stack(overtaken, axis=-1) & (self._stages(effort) >= 0)


def _level(effort: Array, start: Array, base: Array, scale: Array, rate: Array) -> Array:
    """base + scale·log(1 + rate·(x − start)); the base before the start."""
    return base + scale * jnp.log1p(rate * jnp.maximum(effort - start, 0.0))


@curve_family
class Tabulated(Curve):
    """Piecewise linear through measured performances, flat beyond the last one; any shape.

    **Arguments:** `values[..., projects, levels]`, the performance at each level; `points`, of the same
    shape and strictly increasing along levels, the effort at each level (whole units 0, 1, 2, … without
    it); `last`, the effort of the last measured point, where levels after it only fill the table up. Before
    the first point the curve is flat at its performance. The baseline is `value(0)`.
    """

    family: ClassVar[str] = "tabulated"
    rising: ClassVar[bool] = False
    drawable: ClassVar[bool] = False
    values: Float[Array, "projects levels"] = parameter(any_sign=True, neutral=0.0, axes=1)
    points: Float[Array, "projects levels"] | None = parameter(
        any_sign=True, default=None, neutral=0.0, axes=1
    )
    last: Vector | None = parameter(any_sign=True, default=None)

    @classmethod
    def parameters(cls) -> dict[str, dataclasses.Field[Any]]:
        # `last` says where levels end that were filled up, which no file has.
        return {name: field for name, field in super().parameters().items() if name != "last"}

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
        segment = jnp.clip(_passed(self.points, effort) - 1, 0, last)
        left = self._at(self.points, segment)
        width = self._at(self.points, segment + 1) - left
        share = (effort - left) / jnp.where(width > 0, width, 1.0)
        return segment, jnp.clip(share, 0.0, 1.0), jnp.where(width > 0, width, 1.0)

    def _at(self, table: Float[Array, "projects levels"], level: Int[Array, " projects"]) -> Vector:
        return _picked(table, jnp.minimum(level, table.shape[-1] - 1))

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

    def stage(
        self, effort: Vector, cuts: tuple[float, ...], ceiling: Vector
    ) -> tuple[Int[Array, " projects"], Bool[Array, " projects"]]:
        return stage_of(self._highest(effort), cuts, ceiling)

    def _highest(self, effort: Vector) -> Vector:
        """The largest lift at any effort so far: a measured curve that falls has still been there."""
        levels = jnp.arange(self.values.shape[-1], dtype=effort.dtype)
        points = jnp.broadcast_to(levels, np.shape(self.values)) if self.points is None else self.points
        lifts = self.values - self.value(jnp.zeros_like(self.values[..., 0]))[..., None]
        passed = jnp.where(points <= effort[..., None], lifts, -jnp.inf)
        return jnp.maximum(self.lift(effort), jnp.max(passed, axis=-1))


def _picked(table: Float[Array, "projects columns"], column: Int[Array, " projects"]) -> Vector:
    return jnp.take_along_axis(table, column[..., None], axis=-1)[..., 0]


def _passed(points: Float[Array, "projects levels"], effort: Vector) -> Int[Array, " projects"]:
    """How many points lie at this effort or before it: counted where they are few, else found bit by bit, the
    highest first, in time that grows with their logarithm."""
    count = points.shape[-1]
    if count <= FEW_POINTS:
        return jnp.sum(points <= effort[..., None], axis=-1).astype(jnp.int32)

    def add_bit(step: Int[Array, ""], passed: Int[Array, " projects"]) -> Int[Array, " projects"]:
        more = passed + jnp.left_shift(1, bits - 1 - step).astype(jnp.int32)
        there = _picked(points, jnp.minimum(more, count) - 1) <= effort
        return jnp.where((more <= count) & there, more, passed)

    bits = count.bit_length()
    return jax.lax.fori_loop(0, bits, add_bit, jnp.zeros(effort.shape, jnp.int32))
