"""Fitting: a thousand real curves, all families, beside a loop of SciPy's curve_fit from the same starts.

    python -m benchmarks.fitting           1,000 curves; results/fitting.json

Both fit dimensionless curves by weighted least squares from the same starts and keep the best of each curve
and family; `curve_fit` gets scale and baseline at each start from the same linear regression, and bounds by
the same boxes. Errors are root mean square, weighted, of the best fit. Compilation is timed apart.
"""

from __future__ import annotations

import time
import warnings
from typing import Any

import jax
import numpy as np
from scipy.optimize import curve_fit

from benchmarks.curves import load_curves, select
from benchmarks.machine import save
from engine.fitting.fit import predict, run_fit, scale, starts_of
from engine.fitting.shapes import SHAPES

CURVES = 1000
EVALUATIONS = 400


def shapes(family: str, theta: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The family's shape in NumPy, at decimal logarithms of its numbers."""
    n = 10.0 ** np.asarray(theta)
    with np.errstate(all="ignore"):
        if family == "log":
            return np.log1p(n[0] * x)
        if family == "power":
            return -np.expm1(-n[0] * np.log1p(x / n[1]))
        if family == "exponential":
            return -np.expm1(-n[0] * x)
        if family == "hill":
            return x ** n[1] / (n[0] ** n[1] + x ** n[1])
        if family == "weibull":
            return -np.expm1(-((n[0] * x) ** n[1]))
        low = 1.0 / (1.0 + np.exp(n[0] * n[1]))
        return (1.0 / (1.0 + np.exp(-n[0] * (x - n[1]))) - low) / (1.0 - low)


def scipy_fit(family: str, x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> float:
    """The least weighted error of curve_fit from all starts."""
    shape, best = SHAPES[family], np.inf

    def model(x: np.ndarray, scale: float, baseline: float, *theta: float) -> np.ndarray:
        return baseline + scale * shapes(family, np.array(theta), x)

    low, high = [0.0, -np.inf, *shape.low], [shape.most, np.inf, *shape.high]
    for start in shape.starts:
        design = np.stack([shapes(family, np.array(start), x), np.ones_like(x)], axis=1)
        root = np.sqrt(weight)
        slope, level = np.linalg.lstsq(design * root[:, None], y * root, rcond=None)[0]
        try:
            numbers, *_ = curve_fit(
                *(model, x, y, [min(max(slope, 1e-9), 0.999 * shape.most), level, *start]),
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
    ours = theirs = compiled = 0.0
    with jax.enable_x64(True):
        for family in SHAPES:
            begin = time.perf_counter()
            run_fit(family, scaled, scaled.weight, "squares")
            compiled += time.perf_counter() - begin
            begin = time.perf_counter()
            fit = run_fit(family, scaled, scaled.weight, "squares")
            seconds = time.perf_counter() - begin
            error = scaled.performance - predict(family, fit, scaled.effort)
            mine = np.sqrt(np.sum(scaled.weight * error**2, axis=1) / counts)
            begin = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                other = np.array(
                    [
                        scipy_fit(
                            family, scaled.effort[i, :n], scaled.performance[i, :n], scaled.weight[i, :n]
                        )
                        for i, n in enumerate(counts)
                    ]
                )
            loop = time.perf_counter() - begin
            ours, theirs = ours + seconds, theirs + loop
            rows[family] = {
                "starts": len(starts_of(family)),
                "median_error": float(np.median(mine)),
                "median_error_curve_fit": float(np.median(other)),
                "worse_by_a_hundredth": float(np.mean(mine > 1.01 * other + 1e-9)),
                "better_by_a_hundredth": float(np.mean(other > 1.01 * mine + 1e-9)),
                "seconds": round(seconds, 3),
                "seconds_curve_fit": round(loop, 2),
            }
            print(family, rows[family], flush=True)
    figures = {
        "curves": CURVES,
        "ratio": round(theirs / ours, 1),
        "compile_seconds": round(compiled - ours, 1),
    }
    print(figures)
    print(f"saved {save('fitting', {**figures, 'families': rows})}")


if __name__ == "__main__":
    main()
