"""Rounding: every tolerance of the package once, and why it is as large as it is.

ε is the distance from 1 to the next number of a dtype, so that one operation moves its result by at most half
of ε times its size. A tolerance here is a number of operations, times ε, times the size of what they are
done to; never a number of its own.

Source: Higham (2002), Accuracy and Stability of Numerical Algorithms, sections 2.2 and 4.2.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

# Operations that make one number: a curve's value, a bisected effort, a price. The longest curves take a
# dozen, most of them less; functions such as log1p and exp are right to an ε or two.
OPERATIONS = 16

# Numbers that went through a few such steps, one after the other: a running sum of costs, the effort that a
# multiplier gives.
STEPS = 4

# What a sum of returns has besides its additions: the operations that make its terms, half an ε each.
TERMS = 8

# A whole unit is 1, so nothing that is off by less is ever taken for another one.
MOST_BUDGET_SLACK = 1e-3

# Counts of units and budget steps are taken of numbers that users wrote, decimals, so that 0.7/0.1 is 7.
COUNTED = 1e-12


def whole(count: float) -> int:
    """The whole number that a quotient of what users wrote falls short of, or comes to."""
    return math.floor(count * (1.0 + COUNTED))


def epsilon(dtype: jnp.dtype | type) -> float:
    """ε: the distance from 1 to the next number."""
    return float(jnp.finfo(dtype).eps)


def least_positive(dtype: jnp.dtype | type) -> float:
    """The smallest normal number: the lowest price that a search looks at, and a size to divide by."""
    return float(jnp.finfo(dtype).tiny)


def number_error(size: Array) -> Array:
    """How far rounding can move one number of this size: 16·ε·|size|, its own operations."""
    return OPERATIONS * epsilon(size.dtype) * jnp.abs(size)


def steps_error(size: Array) -> Array:
    """How far rounding can move a number of this size that was made in a few steps: 64·ε·|size|."""
    return STEPS * number_error(size)


def budget_slack(budget: Float[Array, ...]) -> Float[Array, ...]:
    """How far rounding can move a running sum of costs: 64·ε·|B|, and never near a unit."""
    return jnp.minimum(steps_error(budget), MOST_BUDGET_SLACK)


def sum_error(count: int, size: Array) -> Array:
    """How far rounding can move a sum over so many projects, whose terms' sizes add up to `size`:
    (N + 8)·ε·|size|.

    N − 1 additions, in whatever order, each off by half an ε of a partial sum, which is at most `size`; and
    the rounding of each term. Twice what one sum needs, since it is another sum that it is compared with.
    """
    return (count + TERMS) * epsilon(size.dtype) * jnp.abs(size)


def value_error(count: int, value: Array) -> Array:
    """How far two sums of returns V of the same allocation can lie apart: 3·(N + 8)·ε·|V|.

    One is the sum in the order of the projects, the other grew unit by unit, or project by project in a
    dynamic programme, and each was compared, level by level, with numbers as far off as it is.
    """
    return 3.0 * sum_error(count, value)


def cancels(count: int, whole: Array, rest: Array) -> Array:
    """Whether so little is left of a sum that its rounding is more than what a value may be off.

    A bound made of L(λ) and scores, both of which may be far larger than the value where λ is far from the
    best price, has the rounding of L(λ), which is then no proof that the value equals it.
    """
    return sum_error(count, whole) > value_error(count, rest)


def optimum_error(count: int, optimum: Array) -> Array:
    """Up to where a value counts as the optimum: 4·(N + 8)·ε·|V*|, the slack at which `conclude` calls a
    value V equal to its bound, (N + 8)·ε·(|V| + 3·|bound|), where both are V*."""
    return 4.0 * sum_error(count, optimum)


def product_error(value: Array) -> Array:
    """How far apart two roundings of the same product or quotient can be: 2·ε·|value|.

    Computed once more, it may be contracted with the addition or comparison that follows (a fused
    multiply-add rounds once where two operations round twice), and so may its own factors.
    """
    return 2.0 * epsilon(value.dtype) * jnp.abs(value)


def payoff_error(returns: Array, spend: Array) -> Array:
    """How far apart two roundings of returns − price·cost·level can be: 4·ε·(|returns| + spend).

    Both terms are products of products, `product_error` of each twice; their difference may be small, so the
    sizes of the terms count.
    """
    return 2.0 * (product_error(returns) + product_error(spend))


def first_best(values: Array, order: Array, error: Array | None = None, axis: int = 0) -> tuple[Array, Array]:
    """The largest of some values along an axis, and the least `order` of those that have it, up to rounding.

    A compiler may compute the values once for their maximum and once more for the comparison with it, and
    round them differently, so that none equals the maximum: whoever then takes "the one that does" takes
    none, and a search that moves by it stands still for ever.

    **Arguments:** `order`, what stands for each value (its level, or its index), broadcast against them;
    `error`, how far apart two roundings of each value can be: `product_error` unless given. Values that are
    not finite have no place.

    **Returns:** (largest, least order); the largest number of its dtype, or infinity, where no value is
    finite.
    """
    best = jnp.max(values, axis=axis, keepdims=True)
    error = product_error(best) if error is None else error
    near = (values >= best - error) & (values > -jnp.inf)  # neither of an infinite best
    none = jnp.inf if jnp.issubdtype(order.dtype, jnp.floating) else jnp.iinfo(order.dtype).max
    first = jnp.min(jnp.where(near, order, jnp.asarray(none, order.dtype)), axis=axis)
    return jnp.squeeze(best, axis), first
