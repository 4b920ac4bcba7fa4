"""The measured learning curves in data/lcdb.parquet, as measurements of whole curves or parts of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from engine.files.measurements import Measurements

DATA = Path(__file__).parent / "data" / "lcdb.parquet"
# A mean of replicates that happen to be equal is not known to infinite precision.
LEAST_ERROR = 1e-3


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
    columns = (effort, table["performance"].to_numpy().astype(float), 1.0 / error**2)
    arrays = [np.zeros((names.size, counts.max())) for _ in columns]
    for array, values in zip(arrays, columns, strict=True):
        array[code[order], place] = values[order]
    whole = Measurements(tuple(names.tolist()), *arrays)
    return select(whole, np.flatnonzero(counts >= least_points))


def select(data: Measurements, projects: np.ndarray) -> Measurements:
    """Some of the curves."""
    names = tuple(data.names[i] for i in projects)
    return Measurements(names, *(a[projects] for a in (data.effort, data.performance, data.weight)))


def cut(data: Measurements, most: float) -> Measurements:
    """The part of every curve up to this effort."""
    inside = (data.weight > 0) & (data.effort <= most)
    width = int(np.max(np.sum(inside, axis=1)))
    arrays = (np.where(inside, a, 0.0)[:, :width] for a in (data.effort, data.performance, data.weight))
    return Measurements(data.names, *arrays)
