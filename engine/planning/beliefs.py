"""Beliefs: what may be true of every project, as particles with weights.

A particle of a project is a curve, the progress made so far and whether the project runs. Projects are
independent, so each has weights of its own. A period moves particles as the world moves (the bootstrap filter
of Gordon, Salmond & Smith 1993) and weighs them by the density of what was seen. Where a project's effective
number of particles (Kong, Liu & Wong 1994) falls below half of them they are drawn again by systematic
resampling (Kitagawa 1996), and the parameters of smooth families that are not 0 move a little, shrunk towards
their mean so that mean and variance of the logarithms stay (Liu & West 2001): copies of one particle part
again. Measured points, start-up costs and success stay as they are.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from engine.model.curves.base import Curve, Smooth, Vector
from engine.model.curves.mixture import Mixture
from engine.model.portfolio import Portfolio
from engine.planning.world import State, Terms, advance, begin
from engine.solvers.responses import Scalar

Particles = Float[Array, "particles projects"]

# Below this share of effective particles they are drawn again; Liu & West's discount of their spread.
FEW, DISCOUNT = 0.5, 0.98


class Belief(NamedTuple):
    """Curves, states and logarithms of weights of particles; weights of a project add up to 1."""

    draws: Portfolio
    state: State
    log_weight: Particles

    @property
    def weight(self) -> Particles:
        """The weights."""
        return jnp.exp(self.log_weight)

    def mean(self, values: Particles) -> Vector:
        """The mean of what particles say, per project."""
        return jnp.sum(self.weight * values, axis=0)

    def returns(self) -> Particles:
        """What has been reached, by each particle."""
        return self.draws.returns(self.state.progress)


def believe(terms: Terms, draws: Portfolio, key: Array) -> Belief:
    """The belief before anything is spent: equally likely draws [particles, projects]."""
    particles = draws.shape[0]
    whole = jax.tree.map(lambda a: jnp.broadcast_to(a, (particles, *a.shape[1:])), draws)
    nothing = jnp.zeros(draws.shape, draws.dtype)
    return Belief(whole, begin(terms, nothing, key), nothing - jnp.log(jnp.asarray(particles, draws.dtype)))


def update(terms: Terms, belief: Belief, effort: Vector, seen: Vector, scale: Vector, key: Array) -> Belief:
    """The belief after a period in which effort was spent and, where it was, returns were seen."""
    for_period, for_draws = jax.random.split(key)
    state = advance(terms, belief.state, effort, for_period)
    looked = effort > 0
    off = (seen[None] - belief.draws.returns(state.progress)) / (scale * terms.noise)[None]
    log_weight = belief.log_weight - jnp.where(looked[None], 0.5 * off**2, 0.0)
    log_weight = log_weight - jax.nn.logsumexp(log_weight, axis=0, keepdims=True)
    return refreshed(Belief(belief.draws, state, log_weight), for_draws)


def effective(belief: Belief) -> Vector:
    """The effective number of particles, 1/Σ w²."""
    return jnp.exp(-jax.nn.logsumexp(2.0 * belief.log_weight, axis=0))


def refreshed(belief: Belief, key: Array) -> Belief:
    """Particles drawn again where few of them count."""
    particles, projects = belief.log_weight.shape
    few = effective(belief) < FEW * particles
    for_choice, for_move = jax.random.split(key)
    uniform = jax.random.uniform(for_choice, (projects,), belief.log_weight.dtype)
    drawn = jax.vmap(systematic, in_axes=(1, 0), out_axes=1)(belief.weight, uniform)
    stay = jnp.broadcast_to(jnp.arange(particles, dtype=drawn.dtype)[:, None], drawn.shape)
    chosen = jnp.where(few[None], drawn, stay)
    draws, state = jax.tree.map(lambda a: taken(a, chosen), (belief.draws, belief.state))
    equal = jnp.full_like(belief.log_weight, -jnp.log(jnp.asarray(particles, belief.log_weight.dtype)))
    log_weight = jnp.where(few[None], equal, belief.log_weight)
    draws = dataclasses.replace(draws, curves=apart(draws.curves, few, for_move))
    return Belief(draws, state, log_weight)


def systematic(weight: Vector, uniform: Scalar) -> Array:
    """Which particles are drawn: at even steps of their weights' sum, the first by a uniform number."""
    count = weight.size
    at = (jnp.arange(count, dtype=weight.dtype) + uniform) / count
    return jnp.clip(jnp.searchsorted(jnp.cumsum(weight), at), 0, count - 1).astype(jnp.int32)


def taken(array: Array, chosen: Array) -> Array:
    """The entries of chosen particles, [particles, projects, ...]."""
    index = chosen.reshape(chosen.shape + (1,) * (array.ndim - 2))
    return jnp.take_along_axis(array, jnp.broadcast_to(index, (*chosen.shape[:1], *array.shape[1:])), axis=0)


def apart(curve: Curve, few: Vector, key: Array) -> Curve:
    """Smooth curves of projects whose particles were drawn again, moved by Liu & West's kernel."""
    if isinstance(curve, Mixture):
        families = (apart(one, few, jax.random.fold_in(key, i)) for i, one in enumerate(curve.families))
        return Mixture(tuple(families), curve.choice)
    if not isinstance(curve, Smooth):
        return curve
    leaves, structure = jax.tree.flatten(curve)
    keys = jax.random.split(key, len(leaves))
    moved = [near(values, few, one) for values, one in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(structure, moved)


def near(values: Particles, few: Vector, key: Array) -> Particles:
    """Numbers of which all particles have the same sign, moved in logarithms."""
    shrink = (3.0 * DISCOUNT - 1.0) / (2.0 * DISCOUNT)
    sign = jnp.where(values[:1] < 0, -1.0, 1.0)
    moves = few[None] & jnp.all(values * sign > 0, axis=0, keepdims=True)
    log = jnp.log(jnp.where(moves, jnp.abs(values), 1.0))
    mean, spread = jnp.mean(log, axis=0, keepdims=True), jnp.std(log, axis=0, keepdims=True)
    normal = jax.random.normal(key, values.shape, values.dtype)
    moved = sign * jnp.exp(shrink * log + (1.0 - shrink) * mean + (1.0 - shrink**2) ** 0.5 * spread * normal)
    return jnp.where(moves & (spread > 0), moved, values)
