"""The measured learning curves in data/lcdb.parquet, as measurements of whole curves or parts of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from engine.files.draws import Draws
from engine.files.measurements import Measurements
from engine.fitting.bands import draw_curves
from engine.fitting.prior import Prior

DATA = Path(__file__).parent / "data" / "lcdb.parquet"
# A mean of replicates that happen to be equal is not known to infinite precision.
LEAST_ERROR = 1e-3
# Long curves reach MOST, and were measured at LEAST_POINTS sizes or more up to CHEAP.
CHEAP, MOST, LEAST_POINTS = 512, 4096, 8
FOLDS = 10


def load_curves(least_points: int = 4) -> Measurements:
    """All curves of at least so many sizes, weighted by their standard errors."""
    table = pq.read_table(DATA)
    keys = zip(table["dataset"].to_pylist(), table["learner"].to_pylist(), strict=True)
    labels = np.array([f"{learner} on {dataset}" for dataset, learner in keys])
    names, code, counts = np.unique(labels, return_inverse=True, return_counts=True)
    effort = table["effort"].to_numpy().astype(float)
    order = np.lexsort((effort, code))
    place = np.arange(code.size) - np.concatenate([[0], np.cumsum(counts)])[code[order]]
    error = np.maximum(np.nan_to_num(table["standard_error"].to_numpy().astype(float)), LEAST_ERROR)
    columns = (effort, table["performance"].to_numpy().astype(float), 1.0 / error**2, error)
    effort, performance, weight, error = (np.zeros((names.size, counts.max())) for _ in columns)
    for array, values in zip((effort, performance, weight, error), columns, strict=True):
        array[code[order], place] = values[order]
    whole = Measurements(tuple(names.tolist()), effort, performance, weight, error=error)
    return select(whole, np.flatnonzero(counts >= least_points))


def select(data: Measurements, projects: np.ndarray) -> Measurements:
    """Some of the curves."""
    names = tuple(data.names[i] for i in projects)
    return Measurements(names, **{name: values[projects] for name, values in _arrays(data).items()})


def _arrays(data: Measurements) -> dict[str, np.ndarray]:
    arrays = {name: getattr(data, name) for name in ("effort", "performance", "weight", "error")}
    return {name: values for name, values in arrays.items() if values is not None}


def cut(data: Measurements, most: float) -> Measurements:
    """The part of every curve up to this effort."""
    inside = (data.weight > 0) & (data.effort <= most)
    width = int(np.max(np.sum(inside, axis=1)))
    arrays = {name: np.where(inside, a, 0.0)[:, :width] for name, a in _arrays(data).items()}
    return Measurements(data.names, **arrays)


def long_curves() -> Measurements:
    """The curves that are foretold and allocated over."""
    whole = load_curves()
    cheap = np.sum((whole.weight > 0) & (whole.effort <= CHEAP), axis=1)
    return select(whole, np.flatnonzero((np.max(whole.effort, axis=1) >= MOST) & (cheap >= LEAST_POINTS)))


def data_sets(data: Measurements) -> np.ndarray:
    """The data set of each curve, by its number."""
    return np.unique([name.rsplit(" ", 1)[1] for name in data.names], return_inverse=True)[1]


def folds(data: Measurements, random: np.random.Generator) -> np.ndarray:
    """Each curve's fold, the same for all curves of a data set."""
    data_set = data_sets(data)
    return random.integers(0, FOLDS, data_set.max() + 1)[data_set]


def draws_ahead(
    data: Measurements, prior: Prior, draws: int, ceiling: float | None = 1.0
) -> list[tuple[np.ndarray, Draws]]:
    """(places of the curves, their draws) of each fold, by a prior that has seen none of its data sets."""
    fold = folds(data, np.random.default_rng(1))
    found: list[tuple[np.ndarray, Draws]] = []
    for k in range(FOLDS):
        mine = np.flatnonzero(fold == k)
        unseen = prior.without([data.names[i] for i in mine])
        found.append((mine, draw_curves(select(data, mine), unseen, draws, ceiling=ceiling)))
    return found
