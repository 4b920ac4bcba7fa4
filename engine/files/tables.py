"""Tables as users hold them, in files and in memory, and the numbers and words in their columns.

This is the one reader of every command. Files: CSV with commas, semicolons or tabs, in UTF-8, UTF-16 or
Latin-1 (`delimited`); JSON, as records, lines of records, an object that holds one list of records (as a
trainer's state does), or lists by name; spreadsheets (XLSX, XLS, ODS, by `engine[excel]`); Parquet. In
memory: data frames of pandas and Polars, and whatever else gives its columns to Arrow. What numbers look like
in text is said in `numbers`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.files import delimited
from engine.files.numbers import MARKS, decimal_marks, is_nothing, looks_like_number, parsed, plain_texts
from engine.files.records import read_json, read_sheet

# Cells of any kind, numbers, or an Arrow column.
Column = Any
INDEX = "index"


@dataclass(frozen=True)
class Table:
    """Columns by name, and where in its file each row stands.

    A column is a list of cells, an array of numbers or an Arrow column. `decimal` is point or comma where the
    user says so. `by_program` says that numbers in text are as programs write them: 1.500 is 1.5. `notes` is
    what is to be said of how it was read.
    """

    columns: dict[str, Column]
    places: np.ndarray
    unit: str = "row"
    by_program: bool = True
    decimal: str | None = None
    twice: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.places)

    def place(self, row: int) -> str:
        """Where a row stands, as users count: its line in a text, its row elsewhere."""
        return f"{self.unit} {self.places[row]}"

    def checked(self, name: str) -> str:
        """The name of a column.

        **Raises:** `ValueError` where the header has it twice.
        """
        if name in self.twice:
            raise ValueError(f"column {name} occurs twice, expected once")
        return name

    def column(self, name: str) -> Column:
        """A column, of which there is one."""
        return self.columns[self.checked(name)]

    def keep(self, rows: np.ndarray) -> Table:
        """The rows for which an array says so."""
        if rows.all():
            return self
        columns = {name: _kept(column, rows) for name, column in self.columns.items()}
        return replace(self, columns=columns, places=self.places[rows])

    def words(self, name: str) -> tuple[list[str], np.ndarray]:
        """The different words of a column, in the order in which they occur, and which one each row has."""
        column = self.column(name)
        if _is_arrow(column) and not _holds_text(column.type):
            column = column.to_pylist()
        if _is_arrow(column):
            coded = _arrow_text(column).fill_null("").combine_chunks().dictionary_encode()
            distinct, codes = coded.dictionary.to_pylist(), coded.indices.to_numpy(zero_copy_only=False)
        else:
            words = list(map(_word, column)) if any(not isinstance(c, str) for c in column) else column
            distinct = list(dict.fromkeys(words))
            index = {word: place for place, word in enumerate(distinct)}
            codes = np.fromiter(map(index.__getitem__, words), int, len(self))
        stripped: dict[str, int] = {}
        renamed = [stripped.setdefault(word.strip(), len(stripped)) for word in distinct]
        return list(stripped), np.array(renamed, int)[codes] if renamed else codes

    def numbers(self, name: str) -> np.ndarray:
        """A column as numbers, NaN where a cell is blank.

        **Raises:** `ValueError` naming the first row that has none, or what makes the column unclear.
        """
        column = self.column(name)
        if isinstance(column, np.ndarray):
            return column
        if _is_arrow(column) and not _holds_text(column.type):
            return _arrow_numbers(column, name)
        cells = _cells(column)
        for mark in ".,":
            values = self._one_mark(cells, mark)
            if values is not None:
                return values
        texts = self.texts(name)
        values = parsed(texts)
        if values is None:
            row = next(i for i, text in enumerate(texts) if parsed([text]) is None)
            raise ValueError(f"{self.place(row)}: {name} is {str(texts[row])[:42]!r}, expected a number")
        return values

    def texts(self, name: str) -> list[str]:
        """A column's cells, those that hold numbers as Python writes them.

        **Raises:** `ValueError` where the whole file does not say what points and commas mean.
        """
        cells = _cells(self.column(name))
        strings = [cell for cell in cells if isinstance(cell, str)]
        parts = (
            [part for s in strings for part in s.split(";")] if any(";" in s for s in strings) else strings
        )
        mark = self._mark(name, parts)
        if parts is strings:
            plain = iter(plain_texts(strings, mark, f"column {name}"))
        else:
            plain = iter([";".join(plain_texts(s.split(";"), mark, f"column {name}")) for s in strings])
        return [next(plain) if isinstance(cell, str) else _word(cell) for cell in cells]

    def _one_mark(self, cells: list[Any], mark: str) -> np.ndarray | None:
        """Numbers whose only mark is this, which some cell shows to be decimal; None for others.

        What `texts` finds, for the usual cells in a tenth of the time.
        """
        plain = cells
        if mark == ",":
            if any(not isinstance(cell, str) or "." in cell for cell in cells):
                return None
            plain = [cell.replace(",", ".") for cell in cells]
        values = parsed(plain)
        marked = (cell for cell in cells if isinstance(cell, str) and mark in cell)
        if values is None or (self.decimal is not None and MARKS[self.decimal] != mark):
            return None
        if self.decimal is not None or (first := next(marked, None)) is None:
            return values
        return values if any(decimal_marks((cell,))[0] for cell in itertools.chain([first], marked)) else None

    def _mark(self, name: str, strings: list[str]) -> str:
        """The decimal mark of a column."""
        if self.decimal is not None:
            return MARKS[self.decimal]
        marked = [text for text in strings if "." in text or "," in text]
        if not marked:
            return "."
        shown, unclear = decimal_marks(marked)
        if len(shown) > 1:
            raise ValueError(f"column {name} mixes decimal points and commas, expected one of them")
        if not shown and unclear:
            shown = self._shown_by_others(name)
        if len(shown) == 1:
            return shown.pop()
        if not unclear or (unclear == {"."} and self.by_program):
            return "."
        cell = next(text for text in marked if decimal_marks((text,))[1])
        raise ValueError(
            f"column {name} has {cell.strip()!r}, which is a thousand times another number if its mark is no "
            f"decimal one, expected decimal=point or decimal=comma"
        )

    def _shown_by_others(self, name: str) -> set[str]:
        """The marks that the other columns of numbers show to be decimal."""
        shown: set[str] = set()
        for other, column in self.columns.items():
            texts = [c for c in column if isinstance(c, str)] if isinstance(column, list) else []
            if other != name and all(looks_like_number(text) or is_nothing(text) for text in texts):
                shown |= decimal_marks(texts)[0]
        return shown

    def records(self, words: tuple[str, ...] = ()) -> Iterator[tuple[str, dict[str, Any]]]:
        """Where each row stands, and its cells that are not blank.

        **Arguments:** `words`, columns of words; numbers in the others are as Python writes them.
        """
        columns = {name: self._readable(name, name in words) for name in self.columns}
        for row in range(len(self)):
            cells = {name: column[row] for name, column in columns.items()}
            filled = {name: cell for name, cell in cells.items() if cell is not None and cell != ""}
            if filled:
                yield self.place(row), filled

    def _readable(self, name: str, word: bool) -> list[Any]:
        column = self.column(name)
        if isinstance(column, np.ndarray):
            return column.tolist()
        cells = _cells(column)
        if word:
            return [_word(cell).strip() for cell in cells]
        if not any(isinstance(cell, str) for cell in cells):
            return cells
        texts = self.texts(name)
        return [t.strip() if isinstance(cell, str) else cell for t, cell in zip(texts, cells, strict=True)]

    def to_pylist(self) -> list[dict[str, Any]]:
        """The rows as dictionaries; where a whole column is numbers in text, as Python writes them."""
        columns = {}
        for name, column in self.columns.items():
            cells = columns[name] = _cells(column)
            if all(isinstance(c, str) and (looks_like_number(c) or is_nothing(c)) for c in cells):
                columns[name] = self.texts(name)
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def read_table(path: Path, decimal: str | None = None, sheet: str | int | None = None) -> Table:
    """The table in a file, of the kind that its name's ending says; by default a CSV.

    **Arguments:** `decimal`, the mark, where the file does not tell; `sheet`, the name or number of a
    spreadsheet's.

    **Raises:** `ValueError` in one line naming the file, for one that cannot be read.
    """
    path = path.expanduser()
    kind = path.suffix.lower()
    try:
        if kind in SHEETS:
            return replace(_read_sheet(path, sheet), decimal=decimal)
        if sheet is not None:
            raise ValueError(f"sheet is {sheet!r}, expected none: only {', '.join(SHEETS)} have sheets")
        return replace(READERS.get(kind, _read_text)(path), decimal=decimal)
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0]
        raise ValueError(f"{path}: cannot be read ({reason}), expected a file") from None
    except ValueError as error:
        raise ValueError(f"{path}: {str(error).splitlines()[0]}") from None


def _read_text(path: Path) -> Table:
    return text_table(delimited.decode(path.read_bytes()))


def text_table(text: str) -> Table:
    """The table in the text of a CSV file.

    **Raises:** `ValueError` naming the line that is wrong.
    """
    cells = delimited.parse(text)
    return _table(cells.header, cells.columns, cells.lines, unit="line", by_program=cells.delimiter == ",")


def _read_parquet(path: Path) -> Table:
    import pyarrow.parquet as pq

    return _arrow_table(pq.ParquetFile(path).read(use_threads=False))


def _read_json(path: Path) -> Table:
    header, columns = read_json(delimited.decode(path.read_bytes()))
    return _table(header, columns, np.arange(1, len(columns[0]) + 1))


def _read_sheet(path: Path, wanted: str | int | None) -> Table:
    header, columns, rows, notes = read_sheet(path, wanted)
    return _table(header, columns, rows, by_program=False, notes=notes)


SHEETS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
READERS: dict[str, Callable[[Path], Table]] = {
    **dict.fromkeys((".parquet", ".pq"), _read_parquet),
    **dict.fromkeys((".json", ".jsonl", ".ndjson"), _read_json),
}
# What names of tables end in; by any other ending, a file is taken for a CSV.
ENDINGS = (".csv", ".tsv", ".txt", *READERS, *SHEETS)


def _table(header: list[str], columns: list[list[Any]], places: np.ndarray, **how: Any) -> Table:
    """A table of cells; a first column without a name is the index of a data frame."""
    if header and not header[0]:
        header = [INDEX if INDEX not in header else "", *header[1:]]
    blank = [i for i, name in enumerate(header) if not name and not any(map(_word, columns[i]))]
    named = {name: c for i, (name, c) in enumerate(zip(header, columns, strict=True)) if i not in blank}
    return Table(named, places, twice=frozenset(n for n in header if header.count(n) > 1 and n), **how)


def as_table(frame: Any, decimal: str | None = None, sheet: str | int | None = None) -> Table:
    """A data frame or an Arrow table; a named index of pandas is a column like the others.

    **Raises:** `ValueError` for what is none, and for a column of several types.
    """
    import pyarrow as pa

    if sheet is not None:
        raise ValueError(f"sheet is {sheet!r}, expected none for a data frame")
    if not (isinstance(frame, pa.Table) or hasattr(frame, "__arrow_c_stream__")):
        raise ValueError(f"expected a data frame or an Arrow table, got {type(frame).__name__}")
    try:
        table = pa.table(frame)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise ValueError(f"the data frame is no table: {str(error).splitlines()[0]}") from None
    # What pandas calls the rows of a frame that has been filtered or sorted.
    table = table.drop_columns([n for n in table.column_names if n.startswith("__index_level_")])
    return replace(_arrow_table(table), decimal=decimal)


def _arrow_table(table: Any) -> Table:
    names = [name.strip() for name in table.column_names]
    columns = dict(zip(names, table.columns, strict=True))
    twice = frozenset(name for name in names if names.count(name) > 1)
    return Table(columns, np.arange(1, table.num_rows + 1), twice=twice)


def number(cell: Any, what: str, *, finite: bool = False) -> float:
    """The number in a cell, which may be infinite if it need not be finite.

    **Raises:** `ValueError` that begins with `what` the cell is.
    """
    expected = "a finite number" if finite else "a number"
    try:
        if isinstance(cell, bool) or (isinstance(cell, str) and "_" in cell):
            raise ValueError
        value = float(cell)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{what} is {repr(cell)[:42]}, expected {expected}") from None
    if math.isnan(value) or (finite and math.isinf(value)):
        raise ValueError(f"{what} is {str(value).replace('nan', 'NaN')}, expected {expected}")
    return value


def _is_arrow(column: Column) -> bool:
    return not isinstance(column, (list, np.ndarray))


def _cells(column: Column) -> list[Any]:
    if _is_arrow(column):
        return column.to_pylist()
    return column if isinstance(column, list) else column.tolist()


def _word(cell: Any) -> str:
    """A cell as a word: 2.0, as spreadsheets hold every 2, is 2."""
    if isinstance(cell, str):
        return cell
    if cell is None or cell != cell:
        return ""
    return (
        str(int(cell)) if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53 else str(cell)
    )


def _kept(column: Column, rows: np.ndarray) -> Column:
    if isinstance(column, list):
        return list(itertools.compress(column, rows.tolist()))
    return column.filter(rows) if _is_arrow(column) else column[rows]


def _holds_text(kind: Any) -> bool:
    import pyarrow as pa

    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _arrow_text(column: Any) -> Any:
    import pyarrow as pa

    return column.cast(pa.large_string())


def _arrow_numbers(column: Any, name: str) -> np.ndarray:
    import pyarrow as pa

    kind = column.type
    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_null)
    if not any(is_kind(kind) for is_kind in kinds):
        raise ValueError(f"column {name} holds {kind}, expected numbers")
    return column.cast(pa.float64()).combine_chunks().fill_null(math.nan).to_numpy(zero_copy_only=False)
