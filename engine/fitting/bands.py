"""Predictive draws: curves that the measurements allow, from all families, by how well they foretell.

A project's performance is b + a·φ(x), with φ a curve of the prior: a family and its numbers. Beside the
error of a measurement, performance strays from any such curve, the more the farther its effort lies from the
largest, for a family holds over a few octaves and not over all. With x in units of the largest effort and y
in units of the range measured, a measurement of standard error e has the variance σ²(e² + d²)/x²: curves that
foretell the largest efforts well get the weight. Where no standard error is known, e is that by which points
stray from the line through their neighbours, the same at all efforts, and the variance σ²(e² + d²/x²). The
level b is flat, or such that performance without effort is what it is known to be; a is normal about the
value at which φ rises by the range measured; σ² is inverse χ², so a project that no curve follows has wide
bands. Given φ all of that is conjugate. The weight of φ is its evidence to a power below one, since errors of
neighbours go together, and a and b are drawn given φ.

Where a ceiling is known, no draw exceeds it within `HORIZON` times the largest effort, and curves of the
prior that had as much room left below theirs count for more. The constants were chosen by coverage and by
the continuous ranked probability score on learning curves, with a prior that had not seen their data sets
(`benchmarks/bands.py`, which also scores them on curves that nothing was chosen by).

Cost: of one project, curves of the prior × points. Draws of a project depend on its name, its measurements
and the seed, not on the other projects.

Sources: Robbins (1956) for empirical Bayes; Gasser, Sroka & Jennen-Steinmetz (1986) for the noise; Kennedy
& O'Hagan (2001) for the discrepancy of a model; Bissiri, Holmes & Walker (2016) for tempered evidence.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from engine.allocation.running import cores, in_threads
from engine.files.draws import Draws
from engine.files.measurements import Measurements
from engine.fitting.prior import Prior, room
from engine.fitting.shapes import SHAPES
from engine.model.curves import FAMILIES

# d, in ranges of the performance measured, and the degrees of freedom of σ².
DISCREPANCY, FREEDOM = 0.015, 1.5
# The power of the evidence, and what the standard deviation of the level is multiplied by.
TEMPER, LEVEL = 0.5, 2.0
# Standard deviation of a, of its mean; and how many times a prior curve's noise adds to the range measured.
AMPLITUDE, NOISY = 0.5, 2.5
# Efforts smaller than this share of the largest count as if they were it.
NEAREST = 1.0 / 32.0
# A draw rises by at most so many ranges from the largest effort to so many times it.
MOST_GAIN, HORIZON = 3.0, 8.0
# Standard deviation of the logarithm of the room below the ceiling.
ROOM = 0.6
# Projects with the same efforts are done together, so many at a time; of more points, neighbours are merged.
TOGETHER, MOST_POINTS = 128, 32


class Points(NamedTuple):
    """Measurements in units of the largest effort and the range measured; `error`, their standard errors
    where those are known; `last`, the performance at the largest effort, and `origin` that without effort,
    where it is known."""

    effort: Float[np.ndarray, "projects points"]
    performance: Float[np.ndarray, "projects points"]
    weight: Float[np.ndarray, "projects points"]
    error: Any
    unit: Float[np.ndarray, " projects"]
    low: Float[np.ndarray, " projects"]
    range: Float[np.ndarray, " projects"]
    last: Float[np.ndarray, " projects"]
    origin: Float[np.ndarray, " projects"] | None = None

    def take(self, rows: Any, count: int) -> Points:
        """Some of the projects, which have so many points."""
        wide = {name: getattr(self, name)[rows, :count] for name in ("effort", "performance", "weight")}
        each = {name: getattr(self, name)[rows] for name in ("unit", "low", "range", "last")}
        error = None if self.error is None else self.error[rows, :count]
        return Points(**wide, error=error, **each, origin=None if self.origin is None else self.origin[rows])

    @property
    def precision(self) -> Float[np.ndarray, "projects points"]:
        """One over the variances for σ² = 1."""
        square = np.maximum(self.effort, NEAREST) ** 2
        if self.error is None:
            variance = noise_of(self) ** 2 * square + DISCREPANCY**2
        else:
            variance = self.error**2 + DISCREPANCY**2
        return np.where(self.weight > 0, square / variance, 0.0)


def points_of(data: Measurements, baseline: float | None = None) -> Points:
    """Dimensionless measurements, and the performance without effort where it is known."""
    there = data.weight > 0
    counts = np.sum(there, axis=1)
    end = np.arange(len(counts)), counts - 1
    unit = np.where(data.effort[end] > 0, data.effort[end], 1.0)
    low = np.min(np.where(there, data.performance, np.inf), axis=1)
    high = np.max(np.where(there, data.performance, -np.inf), axis=1)
    span = np.where(high > low, high - low, 1.0)
    effort = np.where(there, data.effort / unit[:, None], 0.0)
    performance = np.where(there, (data.performance - low[:, None]) / span[:, None], 0.0)
    error = None if data.error is None else data.error / span[:, None]
    origin = None if baseline is None else (baseline - low) / span
    return Points(effort, performance, data.weight, error, unit, low, span, performance[end], origin)


def noise_of(points: Points) -> Float[np.ndarray, "projects points"]:
    """The standard error of each point, by how far points stray from the straight line, in the logarithm of
    effort, through their neighbours; 0 of projects that have no three points of some effort. Of weights the
    ratios are known alone."""
    there = (points.weight > 0) & (points.effort > 0)
    place = np.log(np.where(there, points.effort, 1.0))
    variance = 1.0 / np.where(there, points.weight, 1.0)
    inner = there[:, :-2] & there[:, 1:-1] & there[:, 2:]
    before, after = (np.where(inner, step, 1.0) for step in (np.diff(place)[:, :-1], np.diff(place)[:, 1:]))
    left, right = after / (before + after), before / (before + after)
    y = points.performance
    off = left * y[:, :-2] - y[:, 1:-1] + right * y[:, 2:]
    expected = left**2 * variance[:, :-2] + variance[:, 1:-1] + right**2 * variance[:, 2:]
    count = np.maximum(np.sum(inner, axis=1, keepdims=True), 1)
    scatter = np.sum(np.where(inner, off**2 / expected, 0.0), axis=1, keepdims=True) / count
    return np.asarray(np.sqrt(scatter * variance))


def merged(points: Points) -> Points:
    """The same with neighbouring points merged to their means, `MOST_POINTS` of them at most. Their noise
    averages out; how far performance strays from a curve does not, being alike for neighbours."""
    rows, count = points.effort.shape
    size = -(-count // MOST_POINTS)
    if size == 1:
        return points

    def total(values: np.ndarray) -> np.ndarray:
        wide = np.pad(points.weight * values, ((0, 0), (0, -count % size)))
        return wide.reshape(rows, -1, size).sum(axis=2)

    weight = total(np.ones_like(points.weight))
    effort, performance = total(points.effort) / weight, total(points.performance) / weight
    error = points.error
    if error is not None:
        error = np.sqrt(total(points.weight * error**2)) / weight
    return points._replace(effort=effort, performance=performance, weight=weight, error=error)


class Posterior(NamedTuple):
    """What the measurements say of every curve φ of the prior: its weight; the mean of a given φ, and its
    precision for σ² = 1; the weighted means of φ and of the measurements, their total precision; and σ².
    Where performance without effort is known, 0 and that, to infinite precision, stand for the means."""

    weight: Float[np.ndarray, "projects curves"]
    amplitude: Float[np.ndarray, "projects curves"]
    precision: Float[np.ndarray, "projects curves"]
    mean_lift: Float[np.ndarray, "projects curves"]
    mean: Float[np.ndarray, "projects 1"]
    total: Float[np.ndarray, "projects 1"]
    variance: Float[np.ndarray, "projects curves"]


def weigh(
    points: Points,
    lifts: Float[np.ndarray, "curves points"],
    rise: Float[np.ndarray, " curves"],
    noise: Float[np.ndarray, " curves"],
    bonus: np.ndarray,
) -> Posterior:
    """The posterior of projects with the same efforts; `rise` is φ's from the first positive effort to the
    largest, `bonus` is added to the logarithm of the evidence."""
    w = points.precision
    total = np.sum(w, axis=1, keepdims=True)
    mean = np.sum(w * points.performance, axis=1, keepdims=True) / total
    mean_lift = w @ lifts.T / total
    if points.origin is not None:
        mean, mean_lift, total = points.origin[:, None], np.zeros_like(mean_lift), np.full_like(total, np.inf)
    y = points.performance - mean
    together, of_y = (w * y) @ lifts.T, np.sum(w * y**2, axis=1, keepdims=True)
    of_lift = w @ (lifts**2).T
    if points.origin is None:
        of_lift = np.maximum(of_lift - total * mean_lift**2, 0.0)
    expected = 1.0 / (rise + NOISY * noise)
    prior = 1.0 / (AMPLITUDE * expected) ** 2
    precision = of_lift + prior
    amplitude = np.maximum((together + prior * expected) / precision, 0.0)
    squares = of_y - 2 * amplitude * together + amplitude**2 * of_lift + prior * (amplitude - expected) ** 2
    squares = np.maximum(squares, 0.0)
    count = np.sum(w > 0, axis=1, keepdims=True)
    evidence = -0.5 * TEMPER * (count + FREEDOM) * np.log1p(squares / FREEDOM)
    evidence = evidence - 0.5 * np.log(precision / prior) + bonus
    weight = np.exp(evidence - np.max(evidence, axis=1, keepdims=True))
    weight /= np.sum(weight, axis=1, keepdims=True)
    return Posterior(
        weight, amplitude, precision, mean_lift, mean, total, (FREEDOM + squares) / (FREEDOM + count)
    )


class Drawn(NamedTuple):
    """One project's draws: places in the prior, and scale and baseline, dimensionless; [draws] each."""

    curve: np.ndarray
    scale: np.ndarray
    baseline: np.ndarray


