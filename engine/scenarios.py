"""Scenarios: joint priors over portfolios.

A `Scenario` is a pytree whose numbers are arrays, so that a sweep varies them without a new compilation;
the number of projects, the families and the kinds of distribution are static. Portfolio j of a seed is
`scenario.draw(portfolio_key(seed, j))`: it depends on nothing else. Every parameter has a key of its own,
derived from its name, so scenarios that differ in one prior share all other random numbers, and their
portfolios with the same j can be compared in pairs.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, field, fields
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_dataclass
from jaxtyping import Array

from engine.config import PriorConfig, ScenarioConfig
from engine.curves import FAMILIES, Curve, Mixture, Power
from engine.draws import read_draws
from engine.portfolio import STAGE_CUTS, Portfolio

NEEDS = {
    "fixed": ("value",),
    "uniform": ("low", "high"),
    "loguniform": ("low", "high"),
    "normal": ("mean", "sd"),
    "lognormal": ("median", "sigma"),
    "choice": ("values",),
}
MOST_PROJECTS = 100_000
SORTED_STAGES = ("start", "base")


def _static(default: Any) -> Any:
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


@register_dataclass
@dataclass(frozen=True)
class Scenario:
    """A joint prior over portfolios of `projects` projects; see `ScenarioConfig` for the parts."""

    projects: int = field(metadata={"static": True})
    families: tuple[str, ...] = field(metadata={"static": True})
    stages: int = field(metadata={"static": True})
    shares: Array | np.ndarray
    curves: tuple[dict[str, Prior], ...]
    parts: dict[str, Prior]
    skew: Array | np.ndarray | None = None
    names: tuple[str, ...] = _static(())
    cuts: tuple[float, ...] = _static(STAGE_CUTS)
    fitted: tuple[dict[str, np.ndarray], ...] | None = None
    choice: Array | np.ndarray | None = None

    def draw(self, key: Array, dtype: jnp.dtype | type = float) -> Portfolio:
        """One portfolio."""
        kind = jnp.zeros((), dtype).dtype
        parts = {n: p.sample(named(key, n), (self.projects,), kind) for n, p in self.parts.items()}
        if self.skew is not None:
            rank = jnp.arange(1, self.projects + 1, dtype=kind)
            zipf = jnp.exp(-jnp.asarray(self.skew, kind) * jnp.log(rank))
            parts["weight"] = parts.get("weight", 1.0) * zipf / jnp.mean(zipf)
        return Portfolio(curves=self._draw_curves(key, kind), names=self.names, cuts=self.cuts, **parts)

    def costs(self) -> np.ndarray | None:
        """All unit costs that can occur; an interval is stood for by its ends and one odd cost between."""
        prior = self.parts.get("cost")
        if prior is None:
            return None
        low, high = prior.support()
        return (
            np.ravel(prior.a)
            if prior.kind in ("fixed", "choice")
            else np.array([low, low + (high - low) / math.pi, high])
        )

    def upper(self) -> float:
        """The largest upper bound on effort that can occur."""
        return self.parts["upper"].support()[1] if "upper" in self.parts else math.inf

    def _draw_curves(self, key: Array, dtype: jnp.dtype) -> Curve:
        if self.fitted is not None:
            return self._draw_fitted(key, dtype)
        pairs = zip(self.families, self.curves, strict=True)
        curves = [self._draw_family(name, priors, named(key, name), dtype) for name, priors in pairs]
        if len(curves) == 1:
            return curves[0]
        uniform = jax.random.uniform(named(key, "family"), (self.projects,), dtype)
        ends = jnp.cumsum(jnp.asarray(self.shares, dtype))[:-1] / jnp.sum(jnp.asarray(self.shares, dtype))
        choice = jnp.sum(uniform[:, None] >= ends[None], axis=1).astype(jnp.int32)
        return Mixture(tuple(curves), choice)

    def _draw_fitted(self, key: Array, dtype: jnp.dtype) -> Curve:
        """Each project's curve is one of its draws: all of its numbers from the same one."""
        assert self.fitted is not None
        count = next(iter(self.fitted[0].values())).shape[0]
        index = jax.random.randint(named(key, "draw"), (self.projects,), 0, count)
        own = lambda a: jnp.asarray(a, dtype)[index, jnp.arange(self.projects)]  # noqa: E731
        pairs = zip(self.families, self.fitted, strict=True)
        curves = [FAMILIES[name](**{n: own(a) for n, a in numbers.items()}) for name, numbers in pairs]
        return curves[0] if len(curves) == 1 else Mixture(tuple(curves), jnp.asarray(self.choice))

    def _draw_family(self, name: str, priors: dict[str, Prior], key: Array, dtype: jnp.dtype) -> Curve:
        family, drawn = FAMILIES[name], {}
        for parameter, prior in priors.items():
            staged = parameter != "baseline" and family.parameters()[parameter].metadata["axes"]
            shape = (self.projects, self.stages) if staged else (self.projects,)
            values = prior.sample(named(key, parameter), shape, dtype)
            drawn[parameter] = jnp.sort(values, axis=-1) if staged and parameter in SORTED_STAGES else values
        return family(**drawn)


