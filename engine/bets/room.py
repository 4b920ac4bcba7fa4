"""Room: what effort may be, in shares of the budget beyond the lower limits.

x_i = l_i + y_i·room/c_i,    0 ≤ y_i ≤ U_i ≤ 1,    Σ_i y_i ≤ 1,    room = B − Σ_i c_i l_i
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp

from engine.model.curves.base import Vector
from engine.solvers.relaxation import Box


class Room(NamedTuple):
    """A feasible set in shares: `scale`, the effort that the whole room buys; `most`, U; `box`, in effort."""

    box: Box
    scale: Vector
    most: Vector

    def effort(self, share: Vector) -> Vector:
        """x at y."""
        return jnp.clip(self.box.least + share * self.scale, self.box.least, self.box.most)

    def share(self, effort: Vector) -> Vector:
        """y at x."""
        return (effort - self.box.least) / jnp.where(self.scale > 0, self.scale, 1.0)


def room_of(box: Box) -> Room:
    """The shares of a feasible set."""
    scale = jnp.maximum(box.budget - jnp.sum(box.costs * box.least), 0.0) / box.costs
    most = (box.most - box.least) / jnp.where(scale > 0, scale, 1.0)
    return Room(box, scale, jnp.where(scale > 0, jnp.minimum(most, 1.0), 0.0))


def filled_in_proportion(room: Room, share: Vector) -> Vector:
    """Shares that use up what is left of the budget, as far as each may, in proportion to what each has."""
    left = jnp.maximum(1.0 - jnp.sum(share), 0.0)
    total = jnp.sum(share)
    more = share * jnp.where(total > 0, left / jnp.where(total > 0, total, 1.0), 0.0)
    return jnp.minimum(share + more, room.most)


def filled(room: Room, share: Vector) -> Vector:
    """Shares that use up what is left of the budget, each in proportion to what it may still take."""
    left = jnp.maximum(1.0 - jnp.sum(share), 0.0)
    free = room.most - share
    total = jnp.sum(free)
    return share + free * jnp.where(total > 0, jnp.minimum(left / jnp.where(total > 0, total, 1.0), 1.0), 0.0)
