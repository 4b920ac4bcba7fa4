"""Begun: curves that bring nothing until a least effort is spent, for nothing-or-at-least."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from engine.model.curves.base import Curve, Vector, curve_family, parameter


@curve_family
class Begun(Curve):
    """Curves of any family that stay at what they are without effort up to `least`.

    Effort below it buys nothing, so that an optimum which has some is one without it.
    """

    family: ClassVar[str] = "begun"
    drawable: ClassVar[bool] = False
    curve: Curve = dataclasses.field(default=None)  # type: ignore[assignment]
    least: Vector = parameter(positive=False, default=0.0)

    @property
    def shape(self) -> tuple[int, ...]:
        """(..., projects)."""
        return self.curve.shape

    @property
    def rising(self) -> bool:  # type: ignore[override]
        """Whether no curve ever falls."""
        return self.curve.rising

    def _spent(self, effort: Vector) -> Vector:
        """The effort that counts."""
        return jnp.where(effort >= self.least, effort, 0.0)

    def value(self, effort: Vector) -> Vector:
        """f(x), that without effort below the least."""
        return self.curve.value(self._spent(effort))

    def lift(self, effort: Vector) -> Vector:
        """Performance above that without effort."""
        return self.curve.lift(self._spent(effort))

    def slope(self, effort: Vector) -> Vector:
        """The right derivative; 0 below the least, blind to the jump there."""
        return jnp.where(effort >= self.least, self.curve.slope(effort), 0.0)

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        """What more effort brings, the jump included."""
        jump = self.curve.lift(self._spent(effort + step)) - self.curve.lift(self._spent(effort))
        return jnp.where(effort >= self.least, self.curve.gain(effort, step), jump)

    def maximisers(self, price: Vector) -> Float[Array, "candidates projects"]:
        """The least effort, and those of the curve that are no less."""
        own = jnp.maximum(self.curve.maximisers(price), self.least[None])
        return jnp.concatenate([self.least[None], own])

    def ceiling(self) -> Vector:
        """The attainable lift."""
        return self.curve.ceiling()

    def stage(
        self, effort: Vector, cuts: tuple[float, ...], ceiling: Vector
    ) -> tuple[Int[Array, " projects"], Bool[Array, " projects"]]:
        """The stage of the effort that counts."""
        return self.curve.stage(self._spent(effort), cuts, ceiling)
