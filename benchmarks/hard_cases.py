"""Hard cases: portfolios that a core of levels is bound to have trouble with, and some that it should not."""

from __future__ import annotations

import numpy as np

from engine import Hill, Lifecycle, Portfolio, Tabulated

# Instances of 160 units, large enough that cores come before the full programme.

UNITS = 160.0
ROWS, PROJECTS = 24, 8


def steps(weight: np.ndarray, profit: np.ndarray) -> Tabulated:
    """A 0/1 knapsack: item i pays its profit from `weight` units on."""
    return Tabulated(np.where(np.arange(UNITS + 1) >= weight[..., None], profit[..., None], 0.0))


def hard_cases(seed: int = 5) -> dict[str, Portfolio]:
    """Portfolios that a core is bound to have trouble with, as well as some that it should not."""
    rng = np.random.default_rng(seed)
    shape = (ROWS, PROJECTS)
    one = (ROWS, 1)
    weight = rng.integers(10, 90, shape).astype(float)
    staged = (ROWS, PROJECTS, 3)

    def lognormal(sigma: float, size: tuple[int, ...] = shape) -> np.ndarray:
        return np.exp(rng.normal(0.0, sigma, size))

    def half(size: tuple[int, ...] = shape) -> np.ndarray:
        return 20.0 * lognormal(0.6, size)

    def exponent(size: tuple[int, ...] = shape) -> np.ndarray:
        return rng.uniform(1.0, 4.0, size)

    def spread(a: np.ndarray) -> np.ndarray:
        return np.repeat(a, PROJECTS, axis=1)

    return {
        "S-shaped": Portfolio(Hill(lognormal(0.5), half(), exponent())),
        "equal curves": Portfolio(
            Hill(spread(lognormal(0.5, one)), spread(half(one)), spread(exponent(one)))
        ),
        "flat": Portfolio(Hill(np.zeros(shape), half(), exponent())),
        "all or nothing": Portfolio(Hill(lognormal(0.5), half(), np.full(shape, 60.0))),
        "subset sum": Portfolio(steps(weight, weight)),
        "strongly correlated": Portfolio(steps(weight, weight + 10.0)),
        "steps and plateaus": Portfolio(
            Tabulated(np.cumsum(rng.exponential(1.0, (*shape, 161)) * (rng.random((*shape, 161)) < 0.06), -1))
        ),
        "any shape": Portfolio(Tabulated(rng.normal(0.0, 1.0, (*shape, 161)))),
        "jumps": Portfolio(
            Lifecycle(
                np.sort(rng.integers(0, 60, staged), -1).astype(float),
                np.sort(rng.integers(0, 8, staged), -1).astype(float),
                rng.integers(0, 2, staged).astype(float),
                lognormal(1.0, staged),
            ),
            startup=rng.choice([0.0, 2.5, 9.0], shape),
        ),
        "bounds": Portfolio(
            Hill(lognormal(0.5), half(), exponent()),
            lower=rng.integers(0, 4, shape).astype(float),
            upper=rng.integers(15, 161, shape).astype(float),
        ),
        "integer costs": Portfolio(
            Hill(lognormal(0.5), half(), exponent()), cost=rng.integers(1, 4, shape).astype(float)
        ),
        "a utility": Portfolio(
            Hill(lognormal(0.5), half(), exponent()),
            curvature=rng.uniform(0.0, 2.0, shape),
            threshold=rng.uniform(0.0, 0.6, shape),
        ),
    }
