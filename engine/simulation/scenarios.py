"""Scenarios: joint priors over portfolios.

A `Scenario` is a pytree whose numbers are arrays, so that a sweep varies them without a new compilation;
the number of projects, the families and the kinds of distribution are static. Portfolio j of a seed is
`scenario.draw(portfolio_key(seed, j))`: it depends on nothing else. Every parameter has a key of its own,
derived from its name, so scenarios that differ in one prior share all other random numbers, and their
portfolios with the same j can be compared in pairs.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_dataclass
from jaxtyping import Array

from engine.bets.approaches import Approaches
from engine.bets.lifted import CLIMBS
from engine.bets.methods import Drawn
from engine.bets.spillover import Coupled
from engine.files.draws import read_draws
from engine.model.curves import FAMILIES
from engine.model.curves.base import Curve
from engine.model.curves.concave import Power
from engine.model.curves.mixture import Mixture
from engine.model.keys import named
from engine.model.portfolio import STAGE_CUTS, Portfolio
from engine.rules.ruled import Ruled
from engine.simulation.approaches import approach_scenario, check_approaches, joined
from engine.simulation.config import ScenarioConfig
from engine.simulation.plans import Planning, build_planning
from engine.simulation.platforms import Platforms, build_platforms
from engine.simulation.priors import Prior, build_prior, check_prior, finite, static
from engine.simulation.rules import Rules, build_rules
from engine.simulation.uncertainty import Uncertainty, build_uncertainty
from engine.solvers.registry import Takes
from engine.solvers.responses import Scalar

MOST_PROJECTS = 100_000
# Where the exponents of families lie that have a bound of their own: from, below, in words.
EXPONENTS = {"root": (0.0, 1.0, "within (0, 1)"), "increasing": (1.0, math.inf, "at least 1")}


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
    names: tuple[str, ...] = static(())
    cuts: tuple[float, ...] = static(STAGE_CUTS)
    fitted: tuple[dict[str, np.ndarray], ...] | None = None
    choice: Array | np.ndarray | None = None
    uncertainty: Uncertainty | None = None
    labels: tuple[str, ...] = static(())
    ways: tuple[Scenario, ...] = ()
    platforms: Platforms | None = None
    planning: Planning | None = None
    rules: Rules | None = None

    @property
    def gives(self) -> Takes:
        """What is drawn: portfolios, bets around them, projects with approaches, platforms, rules; plans."""
        if self.planning is not None:
            return "plan"
        if self.labels:
            return "approaches"
        if self.platforms is not None:
            return "coupled"
        if self.rules is not None:
            return "ruled"
        return "portfolio" if self.uncertainty is None else "bet"

    @property
    def draws(self) -> int:
        """How many draws a portfolio weighs as much as: its sets of approaches, or climbs where effort spills
        over; what is believed of plans, and true."""
        if self.planning is not None:
            return self.planning.draws
        if self.platforms is not None:
            return CLIMBS
        return self.uncertainty.draws if self.uncertainty else 1 << len(self.labels)

    def draw(self, key: Array, dtype: jnp.dtype | type = float) -> Portfolio:
        """One portfolio, without what spills over.

        **Raises:** `ValueError` of a scenario with approaches.
        """
        if self.labels:
            raise ValueError("projects of this scenario have approaches, expected draw_approaches")
        kind = jnp.zeros((), dtype).dtype
        parts = self._draw_parts(key, kind)
        return Portfolio(curves=self._draw_curves(key, kind), names=self.names, cuts=self.cuts, **parts)

    def draw_approaches(self, key: Array, dtype: jnp.dtype | type = float) -> Approaches:
        """One bet of projects with approaches, each of which is drawn by a key of its name."""
        pairs = zip(self.labels, self.ways, strict=True)
        drawn = [way.draw(named(key, f"approach {label}"), dtype) for label, way in pairs]
        parts = self._draw_parts(key, jnp.zeros((), dtype).dtype)
        labels = (self.labels,) * self.projects
        return Approaches(joined(drawn, parts.get("weight")), parts.get("cost"), self.names, labels)

    def draw_coupled(self, key: Array, dtype: jnp.dtype | type = float) -> Coupled:
        """One portfolio with its spill-over, drawn by a key of its own: the portfolio is that of `draw`.

        **Raises:** `ValueError` of a scenario without platforms.
        """
        if self.platforms is None:
            raise ValueError("effort of this scenario does not spill over, expected draw")
        kind = jnp.zeros((), dtype).dtype
        return Coupled(
            self.draw(key, dtype), self.platforms.matrix(named(key, "spillover"), self.projects, kind)
        )

    def draw_ruled(self, key: Array, dtype: jnp.dtype | type = float) -> Ruled:
        """One portfolio with its rules; the portfolio is that of `draw`.

        **Raises:** `ValueError` of a scenario without rules.
        """
        if self.rules is None:
            raise ValueError("this scenario has no rules, expected draw")
        return self.rules.around(self.draw(key, dtype), named(key, "rules"))

    def draw_plans(self, key: Array, budget: Scalar | float, dtype: jnp.dtype | type = float) -> Drawn:
        """One portfolio, and the plans for it; the portfolio is that of `draw`.

        **Raises:** `ValueError` of a scenario without planning.
        """
        if self.planning is None:
            raise ValueError("this scenario has no planning, expected draw")
        portfolio, count = self.draw(key, dtype), self.planning.draws
        if self.uncertainty is not None:
            uncertain = dataclasses.replace(self.uncertainty, draws=count)
            drawn = uncertain.around(portfolio, named(key, "uncertainty")).draws
        elif self.fitted is not None:
            keys = jax.random.split(named(key, "beliefs"), count)
            curves = jax.vmap(lambda one: self._draw_curves(one, portfolio.dtype))(keys)
            drawn = dataclasses.replace(jax.tree.map(lambda a: a[None], portfolio), curves=curves)
        else:
            drawn = jax.tree.map(lambda a: a[None], portfolio)
        return Drawn(portfolio, self.planning.plans(portfolio, drawn, key, budget))

    def _draw_parts(self, key: Array, kind: jnp.dtype) -> dict[str, Any]:
        """The optional arrays by name."""
        parts: dict[str, Any] = {
            n: p.sample(named(key, n), (self.projects,), kind) for n, p in self.parts.items()
        }
        if self.skew is not None:
            rank = jnp.arange(1, self.projects + 1, dtype=kind)
            zipf = jnp.exp(-jnp.asarray(self.skew, kind) * jnp.log(rank))
            parts["weight"] = parts.get("weight", 1.0) * zipf / jnp.mean(zipf)
        if self.platforms is not None:
            parts["weight"] = parts.get("weight", 1.0) * self.platforms.weights(self.projects, kind)
        return parts

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
        """The largest upper limit on effort that can occur."""
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
        """Each project's curve is one of its draws: its family and all of its numbers from the same one."""
        assert self.fitted is not None
        count = next(iter(self.fitted[0].values())).shape[0]
        index = jax.random.randint(named(key, "draw"), (self.projects,), 0, count)

        def own(numbers: np.ndarray) -> Array:
            return jnp.asarray(numbers, dtype)[index, jnp.arange(self.projects)]

        pairs = zip(self.families, self.fitted, strict=True)
        curves = [FAMILIES[name](**{n: own(a) for n, a in numbers.items()}) for name, numbers in pairs]
        if len(curves) == 1:
            return curves[0]
        return Mixture(tuple(curves), jnp.asarray(self.choice)[index, jnp.arange(self.projects)])

    def _draw_family(self, name: str, priors: dict[str, Prior], key: Array, dtype: jnp.dtype) -> Curve:
        family, drawn = FAMILIES[name], {}
        for parameter, prior in priors.items():
            known = family.parameters()[parameter].metadata if parameter != "baseline" else {"axes": 0}
            shape = (self.projects, self.stages) if known["axes"] else (self.projects,)
            values = prior.sample(named(key, parameter), shape, dtype)
            drawn[parameter] = jnp.sort(values, axis=-1) if known.get("ordered") else values
        return family(**drawn)


