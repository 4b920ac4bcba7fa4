"""Portfolio files, and data frames of the same columns: read into a `Portfolio`, and written.

A table has either one row a project (project, family, the family's parameters by name; several numbers of
one parameter are separated by semicolons) or long-form measurements (project, effort, performance), which
make a tabulated curve. Optional columns: baseline and those of `Portfolio` (weight, cost, lower, upper,
startup, success, curvature, threshold, reach). A blank cell is an absent part. A YAML file has the same
keys under `projects`, a mapping by project name; measurements are `points`, a list of [effort, performance].
Which files of tables are read is said in `tables`, how their columns become these, in `reading`; files that
hold a bet, in `bets`.
"""

from __future__ import annotations

import contextlib
import csv
import io
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from engine.files.delimited import decode
from engine.files.headers import ignored_note, missing, nearly
from engine.files.names import nearest, some
from engine.files.periods import CARRIES
from engine.files.reading import Reading, arrange, measured
from engine.files.resources import of_resources
from engine.files.rows import DEFAULTS, RISING, Row, build, gather_rows, rows_of
from engine.files.rules import KEYS, NAMING, RULES, as_text
from engine.files.runs import resolved
from engine.files.shipped import as_path, portfolio_path
from engine.files.spillovers import SPILLOVER, onto_rows
from engine.files.tables import Table, as_table, read_table, text_table
from engine.model.curves import FAMILIES
from engine.model.curves.base import Curve
from engine.model.portfolio import Portfolio

if TYPE_CHECKING:
    import pyarrow as pa

YAML = (".yaml", ".yml")
OPTIONAL = ("baseline", "reach", RISING, *DEFAULTS)
MEASURED = ("effort", "performance")
PARAMETERS = tuple(dict.fromkeys(("family", *(name for f in FAMILIES.values() for name in f.parameters()))))
# What files of measurements may have besides, which no portfolio needs.
UNREAD = {"standard_error", "replicate"}
# What a file of approaches has, as a column of a table and as a key of a YAML file; see `bets`.
APPROACH, APPROACHES = "approach", "approaches"
# The same of draws.
DRAW, DRAWS = "draw", "draws"
# The mapping of rules in a YAML file, which stands beside `projects`, and is held by the first of them.
SHARED_RULES = "rules"
KNOWN = ("project", APPROACH, DRAW, SPILLOVER, *CARRIES, *MEASURED, *OPTIONAL, *PARAMETERS, *KEYS, *UNREAD)
# What a file holds: a table whose columns have our names, or the rows by project of a YAML file.
Held = Table | dict[str, Row]


def load_portfolio(path: str | Path, **reading: Any) -> Portfolio:
    """Read one portfolio from a YAML file or a table in a CSV, JSON, Parquet or spreadsheet file.

    **Arguments:** `path`, the file, or the name of a portfolio that ships with the package: `textbook`. A
    file of that name in the working folder goes first. `reading`, what `engine.Reading` holds, for tables:
    `columns`, `where`, `direction`, `effort_unit`, `restarts`, `decimal`, `sheet`.

    **Returns:** a `Portfolio` of float64 arrays [projects], with names.

    **Warns:** of measured curves that fall, and of columns and rows that are not read.

    **Raises:** `ValueError` in one line naming the file, the place, what is wrong and what was expected.
    """
    path, how, notes = portfolio_path(path), Reading(**reading), list[str]()
    found: list[str] = []
    with errors_of(path, notes):
        held = held_in(path, how, notes)
        portfolio = build(portfolio_rows(held, how, path.stem, notes), found)
    for note in [*(f"{path}: {note}" for note in notes), *found]:
        warnings.warn(note, stacklevel=2)
    return portfolio


@contextlib.contextmanager
def errors_of(path: Path, notes: list[str]) -> Iterator[None]:
    """Errors name the file, and what of the notes may be their cause."""
    try:
        yield
    except ValueError as error:
        text = "; ".join([str(error), *(note for note in notes if "did you mean" in note)])
        raise ValueError(text if text.startswith(f"{path}: ") else f"{path}: {text}") from None
    except RecursionError:
        raise ValueError(f"{path}: is nested too deeply, expected `projects` and their keys") from None


def held_in(path: Path, how: Reading, notes: list[str]) -> Held:
    """What a file holds, of whichever kind it is."""
    if path.suffix.lower() in YAML:
        how.refuse("a YAML file")
        return _read_yaml(_text_of(path))
    return _arranged(read_table(path, how.decimal, how.sheet), how, notes)


