"""Records in JSON and in spreadsheets, as a header and columns below it; and how much packed files hold."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engine.files.extras import how_to_install
from engine.files.names import nearest, some

JSON_EXPECTED = "expected records: [{...}, ...], one {...} a line, or an object that holds one such list"


def read_json(text: str) -> tuple[list[str], list[list[Any]]]:
    """Columns of JSON records: a list of objects, an object a line, an object that holds one list of objects
    among other things (as the state of a trainer does), or an object of lists of the same length.

    **Raises:** `ValueError` naming the line that is no JSON, or for what holds no records.
    """
    data = _loads(text)
    if isinstance(data, dict):
        lists = {key: value for key, value in data.items() if isinstance(value, list) and value}
        held = [value for value in lists.values() if all(isinstance(each, dict) for each in value)]
        if len(held) == 1:
            data = held[0]
        elif lists and not held and len(lists) == len(data) and len(set(map(len, lists.values()))) == 1:
            return list(lists), list(lists.values())
        else:
            data = [data]
    if not isinstance(data, list) or not data or not all(isinstance(record, dict) for record in data):
        raise ValueError(f"holds no table, {JSON_EXPECTED}")
    header = list(dict.fromkeys(key for record in data for key in record))
    if not header:
        raise ValueError(f"holds no table, {JSON_EXPECTED}")
    return [key.strip() for key in header], [[record.get(key) for record in data] for key in header]


def _loads(text: str) -> Any:
    lines = [(at, line) for at, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if not lines:
        raise ValueError(f"is empty, {JSON_EXPECTED}")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        whole = error
    except RecursionError:
        raise ValueError(f"is nested too deeply, {JSON_EXPECTED}") from None
    records = []
    for at, line in lines:
        try:
            records.append(json.loads(line))
        except (json.JSONDecodeError, RecursionError) as error:
            # A file of lines is one from its first line on.
            if records and isinstance(records[0], dict):
                raise ValueError(f"line {at}: is not JSON ({getattr(error, 'msg', 'too deep')})") from None
            raise ValueError(f"line {whole.lineno}: is not JSON ({whole.msg})") from None
    return records


class Sheet(NamedTuple):
    """A sheet: its header, its columns, where its rows stand, and what is to be said of the choice."""

    header: list[str]
    columns: list[list[Any]]
    places: np.ndarray
    notes: tuple[str, ...]


def read_sheet(path: Path, wanted: str | int | None = None) -> Sheet:
    """The sheet of a spreadsheet with this name, or number from 1; else the first that is not empty.

    **Raises:** `ValueError` for what is no spreadsheet, a sheet that it has not, and without `engine[excel]`.
    """
    try:
        calamine: Any = importlib.import_module("python_calamine")
    except ModuleNotFoundError:
        raise ValueError(f"python-calamine is missing, expected {how_to_install('excel')}") from None
    try:
        with path.open("rb") as file:
            book = calamine.CalamineWorkbook.from_filelike(file)
            names = book.sheet_names if wanted is None else [_named(wanted, book.sheet_names)]
            read = ((n, book.get_sheet_by_name(n).to_python(skip_empty_area=False)) for n in names)
            filled = ((name, rows) for name, rows in read if any(map(_is_filled, rows)))
            chosen, rows = next(filled, (wanted, []))
            several = next(filled, None) is not None
    except (OSError, UnknownSheet):
        raise
    except Exception as error:  # its errors have no common class
        raise ValueError(f"is no spreadsheet ({str(error).splitlines()[0]})") from None
    if not rows:
        what = "is" if wanted is None else f"sheet {wanted} is"
        raise ValueError(f"{what} empty, expected a header and rows")
    places = [at for at, row in enumerate(rows, start=1) if _is_filled(row)]
    header, *body = (rows[at - 1] for at in places)
    used = [at for at in range(len(header)) if any(row[at] not in ("", None) for row in (header, *body))]
    columns = [[row[column] for row in body] for column in used]
    notes = (f"reads sheet {chosen} of {some(names)}; sheet=... names another",) if several else ()
    return Sheet([str(header[column]).strip() for column in used], columns, np.array(places[1:], int), notes)


class UnknownSheet(ValueError):
    """A sheet is named that the spreadsheet has not."""


def _named(wanted: str | int, names: list[str]) -> str:
    """The name of a sheet that is given by its name, or by its number from 1."""
    said = str(wanted)
    if said in names:
        return said
    if said.isdecimal() and 1 <= int(said) <= len(names):
        return names[int(said) - 1]
    raise UnknownSheet(f"has no sheet {said!r}, saw {some(names)}{nearest(said, names)}")


def _is_filled(row: list[Any]) -> bool:
    return any(cell not in ("", None) for cell in row)


def unpacked_size(content: bytes) -> int:
    """How many bytes a packed folder, such as a spreadsheet, or cells a Parquet file says that it holds.

    0 for what is not packed, or is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with contextlib.suppress(
        zipfile.BadZipFile, pa.ArrowInvalid, OSError
    ):  # whoever reads it says what is wrong
        if content.startswith(b"PK"):
            return sum(each.file_size for each in zipfile.ZipFile(io.BytesIO(content)).infolist())
        if content.startswith(b"PAR1"):
            facts = pq.read_metadata(io.BytesIO(content))
            return int(facts.num_rows * facts.num_columns)
    return 0
