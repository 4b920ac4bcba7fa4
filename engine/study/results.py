"""Results of a sweep: what a block stores, and what all blocks together say.

A block is stored as a tidy table: a row a solver and metric, with the settings of its point, the numbers
that merge (count, mean, sum of squared deviations, least, largest) and the histogram's bins that are not
empty. `gather` merges the blocks of each point in their order, in float64, whatever order they were
computed in: the same blocks give the same summary to the bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from engine.files.folders import write_parquet, write_whole
from engine.simulation.blocks import Block, Outcome
from engine.simulation.metrics import METRICS
from engine.simulation.summaries import BINS, Summary, means, merge
from engine.study.grid import read_grid
from engine.study.store import Store, StoreError

Row = dict[str, Any]


class Found(NamedTuple):
    """One metric of one solver at one point; `unsolved` portfolios are not in the summary."""

    point: int
    settings: Row
    solver: str
    metric: str
    summary: Summary
    unsolved: int


def tabulate(point: int, settings: Row, block: Block) -> pa.Table:
    """The rows of a block; its index is that within the point."""
    place = {"point": point, "block": block.index, **{k: plain(v) for k, v in settings.items()}}
    return _table(place, block.summaries, block.failed)


def tabulate_run(outcome: Outcome) -> pa.Table:
    """The rows of a whole run, as those of a sweep's only block."""
    return _table({"point": 0, "block": 0}, outcome.summaries, outcome.failed)


def _table(place: Row, found: dict[str, dict[str, Summary]], failed: dict[str, int]) -> pa.Table:
    rows = []
    for solver, summaries in found.items():
        for metric, summary in summaries.items():
            bins = np.flatnonzero(summary.counts)
            rows.append(
                {
                    **place,
                    "solver": solver,
                    "metric": metric,
                    "count": int(summary.count),
                    "mean": float(summary.mean),
                    "squares": float(summary.squares),
                    "least": float(summary.least),
                    "largest": float(summary.largest),
                    "bins": bins.tolist(),
                    "counts": np.asarray(summary.counts)[bins].astype(int).tolist(),
                    "unsolved": failed[solver],
                }
            )
    return pa.Table.from_pylist(rows)


def plain(value: Any) -> Any:
    """A setting as a column holds it: numbers and words as they are, lists as text."""
    return value if isinstance(value, (int, float, str, bool)) else str(value)


def _summary(row: Row) -> Summary:
    counts = np.zeros(BINS + 1)
    counts[row["bins"]] = row["counts"]
    numbers: dict[str, Any] = {n: np.float64(row[n]) for n in Summary._fields if n != "counts"}
    return Summary(**numbers | {"counts": counts})


def merged(store: Store) -> Iterator[Found]:
    """The summary of each point, solver and metric, merged from the blocks that are there.

    **Raises:** `StoreError` for a damaged block.
    """
    settings = list(read_grid(store.manifest["axes"]).points())
    each = store.manifest["blocks_per_point"]
    by_point: dict[int, list[Path]] = {}
    for block, path in store.done().items():
        by_point.setdefault(block // each, []).append(path)
    for point, paths in by_point.items():
        settings_of_point = {key: plain(value) for key, value in settings[point].items()}
        yield from _merge(point, settings_of_point, (store.read(path).to_pylist() for path in paths))


def _merge(point: int, settings: Row, blocks: Iterable[list[Row]]) -> Iterator[Found]:
    found: dict[tuple[str, str], Summary] = {}
    unsolved: dict[str, int] = {}
    for rows in blocks:
        for row in rows:
            key = row["solver"], row["metric"]
            found[key] = merge(found.get(key), _summary(row))
            if row["metric"] == "value":
                unsolved[row["solver"]] = unsolved.get(row["solver"], 0) + row["unsolved"]
    for (solver, metric), summary in found.items():
        yield Found(point, settings, solver, metric, summary, unsolved[solver])


def load_found(folder: str | Path) -> list[Found]:
    """What a study or a run has found so far, with histograms.

    **Raises:** `StoreError`, a `ValueError`, if the folder holds neither.
    """
    folder = Path(folder)
    path = folder / "histograms.parquet"
    if (folder / "manifest.json").exists() or not path.exists():
        return list(merged(Store(folder)))
    try:
        return list(_merge(0, {}, [pq.ParquetFile(path).read(use_threads=False).to_pylist()]))
    except (pa.ArrowInvalid, KeyError):
        raise StoreError(f"{path}: are no histograms of a run") from None


def gather(store: Store) -> Iterator[Row]:
    """A row a point, solver and metric, from the blocks that are there.

    **Raises:** `StoreError` for a damaged block.
    """
    for found in merged(store):
        place = {"point": found.point, **found.settings, "solver": found.solver, "metric": found.metric}
        count = int(found.summary.count)
        least = float(found.summary.least) if count else math.nan
        yield {**place, "count": count, **means(found.summary), "least": least, "unsolved": found.unsolved}


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
            coordinates[key] = (axis.keys[0], [plain(value) for value in values])
    return xarray.Dataset({n: (dimensions, a) for n, a in arrays.items()}, coordinates)


def write_summary(store: Store) -> pa.Table:
    """summary.csv and summary.parquet of a study; what depends on the machine's speed is not in them."""
    table = load(store.folder)
    text = pa.BufferOutputStream()
    pyarrow.csv.write_csv(table, text)
    write_whole(store.folder / "summary.csv", text.getvalue().to_pybytes())
    write_parquet(store.folder / "summary.parquet", table)
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
