"""Records: one row a portfolio and solver, of a block and of a whole study."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.simulation.blocks import Block
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
    """records.parquet of a study, from those of its blocks, one after another; it is there as a whole or not.

    **Raises:** `StoreError` for damaged records.
    """
    path, partial = store.folder / "records.parquet", store.folder / ".records.parquet.part"
    with contextlib.ExitStack() as stack:
        stack.callback(partial.unlink, missing_ok=True)
        writer: pq.ParquetWriter | None = None
        for found in store.recorded().values():
            table = store.read(found)
            if writer is None:
                writer = stack.enter_context(pq.ParquetWriter(partial, table.schema, compression="zstd"))
            writer.write_table(table)
        if writer is not None:
            writer.close()
            partial.replace(path)
    return path
