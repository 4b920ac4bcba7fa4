"""Worlds to plan in."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array

import engine
from engine.model.portfolio import Portfolio
from engine.planning.play import build_world
from engine.planning.world import Terms, World

BUDGET, PROJECTS = 60.0, 4
# Nothing is hidden but the curves, and these are seen as they are.
CALM = Terms(periods=4, lots=3, stall=0.0, resume=1.0, progress=0.0, noise=1e-3)


def saturating(key: Array, draws: int, spread: float) -> Portfolio:
    """Draws [draws, projects] of saturating exponentials around random ones."""
    for_middle, for_draws = jax.random.split(key)
    middle = jax.random.uniform(for_middle, (2, PROJECTS))
    noise = jnp.exp(spread * jax.random.normal(for_draws, (2, draws, PROJECTS)))
    scale, rate = (1.0 + 4.0 * middle[0][None]) * noise[0], (0.02 + 0.1 * middle[1][None]) * noise[1]
    return engine.Portfolio(engine.Exponential(scale, rate))


def world_of(draws: Portfolio, terms: Terms) -> tuple[World, Portfolio]:
    """(a world in which the last draw is true, the others)."""
    truth, others = jax.tree.map(lambda a: a[-1], draws), jax.tree.map(lambda a: a[:-1], draws)
    cost = jnp.ones(truth.shape)
    return build_world(truth, others, cost, jnp.asarray(BUDGET), terms), others
