"""Plans over periods in plain NumPy: what benchmarks/planning_speed.py compares `engine.planning` with.

Portfolio by portfolio, period by period and project by project; particles and levels are NumPy's vectors, and
a table of gains is evaluated in one expression, up to the lots that are left. Hill curves with start-up costs
and success only. Random numbers are handed in by whoever plays, so that both can be given the same ones. The
mathematics and its sources are those of the modules of `engine.planning`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from engine.planning.world import Terms

Array = np.ndarray
FEW, SHRINK = 0.5, (3 * 0.95 - 1) / (2 * 0.95)
WIDTH = ((1 - SHRINK**2) / 2) ** 0.5
SAME = 1e-5
KALMAN, STEPS, SMALLEST, FOLLOW = 0.8, 12, -30.0, 0.5
SMOOTH = ("scale", "half", "exponent")
OUTLOOKS = 8


class Curve(NamedTuple):
    """A project's curve: numbers, or arrays [particles] of what may be true."""

    scale: Any
    half: Any
    exponent: Any
    startup: Any
    success: Any

    def returns(self, effort: Any) -> Any:
        with np.errstate(divide="ignore"):
            odds = (self.half / np.maximum(effort - self.startup, 0.0)) ** self.exponent
        return self.success * self.scale / (1.0 + odds)


class Belief(NamedTuple):
    """Of one project; arrays [particles]."""

    curve: Curve
    progress: Array
    running: Array
    weight: Array

    def reached(self) -> Array:
        return self.curve.returns(self.progress)


class Numbers(NamedTuple):
    """Random numbers of a project's particles in one period: for stalls, for progress, where each of two
    resamplings begins and the two by whose difference each then moves, for moves towards what was seen."""

    stall: Array
    progress: Array
    starts: Array
    pairs: Array
    normal: Array


class Situation(NamedTuple):
    terms: Terms
    beliefs: list[Belief]
    per_lot: Array
    scale: Array
    period: int
    now: int
    left: int


# The filter.


def usual(terms: Terms) -> float:
    total = terms.stall + terms.resume
    return float(terms.resume / total) if total > 0 else 1.0


def to_run(terms: Terms, running: Array) -> Array:
    return np.where(running, 1.0 - terms.stall, terms.resume)


def believe(terms: Terms, curve: Curve, uniform: Array) -> Belief:
    count = uniform.size
    whole = Curve(*(np.broadcast_to(values, count) for values in curve))
    return Belief(whole, np.zeros(count), uniform < usual(terms), np.full(count, 1.0 / count))


def update(terms: Terms, belief: Belief, effort: float, seen: float, scale: float, by: Numbers) -> Belief:
    running = by.stall < to_run(terms, belief.running)
    factor = np.exp(terms.progress * by.progress - 0.5 * terms.progress**2)
    progress = belief.progress + np.where(running, effort * factor, 0.0)
    belief = belief._replace(progress=progress, running=running)
    deviation, left = scale * terms.noise, float(effort > 0)
    for start, pair in zip(by.starts, by.pairs, strict=True):
        likelihood = left * fit(belief, seen, deviation)
        share = bearable(belief, likelihood)
        belief = weighed(belief, share * likelihood)
        if share < 1.0:
            belief = resampled(belief, start, *pair)
        left *= 1.0 - share
    if left > 0:
        belief = moved_towards(belief, seen, deviation, KALMAN * left, by.normal)
        belief = weighed(belief, (1.0 - KALMAN) * left * fit(belief, seen, deviation))
    return belief


def fit(belief: Belief, seen: float, deviation: float) -> Array:
    return np.asarray(-0.5 * ((seen - belief.reached()) / deviation) ** 2)


def weighed(belief: Belief, likelihood: Array) -> Belief:
    count = belief.weight.size
    log = np.log(belief.weight, where=belief.weight > 0, out=np.full(count, -np.inf)) + likelihood
    weight = np.exp(log - log.max())
    return belief._replace(weight=weight / weight.sum())


