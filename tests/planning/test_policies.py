"""Policies: what they must do in worlds whose answer is known."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import engine
from engine.planning.beliefs import believe
from engine.planning.play import play
from engine.planning.policies import POLICIES, Policy
from engine.planning.situation import Situation, apportioned, best_plan
from engine.planning.world import Terms
from tests.planning.worlds import BUDGET, CALM, PROJECTS, saturating, world_of

REPLANNING = ("myopic", "rolling", "thompson", "knowledge_gradient_lots", "index_kill", "clairvoyant")


def played(name: str, terms: Terms, spread: float, worlds: int = 8, particles: int = 32) -> Any:
    """A policy in a few worlds: (lots [worlds, periods, projects], returns of the same shape, optima)."""

    def one(seed: jax.Array) -> Any:
        key = jax.random.fold_in(jax.random.key(3), seed)
        world, draws = world_of(saturating(key, particles + 1, spread), terms)
        done = play(POLICIES[name], terms, world, draws, key)
        return done.lots, done.returns, world.truth

    return jax.tree.map(np.asarray, jax.jit(jax.vmap(one))(jnp.arange(worlds)))


@pytest.mark.parametrize("name", [*REPLANNING, "static"])
def test_without_noise_and_stalls_all_find_the_static_optimum(name: str) -> None:
    lots, returns, truth = played(name, CALM, 0.0)
    per_lot = BUDGET / CALM.all_lots
    levels = np.arange(CALM.all_lots + 1) * per_lot
    tables = np.asarray(truth.curves.scale)[..., None] * -np.expm1(
        -np.asarray(truth.curves.rate)[..., None] * levels
    )
    best = engine.allocate(engine.Portfolio(engine.Tabulated(tables)), float(CALM.all_lots), "exact")
    assert np.all(best.proved)
    np.testing.assert_allclose(returns[:, -1].sum(-1), best.value, rtol=1e-9)
    assert np.all(lots.sum((1, 2)) == CALM.all_lots)


@pytest.mark.parametrize("name", POLICIES)
def test_no_period_spends_more_than_its_lots(name: str) -> None:
    terms = dataclasses.replace(CALM, stall=0.3, resume=0.5, progress=0.3)
    lots, _, _ = played(name, terms, 0.5)
    assert np.all(lots >= 0)
    assert np.all(lots.sum(-1) <= terms.lots)


class Late(Policy):
    """Nothing before the last period, then all that it is told is left."""

    name: ClassVar[str] = "late"

    def choose(self, situation: Situation, memory: Any, key: jax.Array) -> tuple[jax.Array, Any]:
        last = situation.period == situation.terms.periods - 1
        return jnp.zeros(PROJECTS, jnp.int32).at[0].set(jnp.where(last, situation.left, 0)), memory


def test_what_is_left_is_no_more_than_the_periods_left_can_spend() -> None:
    key = jax.random.key(2)
    world, draws = world_of(saturating(key, 9, 0.5), CALM)
    lots = jax.jit(lambda: play(Late(), CALM, world, draws, key).lots)()
    assert lots.sum() == CALM.lots


def test_a_plan_made_late_is_the_best_of_what_can_be_spent() -> None:
    """The table of gains to the end has every level that can still be spent."""
    key = jax.random.key(6)
    world, draws = world_of(saturating(key, 9, 0.5), CALM)
    belief = believe(CALM, draws, key)
    for period in range(CALM.periods):
        left = (CALM.periods - period) * CALM.lots
        place = jnp.int32(period), jnp.int32(CALM.lots), jnp.int32(left)
        table = Situation(CALM, belief, world.per_lot, world.scale, *place).to_the_end()
        effort = [jnp.broadcast_to(lots * world.per_lot, draws.shape) for lots in range(left + 1)]
        expected = np.stack([np.asarray(draws.returns(each)).mean(0) for each in effort], axis=1)
        np.testing.assert_allclose(table[:, : left + 1], expected, rtol=1e-12, atol=1e-12)


def test_equal_split_takes_turns() -> None:
    lots, _, _ = played("equal_split", CALM, 0.5)
    assert np.all(lots.sum(1) == CALM.all_lots // PROJECTS)


def test_who_knows_more_gains_more() -> None:
    terms = Terms(periods=6, lots=2, stall=0.2, resume=0.5, progress=0.2, noise=0.02)
    names = ("static", "rolling", "clairvoyant")
    value = {name: played(name, terms, 0.8, 200, 256)[1][:, -1].sum(-1) for name in names}
    for less, more in (("static", "rolling"), ("rolling", "clairvoyant")):
        gain = value[more] - value[less]
        assert gain.mean() > 3.0 * gain.std() / gain.size**0.5, (less, more)


def test_what_is_killed_stays_dead() -> None:
    terms = Terms(periods=6, lots=2, stall=0.0, resume=1.0, progress=0.0, noise=0.01)
    policy = POLICIES["index_kill"]
    key = jax.random.key(8)
    world, draws = world_of(saturating(key, 33, 0.8), terms)
    alive = jnp.array([True, False, True, True])
    place = (jnp.int32(2), jnp.int32(2), jnp.int32(8))
    situation = Situation(terms, believe(terms, draws, key), world.per_lot, world.scale, *place)
    lots, after = policy.choose(situation, alive, key)
    assert lots[1] == 0
    assert not after[1]


def test_lots_are_apportioned_by_the_largest_quotients() -> None:
    claims, most = jnp.array([5.0, 3.0, 1.0, 0.0]), jnp.array([9, 1, 9, 9], jnp.int32)
    # Quotients 5, 3, 2.5, 5/3, 1.25, 1 and 1: the second may take one only, the first of equals goes first.
    for lots, given in ((1, [1, 0, 0, 0]), (3, [2, 1, 0, 0]), (6, [5, 1, 0, 0]), (20, [9, 1, 9, 0])):
        assert apportioned(claims, most, jnp.int32(lots), 24).tolist() == given


def test_equals_up_to_rounding_are_taken_in_order() -> None:
    claims = jnp.array([0.8 * (1.0 - 2e-16), 0.8, 1.6 * (1.0 + 3e-16)])
    most = jnp.full(3, 9, jnp.int32)
    assert apportioned(claims, most, jnp.int32(1), 4).tolist() == [0, 0, 1]
    assert apportioned(claims, most, jnp.int32(2), 4).tolist() == [1, 0, 1]
    assert apportioned(claims, most, jnp.int32(3), 4).tolist() == [1, 1, 1]


def test_the_best_plan_is_that_of_all_plans() -> None:
    random = np.random.default_rng(4)
    table = np.concatenate([np.zeros((3, 1)), random.normal(size=(3, 5)).cumsum(1)], axis=1)
    for lots in range(6):
        plan = np.asarray(best_plan(jnp.asarray(table), jnp.int32(lots)))
        every = np.stack(np.meshgrid(*[np.arange(6)] * 3, indexing="ij"), -1).reshape(-1, 3)
        every = every[every.sum(1) <= lots]
        values = table[np.arange(3), every].sum(1)
        assert plan.sum() <= lots
        assert table[np.arange(3), plan].sum() == pytest.approx(values.max())
