"""Families of diminishing return throughout: the first unit gains most."""

from __future__ import annotations

import math
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from engine.model.curves.base import (
    SPENT_SLOPE,
    Refuse,
    Smooth,
    Vector,
    curve_family,
    parameter,
    raised,
    rise,
)


@curve_family
class Log(Smooth):
    """a·log(1 + b x): concave, unbounded."""

    family: ClassVar[str] = "log"
    concave: ClassVar[bool] = True
    scale: Vector = parameter(positive=False)
    rate: Vector = parameter()
    baseline: Vector | None = parameter(any_sign=True, default=None)

    def lift(self, effort: Vector) -> Vector:
        return self.scale * jnp.log1p(self.rate * effort)

    def slope(self, effort: Vector) -> Vector:
        return self.scale * self.rate / (1.0 + self.rate * effort)

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        return self.scale * jnp.log1p(self.rate * step / (1.0 + self.rate * effort))

    def inverse_slope(self, price: Vector) -> Vector:
        return jnp.maximum(self.scale / price - 1.0 / self.rate, 0.0)

    def ceiling(self) -> Vector:
        return -self.scale * math.log(SPENT_SLOPE)


@curve_family
class PureLog(Smooth):
    """a·log(b x) from x = 1/b on, nothing before: the classic form, whose slope is a/x.

    The slope is the classic one everywhere, infinite at 0, so the first unit of every project looks
    priceless to whoever follows slopes; performance itself stays at the baseline up to x = 1/b. Where
    every project is funded, the optimal effort is in proportion to a, whatever b is.
    """

    family: ClassVar[str] = "purelog"
    scale: Vector = parameter(positive=False)
    rate: Vector = parameter()
    baseline: Vector | None = parameter(any_sign=True, default=None)

    def lift(self, effort: Vector) -> Vector:
        return self.scale * jnp.log(jnp.maximum(self.rate * effort, 1.0))

    def slope(self, effort: Vector) -> Vector:
        return jnp.where(self.scale > 0, self.scale / effort, 0.0)

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        start = jnp.maximum(self.rate * effort, 1.0)
        crossing = jnp.maximum(self.rate * (effort + step) - 1.0, 0.0)
        rise = jnp.where(self.rate * effort >= 1.0, self.rate * step, crossing)
        return self.scale * jnp.log1p(rise / start)

    def inverse_slope(self, price: Vector) -> Vector:
        return self.scale / price

    def ceiling(self) -> Vector:
        return -self.scale * math.log(SPENT_SLOPE)


@curve_family
class Power(Smooth):
    """a·((1 + x/s)^p − 1): concave for 0 < p < 1 and a ≥ 0, or for p < 0 and a ≤ 0 (saturating at −a)."""

    family: ClassVar[str] = "power"
    concave: ClassVar[bool] = True
    scale: Vector = parameter(any_sign=True)
    exponent: Vector = parameter(any_sign=True, neutral=0.5)
    shift: Vector = parameter()
    baseline: Vector | None = parameter(any_sign=True, default=None)

    def lift(self, effort: Vector) -> Vector:
        return self.scale * jnp.expm1(self.exponent * jnp.log1p(effort / self.shift))

    def check(self, refuse: Refuse) -> None:
        shift = np.asarray(self.shift)
        refuse(shift == 0, "shift", shift, "a number above 0: a·x^p is the family root")
        super().check(refuse)
        exponent, scale = np.asarray(self.exponent), np.asarray(self.scale)
        refuse((exponent == 0) | (exponent >= 1), "exponent", exponent, "below 1 and not 0")
        refuse(scale * exponent < 0, "scale", scale, "the sign of the exponent, or 0")

    def _first_slope(self) -> Vector:
        return self.scale * self.exponent / self.shift

    def slope(self, effort: Vector) -> Vector:
        return self._first_slope() * jnp.exp((self.exponent - 1.0) * jnp.log1p(effort / self.shift))

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        level = jnp.exp(self.exponent * jnp.log1p(effort / self.shift))
        return self.scale * level * jnp.expm1(self.exponent * jnp.log1p(step / (self.shift + effort)))

    def inverse_slope(self, price: Vector) -> Vector:
        first = self._first_slope()
        fall = jnp.where(first > price, price / jnp.where(first > price, first, 1.0), 1.0)
        return self.shift * jnp.expm1(jnp.log(fall) / (self.exponent - 1.0))

    def ceiling(self) -> Vector:
        growth = jnp.expm1(self.exponent * math.log(SPENT_SLOPE) / (self.exponent - 1.0))
        return self.scale * jnp.where(self.exponent < 0, -1.0, growth)