def bearable(belief: Belief, likelihood: Array) -> float:
    def enough(share: float) -> bool:
        weight = weighed(belief, share * likelihood).weight
        return bool(1.0 / np.sum(weight**2) >= FEW * weight.size)

    if enough(1.0):
        return 1.0
    low, high = SMALLEST, 0.0
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if enough(2.0**middle) else (low, middle)
    return float(2.0**low)


def resampled(belief: Belief, start: float, one: Array, other: Array) -> Belief:
    count = belief.weight.size
    drawn = systematic(belief.weight, start)
    curve = Curve(*(values[drawn] for values in belief.curve))
    smooth = {name: apart(getattr(curve, name), one, other) for name in SMOOTH}
    progress = apart(belief.progress[drawn], one, other)
    return Belief(curve._replace(**smooth), progress, belief.running[drawn], np.full(count, 1.0 / count))


def systematic(weight: Array, start: float) -> Array:
    at = (np.arange(weight.size) + start) / weight.size
    return np.minimum(np.searchsorted(np.cumsum(weight), at), weight.size - 1)


def logarithms(values: Array) -> Array:
    return np.log(values, where=values > 0, out=np.zeros(values.size))


def apart(values: Array, one: Array, other: Array) -> Array:
    some = values > 0
    mean = logarithms(values).sum() / max(some.sum(), 1)
    log = np.where(some, logarithms(values), mean)
    step = (SHRINK - 1.0) * (log - mean) + WIDTH * (log[one] - log[other])
    return values * np.exp(np.where(some, step, 0.0))


def moved_towards(belief: Belief, seen: float, deviation: float, share: float, normal: Array) -> Belief:
    values = belief.reached()
    moving = values != belief.curve.returns(np.zeros(values.size))
    weight = np.where(moving, belief.weight, 0.0)
    weight = weight / weight.sum() if weight.any() else weight
    mean = weight @ values
    off = weight * (values - mean)
    variance = off @ (values - mean)
    spread = share * variance + deviation**2
    step = (share * (seen - values) + share**0.5 * deviation * normal) / spread

    def change(numbers: Array) -> Array:
        log = logarithms(numbers)
        return np.asarray(numbers * np.exp(np.where((numbers > 0) & moving, off @ log * step, 0.0)))

    smooth = {name: change(getattr(belief.curve, name)) for name in SMOOTH}
    moved = belief._replace(curve=belief.curve._replace(**smooth), progress=change(belief.progress))
    shift, wanted = moved.reached() - values, variance * step
    follows = weight @ (shift * wanted) >= FOLLOW * (weight @ wanted**2)
    together = 0.5 * np.log(deviation**2 / spread) - 0.5 * share * (seen - mean) ** 2 / spread
    each = share * fit(belief, seen, deviation)
    return weighed(moved if follows else belief, np.where(moving & follows & (shift != 0), together, each))


# Gains and plans.


def share(situation: Situation, belief: Belief) -> Array:
    terms, mean = situation.terms, usual(situation.terms)
    ahead = np.arange(terms.periods - situation.period)
    kept = np.mean((1.0 - terms.stall - terms.resume) ** ahead)
    return mean + (to_run(terms, belief.running) - mean) * kept


def gains(situation: Situation, project: int, belief: Belief, most: int) -> Array:
    """[levels, particles]"""
    step = situation.per_lot[project] * share(situation, belief)
    progress = belief.progress + np.arange(most + 1)[:, None] * step
    return np.asarray(belief.curve.returns(progress) - belief.reached())


def to_the_end(situation: Situation) -> Array:
    each = enumerate(situation.beliefs)
    return np.stack([gains(situation, i, belief, situation.left) @ belief.weight for i, belief in each])


def this_period(situation: Situation) -> Array:
    table = []
    for belief, per_lot in zip(situation.beliefs, situation.per_lot, strict=True):
        progress = belief.progress + np.arange(situation.now + 1)[:, None] * per_lot
        gain = belief.curve.returns(progress) - belief.reached()
        table.append(gain @ (belief.weight * to_run(situation.terms, belief.running)))
    return np.stack(table)


