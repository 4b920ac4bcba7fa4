"""Records: one row a portfolio and solver, of a block and of a whole study."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.simulation.blocks import Block
from engine.study.manifest import Manifest
from engine.study.store import Store


def tabulate_records(settings: dict[str, Any], block: Block, first: int) -> pa.Table:
    """The rows of a block whose first portfolio has this index, with the settings of its point."""
    return pa.concat_tables(
        _table(settings, solver, columns, first) for solver, columns in block.records.items()
    )


def _table(settings: dict[str, Any], solver: str, columns: dict[str, np.ndarray], first: int) -> pa.Table:
    count = columns["value"].shape[0]
    arrays: dict[str, Any] = {
        **{key: pa.array([value] * count) for key, value in settings.items()},
        "portfolio": np.arange(first, first + count, dtype=np.int64),
        "solver": pa.array([solver] * count),
    }
    for name, values in columns.items():
        flat = pa.array(values.reshape(-1))
        # Lists, since another point may have another number of projects.
        starts = np.arange(count + 1, dtype=np.int32) * (values.size // max(count, 1))
        arrays[name] = flat if values.ndim == 1 else pa.ListArray.from_arrays(starts, flat)
    return pa.table(arrays)


def merge_records(store: Store) -> Path:
    """records.parquet of a study, point by point; it is there as a whole or not at all.

    **Raises:** `StoreError` for damaged records.
    """
    path, partial = store.folder / "records.parquet", store.folder / ".records.parquet.part"
    recorded = store.recorded()
    # Whole numbers at one point may be real ones at another.
    schemas = [pq.read_schema(found) for found in recorded.values()]
    schema = pa.unify_schemas(schemas, promote_options="permissive")
    with contextlib.ExitStack() as stack:
        stack.callback(partial.unlink, missing_ok=True)
        writer = stack.enter_context(pq.ParquetWriter(partial, schema, compression="zstd"))
        for numbers in _together(store.manifest, recorded):
            tables = [store.read(recorded[number]).cast(schema) for number in numbers]
            writer.write_table(_ordered(pa.concat_tables(tables), list(store.manifest.solvers)))
        writer.close()
        partial.replace(path)
    return path


def _together(manifest: Manifest, recorded: dict[int, Path]) -> Iterator[list[int]]:
    """The blocks of the same portfolios, by whichever solvers."""
    by_place: dict[tuple[int, int], list[int]] = {}
    for number in recorded:
        by_place.setdefault((manifest.point_of(number), manifest.unit(number)[1]), []).append(number)
    for place in sorted(by_place):
        yield by_place[place]


def _ordered(table: pa.Table, solvers: list[str]) -> pa.Table:
    """The rows in the order of the solvers."""
    rank = [solvers.index(solver) for solver in table["solver"].to_pylist()]
    return table.take(np.argsort(rank, kind="stable"))
