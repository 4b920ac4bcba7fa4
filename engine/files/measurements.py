"""Measurements: what effort brought what performance, as users hold it in spreadsheets.

Long form, one row a measurement: project, effort, performance; optionally standard_error of the
performance, weight, and replicate (which is not read: rows of the same project and effort are replicates).
CSV with commas, semicolons or tabs, with decimal points or commas, in UTF-8, UTF-16 or Latin-1; or Parquet.
"""

from __future__ import annotations

import codecs
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from jaxtyping import Float

REQUIRED = ("project", "effort", "performance")


BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Measurements:
    """The mean performance of every project at each of its efforts, in rising order of effort.

    Rows are as long as the longest; `weight` is 0 past a row's end. Elsewhere it is the number of replicates
    times their mean weight, over the mean square of their standard errors where there are some.
    """

    names: tuple[str, ...]
    effort: Float[np.ndarray, "projects points"]
    performance: Float[np.ndarray, "projects points"]
    weight: Float[np.ndarray, "projects points"]

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
    path = Path(path)
    try:
        parquet = path.suffix.lower() in (".parquet", ".pq")
        table = pq.ParquetFile(path).read(use_threads=False) if parquet else _read_csv(path.read_bytes())
        return gather(table)
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0]
        raise ValueError(f"{path}: cannot be read ({reason}), expected a CSV or Parquet file") from None
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path}: {str(error).splitlines()[0]}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _read_csv(data: bytes) -> pa.Table:
    """The columns that matter, as text or numbers."""
    encoding = next((name for mark, name in BYTE_ORDER_MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        if b"\0" in data:
            raise ValueError("is not text, expected a CSV file") from None
        text = data.decode("latin-1")
    header = next((line for line in text.splitlines() if line.strip()), "")
    if not header:
        raise ValueError("is empty, expected the columns project, effort and performance")
    delimiter = max(";\t,", key=header.count)
    if not header.count(delimiter):
        delimiter = ","
    body = text.lstrip().encode()
    # Text first: whether a column holds decimal commas is seen by looking at it.
    parse = pyarrow.csv.ParseOptions(delimiter=delimiter)
    columns = [name.strip().strip('"') for name in header.split(delimiter)]
    convert = pyarrow.csv.ConvertOptions(
        column_types={name: pa.string() for name in columns}, strings_can_be_null=False
    )
    read = pyarrow.csv.ReadOptions(column_names=columns, skip_rows=1)
    return pyarrow.csv.read_csv(pa.BufferReader(body), read, parse, convert)


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
        raise ValueError(f"{_row(code == names.index(''))} has no project, expected its name")
    effort, performance = (_numbers(table, name) for name in ("effort", "performance"))
    if np.any(effort < 0):
        bad = effort < 0
        raise ValueError(f"{_row(bad)} has effort {effort[bad][0]:g}, expected a number of at least 0")
    weight = _positive(table, "weight") if "weight" in table.column_names else np.ones(effort.size)
    error = _positive(table, "standard_error") if "standard_error" in table.column_names else None
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
    total = lambda values: np.add.reduceat(values, starts)  # noqa: E731
    mean, precision = total(weight * performance) / total(weight), total(weight)
    if error is not None:
        precision = precision * total(np.ones_like(weight)) / total(error[order] ** 2)
    code, effort = code[starts], effort[starts]
    lengths = np.bincount(code, minlength=len(names))
    place = np.arange(code.size) - np.concatenate([[0], np.cumsum(lengths)])[code]
    shape = len(names), int(lengths.max())
    arrays = []
    for values in (effort, mean, precision):
        padded = np.zeros(shape)
        padded[code, place] = values
        arrays.append(padded)
    return Measurements(names, *arrays)


def _numbers(table: pa.Table, name: str) -> np.ndarray:
    column = table[name].combine_chunks()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        values = _parse(np.asarray(column.to_pylist(), dtype=object), name)
    else:
        values = column.cast(pa.float64()).fill_null(math.nan).to_numpy(zero_copy_only=False)
    bad = ~np.isfinite(values)
    if np.any(bad):
        raise ValueError(f"{_row(bad)} has {name} {values[bad][0]:g}, expected a finite number")
    return values


def _parse(words: np.ndarray, name: str) -> np.ndarray:
    """Numbers with decimal points, or else with decimal commas throughout."""
    try:
        return np.array([float(word) for word in words])
    except ValueError:
        pass
    if any("," in word for word in words) and not any("." in word for word in words):
        words = np.array([word.replace(",", ".") for word in words], dtype=object)
        try:
            return np.array([float(word) for word in words])
        except ValueError:
            pass
    for row, word in enumerate(words):
        try:
            float(word.replace(",", "."))
        except ValueError:
            raise ValueError(f"row {row + 1} has {name} {word!r}, expected a number") from None
    raise ValueError(f"column {name} mixes decimal points and commas, expected one of them")


def _positive(table: pa.Table, name: str) -> np.ndarray:
    values = _numbers(table, name)
    if np.any(values <= 0):
        bad = values <= 0
        raise ValueError(f"{_row(bad)} has {name} {values[bad][0]:g}, expected a number above 0")
    return values


def _row(bad: np.ndarray) -> str:
    """The first of these rows as users count them, the header left out."""
    return f"row {int(np.argmax(bad)) + 1}"
