"""How each family is searched: its shape φ(x; θ), the slopes of φ in θ, and the limits of θ.

θ holds the natural logarithms of a family's numbers besides scale and baseline, at efforts in units of the
largest. Limits count from the data's own ends: a number measured in effort lies so many powers of ten about
the smallest positive effort and the largest, so that measurements over ten decades are searched as far around
as those over one.

The formulas are those of `engine.model.curves`, here for NumPy: a handful of curves is fitted before a
compiler would have begun.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Values = Float[np.ndarray, "rows points"]
# One number of θ, of every row.
Number = Float[np.ndarray, "rows 1"]
# φ, and what gives its slope in each number of θ.
Sloped = tuple[Values, Callable[[], tuple[Values, ...]]]
# A curve that saturates does so within this many times the range of performance measured, counted from the
# smallest positive effort, unless the measurements refute it.
MOST_RANGES = 3.0
LARGEST_LOGARITHM = 60.0
LEAST_EFFORT = 1e-300


def _log(x: Values, rate: Number) -> Sloped:
    load = np.exp(rate) * x
    return np.log1p(load), lambda: (load / (1.0 + load),)


def _power(x: Values, exponent: Number, shift: Number) -> Sloped:
    p, s = np.exp(exponent), np.exp(shift)
    fall = -p * np.log1p(x / s)
    share = -np.expm1(fall)
    return share, lambda: (-fall * (1.0 - share), -p * (1.0 - share) * x / (s + x))


def _exponential(x: Values, rate: Number) -> Sloped:
    load = np.exp(rate) * x
    share = -np.expm1(-load)
    return share, lambda: (load * (1.0 - share),)


def _hill(x: Values, half: Number, exponent: Number) -> Sloped:
    h = np.exp(exponent)
    odds = h * (np.log(np.maximum(x, LEAST_EFFORT)) - half)
    share = _sigmoid(odds)

    def slopes() -> tuple[Values, ...]:
        bend = share * (1.0 - share)
        return -h * bend, odds * bend

    return share, slopes


def _weibull(x: Values, rate: Number, exponent: Number) -> Sloped:
    h = np.exp(exponent)
    logarithm = np.minimum(h * (np.log(np.maximum(x, LEAST_EFFORT)) + rate), LARGEST_LOGARITHM)
    load = np.exp(logarithm)
    share = -np.expm1(-load)

    def slopes() -> tuple[Values, ...]:
        bend = load * (1.0 - share)
        return h * bend, logarithm * bend

    return share, slopes


def _logistic(x: Values, rate: Number, midpoint: Number) -> Sloped:
    b, m = np.exp(rate), np.exp(midpoint)
    now, never, left = _sigmoid(b * (x - m)), _sigmoid(-b * m), _sigmoid(b * m)
    share = (now - never) / left

    def slopes() -> tuple[Values, ...]:
        bend, first = now * (1.0 - now), (1.0 - share) * (never * left * b * m)
        return (bend * (b * (x - m)) + first) / left, (first - bend * (b * m)) / left

    return share, slopes


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-np.maximum(x, -700.0)))


@dataclass(frozen=True)
class Shape:
    """How a family is searched: its numbers besides scale and baseline, each with the power of effort that it
    is measured in, and its limits as decimal logarithms; its shape and its slopes.

    Limits of an effort: `low` counts from the smallest positive effort, `high` from the largest; of a rate:
    `low` from one over the largest, `high` from one over the smallest. `most` is the largest rise from the
    smallest positive effort to the ceiling, in ranges of the performance measured: what no measurement hints
    at is not promised. `sign` is that of the family's scale where its curves rise. `spared` names a number
    that stays at its lowest unless the measurements refute that.
    """

    parameters: tuple[str, ...]
    effort_power: tuple[int, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    sloped: Callable[..., Sloped]
    sign: float = 1.0
    most: float = MOST_RANGES
    spared: str = ""

    @property
    def cells(self) -> tuple[int, ...]:
        """How many starts there are along each number."""
        return (16,) if len(self.parameters) == 1 else (8, 8)

    def at(self, x: Values, theta: Float[np.ndarray, "rows numbers"]) -> Sloped:
        """(φ, what gives its slopes in θ) of every row."""
        return self.sloped(x, *(theta[:, place, None] for place in range(theta.shape[1])))

    def limits(self, first: Float[np.ndarray, " rows"]) -> tuple[np.ndarray, np.ndarray]:
        """(lowest, highest) θ [rows, numbers], given each row's smallest positive effort."""
        power, depth = np.array(self.effort_power), np.log(first)[:, None]
        low, high = (np.array(end) * math.log(10.0) for end in (self.low, self.high))
        return low + depth * (power > 0), high - depth * (power < 0)

    def starts(self) -> Float[np.ndarray, "starts numbers"]:
        """The middles of a grid's cells, as shares of the way from the lowest number to the highest."""
        axes = [(np.arange(count) + 0.5) / count for count in self.cells]
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))


SHAPES: dict[str, Shape] = {
    "log": Shape(("rate",), (-1,), (-3,), (3,), _log, most=math.inf),
    # b + a(1 − (1 + x/s)^−p), the power law that saturates; its scale and exponent are negative. At the
    # lowest shift it is one of effort itself.
    "power": Shape(("exponent", "shift"), (0, 1), (-2, -4), (1.5, 2), _power, sign=-1.0, spared="shift"),
    "exponential": Shape(("rate",), (-1,), (-2,), (2,), _exponential),
    "hill": Shape(("half", "exponent"), (1, 0), (-2, -1.3), (2, 1.3), _hill),
    "weibull": Shape(("rate", "exponent"), (-1, 0), (-2, -1.3), (2, 1.3), _weibull),
    "logistic": Shape(("rate", "midpoint"), (-1, 1), (-1, -1), (1, 0.5), _logistic),
}
