"""Fitting: from measurements to curves, chosen by how well they foretell the largest efforts.

Every family here is linear in two of its numbers, performance = b + a·shape(x; θ), so a fit searches θ alone:
at each θ the best a ≥ 0 and b are weighted means (variable projection). Efforts are measured in units of the
largest, and θ lies in a box of orders of magnitude around it; a handful of starts, the same for all curves,
are polished by Levenberg–Marquardt, all curves and starts at once. A robust loss (Huber's) keeps single
outliers from bending a curve.

Allocation asks what lies beyond the efforts that were paid for. So a family is chosen by fitting it to the
smaller efforts of each project and scoring it on the largest ones. One curve's score is mostly noise: over
1,813 real learning curves the family with the best score of each curve foretells worse than the one that is
best for all of them together. So the choice is common, by the mean logarithm of the scores, unless it is
asked for each project. AICc stands beside it, and decides where too few points are left to validate on.
Uncertainty is a residual bootstrap: draws of all projects' curves that a scenario samples.

Sources: Golub & Pereyra (1973) for variable projection; Levenberg (1944), Marquardt (1963); Huber (1964);
Hurvich & Tsai (1989) for AICc; Efron (1979) for the bootstrap.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array

from engine.allocation.running import cores, in_threads
from engine.files.measurements import Measurements, as_measurements
from engine.fitting.fitted import FamilyFit, Fitted
from engine.fitting.shapes import LEAST_BEND, SHAPES, Fit, box, fit_from, lift

# Fits side by side in one call, and what the number of points is a multiple of.
ROWS, POINTS = 256, 8
HOLDOUT = 0.2
# The chosen family's draws are of what remains after its own numbers are fitted.
HUBER = 1.5
ROBUST_PASSES = 4


@functools.lru_cache(maxsize=64)
def _compiled(family: str) -> Callable[..., Fit]:
    """Rows of a start, efforts, performances and weights each, fitted side by side."""
    return jax.jit(jax.vmap(functools.partial(fit_from, family)))


def starts_of(family: str) -> np.ndarray:
    """The starts of a family, without bounds."""
    return box(SHAPES[family], np.asarray(SHAPES[family].starts, float))


class Scaled(NamedTuple):
    """Measurements in units of each project's largest effort and range of performance."""

    effort: np.ndarray
    performance: np.ndarray
    weight: np.ndarray
    unit: np.ndarray
    level: np.ndarray
    range: np.ndarray


def scale(data: Measurements) -> Scaled:
    """Dimensionless measurements; weights with mean 1 over the points that are there."""
    there = data.weight > 0
    most = np.max(np.where(there, data.effort, -np.inf), axis=1)
    unit = np.where(most > 0, most, 1.0)
    high = np.max(np.where(there, data.performance, -np.inf), axis=1)
    low = np.min(np.where(there, data.performance, np.inf), axis=1)
    span = np.where(high > low, high - low, 1.0)
    weight = data.weight * data.counts[:, None] / np.sum(data.weight, axis=1, keepdims=True)
    return Scaled(
        np.where(there, data.effort / unit[:, None], 0.0),
        np.where(there, (data.performance - low[:, None]) / span[:, None], 0.0),
        weight,
        unit,
        low,
        span,
    )


def fit(
    data: Measurements | str | Path | Any,
    families: Sequence[str] = tuple(SHAPES),
    *,
    holdout: float = HOLDOUT,
    loss: str = "huber",
    choice: str = "common",
    bootstrap: int = 0,
    seed: int = 0,
) -> Fitted:
    """Fit curves to measurements: every family to every project, choose among them, and draw refits.

    **Arguments:** `data`, `Measurements`, the path of a file of them, or a data frame with its columns;
    `families`, of `SHAPES`; `holdout`, the share of efforts, the largest, that families are
    scored on; `loss`, huber or squares; `choice`, common to all projects or made for each; `bootstrap`, how
    many draws.

    **Raises:** `ValueError` naming what cannot be.
    """
    check_fit(families, holdout, loss, choice, bootstrap)
    data = as_measurements(data)
    with jax.enable_x64(True):
        scaled = scale(data)
        training, testing = split(scaled, holdout)
        found = {}
        for family in families:
            everything = run_fit(family, scaled, scaled.weight, loss)
            cheap = run_fit(family, scaled, training, loss)
            found[family] = describe(family, scaled, data, everything, cheap, testing, training)
        chosen = choose(list(found.values()), choice)
        draws = draw_refits(scaled, found, chosen, loss, bootstrap, seed) if bootstrap else {}
    return Fitted(data, found, chosen, draws)


