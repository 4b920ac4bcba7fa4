"""Uncertainty: draws around a portfolio, of which one will be so.

Every random number has a key of its own, from that of the portfolio, the number of the draw and the name of
the parameter. So draws of two spreads differ by the spread alone, the first draws of many are those of few,
and portfolios with the same number can be compared in pairs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_dataclass
from jaxtyping import Array

from engine.bets.uncertain import SHARED, Uncertain
from engine.model.curves import FAMILIES
from engine.model.curves.base import Curve
from engine.model.curves.mixture import Mixture
from engine.model.keys import named
from engine.model.portfolio import Portfolio
from engine.simulation.config import UncertaintyConfig
from engine.simulation.priors import finite

# Two, for a deviation; more take more memory than they are worth.
LEAST_DRAWS, MOST_DRAWS = 2, 10_000
# The parts of a portfolio that may be multiplied by any positive number; costs and bounds are known.
PARTS = ("weight", "startup", "curvature", "threshold")


@register_dataclass
@dataclass(frozen=True)
class Uncertainty:
    """How many draws, the σ of each parameter by name, and whether success is drawn; see
    `UncertaintyConfig`."""

    draws: int = field(metadata={"static": True})
    outcomes: bool = field(metadata={"static": True})
    spread: dict[str, Array | np.ndarray]

    def around(self, portfolio: Portfolio, key: Array) -> Uncertain:
        """The draws of one portfolio."""
        known: dict[str, Any] = {name: getattr(portfolio, name) for name in SHARED}
        absent: dict[str, Any] = dict.fromkeys((*SHARED, "reach"))
        bare = dataclasses.replace(portfolio, names=(), **absent)
        numbers = jnp.arange(self.draws, dtype=jnp.uint32)
        draws = jax.vmap(lambda s: self._draw(bare, jax.random.fold_in(key, s)))(numbers)
        return Uncertain(draws, **known)

    def _draw(self, portfolio: Portfolio, key: Array) -> Portfolio:
        """One of them: each parameter times its own noise."""
        shape, dtype = portfolio.shape, portfolio.dtype

        def noise(name: str) -> Array:
            sigma = jnp.asarray(self.spread[name], dtype)
            normal = jax.random.normal(named(key, name), shape, dtype)
            return jnp.exp(sigma * normal - 0.5 * sigma**2)

        factors = {name: noise(name) for name in self.spread}
        parts: dict[str, Any] = {
            name: getattr(portfolio, name) * factors[name] for name in PARTS if name in factors
        }
        if self.outcomes and portfolio.success is not None:
            uniform = jax.random.uniform(named(key, "success"), shape, dtype)
            parts["success"] = (uniform < portfolio.success).astype(dtype)
        return dataclasses.replace(portfolio, curves=varied(portfolio.curves, factors), **parts)


def varied(curve: Curve, factors: dict[str, Array]) -> Curve:
    """A curve whose parameters of these names are multiplied, those of all stages of a project alike."""
    if isinstance(curve, Mixture):
        return Mixture(tuple(varied(family, factors) for family in curve.families), curve.choice)
    changes: dict[str, Any] = {}
    for name, parameter in curve.parameters().items():
        if name in factors:
            factor = factors[name].reshape(*factors[name].shape, *[1] * parameter.metadata["axes"])
            changes[name] = getattr(curve, name) * factor
    return dataclasses.replace(curve, **changes)


def build_uncertainty(
    config: UncertaintyConfig, families: Sequence[str], parts: Sequence[str]
) -> Uncertainty | None:
    """The uncertainty of a scenario of these families and parts, if there is one.

    **Raises:** `ValueError` naming the key that cannot be.
    """
    where, draws = "scenario.uncertainty", config.draws
    if config == UncertaintyConfig():
        return None
    if isinstance(draws, bool) or not isinstance(draws, int) or not LEAST_DRAWS <= draws <= MOST_DRAWS:
        expected = f"a whole number from {LEAST_DRAWS} to {MOST_DRAWS}, or 0 without a spread or outcomes"
        raise ValueError(f"{where}.draws is {draws!r}, expected {expected}")
    if config.outcomes and "success" not in parts:
        raise ValueError(f"{where}.outcomes is true, expected a scenario.success to draw them by")
    known = [*uncertain_names(families), *(name for name in PARTS if name in parts)]
    spread: dict[str, Array | np.ndarray] = {}
    for name, sigma in config.spread.items():
        if name not in known:
            raise ValueError(f"{where}.spread.{name} cannot be spread, expected one of {', '.join(known)}")
        spread[name] = finite(sigma, f"{where}.spread.{name}")
        if np.ndim(spread[name]) or spread[name] < 0:
            raise ValueError(f"{where}.spread.{name} is {sigma!r}, expected a number of at least 0")
    return Uncertainty(draws, config.outcomes, spread)


def uncertain_names(families: Sequence[str]) -> list[str]:
    """The parameters of these families that may be multiplied by any positive number."""
    names = {
        name: None
        for family in families
        for name, parameter in FAMILIES[family].parameters().items()
        if not parameter.metadata["any_sign"]
    }
    return list(names)
