"""Fitting: from measurements to curves, chosen by how well they foretell the largest efforts.

Every family is fitted to every project by least squares (`engine.fitting.search`), under a robust loss
(Huber's) that keeps single outliers from bending a curve. A ceiling that lies farther above the measurements
than `MOST_RANGES` of their range is believed only where a curve below it is refuted by an F-test.

Allocation asks what lies beyond the efforts that were paid for. So a family is chosen by fitting it to the
smaller efforts of each project and scoring it on the largest ones. One curve's score is mostly noise: over
1,813 real learning curves the family with the best score of each curve foretells worse than the one that is
best for all of them together. So the choice is common, by the mean logarithm of the scores, unless it is
asked for each project. AICc stands beside it, and decides where too few points are left to validate on.
What is not known is drawn by `engine.fitting.bands`: curves of all families, which a scenario samples.

Sources: Huber (1964, 1981); Hurvich & Tsai (1989) for AICc.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.allocation.running import cores, in_threads
from engine.files.measurements import Measurements, as_measurements
from engine.fitting.bands import draw_curves
from engine.fitting.fitted import FamilyFit, Fitted
from engine.fitting.prior import Prior, load_prior
from engine.fitting.scaled import Scaled, medians, natural, predict, scale
from engine.fitting.search import Curves, Fit, polish, search
from engine.fitting.shapes import SHAPES, Shape

# Curves fitted side by side, in a thread: fewer where they have many points, so that they stay in its cache.
ROWS, ENTRIES = 2048, 1 << 16
HOLDOUT = 0.2
PRIOR = "learning_curves"
Tell = Callable[[int, int], None]
HUBER = 1.5
ROBUST_PASSES = 4
# Of the range of the performance: residuals below are rounding.
LEAST_BEND = 1e-6
# Narrow limits are refuted where chance alone would make them fit so badly in this share of curves.
REFUTED = 0.01


def fit(
    data: Measurements | str | Path | Any,
    families: Sequence[str] = tuple(SHAPES),
    *,
    holdout: float = HOLDOUT,
    loss: str = "huber",
    choice: str = "common",
    baseline: float | None = None,
    draws: int = 0,
    prior: Prior | str | Path | None = PRIOR,
    ceiling: float | None = None,
    seed: int = 0,
    tell: Tell | None = None,
    **reading: Any,
) -> Fitted:
    """Fit curves to measurements: every family to every project, choose among them, and draw what may come.

    **Arguments:** `data`, `Measurements`, the path of a file of them or several, or a data frame with its
    columns; `reading`, how those are read, as `engine.load_measurements` says; `families`, of `SHAPES`;
    `holdout`, the share of efforts, the largest, that families are scored on; `loss`, huber or squares;
    `choice`, common to all projects or made for each; `baseline`, the performance of every project without
    effort where it is known, of every draw too, by default fitted; `draws`, how many predictive draws of
    every curve; `prior`, what they may be like: one that is shipped, by its name, of `learn_prior` or its
    file, or None for nothing known; `ceiling`, the performance that no draw exceeds, such as 1 of an
    accuracy; `seed`, of the draws; `tell`, a function that hears how much is done, of how much in all.

    **Raises:** `ValueError` naming what cannot be.
    """
    check_fit(families, holdout, loss, choice, draws)
    data = as_measurements(data, **reading)
    known = load_prior(prior, families) if draws else None
    check_ceiling(data, ceiling)
    done = counter(tell, len(data.names) * (2 * len(families) + (draws > 0)))
    scaled = scale(data, baseline)
    training, testing = split(scaled, holdout)
    found = {}
    for family in families:
        everything = run_fit(family, scaled, scaled.weight, loss, done)
        cheap, _ = run_fit(family, scaled, training, loss, done)
        found[family] = describe(family, scaled, data, everything, cheap, testing, training)
    chosen = choose(list(found.values()), choice, LEAST_BEND * scaled.range)
    drawn = None if known is None else draw_curves(data, known, draws, seed, ceiling, baseline, done)
    return Fitted(data, found, chosen, drawn)


def counter(tell: Tell | None, total: int) -> Callable[[int], None]:
    """A function that any thread may call when so many curves are done."""
    lock, done = threading.Lock(), 0

    def add(count: int) -> None:
        nonlocal done
        with lock:
            done += count
            if tell is not None:
                tell(done, total)

    return add


def check_fit(families: Sequence[str], holdout: float, loss: str, choice: str, draws: int) -> None:
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
    if draws < 0:
        raise ValueError(f"draws is {draws}, expected a number of at least 0")


def check_ceiling(data: Measurements, ceiling: float | None) -> None:
    """The ceiling: a `ValueError` naming a project that was measured above it."""
    most = np.max(np.where(data.weight > 0, data.performance, -np.inf), axis=1)
    if ceiling is not None and not np.all(most <= ceiling):
        name = data.names[int(np.argmax(most))]
        raise ValueError(
            f"ceiling is {ceiling}, expected at least {np.max(most):g}, a performance of {name}, or null"
        )


def split(scaled: Scaled, holdout: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the smaller efforts, and of the largest ones: at least one, at most all but two."""
    counts = np.sum(scaled.weight > 0, axis=1)
    held = np.clip(np.round(holdout * counts), 1, np.maximum(counts - 2, 0))
    place = np.arange(scaled.effort.shape[1])[None]
    late = place >= (counts - held)[:, None]
    return np.where(late, 0.0, scaled.weight), np.where(late, scaled.weight, 0.0)


