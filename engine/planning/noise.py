"""Random numbers of particles, by a hash of where they stand.

A filter takes four numbers of every particle of every project in every period. `jax.random` makes each by
twenty rounds of Threefry, which on a CPU took longer than all the rest of the filter. Here four come from one
pass of pcg4d, a few multiplications, over the two words of a key, the project and the particle. It is no
cipher, but passes the batteries that its authors put it to, and particles need no more: they stand for an
average. What worlds are made of stays `jax.random`'s.

Numbers depend on the key and the place alone, so neither on the batch nor on what else is drawn; keys of
periods and worlds come from `jax.random.fold_in`, which leaves them unrelated.

Source: Jarzynski & Olano (2020), Hash Functions for GPU Rendering, Journal of Computer Graphics Techniques 9.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt32

Words = UInt32[Array, "projects particles"]

# The linear congruential step that spreads each word before they are mixed (Numerical Recipes).
MULTIPLIER, INCREMENT = 1664525, 1013904223


def words(key: Array, shape: tuple[int, ...]) -> tuple[Words, Words, Words, Words]:
    """Four random words for every place of [projects, particles]."""
    one, other = jax.random.key_data(key)
    row, column = (jax.lax.broadcasted_iota(jnp.uint32, shape, axis) for axis in (0, 1))
    return pcg4d(jnp.broadcast_to(one, shape), jnp.broadcast_to(other, shape), row, column)


def pcg4d(x: Array, y: Array, z: Array, w: Array) -> tuple[Array, Array, Array, Array]:
    """Four words of four."""
    spread = (word * jnp.uint32(MULTIPLIER) + jnp.uint32(INCREMENT) for word in (x, y, z, w))
    x, y, z, w = (word ^ (word >> 16) for word in _mixed(*spread))
    return _mixed(x, y, z, w)


def _mixed(x: Array, y: Array, z: Array, w: Array) -> tuple[Array, Array, Array, Array]:
    x = x + y * w
    y = y + z * x
    z = z + x * y
    w = w + y * z
    return x, y, z, w


def uniform(word: Array, dtype: jnp.dtype) -> Float[Array, ...]:
    """A number between 0 and 1, neither of them: the middle of one of 2²³ steps, exact in float32."""
    return ((word >> 9).astype(dtype) + 0.5) * 2.0**-23


def normal(word: Array, dtype: jnp.dtype) -> Float[Array, ...]:
    """A standard normal number, by the inverse of its distribution: within 5.3 deviations."""
    return 2.0**0.5 * jax.lax.erf_inv(2.0 * uniform(word, dtype) - 1.0)


def index(word: Array, count: int | Array) -> Array:
    """A whole number below `count`, of at most 2¹⁶, by the word's first half."""
    return (((word >> 16) * jnp.asarray(count, jnp.uint32)) >> 16).astype(jnp.int32)
