"""Results of a sweep: what a block stores, and what all blocks together say.

A block is stored as a tidy table: a row a solver and metric, with the settings of its point, the numbers
that merge (count, mean, sum of squared deviations, least, largest) and the histogram's bins that are not
empty. `gather` merges the blocks of each point in their order, in float64, whatever order they were
computed in: the same blocks give the same summary to the bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from engine.grid import read_grid
from engine.simulation import Block
from engine.statistics import BINS, METRICS, Summary, means, merge
from engine.store import Store, StoreError, write_whole

Row = dict[str, Any]


def tabulate(point: int, settings: dict[str, Any], block: Block) -> pa.Table:
    """The rows of a block; its index is that within the point."""
    rows = []
    for solver, summaries in block.summaries.items():
        for metric, summary in summaries.items():
            bins = np.flatnonzero(summary.counts)
            rows.append(
                {
                    "point": point,
                    "block": block.index,
                    **{key: _plain(value) for key, value in settings.items()},
                    "solver": solver,
                    "metric": metric,
                    "count": int(summary.count),
                    "mean": float(summary.mean),
                    "squares": float(summary.squares),
                    "least": float(summary.least),
                    "largest": float(summary.largest),
                    "bins": bins.tolist(),
                    "counts": np.asarray(summary.counts)[bins].astype(int).tolist(),
                    "unsolved": block.failed[solver],
                }
            )
    return pa.Table.from_pylist(rows)


def _plain(value: Any) -> Any:
    """A setting as a column holds it: numbers and words as they are, lists as text."""
    return value if isinstance(value, (int, float, str, bool)) else str(value)


def _summary(row: Row) -> Summary:
    counts = np.zeros(BINS + 1)
    counts[row["bins"]] = row["counts"]
    numbers: dict[str, Any] = {n: np.float64(row[n]) for n in Summary._fields if n != "counts"}
    return Summary(**numbers | {"counts": counts})


def gather(store: Store) -> Iterator[Row]:
    """A row a point, solver and metric, from the blocks that are there.

    **Raises:** `StoreError` for a damaged block.
    """
    settings = list(read_grid(store.manifest["axes"]).points())
    each = store.manifest["blocks_per_point"]
    by_point: dict[int, list[Path]] = {}
    for block, path in store.done().items():
        by_point.setdefault(block // each, []).append(path)
    for point, paths in by_point.items():
        merged: dict[tuple[str, str], Summary] = {}
        unsolved: dict[str, int] = {}
        for path in paths:
            for row in store.read(path).to_pylist():
                key = row["solver"], row["metric"]
                merged[key] = merge(merged.get(key), _summary(row))
                if row["metric"] == "value":
                    unsolved[row["solver"]] = unsolved.get(row["solver"], 0) + row["unsolved"]
        for (solver, metric), summary in merged.items():
            place = {"point": point, **{k: _plain(v) for k, v in settings[point].items()}}
            place |= {"solver": solver, "metric": metric}
            count = int(summary.count)
            figures = means(summary) | {"least": float(summary.least) if count else math.nan}
            yield {**place, "count": count, **figures, "unsolved": unsolved[solver]}


def load(folder: str | Path) -> pa.Table:
    """A study's results so far as a tidy table: a row a point, solver and metric, a column a setting.

    `.to_pandas()` or `polars.from_arrow` go on from there.

    **Raises:** `StoreError`, a `ValueError`, if the folder holds no study or a damaged one.
    """
    rows = list(gather(Store(Path(folder))))
    if not rows:
        raise StoreError(f"{folder}: no block is finished yet")
    return pa.Table.from_pylist(rows)


def load_array(folder: str | Path) -> Any:
    """A study's results so far as an `xarray.Dataset`: a dimension an axis of the grid, solver and metric.

    Keys that were zipped are coordinates along one dimension, named after the first. What is not there yet
    is NaN.

    **Raises:** `ImportError` without xarray; `StoreError` as `load` does.
    """
    import xarray

    store = Store(Path(folder))
    grid = read_grid(store.manifest["axes"])
    rows = load(folder).to_pylist()
    solvers = list(dict.fromkeys(row["solver"] for row in rows))
    shape = (*grid.shape, len(solvers), len(METRICS))
    names = ("count", "mean", "standard_error", "q95", "least", "largest")
    arrays = {name: np.full(shape, np.nan) for name in names}
    metrics = list(METRICS)
    for row in rows:
        place = np.unravel_index(row["point"], grid.shape) if grid.shape else ()
        at = (*place, solvers.index(row["solver"]), metrics.index(row["metric"]))
        for name in names:
            arrays[name][at] = row[name]
    dimensions = [axis.keys[0] for axis in grid.axes] + ["solver", "metric"]
    coordinates: dict[str, Any] = {"solver": solvers, "metric": metrics}
    for axis in grid.axes:
        for key, values in zip(axis.keys, axis.values, strict=True):
            coordinates[key] = (axis.keys[0], [_plain(value) for value in values])
    return xarray.Dataset({n: (dimensions, a) for n, a in arrays.items()}, coordinates)


def write_summary(store: Store) -> pa.Table:
    """summary.csv and summary.parquet of a study; what depends on the machine's speed is not in them."""
    table = load(store.folder)
    text, data = pa.BufferOutputStream(), pa.BufferOutputStream()
    pyarrow.csv.write_csv(table, text)
    pq.write_table(table, data)
    write_whole(store.folder / "summary.csv", text.getvalue().to_pybytes())
    write_whole(store.folder / "summary.parquet", data.getvalue().to_pybytes())
    return table


def slowest(store: Store, count: int) -> list[tuple[dict[str, Any], float]]:
    """(settings, seconds a block) of the points that took longest, by the workers' logs."""
    settings = list(read_grid(store.manifest["axes"]).points())
    by_point: dict[int, list[float]] = {}
    for block, seconds in store.seconds().items():
        by_point.setdefault(block // store.manifest["blocks_per_point"], []).append(sum(seconds.values()))
    means_of = {point: sum(times) / len(times) for point, times in by_point.items()}
    longest = sorted(means_of, key=lambda point: -means_of[point])[:count]
    return [(settings[point], means_of[point]) for point in longest]
