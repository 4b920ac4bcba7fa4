"""Rules of a scenario: groups of its projects, either-or, nothing or at least so much; and what each costs.

Solvers of portfolios ignore the rules. `ruled` keeps them all; `without_groups`, `without_either` and
`without_minimum` all but one kind, so that what they return more, in pairs, is the price of that kind.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_dataclass
from jaxtyping import Array, Bool, Float

from engine.bets.methods import Drawn
from engine.model.keys import named
from engine.model.portfolio import Portfolio, project_names
from engine.rules.levels import at_least
from engine.rules.ruled import Group, Ruled
from engine.rules.solve import plan_of, solve_ruled
from engine.rules.tree import plant
from engine.simulation.config import RulesConfig, ScenarioConfig, SpilloverConfig, UncertaintyConfig
from engine.simulation.priors import Prior, build_prior, check_prior, finite
from engine.solvers.lattice import Lattice
from engine.solvers.registry import Method
from engine.solvers.responses import Scalar
from engine.solvers.solution import Solution


class Ruling(NamedTuple):
    """A portfolio with its rules, and the budget that shares are of."""

    ruled: Ruled
    budget: Scalar


@register_dataclass
@dataclass(frozen=True)
class Rules:
    """How a scenario's projects are grouped and bounded; see `RulesConfig`."""

    groups: int = field(metadata={"static": True})
    either: int = field(metadata={"static": True})
    funded: int | None = field(metadata={"static": True})
    least: Array | np.ndarray | None = None
    most: Array | np.ndarray | None = None
    minimum: Prior | None = None

    def around(self, portfolio: Portfolio, key: Array) -> Ruled:
        """A portfolio with its rules; the least efforts have a key of their own."""
        names = project_names(portfolio)
        parts = [tuple(names[p] for p in part) for part in np.array_split(np.arange(len(names)), self.groups)]
        minimum = None
        if self.minimum is not None:
            minimum = self.minimum.sample(named(key, "minimum"), portfolio.shape, portfolio.dtype)
        groups = [
            Group(
                f"group {place}",
                part,
                least_share=None if self.least is None else jnp.asarray(self.least, portfolio.dtype),
                most_share=None if self.most is None else jnp.asarray(self.most, portfolio.dtype),
                counts=None if self.funded is None else tuple(range(min(self.funded, len(part)) + 1)),
            )
            for place, part in enumerate(parts)
        ]
        runs = [part[at : at + self.either] for part in parts for at in range(0, len(part), self.either or 1)]
        choices = [Group(" or ".join(run), run, counts=(0, 1)) for run in runs if len(run) > 1]
        return Ruled(
            portfolio, minimum, groups=(*(g for g in groups if g.binds), *(choices if self.either else ()))
        )


def build_rules(config: ScenarioConfig) -> Rules | None:
    """The rules of a scenario, if it has any.

    **Raises:** `ValueError` naming the key that cannot be.
    """
    given, where = config.rules, "scenario.rules"
    if given == RulesConfig():
        return None
    if config.uncertainty != UncertaintyConfig() or config.spillover != SpilloverConfig():
        raise ValueError(f"{where} and another kind of bet are given, expected one of them")
    if not 1 <= given.groups <= config.projects:
        raise ValueError(f"{where}.groups is {given.groups}, expected 1 to {config.projects}, its projects")
    if given.either < 0 or given.either == 1:
        raise ValueError(f"{where}.either is {given.either}, expected 0, or 2 and more")
    if given.funded is not None and given.funded < 0:
        raise ValueError(f"{where}.funded is {given.funded}, expected at least 0")
    least, most = (_share(given, name) for name in ("least", "most"))
    minimum = None
    if given.minimum.dist != "absent":
        minimum = build_prior(given.minimum, f"{where}.minimum")
        check_prior(minimum, f"{where}.minimum", config.projects, 0.0)
    return Rules(given.groups, given.either, given.funded, least, most, minimum)


def _share(given: RulesConfig, name: str) -> np.ndarray | None:
    value = getattr(given, name)
    if value is None:
        return None
    share = np.asarray(finite(value, f"scenario.rules.{name}"))
    if share.ndim or not 0 <= share <= 1:
        raise ValueError(f"scenario.rules.{name} is {value!r}, expected a share of the budget")
    return share


def optimum(given: Ruled, budget: Scalar, lattice: Lattice) -> Solution:
    """The optimum that keeps the rules, proved."""
    root, _ = plant(given)
    return solve_ruled(given, budget, lattice, plan_of(root, given, {}, lattice.states))


def ruled(drawn: Drawn, budget: Scalar, lattice: Lattice) -> Solution:
    """The optimum that keeps all of the rules."""
    return optimum(_rules(drawn), budget, lattice)


def without_groups(drawn: Drawn, budget: Scalar, lattice: Lattice) -> Solution:
    """The optimum that keeps all but the groups' bounds."""
    given = _rules(drawn)
    choices = tuple(group for group in given.groups if group.one_of)
    return optimum(dataclasses.replace(given, groups=choices), budget, lattice)


def without_either(drawn: Drawn, budget: Scalar, lattice: Lattice) -> Solution:
    """The optimum that keeps all but either-or."""
    given = _rules(drawn)
    groups = tuple(group for group in given.groups if not group.one_of)
    return optimum(dataclasses.replace(given, groups=groups), budget, lattice)


def without_minimum(drawn: Drawn, budget: Scalar, lattice: Lattice) -> Solution:
    """The optimum that keeps all but nothing-or-at-least."""
    return optimum(dataclasses.replace(_rules(drawn), minimum=None), budget, lattice)


def _rules(drawn: Drawn) -> Ruled:
    assert isinstance(drawn.bet, Ruling)
    return drawn.bet.ruled


def curves_held(portfolio: Portfolio, lattice: Lattice) -> int:
    """The table, and the budget curve before each project."""
    return 4 * (lattice.units + lattice.states)


METHODS: dict[str, Method] = {
    "ruled": Method(ruled, optimal="always", takes="ruled", entries=curves_held),
    "without_groups": Method(without_groups, optimal="always", takes="ruled", entries=curves_held),
    "without_either": Method(without_either, optimal="always", takes="ruled", entries=curves_held),
    "without_minimum": Method(without_minimum, optimal="always", takes="ruled", entries=curves_held),
}
METRICS = {"keeps": "1 where all rules are kept"}


def keeps(ruling: Ruling, effort: Float[Array, " projects"]) -> Bool[Array, ""]:
    """Whether an allocation keeps the rules that scenarios have."""
    given, budget = ruling
    spend = effort * given.portfolio.costs()
    kept = jnp.asarray(True)
    if given.minimum is not None:
        kept &= jnp.all((effort == 0) | at_least(effort, given.minimum))
    for group in given.groups:
        members = jnp.asarray(given.members(group))
        mine, count = jnp.sum(spend[members]), jnp.sum(effort[members] > 0)
        if group.least_share is not None:
            kept &= at_least(mine, group.least_share * budget)
        if group.most_share is not None:
            kept &= at_least(group.most_share * budget, mine)
        if group.counts is not None:
            kept &= jnp.any(count == jnp.asarray(group.counts))
    return kept


def measure_rules(
    ruling: Ruling, solution: Solution, metrics: Mapping[str, Float[Array, ""]]
) -> dict[str, Float[Array, ""]]:
    """The metrics of one solution, of which the ordinary ones are given."""
    kept = keeps(ruling, solution.effort)
    return {**metrics, "keeps": jnp.where(kept, 1.0, 0.0).astype(solution.value.dtype)}
