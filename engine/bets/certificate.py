"""Bounds of what any effort can have by an objective over draws.

Any weights q of an objective's envelope bound it by Σ_s q_s V_s(x). Where q ≥ 0 and every V_s is concave, no
feasible y has more than

    Σ_s q_s V_s(x) + max_y Σ_s q_s ∇V_s(x)·(y − x),

the Frank–Wolfe gap of the weighted curves, whatever x. Curves of any shape that do not fall are bounded by
cells: Σ_s q_s V_s is separable, and a project whose effort lies in [a, b] returns at most Σ_{q > 0} q_s
f_s(b) + Σ_{q < 0} q_s f_s(a), at no less than the cost of a. The least over λ of Σ_i max over cells of (that
− λ·cost) + λ·room is a bound (Lagrange). Cells are fine around each project's best response, where it is
decided, and coarse elsewhere. The chance to reach a target is at most the share of draws that could reach it,
each for itself.

Sources: Everett (1963) for the multiplier; Jaggi (2013) for the gap; Luedtke & Ahmed (2008) for chances.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from engine.bets.ascent import knapsack
from engine.bets.objectives import Chance, Objective
from engine.bets.room import room_of
from engine.bets.uncertain import Uncertain
from engine.model.curves.base import Vector
from engine.solvers.dual import real_dual
from engine.solvers.relaxation import Box
from engine.solvers.responses import Scalar

# Cells of the whole range of effort; those that the ones around the best response are divided into, and how
# many of these there are on either side.
COARSE, FINE, AROUND = 512, 1024, 24
# Between the objective's own weights and equal ones, each of which bound it.
MIXTURES = 9
HALVINGS = 60
# By how much a computed bound may be too small, as a share of it.
ROUNDING = 1e-12

Matrix = Float[Array, "projects cells"]


class Cells(NamedTuple):
    """Cells of effort by where they begin, as shares of the room, and the most that each may return."""

    low: Matrix
    most: Matrix


def weighted_gap(box: Box, effort: Vector, slope: Vector) -> Scalar:
    """max over feasible y of slope·(y − x)."""
    return jnp.sum(slope * (knapsack(box, slope) - effort))


def cell_bound(
    bet: Uncertain,
    objective: Objective,
    box: Box,
    values: Float[Array, " draws"],
    mixtures: int = MIXTURES,
) -> Scalar:
    """The bound over real effort of any curves that do not fall, by the objective's weights at these returns
    and by so many mixtures with equal ones; one is of equal ones alone, all that the mean needs."""
    _, scale, most = room_of(box)
    equal = jnp.full_like(values, 1.0 / values.size)
    own = objective.weights(values)
    signs = jnp.stack([equal, jnp.maximum(own, 0.0), jnp.maximum(-own, 0.0)])

    def tables(share: Matrix) -> Float[Array, "tables projects points"]:
        return bet.weighted_tables(box.least[:, None] + scale[:, None] * share, signs)

    coarse = most[:, None] * jnp.linspace(0.0, 1.0, COARSE + 1, dtype=values.dtype)[None]
    found = tables(coarse)
    price = least_dual(cells_of(coarse, found, jnp.ones_like(equal[0])))[1]
    response = jnp.argmax(found[1] - found[2] - price * coarse, axis=1)[:, None]
    low, high = (
        jnp.take_along_axis(coarse, jnp.clip(response + k, 0, COARSE), axis=1) for k in (-AROUND, AROUND)
    )
    fine = low + (high - low) * jnp.linspace(0.0, 1.0, FINE + 1, dtype=values.dtype)[None]
    points = jnp.concatenate([coarse, fine], axis=1)
    found = jnp.concatenate([found, tables(fine)], axis=2)
    order = jnp.argsort(points, axis=1)
    points = jnp.take_along_axis(points, order, axis=1)
    found = jnp.take_along_axis(found, order[None], axis=2)
    shares = jnp.linspace(0.0, 1.0, mixtures, dtype=values.dtype)
    bounds = jax.lax.map(lambda share: least_dual(cells_of(points, found, share))[0], shares)
    least = jnp.min(bounds)
    return least + ROUNDING * jnp.abs(least)


def cells_of(points: Matrix, tables: Float[Array, "tables projects points"], share: Scalar) -> Cells:
    """The cells between points, and what each returns at most by a share of the objective's own weights."""
    equal, positive, negative = tables
    most = share * (positive[:, 1:] - negative[:, :-1]) + (1.0 - share) * equal[:, 1:]
    return Cells(points[:, :-1], most)


def least_dual(cells: Cells) -> tuple[Scalar, Scalar]:
    """(the least over λ ≥ 0 of Σ_i max over cells of (most − λ·low) + λ, the λ where it is)."""
    first = cells.most[:, :1]
    rates = jnp.where(cells.low > 0, (cells.most - first) / jnp.where(cells.low > 0, cells.low, 1.0), 0.0)

    def at(price: Scalar) -> tuple[Scalar, Scalar]:
        scores = cells.most - price * cells.low
        best = jnp.argmax(scores, axis=1)[:, None]
        spent = jnp.sum(jnp.take_along_axis(cells.low, best, axis=1))
        return jnp.sum(jnp.take_along_axis(scores, best, axis=1)) + price, spent

    def halve(_: int, state: tuple[Scalar, ...]) -> tuple[Scalar, ...]:
        low, high, least, where = state
        price = 0.5 * (low + high)
        value, spent = at(price)
        less = value < least
        low, high = jnp.where(spent > 1.0, price, low), jnp.where(spent > 1.0, high, price)
        return low, high, jnp.minimum(value, least), jnp.where(less, price, where)

    nothing = jnp.zeros((), cells.most.dtype)
    begin = nothing, jnp.max(rates), at(nothing)[0], nothing
    _, _, least, where = jax.lax.fori_loop(0, HALVINGS, halve, begin)
    return least, where


def chance_bound(bet: Uncertain, objective: Chance, budget: Scalar) -> Scalar:
    """The share of draws whose own best effort could reach the target."""
    best = jax.vmap(lambda one: real_dual(one, budget).bound)(bet.each())
    return jnp.mean((best + ROUNDING * jnp.abs(best) >= objective.target).astype(best.dtype))
