"""Platforms of a scenario: projects whose effort counts for others too, by a sparse random matrix."""

from __future__ import annotations

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_dataclass
from jaxtyping import Array

from engine.bets.spillover import Matrix
from engine.model.curves.base import Vector
from engine.model.keys import named
from engine.simulation.config import ScenarioConfig, SpilloverConfig, UncertaintyConfig
from engine.simulation.priors import Prior, build_prior, check_prior, finite


@register_dataclass
@dataclass(frozen=True)
class Platforms:
    """How many, what each gives to whom, and what it returns of its own; see `SpilloverConfig`."""

    count: int = field(metadata={"static": True})
    share: Prior
    chance: Array | np.ndarray
    own: Array | np.ndarray

    def flags(self, projects: int) -> np.ndarray:
        """Which projects are platforms, [projects]."""
        return np.arange(projects) < self.count

    def weights(self, projects: int, dtype: jnp.dtype) -> Vector:
        """What the weights of projects are multiplied by, [projects]."""
        return jnp.where(self.flags(projects), jnp.asarray(self.own, dtype), 1.0)

    def matrix(self, key: Array, projects: int, dtype: jnp.dtype) -> Matrix:
        """What each project receives per unit spent on each, [projects, projects], the own share left out.

        Every platform has a key of its own, and the chance another than the share: matrices of two chances
        or medians are compared in pairs, and more projects or platforms leave what is there as it is.
        """

        def given(platform: int) -> Vector:
            own = named(key, f"platform {platform}")
            lifted = jax.random.uniform(named(own, "chance"), (projects,), dtype) < self.chance
            share = self.share.sample(named(own, "share"), (projects,), dtype)
            return jnp.where(lifted & ~self.flags(projects), share, 0.0)

        columns = [given(platform) for platform in range(self.count)]
        nothing = jnp.zeros((projects, projects - self.count), dtype)
        return jnp.concatenate([jnp.stack(columns, axis=1), nothing], axis=1)


def build_platforms(config: ScenarioConfig) -> Platforms | None:
    """The platforms of a scenario, if it has any.

    **Raises:** `ValueError` naming the key that cannot be.
    """
    given, where = config.spillover, "scenario.spillover"
    if given == SpilloverConfig():
        return None
    if config.uncertainty != UncertaintyConfig():
        raise ValueError(f"scenario.uncertainty and {where} are given, expected one of them")
    if not 1 <= given.platforms < config.projects:
        raise ValueError(
            f"{where}.platforms is {given.platforms}, expected a whole number from 1 to "
            f"{config.projects - 1}, one project less than there are"
        )
    if given.share.dist == "absent":
        raise ValueError(f"{where}.share is missing, expected a prior of what a project receives per unit")
    share = build_prior(given.share, f"{where}.share")
    check_prior(share, f"{where}.share", config.projects, 0.0)
    chance, own = (finite(getattr(given, name), f"{where}.{name}") for name in ("chance", "own"))
    if chance.ndim or not 0 <= chance <= 1:
        raise ValueError(f"{where}.chance is {given.chance!r}, expected a probability")
    if own.ndim or own < 0:
        raise ValueError(f"{where}.own is {given.own!r}, expected a number of at least 0")
    return Platforms(given.platforms, share, chance, own)