def portfolio_rows(held: Held, how: Reading, title: str | None, notes: list[str]) -> dict[str, Row]:
    """The rows of one portfolio; `title` is the project where no column of measurements has them.

    **Raises:** `ValueError` for what is a bet.
    """
    them = "engine.load_bet and engine allocate read {}"
    if isinstance(held, Table):
        for column, several in ((APPROACH, APPROACHES), (DRAW, DRAWS)):
            if column in held.columns:
                what = them.format(several)
                raise ValueError(f"has a column {column}, expected one row a project: {what}")
        for column in RULES:
            if column in held.columns:
                raise ValueError(f"has a column {column}: {them.format('rules')}")
        return rows_in(held, how, title, notes)
    for name, row in held.items():
        for several in (APPROACHES, DRAWS):
            if several in row:
                what = them.format(several)
                raise ValueError(f"{name}: has {several}, expected one curve a project: {what}")
        for key in (SHARED_RULES, *RULES):
            if key in row:
                raise ValueError(f"{name}: has {key}: {them.format('rules')}")
    return held


def save_portfolio(portfolio: Portfolio | Curve, path: str | Path) -> None:
    """Write one portfolio to a CSV or YAML file, by the name's ending: the inverse of `load_portfolio`.

    What is read again is the same to the last bit, as float64; curves tabulated at whole units have their
    efforts written out, and families come in the order of `engine.FAMILIES`.

    **Raises:** `ValueError` in one line naming the file, for one that cannot be written, and for what files
    cannot hold: a batch, names that are not different, cuts of the portfolio's own.
    """
    path = as_path(path, "a file to write")
    try:
        rows = rows_of(portfolio)
        text = yaml_text(rows) if path.suffix.lower() in YAML else _csv_text(rows)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    write(path, text)


def write(path: Path, text: str) -> None:
    """Write a file whole, or say in one line why not."""
    from engine.files.folders import write_text

    try:
        write_text(path, text)
    except OSError as error:
        raise ValueError(f"{path}: cannot be written ({error.strerror or error})") from None


def portfolio_from(frame: Any, **reading: Any) -> Portfolio:
    """One portfolio from a data frame (pandas, Polars) or an Arrow table with the columns of a file.

    A cell that is null, or NaN in pandas, is blank. Several numbers of one parameter are a list, or text with
    semicolons.

    **Arguments:** `reading`, as of `load_portfolio`.

    **Returns:** a `Portfolio` of float64 arrays [projects], with names.

    **Warns:** as `load_portfolio` does.

    **Raises:** `ValueError` in one line naming the row, what is wrong and what was expected.
    """
    notes: list[str] = []
    how = Reading(**reading)
    table = as_table(frame, how.decimal, how.sheet)
    portfolio = build(portfolio_rows(_arranged(table, how, notes), how, None, notes), notes)
    for note in notes:
        warnings.warn(note, stacklevel=2)
    return portfolio


def portfolio_table(portfolio: Portfolio | Curve) -> pa.Table:
    """One portfolio as an Arrow table, the inverse of `portfolio_from`.

    `.to_pandas()` makes a data frame of it for pandas, `polars.from_arrow` one for Polars.

    **Raises:** `ValueError` for what `save_portfolio` cannot write.
    """
    import pyarrow as pa

    rows = rows_of(portfolio)
    columns = {key: [row.get(key) for row in rows.values()] for key in columns_of(rows)}
    for key, cells in columns.items():
        if any(isinstance(cell, list) for cell in cells):
            columns[key] = [None if cell is None else cell_text(cell) for cell in cells]
    return pa.table({"project": list(rows), **columns})


def _arranged(table: Table, how: Reading, notes: list[str]) -> Table:
    notes += table.notes
    return arrange(table, how, KNOWN)


def rows_in(table: Table, how: Reading, title: str | None, notes: list[str]) -> dict[str, Row]:
    """The rows by project of an arranged table, of whichever form; see `portfolio_rows`.

    **Raises:** `ValueError` naming the line or column that cannot be.
    """
    if "project" not in table.columns and not table.columns.keys() & {"family", *MEASURED}:
        saw = some(table.columns) + nearest("project", table.columns)
        raise ValueError(
            f"has no column project, saw {saw}, expected project, family and parameters, "
            "or project, effort and performance"
        )
    long_form = _is_long(table, how)
    if long_form and "project" not in table.columns and title is not None and not nearly(table, "project"):
        table = replace(table, columns={**table.columns, "project": [title] * len(table)})
    if "project" not in table.columns:
        raise missing(table, "project", KNOWN)
    if long_form:
        table = _continued(measured(table, how, notes), how)
    used = {"project", SPILLOVER, *CARRIES, *OPTIONAL, *(MEASURED if long_form else PARAMETERS)}
    used |= set(of_resources(table.columns))
    ignored = [name for name in table.columns if name not in used | UNREAD]
    notes += ignored_note(ignored, table.columns, used, not how.columns.get("performance"))
    columns = {name: column for name, column in table.columns.items() if name in used}
    return gather_rows(replace(table, columns=columns).records(("project", "family", SPILLOVER)), long_form)


