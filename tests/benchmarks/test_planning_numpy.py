"""The plain NumPy of plans: what it does is what the engine does, wherever random numbers are the same."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import engine
from benchmarks import planning_numpy as plain
from engine.model.portfolio import Portfolio
from engine.planning import noise
from engine.planning.beliefs import Belief, believe
from engine.planning.looks import update
from engine.planning.play import build_world, play
from engine.planning.policies import POLICIES
from engine.planning.situation import Situation
from engine.planning.world import State, Terms, World

PROJECTS, PARTICLES, BUDGET = 4, 32, 60.0
# Nothing is random but the curves; looks have no noise, and are believed to have so much that none decides.
CALM = Terms(periods=5, lots=3, stall=0.0, resume=1.0, progress=0.0, noise=3.0)
WILD = Terms(periods=5, lots=3, stall=0.2, resume=0.5, progress=0.2, noise=0.05)


def hills(seed: int, draws: int) -> Portfolio:
    """Hill curves with start-up costs, some of which fail."""
    random = np.random.default_rng(seed)
    middle = random.uniform(1.0, 2.0, (3, PROJECTS))[:, None] * np.exp(
        0.4 * random.normal(size=(3, draws, PROJECTS))
    )
    curves = engine.Hill(*(jnp.asarray(a) for a in (middle[0], 8.0 * middle[1], 0.5 + middle[2])))
    startup = jnp.asarray(random.uniform(1.0, 4.0, (draws, PROJECTS)))
    return Portfolio(
        curves, startup=startup, success=jnp.asarray(random.random((draws, PROJECTS)) < 0.7, float)
    )


def plain_curves(portfolio: Portfolio, axis: int) -> list[plain.Curve]:
    """The curves of each project, which is this axis."""
    curves = portfolio.curves
    numbers = (curves.scale, curves.half, curves.exponent, portfolio.startup, portfolio.success)
    return [plain.Curve(*(np.take(a, i, axis) for a in map(np.asarray, numbers))) for i in range(PROJECTS)]


def case(seed: int, terms: Terms) -> tuple[World, Portfolio, plain.World, list[plain.Curve]]:
    whole = hills(seed, PARTICLES + 1)
    truth, draws = jax.tree.map(lambda a: a[-1], whole), jax.tree.map(lambda a: a[:-1], whole)
    world = build_world(truth, draws, jnp.ones(PROJECTS), jnp.asarray(BUDGET), terms)._replace(noise=0.0)
    numbers = np.asarray(world.per_lot), np.asarray(world.scale)
    return world, draws, plain.World(plain_curves(truth, 0), *numbers, 0.0), plain_curves(draws, 1)


@pytest.mark.parametrize("name", [n for n in plain.POLICIES if n not in ("thompson", "knowledge_gradient")])
def test_it_plays_the_same_where_nothing_is_random(name: str) -> None:
    playing = jax.jit(lambda world, draws, key: play(POLICIES[name], CALM, world, draws, key))
    for seed in range(3):
        world, draws, *same = case(seed, CALM)
        played = playing(world, draws, jax.random.key(seed))
        lots, returns = plain.play(name, CALM, *same, np.random.default_rng(seed))
        np.testing.assert_array_equal(lots, played.lots)
        np.testing.assert_allclose(returns, played.returns, rtol=1e-9)


def middle_of(seed: int, terms: Terms) -> tuple[Belief, list[plain.Belief], World]:
    """A belief in the middle of a plan, by both."""
    world, draws, _, curves = case(seed, terms)
    random = np.random.default_rng(seed)
    progress, running = (
        random.uniform(0.0, 20.0, (PROJECTS, PARTICLES)),
        random.random((PROJECTS, PARTICLES)) < 0.6,
    )
    weight = random.dirichlet(np.ones(PARTICLES), PROJECTS)
    belief = believe(terms, draws, jax.random.key(0))
    state = State(jnp.asarray(progress), jnp.asarray(running))
    numbers = zip(curves, progress, running, weight, strict=True)
    return (
        belief._replace(state=state, log_weight=jnp.log(jnp.asarray(weight))),
        [plain.Belief(*each) for each in numbers],
        world,
    )


def uniform_of(name: str, key: jax.Array) -> Any:
    """The random numbers that the engine's policy takes, in the order in which the plain one asks."""
    if name == "thompson":
        numbers = [jax.random.uniform(key, (PROJECTS, 1), float)[:, 0]]
    else:
        for_running, for_outlook = jax.random.split(key)
        words = noise.words(for_running, (PROJECTS, PARTICLES))
        numbers = [noise.uniform(words[0], jnp.float64), jax.random.uniform(for_outlook, (), float)]
    return lambda shape: np.asarray(numbers.pop(0))


