"""Approaches of a scenario: each a scenario of its own, whose portfolios are joined into one bet."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from engine.bets.approaches import MOST_APPROACHES
from engine.model.curves.base import Curve
from engine.model.curves.mixture import Mixture
from engine.model.portfolio import Portfolio
from engine.simulation.config import (
    ApproachConfig,
    PlanningConfig,
    ScenarioConfig,
    SpilloverConfig,
    UncertaintyConfig,
)

# What approaches have of their own, but for a weight: the scenario may multiply it.
OWN = ("startup", "success", "curvature", "threshold")
# What neither they nor their projects have.
NEITHER = ("lower", "upper", "reach")


def check_approaches(config: ScenarioConfig) -> None:
    """What a scenario says beside its approaches.

    **Raises:** `ValueError` naming the key that cannot be.
    """
    if len(config.approaches) > MOST_APPROACHES:
        count = len(config.approaches)
        raise ValueError(f"scenario.approaches has {count} approaches, expected at most {MOST_APPROACHES}")
    if config.curves or config.draws is not None:
        key = "curves" if config.curves else "draws"
        raise ValueError(f"scenario.{key} and scenario.approaches are given, expected one of them")
    if config.uncertainty != UncertaintyConfig():
        raise ValueError("scenario.uncertainty and scenario.approaches are given, expected one of them")
    if config.spillover != SpilloverConfig():
        raise ValueError("scenario.spillover and scenario.approaches are given, expected one of them")
    if config.planning != PlanningConfig():
        raise ValueError("scenario.planning and scenario.approaches are given, expected one of them")
    if config.cuts is not None:
        raise ValueError("scenario.cuts is given, expected none beside scenario.approaches")
    for name in (*OWN, *NEITHER):
        if getattr(config, name).dist != "absent":
            instead = "it of each approach" if name in OWN else "none beside scenario.approaches"
            raise ValueError(f"scenario.{name} is given, expected {instead}")


def approach_scenario(config: ScenarioConfig, own: ApproachConfig) -> ScenarioConfig:
    """The scenario of one approach: as many projects, with what is its own."""
    parts: dict[str, Any] = {field.name: getattr(own, field.name) for field in dataclasses.fields(own)}
    return ScenarioConfig(name=config.name, projects=config.projects, budget=config.budget, **parts)


def joined(approaches: Sequence[Portfolio], weight: Array | None) -> Portfolio:
    """One portfolio [projects, approaches] of portfolios [projects], its weights times those of projects."""
    neutral = Portfolio.neutral_values()
    parts: dict[str, Any] = {}
    for name in ("weight", *OWN):
        given = [getattr(one, name) for one in approaches]
        if any(part is not None for part in given):
            # A part that one approach has, and another has not, is neutral there.
            like = next(part for part in given if part is not None)
            filled = [jnp.full_like(like, neutral[name]) if part is None else part for part in given]
            parts[name] = jnp.stack(filled, axis=-1)
    if weight is not None:
        parts["weight"] = weight[:, None] * parts.get("weight", jnp.ones((1, len(approaches)), weight.dtype))
    return Portfolio(joined_curves([one.curves for one in approaches]), **parts)


def joined_curves(curves: Sequence[Curve]) -> Mixture:
    """One mixture [projects, approaches] of the families of all approaches, each of which follows its own."""
    families: list[Curve] = []
    choices: list[Array] = []
    for curve in curves:
        own = curve.families if isinstance(curve, Mixture) else (curve,)
        chosen = curve.choice if isinstance(curve, Mixture) else jnp.zeros(curve.shape, jnp.int32)
        choices.append(chosen + len(families))
        families += own
    wide = [jax.tree.map(lambda a: _beside(a, len(curves)), family) for family in families]
    return Mixture(tuple(wide), jnp.stack(choices, axis=-1))


def _beside(numbers: Array, approaches: int) -> Array:
    """The numbers of projects for each of their approaches: those of other families are read by nobody."""
    projects, *axes = numbers.shape
    return jnp.broadcast_to(numbers[:, None], (projects, approaches, *axes))
