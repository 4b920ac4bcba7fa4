"""Beliefs: what may be true of every project, as particles with weights.

A particle of a project is a curve, the progress made so far and whether the project runs. Projects are
independent, so each has weights of its own. A period moves particles as the world moves (the bootstrap filter
of Gordon, Salmond & Smith 1993) and weighs them by the density of what was seen. Where a project's effective
number of particles (Kong, Liu & Wong 1994) falls below half of them they are drawn again by systematic
resampling (Kitagawa 1996); progress and the parameters of smooth families that are not 0 then move a little,
shrunk towards their mean so that mean and covariance of the logarithms stay (Liu & West 2001): copies of one
particle part again. Measured points, start-up costs and success stay as they are.

Few particles say too little of what is left open: of saturating exponentials with σ = .5 and noise of .05 the
80 % intervals of what all of the budget would bring hold the truth in 73 to 79 % of cases with 256 particles,
and in 78 to 82 % with 2,048.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from engine.model.curves.base import Curve, Smooth, Vector
from engine.model.curves.mixture import Mixture
from engine.model.portfolio import Portfolio
from engine.planning import noise
from engine.planning.world import State, Terms, begin, later
from engine.solvers.responses import Scalar

Particles = Float[Array, "projects particles"]

# Below this share of effective particles they are drawn again; Liu & West's discount of their spread.
FEW, DISCOUNT = 0.5, 0.95


class Belief(NamedTuple):
    """Curves, states and logarithms of weights of particles; weights of a project add up to 1.

    Particles stand last, where processors take many at a time: `draws` is a portfolio whose arrays are
    [projects, particles, ...].
    """

    draws: Portfolio
    state: State
    log_weight: Particles

    @property
    def weight(self) -> Particles:
        """The weights."""
        return jnp.exp(self.log_weight)

    def mean(self, values: Particles) -> Vector:
        """The mean of what particles say, per project."""
        return jnp.sum(self.weight * values, axis=1)

    def returns(self) -> Particles:
        """What has been reached, by each particle."""
        return self.draws.returns(self.state.progress)


def believe(terms: Terms, draws: Portfolio, key: Array) -> Belief:
    """The belief before anything is spent: equally likely draws [particles, projects]."""
    particles, projects = draws.shape
    whole = jax.tree.map(lambda a: jnp.broadcast_to(a, (particles, *a.shape[1:])).swapaxes(0, 1), draws)
    nothing = jnp.zeros((projects, particles), draws.dtype)
    return Belief(whole, begin(terms, nothing, key), nothing - jnp.log(jnp.asarray(particles, draws.dtype)))


def update(terms: Terms, belief: Belief, effort: Vector, seen: Vector, scale: Vector, key: Array) -> Belief:
    """The belief after a period in which effort was spent and, where it was, returns were seen."""
    for_particles, for_choice = jax.random.split(key)
    shape, dtype = belief.log_weight.shape, belief.log_weight.dtype
    stall, progress, *pair = noise.words(for_particles, shape)
    moves = noise.uniform(stall, dtype), noise.normal(progress, dtype)
    belief = belief._replace(state=later(terms, belief.state, effort[:, None], *moves))
    off = (seen[:, None] - belief.returns()) / (scale * terms.noise)[:, None]
    log_weight = belief.log_weight - jnp.where((effort > 0)[:, None], 0.5 * off**2, 0.0)
    log_weight = log_weight - jax.nn.logsumexp(log_weight, axis=1, keepdims=True)
    uniform = jax.random.uniform(for_choice, shape[:1], dtype)
    one, other = (noise.index(word, shape[1]) for word in pair)
    return refreshed(belief._replace(log_weight=log_weight), uniform, one, other)


def effective(belief: Belief) -> Vector:
    """The effective number of particles, 1/Σ w²."""
    return jnp.exp(-jax.nn.logsumexp(2.0 * belief.log_weight, axis=1))


def quantile(belief: Belief, values: Particles, share: float) -> Vector:
    """Weighted quantiles of what particles say, per project: linear between particles, each of which stands
    at the middle of its weight."""
    order = jnp.argsort(values, axis=1)
    rising, weight = taken(values, order), taken(belief.weight, order)
    middle = jnp.cumsum(weight, axis=1) - 0.5 * weight
    at = jnp.asarray(share, values.dtype)
    return jax.vmap(lambda x, y: jnp.interp(at, x, y))(middle, rising)


def refreshed(belief: Belief, uniform: Vector, one: Array, other: Array) -> Belief:
    """Particles drawn again where few of them count.

    **Arguments:** `uniform`, where systematic resampling begins; `one` and `other`, two random particles for
    each, by whose difference it moves.
    """
    particles = belief.log_weight.shape[1]
    few = (effective(belief) < FEW * particles)[:, None]
    stay = jnp.arange(particles, dtype=jnp.int32)[None]
    drawn = jnp.where(few, jax.vmap(systematic)(belief.weight, uniform), stay)

    def apart(values: Particles) -> Particles:
        return jnp.where(few, moved(values, one, other), values)

    draws, state = jax.tree.map(lambda a: taken(a, drawn), (belief.draws, belief.state))
    curves = of_smooth(apart, draws.curves)
    state = state._replace(progress=apart(state.progress))
    equal = -jnp.log(jnp.asarray(particles, belief.log_weight.dtype))
    log_weight = jnp.where(few, equal, belief.log_weight)
    return Belief(dataclasses.replace(draws, curves=curves), state, log_weight)


def systematic(weight: Vector, uniform: Scalar) -> Array:
    """Which particles are drawn: at even steps of their weights' sum, the first by a uniform number.

    Step i, at (i + uniform)/n, takes the particle before which so many have ended; ends are counted by step
    and summed up, which is one pass where a search would be eight.
    """
    count = weight.size
    end = jnp.ceil(jnp.cumsum(weight) * count - uniform).astype(jnp.int32)
    ended = jnp.zeros(count, jnp.int32).at[jnp.maximum(end, 0)].add(1, mode="drop")
    return jnp.minimum(jnp.cumsum(ended, dtype=jnp.int32), count - 1)


def taken(array: Array, chosen: Array) -> Array:
    """The entries of chosen particles, [projects, particles, ...]."""
    index = chosen.reshape(chosen.shape + (1,) * (array.ndim - 2))
    return jnp.take_along_axis(array, jnp.broadcast_to(index, (*chosen.shape, *array.shape[2:])), axis=1)


def of_smooth(change: Callable[[Particles], Particles], curve: Curve) -> Curve:
    """Curves whose parameters are changed, of smooth families."""
    if isinstance(curve, Mixture):
        return Mixture(tuple(of_smooth(change, family) for family in curve.families), curve.choice)
    return jax.tree.map(change, curve) if isinstance(curve, Smooth) else curve


def moved(values: Particles, one: Array, other: Array) -> Particles:
    """Numbers of one sign, moved in logarithms by Liu & West's kernel, whose normal is stood for by the
    difference of two particles: with both drawn at random that has twice the covariance of the particles, of
    all numbers of a project together."""
    shrink = (3.0 * DISCOUNT - 1.0) / (2.0 * DISCOUNT)
    width = ((1.0 - shrink**2) / 2.0) ** 0.5
    sign = jnp.where(values[:, :1] < 0, -1.0, 1.0)
    moves = jnp.all(values * sign > 0, axis=1, keepdims=True)
    log = jnp.log(jnp.where(moves, values * sign, 1.0))
    mean = jnp.mean(log, axis=1, keepdims=True)
    near = shrink * log + (1.0 - shrink) * mean + width * (taken(log, one) - taken(log, other))
    return jnp.where(moves, sign * jnp.exp(near), values)