@pytest.mark.parametrize("name", ["thompson", "knowledge_gradient"])
def test_it_chooses_the_same_by_the_same_random_numbers(name: str) -> None:
    choose = jax.jit(lambda place, key: POLICIES[name].choose(place, None, key)[0])
    for seed in range(8):
        belief, plain_beliefs, world = middle_of(seed, WILD)
        key = jax.random.key(seed)
        place = Situation(WILD, belief, world.per_lot, world.scale, *map(jnp.int32, (2, 3, 9)))
        numbers = np.asarray(world.per_lot), np.asarray(world.scale)
        same = plain.Situation(WILD, plain_beliefs, *numbers, 2, 3, 9)
        lots, _ = plain.POLICIES[name](same, None, uniform_of(name, key))
        np.testing.assert_array_equal(lots, choose(place, key))


def numbers_of(key: jax.Array) -> list[plain.Numbers]:
    """The random numbers that an update takes, of each project."""
    for_particles, for_choice, for_moves = jax.random.split(key, 3)
    stall, progress, *first = noise.words(for_particles, (PROJECTS, PARTICLES))
    normal, *second, _ = noise.words(for_moves, (PROJECTS, PARTICLES))
    starts = np.asarray(jax.random.uniform(for_choice, (2, PROJECTS), float))
    pairs = np.array([[noise.index(word, PARTICLES) for word in pair] for pair in (first, second)])
    normals = [np.asarray(noise.normal(word, jnp.float64)) for word in (progress, normal)]
    stalls = np.asarray(noise.uniform(stall, jnp.float64))
    return [
        plain.Numbers(stalls[i], normals[0][i], starts[:, i], pairs[:, :, i], normals[1][i])
        for i in range(PROJECTS)
    ]


@pytest.mark.parametrize("sharp", [0.05, 0.002])
def test_it_believes_the_same_by_the_same_random_numbers(sharp: float) -> None:
    resampled, terms = 0, dataclasses.replace(WILD, noise=sharp)
    for seed in range(8):
        belief, plain_beliefs, world = middle_of(seed, terms)
        effort, key = np.array([3.0, 5.0, 0.0, 4.0]), jax.random.key(seed)
        seen = np.asarray(belief.returns())[:, 3]
        given = jnp.asarray(effort), jnp.asarray(seen), world.scale
        after = jax.jit(update)(terms, belief, *given, key)
        for i, (each, numbers) in enumerate(zip(plain_beliefs, numbers_of(key), strict=True)):
            same = plain.update(terms, each, effort[i], seen[i], float(world.scale[i]), numbers)
            resampled += not np.isin(same.curve.half, each.curve.half).all()
            np.testing.assert_allclose(same.weight, after.weight[i], rtol=1e-6, atol=1e-9)
            np.testing.assert_allclose(same.progress, after.state.progress[i], rtol=1e-8)
            np.testing.assert_allclose(same.curve.scale, after.draws.curves.scale[i], rtol=1e-8)
            np.testing.assert_array_equal(same.running, after.state.running[i])
    assert resampled > 8
