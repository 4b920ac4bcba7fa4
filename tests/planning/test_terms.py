"""Terms of plans: discounts, deadlines, and what a period leaves."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from engine.planning.beliefs import believe
from engine.planning.play import Played, play
from engine.planning.policies import POLICIES
from engine.planning.policies.base import Policy
from engine.planning.situation import Situation
from engine.planning.world import Terms
from tests.planning.worlds import BUDGET, CALM, PROJECTS, saturating, world_of

ROUGH = dataclasses.replace(CALM, stall=0.2, resume=0.5, progress=0.2, noise=0.05)


def one(policy: Policy, terms: Terms, spread: float = 0.5, **world: Any) -> Played:
    key = jax.random.key(4)
    made, draws = world_of(saturating(key, 33, spread), terms)
    return play(policy, terms, made._replace(**world), draws, key)


class Late(Policy):
    """Nothing in the first period, then all that may be spent on the first project."""

    name = "late"

    def choose(self, situation: Situation, memory: Any, key: jax.Array) -> tuple[jax.Array, Any]:
        now = jnp.where(situation.period > 0, situation.now, 0)
        return jnp.zeros(situation.per_lot.shape, jnp.int32).at[0].set(now), memory


def test_returns_of_later_periods_count_less() -> None:
    plain = one(POLICIES["equal_split"], ROUGH)
    less = one(POLICIES["equal_split"], dataclasses.replace(ROUGH, discount=0.9))
    gains = np.diff(np.asarray(plain.returns), axis=0, prepend=0.0)
    factors = 0.9 ** np.arange(ROUGH.periods)[:, None]
    np.testing.assert_allclose(less.returns, np.cumsum(factors * gains, axis=0), rtol=1e-12)
    same = one(POLICIES["rolling"], dataclasses.replace(ROUGH, discount=1.0))
    np.testing.assert_allclose(same.returns, one(POLICIES["rolling"], ROUGH).returns, rtol=1e-9)


@pytest.mark.parametrize("period", [0, 2])
def test_discounted_gains_are_those_of_lots_in_equal_parts(period: int) -> None:
    terms = dataclasses.replace(CALM, discount=0.8)
    world, draws = world_of(saturating(jax.random.key(1), 17, 0.5), terms)
    place = jnp.int32(period), jnp.int32(terms.lots), jnp.int32((terms.periods - period) * terms.lots)
    belief = believe(terms, draws, jax.random.key(0))
    table = np.asarray(Situation(terms, belief, world.per_lot, world.scale, *place).to_the_end())
    ahead, lot = terms.periods - period, BUDGET / terms.all_lots
    scale, rate = np.asarray(draws.curves.scale), np.asarray(draws.curves.rate)
    for number in (1, 5, ahead * terms.lots):
        parts = np.arange(ahead + 1)[:, None, None] / ahead * number * lot
        reached = -scale * np.expm1(-rate * parts)
        expected = (0.8 ** np.arange(ahead)[:, None, None] * np.diff(reached, axis=0)).sum(0).mean(0)
        np.testing.assert_allclose(table[:, number], expected, rtol=1e-9)


def test_effort_after_a_deadline_is_lost() -> None:
    deadline = jnp.array([1.0, 2.0, 4.0, 4.0])
    split = one(POLICIES["equal_split"], CALM, deadline=deadline)
    made = np.diff(np.asarray(split.progress), axis=0, prepend=0.0)
    lots = np.asarray(split.lots)
    open_still = np.arange(CALM.periods)[:, None] < np.asarray(deadline)
    np.testing.assert_allclose(made, np.where(open_still, lots * BUDGET / CALM.all_lots, 0.0), atol=1e-12)
    assert np.any((lots > 0) & ~open_still)


@pytest.mark.parametrize("name", ["static", "myopic", "rolling", "thompson", "index_kill", "clairvoyant"])
def test_who_plans_spends_nothing_after_a_deadline(name: str) -> None:
    deadline = jnp.array([1.0, 2.0, 4.0, 4.0])
    played = one(POLICIES[name], ROUGH, deadline=deadline)
    late = np.arange(ROUGH.periods)[:, None] >= np.asarray(deadline)
    if name != "static":  # its parts of a period are fixed beforehand
        assert np.all(np.asarray(played.lots)[late] == 0)
    assert np.all(np.asarray(played.lots).sum(1) <= ROUGH.lots)


def test_what_ends_soon_goes_first() -> None:
    deadline = jnp.array([2.0, 4.0, 4.0, 4.0])
    soon = np.asarray(one(POLICIES["rolling"], CALM, 0.0, deadline=deadline).lots)
    never = np.asarray(one(POLICIES["rolling"], CALM, 0.0).lots)
    assert soon[:2, 0].sum() >= never[:2, 0].sum()
    assert soon[2:, 0].sum() == 0


def test_what_a_period_leaves_lapses_or_is_kept() -> None:
    lapsed = np.asarray(one(Late(), CALM).lots).sum(1)
    assert lapsed.tolist() == [0, 3, 3, 3]
    kept = np.asarray(one(Late(), dataclasses.replace(CALM, most=6)).lots).sum(1)
    assert kept.tolist() == [0, 4, 4, 4]
    little = np.asarray(one(Late(), dataclasses.replace(CALM, most=3)).lots).sum(1)
    assert little.tolist() == [0, 3, 3, 3]


@pytest.mark.parametrize("name", ["myopic", "rolling", "knowledge_gradient_lots", "clairvoyant"])
def test_a_larger_most_changes_nothing_where_all_is_spent(name: str) -> None:
    wide = one(POLICIES[name], dataclasses.replace(CALM, most=6), 0.0)
    np.testing.assert_array_equal(wide.lots, one(POLICIES[name], CALM, 0.0).lots)
    assert np.asarray(wide.lots).sum() == CALM.all_lots
    assert wide.lots.shape == (CALM.periods, PROJECTS)