def programme(table: Array) -> tuple[Array, Array]:
    """(optima of the first projects [projects + 1, budgets], what the last of them takes)."""
    projects, size = table.shape
    best, taken = np.zeros((projects + 1, size)), np.zeros((projects, size), int)
    for i in range(projects):
        for budget in range(size):
            total = table[i, : budget + 1] + best[i, budget::-1]
            taken[i, budget] = np.argmax(total)
            best[i + 1, budget] = total[taken[i, budget]]
    return best, taken


def read_back(taken: Array) -> Array:
    plan, left = np.zeros(len(taken), int), taken.shape[1] - 1
    for i in reversed(range(len(taken))):
        plan[i] = taken[i, left]
        left -= plan[i]
    return plan


def best_plan(table: Array) -> Array:
    return read_back(programme(table)[1])


def apportioned(claims: Array, most: Array, lots: int) -> Array:
    given = np.zeros(len(most), int)
    for _ in range(lots):
        wanted = (given < most) & (claims > 0)
        if not wanted.any():
            break
        quotient = np.where(wanted, claims / (given + 1), -np.inf)
        given[np.argmax(quotient >= (1.0 - SAME) * quotient.max())] += 1
    return given


def part_of(situation: Situation, plan: Array) -> Array:
    chances = [belief.weight @ to_run(situation.terms, belief.running) for belief in situation.beliefs]
    return apportioned(plan * np.array(chances), plan, situation.now)


# Policies: (situation, memory, uniform numbers) -> (lots, memory).


def equal_split(situation: Situation, memory: Any, uniform: Any) -> tuple[Array, Any]:
    first, projects = memory or 0, len(situation.per_lot)
    lots = np.zeros(projects, int)
    for lot in range(situation.now):
        lots[(first + lot) % projects] += 1
    return lots, (first + situation.now) % projects


def static(situation: Situation, memory: Any, uniform: Any) -> tuple[Array, Any]:
    plan = best_plan(to_the_end(situation)) if memory is None else memory
    lots = apportioned(plan.astype(float), plan, situation.now)
    return lots, plan - lots


def myopic(situation: Situation, memory: Any, uniform: Any) -> tuple[Array, Any]:
    return best_plan(this_period(situation)), memory


def rolling(situation: Situation, memory: Any, uniform: Any) -> tuple[Array, Any]:
    return part_of(situation, best_plan(to_the_end(situation))), memory


def thompson(situation: Situation, memory: Any, uniform: Any) -> tuple[Array, Any]:
    drawn = []
    for belief, u in zip(situation.beliefs, uniform(len(situation.per_lot)), strict=True):
        at = min(int(np.sum(np.cumsum(belief.weight) <= u)), belief.weight.size - 1)
        curve = Curve(*(values[at : at + 1] for values in belief.curve))
        drawn.append(Belief(curve, belief.progress[at : at + 1], belief.running[at : at + 1], np.ones(1)))
    return rolling(situation._replace(beliefs=drawn), memory, uniform)


def index_kill(situation: Situation, memory: Any, uniform: Any) -> tuple[Array, Any]:
    alive = np.ones(len(situation.per_lot), bool) if memory is None else memory
    table = np.where(alive[:, None], to_the_end(situation), 0.0)
    best, taken = programme(table)
    index = np.max(table[:, 1:] / np.arange(1, table.shape[1]), axis=1, initial=0.0)
    price = best[-1, -1] - best[-1, -2] if table.shape[1] > 1 else 0.0
    plan = read_back(taken)
    return part_of(situation, plan), alive & ((index >= price) | (plan > 0))


