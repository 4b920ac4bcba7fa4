"""Beliefs: calibrated, and those of Bayes' rule."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import engine
from engine.planning.beliefs import Belief, believe, effective, quantile
from engine.planning.looks import systematic, update
from engine.planning.play import play
from engine.planning.policies import POLICIES
from engine.planning.world import State, Terms
from tests.planning.worlds import saturating, world_of

TERMS = Terms(periods=4, lots=4, stall=0.1, resume=0.5, progress=0.2, noise=0.05)


def test_the_stated_intervals_hold_the_truth() -> None:
    worlds = 250

    def one(seed: jax.Array) -> tuple[jax.Array, ...]:
        key = jax.random.fold_in(jax.random.key(5), seed)
        world, draws = world_of(saturating(key, 1025, 0.5), TERMS)

        def ends(belief: Belief) -> tuple[jax.Array, ...]:
            most = jnp.full_like(belief.log_weight, 60.0)
            ahead = belief.draws.returns(most)  # what all of the budget would bring
            now = belief.returns()
            return tuple(quantile(belief, values, share) for values in (now, ahead) for share in (0.1, 0.9))

        played = play(POLICIES["equal_split"], TERMS, world, draws, key, ends)
        truth = world.truth.returns(jnp.full_like(world.scale, 60.0))
        return played.returns, jnp.broadcast_to(truth[None], played.returns.shape), *played.watched

    now, ahead, *ends = (np.asarray(a) for a in jax.jit(jax.vmap(one))(jnp.arange(worlds)))
    for truth, low, high in ((now, *ends[:2]), (ahead, *ends[2:])):
        for period in (0, 1, 3):
            inside = (low[:, period] <= truth[:, period]) & (truth[:, period] <= high[:, period])
            inside = inside[now[:, period] > 0]  # who has stalled from the start is known to be at 0
            error = 0.4 / inside.size**0.5
            assert abs(inside.mean() - 0.8) < 3.0 * error + 0.01, (period, inside.mean())


def test_weights_follow_bayes_rule() -> None:
    scale = np.array([[1.0], [2.0], [4.0]])
    draws = engine.Portfolio(engine.Exponential(jnp.asarray(scale), jnp.full((3, 1), 0.1)))
    terms = Terms(periods=2, lots=1, stall=0.0, resume=1.0, progress=0.0, noise=0.5)
    belief = believe(terms, draws, jax.random.key(0))
    seen, spread = 1.5, 0.5 * 2.0
    after = update(terms, belief, jnp.array([10.0]), jnp.array([seen]), jnp.array([2.0]), jax.random.key(1))
    expected = np.exp(-0.5 * ((seen - scale[:, 0] * -np.expm1(-1.0)) / spread) ** 2)
    np.testing.assert_allclose(after.weight[0], expected / expected.sum(), rtol=1e-12)
    unseen = update(terms, belief, jnp.array([0.0]), jnp.array([seen]), jnp.array([2.0]), jax.random.key(1))
    np.testing.assert_allclose(unseen.weight, 1.0 / 3.0, rtol=1e-12)


def test_a_stall_is_believed_where_nothing_moves() -> None:
    draws = engine.Portfolio(engine.Exponential(jnp.full((64, 2), 2.0), jnp.full((64, 2), 0.1)))
    terms = Terms(periods=2, lots=1, stall=0.3, resume=0.3, progress=0.1, noise=0.01)
    belief = believe(terms, draws, jax.random.key(2))
    moved = 2.0 * -np.expm1(-0.5)
    effort, seen = jnp.full(2, 5.0), jnp.array([0.0, moved])
    after = update(terms, belief, effort, seen, jnp.full(2, 2.0), jax.random.key(3))
    running = np.asarray(after.mean(after.state.running.astype(float)))
    assert running[0] < 0.01
    assert running[1] > 0.99


def test_resampling_is_systematic_and_keeps_what_counts() -> None:
    weight = jnp.array([0.5, 0.125, 0.375, 0.0])
    for uniform in (0.01, 0.5, 0.99):
        counts = np.bincount(np.asarray(systematic(weight, jnp.asarray(uniform))), minlength=4)
        assert np.all(np.abs(counts - 4 * np.asarray(weight)) < 1.0)


def test_few_particles_are_drawn_again_and_part() -> None:
    draws = saturating(jax.random.key(1), 256, 0.5)
    terms = Terms(periods=2, lots=1, stall=0.0, resume=1.0, progress=0.0, noise=0.1)
    belief = believe(terms, draws, jax.random.key(2))
    truth = jax.tree.map(lambda a: a[7], draws)
    effort = jnp.array([10.0, 10.0, 0.0, 10.0])
    after = update(terms, belief, effort, truth.returns(effort), jnp.ones(4), jax.random.key(3))
    assert np.all(np.asarray(effective(after)) >= 128)
    assert np.unique(np.asarray(after.draws.curves.scale)[0]).size > 200
    np.testing.assert_array_equal(after.draws.curves.scale[2], draws.curves.scale[:, 2])
    off = (np.asarray(after.returns()).mean(1) - np.asarray(truth.returns(effort)))[[0, 1, 3]]
    np.testing.assert_allclose(off, 0.0, atol=0.1)


TWO = ((3.0, 0.1), (2.0, 0.2))


def of_two_families(random: np.random.Generator, count: int) -> engine.Mixture:
    """As many curves of each, [count, 1]; each family has numbers for all."""
    noise = jnp.asarray(random.lognormal(0.0, 0.3, (2, 2, count, 1)))
    middle = jnp.array(TWO)[:, :, None, None]
    (scale, rate), (other_scale, other_rate) = middle * noise
    families = engine.Exponential(scale, rate), engine.Log(other_scale, other_rate)
    return engine.Mixture(families, jnp.arange(count, dtype=jnp.int32)[:, None] % 2)


def test_curves_of_several_families_are_not_moved_by_each_other() -> None:
    """A sharp look leaves beliefs that agree with it, of which numbers that nothing reads say nothing."""
    draws = engine.Portfolio(of_two_families(np.random.default_rng(6), 512))
    terms = Terms(periods=2, lots=1, stall=0.0, resume=1.0, progress=0.0, noise=0.01)
    belief = believe(terms, draws, jax.random.key(2))
    effort, seen = jnp.array([10.0]), jnp.array([2.2])
    after = update(terms, belief, effort, seen, jnp.ones(1), jax.random.key(3))
    assert np.unique(np.asarray(after.draws.curves.choice)).size == 2
    off = np.asarray(after.returns()) - 2.2
    # The look has a standard error of .01; the kernel keeps no more than mean and covariance.
    assert np.quantile(np.abs(off), 0.95) < 0.04


def test_a_sharp_look_at_several_families_is_that_of_a_million_particles() -> None:
    terms = Terms(periods=2, lots=1, stall=0.0, resume=1.0, progress=0.2, noise=0.01)
    effort, seen, many, worlds = jnp.full(1, 10.0), 2.5, 1_000_000, 100
    random = np.random.default_rng(6)
    curves = of_two_families(random, many)
    progress = 10.0 * jnp.asarray(random.lognormal(-0.02, 0.2, (many, 1)))
    weight = np.exp(-0.5 * ((seen - curves.value(progress)[:, 0]) / terms.noise) ** 2)
    ahead = np.asarray(curves.value(jnp.full((many, 1), 60.0)))[:, 0]

    def moments(weight: np.ndarray, ahead: np.ndarray, second: np.ndarray) -> np.ndarray:
        """The share of the second family, and the means and deviations of what each has far ahead."""
        found = [np.average(second, weights=weight)]
        for own in (~second, second):
            mean = np.average(ahead[own], weights=weight[own])
            found += [mean, np.average((ahead[own] - mean) ** 2, weights=weight[own]) ** 0.5]
        return np.array(found)

    @jax.jit
    def one(curves: engine.Mixture, key: jax.Array) -> tuple[jax.Array, ...]:
        belief = believe(terms, engine.Portfolio(curves), key)
        after = update(terms, belief, effort, jnp.full(1, seen), jnp.ones(1), key)
        far = after.draws.returns(jnp.full_like(after.log_weight, 60.0))
        return after.weight, far, after.draws.curves.choice == 1

    found = [one(of_two_families(random, 512), jax.random.key(world)) for world in range(worlds)]
    share, *rest = moments(*(np.asarray(each).ravel() for each in zip(*found, strict=True)))
    expected, *others = moments(weight, ahead, np.arange(many) % 2 == 1)
    assert share == pytest.approx(expected, abs=0.03)
    for at in (0, 2):
        assert rest[at] == pytest.approx(others[at], abs=0.1 * others[at + 1])
        assert rest[at + 1] == pytest.approx(others[at + 1], rel=0.15)


def test_where_nothing_is_seen_particles_move_as_the_world_does() -> None:
    """An infinite scale is no look, also of beliefs of which few particles count."""
    draws = saturating(jax.random.key(1), 64, 0.5)
    belief = believe(TERMS, draws, jax.random.key(2))
    few = belief.weighed(jnp.where(jnp.arange(64) < 3, 0.0, -40.0)[None].repeat(2, 0).repeat(2, 0))
    effort, scale = jnp.array([10.0, 10.0, 0.0, 0.0]), jnp.array([jnp.inf, 1.0, jnp.inf, 1.0])
    for before in (belief, few):
        after = update(TERMS, before, effort, jnp.full(4, 1.5), scale, jax.random.key(3))
        for leaf in jax.tree.leaves((after.draws, after.state, after.log_weight)):
            assert np.all(np.isfinite(np.asarray(leaf, float)))
        np.testing.assert_allclose(after.weight.sum(1), 1.0, rtol=1e-9)
    after = update(TERMS, belief, effort, jnp.full(4, 1.5), scale, jax.random.key(3))
    np.testing.assert_allclose(after.weight[jnp.array([0, 2, 3])], 1.0 / 64, rtol=1e-12)
    np.testing.assert_array_equal(after.draws.curves.scale[0], belief.draws.curves.scale[0])


def test_a_sharp_look_is_that_of_a_million_particles() -> None:
    terms = Terms(periods=2, lots=1, stall=0.0, resume=1.0, progress=0.3, noise=0.004)
    effort, seen, middle, many = 12.0, 1.3, (2.0, 0.08), 1_000_000
    random = np.random.default_rng(6)
    scale, rate = (m * np.exp(0.5 * random.normal(size=many)) for m in middle)
    progress = effort * np.exp(0.3 * random.normal(size=many) - 0.045)
    weight = np.exp(-0.5 * ((seen + scale * np.expm1(-rate * progress)) / terms.noise) ** 2)
    ahead = -scale * np.expm1(-rate * 60.0)
    mean = np.average(ahead, weights=weight)
    deviation = np.average((ahead - mean) ** 2, weights=weight) ** 0.5

    def one(seed: jax.Array) -> tuple[jax.Array, jax.Array]:
        key = jax.random.key(seed)
        curves = [
            m * jnp.exp(0.5 * jax.random.normal(jax.random.fold_in(key, j), (256, 1)))
            for j, m in enumerate(middle)
        ]
        belief = believe(terms, engine.Portfolio(engine.Exponential(*curves)), key)
        after = update(terms, belief, jnp.full(1, effort), jnp.full(1, seen), jnp.ones(1), key)
        values = after.draws.returns(jnp.full((1, 256), 60.0))
        return after.mean(values)[0], after.mean(values**2)[0]

    first, second = (np.asarray(a) for a in jax.vmap(one)(jnp.arange(200)))
    assert first.mean() == pytest.approx(mean, abs=0.1 * deviation)
    spread = np.sqrt(np.mean(second) - np.mean(first**2))
    assert spread == pytest.approx(deviation, rel=0.15)


def test_a_look_that_tells_nothing_new_moves_nothing() -> None:
    draws = saturating(jax.random.key(1), 64, 0.5)
    terms = Terms(periods=2, lots=1, stall=0.0, resume=1.0, progress=0.0, noise=10.0)
    belief = believe(terms, draws, jax.random.key(2))
    effort = jnp.array([10.0, 0.0, 10.0, 10.0])
    after = update(terms, belief, effort, jnp.ones(4), jnp.ones(4), jax.random.key(3))
    np.testing.assert_array_equal(after.draws.curves.scale, belief.draws.curves.scale)
    np.testing.assert_allclose(after.weight, 1.0 / 64, rtol=0.6)


def test_particles_that_cannot_move_are_weighed_by_all_of_a_look() -> None:
    levels = jnp.arange(4.0)[:, None] * jnp.array([0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0])[None]
    draws = engine.Portfolio(engine.Tabulated(levels.T[:, None]))
    terms = Terms(periods=2, lots=1, stall=0.0, resume=1.0, progress=0.0, noise=0.2)
    belief = believe(terms, draws, jax.random.key(2))
    seen = 4.3
    after = update(terms, belief, jnp.full(1, 2.0), jnp.full(1, seen), jnp.ones(1), jax.random.key(3))
    values = 2.0 * np.arange(0.5, 4.5, 0.5)
    likelihood = np.exp(-0.5 * ((seen - values) / 0.2) ** 2)
    assert float(after.mean(after.returns())[0]) == pytest.approx(
        np.average(values, weights=likelihood), abs=0.05
    )


def test_quantiles_are_those_of_weighted_values() -> None:
    weight = jnp.log(jnp.array([[0.2, 0.3, 0.5]]))
    nothing = State(jnp.zeros((1, 3)), jnp.ones((1, 3), bool))
    draws = engine.Portfolio(engine.Log(jnp.ones((1, 3)), jnp.ones((1, 3))))
    belief = Belief(draws, nothing, weight)
    values = jnp.array([[3.0, 1.0, 2.0]])
    found = [float(quantile(belief, values, share)[0]) for share in (0.1, 0.15, 0.35, 0.55, 0.725, 0.95)]
    assert found == pytest.approx([1.0, 1.0, 1.5, 2.0, 2.5, 3.0])
