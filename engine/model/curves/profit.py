"""Curves of another family, less what their effort is counted at."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from engine.model.curves.base import Curve, Refuse, Vector, curve_family, parameter


@curve_family
class Profit(Curve):
    """w·f(max(x − s, 0)) − q·x: the return of curves of any family, less a charge of q a unit of effort."""

    family: ClassVar[str] = "profit"
    rising: ClassVar[bool] = False
    drawable: ClassVar[bool] = False
    curve: Curve = dataclasses.field(default=None)  # type: ignore[assignment]
    weight: Vector = parameter(default=1.0)
    charge: Vector = parameter(default=0.0)
    startup: Vector | None = parameter(default=None)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.curve.shape

    @property
    def concave(self) -> bool:  # type: ignore[override]
        return self.curve.concave and self.startup is None

    @property
    def listed(self) -> bool:  # type: ignore[override]
        return self.curve.listed

    @property
    def straight(self) -> bool:  # type: ignore[override]
        return self.curve.straight

    def check(self, refuse: Refuse) -> None:
        self.curve.check(refuse)

    def _begun(self, effort: Vector) -> Vector:
        return effort if self.startup is None else jnp.maximum(effort - self.startup, 0.0)

    def value(self, effort: Vector) -> Vector:
        net = self.weight * self.curve.value(self._begun(effort)) - self.charge * effort
        # Were it computed twice, it could differ by the rounding of two terms far larger than itself.
        return jax.lax.optimization_barrier(net)

    def lift(self, effort: Vector) -> Vector:
        return self.value(effort) - self.value(jnp.zeros_like(effort))

    def slope(self, effort: Vector) -> Vector:
        slope = self.curve.slope(self._begun(effort))
        if self.startup is not None:
            slope = jnp.where(effort >= self.startup, slope, 0.0)
        return jnp.where(self.weight > 0, self.weight * slope, 0.0) - self.charge

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        begun = self._begun(effort)
        taken = step
        if self.startup is not None:
            taken = jnp.where(effort >= self.startup, step, self._begun(effort + step) - begun)
        return self.weight * self.curve.gain(begun, taken) - self.charge * step

    def inverse_slope(self, price: Vector) -> Vector:
        return self.curve.inverse_slope((price + self.charge) / self.weight)

    def maximisers(self, price: Vector) -> Float[Array, "candidates projects"]:
        found = self.curve.maximisers((price + self.charge) / self.weight)
        if self.startup is None:
            return found
        effort = found + self.startup[None]
        short = effort - self.startup[None] < found  # a rounding short of a jump
        return jnp.where(short, jnp.nextafter(effort, jnp.full_like(effort, jnp.inf)), effort)

    def ceiling(self) -> Vector:
        return self.weight * self.curve.ceiling()

    def endless(self) -> Bool[Array, " projects"]:
        return self.curve.endless() & (self.weight > 0)

    def cancelled(self, effort: Vector) -> Vector:
        return 2.0 * self.charge * effort

    def stage(
        self, effort: Vector, cuts: tuple[float, ...], ceiling: Vector
    ) -> tuple[Int[Array, " projects"], Bool[Array, " projects"]]:
        return self.curve.stage(self._begun(effort), cuts, ceiling)