def build_scenario(config: ScenarioConfig) -> Scenario:
    """The scenario that a configuration describes.

    **Raises:** `ValueError` naming the key that cannot be.
    """
    if config.approaches:
        return _build_approaches(config)
    made = _build_drawn(config) if config.draws is None else _build_fitted(config)
    uncertainty = build_uncertainty(config.uncertainty, made.families, tuple(made.parts))
    platforms, planning, rules = build_platforms(config), build_planning(config), build_rules(config)
    bets: dict[str, Any] = {"platforms": platforms, "planning": planning, "rules": rules}
    return dataclasses.replace(made, uncertainty=uncertainty, **bets)


def _build_approaches(config: ScenarioConfig) -> Scenario:
    """A scenario of projects with approaches, each of which is a scenario of as many projects."""
    check_approaches(config)
    _check_projects(config)
    ways = []
    for label, own in config.approaches.items():
        where = f"scenario.approaches.{label}"
        try:
            ways.append(_build_drawn(approach_scenario(config, own)))
        except ValueError as error:
            raise ValueError(str(error).replace("scenario.", f"{where}.")) from None
    return Scenario(
        projects=config.projects,
        families=(),
        stages=1,
        shares=np.ones(0),
        curves=(),
        parts=_build_parts(config),
        skew=None if config.skew is None else np.asarray(finite(config.skew, "scenario.skew")),
        names=tuple(config.names or ()),
        labels=tuple(config.approaches),
        ways=tuple(ways),
    )


def _check_projects(config: ScenarioConfig) -> None:
    if not 1 <= config.projects <= MOST_PROJECTS:
        raise ValueError(
            f"scenario.projects is {config.projects}, expected a whole number from 1 to {MOST_PROJECTS}"
        )
    if config.names is not None and len(config.names) != config.projects:
        raise ValueError(f"scenario.names has {len(config.names)} names, expected {config.projects}")


