"""The shapes of saturation, their mean over draws, and points between which chords are as good as the curve.

    logistic   a·(σ(b(x − m)) − σ(−b m)) / σ(b m)      hill   a·x^h / (k^h + x^h)
    log        a·log(1 + b x)                          root   a·x^h
    linear     a·x

The first three are families of `engine`; the mean of several curves of a family is none, so it is tabulated.
A chord of width w is off by w²·|f″|/8, so knots at equal steps of ∫ √(|f″| / 8ε) dx have equal errors, the
best choice of as many (de Boor, 1973, "Good approximation by splines with variable knots").
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Numbers = dict[str, np.ndarray]
Points = list[tuple[float, float]]
Curve = Callable[[np.ndarray], np.ndarray]
FAMILIES = ("logistic", "hill", "log")
# Chords are within this share of the curve, where it is over FAINT of its largest value, and elsewhere within
# this share of that; below NEAREST of the effort that gives half of it, they are as they come.
ACCURACY, FAINT, NEAREST = 1e-6, 1e-3, 1e-6
# What levels off does so before this many times the effort that gives half; a log ends at so many times 1/b.
FARTHEST, LONG = 1e9, 1e4
FINE, AT_ONCE = 3000, 1 << 20


def _sigmoid(odds: np.ndarray) -> np.ndarray:
    return 0.5 * (1.0 + np.tanh(0.5 * odds))


def _logistic(x: np.ndarray, scale: np.ndarray, rate: np.ndarray, midpoint: np.ndarray) -> np.ndarray:
    # The difference of two sigmoids in product form, without cancellation near 0.
    share = -np.expm1(-rate * x) / (1.0 + np.exp(np.clip(-rate * (x - midpoint), None, 700.0)))
    return scale * share


def _hill(x: np.ndarray, scale: np.ndarray, half: np.ndarray, exponent: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return scale * _sigmoid(exponent * np.log(x / half))


def _log(x: np.ndarray, scale: np.ndarray, rate: np.ndarray) -> np.ndarray:
    return scale * np.log1p(rate * x)


def _root(x: np.ndarray, scale: np.ndarray, exponent: np.ndarray) -> np.ndarray:
    return scale * x**exponent


def _linear(x: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return scale * x


SHAPES: dict[str, Callable[..., np.ndarray]] = {
    "logistic": _logistic,
    "hill": _hill,
    "log": _log,
    "root": _root,
    "linear": _linear,
}


def stretch(shape: str, numbers: Numbers, factor: np.ndarray) -> Numbers:
    """The numbers of x ↦ f(factor·x)."""
    if shape == "linear":
        return {"scale": numbers["scale"] * factor}
    if shape == "root":
        return {**numbers, "scale": numbers["scale"] * factor ** numbers["exponent"]}
    moved = {name: numbers[name] * factor for name in ("rate",) if name in numbers}
    moved |= {name: numbers[name] / factor for name in ("half", "midpoint") if name in numbers}
    return {**numbers, **moved}


def mean_curve(shape: str, numbers: Numbers) -> Curve:
    """The mean over draws of the curves of these numbers, each an array [draws]."""
    formula, count = SHAPES[shape], max(values.size for values in numbers.values())

    def curve(x: np.ndarray) -> np.ndarray:
        parts = np.array_split(x, max(1, x.size * count // AT_ONCE))
        return np.concatenate([np.mean(formula(part[:, None], **numbers), axis=1) for part in parts])

    return curve


def mean_points(shape: str, numbers: Numbers, largest: float) -> tuple[Points, bool]:
    """(points of the mean curve, whether it is flat beyond them).

    **Arguments:** `numbers`, each an array [draws]; `largest`, where the points of a shape that never levels
    off end.
    """
    curve = mean_curve(shape, numbers)
    if shape == "log":
        largest = max(largest, LONG / float(np.median(numbers["rate"])))
    if shape not in ("logistic", "hill"):
        return tabulate(curve, largest), False
    typical = numbers["half"] if shape == "hill" else np.log(3.0) / numbers["rate"] + numbers["midpoint"]
    start = float(np.median(typical))
    ceiling = float(np.mean(numbers["scale"]))
    ends = start * 2.0 ** np.arange(np.log2(FARTHEST))
    reached = curve(ends) >= (1.0 - ACCURACY) * ceiling
    end = ends[int(np.argmax(reached))] if reached.any() else ends[-1]
    return tabulate(curve, float(end)), bool(reached.any())


def tabulate(curve: Curve, end: float, accuracy: float = ACCURACY) -> Points:
    """Points of a curve through 0 that rises up to `end`, between which chords are within `accuracy`."""
    most = float(curve(np.array([end]))[0])
    if not most > 0.0:
        return [(0.0, 0.0), (end, most)]
    coarse = end * np.geomspace(1e-15, 1.0, 400)
    half = float(np.interp(0.5 * most, curve(coarse), coarse))
    x = np.geomspace(min(NEAREST * half, 0.5 * end), end, FINE)
    y = curve(x)
    left, right = np.diff(x)[:-1], np.diff(x)[1:]
    bend = 2.0 * (np.diff(y)[1:] / right - np.diff(y)[:-1] / left) / (left + right)
    density = np.sqrt(np.abs(np.pad(bend, 1, mode="edge")) / 8.0 / (accuracy * np.maximum(y, FAINT * most)))
    passed = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(x))])
    count = passed[-1]
    while True:
        knots = np.interp(np.linspace(0.0, passed[-1], int(np.ceil(count)) + 2), passed, x)
        knots = np.concatenate([[0.0], np.unique(knots)])
        values = curve(knots)
        values[0] = 0.0
        worst = _worst_chord(curve, knots[1:], values[1:], accuracy * FAINT * most, accuracy)
        if worst <= 1.0 or count > 100 * FINE:
            return list(zip(knots.tolist(), values.tolist(), strict=True))
        count = 1.05 * np.sqrt(worst) * max(count, 4.0)


def _worst_chord(curve: Curve, x: np.ndarray, y: np.ndarray, least: float, accuracy: float) -> float:
    """The largest error of a chord, at three places of each, in allowed ones."""
    worst = 0.0
    for share in (0.25, 0.5, 0.75):
        right = curve(x[:-1] + share * np.diff(x))
        chord = y[:-1] + share * np.diff(y)
        worst = max(worst, float(np.max(np.abs(chord - right) / np.maximum(accuracy * right, least))))
    return worst
