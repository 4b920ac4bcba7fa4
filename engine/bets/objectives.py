"""Objectives over draws: what is to be large, of the returns V_1, …, V_S of an effort.

    mean                 mean_s V_s
    mean_deviation       mean_s V_s − κ·standard deviation of V_s
    mean_cvar            (1 − κ)·mean_s V_s + κ·CVaR_α, the mean of the worst share α of the draws
    chance               the share of draws with V_s ≥ target

The first three are the least weighted sum over an envelope of weights, min_{q ∈ Q} Σ_s q_s V_s, with Σ_s q_s
= 1 (Artzner, Delbaen, Eber & Heath 1999; Shapiro, Dentcheva & Ruszczyński 2009, chapter 6), so that any q of
Q bounds them from above. `weights` gives the least ones; Σ_s q_s ∇V_s is then a gradient. Where q ≥ 0 and
every V_s is concave the objective is concave too.

Numbers are traced: other values compile nothing. Sources: Markowitz (1952); Rockafellar & Uryasev (2000) for
CVaR; Charnes & Cooper (1959) for the chance.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.tree_util import register_dataclass
from jaxtyping import Array, Float

from engine.model.naming import one_of
from engine.solvers.responses import Scalar

Draws = Float[Array, " draws"]


def option(default: Any, low: float, high: float, words: str) -> Any:
    """A number of an objective and its domain, the open interval or its closed low end, in words."""
    return dataclasses.field(default=default, metadata={"low": low, "high": high, "words": words})


@register_dataclass
@dataclass(frozen=True)
class Objective:
    """The interface; see the module's first lines.

    `coherent`: whether it is a minimum over an envelope of weights; `monotone`: whether these are never
    negative.
    """

    name: ClassVar[str]
    coherent: ClassVar[bool] = True
    monotone: ClassVar[bool] = True

    def value(self, values: Draws) -> Scalar:
        """What the objective says of these returns."""
        raise NotImplementedError

    def weights(self, values: Draws) -> Draws:
        """The gradient in the returns: the least weights of the envelope."""
        raise NotImplementedError

    def at_least(self, values: Draws, level: Scalar) -> Scalar:
        """No more than the value, without sorting draws: exact where the worst ones end at `level`."""
        del level
        return self.value(values)

    def smoothed(self, values: Draws, width: Scalar) -> Draws:
        """Weights of an objective without steps of less than `width`: what an ascent follows."""
        del width
        return self.weights(values)

    def toward(self, weights: Draws) -> Draws:
        """Weights of the envelope that are not negative: these, where they are such, or some near by."""
        return weights


@register_dataclass
@dataclass(frozen=True)
class Mean(Objective):
    """The mean return."""

    name: ClassVar[str] = "mean"

    def value(self, values: Draws) -> Scalar:
        return jnp.mean(values)

    def weights(self, values: Draws) -> Draws:
        return jnp.full_like(values, 1.0 / values.size)


@register_dataclass
@dataclass(frozen=True)
class MeanDeviation(Objective):
    """Mean less `aversion` κ times the standard deviation over draws."""

    name: ClassVar[str] = "mean_deviation"
    monotone: ClassVar[bool] = False
    aversion: float = option(1.0, 0.0, math.inf, "a number of at least 0")

    def value(self, values: Draws) -> Scalar:
        return jnp.mean(values) - self.aversion * deviation(values)

    def weights(self, values: Draws) -> Draws:
        spread = deviation(values)
        units = jnp.where(spread > 0, (values - jnp.mean(values)) / jnp.where(spread > 0, spread, 1.0), 0.0)
        return (1.0 - self.aversion * units) / values.size

    def toward(self, weights: Draws) -> Draws:
        # The nearest point of the simplex, which is no further from equal weights than these are.
        falling = -jnp.sort(-weights)
        over = (jnp.cumsum(falling) - 1.0) / jnp.arange(1, weights.size + 1, dtype=weights.dtype)
        return jnp.maximum(weights - over[jnp.sum(falling > over) - 1], 0.0)


@register_dataclass
@dataclass(frozen=True)
class MeanCVaR(Objective):
    """(1 − κ) times the mean plus κ times CVaR_α, with `aversion` κ and `tail` α."""

    name: ClassVar[str] = "mean_cvar"
    aversion: float = option(0.5, 0.0, 1.0, "a share from 0 to 1")
    tail: float = option(0.1, 0.0, 1.0, "a share above 0 and below 1")

    @property
    def most(self) -> Any:
        """κ/α: what the worst draws weigh, times the number of draws."""
        return self.aversion / self.tail

    def value(self, values: Draws) -> Scalar:
        return (1.0 - self.aversion) * jnp.mean(values) + self.aversion * cvar(values, self.tail)

    def weights(self, values: Draws) -> Draws:
        share = (
            jnp.zeros_like(values).at[jnp.argsort(values)].set(worst(values.size, self.tail, values.dtype))
        )
        return (1.0 - self.aversion) / values.size + self.aversion * share

    def at_least(self, values: Draws, level: Scalar) -> Scalar:
        tail = level - jnp.mean(jnp.maximum(level - values, 0.0)) / self.tail
        return (1.0 - self.aversion) * jnp.mean(values) + self.aversion * tail

    def toward(self, weights: Draws) -> Draws:
        count = weights.size
        mean, most = self.aversion / count, self.most / count
        price = jnp.maximum(weights - (1.0 - self.aversion) / count, 0.0)
        total = jnp.sum(price)
        price = price * jnp.where(total > 0, self.aversion / jnp.where(total > 0, total, 1.0), 0.0)
        above = jnp.max(price) - mean
        share = jnp.where(above > most - mean, (most - mean) / jnp.where(above > 0, above, 1.0), 1.0)
        return (1.0 - self.aversion) / count + mean + share * (price - mean)


@register_dataclass
@dataclass(frozen=True)
class Chance(Objective):
    """The chance that the return reaches `target`."""

    name: ClassVar[str] = "chance"
    coherent: ClassVar[bool] = False
    monotone: ClassVar[bool] = False
    target: float = option(dataclasses.MISSING, -math.inf, math.inf, "a number")

    def value(self, values: Draws) -> Scalar:
        return jnp.mean((values >= self.target).astype(values.dtype))

    def weights(self, values: Draws) -> Draws:
        return jnp.zeros_like(values)

    def smoothed(self, values: Draws, width: Scalar) -> Draws:
        step = jax.nn.sigmoid((values - self.target) / width)
        return step * (1.0 - step) / (width * values.size)


OBJECTIVES: dict[str, type[Objective]] = {kind.name: kind for kind in (Mean, MeanDeviation, MeanCVaR, Chance)}


def deviation(values: Draws) -> Scalar:
    """The standard deviation of equally likely draws."""
    return jnp.sqrt(jnp.mean((values - jnp.mean(values)) ** 2))


def worst(count: int, tail: Scalar | float, dtype: Any) -> Draws:
    """The weights of the worst share of draws, in rising order of their returns; the last counts in part."""
    size = jnp.asarray(tail, dtype) * count
    return jnp.clip(size - jnp.arange(count, dtype=dtype), 0.0, 1.0) / size


def cvar(values: Draws, tail: Scalar | float) -> Scalar:
    """The mean of the worst share `tail` of the returns."""
    return jnp.sum(worst(values.size, tail, values.dtype) * jnp.sort(values))


def find_objective(name: str, **options: Any) -> Objective:
    """The objective of a name with these numbers.

    **Raises:** `ValueError` naming what is unknown, missing or out of its domain.
    """
    if not isinstance(name, str) or name not in OBJECTIVES:
        raise ValueError(f"unknown objective {name!r}{one_of(name, OBJECTIVES)}")
    known = {field.name: field for field in dataclasses.fields(OBJECTIVES[name])}
    for key in options:
        if key not in known:
            expected = one_of(key, known) if known else ", expected none"
            raise ValueError(f"unknown option {key!r} of objective {name}{expected}")
    for key, field in known.items():
        if field.default is dataclasses.MISSING and options.get(key) is None:
            raise ValueError(
                f"option {key} of objective {name} is missing, expected {field.metadata['words']}"
            )
    found = OBJECTIVES[name](**{key: value for key, value in options.items() if value is not None})
    check_objective(found)
    return found


def check_objective(objective: Objective) -> None:
    """Raise `ValueError` naming the number that is out of its domain."""
    for field in dataclasses.fields(objective):
        value, domain = getattr(objective, field.name), field.metadata
        what = f"option {field.name} of objective {objective.name} is {value!r}, expected {domain['words']}"
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ValueError(what)
        inside = domain["low"] < value < domain["high"] if field.name == "tail" else True
        if not inside or not domain["low"] <= value <= domain["high"]:
            raise ValueError(what)
