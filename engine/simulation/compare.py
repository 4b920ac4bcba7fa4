"""Policies side by side in thousands of random worlds, in pairs.

World j of a seed is portfolio j of the scenario. Of the draws that its uncertainty makes around it,
one more than there are particles, the last is the truth, and the others are what is believed at first. So
beliefs are calibrated, and all policies meet the same curves, stalls and noise.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from engine.model.keys import named, portfolio_key
from engine.planning.play import Played, build_world, play
from engine.planning.policies import POLICIES
from engine.planning.world import Terms
from engine.simulation.scenarios import Scenario
from engine.solvers.responses import Scalar


@dataclass(frozen=True)
class Compared:
    """What policies gained.

    - `policies`: their names.
    - `value` [policies, portfolios, periods]: the total return after each period.
    - `lots` [policies, portfolios, projects]: how many lots each project got in all.
    """

    policies: tuple[str, ...]
    value: Float[np.ndarray, "policies portfolios periods"]
    lots: Int[np.ndarray, "policies portfolios projects"]

    def more(self, policy: str, than: str) -> tuple[float, float]:
        """(mean, its standard error) of how much more a policy has in the end than another, in pairs."""
        one, other = (self.value[self.policies.index(name), :, -1] for name in (policy, than))
        difference = one - other
        return float(difference.mean()), float(difference.std(ddof=1) / difference.size**0.5)


def compare(
    scenario: Scenario,
    budget: float,
    terms: Terms,
    policies: Sequence[str] = tuple(POLICIES),
    *,
    portfolios: int = 1_000,
    seed: int = 0,
    particles: int = 256,
    block: int = 64,
    dtype: np.dtype | type = np.float32,
) -> Compared:
    """Play policies in random worlds.

    **Arguments:** `budget`, spent in equal lots, `terms.lots` a period; what a period leaves is left for the
    next. `block` worlds run at once; what comes out does not depend on it.

    **Raises:** `ValueError` for an unknown policy, terms out of their domain, or a scenario without
    uncertainty, with bounds, approaches or spill-over.
    """
    check_terms(terms)
    check_scenario(scenario)
    for name in policies:
        if name not in POLICIES:
            raise ValueError(f"unknown policy {name!r}, expected one of {', '.join(POLICIES)}")
    uncertain = dataclasses.replace(scenario.uncertainty, draws=particles + 1)  # type: ignore[type-var]
    prior = dataclasses.replace(scenario, uncertainty=uncertain)
    kind = np.dtype(dtype)
    with jax.enable_x64(kind == np.float64):
        found = [_of(name, prior, budget, terms, seed, portfolios, block, kind) for name in policies]
    value, lots = (np.stack(parts) for parts in zip(*found, strict=True))
    return Compared(tuple(policies), value, lots)


def _of(
    policy: str,
    prior: Scenario,
    budget: float,
    terms: Terms,
    seed: int,
    portfolios: int,
    block: int,
    dtype: np.dtype,
) -> tuple[np.ndarray, np.ndarray]:
    """(values, lots) of one policy, block by block; the last is filled up to keep one shape."""
    blocks = []
    for first in range(0, portfolios, block):
        index = np.minimum(np.arange(first, first + block, dtype=np.uint32), portfolios - 1)
        played = _block(policy, dtype, prior, np.asarray(budget, dtype), terms, np.uint32(seed), index)
        blocks.append(jax.tree.map(lambda a: np.asarray(a)[: portfolios - first], played))  # noqa: B023
    value, lots = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return value, lots


@functools.partial(jax.jit, static_argnames=("policy", "dtype"))
def _block(
    policy: str,
    dtype: np.dtype,
    prior: Scenario,
    budget: Scalar,
    terms: Terms,
    seed: Array,
    index: Int[Array, " portfolios"],
) -> tuple[Array, Array]:
    def one(j: Array) -> tuple[Array, Array]:
        played = _world_of(policy, dtype, prior, budget, terms, portfolio_key(seed, j))
        return jnp.sum(played.returns, axis=1), jnp.sum(played.lots, axis=0, dtype=jnp.int32)

    return jax.vmap(one)(index)


def _world_of(
    policy: str, dtype: np.dtype, prior: Scenario, budget: Scalar, terms: Terms, key: Array
) -> Played:
    """A policy in one random world."""
    portfolio = prior.draw(key, dtype)
    assert prior.uncertainty is not None  # checked before
    drawn = prior.uncertainty.around(portfolio, named(key, "uncertainty")).draws
    count = prior.uncertainty.draws
    whole = jax.tree.map(lambda a: jnp.broadcast_to(a, (count, *a.shape[1:])), drawn)
    draws, truth = jax.tree.map(lambda a: a[:-1], whole), jax.tree.map(lambda a: a[-1], whole)
    cost = jnp.ones(portfolio.shape, dtype) if portfolio.cost is None else portfolio.cost
    world = build_world(truth, draws, cost, budget, terms)
    return play(POLICIES[policy], terms, world, draws, named(key, "plan"))


def check_terms(terms: Terms) -> None:
    """Raise `ValueError` naming the number that is out of its domain."""
    for field in dataclasses.fields(terms):
        value, domain = getattr(terms, field.name), field.metadata
        whole = not domain.get("static") or (isinstance(value, int) and not isinstance(value, bool))
        if not whole or not domain["low"] <= float(value) <= domain["high"]:
            raise ValueError(f"{field.name} is {value!r}, expected {domain['words']}")


def check_scenario(scenario: Scenario) -> None:
    """Raise `ValueError` naming what cannot be planned for."""
    if scenario.gives != "bet":
        raise ValueError(
            "the scenario has no uncertainty, or approaches or platforms: expected an uncertainty"
        )
    for name in ("lower", "upper"):
        if name in scenario.parts:
            raise ValueError(
                f"the scenario has a bound {name}, expected none: plans know no bounds on effort"
            )