def run_fit(
    family: str, scaled: Scaled, weight: np.ndarray, loss: str, done: Callable[[int], None]
) -> tuple[Fit, np.ndarray]:
    """(fits of a family to every project with these weights, the largest rise to the ceiling of each)."""
    shape = SHAPES[family]
    curves = scaled.curves(shape, weight, shape.most)
    count, points = weight.shape
    size = max(1, min(ROWS, ENTRIES // points))

    def run(begin: int) -> tuple[Fit, np.ndarray]:
        with np.errstate(all="ignore"):  # numbers that overflow are of fits that lose
            found = _fit_within(shape, curves.take(slice(begin, begin + size)), loss)
        done(min(size, count - begin))
        return found

    fits, mosts = zip(*in_threads(run, range(0, count, size), cores()), strict=True)
    return Fit(*(np.concatenate(values) for values in zip(*fits, strict=True))), np.concatenate(mosts)


def _fit_within(shape: Shape, curves: Curves, loss: str) -> tuple[Fit, np.ndarray]:
    """(fits, the largest rises to the ceiling): some number is spared, and the ceiling kept low, where the
    measurements do not refute it."""
    high = curves.high.copy()
    if shape.spared:
        place = shape.parameters.index(shape.spared)
        high[:, place] = curves.low[:, place]
    narrow = curves._replace(high=high)
    fit, _ = _robust(shape, narrow, search(shape, narrow), loss)
    if shape.spared:
        fit = _unless_refuted(shape, fit, narrow, curves, loss)
    most, tight = curves.most.copy(), np.flatnonzero(fit.capped)
    if tight.size:
        within = curves.take(tight)
        above = within._replace(most=np.full(tight.size, np.inf))
        found = _unless_refuted(shape, fit.take(tight), within, above, loss)
        fit.put(tight, found)
        most[tight[~found.capped]] = np.inf
    return fit, most


def _unless_refuted(shape: Shape, fit: Fit, narrow: Curves, wide: Curves, loss: str) -> Fit:
    """These fits within narrow limits, or ones within wide limits where the measurements refute these."""
    free, weight = _robust(shape, wide, search(shape, wide), loss)
    bound = polish(shape, narrow._replace(weight=weight), fit.theta)
    spare = np.sum(weight > 0, axis=1) - fit.theta.shape[1] - np.isnan(wide.baseline) - 1
    refuted = _refuted(bound.loss, free.loss, spare)
    return Fit(
        *(np.where(refuted.reshape(-1, *[1] * (a.ndim - 1)), b, a) for a, b in zip(fit, free, strict=True))
    )


def _refuted(bound: np.ndarray, free: np.ndarray, spare: np.ndarray) -> np.ndarray:
    """Where squares left within a limit are too many, beside those without, for chance alone: by an F-test of
    one number against so many to spare."""
    from scipy.special import fdtrc  # here, since no other command should wait for it

    ratio = np.maximum(bound / np.maximum(free, np.finfo(float).tiny) - 1.0, 0.0)
    return (spare > 0) & (fdtrc(1, np.maximum(spare, 1), ratio * spare) < REFUTED)


def _robust(shape: Shape, curves: Curves, fit: Fit, loss: str) -> tuple[Fit, np.ndarray]:
    """(fits, weights): Huber's loss by weights that fall with the residuals, from their own spread."""
    weight = lighter = curves.weight
    for _ in range(ROBUST_PASSES if loss == "huber" else 0):
        residual = np.abs(curves.performance - predict(shape, fit, curves.effort)) * np.sqrt(weight)
        spread = medians(residual, weight > 0) / 0.6745
        bend = np.maximum(HUBER * spread, LEAST_BEND)[:, None]
        lighter = weight * np.minimum(1.0, bend / np.maximum(residual, LEAST_BEND))
        fit = polish(shape, curves._replace(weight=lighter), fit.theta)
    return fit, lighter


def describe(
    family: str,
    scaled: Scaled,
    data: Measurements,
    everything: tuple[Fit, np.ndarray],
    cheap: Fit,
    testing: np.ndarray,
    training: np.ndarray,
) -> FamilyFit:
    """A family's fit in the units of the data, and how good it is."""
    shape, (fit, most) = SHAPES[family], everything
    numbers = len(shape.parameters) + 2
    error = scaled.performance - predict(shape, fit, scaled.effort)
    counts, weight = data.counts, scaled.weight
    squares = np.sum(weight * error**2, axis=1)
    mean = np.sum(weight * scaled.performance, axis=1, keepdims=True) / counts[:, None]
    variance = np.sum(weight * (scaled.performance - mean) ** 2, axis=1)
    ahead = scaled.performance - predict(shape, cheap, scaled.effort)
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
        limited(shape, scaled, fit),
        fit.theta,
        most,
    )


def limited(shape: Shape, scaled: Scaled, fit: Fit) -> dict[str, np.ndarray]:
    """Which projects' numbers end on a limit of the search, by number; none of a flat curve's."""
    low, high = shape.limits(scaled.first)
    ends = (fit.theta <= low) | (fit.theta >= high)
    numbers = {name: ends[:, place] for place, name in enumerate(shape.parameters)}
    return {name: where & (fit.scale > 0) for name, where in {"scale": fit.capped, **numbers}.items()}


def choose(fits: list[FamilyFit], choice: str = "common", least: np.ndarray | float = 0.0) -> np.ndarray:
    """The index of the family of the least validated error, or else of the least AICc, of each project.

    **Arguments:** `least`, the error of each project below which there is nothing to choose.
    """
    error = np.maximum(np.stack([fit.error for fit in fits]), least)
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