def draw_one(
    found: Posterior, row: int, ends: np.ndarray, most: float, draws: int, random: np.random.Generator
) -> Drawn:
    """Draws of one project; `ends` [curves, 2] are φ at the largest effort and at `HORIZON` times it, `most`
    the largest performance. A draw that promises too much is lowered about its value at the largest effort,
    or about that without effort, where it is known."""
    share = np.cumsum(found.weight[row])
    place = (np.arange(draws) + random.random()) / draws * share[-1]
    curve = random.permutation(np.minimum(np.searchsorted(share, place), share.size - 1))
    spread = np.sqrt(found.variance[row, curve] / TEMPER)
    normal, other = random.normal(size=(2, draws))
    scale = found.amplitude[row, curve] + spread * normal / np.sqrt(found.precision[row, curve])
    scale = np.maximum(scale, 0.0)
    level = LEVEL * spread * other / np.sqrt(found.total[row])
    pivot = np.where(np.isinf(found.total[row]), 0.0, ends[curve, 0])
    level = level + found.mean[row] + scale * (pivot - found.mean_lift[row, curve])
    left = np.maximum(most - level, 0.0)
    for limit, begin in ((left, pivot), (MOST_GAIN, ends[curve, 0])):
        gain = scale * (ends[curve, 1] - begin)
        scale = scale * np.where(gain > limit, limit / np.where(gain > 0, gain, 1.0), 1.0)
    return Drawn(curve, scale, level - scale * pivot)


