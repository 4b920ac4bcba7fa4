"""Random keys: each named quantity has one of its own, so that more of them leave the others as they are."""

from __future__ import annotations

import zlib

import jax
from jaxtyping import Array


def named(key: Array, name: str) -> Array:
    """The key of one named quantity."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))


def portfolio_key(seed: int | Array, index: int | Array) -> Array:
    """The key of portfolio `index` of a seed."""
    return jax.random.fold_in(jax.random.key(seed), index)
