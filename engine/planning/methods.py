"""Policies as methods of studies: each plays a plan in some worlds of a portfolio.

    policy(drawn, budget, lattice) -> Planned

All policies meet the same worlds, so they are compared in pairs, and each with four plans that are played
beside every portfolio: the clairvoyant's, equal split, and the static plan on the budget and on some more.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import register_dataclass
from jaxtyping import Array, Float, Int

from engine.bets.methods import TAIL
from engine.bets.objectives import cvar, deviation
from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio
from engine.planning.play import Played, build_world, play
from engine.planning.policies import POLICIES
from engine.planning.policies.base import Policy
from engine.planning.world import Terms
from engine.solvers.lattice import Lattice
from engine.solvers.registry import Method
from engine.solvers.responses import Scalar
from engine.solvers.solution import Solution, Status

# A project is dropped after its last lot where that falls within this share of the periods.
EARLY = 0.75


class Worlds(NamedTuple):
    """What may be true of one portfolio, and what is believed of it at first.

    - `truths` [worlds, projects], `keys` [worlds]: the curves of each world, and the key of its chances.
    - `draws` [particles, projects]: the beliefs.
    - `deadline` [projects]: after how many periods effort makes no progress any more; None: after none.
    """

    terms: Terms
    truths: Portfolio
    keys: Array
    draws: Portfolio
    cost: Vector
    deadline: Vector | None = None


class Plans(NamedTuple):
    """Worlds to plan in, and what the plans that all are compared with have returned there by each period."""

    worlds: Worlds
    clairvoyant: Float[Array, "worlds periods"]
    equal: Float[Array, "worlds periods"]
    static: Float[Array, "worlds periods"]
    richer: Float[Array, "worlds periods"]


def plans_in(worlds: Worlds, budget: Scalar, more: Scalar | float) -> Plans:
    """The plans to compare with; `more`, the share of budget that the richer one has besides."""

    def fared(name: str, budget: Scalar) -> Float[Array, "worlds periods"]:
        return jnp.sum(played(POLICIES[name], worlds, budget).returns, axis=-1)

    return Plans(
        worlds,
        clairvoyant=fared("clairvoyant", budget),
        equal=fared("equal_split", budget),
        static=fared("static", budget),
        richer=fared("static", budget * (1.0 + jnp.asarray(more, budget.dtype))),
    )


def played(policy: Policy, worlds: Worlds, budget: Scalar) -> Played:
    """A policy in every world, [worlds, ...]."""
    terms = worlds.terms

    def one(truth: Portfolio, data: Array) -> Played:
        world = build_world(truth, worlds.draws, worlds.cost, budget, terms)
        world = world._replace(deadline=worlds.deadline)
        return play(policy, terms, world, worlds.draws, jax.random.wrap_key_data(data))

    return jax.vmap(one)(worlds.truths, worlds.keys)


@register_dataclass
@dataclass(frozen=True)
class Planned(Solution):
    """A plan as it was played in every world: `value` and `effort` are means over worlds.

    - `returns` [worlds, periods]: the total return after each period.
    - `lots` [worlds, periods, projects].
    - `frontiers` [worlds]: how many projects reached the frontier.
    """

    returns: Float[Array, "worlds periods"]
    lots: Int[Array, "worlds periods projects"]
    frontiers: Float[Array, " worlds"]


def follow(drawn: Any, budget: Scalar, lattice: Lattice, policy: Policy) -> Planned:
    """A policy's plan of one portfolio; its bound is infinite, since nobody knows what chance would bring."""
    worlds: Worlds = drawn.bet.worlds
    done = played(policy, worlds, budget)
    returns = jnp.sum(done.returns, axis=-1)
    _, frontier = jax.vmap(lambda truth, progress: truth.stage(progress))(worlds.truths, done.progress[:, -1])
    lots = jnp.mean(jnp.sum(done.lots, axis=1), axis=0, dtype=returns.dtype)
    spend = budget / worlds.terms.all_lots * lots
    value = jnp.mean(returns[:, -1])
    infinite = jnp.asarray(jnp.inf, returns.dtype)
    return Planned(
        effort=spend / worlds.cost,
        value=value,
        bound=infinite,
        multiplier=jnp.asarray(jnp.nan, returns.dtype),
        spent=jnp.sum(spend),
        proved=jnp.zeros((), bool),
        status=jnp.where(jnp.isfinite(value), Status.SOLVED, Status.NOT_FINITE).astype(jnp.int32),
        returns=returns,
        lots=done.lots,
        frontiers=jnp.sum(frontier, axis=-1).astype(returns.dtype),
    )


