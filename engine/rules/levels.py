"""Levels: which efforts the rules of single projects leave them."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Bool

from engine.model.curves.base import Vector
from engine.rules.ruled import Fund, Ruled
from engine.solvers.rounding import steps_error

Allowed = Bool[Array, "levels projects"]


def allowed(given: Ruled, units: int) -> Allowed:
    """Whether each project may have 0, 1, …, `units` whole units of effort, by its own rules; the bounds of
    the portfolio are left to it."""
    effort = jnp.broadcast_to(jnp.arange(units + 1, dtype=given.dtype)[:, None], (units + 1, given.shape[-1]))
    fits = jnp.ones(effort.shape, bool)
    if given.minimum is not None:
        fits &= (effort == 0) | at_least(effort, given.minimum[None]) | absent(given.minimum)
    if given.lot is not None:
        lot = given.lot[None]
        fits &= equal(jnp.round(effort / lot) * lot, effort) | absent(given.lot)
    if given.only is not None:
        listed = jnp.any(equal(effort[:, :, None], given.only[None]), axis=2)
        fits &= listed | jnp.all(jnp.isnan(given.only), axis=1)[None]
    if given.within is not None and given.now is not None:
        reach = given.within * given.now
        near = at_least(effort, (given.now - reach)[None]) & at_least((given.now + reach)[None], effort)
        fits &= near | absent(given.within)
    if given.fund is not None:
        fits &= (effort > 0) | (given.fund != Fund.MUST)[None]
        fits &= (effort == 0) | (given.fund != Fund.NEVER)[None]
        if given.now is not None:
            fits &= equal(effort, given.now[None]) | (given.fund != Fund.KEEP)[None]
    return fits


def at_least(one: Array, other: Array) -> Array:
    """Whether one is at least the other, up to the rounding of what users wrote."""
    return one >= other - steps_error(other)


def equal(one: Array, other: Array) -> Array:
    """Whether they are the same, up to the rounding of what users wrote."""
    return jnp.abs(one - other) <= steps_error(other)


def absent(rule: Vector) -> Array:
    """Where projects have no such rule, [1, projects]."""
    return jnp.isnan(rule)[None]
