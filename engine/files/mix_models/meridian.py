"""Meridian: incremental outcome tabulated at multiples of the spend there was, with a smooth curve between.

Its default multiples are coarse (0, .2, ..., 2), and chords are up to a quarter off below the first. Every
curve is a sum of Hill curves over draws, geos and periods, so such a sum is fitted, by non-negative least
squares (Lawson & Hanson, 1974) over a grid of half points: with exponent 1, Meridian's default, whose sums
every smaller exponent is too, or else the least that fits. What the points still differ by, a factor next
to 1, is interpolated over log spend (monotone cubic, Fritsch & Carlson, 1980): the curve goes through all
points. Beyond the last one nothing is known.

Source: Meridian 2.1 (`Analyzer.response_curves`, `OptimizationResults.get_response_curves`).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from engine.files.mix_models.exports import Row, is_netcdf, open_group, read_rows
from engine.files.mix_models.response import Response
from engine.files.mix_models.shapes import Curve, Points, tabulate
from engine.files.reading import AS_IT_IS, Reading
from engine.files.tables import number

METRICS = ("mean", "ci_lo", "ci_hi")
# The error of chords between the points that are written, far below that of the curve between Meridian's own.
ACCURACY = 1e-4
# Exponents that are tried, and the relative error from which one fits.
EXPONENTS, CLOSE = tuple(np.arange(1.0, 5.05, 0.1).tolist()), 1e-3


def load_meridian(path: Path, metric: str = "mean", how: Reading = AS_IT_IS) -> dict[str, Response]:
    """The channels of Meridian's response curves, a table or netCDF.

    **Arguments:** `metric`, mean, ci_lo or ci_hi; `how` a table is read.

    **Warns:** of channels without spend, which are left out, and of curves that cannot be smoothed.

    **Raises:** `ValueError` in one line naming the file, what is wrong and what was expected.
    """
    rows = list(_of_dataset(path)) if is_netcdf(path) else read_rows(path, how)
    for name in ("channel", "metric", "spend", "incremental_outcome"):
        if name not in rows[0]:
            raise ValueError(f"{path}: has no column {name}, expected Meridian's response curves")
    rows = [row for row in rows if row["metric"] == metric]
    if not rows:
        raise ValueError(f"{path}: has no metric {metric}, expected {', '.join(METRICS)}")
    points: dict[str, dict[float, float]] = {}
    spends: dict[str, float] = {}
    for row in rows:
        where, channel = f"{path}: {row['channel']}", str(row["channel"])
        spend = number(row["spend"], f"{where}: spend", finite=True)
        outcome = number(row["incremental_outcome"], f"{where}: incremental_outcome", finite=True)
        own = points.setdefault(channel, {0.0: 0.0})
        if spend < 0:
            raise ValueError(f"{where}: spend is {spend:g}, expected at least 0")
        if spend > 0 and own.setdefault(spend, outcome) != outcome:
            raise ValueError(f"{where} has two outcomes at spend {spend:g}, expected one")
        if abs(float(row.get("spend_multiplier") or np.nan) - 1.0) < 1e-9:
            spends[channel] = spend
    unspent = [name for name, own in points.items() if len(own) == 1]
    if unspent:
        warnings.warn(f"{', '.join(unspent)}: without spend, left out", stacklevel=2)
    if len(unspent) == len(points):
        raise ValueError(f"{path}: has no channel with spend, expected one at least")
    paid = {name: sorted(own.items()) for name, own in points.items() if name not in unspent}
    slow = [
        f"{name} below {own[1][0]:g}" for name, own in paid.items() if _rises(own) and _exponent(own) > 1.0
    ]
    if slow:
        warnings.warn(
            f"S-shaped, and a guess below their first points: {', '.join(slow)}; finer multiples tell",
            stacklevel=2,
        )
    return {name: _response(name, own, spends.get(name)) for name, own in paid.items()}


def _of_dataset(path: Path) -> Iterator[Row]:
    data = open_group(path)
    if "incremental_outcome" not in data:
        raise ValueError(f"{path}: has no incremental_outcome, expected Meridian's response curves")
    names = ["channel", "metric", "spend", "incremental_outcome", "spend_multiplier"]
    frame = data.to_dataframe().reset_index()
    yield from frame[[name for name in names if name in frame]].to_dict("records")


def _response(name: str, points: Points, spend: float | None) -> Response:
    last = points[-1][0]
    if not _rises(points):
        warnings.warn(
            f"{name}: its outcome falls as spend rises; it is taken as it is, linear between its points",
            stacklevel=2,
        )
        return Response("tabulated", points=points, last=last, spend=spend)
    # Between points that are written the curve rises, as its points do.
    curve = _smooth(points)
    between = tabulate(curve, last, ACCURACY)
    spends = sorted({x for x, _ in [*between, *points]})
    values = np.maximum.accumulate(curve(np.array(spends)))
    values = np.minimum(values, points[-1][1])
    kept = dict(points)
    return Response(
        "tabulated",
        points=[(x, kept.get(x, float(y))) for x, y in zip(spends, values, strict=True)],
        last=last,
        spend=spend,
    )


def _rises(points: Points) -> bool:
    outcomes = np.array([outcome for _, outcome in points])
    return bool(np.all(np.diff(outcomes) >= 0) and outcomes[1] > 0)


def _exponent(points: Points) -> float:
    """The least exponent whose Hill curves add up to these points, or the nearest."""
    x, y = np.array(points[1:]).T
    errors = {}
    for exponent in EXPONENTS:
        errors[exponent] = _hills(x, y, exponent)[1]
        if errors[exponent] <= CLOSE:
            return exponent
    return min(errors, key=errors.__getitem__)


def _smooth(points: Points) -> Curve:
    """A sum of Hill curves of one exponent, times what the points still differ from it by."""
    from scipy.interpolate import PchipInterpolator

    x, y = np.array(points[1:]).T
    hills, _ = _hills(x, y, _exponent(points))
    ratio = y / hills(x)
    factor = PchipInterpolator(np.log(x), ratio) if x.size > 1 else None

    def curve(spend: np.ndarray) -> np.ndarray:
        inside = np.log(np.clip(spend, x[0], x[-1]))
        return hills(spend) * (ratio[0] if factor is None else factor(inside))

    return curve


def _hills(x: np.ndarray, y: np.ndarray, exponent: float) -> tuple[Curve, float]:
    """(sum of Hill curves with the least relative errors, the root of their mean square)."""
    from scipy.optimize import nnls

    # What starts slowly has no half point below the first point: it would be a jump that nobody saw.
    least = x[0] / 100.0 if exponent == 1.0 else x[0]
    half = np.append(np.geomspace(least, x[-1] * 1000.0, 120), np.inf)

    def columns(spend: np.ndarray) -> np.ndarray:
        power, halves = spend[:, None] ** exponent, half[:-1] ** exponent
        return np.concatenate([power / (halves + power), power / x[-1] ** exponent], axis=1)

    weights, error = nnls(columns(x) / y[:, None], np.ones_like(y), maxiter=10_000)
    return lambda spend: columns(spend) @ weights, float(error) / math.sqrt(x.size)
