"""Results of a study: what a block stores, and what all blocks together say.

A block is stored as a tidy table: a row a solver and metric, with the settings of its point, the numbers
that merge (count, mean, sum of squared deviations, least, largest) and the histogram's bins that are not
empty; the reference's first row also has the optimum of every portfolio, which solvers that are added later
are measured by. `gather` merges the blocks of each point in their order, in float64, whatever order they were
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

from engine.files.extras import how_to_install
from engine.files.folders import write_parquet, write_whole
from engine.files.shipped import as_path
from engine.simulation.blocks import Block
from engine.simulation.methods import reference
from engine.simulation.summaries import BINS, Summary, means, merge
from engine.study.manifest import StoreError
from engine.study.records import merge_records
from engine.study.store import Store

Row = dict[str, Any]


class Found(NamedTuple):
    """One metric of one solver at one point; `unsolved` portfolios are not in the summary."""

    point: int
    settings: Row
    solver: str
    metric: str
    summary: Summary
    unsolved: int


def tabulate(settings: Row, block: Block) -> pa.Table:
    """The rows of a block; its index is that within the point."""
    rows = [(solver, metric, one) for solver, of in block.summaries.items() for metric, one in of.items()]
    counts = [np.asarray(summary.counts) for _, _, summary in rows]
    bins = [np.flatnonzero(count) for count in counts]
    known = None if block.optimum is None else np.asarray(block.optimum, float)
    best = reference(block.summaries), "value"
    place = {"block": block.index, **{key: plain(value) for key, value in settings.items()}}
    return pa.table(
        {
            **{key: pa.array([value] * len(rows)) for key, value in place.items()},
            "solver": [solver for solver, _, _ in rows],
            "metric": [metric for _, metric, _ in rows],
            "count": [int(summary.count) for _, _, summary in rows],
            **{
                name: [float(getattr(summary, name)) for _, _, summary in rows]
                for name in ("mean", "squares", "least", "largest")
            },
            "bins": _lists(bins),
            "counts": _lists([count[some].astype(int) for count, some in zip(counts, bins, strict=True)]),
            "unsolved": [block.failed[solver] for solver, _, _ in rows],
            "optima": pa.array(
                [known if (solver, metric) == best else None for solver, metric, _ in rows],
                pa.list_(pa.float64()),
            ),
        }
    )


def _lists(arrays: list[np.ndarray]) -> pa.ListArray:
    """A list a row."""
    ends = np.cumsum([0, *map(len, arrays)], dtype=np.int32)
    return pa.ListArray.from_arrays(ends, np.concatenate(arrays))


def summaries(table: pa.Table) -> list[Row]:
    """The rows of a block without the optima."""
    rows: list[Row] = table.drop_columns(["optima"]).to_pylist()
    return rows


def optima(table: pa.Table) -> np.ndarray:
    """The optimum of every portfolio of a block, from the table that holds them; NaN where not proved."""
    (known,) = (row for row in table["optima"].to_pylist() if row is not None)
    return np.array(known, float)


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
    manifest = store.manifest
    by_point: dict[int, list[Path]] = {}
    for block, path in store.done().items():
        by_point.setdefault(manifest.point_of(block), []).append(path)
    for point in sorted(by_point):
        settings = {key: plain(value) for key, value in manifest.settings[point].items()}
        blocks = (summaries(store.read(path)) for path in by_point[point])
        found = list(_merge(point, settings, blocks))
        for solver in manifest.solvers:
            yield from (f for f in found if f.solver == solver)


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


def gather(found: Iterable[Found]) -> Iterator[Row]:
    """A row a point, solver and metric."""
    for one in found:
        place = {"point": one.point, **one.settings, "solver": one.solver, "metric": one.metric}
        count = int(one.summary.count)
        least = float(one.summary.least) if count else math.nan
        yield {**place, "count": count, **means(one.summary), "least": least, "unsolved": one.unsolved}


def load(folder: str | Path) -> pa.Table:
    """A study's results so far as a tidy table: a row a point, solver and metric, a column a setting.

    `.to_pandas()` or `polars.from_arrow` go on from there.

    **Raises:** `StoreError`, a `ValueError`, if the folder holds no study or a damaged one.
    """
    rows = list(gather(merged(Store(as_path(folder, "a study's folder")))))
    if not rows:
        raise StoreError(f"{folder}: no block is finished yet")
    return pa.Table.from_pylist(rows)


def load_array(folder: str | Path) -> Any:
    """A study's results so far as an `xarray.Dataset`: a dimension an axis of the grid, solver and metric.

    Keys that were zipped are coordinates along one dimension, named after the first. What is not there yet
    is NaN.

    **Raises:** `ImportError` without xarray, saying how to get it; `StoreError` as `load` does.
    """
    try:
        import xarray
    except ModuleNotFoundError:
        raise ImportError(f"xarray is missing, expected {how_to_install('array')}") from None

    store = Store(as_path(folder, "a study's folder"))
    grid = store.manifest.grid
    rows = load(folder).to_pylist()
    solvers, metrics = (list(dict.fromkeys(row[key] for row in rows)) for key in ("solver", "metric"))
    shape = (*grid.shape, len(solvers), len(metrics))
    names = ("count", "mean", "standard_error", "q95", "least", "largest")
    arrays = {name: np.full(shape, np.nan) for name in names}
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


def write_summary(store: Store, found: Iterable[Found]) -> None:
    """summary.csv and summary.parquet of what a study found, and all its records where it has them; what
    depends on the machine's speed is not in them."""
    table = pa.Table.from_pylist(list(gather(found)))
    text = pa.BufferOutputStream()
    pyarrow.csv.write_csv(table, text)
    write_whole(store.folder / "summary.csv", text.getvalue().to_pybytes())
    write_parquet(store.folder / "summary.parquet", table)
    if store.manifest.records:
        merge_records(store)


def rates(store: Store) -> dict[tuple[int, str], float]:
    """Portfolios per second of each point and solver, compilation apart, by the workers' logs."""
    manifest = store.manifest
    portfolios: dict[tuple[int, str], int] = {}
    spent: dict[tuple[int, str], float] = {}
    for block, seconds in store.seconds().items():
        for solver, time in seconds.items():
            key = manifest.point_of(block), solver
            portfolios[key] = portfolios.get(key, 0) + manifest.size(block)
            spent[key] = spent.get(key, 0.0) + time
    return {key: portfolios[key] / time if time > 0 else math.nan for key, time in spent.items()}


def solver_rates(store: Store) -> dict[str, float]:
    """Portfolios per second of each solver over all points, by the workers' logs."""
    by_solver: dict[str, list[float]] = {}
    for (_, solver), rate in rates(store).items():
        by_solver.setdefault(solver, []).append(1.0 / rate)
    return {solver: len(times) / sum(times) for solver, times in by_solver.items()}


def slowest(store: Store, count: int) -> list[tuple[dict[str, Any], float]]:
    """(settings, seconds a block) of the points that took longest, by the workers' logs."""
    by_point: dict[int, list[float]] = {}
    for block, seconds in store.seconds().items():
        by_point.setdefault(store.manifest.point_of(block), []).append(sum(seconds.values()))
    means_of = {point: sum(times) / len(times) for point, times in by_point.items()}
    longest = sorted(means_of, key=lambda point: -means_of[point])[:count]
    return [(store.manifest.settings[point], means_of[point]) for point in longest]
