"""Records in JSON and in spreadsheets, as a header and the columns below it."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np

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


def read_sheet(path: Path) -> tuple[list[str], list[list[Any]], np.ndarray]:
    """The first sheet of a spreadsheet that is not empty: its header, its columns, and where its rows stand.

    **Raises:** `ValueError` for what is no spreadsheet, and without `engine[excel]`.
    """
    try:
        calamine: Any = importlib.import_module("python_calamine")
    except ModuleNotFoundError:
        raise ValueError('python-calamine is missing, expected pip install "engine[excel]"') from None
    try:
        with path.open("rb") as file:
            book = calamine.CalamineWorkbook.from_filelike(file)
            sheets = map(book.get_sheet_by_name, book.sheet_names)
            read = (sheet.to_python(skip_empty_area=False) for sheet in sheets)
            rows: list[list[Any]] = next((rows for rows in read if any(map(_is_filled, rows))), [])
    except OSError:
        raise
    except Exception as error:  # its errors have no common class
        raise ValueError(f"is no spreadsheet ({str(error).splitlines()[0]})") from None
    filled = [(at, row) for at, row in enumerate(rows, start=1) if _is_filled(row)]
    if not filled:
        raise ValueError("is empty, expected a header and rows")
    (_, header), *body = filled
    used = [at for at in range(len(header)) if any(row[at] not in ("", None) for _, row in filled)]
    columns = [[row[column] for _, row in body] for column in used]
    return [str(header[column]).strip() for column in used], columns, np.array([at for at, _ in body], int)


def _is_filled(row: list[Any]) -> bool:
    return any(cell not in ("", None) for cell in row)