def _is_long(table: Table, how: Reading) -> bool:
    """Whether a table has measurements rather than parameters.

    **Raises:** `ValueError` for one that has neither.
    """
    if table.columns.keys() >= {"effort", "performance"}:
        return True
    if "family" not in table.columns:
        there = [name for name in MEASURED if name in table.columns]
        if there:
            raise missing(table, "performance" if there == ["effort"] else "effort", KNOWN)
        close = nearly(table, "family")
        saw = some(table.columns) + (f", did you mean family by {close}?" if close else "")
        raise ValueError(f"has neither a column family nor the columns effort and performance, saw {saw}")
    if how.direction == "down" or how.restarts or how.effort_unit != 1:
        raise ValueError("has parameters, expected direction, effort_unit and restarts for measurements only")
    return False


def _continued(table: Table, how: Reading) -> Table:
    """Measurements after counters that began again are dealt with."""
    _, code = table.words("project")
    effort, keep = resolved(code, table.numbers("effort"), how.restarts)
    return replace(table, columns={**table.columns, "effort": effort}).keep(keep)


def columns_of(rows: dict[str, Row]) -> list[str]:
    """The keys of all rows, parameters first."""
    found = dict.fromkeys(key for row in rows.values() for key in row)
    last = [key for key in ("baseline", *DEFAULTS, "reach") if key in found]
    return [*(key for key in found if key not in last), *last]


def cell_text(value: Any) -> str:
    """Text that is read as the same number, numbers or word."""
    if isinstance(value, list):
        return ";".join(map(repr, value))
    return value if isinstance(value, str) else repr(value)


def _csv_text(rows: dict[str, Row]) -> str:
    text, columns = io.StringIO(), columns_of(rows)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["project", *columns])
    for name, row in rows.items():
        writer.writerow([name, *(cell_text(row[key]) if key in row else "" for key in columns)])
    for name, read in zip(rows, _names_in(text.getvalue(), len(rows)), strict=True):
        if name != read:
            raise ValueError(f"project {name!r} cannot be named so in a CSV file, expected a YAML file")
    return text.getvalue()


def _names_in(text: str, count: int) -> list[str | None]:
    """The projects' names as they are read from a CSV file."""
    try:
        names: list[str | None] = [*rows_in(_arranged(text_table(text), Reading(), []), Reading(), None, [])]
    except ValueError:
        names = []
    return (names + [None] * count)[:count]


def yaml_text(rows: dict[str, Row]) -> str:
    """The text of a YAML file of these rows."""
    text: str = yaml.safe_dump({"projects": rows}, sort_keys=False, allow_unicode=True, width=110)
    return text


def _text_of(path: Path) -> str:
    try:
        return decode(path.read_bytes())
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror or error}), expected a file") from None


def _read_yaml(text: str) -> dict[str, Row]:
    try:
        data = yaml.load(text, Loader=_TextKeys)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", "unreadable")
        raise ValueError(f"{where}is not YAML ({problem})") from None
    projects = data.get("projects") if isinstance(data, dict) else None
    if not isinstance(projects, dict) or not all(isinstance(r, dict) for r in projects.values()):
        raise ValueError("has no mapping `projects` of project names to their keys")
    rows = {name: dict(row) for name, row in projects.items()}
    plain = as_text(text)
    for name, row in rows.items():
        row |= {key: plain["projects"][name][key] for key in NAMING if key in row}
    if SHARED_RULES in data and rows:
        rows[next(iter(rows))][SHARED_RULES] = plain[SHARED_RULES]
    return onto_rows(rows, data[SPILLOVER]) if SPILLOVER in data else rows


class _TextKeys(yaml.SafeLoader):
    """YAML whose keys are the text that stands there: `on`, `NO`, 1 and 1e3 are names, not values.

    A key that occurs twice is an error rather than the last one's win.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ValueError(
                    f"line {key.start_mark.line + 1}: has a key of several parts, expected a word"
                )
        keys = [key.value for key, _ in node.value]
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise ValueError(f"line {node.start_mark.line + 1}: {twice} occurs twice, expected once")
        self.flatten_mapping(node)
        return {key.value: self.construct_object(value, deep=True) for key, value in node.value}