def _build_drawn(config: ScenarioConfig) -> Scenario:
    """A scenario of priors of curves."""
    _check_projects(config)
    if not config.curves:
        raise ValueError("scenario.curves is empty, expected at least one family")
    stages, curves = 1, []
    for name, family in config.curves.items():
        if name not in FAMILIES or not FAMILIES[name].drawable:
            known = ", ".join(name for name, family in FAMILIES.items() if family.drawable)
            raise ValueError(f"scenario.curves: unknown family {name!r}, expected one of {known}")
        if not (family.share > 0 and math.isfinite(family.share)):
            raise ValueError(f"scenario.curves.{name}.share is {family.share}, expected a number above 0")
        where = f"scenario.curves.{name}.parameters"
        curves.append({n: build_prior(p, f"{where}.{n}") for n, p in family.parameters.items()})
        if any(field.metadata["axes"] for field in FAMILIES[name].parameters().values()):
            stages = max(p.a.size for p in curves[-1].values())
        _check_family(name, curves[-1], config.projects, stages, where)
    return Scenario(
        projects=config.projects,
        families=tuple(config.curves),
        stages=stages,
        shares=np.array([f.share for f in config.curves.values()]),
        curves=tuple(curves),
        parts=_build_parts(config),
        skew=None if config.skew is None else np.asarray(finite(config.skew, "scenario.skew")),
        names=tuple(config.names or ()),
        cuts=_build_cuts(config.cuts),
    )


def _build_fitted(config: ScenarioConfig) -> Scenario:
    """A scenario of draws of fitted curves, whose names and number of projects are those of the file."""
    if config.curves:
        raise ValueError("scenario.curves and scenario.draws are given, expected one of them")
    names, draws = read_draws(str(config.draws))
    fitted = draws.numbers
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
        skew=None if config.skew is None else np.asarray(finite(config.skew, "scenario.skew")),
        names=names,
        cuts=_build_cuts(config.cuts),
        fitted=tuple(fitted.values()),
        choice=draws.choice,
    )


def _check_family(name: str, priors: dict[str, Prior], projects: int, stages: int, where: str) -> None:
    known = FAMILIES[name].parameters()
    for parameter in known:
        if parameter not in priors:
            raise ValueError(f"{where}.{parameter} is missing, which family {name} needs")
    for parameter, prior in priors.items():
        if parameter == "baseline":
            check_prior(prior, f"{where}.{parameter}", projects, -math.inf)
            continue
        if parameter not in known:
            raise ValueError(f"{where}.{parameter} is no parameter of {name}, expected {', '.join(known)}")
        domain = known[parameter].metadata
        low = -math.inf if domain["any_sign"] else 0.0
        length = stages if domain["axes"] else projects
        check_prior(prior, f"{where}.{parameter}", length, low, above=domain["positive"])
    if name in EXPONENTS:
        low, high = priors["exponent"].support()
        least, most, words = EXPONENTS[name]
        if low < least or high >= most:
            raise ValueError(f"{where}.exponent lies in [{low:g}, {high:g}], expected {words}")
    if FAMILIES[name] is Power:
        low, high = priors["exponent"].support()
        sign = priors["scale"].support()
        rising = low > 0 and high < 1 and sign[0] >= 0
        if not rising and not (high < 0 and sign[1] <= 0):
            raise ValueError(
                f"{where}.exponent lies in [{low:g}, {high:g}], expected within (0, 1), or below 0 with "
                "a scale of at most 0"
            )


def _build_parts(config: ScenarioConfig) -> dict[str, Prior]:
    parts = {}
    for name, item in Portfolio.optional_fields().items():
        prior_config = getattr(config, name)
        if prior_config.dist == "absent":
            continue
        where = f"scenario.{name}"
        parts[name] = build_prior(prior_config, where)
        metadata = item.metadata
        check_prior(
            parts[name],
            where,
            config.projects,
            max(metadata["low"], 0.0),
            metadata["high"],
            above=name == "cost",  # what is free is no part of a budget's choice
        )
    if "cost" in parts and parts["cost"].support()[0] <= 0:
        raise ValueError("scenario.cost can draw numbers near 0, expected a prior with a least cost above 0")
    if "lower" in parts and "upper" in parts:
        most, least = parts["lower"].support()[1], parts["upper"].support()[0]
        if most > least:
            raise ValueError(f"scenario.lower can draw {most:g}, expected at most upper, {least:g}")
    return parts


def _build_cuts(cuts: list[float] | None) -> tuple[float, ...]:
    if cuts is None:
        return STAGE_CUTS
    ordered = all(low < high for low, high in zip([0.0, *cuts], [*cuts, 1.0 + 1e-9], strict=True))
    if not cuts or not ordered:
        raise ValueError(f"scenario.cuts is {list(cuts)}, expected rising shares between 0 and 1")
    return tuple(float(c) for c in cuts)