def draw_curves(
    data: Measurements,
    prior: Prior,
    draws: int,
    seed: int = 0,
    ceiling: float | None = None,
    baseline: float | None = None,
    done: Callable[[int], None] = lambda count: None,
) -> Draws:
    """Draws of every project's curve: families, numbers, scales and baselines in the units of the data.

    **Arguments:** `prior`, what curves can be like; `draws`, how many; `seed`, of the draws; `ceiling`, the
    performance that no draw exceeds within eight times a project's largest effort; `baseline`, that of every
    draw without effort, where it is known; `done` hears of projects that are.
    """
    points = points_of(data, baseline)
    shape = draws, len(data.names)
    drawn = Drawn(np.zeros(shape, int), np.zeros(shape), np.zeros(shape))

    def draw_some(group: tuple[np.ndarray, int]) -> None:
        rows, count = group
        for project, own in zip(rows, _of_alike(points.take(rows, count), prior, ceiling), strict=True):
            random = np.random.default_rng([seed, zlib.crc32(data.names[project].encode())])
            for whole, values in zip(drawn, draw_one(*own, draws, random), strict=True):
                whole[:, project] = values
        done(rows.size)

    in_threads(draw_some, _alike(points.effort, data.counts), cores())
    return _in_units(prior, points, drawn)