def knowledge_gradient(situation: Situation, memory: Any, uniform: Any) -> tuple[Array, Any]:
    table, projects = to_the_end(situation), len(situation.per_lot)
    before, after = programme(table)[0][:-1], programme(table[::-1])[0][:-1][::-1]
    stall, start = uniform((projects, situation.beliefs[0].weight.size)), float(uniform(()))
    value = []
    for i in range(projects):
        others = programme(np.stack([before[i], after[i]]))[0][-1]
        value.append(worth(situation, i, others, stall[i], start))
    lots = np.zeros(projects, int)
    lots[np.argmax(value)] = situation.now
    return lots, memory


def worth(situation: Situation, i: int, others: Array, stall: Array, start: float) -> float:
    belief, lots, count = situation.beliefs[i], situation.now, situation.left - situation.now
    running = stall < to_run(situation.terms, belief.running)
    made = np.where(running, lots, 0) * situation.per_lot[i]
    after = belief._replace(progress=belief.progress + made)
    reached = after.reached()
    every = max(belief.weight.size // OUTLOOKS, 1)
    looks = reached[systematic(belief.weight, start)[::every][:OUTLOOKS]]
    off = (reached[None] - looks[:, None]) / (situation.terms.noise * situation.scale[i])
    with np.errstate(divide="ignore"):
        log = np.log(belief.weight)[None] - 0.5 * off**2
    weight = np.exp(log - log.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    gain = gains(situation, i, after, count) + reached - belief.reached()
    return float(np.mean(np.max(weight @ gain.T + others[count::-1][None], axis=1)))


POLICIES: dict[str, Callable[[Situation, Any, Any], tuple[Array, Any]]] = {
    "equal_split": equal_split,
    "static": static,
    "myopic": myopic,
    "rolling": rolling,
    "thompson": thompson,
    "knowledge_gradient": knowledge_gradient,
    "index_kill": index_kill,
    "clairvoyant": rolling,
}


# The world.


class World(NamedTuple):
    """One portfolio: true curves, effort per lot and scale of returns [projects], and the noise of looks."""

    truth: list[Curve]
    per_lot: Array
    scale: Array
    noise: float


def play(policy: str, terms: Terms, world: World, draws: list[Curve], random: Any) -> tuple[Array, Array]:
    """(lots, returns) [periods, projects]; `random` is a NumPy generator."""
    projects, sees_all, looks = len(draws), policy == "clairvoyant", policy not in ("equal_split", "static")
    particles = np.size(draws[0].scale)
    progress, running = np.zeros(projects), random.random(projects) < usual(terms)
    beliefs = [believe(terms, curve, random.random(particles)) for curve in draws]
    left, memory, lots, returns = terms.all_lots, None, [], []
    for period in range(terms.periods):
        if sees_all:
            truth = zip(world.truth, progress, running, strict=True)
            beliefs = [Belief(curve, np.array([p]), np.array([r]), np.ones(1)) for curve, p, r in truth]
        can = min(left, (terms.periods - period) * terms.lots)
        place = period, min(can, terms.lots), can
        situation = Situation(terms, beliefs, world.per_lot, world.scale, *place)
        chosen, memory = POLICIES[policy](situation, memory, random.random)
        effort = chosen * world.per_lot
        running = random.random(projects) < to_run(terms, running)
        factor = np.exp(terms.progress * random.standard_normal(projects) - 0.5 * terms.progress**2)
        progress = progress + np.where(running, effort * factor, 0.0)
        reached = np.array([curve.returns(p) for curve, p in zip(world.truth, progress, strict=True)])
        seen = reached + world.noise * world.scale * random.standard_normal(projects)
        if looks and not sees_all:
            each = zip(beliefs, effort, seen, world.scale, strict=True)
            beliefs = [update(terms, *given, drawn(random, particles)) for given in each]
        left -= int(chosen.sum())
        lots.append(chosen)
        returns.append(reached)
    return np.stack(lots), np.stack(returns)


def drawn(random: Any, particles: int) -> Numbers:
    """A period's random numbers of one project."""
    stall, progress = random.random(particles), random.standard_normal(particles)
    pairs = random.integers(0, particles, (2, 2, particles))
    return Numbers(stall, progress, random.random(2), pairs, random.standard_normal(particles))
