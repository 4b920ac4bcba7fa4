"""Text with a header and rows of cells: CSV with commas, semicolons or tabs, in UTF-8, UTF-16 or Latin-1.

Cells are parted as RFC 4180 has it, so that a quoted one may hold the delimiter and line ends. The delimiter
is the one by which most of the first rows have as many cells as the header; of two, the one that makes more.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# The line by which Excel is told the delimiter.
SEPARATOR = re.compile(r'"?sep=([^\w"])"?\r?\n')
# How many rows are looked at to tell delimiters apart.
LOOKED_AT, BEGINNING = 20, 100_000
# How many rows are taken at once: so few that Python's search for garbage does not begin in between, which
# would take twice the time of all the rest.
AT_ONCE = 500


@dataclass(frozen=True)
class Cells:
    """A header and the columns below it, with the line of the file on which each row ends."""

    header: list[str]
    columns: list[list[str]]
    lines: np.ndarray
    delimiter: str


def decode(data: bytes) -> str:
    """The text in a file, by its byte order mark, or else as UTF-8 or what Windows writes for Latin-1.

    **Raises:** `ValueError` for what is no text.
    """
    encoding = next((name for mark, name in BYTE_ORDER_MARKS if data.startswith(mark)), "utf-8")
    if encoding == "utf-8" and b"\0" in data[:2]:
        encoding = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    if "\0" in text:
        raise ValueError("is not text, expected a table or YAML")
    return text


def parse(text: str) -> Cells:
    """The cells of a CSV file. Blank lines are skipped, and so are blank cells past the header's end.

    **Raises:** `ValueError` naming the line that is wrong.
    """
    blank = len(text) - len(text.lstrip("\r\n \ufeff"))
    skipped, text = len(text[:blank].splitlines()), text[blank:]
    if not text.strip():
        raise ValueError("is empty, expected a header and rows")
    named = SEPARATOR.match(text)
    if named:
        skipped, text = skipped + 1, text[named.end() :]
    try:
        delimiter = named[1] if named else _delimiter(text)
        reader = _reader(text, delimiter)
        header = [name.strip() for name in next(reader, [])]
        columns, lines = _columns(reader, len(header), skipped)
    except csv.Error as error:
        raise ValueError(f"is no CSV ({error})") from None
    if not header:
        raise ValueError("is empty, expected a header and rows")
    return Cells(header, columns, np.array(lines, int), delimiter)


def _columns(reader: Any, width: int, skipped: int) -> tuple[list[list[str]], list[int]]:
    """The columns of the rows that are not blank, and the line on which each ends."""
    columns: list[list[str]] = [[] for _ in range(width)]
    lines: list[int] = []
    while True:
        begin = reader.line_num
        rows = list(itertools.islice(reader, AT_ONCE))
        if not rows:
            return columns, lines
        ends = list(range(begin + skipped + 1, reader.line_num + skipped + 1))
        if len(ends) != len(rows):  # cells of several lines
            breaks = (sum(cell.count("\n") for cell in row) for row in rows)
            ends = [begin + skipped + end for end in itertools.accumulate(1 + count for count in breaks)]
        if set(map(len, rows)) != {width} or not all(map(any, rows)):
            checked = [_checked(row, width, end) for row, end in zip(rows, ends, strict=True)]
            ends = [end for row, end in zip(checked, ends, strict=True) if row]
            rows = [row for row in checked if row]
        for column, cells in zip(columns, zip(*rows, strict=True), strict=bool(rows)):
            column += cells
        lines += ends


def _checked(row: list[str], width: int, line: int) -> list[str]:
    """A row as wide as the header; none for a blank one.

    **Raises:** `ValueError` naming the line of another width.
    """
    if not any(map(str.strip, row)):
        return []
    if len(row) < width or any(map(str.strip, row[width:])):
        raise ValueError(f"line {line}: has {len(row)} cells, expected {width} as in the header")
    return row[:width]


def _reader(text: str, delimiter: str) -> Any:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)


def _delimiter(text: str) -> str:
    found: dict[str, tuple[int, int]] = {}
    for delimiter in "\t;,":
        rows = list(itertools.islice(_reader(text[:BEGINNING], delimiter), LOOKED_AT))
        width = len(rows[0])
        if width > 1:
            found[delimiter] = sum(len(row) == width for row in rows), width
    return max(found, key=found.__getitem__, default=",")
