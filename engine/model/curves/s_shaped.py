"""Families that may start slowly: concave or S-shaped, by their exponent or midpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import jax
import jax.numpy as jnp

from engine.model.curves.base import Smooth, Vector, curve_family, parameter

# Halley's steps triple the digits, once near: so many until none is wrong in float32, and from there.
FIRST_STEPS, LAST_STEPS = 6, 3
LARGE_STEP = 40.0
LARGEST_LOGARITHM = 60.0


def _halley_step(excess: Vector, slope: Vector, bend: Vector) -> Vector:
    """Halley's step for a function of this value, falling slope and bend; none where it does not fall."""
    newton = excess / jnp.where(slope < 0, slope, -jnp.inf)
    return newton / jnp.maximum(1.0 - 0.5 * newton * bend / jnp.where(slope < 0, slope, -1.0), 0.25)


def _converge(step: Callable[..., Vector], start: Vector, *given: Vector) -> Vector:
    """The root to which step(t, *given) leads: first in float32, where steps cost a fifth."""

    def steps(count: int, t: Vector, given: tuple[Vector, ...]) -> Vector:
        return jax.lax.fori_loop(0, count, lambda _, t: step(t, *given), t)

    single = tuple(number.astype(jnp.float32) for number in given)
    near = steps(FIRST_STEPS, start.astype(jnp.float32), single).astype(start.dtype)
    if start.dtype == jnp.float32:
        return near
    return steps(LAST_STEPS, jnp.where(jnp.isfinite(near), near, start), given)


@curve_family
class Hill(Smooth):
    """a·x^h / (k^h + x^h): concave for h ≤ 1 (Michaelis–Menten at 1), S-shaped for h > 1.

    With a baseline it is the Morgan–Mercer–Flodin family.
    """

    family: ClassVar[str] = "hill"
    scale: Vector = parameter(positive=False)
    half: Vector = parameter()
    exponent: Vector = parameter()
    baseline: Vector | None = parameter(any_sign=True, default=None)

    def _log_odds(self, effort: Vector) -> Vector:
        """log((x/k)^h), so that the lift is a·sigmoid of it; −∞ at 0 with finite derivatives."""
        safe = jnp.where(effort > 0, effort, self.half)
        return jnp.where(effort > 0, self.exponent * jnp.log(safe / self.half), -jnp.inf)

    def lift(self, effort: Vector) -> Vector:
        safe = jnp.where(effort > 0, effort, self.half)
        inside = self.scale * jax.nn.sigmoid(self.exponent * jnp.log(safe / self.half))
        first_slope = jnp.where(self.exponent == 1, self.scale / self.half, 0.0)
        return jnp.where(effort > 0, inside, effort * first_slope)  # differentiable at 0 too

    def slope(self, effort: Vector) -> Vector:
        odds = self._log_odds(jnp.where(effort > 0, effort, self.half))
        inner = self.scale * self.exponent / jnp.where(effort > 0, effort, 1.0)
        at_zero = jnp.where(self.exponent < 1, jnp.inf, jnp.where(self.exponent == 1, 1.0 / self.half, 0.0))
        at_zero = jnp.where(self.scale > 0, self.scale * at_zero, 0.0)
        return jnp.where(effort > 0, inner * jax.nn.sigmoid(odds) * jax.nn.sigmoid(-odds), at_zero)

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        safe = jnp.where(effort > 0, effort, 1.0)
        rise = jnp.where(effort > 0, self.exponent * jnp.log1p(step / safe), jnp.inf)
        low, high = self._log_odds(effort), self._log_odds(effort + step)
        return self.scale * _sigmoid_difference(low, high, rise)

    def inverse_slope(self, price: Vector) -> Vector:
        # In t = log(x/k) the log of the slope is (h−1)t − 2·softplus(h t) + log(a h/k): concave, so
        # Halley's steps from the right of the larger root converge to it.
        h = self.exponent
        target = jnp.log(price) + jnp.log(self.half) - jnp.log(self.scale) - jnp.log(h)

        def halley(t: Vector, h: Vector, target: Vector) -> Vector:
            faint = jnp.exp(-jnp.abs(h * t))
            near, far = 1.0 / (1.0 + faint), faint / (1.0 + faint)
            softplus = jnp.maximum(h * t, 0.0) + jnp.log1p(faint)
            excess = (h - 1.0) * t - 2.0 * softplus - target
            descent = h - 1.0 - 2.0 * h * jnp.where(t > 0, near, far)
            return t - _halley_step(excess, descent, -2.0 * h * h * near * far)

        peak = jnp.where(h > 1, jnp.log(jnp.maximum(h - 1.0, 1e-6) / (h + 1.0)) / h, -jnp.inf)
        start = -target / (h + 1.0)
        at_peak = (h - 1.0) * peak - 2.0 * jax.nn.softplus(h * peak)
        exists = jnp.where(h > 1, target < at_peak, (h < 1) | (target < 0)) & jnp.isfinite(target)
        t = _converge(halley, jnp.where(exists, jnp.maximum(start, peak), 0.0), h, target)
        return jnp.where(exists, self.half * jnp.exp(t), 0.0)

    def ceiling(self) -> Vector:
        return self.scale


