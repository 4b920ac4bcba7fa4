"""The plans of benchmarks/measured_plans.py, on a few curves made up."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import numpy as np
import pytest

from benchmarks.measured_plans import (
    BUDGET,
    LEVELS,
    PARTICLES,
    Belief,
    Curves,
    Portfolios,
    Setting,
    best_from,
    coverage,
    even,
    foretell,
    lost,
    plan,
    returned,
)

SETTING = Setting(1.0, 0.5, 0.1, 0.3, 0.2)


@pytest.fixture(autouse=True)
def as_it_is_run() -> Iterator[None]:
    with jax.enable_x64(False):
        yield


def made_up() -> tuple[Curves, Portfolios]:
    """Forty curves that rise by chance, in eight folds, and four portfolios of ten."""
    random = np.random.default_rng(0)
    table = 0.3 + np.cumsum(random.uniform(0.0, 0.01, (40, LEVELS + 1)), axis=1)
    features = np.column_stack([table[:, 0], random.normal(size=(40, 2))])
    curves = Curves(np.arange(40) % 8, np.arange(40) % 3, features, table, np.full(40, 0.005))
    members = np.array([random.choice(40, 10, replace=False) for _ in range(4)])
    return curves, Portfolios(members, np.exp(random.normal(size=members.shape)))


def test_who_knows_the_curves_attains_the_optimum_and_nothing_is_lost() -> None:
    curves, which = made_up()
    belief = Belief(np.repeat(curves.table[:, None], PARTICLES, axis=1), curves.error)
    best = best_from(curves.table, which, np.zeros(which.members.shape, int))[1]
    for name in ("clairvoyant", "rolling"):  # particles that are the truth
        lots = plan(name, 8, curves.table, belief, which)
        np.testing.assert_array_equal(lots.sum(axis=(1, 2)), BUDGET)
        # Tables are in float32 there.
        np.testing.assert_allclose(returned(curves.table, which, lots), best, rtol=1e-6)
        np.testing.assert_allclose(lost(curves.table, which, lots), 0.0, atol=1e-4)


def test_what_is_lost_by_period_adds_up() -> None:
    curves, which = made_up()
    everyone = np.ones(40, bool)
    lots = plan("rolling", 8, curves.table, foretell(curves, everyone, everyone, SETTING), which)
    best = best_from(curves.table, which, np.zeros(which.members.shape, int))[1]
    equal, mine = (np.mean(returned(curves.table, which, each)) for each in (even(), lots))
    share = (mine - equal) / (np.mean(best) - equal)
    np.testing.assert_allclose(np.sum(lost(curves.table, which, lots)), 1.0 - share, rtol=1e-9)


def test_a_belief_has_seen_no_curve_of_its_fold() -> None:
    curves, _ = made_up()
    everyone = np.ones(40, bool)
    one = foretell(curves, everyone, everyone, SETTING)
    table = np.where(
        (curves.fold == 0)[:, None], curves.table[:, :1], curves.table
    )  # later accuracies unknown
    two = foretell(curves._replace(table=table), everyone, everyone, SETTING)
    np.testing.assert_array_equal(one.particles[curves.fold == 0], two.particles[curves.fold == 0])
    np.testing.assert_array_equal(np.ptp(one.particles[..., 0], axis=1), 0.0)


def test_looks_show_the_measured_accuracies_and_plans_use_them() -> None:
    curves, which = made_up()
    particles = np.repeat(curves.table[:, None], PARTICLES, axis=1)
    random = np.random.default_rng(1)
    particles[:, 1:, 1:] += random.normal(0.0, 0.1, (40, PARTICLES - 1, 1))
    belief = Belief(particles, np.full(40, 1e-3))
    # The truth is the middle of what is believed before a look; by one look it alone is left.
    assert coverage(curves, belief, which, np.ones((4, 1, 10), int))[0] > 0.7
    played = plan("rolling", 8, curves.table, belief, which)
    best = best_from(curves.table, which, np.zeros(which.members.shape, int))[1]
    equal, mine = (np.mean(returned(curves.table, which, each)) for each in (even(), played))
    assert mine - equal > 0.8 * (np.mean(best) - equal)
