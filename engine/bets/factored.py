"""Positive definite systems by operations of arrays alone.

LAPACK's batched routines are divided by XLA among its own threads, and where two programs with such batches
ran side by side on a CPU they waited for each other for ever. Matrices here are as small as a portfolio, so
that steps over columns, of all systems of a batch at once, take no longer.

Source: Golub & Van Loan (2013), Matrix Computations, section 4.2: the outer-product form of Cholesky's
method.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Matrix = Float[Array, "rows rows"]


def factored(matrix: Matrix) -> Matrix:
    """The columns of L in matrix = L Lᵀ, one a row; NaN where the matrix is not positive definite."""
    places = jnp.arange(matrix.shape[0])

    def column(rest: Matrix, place: Array) -> tuple[Matrix, Array]:
        below = jnp.where(places >= place, rest[place] / jnp.sqrt(rest[place, place]), 0.0)
        return rest - jnp.outer(below, below), below

    return jax.lax.scan(column, matrix, places)[1]


def solved(columns: Matrix, right: Float[Array, " rows"]) -> Float[Array, " rows"]:
    """x in L Lᵀ x = right."""
    places = jnp.arange(right.size)

    def forward(rest: Array, step: tuple[Array, Array]) -> tuple[Array, Array]:
        place, below = step
        value = rest[place] / below[place]
        return rest - value * below, value

    def backward(found: Array, step: tuple[Array, Array, Array]) -> tuple[Array, None]:
        place, below, value = step
        later = jnp.sum(below * found)  # what was not found yet is 0
        return found.at[place].set((value - later) / below[place]), None

    _, half = jax.lax.scan(forward, right, (places, columns))
    return jax.lax.scan(backward, jnp.zeros_like(right), (places, columns, half), reverse=True)[0]
