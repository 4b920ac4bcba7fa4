"""Tables as users hold them, in files and in memory, and the numbers in their cells.

CSV with commas, semicolons or tabs, with decimal points or commas, in UTF-8, UTF-16 or Latin-1; Parquet; data
frames of pandas and Polars, and whatever else gives its columns to Arrow.
"""

from __future__ import annotations

import codecs
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_table(path: Path) -> pa.Table:
    """A CSV file as columns of text, or a Parquet file.

    **Raises:** `ValueError` in one line naming the file, for one that cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            return pq.ParquetFile(path).read(use_threads=False)
        return _read_csv(path.read_bytes())
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0]
        raise ValueError(f"{path}: cannot be read ({reason}), expected a CSV or Parquet file") from None
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path}: {str(error).splitlines()[0]}, expected a CSV or Parquet file") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def as_table(frame: Any) -> pa.Table:
    """A data frame as an Arrow table; a named index of pandas is a column like the others.

    **Raises:** `ValueError` for what is none, and for a column of several types.
    """
    import pyarrow as pa

    if not (isinstance(frame, pa.Table) or hasattr(frame, "__arrow_c_stream__")):
        raise ValueError(f"expected a data frame or an Arrow table, got {type(frame).__name__}")
    try:
        table = pa.table(frame)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise ValueError(f"the data frame is no table: {str(error).splitlines()[0]}") from None
    # What pandas calls the rows of a frame that has been filtered or sorted.
    return table.drop_columns([name for name in table.column_names if name.startswith("__index_level_")])


def _read_csv(data: bytes) -> pa.Table:
    """Columns of text: whether one holds decimal commas is seen by looking at it."""
    import pyarrow as pa
    import pyarrow.csv

    encoding = next((name for mark, name in BYTE_ORDER_MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        if b"\0" in data:
            raise ValueError("is not text, expected a CSV file") from None
        text = data.decode("latin-1")
    header = next((line for line in text.splitlines() if line.strip()), "")
    if not header:
        raise ValueError("is empty, expected a header and rows")
    delimiter = max(";\t,", key=header.count)
    if not header.count(delimiter):
        delimiter = ","
    body = text.lstrip().encode()
    parse = pyarrow.csv.ParseOptions(delimiter=delimiter)
    columns = [name.strip().strip('"') for name in header.split(delimiter)]
    convert = pyarrow.csv.ConvertOptions(
        column_types={name: pa.string() for name in columns}, strings_can_be_null=False
    )
    read = pyarrow.csv.ReadOptions(column_names=columns, skip_rows=1)
    return pyarrow.csv.read_csv(pa.BufferReader(body), read, parse, convert)


def number(cell: Any, what: str, *, finite: bool = False) -> float:
    """The number in a cell, which may be infinite if it need not be finite.

    **Raises:** `ValueError` that begins with `what` the cell is.
    """
    expected = "a finite number" if finite else "a number"
    try:
        if isinstance(cell, bool):
            raise ValueError
        value = float(cell)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{what} is {repr(cell)[:42]}, expected {expected}") from None
    if math.isnan(value) or (finite and math.isinf(value)):
        raise ValueError(f"{what} is {str(value).replace('nan', 'NaN')}, expected {expected}")
    return value


def column_numbers(table: pa.Table, name: str) -> np.ndarray:
    """A column as finite numbers.

    **Raises:** `ValueError` naming the first row that has none.
    """
    import pyarrow as pa

    column = table[name].combine_chunks()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        values = _parse_words(np.asarray(column.to_pylist(), dtype=object), name)
    else:
        values = column.cast(pa.float64()).fill_null(math.nan).to_numpy(zero_copy_only=False)
    bad = ~np.isfinite(values)
    if np.any(bad):
        raise ValueError(f"{first_row(bad)} has {name} {values[bad][0]:g}, expected a finite number")
    return values


def _parse_words(words: np.ndarray, name: str) -> np.ndarray:
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


def positive_numbers(table: pa.Table, name: str) -> np.ndarray:
    """A column as finite numbers above 0.

    **Raises:** `ValueError` naming the first row that has none.
    """
    values = column_numbers(table, name)
    if np.any(values <= 0):
        bad = values <= 0
        raise ValueError(f"{first_row(bad)} has {name} {values[bad][0]:g}, expected a number above 0")
    return values


def first_row(bad: np.ndarray) -> str:
    """The first of these rows as users count them, the header left out."""
    return f"row {int(np.argmax(bad)) + 1}"
