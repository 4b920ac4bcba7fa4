"""The result store: one folder a run, written so that whatever is in it is whole.

    config.yaml      the configuration as it ran
    run.json         versions, device, counts, timings
    summary.csv      one row a solver and metric: mean, standard error, 95 % quantile, largest
    histograms.parquet  the same with histograms, as a block of a sweep holds it
    records.parquet  one row a portfolio and solver, where asked for
    benchmark.csv    of a benchmark: one row a problem, size and solver

Every file is written beside its place and renamed into it.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.files.folders import write_text
from engine.simulation.blocks import Block, Outcome
from engine.simulation.summaries import means
from engine.study.comparison import COLUMNS


def write_summary(folder: Path, outcome: Outcome, run: dict[str, Any]) -> None:
    """summary.csv and run.json."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["solver", "metric", "count", "mean", "standard_error", "q95", "largest"])
    for solver, summaries in outcome.summaries.items():
        for metric, summary in summaries.items():
            writer.writerow([solver, metric, int(summary.count), *means(summary).values()])
    write_text(folder / "summary.csv", table.getvalue())
    write_text(folder / "run.json", json.dumps(run, indent=2) + "\n")


def write_comparison(folder: Path, rows: list[dict[str, Any]], run: dict[str, Any]) -> None:
    """benchmark.csv, one row a problem, size and solver, and run.json."""
    table = io.StringIO()
    writer = csv.DictWriter(table, list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(folder / "benchmark.csv", table.getvalue())
    write_text(folder / "run.json", json.dumps(run, indent=2) + "\n")


class Records:
    """records.parquet, written block by block; it takes its name only once it is whole."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "records.parquet"
        self._partial = folder / ".records.parquet.part"
        self._writer: pq.ParquetWriter | None = None

    def append(self, block: Block, first: int) -> None:
        """Add a block whose first portfolio has this index."""
        for solver, columns in block.records.items():
            table = _table(solver, columns, first)
            if self._writer is None:
                self._writer = pq.ParquetWriter(self._partial, table.schema)
            self._writer.write_table(table)

    def __enter__(self) -> Records:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.close()
            if kind is None:
                self._partial.replace(self._path)
            else:
                self._partial.unlink()


def _table(solver: str, columns: dict[str, np.ndarray], first: int) -> pa.Table:
    count = columns["value"].shape[0]
    arrays: dict[str, Any] = {
        "portfolio": np.arange(first, first + count, dtype=np.int64),
        "solver": pa.array([solver] * count).dictionary_encode(),
    }
    for name, values in columns.items():
        flat = pa.array(values.reshape(-1))
        arrays[name] = flat if values.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
    return pa.table(arrays)