@functools.cache
def method(policy: Policy) -> Method:
    """A policy as a method."""
    return Method(_without_options(policy), takes="plan", entries=nothing_besides_draws)


def _without_options(policy: Policy) -> Callable[..., Planned]:
    def solve(drawn: Any, budget: Scalar, lattice: Lattice) -> Planned:
        return follow(drawn, budget, lattice, policy)

    return solve


def nothing_besides_draws(portfolio: Portfolio, lattice: Lattice) -> int:
    """Gains are averaged over particles as they are computed."""
    return 0


def methods() -> dict[str, Method]:
    """The policies as methods, those that users have entered included."""
    return {name: method(policy) for name, policy in POLICIES.items()}


METRICS = {
    "regret": "what the clairvoyant returns more in the end",
    "over_equal": "value less that of equal split, the same worlds",
    "over_static": "value less that of the static plan, the same worlds: what re-planning is worth",
    "over_richer": "value less that of a static plan with planning.more of the budget besides",
    "deviation": "standard deviation of the return over the worlds of a portfolio",
    "cvar": "mean return of the worst tenth of the worlds of a portfolio",
    "dropped": "projects that get nothing in the last quarter of the periods, though they had something",
    "sunk": "share of what is spent that went to dropped projects",
    "first_drop": "periods until a project has had its last effort, where some is dropped",
}


def plan_metrics(periods: int) -> dict[str, str]:
    """What is measured of plans of so many periods."""
    return METRICS | {
        f"regret_{period}": f"what the clairvoyant has returned more after period {period}"
        for period in range(1, periods + 1)
    }


def measure_plans(
    plans: Plans, solution: Planned, metrics: Mapping[str, Float[Array, ""]]
) -> dict[str, Float[Array, ""]]:
    """The metrics of one plan, of which the ordinary ones are given."""
    final, regret = solution.returns[:, -1], jnp.mean(plans.clairvoyant - solution.returns, axis=0)
    nothing = jnp.asarray(jnp.nan, final.dtype)

    def over(other: Float[Array, "worlds periods"]) -> Scalar:
        return jnp.mean(final - other[:, -1])

    return {
        **metrics,
        "gap": nothing,
        "optimal": nothing,
        "frontier": jnp.mean((solution.frontiers > 0).astype(final.dtype)),
        "frontier_projects": jnp.mean(solution.frontiers),
        "regret": regret[-1],
        "over_equal": over(plans.equal),
        "over_static": over(plans.static),
        "over_richer": over(plans.richer),
        "deviation": deviation(final),
        "cvar": cvar(final, TAIL),
        **jax.tree.map(jnp.nanmean, jax.vmap(drops)(solution.lots)),
        **{f"regret_{period + 1}": number for period, number in enumerate(regret)},
    }


def drops(lots: Int[Array, "periods projects"]) -> dict[str, Scalar]:
    """What was dropped of one world's plan."""
    periods = lots.shape[0]
    given, dtype = jnp.sum(lots, axis=0), jnp.zeros(()).dtype
    number = jnp.arange(1, periods + 1, dtype=jnp.int32)
    last = jnp.max(jnp.where(lots > 0, number[:, None], 0), axis=0)
    dropped = (given > 0) & (last <= int(EARLY * periods))
    total = jnp.maximum(jnp.sum(given), 1).astype(dtype)
    first = jnp.min(jnp.where(dropped, last, periods)).astype(dtype)
    return {
        "dropped": jnp.sum(dropped).astype(dtype),
        "sunk": jnp.sum(jnp.where(dropped, given, 0)).astype(dtype) / total,
        "first_drop": jnp.where(jnp.any(dropped), first, jnp.nan),
    }
