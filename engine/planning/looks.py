"""Looks: how a period and what was seen in it change beliefs.

A period moves particles as the world moves, and what was seen weighs them (the bootstrap filter of Gordon,
Salmond & Smith 1993). A sharp look would leave few of them, so its likelihood is taken in parts. As much of
it as leaves half of the effective number of particles (Kong, Liu & Wong 1994) weighs them; where that is not
all of it they are drawn again by systematic resampling (Kitagawa 1996), and copies part by the kernel of
Liu & West (2001). The same once more. Of what is still left a share moves particles as the ensemble Kalman
filter does, and the remainder weighs them (Frei & Künsch 2013). What moves are logarithms of progress and of
parameters of smooth families; measured points, start-up costs and success stay as they are. Particles move by
those alone whose curves are of their own family.

Of saturating exponentials with σ = .5 the 80 % intervals of what is reached, and of what all of the budget
would bring, hold the truth in 76 to 83 % of cases with 256 particles where the noise is .05, and in 72 to
83 % where it is .01; by the bootstrap filter with that kernel alone it was 74 to 81 and 58 to 76 %.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from engine.model.curves.base import Vector
from engine.planning import noise
from engine.planning.beliefs import Belief, Mask, Particles, effective, taken
from engine.planning.world import Terms, later
from engine.solvers.responses import Scalar

# One number a project.
Column = Float[Array, "projects one"]

# The share of particles that stay effective; Liu & West's discount of their spread.
FEW, DISCOUNT = 0.5, 0.95
# The share of what is left that moves particles; steps by which the part that weighs them is found, in powers
# of two from the smallest.
KALMAN, STEPS, SMALLEST = 0.8, 12, -30.0
# Particles are moved where what they return follows by this share of what a line foretells, or more.
FOLLOW = 0.5


def update(terms: Terms, belief: Belief, effort: Vector, seen: Vector, scale: Vector, key: Array) -> Belief:
    """The belief after a period in which effort was spent and, where it was, returns were seen; not where
    their scale is infinite."""
    for_particles, for_choice, for_moves = jax.random.split(key, 3)
    shape, dtype = belief.log_weight.shape, belief.log_weight.dtype
    stall, progress, *first_pair = noise.words(for_particles, shape)
    normal, *second_pair, _ = noise.words(for_moves, shape)
    moves = noise.uniform(stall, dtype), noise.normal(progress, dtype)
    belief = belief._replace(state=later(terms, belief.state, effort[:, None], *moves))
    looked = ((effort > 0) & jnp.isfinite(scale))[:, None]
    target, deviation = seen[:, None], (scale * terms.noise)[:, None]
    left = jnp.where(looked, jnp.ones((), dtype), 0.0)  # of the likelihood
    begins = jax.random.uniform(for_choice, (2, shape[0]), dtype)
    for begin, pair in zip(begins, (first_pair, second_pair), strict=True):
        log_likelihood = left * fit(belief.returns(), target, deviation)
        share = bearable(belief, log_likelihood)
        belief = drawn_again(belief.weighed(share * log_likelihood), share < 1.0, begin, pair)
        left = left * (1.0 - share)
    belief, values = moved_towards(belief, target, deviation, KALMAN * left, noise.normal(normal, dtype))
    return belief.weighed((1.0 - KALMAN) * left * fit(values, target, deviation))


def fit(values: Particles, seen: Column, deviation: Column) -> Particles:
    """The log-likelihood of what was seen where so much is returned, but for a constant."""
    return -0.5 * ((seen - values) / deviation) ** 2


def bearable(belief: Belief, log_likelihood: Particles) -> Column:
    """The largest share of a likelihood after which enough particles are effective."""
    least = FEW * belief.log_weight.shape[1]

    def enough(share: Column) -> Array:
        return effective(belief.weighed(share * log_likelihood))[:, None] >= least

    def halve(_: Array, ends: tuple[Column, Column]) -> tuple[Column, Column]:
        low, high = ends
        middle = 0.5 * (low + high)
        good = enough(2.0**middle)
        return jnp.where(good, middle, low), jnp.where(good, high, middle)

    whole = jnp.zeros_like(log_likelihood[:, :1])
    low, _ = jax.lax.fori_loop(0, STEPS, halve, (whole + SMALLEST, whole))
    return jnp.where(enough(2.0**whole), 1.0, 2.0**low)


def drawn_again(belief: Belief, few: Array, begin: Vector, pair: list[noise.Words]) -> Belief:
    """Particles of some projects drawn by their weights, and set apart.

    **Arguments:** `few` [projects, 1], of which; `begin`, where systematic resampling begins; `pair`, random
    words by which each is given two others, to move by their difference.
    """
    particles = belief.log_weight.shape[1]
    stay = jnp.arange(particles, dtype=jnp.int32)[None]
    drawn = jnp.where(few, jax.vmap(systematic)(belief.weight, begin), stay)
    draws, state = jax.tree.map(lambda a: taken(a, drawn), (belief.draws, belief.state))
    equal = -jnp.log(jnp.asarray(particles, belief.log_weight.dtype))
    again = Belief(draws, state, jnp.where(few, equal, belief.log_weight))
    one, other = (again.fellow(word) for word in pair)
    return again.changed(lambda values, own: apart(values, own & few, one, other))


def systematic(weight: Vector, uniform: Scalar) -> Array:
    """Which particles are drawn: at even steps of their weights' sum, the first by a uniform number.

    Step i, at (i + uniform)/n, takes the particle before which so many have ended; ends are counted by step
    and summed up, which is one pass where a search would be eight.
    """
    count = weight.size
    end = jnp.ceil(jnp.cumsum(weight) * count - uniform).astype(jnp.int32)
    ended = jnp.zeros(count, jnp.int32).at[jnp.maximum(end, 0)].add(1, mode="drop")
    return jnp.minimum(jnp.cumsum(ended, dtype=jnp.int32), count - 1)


def apart(values: Particles, own: Mask, one: Array, other: Array) -> Particles:
    """Numbers that are not 0, moved in logarithms by Liu & West's kernel, whose normal is stood for by the
    difference of two particles: with both drawn at random that has twice the covariance of the particles, of
    all numbers of a family together."""
    shrink = (3.0 * DISCOUNT - 1.0) / (2.0 * DISCOUNT)
    width = ((1.0 - shrink**2) / 2.0) ** 0.5
    log, moves = logarithms(values, own)
    count = jnp.maximum(jnp.sum(moves, axis=1, keepdims=True), 1).astype(values.dtype)
    mean = jnp.sum(log, axis=1, keepdims=True) / count
    log = jnp.where(moves, log, mean)
    step = (shrink - 1.0) * (log - mean) + width * (taken(log, one) - taken(log, other))
    return values * jnp.exp(jnp.where(moves, step, 0.0))


def moved_towards(
    belief: Belief, seen: Column, deviation: Column, share: Column, normal: Particles
) -> tuple[Belief, Particles]:
    """(the belief after a share of a look's likelihood, what its particles return), by the ensemble Kalman
    filter: particles move along the regression of logarithms on what they return, by what was seen less that,
    with noise.

    Only those move that return something else than without effort, and only where what they return follows:
    not where curves are measured points, or nothing but stalls tells them apart. Those that move together, of
    each family by itself, have the likelihood of their mean, the others their own. A share of 0 changes
    nothing.
    """
    values = belief.returns()
    moving = (values != belief.draws.returns(jnp.zeros_like(values))) & (share > 0)
    weight = jnp.where(moving, belief.weight, 0.0)
    mass = belief.total(weight)
    weight = weight / jnp.where(mass > 0, mass, 1.0)
    mean = belief.total(weight * values)
    off = weight * (values - mean)
    variance = belief.total(off * (values - mean))
    spread = share * variance + deviation**2
    step = (share * (seen - values) + jnp.sqrt(share) * deviation * normal) / spread

    def change(numbers: Particles, own: Mask) -> Particles:
        log, moves = logarithms(numbers, own & moving)
        slope = jnp.sum(off * log, axis=1, keepdims=True)
        return numbers * jnp.exp(jnp.where(moves, slope * step, 0.0))

    then, wanted = belief.changed(change).returns(), variance * step
    shift = then - values
    follow = belief.total(weight * shift * wanted) >= FOLLOW * belief.total(weight * wanted**2)
    moved = belief.changed(lambda numbers, own: change(numbers, own & follow))
    together = 0.5 * jnp.log(deviation**2 / spread) - 0.5 * share * (seen - mean) ** 2 / spread
    each = share * fit(values, seen, deviation)
    weighed = moved.weighed(jnp.where(moving & follow & (shift != 0), together, each))
    return weighed, jnp.where(follow, then, values)


def logarithms(values: Particles, own: Mask) -> tuple[Particles, Mask]:
    """(logarithms of magnitudes of some particles, 0 where there is none; where there is one)."""
    some = own & (values != 0)
    return jnp.log(jnp.where(some, jnp.abs(values), 1.0)), some
