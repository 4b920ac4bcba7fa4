"""Beliefs: what may be true of every project, as particles with weights.

A particle of a project is a curve, the progress made so far and whether the project runs. Projects are
independent, so each has weights of its own. How a look changes them is said in `engine.planning.looks`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from engine.model.curves.base import Curve, Smooth, Vector
from engine.model.curves.mixture import Mixture
from engine.model.portfolio import Portfolio
from engine.planning import noise
from engine.planning.world import State, Terms, begin

Particles = Float[Array, "projects particles"]
Mask = Bool[Array, "projects particles"]


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

    def kin(self) -> list[Mask]:
        """Of each family the particles whose curves are of it: parameters of a family say nothing of the
        others, which do not read them."""
        curves = self.draws.curves
        if isinstance(curves, Mixture):
            return [curves.choice == place for place in range(len(curves.families))]
        return [jnp.ones(self.log_weight.shape, bool)]

    def total(self, values: Particles) -> Float[Array, "projects count"]:
        """For each particle the sum over those of its family."""
        kin = self.kin()
        if len(kin) == 1:
            return jnp.sum(values, axis=1, keepdims=True)
        own = jnp.stack(kin)
        total = jnp.sum(jnp.where(own, values, 0.0), axis=2, keepdims=True)
        return jnp.sum(jnp.where(own, total, 0.0), axis=0)

    def fellow(self, word: noise.Words) -> Int[Array, "projects particles"]:
        """For each particle one whose curve is of the same family, by a random word."""
        curves, particles = self.draws.curves, self.log_weight.shape[1]
        if not isinstance(curves, Mixture):
            return noise.index(word, particles)
        order = jnp.argsort(curves.choice, axis=1).astype(jnp.int32)
        first, end = (
            jax.vmap(partial(jnp.searchsorted, side=side))(taken(curves.choice, order), curves.choice)
            for side in ("left", "right")
        )
        return taken(order, first + noise.index(word, end - first))

    def weighed(self, log_likelihood: Particles) -> Belief:
        """The belief with weights times a likelihood."""
        log_weight = self.log_weight + log_likelihood
        return self._replace(log_weight=log_weight - jax.nn.logsumexp(log_weight, axis=1, keepdims=True))

    def changed(self, change: Callable[[Particles, Mask], Particles]) -> Belief:
        """The belief with progress and the parameters of smooth families changed, family by family: of those
        particles alone whose curves are of it."""
        progress, kin = self.state.progress, self.kin()
        for own in kin:
            progress = change(progress, own)
        draws = dataclasses.replace(self.draws, curves=of_smooth(change, self.draws.curves, kin))
        return self._replace(draws=draws, state=self.state._replace(progress=progress))


def believe(terms: Terms, draws: Portfolio, key: Array) -> Belief:
    """The belief before anything is spent: equally likely draws [particles, projects]."""
    particles, projects = draws.shape
    whole = jax.tree.map(lambda a: jnp.broadcast_to(a, (particles, *a.shape[1:])).swapaxes(0, 1), draws)
    nothing = jnp.zeros((projects, particles), draws.dtype)
    return Belief(whole, begin(terms, nothing, key), nothing - jnp.log(jnp.asarray(particles, draws.dtype)))


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


def taken(array: Array, chosen: Array) -> Array:
    """The entries of chosen particles, [projects, particles, ...]."""
    return jax.vmap(lambda values, which: jnp.take(values, which, axis=0, mode="clip"))(array, chosen)


def of_smooth(change: Callable[[Particles, Mask], Particles], curve: Curve, kin: list[Mask]) -> Curve:
    """Curves whose parameters are changed, of smooth families, each of its own particles."""
    if isinstance(curve, Mixture):
        pairs = zip(curve.families, kin, strict=True)
        return Mixture(tuple(of_smooth(change, family, [own]) for family, own in pairs), curve.choice)
    return jax.tree.map(lambda a: change(a, kin[0]), curve) if isinstance(curve, Smooth) else curve
