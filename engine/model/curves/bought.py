"""Curves of another family, by the money that their effort takes where its price rises."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from engine.model.curves.base import Curve, Refuse, Vector, curve_family, parameter
from engine.model.curves.staged import Tabulated

# Halvings of the effort at which a curve's slope meets what a unit costs: all the digits of a float64.
HALVINGS = 80
# Where efforts end, as a power of the largest number: what they cost is still one.
FARTHEST = 0.4


@curve_family
class Bought(Curve):
    """f(x(s)), the performance that money s buys where x units cost c·x·(1 + x/k).

    The average price of a unit is c at first, and 2c at an effort of k (infinite: it does not rise). Money
    has no price of its own any more: it costs 1.
    """

    family: ClassVar[str] = "bought"
    drawable: ClassVar[bool] = False
    curve: Curve = dataclasses.field(default=None)  # type: ignore[assignment]
    cost: Vector = parameter(default=1.0)
    doubling: Vector = parameter(default=float("inf"))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.curve.shape

    @property
    def concave(self) -> bool:  # type: ignore[override]
        return self.curve.concave and self.curve.rising

    @property
    def rising(self) -> bool:  # type: ignore[override]
        return self.curve.rising

    @property
    def listed(self) -> bool:  # type: ignore[override]
        """Whether nothing names the spends that are best at a price, so that all whole ones are compared."""
        return not (self.curve.concave or isinstance(self.curve, Tabulated))

    def check(self, refuse: Refuse) -> None:
        self.curve.check(refuse)

    def effort_of(self, money: Vector) -> Vector:
        """x(s): the units that money buys, without cancellation."""
        steady = money / self.cost
        return 2.0 * steady / (1.0 + jnp.sqrt(1.0 + 4.0 * steady / self.doubling))

    def money_of(self, effort: Vector) -> Vector:
        """c·x·(1 + x/k): what these units cost."""
        return self.cost * effort * (1.0 + effort / self.doubling)

    def _marginal(self, effort: Vector) -> Vector:
        """What a further unit costs at this effort."""
        return self.cost * (1.0 + 2.0 * effort / self.doubling)

    def value(self, effort: Vector) -> Vector:
        return self.curve.value(self.effort_of(effort))

    def lift(self, effort: Vector) -> Vector:
        return self.curve.lift(self.effort_of(effort))

    def slope(self, effort: Vector) -> Vector:
        units = self.effort_of(effort)
        return self.curve.slope(units) / self._marginal(units)

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        units = self.effort_of(effort)
        # x(s + d) − x(s) = d/(c (1 + (x(s + d) + x(s))/k)), without cancellation
        mean = 1.0 + (self.effort_of(effort + step) + units) / self.doubling
        return self.curve.gain(units, step / (self.cost * mean))

    def inverse_slope(self, price: Vector) -> Vector:
        # f'(x) falls and what a unit costs rises, so they meet once, before f' is at the first unit's price.
        most = self.curve.inverse_slope(price * self.cost)

        def halve(_: int, bracket: tuple[Vector, Vector]) -> tuple[Vector, Vector]:
            low, high = bracket
            middle = 0.5 * (low + high)
            pays = self.curve.slope(middle) >= price * self._marginal(middle)
            return jnp.where(pays, middle, low), jnp.where(pays, high, middle)

        # Beyond 1 the slope is at most f'(1), which a unit costs at x = k f'(1)/(2 c price).
        far = 0.5 * self.doubling * self.curve.slope(jnp.ones_like(price)) / (price * self.cost)
        farthest = float(jnp.finfo(price.dtype).max) ** FARTHEST
        end = jnp.minimum(jnp.minimum(most, jnp.maximum(far, 1.0)), farthest)
        low, _ = jax.lax.fori_loop(0, HALVINGS, halve, (jnp.zeros_like(price), end))
        met = self.curve.slope(end) >= price * self._marginal(end)
        return self.money_of(jnp.where(met, end, low))

    def maximisers(self, price: Vector) -> Float[Array, "candidates projects"]:
        if self.curve.concave:
            return self.inverse_slope(price)[None]
        points = self.curve.maximisers(price * self.cost)
        if not isinstance(self.curve, Tabulated):
            return jax.vmap(self.money_of)(points)
        # Within a piece of slope m the best effort is where a further unit costs m/price.
        ahead = jax.vmap(self.curve.slope)(points)
        turn = 0.5 * self.doubling[None] * (ahead / (price * self.cost)[None] - 1.0)
        following = jnp.concatenate([points[1:], points[-1:]])
        turn = jnp.where(jnp.isfinite(turn), jnp.clip(turn, points, following), points)
        return jax.vmap(self.money_of)(jnp.concatenate([points, turn]))

    def ceiling(self) -> Vector:
        return self.curve.ceiling()

    def endless(self) -> Bool[Array, " projects"]:
        return self.curve.endless()

    def stage(
        self, effort: Vector, cuts: tuple[float, ...], ceiling: Vector
    ) -> tuple[Int[Array, " projects"], Bool[Array, " projects"]]:
        return self.curve.stage(self.effort_of(effort), cuts, ceiling)
