"""Plans of a scenario: how its budget is spent over periods, and the worlds that this may happen in.

Of what may be true of a portfolio, so many draws are what is believed at first and a few more are true, one
a world: all are draws of one kind, so beliefs are calibrated. They are those of the scenario's uncertainty
around a portfolio, or of fits; where there is neither, only stalls, progress and noise are unknown.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_dataclass
from jaxtyping import Array

from engine.bets.uncertain import SHARED
from engine.model.keys import named
from engine.model.portfolio import Portfolio
from engine.planning.checks import check_count, check_terms
from engine.planning.methods import Plans, Worlds, plans_in
from engine.planning.world import Terms
from engine.simulation.config import PlanningConfig, ScenarioConfig, SpilloverConfig
from engine.simulation.priors import Prior, build_prior, check_prior, finite
from engine.solvers.responses import Scalar

MOST_PARTICLES, MOST_WORLDS = 100_000, 10_000


@register_dataclass
@dataclass(frozen=True)
class Planning:
    """The terms of plans, how many particles and worlds, and the richer plan's further share of budget."""

    terms: Terms
    particles: int = field(metadata={"static": True})
    worlds: int = field(metadata={"static": True})
    more: Array | np.ndarray
    deadline: Prior | None = None

    @property
    def draws(self) -> int:
        """How many draws of a portfolio there are."""
        return self.particles + self.worlds

    def plans(self, portfolio: Portfolio, drawn: Portfolio, key: Array, budget: Scalar | float) -> Plans:
        """The plans of a portfolio, of draws [draws, projects]: the first are believed, the last are true."""
        dtype = portfolio.dtype
        known: dict[str, Any] = dict.fromkeys(SHARED)
        bare = dataclasses.replace(drawn, names=(), **known)
        whole = jax.tree.map(lambda a: jnp.broadcast_to(a, (self.draws, *a.shape[1:])), bare)
        draws = jax.tree.map(lambda a: a[: self.particles], whole)
        truths = jax.tree.map(lambda a: a[self.particles :], whole)
        numbers = jnp.arange(self.worlds, dtype=jnp.uint32)
        ours = named(key, "plan")
        keys = jax.vmap(lambda j: jax.random.key_data(jax.random.fold_in(ours, j)))(numbers)
        terms = jax.tree.map(lambda number: jnp.asarray(number, dtype), self.terms)
        prior, deadline = self.deadline, None
        if prior is not None:
            deadline = jnp.round(prior.sample(named(key, "deadline"), portfolio.shape, dtype))
        worlds = Worlds(terms, truths, keys, draws, portfolio.costs(), deadline)
        return plans_in(worlds, jnp.asarray(budget, dtype), jnp.asarray(self.more, dtype))


def build_planning(config: ScenarioConfig) -> Planning | None:
    """How a scenario is planned, if it is.

    **Raises:** `ValueError` naming the key that cannot be.
    """
    given, where = config.planning, "scenario.planning."
    if given == PlanningConfig():
        return None
    if config.spillover != SpilloverConfig():
        raise ValueError("scenario.spillover and scenario.planning are given, expected one of them")
    for name in ("lower", "upper"):
        if getattr(config, name).dist != "absent":
            raise ValueError(f"scenario.{name} and scenario.planning are given, expected one of them")
    terms = Terms(**{field.name: getattr(given, field.name) for field in dataclasses.fields(Terms)})
    check_terms(terms, where)
    terms = jax.tree.map(lambda number: np.asarray(float(number)), terms)
    check_count(f"{where}particles", given.particles, MOST_PARTICLES)
    check_count(f"{where}worlds", given.worlds, MOST_WORLDS)
    more = finite(given.more, f"{where}more")
    if more.ndim or not more > -1:
        raise ValueError(f"{where}more is {given.more!r}, expected a number above -1")
    deadline = None
    if given.deadline.dist != "absent":
        deadline = build_prior(given.deadline, f"{where}deadline")
        check_prior(deadline, f"{where}deadline", config.projects, 0.0)
    return Planning(terms, given.particles, given.worlds, more, deadline)
