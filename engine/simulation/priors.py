"""Priors of single parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_dataclass
from jaxtyping import Array

from engine.simulation.config import PriorConfig

NEEDS = {
    "fixed": ("value",),
    "uniform": ("low", "high"),
    "loguniform": ("low", "high"),
    "normal": ("mean", "sd"),
    "lognormal": ("median", "sigma"),
    "choice": ("values",),
}


def static(default: Any) -> Any:
    """A field that is part of what is compiled, not of what is varied."""
    return field(default=default, metadata={"static": True})


@register_dataclass
@dataclass(frozen=True)
class Prior:
    """A distribution with traced numbers `a` and `b`, in the order of `NEEDS`."""

    kind: str = field(metadata={"static": True})
    a: Array | np.ndarray
    b: Array | np.ndarray

    def sample(self, key: Array, shape: tuple[int, ...], dtype: jnp.dtype) -> Array:
        """Independent draws; entry i is the same whatever the length of the last axis."""
        a, b = jnp.asarray(self.a, dtype), jnp.asarray(self.b, dtype)
        if self.kind == "fixed":
            return jnp.broadcast_to(_lift(a, shape), shape)
        if self.kind == "choice":
            uniform = jax.random.uniform(key, shape, dtype)
            return a[(uniform * a.size).astype(jnp.int32)]
        a, b = _lift(a, shape), _lift(b, shape)
        if self.kind in ("normal", "lognormal"):
            normal = jax.random.normal(key, shape, dtype)
            return a + b * normal if self.kind == "normal" else a * jnp.exp(b * normal)
        uniform = jax.random.uniform(key, shape, dtype)
        if self.kind == "uniform":
            return a + (b - a) * uniform
        return jnp.exp(jnp.log(a) + (jnp.log(b) - jnp.log(a)) * uniform)

    def support(self) -> tuple[float, float]:
        """The least and the largest number that can come out."""
        low, high = float(np.min(self.a)), float(np.max(self.a))
        if self.kind == "normal":
            return -math.inf, math.inf
        if self.kind == "lognormal":
            return (0.0, math.inf) if np.any(self.b) else (low, high)
        return (low, float(np.max(self.b))) if self.kind in ("uniform", "loguniform") else (low, high)


def _lift(values: Array, shape: tuple[int, ...]) -> Array:
    """Leading axes of one, so that numbers a stage or a project broadcast along the last axis."""
    return values.reshape((1,) * (len(shape) - values.ndim) + values.shape)


def build_prior(config: PriorConfig, where: str) -> Prior:
    """A prior with numbers of the right kind, or a `ValueError` naming the key."""
    if config.dist not in NEEDS:
        raise ValueError(f"{where}.dist is {config.dist!r}, expected one of {', '.join(NEEDS)}")
    needs = NEEDS[config.dist]
    for item in fields(PriorConfig):
        given = getattr(config, item.name) is not None
        if item.name != "dist" and given != (item.name in needs):
            problem = "is not a parameter" if given else "is missing"
            raise ValueError(f"{where}.{item.name} {problem}: {config.dist} takes {' and '.join(needs)}")
    a, *rest = (finite(getattr(config, n), f"{where}.{n}") for n in needs)
    b = rest[0] if rest else np.zeros(())
    if config.dist == "choice" and a.ndim != 1:
        raise ValueError(f"{where}.values is {config.values!r}, expected a list of numbers")
    if config.dist in ("uniform", "loguniform") and np.any(a > b):
        raise ValueError(f"{where}.low is {a}, expected at most high, {b}")
    if config.dist in ("loguniform", "lognormal") and np.any(a <= 0):
        raise ValueError(f"{where}.{needs[0]} is {a}, expected a number above 0")
    if config.dist in ("normal", "lognormal") and np.any(b < 0):
        raise ValueError(f"{where}.{needs[1]} is {b}, expected a number of at least 0")
    return Prior(config.dist, a, b)


def finite(value: Any, where: str) -> np.ndarray:
    """Finite numbers, or a `ValueError` naming the key."""
    try:
        if isinstance(value, (str, bool)):
            raise ValueError
        number = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{where} is {value!r}, expected a number or a list of numbers") from None
    if number.size == 0 or not np.all(np.isfinite(number)):
        raise ValueError(f"{where} is {value!r}, expected finite numbers")
    return number


def check_prior(
    prior: Prior, where: str, length: int, low: float, high: float = math.inf, above: bool = False
) -> None:
    """The prior's numbers fit the axis they are drawn along, and what is drawn fits the domain."""
    if prior.kind != "choice":
        for numbers in (prior.a, prior.b):
            if numbers.ndim > 1 or numbers.size not in (1, length):
                raise ValueError(f"{where} has {numbers.size} numbers, expected 1 or {length}")
    least, most = prior.support()
    open_end = prior.kind == "lognormal"
    if least < low or most > high or (above and least <= low and not open_end and low > -math.inf):
        ends = f"{'above' if above else 'of at least'} {low:g}" + (
            f" and at most {high:g}" if high < math.inf else ""
        )
        raise ValueError(f"{where} can draw {least if least <= low else most:g}, expected numbers {ends}")