@curve_family
class Weibull(Smooth):
    """a·(1 − e^(−(b x)^h)): concave for h ≤ 1, S-shaped for h > 1."""

    family: ClassVar[str] = "weibull"
    scale: Vector = parameter(positive=False)
    rate: Vector = parameter()
    exponent: Vector = parameter()
    baseline: Vector | None = parameter(any_sign=True, default=None)

    def _hazard(self, effort: Vector) -> Vector:
        """(b x)^h, capped where e^−(b x)^h is 0 long since; differentiable at 0 too."""
        safe = jnp.where(effort > 0, self.rate * effort, 1.0)
        inside = jnp.exp(jnp.minimum(self.exponent * jnp.log(safe), LARGEST_LOGARITHM))
        first_slope = jnp.where(self.exponent == 1, self.rate, 0.0)
        return jnp.where(effort > 0, inside, effort * first_slope)

    def lift(self, effort: Vector) -> Vector:
        return -self.scale * jnp.expm1(-self._hazard(effort))

    def slope(self, effort: Vector) -> Vector:
        hazard = self._hazard(jnp.where(effort > 0, effort, 1.0 / self.rate))
        inner = self.scale * self.exponent / jnp.where(effort > 0, effort, 1.0) * hazard * jnp.exp(-hazard)
        at_zero = jnp.where(self.exponent < 1, jnp.inf, jnp.where(self.exponent == 1, self.rate, 0.0))
        return jnp.where(effort > 0, inner, jnp.where(self.scale > 0, self.scale * at_zero, 0.0))

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        hazard = self._hazard(effort)
        safe = jnp.where(effort > 0, effort, 1.0)
        growth = self.exponent * jnp.log1p(step / safe)
        near = (effort > 0) & (growth < 1.0)
        close = hazard * jnp.expm1(jnp.minimum(growth, 1.0))
        rise = jnp.where(near, close, self._hazard(effort + step) - hazard)
        return -self.scale * jnp.exp(-hazard) * jnp.expm1(-rise)

    def inverse_slope(self, price: Vector) -> Vector:
        # With y = (b x)^h and t = log y, the log of the slope is κ t − e^t + log(a b h), κ = (h−1)/h:
        # concave in t, so Halley's steps from the right of the larger root converge to it.
        h = self.exponent
        bend = (h - 1.0) / h
        target = jnp.log(price) - jnp.log(self.scale) - jnp.log(self.rate) - jnp.log(h)

        def halley(t: Vector, bend: Vector, target: Vector) -> Vector:
            hazard = jnp.exp(t)
            return t - _halley_step(bend * t - hazard - target, bend - hazard, -hazard)

        peak = jnp.log(jnp.where(h > 1, bend, 1.0))
        positive = jnp.where(h > 1, bend, 1.0)
        s_start = 2.0 * (positive * (jnp.log(2.0 * positive) - 1.0) - target)
        start = jnp.log(jnp.maximum(jnp.where(h > 1, s_start, -target), 1.0))
        at_peak = bend * peak - jnp.exp(peak)
        exists = jnp.where(h > 1, target < at_peak, (h < 1) | (target < 0)) & jnp.isfinite(target)
        t = _converge(halley, jnp.where(exists, start, 0.0), bend, target)
        return jnp.where(exists, jnp.exp(t / h) / self.rate, 0.0)

    def ceiling(self) -> Vector:
        return self.scale


@curve_family
class Logistic(Smooth):
    """a·(σ(b(x − m)) − σ(−b m)) / (1 − σ(−b m)): S-shaped, saturates at a."""

    family: ClassVar[str] = "logistic"
    scale: Vector = parameter(positive=False)
    rate: Vector = parameter()
    midpoint: Vector = parameter(any_sign=True)
    baseline: Vector | None = parameter(any_sign=True, default=None)

    def _span(self) -> Vector:
        return self.scale / jax.nn.sigmoid(self.rate * self.midpoint)

    def lift(self, effort: Vector) -> Vector:
        return self.gain(jnp.zeros_like(effort), effort)

    def slope(self, effort: Vector) -> Vector:
        odds = self.rate * (effort - self.midpoint)
        return self._span() * self.rate * jax.nn.sigmoid(odds) * jax.nn.sigmoid(-odds)

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        low = self.rate * (effort - self.midpoint)
        rise = self.rate * step
        return self._span() * _sigmoid_difference(low, low + rise, rise * jnp.ones_like(low))

    def inverse_slope(self, price: Vector) -> Vector:
        share = price / (self._span() * self.rate)
        root = jnp.sqrt(jnp.maximum(1.0 - 4.0 * share, 0.0))
        complement = 2.0 * share / (1.0 + root)
        odds = jnp.log((1.0 - complement) / jnp.where(share > 0, complement, 1.0))
        exists = (4.0 * share <= 1.0) & (self.scale > 0)
        return jnp.where(exists, jnp.maximum(self.midpoint + odds / self.rate, 0.0), 0.0)

    def ceiling(self) -> Vector:
        return self.scale


def _sigmoid_difference(low: Vector, high: Vector, rise: Vector) -> Vector:
    """σ(high) − σ(low) for high = low + rise, rise ≥ 0, in product form: σ(low)·σ(−high)·(e^rise − 1)."""
    near = rise < LARGE_STEP
    product = jax.nn.sigmoid(low) * jax.nn.sigmoid(-high) * jnp.expm1(jnp.where(near, rise, 0.0))
    far = jnp.where(
        low < 0,
        jax.nn.sigmoid(high) - jax.nn.sigmoid(low),
        jax.nn.sigmoid(-low) - jax.nn.sigmoid(-high),
    )
    return jnp.where(near, product, far)
