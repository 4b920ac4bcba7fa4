"""Measurements: what effort brought what performance, as users hold it in spreadsheets.

Long form, one row a measurement: project, effort, performance; optionally standard_error of the
performance, weight, and replicate (which is not read: rows of the same project and effort are replicates).
CSV with commas, semicolons or tabs, with decimal points or commas, in UTF-8, UTF-16 or Latin-1; or Parquet.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int

from engine.files.tables import as_table, column_numbers, first_row, positive_numbers, read_table

REQUIRED = ("project", "effort", "performance")


@dataclass(frozen=True)
class Measurements:
    """The mean performance of every project at each of its efforts, in rising order of effort.

    Rows are as long as the longest; `weight` is 0 past a row's end. Elsewhere it is the number of replicates
    times their mean weight, over the mean square of their standard errors where there are some. `repeats`
    says how many rows of a project there are beyond one at each effort, `scatter` what the standard deviation
    of replicates about their means is.
    """

    names: tuple[str, ...]
    effort: Float[np.ndarray, "projects points"]
    performance: Float[np.ndarray, "projects points"]
    weight: Float[np.ndarray, "projects points"]
    repeats: Int[np.ndarray, " projects"] | None = None
    scatter: Float[np.ndarray, " projects"] | None = None

    @property
    def counts(self) -> np.ndarray:
        """How many efforts each project was measured at."""
        return np.sum(self.weight > 0, axis=1)

    def table(self) -> pa.Table:
        """Long form again: a row a project and effort, with its weight."""
        project, place = np.nonzero(self.weight > 0)
        numbers = {n: getattr(self, n)[project, place] for n in ("effort", "performance", "weight")}
        return pa.table({"project": pa.array([self.names[i] for i in project]), **numbers})


def load_measurements(path: str | Path) -> Measurements:
    """Read measurements from a CSV or Parquet file.

    **Raises:** `ValueError` in one line naming the file, the row, what is wrong and what was expected.
    """
    table = read_table(Path(path))
    try:
        return gather(table)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def as_measurements(data: Measurements | str | Path | Any) -> Measurements:
    """Measurements as they are, from a file, or from a data frame or Arrow table with the columns of a file.

    **Raises:** `ValueError` in one line naming the file, the row, what is wrong and what was expected.
    """
    if isinstance(data, Measurements):
        return data
    return load_measurements(data) if isinstance(data, (str, Path)) else gather(as_table(data))


def gather(table: pa.Table) -> Measurements:
    """Long-form rows as one row of means a project, in the order that projects first occur.

    **Raises:** `ValueError` naming the row or column that cannot be.
    """
    for name in REQUIRED:
        if name not in table.column_names:
            raise ValueError(f"has no column {name}, expected {', '.join(REQUIRED)}")
    if not table.num_rows:
        raise ValueError("has no rows, expected measurements")
    project = table["project"].combine_chunks().cast(pa.string()).fill_null("").dictionary_encode()
    names = [str(name).strip() for name in project.dictionary.to_pylist()]
    code = project.indices.to_numpy(zero_copy_only=False)
    if "" in names:
        raise ValueError(f"{first_row(code == names.index(''))} has no project, expected its name")
    effort, performance = (column_numbers(table, name) for name in ("effort", "performance"))
    if np.any(effort < 0):
        bad = effort < 0
        raise ValueError(f"{first_row(bad)} has effort {effort[bad][0]:g}, expected a number of at least 0")
    weight = positive_numbers(table, "weight") if "weight" in table.column_names else np.ones(effort.size)
    error = positive_numbers(table, "standard_error") if "standard_error" in table.column_names else None
    return _means(tuple(names), code, effort, performance, weight, error)


def _means(
    names: tuple[str, ...],
    code: np.ndarray,
    effort: np.ndarray,
    performance: np.ndarray,
    weight: np.ndarray,
    error: np.ndarray | None,
) -> Measurements:
    order = np.lexsort((effort, code))
    code, effort, performance, weight = (a[order] for a in (code, effort, performance, weight))
    new = np.concatenate([[True], (np.diff(code) != 0) | (np.diff(effort) != 0)])
    starts = np.flatnonzero(new)

    def total(values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(values, starts)

    mean, precision = total(weight * performance) / total(weight), total(weight)
    if error is not None:
        precision = precision * total(np.ones_like(weight)) / total(error[order] ** 2)
    apart = performance - np.repeat(mean, np.diff(np.append(starts, effort.size)))
    squares = np.bincount(code, apart**2, minlength=len(names))
    repeats = np.bincount(code[~new], minlength=len(names))
    code, effort = code[starts], effort[starts]
    lengths = np.bincount(code, minlength=len(names))
    place = np.arange(code.size) - np.concatenate([[0], np.cumsum(lengths)])[code]
    shape = len(names), int(lengths.max())
    arrays = []
    for values in (effort, mean, precision):
        padded = np.zeros(shape)
        padded[code, place] = values
        arrays.append(padded)
    scatter = np.sqrt(squares / np.maximum(repeats, 1))
    effort, mean, precision = arrays
    return Measurements(names, effort, mean, precision, repeats, scatter)
