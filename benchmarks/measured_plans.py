"""Plans over periods on measured learning curves: who gets the next labels, when each look tells more?

    python -m benchmarks.measured_plans    1,813 curves, 1,000 portfolios; results/measured_plans.json

The hidden truth is the 1,813 curves of benchmarks/curves.py. A portfolio is ten of them at random, each with
a weight; 64 labels a project (or 512, as in benchmarks/labels.py) are paid for and seen. A quarter of the
labels that all could still take, up to 4,096 each, is spent over periods, in lots of 1/32 of what one project
can take: 126 labels (112). What spending reveals is the accuracy measured at the size reached, linear in the
logarithm of labels between sizes: it is noisy as it is, so the world adds nothing. The score is the share of
the clairvoyant's gain over equal split, with intervals of 95 % by bootstrap over portfolios. A second
clairvoyant knows the measured curves but for another draw of their standard errors: how much of that gain is
noise.

What is believed of a curve comes from curves of other data sets alone (ten folds): 256 of them, drawn by how
much their learners and beginnings resemble its own, moved to where it starts, stretched by the room that it
has for rise and by chance, and weighed by what is seen with the deviation τ of its standard error and of a
misfit. The constants of that are chosen for each half of the folds by what the rolling plan attains on the
other half, believing what that half's curves tell.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import isotonic_regression

import engine
from benchmarks.curves import FOLDS, MOST, folds, long_curves
from benchmarks.labels import PROJECTS, SIGMA, disturbed, interpolate, scores
from benchmarks.machine import save
from engine.files.measurements import Measurements
from engine.model.curves.staged import Tabulated
from engine.model.portfolio import Portfolio
from engine.planning.play import play
from engine.planning.policies import POLICIES
from engine.planning.world import Terms, World

USUAL = 8
# Labels that are paid for, and the numbers of periods that plans then have.
STARTS = {64: (8, 1, 16, 2, 4), 512: (8, 1, 16)}
# Lots that one project can take; a quarter of ten projects' is a multiple of every number of periods.
LEVELS, BUDGET = 32, 80
PARTICLES, BATCH = 256, 20
PORTFOLIOS = 1000
# Portfolios by which constants are chosen.
TRIALS = 200
# What takes up to a second a portfolio is played on the first so many of them.
FEW = {"knowledge_gradient": 240, "knowledge_gradient_lots": 60}
# What is the same over any number of periods.
STEADY = ("equal_split", "clairvoyant")
# Where curves are looked at to say how well the rest is foretold, in lots.
LOOKS = (0, 2, 6, 14)
# Room for rise beyond certainty, so that a curve near it may still rise or fall.
ROOM = 0.05


class Setting(NamedTuple):
    """Constants of a belief: how near levels and slopes of beginnings must be, in standard deviations; the
    weight of another learner's curve; the spread of the stretch; the misfit, a share of the ends' spread."""

    level: float
    slope: float
    other: float
    spread: float
    misfit: float


SETTINGS = (
    Setting(0.5, 0.5, 0.1, 0.3, 0.3),
    Setting(1.0, 0.5, 0.1, 0.3, 0.1),
    Setting(1.0, 0.5, 0.1, 0.3, 0.2),
    Setting(1.0, 0.5, 0.1, 0.3, 0.3),
    Setting(1.0, 0.5, 0.1, 0.3, 0.6),
    Setting(1.0, 0.5, 0.1, 0.0, 0.2),
    Setting(1.0, 0.5, 0.1, 0.6, 0.2),
    Setting(1.0, 0.5, 0.02, 0.3, 0.2),
    Setting(1.0, 1.0, 0.1, 0.3, 0.2),
    Setting(2.0, 0.5, 0.1, 0.3, 0.2),
)


class Curves(NamedTuple):
    """Measured curves: [curves], what their beginnings are like [curves, features], accuracies after 0, 1, …
    lots [curves, levels], and the standard error of the first of these."""

    fold: np.ndarray
    learner: np.ndarray
    features: np.ndarray
    table: np.ndarray
    error: np.ndarray


class Belief(NamedTuple):
    """Particles [curves, PARTICLES, levels] and the deviation of looks from them [curves]."""

    particles: np.ndarray
    tau: np.ndarray


class Portfolios(NamedTuple):
    """Members [portfolios, projects] among the curves, and their weights."""

    members: np.ndarray
    weight: np.ndarray


def sizes(start: int) -> np.ndarray:
    """Labels after 0, 1, … lots."""
    return start + (MOST - start) * np.arange(LEVELS + 1) / LEVELS


def read(whole: Measurements, start: int) -> Curves:
    """The curves as a plan meets them that has paid for so many labels of each."""
    learner = np.unique([name.split(" on ")[0] for name in whole.names], return_inverse=True)[1]
    early, middle, last = interpolate(whole, np.array([start / 4, start / 2, start])).T
    features = np.column_stack([last, last - middle, middle - early])
    error = whole.error[whole.effort == start]
    fold = folds(whole, np.random.default_rng(1))
    return Curves(fold, learner, features, interpolate(whole, sizes(start)), error)


def resemblance(curves: Curves, asked: np.ndarray, known: np.ndarray, setting: Setting) -> np.ndarray:
    """How much known curves resemble the asked ones' beginnings [asked, known], rows adding up to 1."""
    near = curves.features[known].std(axis=0) * np.array([setting.level, setting.slope, 2 * setting.slope])
    off = (curves.features[asked][:, None] - curves.features[known][None]) / near
    same = curves.learner[asked][:, None] == curves.learner[known][None]
    alike = np.exp(-0.5 * np.sum(off**2, axis=2)) * np.where(same, 1.0, setting.other) + 1e-12
    return alike / alike.sum(axis=1, keepdims=True)


