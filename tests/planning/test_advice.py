"""Advice: that of the policies, from a log alone; its turning points turn it, and its intervals hold."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import engine
from engine.planning import advice
from engine.planning.advice import Advised, Log, advise
from engine.planning.play import build_world, play
from engine.planning.policies import POLICIES
from engine.planning.situation import best_plan
from engine.planning.world import State, Terms, World, advance, begin
from tests.planning.worlds import BUDGET, CALM, PROJECTS, saturating, world_of

TERMS = Terms(periods=4, lots=4, stall=0.1, resume=0.5, progress=0.2, noise=0.05)
COST = jnp.array([1.0, 2.0, 0.5, 1.0])
compiled = jax.jit(advise, static_argnums=0)


def unseen(terms: Terms) -> Log:
    """Nothing spent and nothing seen."""
    nothing = jnp.zeros((terms.periods, PROJECTS))
    return Log(nothing, nothing, jnp.full_like(nothing, jnp.inf))


def written(log: Log, period: int, effort: Any, seen: Any) -> Log:
    """A log with a further period; NaN is not seen."""
    error = jnp.where(jnp.isnan(jnp.asarray(seen)), jnp.inf, jnp.nan)
    rows = jnp.asarray(effort), jnp.nan_to_num(jnp.asarray(seen)), error
    return Log(*(array.at[period].set(row) for array, row in zip(log, rows, strict=True)))


def advised(draws: Any, terms: Terms, log: Log, done: int, name: str = "rolling", **more: Any) -> Advised:
    start, cost = more.get("start", jnp.zeros(PROJECTS)), more.get("cost", jnp.ones(PROJECTS))
    place = jnp.asarray(BUDGET), start, log, jnp.int32(done), jax.random.key(more.get("seed", 0))
    return compiled(POLICIES[name], terms, draws, cost, *place)


def a_log(draws: Any, terms: Terms, periods: int, seed: int = 0) -> Log:
    """What comes of following the advice for some periods, the first draw being true."""
    truth = jax.tree.map(lambda a: a[0], draws)
    log, effort = unseen(terms), np.zeros(PROJECTS)
    for period in range(periods):
        now = np.asarray(advised(draws, terms, log, period, seed=seed).effort)
        effort = effort + now
        log = written(log, period, now, np.where(now > 0, truth.returns(jnp.asarray(effort)), np.nan))
    return log


@pytest.mark.parametrize("name", [name for name in POLICIES if name != "clairvoyant"])
def test_the_first_advice_is_what_the_policy_does_first(name: str) -> None:
    world, draws = world_of(saturating(jax.random.key(2), 65, 0.5), TERMS)
    done = jax.jit(lambda key: play(POLICIES[name], TERMS, world, draws, key).lots)(jax.random.key(7))

    def lots(key: jax.Array) -> jax.Array:
        place = jnp.asarray(BUDGET), jnp.zeros(PROJECTS), unseen(TERMS), jnp.int32(0), key
        return advise(POLICIES[name], TERMS, draws, jnp.ones(PROJECTS), *place).lots

    np.testing.assert_array_equal(jax.jit(lots)(jax.random.key(7)), done[0])


def test_scales_are_those_of_the_world() -> None:
    _, draws = world_of(saturating(jax.random.key(2), 65, 0.5), TERMS)
    world = build_world(draws, draws, COST, jnp.asarray(BUDGET), TERMS)
    start = jnp.zeros(PROJECTS)
    case = advice.build_case(TERMS, draws, COST, jnp.asarray(BUDGET), start, jax.random.key(0))
    np.testing.assert_allclose(case.scale, world.scale, rtol=1e-12)


def test_of_a_known_curve_the_periods_add_up_to_the_optimum() -> None:
    draws = saturating(jax.random.key(3), 1, 0.0)
    log = a_log(draws, CALM, CALM.periods)
    truth = jax.tree.map(lambda a: a[0], draws)
    levels = np.arange(CALM.all_lots + 1) * BUDGET / CALM.all_lots
    tables = np.asarray(truth.curves.scale)[:, None] * -np.expm1(
        -np.asarray(truth.curves.rate)[:, None] * levels
    )
    best = engine.allocate(engine.Portfolio(engine.Tabulated(tables)), float(CALM.all_lots), "exact")
    assert best.proved
    total = np.asarray(log.effort).sum(0)
    assert total.sum() == pytest.approx(BUDGET)
    assert float(truth.returns(jnp.asarray(total)).sum()) == pytest.approx(float(best.value), rel=1e-9)
    last = advised(draws, CALM, log, CALM.periods)
    assert last.left == 0
    assert np.all(np.asarray(last.lots) == 0)
    np.testing.assert_allclose(last.returned[0], truth.returns(jnp.asarray(total)), rtol=1e-9)
    np.testing.assert_allclose(last.end, last.returned, rtol=1e-9)


def test_a_longer_log_goes_on_from_the_same_belief() -> None:
    draws = saturating(jax.random.key(4), 256, 0.5)
    log = a_log(draws, TERMS, 3)
    other = written(log, 2, [60.0, 0.0, 0.0, 0.0], [0.1, np.nan, np.nan, np.nan])
    for done in (1, 2):
        one, two = (advised(draws, TERMS, each, done) for each in (log, other))
        jax.tree.map(np.testing.assert_array_equal, one, two)
    changed = [np.asarray(advised(draws, TERMS, each, 3).returned) for each in (log, other)]
    assert not np.allclose(*changed)


def test_what_is_not_seen_weighs_nothing_and_errors_count() -> None:
    draws = saturating(jax.random.key(5), 512, 0.8)
    terms = dataclasses.replace(TERMS, stall=0.0, resume=1.0, progress=0.0)
    effort, seen = [10.0, 0.0, 0.0, 0.0], [3.0, np.nan, np.nan, np.nan]
    blind = advised(draws, terms, written(unseen(terms), 0, effort, [np.nan] * PROJECTS), 1)
    returns = np.asarray(draws.returns(jnp.broadcast_to(jnp.array(effort), draws.shape)))
    np.testing.assert_allclose(blind.returned[0], returns.mean(0), rtol=1e-9)
    log = written(unseen(terms), 0, effort, seen)
    near, sharp = (
        advised(draws, terms, log._replace(error=log.error.at[0, 0].set(error)), 1) for error in (0.5, 0.01)
    )
    spread = [float(found.returned[2, 0] - found.returned[1, 0]) for found in (blind, near, sharp)]
    assert spread[0] > spread[1] > spread[2]
    assert float(sharp.returned[0, 0]) == pytest.approx(3.0, abs=0.03)


def test_what_is_left_is_spread_over_the_periods_left() -> None:
    draws = saturating(jax.random.key(6), 64, 0.5)
    log = written(unseen(TERMS), 0, [1.37, 2.0, 0.0, 5.5], [np.nan] * PROJECTS)
    found = advised(draws, TERMS, log, 1, cost=COST)
    left = BUDGET - (1.37 + 4.0 + 5.5)
    assert found.lot == pytest.approx(left / 12)
    assert float(jnp.sum(COST * found.effort)) == pytest.approx(left / 3)
    assert float(jnp.sum(COST * found.plan)) == pytest.approx(left)


def test_who_has_spent_all_gets_nothing() -> None:
    draws = saturating(jax.random.key(6), 64, 0.5)
    log = written(unseen(TERMS), 0, [50.0, 20.0, 0.0, 0.0], [np.nan] * PROJECTS)
    found = advised(draws, TERMS, log, 1)
    assert not np.any(np.asarray(found.effort))
    assert not np.any(np.asarray(found.plan))
    assert float(found.price) > 0
    assert np.all(np.isnan(np.asarray(found.outlook)))


def test_a_start_is_progress_that_is_paid_for() -> None:
    draws = saturating(jax.random.key(6), 64, 0.5)
    start = jnp.array([20.0, 0.0, 5.0, 0.0])
    found = advised(draws, TERMS, unseen(TERMS), 0, start=start)
    reached = draws.returns(jnp.broadcast_to(start, draws.shape))
    np.testing.assert_allclose(found.returned[0], jnp.mean(reached, axis=0), rtol=1e-12)
    assert float(jnp.sum(found.plan)) == pytest.approx(BUDGET)


def test_index_price_and_chances() -> None:
    """Of known curves that are linear to a thousandth: the steepest is all there is, its slope the price."""
    slopes = jnp.array([[1.0, 3.0, 2.0, 0.5]])
    terms = dataclasses.replace(CALM, noise=0.01)
    draws = engine.Portfolio(engine.Exponential(slopes * 1e6, jnp.full((1, PROJECTS), 1e-6)))
    found = advised(draws, terms, unseen(terms), 0, cost=COST)
    np.testing.assert_allclose(found.per_unit, slopes[0] / COST, rtol=1e-4)
    assert float(found.price) == pytest.approx(4.0, rel=1e-3)
    np.testing.assert_array_equal(found.best, [0.0, 0.0, 1.0, 0.0])
    np.testing.assert_array_equal(found.funded, [0.0, 0.0, 1.0, 0.0])


def test_chances_are_those_of_draws_planned_for_one_by_one() -> None:
    terms = dataclasses.replace(CALM, noise=0.05)
    draws = saturating(jax.random.key(9), 400, 0.8)
    found = advised(draws, terms, unseen(terms), 0)
    levels = jnp.arange(terms.all_lots + 1.0) * BUDGET / terms.all_lots
    rows = np.random.default_rng(1).integers(0, 400, (2000, PROJECTS))
    mixed = jax.tree.map(lambda a: a[rows, np.arange(PROJECTS)], draws)
    tables = jax.vmap(lambda x: mixed.returns(jnp.full(mixed.shape, x)))(levels).transpose(1, 2, 0)
    plans = np.asarray(jax.vmap(lambda table: best_plan(table, jnp.int32(terms.all_lots)))(tables))
    most = (plans == plans.max(1, keepdims=True)).astype(float)
    best, funded = (most / most.sum(1, keepdims=True)).mean(0), (plans > 0).mean(0)
    # Both are shares of draws, of 500 and of 2,000: four standard errors.
    np.testing.assert_allclose(found.best, best, atol=4 * 0.5 * (1 / 500 + 1 / 2000) ** 0.5)
    np.testing.assert_allclose(found.funded, funded, atol=4 * 0.5 * (1 / 500 + 1 / 2000) ** 0.5)
    assert float(jnp.sum(found.best)) == pytest.approx(1.0)


def test_a_turning_point_turns_the_plan_when_it_is_fed_back() -> None:
    turned = 0
    for seed in range(6):
        draws = saturating(jax.random.key(100 + seed), 256, 1.0)
        terms = dataclasses.replace(TERMS, periods=4, lots=3)
        log = a_log(draws, terms, 2, seed)
        found = advised(draws, terms, log, 2, seed=seed)
        for project in range(PROJECTS):
            goes_on = float(found.outlook_plan[1, project]) > 0
            for side, edge in ((-1, found.below[project]), (1, found.above[project])):
                if np.isnan(edge):
                    continue
                turned += 1
                for beyond in (True, False):
                    seen = np.full(PROJECTS, np.nan)
                    seen[project] = edge + side * (1e-5 if beyond else -1e-5)
                    after = advised(draws, terms, written(log, 2, found.effort, seen), 3, seed=seed)
                    assert (float(after.plan[project]) > 0) == (goes_on != beyond), (seed, project, side)
    assert turned >= 3


def test_what_is_foretold_is_what_the_next_advice_says() -> None:
    draws = saturating(jax.random.key(21), 256, 0.8)
    log = a_log(draws, TERMS, 1)
    found = advised(draws, TERMS, log, 1)
    for project in np.flatnonzero(np.asarray(found.lots)):
        for row in range(3):
            seen = np.full(PROJECTS, np.nan)
            seen[project] = found.outlook[row, project]
            after = advised(draws, TERMS, written(log, 1, found.effort, seen), 2)
            assert float(after.plan[project]) == pytest.approx(float(found.outlook_plan[row, project]))
    idle = np.asarray(found.lots) == 0
    assert np.all(np.isnan(np.asarray(found.outlook)[:, idle]))


def test_the_stated_intervals_hold_the_truth() -> None:
    """After a period of which all was seen: what is reached, and what an even plan will have reached."""
    worlds, terms = 300, TERMS
    effort = jnp.full(PROJECTS, BUDGET / PROJECTS / terms.periods)

    def one(seed: jax.Array) -> tuple[jax.Array, ...]:
        key = jax.random.fold_in(jax.random.key(5), seed)
        world, draws = world_of(saturating(key, 1025, 0.5), terms)
        state = begin(terms, world.scale, jax.random.fold_in(key, 1))
        state = advance(terms, state, effort, jax.random.fold_in(key, 2))
        noise = jax.random.normal(jax.random.fold_in(key, 3), (PROJECTS,))
        seen = world.truth.returns(state.progress) + terms.noise * world.scale * noise
        log = written(unseen(terms), 0, effort, seen)
        place = jnp.zeros(PROJECTS), log, jnp.int32(1), jax.random.fold_in(key, 4)
        policy = POLICIES["rolling"]
        found = advise(policy, terms, draws, jnp.ones(PROJECTS), jnp.asarray(BUDGET), *place)
        return *ahead(terms, world, state, found.plan, key), found.returned, found.end, state.progress

    now, end, returned, at_end, progress = (np.asarray(a) for a in jax.jit(jax.vmap(one))(jnp.arange(worlds)))
    for truth, stated in ((now, returned), (end, at_end)):
        inside = (stated[:, 1] <= truth) & (truth <= stated[:, 2])
        inside = inside[progress > 0]  # who has stalled from the start is known to be at 0
        error = 0.4 / inside.size**0.5
        assert abs(inside.mean() - 0.8) < 3.0 * error + 0.01, inside.mean()


def ahead(
    terms: Terms, world: World, state: State, plan: jax.Array, key: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """(what is true now, what it comes to by an even plan)."""
    now = world.truth.returns(state.progress)
    for period in range(1, terms.periods):
        state = advance(terms, state, plan / (terms.periods - 1), jax.random.fold_in(key, 10 + period))
    return now, world.truth.returns(state.progress)
