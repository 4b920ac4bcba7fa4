"""Portfolio files, CSV and YAML, and data frames of the same columns: read into a `Portfolio`, and written.

A CSV has either one row a project (project, family, the family's parameters by name; several numbers of
one parameter are separated by semicolons) or long-form measurements (project, effort, performance), which
make a tabulated curve. Optional columns: baseline and those of `Portfolio` (weight, cost, lower, upper,
startup, success, curvature, threshold, reach). A blank cell is an absent part. A YAML file has the same
keys under `projects`, a mapping by project name; measurements are `points`, a list of [effort, performance].
"""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from engine.files.rows import DEFAULTS, Row, build, gather_rows, rows_of
from engine.files.shipped import config_folder
from engine.files.tables import as_table
from engine.model.curves.base import Curve
from engine.model.portfolio import Portfolio

if TYPE_CHECKING:
    import pyarrow as pa

YAML = (".yaml", ".yml")


def portfolio_path(name: str) -> Path:
    """A file, or the name of a portfolio that ships with the package."""
    shipped = config_folder() / "portfolios" / f"{name}.csv"
    return shipped if not Path(name).is_file() and "/" not in name and shipped.is_file() else Path(name)


def load_portfolio(path: str | Path) -> Portfolio:
    """Read one portfolio from a CSV or YAML file (see the module's first lines).

    **Returns:** a `Portfolio` of float64 arrays [projects], with names.

    **Warns:** of measured curves that fall.

    **Raises:** `ValueError` in one line naming the file, the place, what is wrong and what was expected.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror or error}), expected a file") from None
    except ValueError:
        raise ValueError(f"{path}: is not text, expected a CSV or YAML file") from None
    notes: list[str] = []
    try:
        rows = _read_yaml(text) if path.suffix.lower() in YAML else _read_csv(text)
        portfolio = build(rows, notes)
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path}: {error}") from None
    except RecursionError:
        raise ValueError(f"{path}: is nested too deeply, expected `projects` and their keys") from None
    for note in notes:
        warnings.warn(note, stacklevel=2)
    return portfolio


def save_portfolio(portfolio: Portfolio | Curve, path: str | Path) -> None:
    """Write one portfolio to a CSV or YAML file, by the name's ending: the inverse of `load_portfolio`.

    What is read again is the same to the last bit, as float64; curves tabulated at whole units have their
    efforts written out, and families come in the order of `engine.FAMILIES`.

    **Raises:** `ValueError` in one line naming the file, for one that cannot be written, and for what files
    cannot hold: a batch, names that are not different, cuts of the portfolio's own.
    """
    from engine.files.folders import write_text

    path = Path(path)
    try:
        rows = rows_of(portfolio)
        text = _yaml_text(rows) if path.suffix.lower() in YAML else _csv_text(rows)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    try:
        write_text(path, text)
    except OSError as error:
        raise ValueError(f"{path}: cannot be written ({error.strerror or error})") from None


def portfolio_from(frame: Any) -> Portfolio:
    """One portfolio from a data frame (pandas, Polars) or an Arrow table with the columns of a CSV file.

    A cell that is null, or NaN in pandas, is blank. Several numbers of one parameter are a list, or text with
    semicolons.

    **Returns:** a `Portfolio` of float64 arrays [projects], with names.

    **Warns:** as `load_portfolio` does.

    **Raises:** `ValueError` in one line naming the row, what is wrong and what was expected.
    """
    table = as_table(frame)
    notes: list[str] = []
    portfolio = build(gather_rows([name.strip() for name in table.column_names], _records(table)), notes)
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
    columns = {key: [row.get(key) for row in rows.values()] for key in _columns(rows)}
    for key, cells in columns.items():
        if any(isinstance(cell, list) for cell in cells):
            columns[key] = [None if cell is None else _cell(cell) for cell in cells]
    return pa.table({"project": list(rows), **columns})


def _records(table: pa.Table) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where each row of a table stands, and its cells that are not blank."""
    for place, row in enumerate(table.to_pylist(), start=1):
        cells = {key.strip(): cell.strip() if isinstance(cell, str) else cell for key, cell in row.items()}
        filled = {key: cell for key, cell in cells.items() if cell is not None and cell != ""}
        if filled:
            yield f"row {place}", filled


def _columns(rows: dict[str, Row]) -> list[str]:
    """The keys of all rows, parameters first."""
    found = dict.fromkeys(key for row in rows.values() for key in row)
    last = [key for key in ("baseline", *DEFAULTS, "reach") if key in found]
    return [*(key for key in found if key not in last), *last]


def _cell(value: Any) -> str:
    """Text that is read as the same number, numbers or word."""
    if isinstance(value, list):
        return ";".join(map(repr, value))
    return value if isinstance(value, str) else repr(value)


def _csv_text(rows: dict[str, Row]) -> str:
    text, columns = io.StringIO(), _columns(rows)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["project", *columns])
    for name, row in rows.items():
        writer.writerow([name, *(_cell(row[key]) if key in row else "" for key in columns)])
    for name, read in zip(rows, _names_in(text.getvalue(), len(rows)), strict=True):
        if name != read:
            raise ValueError(f"project {name!r} cannot be named so in a CSV file, expected a YAML file")
    return text.getvalue()


def _names_in(text: str, count: int) -> list[str | None]:
    """The projects' names as they are read from a CSV file."""
    try:
        names: list[str | None] = [*_read_csv(text)]
    except (ValueError, csv.Error):
        names = []
    return (names + [None] * count)[:count]


def _yaml_text(rows: dict[str, Row]) -> str:
    text: str = yaml.safe_dump({"projects": rows}, sort_keys=False, allow_unicode=True, width=110)
    return text


def _read_csv(text: str) -> dict[str, Row]:
    lines = text.splitlines()
    blank = next((i for i, line in enumerate(lines) if line.strip()), 0)
    reader = csv.DictReader(lines[blank:], skipinitialspace=True)
    columns = [c.strip() for c in reader.fieldnames or []]
    reader.fieldnames = columns

    def records() -> Iterator[tuple[str, dict[str, Any]]]:
        for line in reader:
            where = f"line {blank + reader.line_num}"
            if not any(isinstance(cell, str) and cell.strip() for cell in line.values()):
                continue
            if None in line or None in line.values():
                raise ValueError(
                    f"{where}: has another number of cells than the header, expected {len(columns)}"
                )
            yield where, {k: v.strip() for k, v in line.items() if v.strip() and k}

    return gather_rows(columns, records())


def _read_yaml(text: str) -> dict[str, Row]:
    try:
        data = yaml.load(text, Loader=_UniqueKeys)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", "unreadable")
        raise ValueError(f"{where}is not YAML ({problem})") from None
    projects = data.get("projects") if isinstance(data, dict) else None
    if not isinstance(projects, dict) or not all(isinstance(r, dict) for r in projects.values()):
        raise ValueError("has no mapping `projects` of project names to their keys")
    return {str(name): dict(row) for name, row in projects.items()}


class _UniqueKeys(yaml.SafeLoader):
    """YAML in which a key that occurs twice is an error rather than the last one's win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise ValueError(f"line {node.start_mark.line + 1}: {key} occurs twice, expected once")
        return super().construct_mapping(node, deep)
