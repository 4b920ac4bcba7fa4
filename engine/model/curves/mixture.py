"""Several families in one portfolio."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from engine.model.curves.base import Curve, Refuse, Vector, curve_family


@curve_family
class Mixture(Curve):
    """A portfolio of several families: project i follows `families[choice[i]]`.

    Each family holds a parameter for every project; the ones of projects that follow another family are
    neutral numbers that nothing reads. Only families that occur are listed, so absent ones cost nothing.
    """

    family: ClassVar[str] = "mixture"
    families: tuple[Curve, ...] = ()
    choice: Int[Array, " projects"] = dataclasses.field(default=None)  # type: ignore[assignment]

    @property
    def shape(self) -> tuple[int, ...]:
        return np.broadcast_shapes(np.shape(self.choice), *(f.shape for f in self.families))

    @property
    def concave(self) -> bool:  # type: ignore[override]
        return all(f.concave for f in self.families)

    @property
    def rising(self) -> bool:  # type: ignore[override]
        return all(f.rising for f in self.families)

    @property
    def listed(self) -> bool:  # type: ignore[override]
        return any(f.listed for f in self.families)

    @property
    def straight(self) -> bool:  # type: ignore[override]
        return any(f.straight for f in self.families)

    def check(self, refuse: Refuse) -> None:
        for family in self.families:
            family.check(refuse)

    def _select(self, values: list[Array]) -> Array:
        return jax.lax.select_n(self.choice, *values) if len(values) > 1 else values[0]

    def value(self, effort: Vector) -> Vector:
        return self._select([f.value(effort) for f in self.families])

    def lift(self, effort: Vector) -> Vector:
        return self._select([f.lift(effort) for f in self.families])

    def slope(self, effort: Vector) -> Vector:
        return self._select([f.slope(effort) for f in self.families])

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        return self._select([f.gain(effort, step) for f in self.families])

    def inverse_slope(self, price: Vector) -> Vector:
        return self._select([f.inverse_slope(price) for f in self.families])

    def maximisers(self, price: Vector) -> Float[Array, "candidates projects"]:
        lists = [f.maximisers(price) for f in self.families]
        most = max(candidates.shape[0] for candidates in lists)
        # Families with fewer candidates name their last one again.
        padded = [jnp.pad(c, [(0, most - c.shape[0]), *[(0, 0)] * (c.ndim - 1)], mode="edge") for c in lists]
        return jax.vmap(lambda *row: self._select(list(row)))(*padded)

    def ceiling(self) -> Vector:
        return self._select([f.ceiling() for f in self.families])

    def cancelled(self, effort: Vector) -> Vector:
        return self._select([f.cancelled(effort) for f in self.families])

    def endless(self) -> Bool[Array, " projects"]:
        return self._select([f.endless() for f in self.families])

    def stage(
        self, effort: Vector, cuts: tuple[float, ...], ceiling: Vector
    ) -> tuple[Int[Array, " projects"], Bool[Array, " projects"]]:
        stages = [f.stage(effort, cuts, ceiling) for f in self.families]
        return self._select([s for s, _ in stages]), self._select([last for _, last in stages])
