"""Do the bands hold where nobody says how noisy the measurements are?

    python -m benchmarks.noisy_bands       curves that are known; results/noisy_bands.json

A third each of power laws, Hill curves and exponential ones, measured at so many efforts from 1/32 to 1, with
independent normal noise of so large a share of the range up to there, and no standard error. Shares of the
true values at 2, 4 and 8 times the largest effort that lie within the bands. The shapes are drawn at random,
not from the prior; `learning_curves` and none at all are the priors that the draws are made with.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.bands import AHEAD, DRAWS, LEVELS
from benchmarks.machine import save
from engine.files.measurements import Measurements
from engine.fitting.bands import draw_curves, evaluate
from engine.fitting.prior import Prior, load_prior
from engine.fitting.shapes import SHAPES

CURVES, SMALLEST = 600, 1.0 / 32.0
POINTS, NOISE = (8, 12, 20, 40, 200), (0.01, 0.03, 0.1)


def simulate(
    points: int, noise: float, curves: int = CURVES, seed: int = 0
) -> tuple[Measurements, np.ndarray]:
    """(measurements without standard errors, true performance at AHEAD)."""
    random = np.random.default_rng(seed)
    exponent, half = random.uniform(0.2, 1.0, curves), 10 ** random.uniform(-1.5, 0.5, curves)
    steepness, rate = random.uniform(0.6, 2.0, curves), 10 ** random.uniform(-0.3, 1.0, curves)

    def truth(effort: np.ndarray) -> np.ndarray:
        x = effort[:, None]
        kinds = 1 - (1 + x / half) ** -exponent, 1 / (1 + (half / x) ** steepness), 1 - np.exp(-rate * x)
        return np.choose(np.arange(curves) % len(kinds), kinds).T

    effort = np.geomspace(SMALLEST, 1.0, points)
    performance = truth(effort)
    performance = performance + noise * np.ptp(performance, axis=1)[:, None] * random.normal(
        size=performance.shape
    )
    names = tuple(f"curve {i}" for i in range(curves))
    efforts = np.tile(effort, (curves, 1))
    return Measurements(names, efforts, performance, np.ones_like(efforts)), truth(np.array(AHEAD, float))


def coverage(data: Measurements, truth: np.ndarray, prior: Prior) -> np.ndarray:
    """Shares of the true values within the bands, [levels, AHEAD]."""
    at = np.tile(np.array(AHEAD, float), (len(data.names), 1))
    values, share = evaluate(draw_curves(data, prior, DRAWS), at), np.array(LEVELS)
    low, high = (np.quantile(values, ends, axis=0) for ends in ((1 - share) / 2, (1 + share) / 2))
    return np.mean((low <= truth) & (truth <= high), axis=1)


def main() -> None:
    """Simulate, draw, count, print, save."""
    figures: dict[str, Any] = {"levels": LEVELS, "ahead": AHEAD, "draws": DRAWS, "curves": CURVES}
    for name in ("learning_curves", None):
        prior, rows = load_prior(name, tuple(SHAPES)), []
        for points in POINTS:
            for noise in NOISE:
                found = coverage(*simulate(points, noise), prior)
                rows.append({"points": points, "noise": noise, "coverage": found.tolist()})
                shares = "; ".join(" ".join(f"{c:.0%}" for c in row) for row in found)
                print(f"{name}: {points} points, noise {noise:.0%}: {shares}", flush=True)
        figures[name or "without prior"] = rows
    print(f"saved {save('noisy_bands', figures)}")


if __name__ == "__main__":
    main()
