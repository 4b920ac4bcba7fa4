"""Families of increasing return: every further unit gains more than the one before it."""

from __future__ import annotations

from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from engine.model.curves.base import Curve, Refuse, Vector, curve_family, parameter, raised, rise


@curve_family
class Increasing(Curve):
    """a·x^p with p ≥ 1: convex, so the best effort at any price is none or all that there may be.

    Of such projects at most one is strictly between its bounds at an optimum: give it all, or leave it. Only
    an upper limit, or the budget, ends it; without an upper limit no price per unit of budget is too high.
    """

    family: ClassVar[str] = "increasing"
    scale: Vector = parameter(positive=False)
    exponent: Vector = parameter()
    baseline: Vector | None = parameter(any_sign=True, default=None)

    def check(self, refuse: Refuse) -> None:
        super().check(refuse)
        exponent = np.asarray(self.exponent)
        refuse(exponent < 1, "exponent", exponent, "at least 1: below 1 it is the family root")

    def lift(self, effort: Vector) -> Vector:
        return self.scale * raised(effort, self.exponent)

    def slope(self, effort: Vector) -> Vector:
        inner = self.scale * self.exponent * raised(jnp.where(effort > 0, effort, 1.0), self.exponent - 1.0)
        return jnp.where(effort > 0, inner, jnp.where(self.exponent > 1, 0.0, self.scale))

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        return self.scale * rise(effort, step, self.exponent)

    def maximisers(self, price: Vector) -> Float[Array, "candidates projects"]:
        return jnp.full_like(price, jnp.inf)[None]  # an end of whatever may be spent

    def ceiling(self) -> Vector:
        return jnp.where(self.scale > 0, jnp.inf, jnp.zeros_like(self.scale))

    def endless(self) -> Bool[Array, " projects"]:
        return (self.scale > 0) & (self.exponent > 1)
