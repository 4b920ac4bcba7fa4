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
from engine.planning.world import State, Terms, advance, begin
from engine.solvers.responses import Scalar

Particles = Float[Array, "particles projects"]

# Below this share of effective particles they are drawn again; Liu & West's discount of their spread.
FEW, DISCOUNT = 0.5, 0.95


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
    belief = belief._replace(state=advance(terms, belief.state, effort, for_period))
    off = (seen[None] - belief.returns()) / (scale * terms.noise)[None]
    log_weight = belief.log_weight - jnp.where((effort > 0)[None], 0.5 * off**2, 0.0)
    log_weight = log_weight - jax.nn.logsumexp(log_weight, axis=0, keepdims=True)
    return refreshed(belief._replace(log_weight=log_weight), for_draws)


def effective(belief: Belief) -> Vector:
    """The effective number of particles, 1/Σ w²."""
    return jnp.exp(-jax.nn.logsumexp(2.0 * belief.log_weight, axis=0))


def quantile(belief: Belief, values: Particles, share: float) -> Vector:
    """Weighted quantiles of what particles say, per project: linear between particles, each of which stands
    at the middle of its weight."""
    order = jnp.argsort(values, axis=0)
    rising = jnp.take_along_axis(values, order, axis=0)
    weight = jnp.take_along_axis(belief.weight, order, axis=0)
    middle = jnp.cumsum(weight, axis=0) - 0.5 * weight
    at = jnp.asarray(share, values.dtype)
    return jax.vmap(lambda x, y: jnp.interp(at, x, y), in_axes=1)(middle, rising)


def refreshed(belief: Belief, key: Array) -> Belief:
    """Particles drawn again where few of them count."""
    particles, projects = belief.log_weight.shape
    few = effective(belief) < FEW * particles
    for_choice, for_pairs = jax.random.split(key)
    uniform = jax.random.uniform(for_choice, (projects,), belief.log_weight.dtype)
    stay = jnp.broadcast_to(jnp.arange(particles, dtype=jnp.int32)[:, None], (particles, projects))
    drawn = jnp.where(few[None], jax.vmap(systematic, (1, 0), 1)(belief.weight, uniform), stay)
    bits = jax.random.bits(for_pairs, (particles, projects), jnp.uint32)  # half of them for each of a pair
    pair = [(half % jnp.uint32(particles)).astype(jnp.int32) for half in (bits & 0xFFFF, bits >> 16)]

    def apart(values: Particles) -> Particles:
        return jnp.where(few[None], moved(values, *(taken(values, other) for other in pair)), values)

    draws, state = jax.tree.map(lambda a: taken(a, drawn), (belief.draws, belief.state))
    curves = of_smooth(apart, draws.curves)
    state = state._replace(progress=apart(state.progress))
    equal = jnp.full_like(belief.log_weight, -jnp.log(jnp.asarray(particles, belief.log_weight.dtype)))
    log_weight = jnp.where(few[None], equal, belief.log_weight)
    return Belief(dataclasses.replace(draws, curves=curves), state, log_weight)


def systematic(weight: Vector, uniform: Scalar) -> Array:
    """Which particles are drawn: at even steps of their weights' sum, the first by a uniform number."""
    count = weight.size
    at = (jnp.arange(count, dtype=weight.dtype) + uniform) / count
    return jnp.clip(jnp.searchsorted(jnp.cumsum(weight), at), 0, count - 1).astype(jnp.int32)


def taken(array: Array, chosen: Array) -> Array:
    """The entries of chosen particles, [particles, projects, ...]."""
    index = chosen.reshape(chosen.shape + (1,) * (array.ndim - 2))
    return jnp.take_along_axis(array, jnp.broadcast_to(index, (*chosen.shape[:1], *array.shape[1:])), axis=0)


def of_smooth(change: Callable[[Particles], Particles], curve: Curve) -> Curve:
    """Curves whose parameters are changed, of smooth families."""
    if isinstance(curve, Mixture):
        return Mixture(tuple(of_smooth(change, family) for family in curve.families), curve.choice)
    return jax.tree.map(change, curve) if isinstance(curve, Smooth) else curve


def moved(values: Particles, one: Particles, other: Particles) -> Particles:
    """Numbers of one sign, moved in logarithms by Liu & West's kernel, whose normal is stood for by the
    difference of two particles: with both drawn at random that has twice the covariance of the particles, of
    all numbers of a project together."""
    shrink = (3.0 * DISCOUNT - 1.0) / (2.0 * DISCOUNT)
    width = ((1.0 - shrink**2) / 2.0) ** 0.5
    sign = jnp.where(values[:1] < 0, -1.0, 1.0)
    moves = jnp.all(values * sign > 0, axis=0, keepdims=True)

    def log(numbers: Particles) -> Particles:
        return jnp.log(jnp.where(moves, numbers * sign, 1.0))

    mean = jnp.mean(log(values), axis=0, keepdims=True)
    near = shrink * log(values) + (1.0 - shrink) * mean + width * (log(one) - log(other))
    return jnp.where(moves, sign * jnp.exp(near), values)