def check_fit(families: Sequence[str], holdout: float, loss: str, choice: str, bootstrap: int) -> None:
    """The options of `fit`."""
    for family in families:
        if family not in SHAPES:
            raise ValueError(f"unknown family {family!r}, expected one of {', '.join(SHAPES)}")
    if not families:
        raise ValueError("families is empty, expected at least one")
    if not 0 < holdout < 1:
        raise ValueError(f"holdout is {holdout}, expected a share between 0 and 1")
    if loss not in ("huber", "squares"):
        raise ValueError(f"loss is {loss!r}, expected huber or squares")
    if choice not in ("common", "each"):
        raise ValueError(f"choice is {choice!r}, expected common or each")
    if bootstrap < 0:
        raise ValueError(f"bootstrap is {bootstrap}, expected a number of at least 0")


def split(scaled: Scaled, holdout: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the smaller efforts, and of the largest ones: at least one, at most all but two."""
    counts = np.sum(scaled.weight > 0, axis=1)
    held = np.clip(np.round(holdout * counts), 1, np.maximum(counts - 2, 0))
    place = np.arange(scaled.effort.shape[1])[None]
    late = place >= (counts - held)[:, None]
    return np.where(late, 0.0, scaled.weight), np.where(late, scaled.weight, 0.0)


def run_fit(
    family: str, scaled: Scaled, weight: np.ndarray, loss: str, starts: np.ndarray | None = None
) -> Fit:
    """Fit a family to every project with these weights."""
    if starts is None:
        starts = np.broadcast_to(starts_of(family), (len(scaled.effort), *starts_of(family).shape))
    fit = _fit(family, starts, scaled, weight)
    # Huber's loss by weights that fall with the residuals, from their own spread.
    for _ in range(ROBUST_PASSES if loss == "huber" else 0):
        residual = np.abs(scaled.performance - predict(family, fit, scaled.effort)) * np.sqrt(weight)
        spread = np.ma.median(np.ma.masked_array(residual, weight <= 0), axis=1).filled(0.0) / 0.6745
        bend = np.maximum(HUBER * spread, LEAST_BEND)[:, None]
        lighter = weight * np.minimum(1.0, bend / np.maximum(residual, LEAST_BEND))
        fit = _fit(family, box(SHAPES[family], fit.theta)[:, None], scaled, lighter)
    return fit


def _fit(family: str, starts: np.ndarray, scaled: Scaled, weight: np.ndarray) -> Fit:
    """Each curve from each of its starts [curves, starts, numbers], and the best of them.

    Rows and points are filled up to round numbers, so that code compiled for one table serves others.
    """
    curves, count, numbers = starts.shape
    spare = -scaled.effort.shape[1] % POINTS
    data = [np.pad(a, ((0, 0), (0, spare))) for a in (scaled.effort, scaled.performance, weight)]
    rows = [starts.reshape(-1, numbers), *(np.repeat(a, count, axis=0) for a in data)]
    total = curves * count
    places = [np.minimum(np.arange(i, i + ROWS), total - 1) for i in range(0, total, ROWS)]

    def run(place: np.ndarray) -> Fit:
        return Fit(*map(np.asarray, _compiled(family)(*(a[place] for a in rows))))

    first = run(places[0])  # compiled once, before the threads begin
    parts = [first, *in_threads(run, places[1:], cores())]
    joined = [np.concatenate(leaves)[:total] for leaves in zip(*parts, strict=True)]
    found = Fit(*(leaf.reshape(curves, count, *leaf.shape[1:]) for leaf in joined))
    best = np.argmin(found.loss, axis=1)
    return Fit(*(leaf[np.arange(curves), best] for leaf in found))


@functools.lru_cache(maxsize=64)
def _lifts(family: str) -> Callable[..., Array]:
    return jax.jit(jax.vmap(functools.partial(lift, family)))


def predict(family: str, fit: Fit, effort: np.ndarray) -> np.ndarray:
    """Dimensionless performance at dimensionless efforts [projects, points]."""
    lifts = np.asarray(_lifts(family)(fit.theta, effort))
    return np.asarray(fit.baseline[:, None] + fit.scale[:, None] * lifts)


def describe(
    family: str,
    scaled: Scaled,
    data: Measurements,
    fit: Fit,
    cheap: Fit,
    testing: np.ndarray,
    training: np.ndarray,
) -> FamilyFit:
    """A family's fit in the units of the data, and how good it is."""
    numbers = len(SHAPES[family].parameters) + 2
    error = scaled.performance - predict(family, fit, scaled.effort)
    counts, weight = data.counts, scaled.weight
    squares = np.sum(weight * error**2, axis=1)
    mean = np.sum(weight * scaled.performance, axis=1, keepdims=True) / counts[:, None]
    variance = np.sum(weight * (scaled.performance - mean) ** 2, axis=1)
    ahead = scaled.performance - predict(family, cheap, scaled.effort)
    held = np.sum(testing, axis=1)
    known = np.sum(training > 0, axis=1) > numbers
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.sqrt(np.sum(testing * ahead**2, axis=1) / held) * scaled.range
        # One more number than the curve has: the spread.
        spare = counts - numbers - 2
        penalty = 2 * (numbers + 1) * counts / spare
        aicc = counts * np.log(np.maximum(squares / counts, 1e-300)) + penalty
        r2 = np.where(variance > 0, 1.0 - squares / variance, np.nan)
    return FamilyFit(
        family,
        natural(family, scaled, fit),
        np.where(known, score, np.nan),
        np.sqrt(squares / counts) * scaled.range,
        r2,
        np.where(spare > 0, aicc, np.inf),
        np.asarray(fit.theta),
    )


def natural(family: str, scaled: Scaled, fit: Fit) -> dict[str, np.ndarray]:
    """The numbers of dimensionless fits [..., projects] in the units of the data."""
    shape = SHAPES[family]
    numbers = {}
    for place, (name, power) in enumerate(zip(shape.parameters, shape.effort_power, strict=True)):
        values = 10.0 ** fit.theta[..., place] * scaled.unit**power
        numbers[name] = -values if shape.sign < 0 and name == "exponent" else values
    return {
        "scale": shape.sign * fit.scale * scaled.range,
        **numbers,
        "baseline": scaled.level + fit.baseline * scaled.range,
    }


def choose(fits: list[FamilyFit], choice: str = "common") -> np.ndarray:
    """The index of the family of the least validated error, or else of the least AICc, of each project."""
    error = np.stack([fit.error for fit in fits])
    aicc = np.stack([fit.aicc for fit in fits])
    residual = np.stack([fit.residual for fit in fits])
    validated = np.all(np.isfinite(error), axis=0)
    # With too few points for either, the family that fits best.
    fallback = np.where(np.any(np.isfinite(aicc), axis=0), aicc, residual)
    each = np.argmin(np.where(validated, error, fallback), axis=0)
    if choice == "each" or not np.any(validated):
        return each
    logarithm = np.log(np.maximum(error[:, validated], np.finfo(float).tiny))
    return np.full(each.shape, np.argmin(np.mean(logarithm, axis=1)))


def draw_refits(
    scaled: Scaled, fits: dict[str, FamilyFit], chosen: np.ndarray, loss: str, draws: int, seed: int
) -> dict[str, dict[str, np.ndarray]]:
    """Refits of every project's chosen family to its own curve plus resampled residuals."""
    random = np.random.default_rng(seed)
    result = {}
    for index, (family, found) in enumerate(fits.items()):
        whole = {name: np.repeat(v[None], draws, axis=0) for name, v in found.parameters.items()}
        mine = np.flatnonzero(chosen == index)
        if mine.size:
            part = Scaled(*(a[mine] for a in scaled))
            values = resample(family, part, found, mine, draws, random)
            flat = Scaled(*(np.concatenate([a] * draws) for a in part))._replace(performance=values)
            start = box(SHAPES[family], np.concatenate([found.theta[mine]] * draws))[:, None]
            refit = run_fit(family, flat, flat.weight, loss, start)
            numbers = natural(family, flat, refit)
            for name, values in numbers.items():
                whole[name][:, mine] = values.reshape(draws, mine.size)
        result[family] = whole
    return result


def resample(
    family: str, scaled: Scaled, found: FamilyFit, mine: np.ndarray, draws: int, random: np.random.Generator
) -> np.ndarray:
    """[draws·projects, points]: the fitted curve plus its own residuals, drawn with replacement."""
    there = scaled.weight > 0
    fit = Fit(
        found.theta[mine],
        SHAPES[family].sign * found.parameters["scale"][mine] / scaled.range,
        (found.parameters["baseline"][mine] - scaled.level) / scaled.range,
        np.zeros(mine.size),
    )
    curve = predict(family, fit, scaled.effort)
    counts = np.sum(there, axis=1)
    spare = np.maximum(counts - len(SHAPES[family].parameters) - 2, 1)
    # Residuals are smaller than the noise by the numbers fitted; weights make them alike.
    noise = (scaled.performance - curve) * np.sqrt(scaled.weight) * np.sqrt(counts / spare)[:, None]
    pick = random.integers(0, counts[None, :, None], (draws, *scaled.effort.shape))
    drawn = np.take_along_axis(np.broadcast_to(noise, pick.shape), pick, axis=2)
    scatter = drawn / np.sqrt(np.where(there, scaled.weight, 1.0))
    return np.where(there, curve + scatter, 0.0).reshape(-1, scaled.effort.shape[1])
