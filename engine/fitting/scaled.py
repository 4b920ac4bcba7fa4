"""Measurements without their units, and fits of them in the units of the data again."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from engine.files.measurements import Measurements
from engine.fitting.search import Curves, Fit
from engine.fitting.shapes import SHAPES, Shape


class Scaled(NamedTuple):
    """Measurements in units of each project's largest effort and range of performance.

    `first` is the smallest positive effort, `baseline` the performance without effort where known, else NaN.
    """

    effort: np.ndarray
    performance: np.ndarray
    weight: np.ndarray
    unit: np.ndarray
    level: np.ndarray
    range: np.ndarray
    first: np.ndarray
    baseline: np.ndarray

    def curves(self, shape: Shape, weight: np.ndarray, most: float | np.ndarray) -> Curves:
        """What is searched, with these weights and this largest rise to the ceiling."""
        mosts, limits = np.broadcast_to(np.asarray(most, float), self.first.shape), shape.limits(self.first)
        return Curves(self.effort, self.performance, weight, *limits, self.first, mosts, self.baseline)


def scale(data: Measurements, baseline: float | None = None) -> Scaled:
    """Dimensionless measurements; weights with mean 1 over the points that are there."""
    there = data.weight > 0
    most = np.max(np.where(there, data.effort, -np.inf), axis=1)
    unit = np.where(most > 0, most, 1.0)
    high = np.max(np.where(there, data.performance, -np.inf), axis=1)
    low = np.min(np.where(there, data.performance, np.inf), axis=1)
    span = np.where(high > low, high - low, 1.0)
    weight = data.weight * data.counts[:, None] / np.sum(data.weight, axis=1, keepdims=True)
    first = np.min(np.where(there & (data.effort > 0), data.effort, unit[:, None]), axis=1) / unit
    known = np.full(unit.shape, np.nan if baseline is None else baseline)
    return Scaled(
        np.where(there, data.effort / unit[:, None], 0.0),
        np.where(there, (data.performance - low[:, None]) / span[:, None], 0.0),
        weight,
        unit,
        low,
        span,
        first,
        (known - low) / span,
    )


def medians(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """The median of each row's values that are there; 0 of none."""
    count, ordered = np.sum(there, axis=1), np.sort(np.where(there, values, np.inf), axis=1)
    middle = np.stack([np.maximum(count - 1, 0) // 2, count // 2], axis=1)
    middle = np.minimum(middle, values.shape[1] - 1)
    return np.where(count > 0, np.mean(np.take_along_axis(ordered, middle, axis=1), axis=1), 0.0)


def predict(shape: Shape, fit: Fit, effort: np.ndarray) -> np.ndarray:
    """Dimensionless performance at dimensionless efforts [projects, points]."""
    return np.asarray(fit.baseline[:, None] + fit.scale[:, None] * shape.at(effort, fit.theta)[0])


def natural(family: str, scaled: Scaled, fit: Fit) -> dict[str, np.ndarray]:
    """The numbers of dimensionless fits [..., projects] in the units of the data."""
    shape = SHAPES[family]
    numbers = {}
    for place, (name, power) in enumerate(zip(shape.parameters, shape.effort_power, strict=True)):
        values = np.exp(fit.theta[..., place]) * scaled.unit**power
        numbers[name] = -values if shape.sign < 0 and name == "exponent" else values
    return {
        "scale": shape.sign * fit.scale * scaled.range,
        **numbers,
        "baseline": scaled.level + fit.baseline * scaled.range,
    }
