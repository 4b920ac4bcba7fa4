"""Learning a prior from a collection of curves that were measured far."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.files.measurements import Measurements, as_measurements
from engine.fitting.fit import fit
from engine.fitting.prior import Known, Prior, room
from engine.fitting.shapes import SHAPES

# A curve is taken as if it ended at its seventh effort or later, and at an eighth of its last or sooner.
LEAST_POINTS, AHEAD = 7, 8.0
LEAST_NOISE = 1e-4


def learn_prior(
    data: Measurements | str | Path | Any,
    families: Sequence[str] = tuple(SHAPES),
    *,
    ceiling: float | None = None,
    seed: int = 0,
) -> Prior:
    """A prior from whole curves: what `fit` may take the curves of other projects to be like.

    Every family is fitted to each curve that was measured at seven efforts and up to eight times as far as
    the seventh. It is then taken as if it had been measured up to one of the efforts between, at random, so
    that the prior knows of young curves and of old ones.

    **Arguments:** `data`, as of `fit`; `families`, of `SHAPES`; `ceiling`, the performance that none can
    exceed, such as 1 of an accuracy, if there is one; `seed`, of the efforts.

    **Raises:** `ValueError` where no curve is long enough, and as `fit`.
    """
    data = as_measurements(data)
    place = _ends(data, np.random.default_rng(seed))
    long = np.flatnonzero(place >= 0)
    if not long.size:
        raise ValueError(
            f"no curve has {LEAST_POINTS} efforts and one {AHEAD:g} times the {LEAST_POINTS}th, "
            "expected some to learn a prior from"
        )
    fitted = fit(data, families)
    own = long, place[long]
    unit, last = data.effort[own], data.performance[own]
    until = np.arange(data.effort.shape[1])[None] <= place[long, None]
    seen = np.where(until & (data.weight[long] > 0), data.performance[long], np.nan)
    measured = np.nanmax(seen, axis=1) - np.nanmin(seen, axis=1)
    measured = np.where(measured > 0, measured, 1.0)
    left = np.full(long.size, np.nan) if ceiling is None else np.log(room(last, measured, ceiling))
    source = np.array(data.names)[long]
    found = {}
    for family, one in fitted.families.items():
        shape = SHAPES[family]
        pairs = zip(shape.parameters, shape.effort_power, strict=True)
        numbers = {name: one.parameters[name][long] / unit**power for name, power in pairs}
        scale = np.maximum(np.abs(one.parameters["scale"][long]), np.finfo(float).tiny)
        noise = np.clip(one.residual[long] / scale, LEAST_NOISE, 1.0 / LEAST_NOISE)
        found[family] = Known(numbers, noise, left, source)
    return Prior(found)


def _ends(data: Measurements, random: np.random.Generator) -> np.ndarray:
    """The place of the effort up to which each curve counts as measured; −1 where it is too short."""
    there = data.weight > 0
    most = np.max(np.where(there, data.effort, 0.0), axis=1)
    can = there & (np.cumsum(there, axis=1) >= LEAST_POINTS) & (data.effort * AHEAD <= most[:, None])
    draw = np.where(can, random.random(can.shape), -1.0)
    return np.where(np.any(can, axis=1), np.argmax(draw, axis=1), -1)