def _of_alike(
    points: Points, prior: Prior, ceiling: float | None
) -> Iterator[tuple[Posterior, int, np.ndarray, float]]:
    """What each of these projects is drawn from, which have the same efforts."""
    effort = points.effort[0]
    some = merged(points)
    marks = np.array([effort[np.argmax(effort > 0)], 1.0, HORIZON])
    lifts = np.concatenate([k.lifts(f, np.append(some.effort[0], marks)) for f, k in prior.families.items()])
    noise, headroom = (
        np.concatenate([getattr(known, name) for known in prior.families.values()])
        for name in ("noise", "headroom")
    )
    most, bonus = np.full(len(some.low), np.inf), np.zeros((len(some.low), 1))
    if ceiling is not None:
        most = (ceiling - some.low) / some.range
        own = np.log(room(some.last, np.ones_like(most), most))
        bonus = np.nan_to_num(-0.5 * ((own[:, None] - headroom) / ROOM) ** 2)
    found = weigh(some, lifts[:, :-3], lifts[:, -2] - lifts[:, -3], noise, bonus)
    for row in range(len(most)):
        yield found, row, lifts[:, -2:], most[row]


def _alike(effort: np.ndarray, counts: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
    """(projects with the same efforts, how many efforts), a block at a time."""
    rows = np.concatenate([effort, counts[:, None]], axis=1)
    kind = np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)
    for one in range(kind.max() + 1):
        same = np.flatnonzero(kind == one)
        for begin in range(0, same.size, TOGETHER):
            block = same[begin : begin + TOGETHER]
            yield block, int(counts[block[0]])


def _in_units(prior: Prior, points: Points, drawn: Drawn) -> Draws:
    """Draws in the units of the data, of the families that occur."""
    sizes = [known.noise.size for known in prior.families.values()]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    family = np.searchsorted(starts, drawn.curve, side="right") - 1
    baseline = points.low + drawn.baseline * points.range
    numbers: dict[str, dict[str, np.ndarray]] = {}
    choice = np.zeros(family.shape, np.int32)
    for index, (name, known) in enumerate(prior.families.items()):
        mine = family == index
        if not np.any(mine):
            continue
        choice[mine] = len(numbers)
        place = np.where(mine, drawn.curve - starts[index], 0)
        pairs = zip(SHAPES[name].parameters, SHAPES[name].effort_power, strict=True)
        numbers[name] = {
            "scale": SHAPES[name].sign * np.where(mine, drawn.scale * points.range, 0.0),
            **{n: known.numbers[n][place] * points.unit**power for n, power in pairs},
            "baseline": baseline,
        }
    return Draws(choice, numbers)


def evaluate(
    draws: Draws, effort: Float[np.ndarray, "projects efforts"]
) -> Float[np.ndarray, "draws projects efforts"]:
    """The performance of every draw at efforts of its project."""
    found = np.zeros((*draws.choice.shape, effort.shape[1]))
    with jax.enable_x64(True):
        for place, (family, numbers) in enumerate(draws.numbers.items()):
            kind: Any = FAMILIES[family]
            curve = kind(**{name: jnp.asarray(values)[..., None] for name, values in numbers.items()})
            values = _value(curve, jnp.asarray(effort, float)[None])
            np.copyto(found, values, where=(draws.choice == place)[..., None])
    return found


@jax.jit
def _value(curve: Any, effort: Array) -> Array:
    return curve.value(effort)