@curve_family
class Root(Smooth):
    """a·x^p with 0 < p < 1: concave, unbounded, infinitely steep at 0; p = ½ is the square root.

    `power` has a shift and so a first slope; this is its limit at a shift of 0, where every project has some
    effort at the optimum: effort is in proportion to (w a p/c)^(1/(1 − p)) where exponents are the same.
    """

    family: ClassVar[str] = "root"
    concave: ClassVar[bool] = True
    scale: Vector = parameter(positive=False)
    exponent: Vector = parameter(neutral=0.5)
    baseline: Vector | None = parameter(any_sign=True, default=None)

    def check(self, refuse: Refuse) -> None:
        super().check(refuse)
        exponent = np.asarray(self.exponent)
        refuse(exponent >= 1, "exponent", exponent, "below 1: from 1 on it is the family increasing")

    def lift(self, effort: Vector) -> Vector:
        return self.scale * raised(effort, self.exponent)

    def slope(self, effort: Vector) -> Vector:
        inner = self.scale * self.exponent * raised(jnp.where(effort > 0, effort, 1.0), self.exponent - 1.0)
        return jnp.where(effort > 0, inner, jnp.where(self.scale > 0, jnp.inf, 0.0))

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        return self.scale * rise(effort, step, self.exponent)

    def inverse_slope(self, price: Vector) -> Vector:
        fall = jnp.log(self.scale * self.exponent) - jnp.log(price)
        return jnp.exp(fall / (1.0 - self.exponent))

    def ceiling(self) -> Vector:
        # The slope at 0 is infinite: spent is what it has fallen to from that of the first unit.
        return self.scale * jnp.exp(self.exponent / (self.exponent - 1.0) * math.log(SPENT_SLOPE))


@curve_family
class Linear(Smooth):
    """a·x: a unit gains as much as any other, so a project takes all that it may, or nothing."""

    family: ClassVar[str] = "linear"
    concave: ClassVar[bool] = True
    straight: ClassVar[bool] = True
    scale: Vector = parameter(positive=False)
    baseline: Vector | None = parameter(any_sign=True, default=None)

    def lift(self, effort: Vector) -> Vector:
        return self.scale * effort

    def slope(self, effort: Vector) -> Vector:
        return self.scale * jnp.ones_like(effort)

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        return self.scale * step * jnp.ones_like(effort)

    def inverse_slope(self, price: Vector) -> Vector:
        return jnp.where(self.scale >= price, jnp.inf, jnp.zeros_like(price))

    def ceiling(self) -> Vector:
        return jnp.where(self.scale > 0, jnp.inf, jnp.zeros_like(self.scale))


@curve_family
class Exponential(Smooth):
    """a·(1 − e^(−b x)): concave, saturates at a."""

    family: ClassVar[str] = "exponential"
    concave: ClassVar[bool] = True
    scale: Vector = parameter(positive=False)
    rate: Vector = parameter()
    baseline: Vector | None = parameter(any_sign=True, default=None)

    def lift(self, effort: Vector) -> Vector:
        return -self.scale * jnp.expm1(-self.rate * effort)

    def slope(self, effort: Vector) -> Vector:
        return self.scale * self.rate * jnp.exp(-self.rate * effort)

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        return -self.scale * jnp.exp(-self.rate * effort) * jnp.expm1(-self.rate * step)

    def inverse_slope(self, price: Vector) -> Vector:
        first = self.scale * self.rate
        return jnp.log(jnp.where(first > price, first / price, 1.0)) / self.rate

    def ceiling(self) -> Vector:
        return self.scale