def drawn(share: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Columns drawn by the shares of each row, at even steps [rows, PARTICLES]."""
    at = (np.arange(PARTICLES) + random.random((len(share), 1))) / PARTICLES
    rows = [np.searchsorted(np.cumsum(one), where) for one, where in zip(share, at, strict=True)]
    return np.minimum(rows, share.shape[1] - 1)


def resembling(curves: Curves, asked: np.ndarray, known: np.ndarray, setting: Setting) -> Belief:
    """The belief of the asked curves by the known ones."""
    random = np.random.default_rng(2)
    alike = drawn(resemblance(curves, asked, known, setting), random)
    first, begun = curves.table[asked, 0][:, None], curves.table[known, 0]
    rise = (curves.table[known] - begun[:, None])[alike]
    stretch = np.sqrt((1 + ROOM - first) / (1 + ROOM - begun[alike]))
    stretch *= np.exp(setting.spread * random.normal(size=alike.shape) - 0.5 * setting.spread**2)
    particles = np.clip(first[..., None] + rise * stretch[..., None], 0.0, 1.0)
    misfit = setting.misfit * particles[..., -1].std(axis=1)
    return Belief(particles, np.hypot(curves.error[asked], misfit))


def foretell(curves: Curves, asked: np.ndarray, known: np.ndarray, setting: Setting) -> Belief:
    """The belief of every asked curve by the known ones of other folds; nothing of the rest."""
    belief = Belief(np.zeros((asked.size, PARTICLES, LEVELS + 1), np.float32), np.ones(asked.size))
    for k in range(FOLDS):
        mine, others = np.flatnonzero(asked & (curves.fold == k)), np.flatnonzero(known & (curves.fold != k))
        if mine.size:
            belief.particles[mine], belief.tau[mine] = resembling(curves, mine, others, setting)
    return belief


def draw_portfolios(among: np.ndarray, portfolios: int, seed: int) -> Portfolios:
    """Ten curves at random, each with a weight."""
    random = np.random.default_rng(seed)
    members = np.array([random.choice(among, PROJECTS, replace=False) for _ in range(portfolios)])
    return Portfolios(members, np.exp(random.normal(0.0, SIGMA, members.shape)))


@partial(jax.jit, static_argnames=("name", "periods"))
def played(name: str, periods: int, table: Any, particles: Any, tau: Any, weight: Any) -> jax.Array:
    """The lots that a policy gives in each period, [portfolios, periods, projects]."""
    terms = Terms(periods=periods, lots=BUDGET // periods, stall=0.0, resume=1.0, progress=0.0, noise=1.0)

    def one(table: Any, particles: Any, tau: Any, weight: Any, key: Any) -> jax.Array:
        truth = Portfolio(Tabulated(table), weight=weight)
        draws = Portfolio(Tabulated(jnp.swapaxes(particles, 0, 1)), weight=weight[None])
        world = World(truth, jnp.ones_like(weight), weight * tau, noise=0.0)
        return play(POLICIES[name], terms, world, draws, key).lots

    keys = jax.random.split(jax.random.key(0), weight.shape[0])
    return jax.vmap(one)(table, particles, tau, weight, keys)


def plan(name: str, periods: int, table: np.ndarray, belief: Belief, which: Portfolios) -> np.ndarray:
    """The lots of every project by period, [portfolios, periods, projects]."""
    parts = []
    for at in range(0, len(which.members), BATCH):
        mine = which.members[at : at + BATCH]
        numbers = (table[mine], belief.particles[mine], belief.tau[mine], which.weight[at : at + BATCH])
        parts.append(np.asarray(played(name, periods, *(jnp.asarray(a, jnp.float32) for a in numbers))))
    return np.concatenate(parts)


def picked(table: np.ndarray, level: np.ndarray) -> np.ndarray:
    """The entries of the last axis at levels; flat beyond the last one."""
    return np.take_along_axis(table, np.minimum(level, LEVELS)[..., None], axis=-1)[..., 0]


def returned(table: np.ndarray, which: Portfolios, lots: np.ndarray) -> np.ndarray:
    """What lots return on the measured curves, [portfolios]."""
    return np.sum(which.weight * picked(table[which.members], lots.sum(axis=1)), axis=1)


def best_from(table: np.ndarray, which: Portfolios, given: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(lots, return) of who knows the table and may not take back what was given."""
    curves = Tabulated(table[which.members])
    portfolio = engine.Portfolio(curves, weight=which.weight, lower=given.astype(float))
    found = engine.allocate(portfolio, float(BUDGET), "exact")
    return np.round(found.effort).astype(int), np.asarray(found.value)


def even() -> np.ndarray:
    """Equal split, [1, 1, projects]."""
    return np.full((1, 1, PROJECTS), BUDGET // PROJECTS)


def attained(curves: Curves, belief: Belief, which: Portfolios) -> float:
    """The rolling plan's share of the clairvoyant's gain."""
    equal = returned(curves.table, which, even())
    best = best_from(curves.table, which, np.zeros(which.members.shape, int))[1]
    mine = returned(curves.table, which, plan("rolling", USUAL, curves.table, belief, which))
    return float(np.mean(mine - equal) / np.mean(best - equal))


def chosen(curves: Curves, half: np.ndarray) -> Setting:
    """The constants with which the rolling plan attains most on the portfolios of one half of the folds."""
    which = draw_portfolios(np.flatnonzero(half), TRIALS, seed=3)

    return max(SETTINGS, key=lambda one: attained(curves, foretell(curves, half, half, one), which))


def halves(curves: Curves) -> list[np.ndarray]:
    """Which curves are of the first folds and which of the last."""
    first = curves.fold < FOLDS // 2
    return [first, ~first]


def beliefs(curves: Curves, settings: list[Setting]) -> Belief:
    """The beliefs of all curves, each half of the folds by its constants."""
    everyone, first = np.ones(len(curves.fold), bool), halves(curves)[0]
    one, two = (foretell(curves, half, everyone, s) for half, s in zip(halves(curves), settings, strict=True))
    particles = np.where(first[:, None, None], one.particles, two.particles)
    return Belief(particles, np.where(first, one.tau, two.tau))


def monotone(whole: Measurements) -> Measurements:
    """The rising curves that are nearest to what was measured, by its standard errors."""
    performance = whole.performance.copy()
    for row, weight in zip(performance, whole.weight, strict=True):
        there = weight > 0
        row[there] = isotonic_regression(row[there], weights=weight[there]).x
    return dataclasses.replace(whole, performance=performance)


def looked(belief: Belief, level: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """The logarithm of what a look at a level of each curve says of its particles [curves, PARTICLES]."""
    there = picked(belief.particles, np.broadcast_to(level[:, None], belief.particles.shape[:2]))
    return -0.5 * ((seen[:, None] - there) / belief.tau[:, None]) ** 2


def normalised(log_weight: np.ndarray) -> np.ndarray:
    """Weights of which rows add up to 1."""
    weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
    return weight / weight.sum(axis=1, keepdims=True)


def foretold(curves: Curves, belief: Belief) -> list[dict[str, float]]:
    """How much of the rest's variance is foretold after looks, one on top of another."""
    rows, log_weight = [], np.zeros(belief.particles.shape[:2])
    for lots in LOOKS:
        if lots:
            log_weight += looked(belief, np.full(len(belief.tau), lots), curves.table[:, lots])
        ahead = belief.particles[..., -1] - belief.particles[..., lots]
        rise = curves.table[:, -1] - curves.table[:, lots]
        off = np.sum(normalised(log_weight) * ahead, axis=1) - rise
        variance = float(1.0 - np.mean(off**2) / np.var(rise))
        rows.append({"lots": lots, "deviation": float(np.std(rise)), "variance_foretold": variance})
    return rows


def coverage(curves: Curves, belief: Belief, which: Portfolios, lots: np.ndarray) -> list[float]:
    """How often 80 % intervals hold the accuracy at 4,096 labels, before each period and after the last, of
    curves that are not there yet."""
    members = which.members.ravel()
    own = Belief(belief.particles[members], belief.tau[members])
    table, level = curves.table[members], np.zeros(members.size, int)
    rows, log_weight = [], np.zeros(own.particles.shape[:2])
    for now in (np.zeros(members.size, int), *np.swapaxes(lots, 0, 1).reshape(lots.shape[1], -1)):
        level = level + now
        said = looked(own, level, picked(table, level))
        log_weight = log_weight + np.where(now[:, None] > 0, said, 0.0)
        below = np.sum(normalised(log_weight) * (own.particles[..., -1] <= table[:, -1:]), axis=1)
        rows.append(float(np.mean(((below > 0.1) & (below < 0.9))[level < LEVELS])))
    return rows


def lost(table: np.ndarray, which: Portfolios, lots: np.ndarray) -> np.ndarray:
    """The share of the clairvoyant's gain that each period puts out of reach of one who knows the curves from
    then on, [periods]."""
    given = np.concatenate([np.zeros_like(lots[:, :1]), np.cumsum(lots, axis=1)], axis=1)
    attainable = [np.mean(best_from(table, which, given[:, t])[1]) for t in range(given.shape[1])]
    return -np.diff(attainable) / (attainable[0] - np.mean(returned(table, which, even())))


def barriers(
    curves: Curves, belief: Belief, which: Portfolios, rising: Curves, settings: list[Setting]
) -> dict[str, Any]:
    """What stands between the rolling plan and the clairvoyant: whether intervals hold, how much is foretold,
    what each period gives away, what the plan would attain if the truth were among its particles or no curve
    ever fell; and what it attains on the last folds alone, by which nothing of the method was found."""
    lots, last = plan("rolling", USUAL, curves.table, belief, which), halves(curves)[1]
    particles = belief.particles.copy()
    particles[:, 0] = curves.table
    return {
        "coverage_of_80": coverage(curves, belief, which, lots),
        "foretold": foretold(curves, belief),
        "lost_by_period": lost(curves.table, which, lots).tolist(),
        "truth_among_particles": attained(curves, Belief(particles, belief.tau), which),
        "truth_among_particles_without_misfit": attained(curves, Belief(particles, curves.error), which),
        "monotone_curves": attained(rising, beliefs(rising, settings), which),
        "last_folds_alone": attained(
            curves, belief, draw_portfolios(np.flatnonzero(last), PORTFOLIOS, seed=4)
        ),
    }


def study(whole: Measurements, start: int) -> Iterator[dict[str, Any]]:
    """Play every policy at every number of periods, score, and say what stands in the way: all that is found
    so far, after each number of periods."""
    curves, random = read(whole, start), np.random.default_rng(0)
    settings = [chosen(curves, ~half) for half in halves(curves)]
    belief = beliefs(curves, settings)
    which = draw_portfolios(np.arange(len(whole.names)), PORTFOLIOS, seed=0)
    nothing = np.zeros(which.members.shape, int)
    another = interpolate(disturbed(whole, random), sizes(start))
    equal = returned(curves.table, which, even())
    best = best_from(curves.table, which, nothing)[1]

    def scored(name: str, value: np.ndarray) -> dict[str, Any]:
        few = slice(len(value))
        row = scores({"clairvoyant": best[few], "equal split": equal[few], name: value}, random)[name]
        low, high = row["interval"]
        print(f"  {name:26s}{row['share_of_clairvoyant']:8.1%}  [{low:.1%}, {high:.1%}]", flush=True)
        return {**row, "portfolios": len(value)}

    def policy(name: str, periods: int) -> dict[str, Any]:
        few = slice(FEW.get(name, PORTFOLIOS))
        some = Portfolios(which.members[few], which.weight[few])
        return scored(name, returned(curves.table, some, plan(name, periods, curves.table, belief, some)))

    figures: dict[str, Any] = {"settings": [setting._asdict() for setting in settings]}
    print(f"after {start} labels: {settings}", flush=True)
    noisy = returned(curves.table, which, best_from(another, which, nothing)[0][:, None])
    figures["clairvoyant_of_another_draw"] = scored("another draw", noisy)
    figures["barriers"] = barriers(curves, belief, which, read(monotone(whole), start), settings)
    print(figures["barriers"], flush=True)
    for periods in STARTS[start]:
        print(f" {periods} periods", flush=True)
        names = [name for name in POLICIES if periods == USUAL or name not in STEADY]
        figures[f"{periods}_periods"] = {name: policy(name, periods) for name in names}
        yield figures


def main() -> None:
    """Study, print, save."""
    whole = long_curves()
    figures: dict[str, Any] = {"curves": len(whole.names), "projects": PROJECTS, "lots": BUDGET}
    for start in STARTS:
        for found in study(whole, start):
            figures[f"after_{start}"] = found
            print(f"saved {save('measured_plans', figures)}", flush=True)


if __name__ == "__main__":
    main()