def portfolio_key(seed: int | Array, index: int | Array) -> Array:
    """The key of portfolio `index` of a seed."""
    return jax.random.fold_in(jax.random.key(seed), index)


def named(key: Array, name: str) -> Array:
    """The key of one named quantity."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))


def build_scenario(config: ScenarioConfig) -> Scenario:
    """The scenario that a configuration describes.

    **Raises:** `ValueError` naming the key that cannot be.
    """
    if config.draws is not None:
        return _build_fitted(config)
    if not 1 <= config.projects <= MOST_PROJECTS:
        raise ValueError(
            f"scenario.projects is {config.projects}, expected a whole number from 1 to {MOST_PROJECTS}"
        )
    if not config.curves:
        raise ValueError("scenario.curves is empty, expected at least one family")
    if config.names is not None and len(config.names) != config.projects:
        raise ValueError(f"scenario.names has {len(config.names)} names, expected {config.projects}")
    stages, curves = 1, []
    for name, family in config.curves.items():
        if name not in FAMILIES or name == "tabulated":
            known = ", ".join(f for f in FAMILIES if f != "tabulated")
            raise ValueError(f"scenario.curves: unknown family {name!r}, expected one of {known}")
        if not (family.share > 0 and math.isfinite(family.share)):
            raise ValueError(f"scenario.curves.{name}.share is {family.share}, expected a number above 0")
        where = f"scenario.curves.{name}.parameters"
        curves.append({n: build_prior(p, f"{where}.{n}") for n, p in family.parameters.items()})
        if name == "lifecycle":
            stages = max(p.a.size for p in curves[-1].values())
        _check_family(name, curves[-1], config.projects, stages, where)
    return Scenario(
        projects=config.projects,
        families=tuple(config.curves),
        stages=stages,
        shares=np.array([f.share for f in config.curves.values()]),
        curves=tuple(curves),
        parts=_build_parts(config),
        skew=None if config.skew is None else np.asarray(_finite(config.skew, "scenario.skew")),
        names=tuple(config.names or ()),
        cuts=_build_cuts(config.cuts),
    )


def _build_fitted(config: ScenarioConfig) -> Scenario:
    """A scenario of bootstrap draws, whose names and number of projects are those of the file."""
    if config.curves:
        raise ValueError("scenario.curves and scenario.draws are given, expected one of them")
    names, choice, fitted = read_draws(str(config.draws))
    if config.projects not in (0, len(names)):
        raise ValueError(
            f"scenario.projects is {config.projects}, expected {len(names)}, as in {config.draws}"
        )
    config.projects = len(names)
    return Scenario(
        projects=len(names),
        families=tuple(fitted),
        stages=1,
        shares=np.ones(len(fitted)),
        curves=(),
        parts=_build_parts(config),
        skew=None if config.skew is None else np.asarray(_finite(config.skew, "scenario.skew")),
        names=names,
        cuts=_build_cuts(config.cuts),
        fitted=tuple(fitted.values()),
        choice=choice,
    )


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
    a, *rest = (_finite(getattr(config, n), f"{where}.{n}") for n in needs)
    b = rest[0] if rest else np.zeros(())
    if config.dist in ("uniform", "loguniform") and np.any(a > b):
        raise ValueError(f"{where}.low is {a}, expected at most high, {b}")
    if config.dist in ("loguniform", "lognormal") and np.any(a <= 0):
        raise ValueError(f"{where}.{needs[0]} is {a}, expected a number above 0")
    if config.dist in ("normal", "lognormal") and np.any(b < 0):
        raise ValueError(f"{where}.{needs[1]} is {b}, expected a number of at least 0")
    return Prior(config.dist, a, b)


def _finite(value: Any, where: str) -> np.ndarray:
    try:
        if isinstance(value, (str, bool)):
            raise ValueError
        number = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{where} is {value!r}, expected a number or a list of numbers") from None
    if number.size == 0 or not np.all(np.isfinite(number)):
        raise ValueError(f"{where} is {value!r}, expected finite numbers")
    return number


def _check_family(name: str, priors: dict[str, Prior], projects: int, stages: int, where: str) -> None:
    known = FAMILIES[name].parameters()
    for parameter in known:
        if parameter not in priors:
            raise ValueError(f"{where}.{parameter} is missing, which family {name} needs")
    for parameter, prior in priors.items():
        if parameter == "baseline":
            _check_prior(prior, f"{where}.{parameter}", projects, -math.inf)
            continue
        if parameter not in known:
            raise ValueError(f"{where}.{parameter} is no parameter of {name}, expected {', '.join(known)}")
        domain = known[parameter].metadata
        low = -math.inf if domain["any_sign"] else 0.0
        length = stages if domain["axes"] else projects
        _check_prior(prior, f"{where}.{parameter}", length, low, above=domain["positive"])
    if FAMILIES[name] is Power:
        low, high = priors["exponent"].support()
        sign = priors["scale"].support()
        rising = low > 0 and high < 1 and sign[0] >= 0
        if not rising and not (high < 0 and sign[1] <= 0):
            raise ValueError(
                f"{where}.exponent lies in [{low:g}, {high:g}], expected within (0, 1), or below 0 with "
                "a scale of at most 0"
            )


def _check_prior(
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


def _build_parts(config: ScenarioConfig) -> dict[str, Prior]:
    parts = {}
    for name, item in Portfolio.optional_fields().items():
        prior_config = getattr(config, name)
        if prior_config.dist == "absent":
            continue
        where = f"scenario.{name}"
        parts[name] = build_prior(prior_config, where)
        metadata = item.metadata
        _check_prior(
            parts[name], where, config.projects, max(metadata["low"], 0.0), metadata["high"], name == "cost"
        )
    if "cost" in parts and parts["cost"].support()[0] <= 0:
        raise ValueError("scenario.cost can draw numbers near 0, expected a prior with a least cost above 0")
    if "lower" in parts and "upper" in parts:
        most, least = parts["lower"].support()[1], parts["upper"].support()[0]
        if most > least:
            raise ValueError(f"scenario.lower can draw {most:g}, expected at most upper, {least:g}")
    return parts


def _build_cuts(cuts: list[float]) -> tuple[float, ...]:
    ordered = all(low < high for low, high in zip([0.0, *cuts], [*cuts, 1.0 + 1e-9], strict=True))
    if not cuts or not ordered:
        raise ValueError(f"scenario.cuts is {list(cuts)}, expected rising shares between 0 and 1")
    return tuple(float(c) for c in cuts)
