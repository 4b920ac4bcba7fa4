"""Curves of another family, by effort in lots."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from engine.model.curves.base import Curve, Vector, curve_family, parameter


@curve_family
class Lots(Curve):
    """Curves of any family, by effort in lots of `unit`."""

    family: ClassVar[str] = "lots"
    drawable: ClassVar[bool] = False
    curve: Curve = dataclasses.field(default=None)  # type: ignore[assignment]
    unit: Vector = parameter(default=1.0)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.curve.shape

    @property
    def concave(self) -> bool:  # type: ignore[override]
        return self.curve.concave

    @property
    def rising(self) -> bool:  # type: ignore[override]
        return self.curve.rising

    @property
    def listed(self) -> bool:  # type: ignore[override]
        return self.curve.listed

    @property
    def straight(self) -> bool:  # type: ignore[override]
        return self.curve.straight

    def value(self, effort: Vector) -> Vector:
        return self.curve.value(self.unit * effort)

    def lift(self, effort: Vector) -> Vector:
        return self.curve.lift(self.unit * effort)

    def slope(self, effort: Vector) -> Vector:
        return self.unit * self.curve.slope(self.unit * effort)

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        return self.curve.gain(self.unit * effort, self.unit * step)

    def inverse_slope(self, price: Vector) -> Vector:
        return self.curve.inverse_slope(self._per_unit(price)) / self.unit

    def maximisers(self, price: Vector) -> Float[Array, "candidates projects"]:
        return self.curve.maximisers(self._per_unit(price)) / self.unit[None]

    def _per_unit(self, price: Vector) -> Vector:
        """The price of a unit; the lowest one there is stays above nothing."""
        return jnp.maximum(price / self.unit, float(jnp.finfo(price.dtype).tiny))

    def ceiling(self) -> Vector:
        return self.curve.ceiling()

    def endless(self) -> Bool[Array, " projects"]:
        return self.curve.endless()

    def cancelled(self, effort: Vector) -> Vector:
        return self.curve.cancelled(self.unit * effort)

    def stage(
        self, effort: Vector, cuts: tuple[float, ...], ceiling: Vector
    ) -> tuple[Int[Array, " projects"], Bool[Array, " projects"]]:
        return self.curve.stage(self.unit * effort, cuts, ceiling)
