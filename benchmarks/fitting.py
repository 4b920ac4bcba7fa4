"""Fitting: a thousand real curves, all families, beside a loop of SciPy's curve_fit.

    python -m benchmarks.fitting           1,000 curves; results/fitting.json

Both fit dimensionless curves by weighted least squares within the same limits of the numbers searched, with
no limit of the scale, and keep the best of each curve and family. `curve_fit` has a handful of starts, and at
each scale and baseline from a linear regression. Errors are root mean square, weighted, of the best fit.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import curve_fit

from benchmarks.curves import load_curves, select
from benchmarks.machine import save
from engine.fitting.scaled import predict, scale
from engine.fitting.search import search
from engine.fitting.shapes import SHAPES

CURVES = 1000
EVALUATIONS = 400
# As shares of the way between the limits, for families of one and of two numbers.
STARTS = {1: [(0.25,), (0.5,), (0.75,)], 2: [(0.35, 0.5), (0.65, 0.5), (0.5, 0.35), (0.5, 0.65)]}


def scipy_fit(family: str, x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> float:
    """The least weighted error of curve_fit from all starts."""
    shape, best = SHAPES[family], np.inf

    def phi(theta: Sequence[float], x: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return shape.at(x[None], np.array([theta]))[0][0]

    def model(x: np.ndarray, scale: float, baseline: float, *theta: float) -> np.ndarray:
        return baseline + scale * phi(theta, x)

    lowest, highest = (end[0] for end in shape.limits(x[:1]))
    low, high = [0.0, -np.inf, *lowest], [np.inf, np.inf, *highest]
    for share in STARTS[len(lowest)]:
        start = lowest + np.array(share) * (highest - lowest)
        design = np.stack([phi(start, x), np.ones_like(x)], axis=1)
        root = np.sqrt(weight)
        slope, level = np.linalg.lstsq(design * root[:, None], y * root, rcond=None)[0]
        try:
            numbers, *_ = curve_fit(
                *(model, x, y, [max(slope, 1e-9), level, *start]),
                sigma=1.0 / root,
                bounds=(low, high),
                max_nfev=EVALUATIONS,
            )
        except (RuntimeError, ValueError):
            continue
        best = min(best, float(np.sqrt(np.mean(weight * (y - model(x, *numbers)) ** 2))))
    return best


def main() -> None:
    """Fit both ways, print, save."""
    everything = load_curves(least_points=8)
    picks = np.random.default_rng(0).choice(len(everything.names), CURVES, replace=False)
    scaled = scale(select(everything, np.sort(picks)))
    counts = np.sum(scaled.weight > 0, axis=1)
    rows: dict[str, Any] = {}
    ours = theirs = 0.0
    for family, shape in SHAPES.items():
        begin = time.perf_counter()
        with np.errstate(all="ignore"):
            fit = search(shape, scaled.curves(shape, scaled.weight, np.inf))
        seconds = time.perf_counter() - begin
        error = scaled.performance - predict(shape, fit, scaled.effort)
        mine = np.sqrt(np.sum(scaled.weight * error**2, axis=1) / counts)
        begin = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parts = zip(scaled.effort, scaled.performance, scaled.weight, counts, strict=True)
            other = np.array([scipy_fit(family, x[:n], y[:n], weight[:n]) for x, y, weight, n in parts])
        loop = time.perf_counter() - begin
        ours, theirs = ours + seconds, theirs + loop
        rows[family] = {
            "median_error": float(np.median(mine)),
            "median_error_curve_fit": float(np.median(other)),
            "worse_by_a_hundredth": float(np.mean(mine > 1.01 * other + 1e-9)),
            "better_by_a_hundredth": float(np.mean(other > 1.01 * mine + 1e-9)),
            "seconds": round(seconds, 3),
            "seconds_curve_fit": round(loop, 2),
        }
        print(family, rows[family], flush=True)
    figures = {"curves": CURVES, "ratio": round(theirs / ours, 1)}
    print(figures)
    print(f"saved {save('fitting', {**figures, 'families': rows})}")


if __name__ == "__main__":
    main()
