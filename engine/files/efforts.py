"""A plan of one's own: the effort of every project, as a table with columns project and effort, or as YAML.

A YAML file is a mapping of project names to efforts, or has such a mapping under `effort`, as the answers of
`engine allocate format=json` do.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import yaml

from engine.files.delimited import decode
from engine.files.headers import ignored_note, missing
from engine.files.portfolios import YAML, _TextKeys, errors_of
from engine.files.reading import Reading, arrange
from engine.files.shipped import as_path
from engine.files.tables import Table, as_table, number, read_table

KNOWN = ("project", "effort")


def load_efforts(plan: str | Path | Any, **reading: Any) -> dict[str, float]:
    """Read a plan from a CSV, JSON, Parquet, spreadsheet or YAML file, or from a data frame.

    **Arguments:** `reading`, what `engine.Reading` holds: `columns`, which names project and effort, `where`,
    `effort_unit`, `decimal` and `sheet`.

    **Returns:** units of effort by project, for `engine.own_plan`.

    **Warns:** of columns whose names are nearly ours.

    **Raises:** `ValueError` in one line naming the file, the row, what is wrong and what was expected.
    """
    how, notes = Reading(**reading), list[str]()
    if how.restarts is not None or how.direction != "up":
        raise ValueError("a plan has no performances, expected neither restarts nor direction")
    if not isinstance(plan, (str, Path)):
        return _from_table(as_table(plan, how.decimal, how.sheet), how, notes)
    path = as_path(plan, "a plan's file")
    with errors_of(path, notes):
        if path.suffix.lower() in YAML:
            how.refuse("a YAML file")
            return _from_yaml(path)
        efforts = _from_table(read_table(path, how.decimal, how.sheet), how, notes)
    for note in notes:
        warnings.warn(f"{path}: {note}", stacklevel=2)
    return efforts


def _from_table(table: Table, how: Reading, notes: list[str]) -> dict[str, float]:
    notes += table.notes
    table = arrange(table, how, KNOWN)
    for name in KNOWN:
        if name not in table.columns:
            raise missing(table, name, KNOWN)
    notes += ignored_note((n for n in table.columns if n not in KNOWN), table.columns, KNOWN, False)
    efforts: dict[str, float] = {}
    words, codes = table.words("project")
    for row, units in enumerate(table.numbers("effort").tolist()):
        name, where = words[codes[row]], table.place(row)
        if not name:
            raise ValueError(f"{where}: has no project, expected its name")
        if name in efforts:
            raise ValueError(f"{where}: project {name} occurs twice, expected one row a project")
        if units != units:
            raise ValueError(f"{where}: {name} has no effort, expected a number, 0 for none")
        efforts[name] = units / how.effort_unit
    return efforts


def _from_yaml(path: Path) -> dict[str, float]:
    try:
        data = yaml.load(decode(path.read_bytes()), Loader=_TextKeys)
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror or error}), expected a file") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ValueError(f"{f'line {mark.line + 1}: ' if mark else ''}is not YAML") from None
    if isinstance(data, dict) and isinstance(data.get("effort"), dict):
        data = data["effort"]
    if not isinstance(data, dict) or not data:
        raise ValueError("has no mapping of project names to efforts, expected one")
    return {name: number(units, f"{name}: effort", finite=True) for name, units in data.items()}
