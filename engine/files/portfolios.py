"""Portfolio files: CSV and YAML, read into a `Portfolio`.

A CSV has either one row a project (project, family, the family's parameters by name; several numbers of
one parameter are separated by semicolons) or long-form measurements (project, effort, performance), which
make a tabulated curve. Optional columns: baseline and those of `Portfolio` (weight, cost, lower, upper,
startup, success, curvature, threshold, reach). A blank cell is an absent part. A YAML file has the same
keys under `projects`, a mapping by project name; measurements are `points`, a list of [effort, performance].
"""

from __future__ import annotations

import csv
import itertools
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from engine.files.shipped import config_folder
from engine.model.curves import FAMILIES
from engine.model.curves.base import Curve
from engine.model.curves.mixture import Mixture
from engine.model.portfolio import Portfolio
from engine.model.validation import check, normalise

DEFAULTS = Portfolio.neutral_values()


Row = dict[str, Any]


def portfolio_path(name: str) -> Path:
    """A file, or the name of a portfolio that ships with the package."""
    shipped = config_folder() / "portfolios" / f"{name}.csv"
    return shipped if not Path(name).is_file() and "/" not in name and shipped.is_file() else Path(name)


def load_portfolio(path: str | Path) -> Portfolio:
    """Read one portfolio from a CSV or YAML file (see the module's first lines).

    **Returns:** a `Portfolio` of float64 arrays [projects], with names.

    **Warns:** of measured curves that fall, and of ones without a point at effort 0.

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
        rows = _read_yaml(text) if path.suffix.lower() in (".yaml", ".yml") else _read_csv(text)
        portfolio = _build(rows, notes)
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path}: {error}") from None
    except RecursionError:
        raise ValueError(f"{path}: is nested too deeply, expected `projects` and their keys") from None
    for note in notes:
        warnings.warn(note, stacklevel=2)
    return portfolio


def _read_csv(text: str) -> dict[str, Row]:
    """Rows by project; long-form rows are gathered into `points` of one row a project."""
    lines = text.splitlines()
    blank = next((i for i, line in enumerate(lines) if line.strip()), 0)
    reader = csv.DictReader(lines[blank:], skipinitialspace=True)
    columns = [c.strip() for c in reader.fieldnames or []]
    reader.fieldnames = columns
    long_form = {"effort", "performance"} <= set(columns)
    _check_columns(columns, long_form)
    rows: dict[str, Row] = {}
    for line in reader:
        where = f"line {blank + reader.line_num}"
        if not any(isinstance(cell, str) and cell.strip() for cell in line.values()):
            continue
        if None in line or None in line.values():
            raise ValueError(f"{where}: has another number of cells than the header, expected {len(columns)}")
        cells = {k: v.strip() for k, v in line.items() if v.strip() and k}
        name = cells.pop("project", "")
        if not name:
            raise ValueError(f"{where}: has no project, expected its name")
        if long_form:
            point = [_number(cells.pop(k, ""), f"{where}: {k}") for k in ("effort", "performance")]
            row = rows.setdefault(name, {"points": []})
            row["points"].append(point)
            for key, value in cells.items():
                if not _same(row.setdefault(key, value), value):
                    raise ValueError(f"{where}: {key} of {name} is {value}, expected {row[key]} as before")
        elif name in rows:
            raise ValueError(f"{where}: project {name} occurs twice, expected one row a project")
        else:
            rows[name] = cells
    return rows


def _check_columns(columns: list[str], long_form: bool) -> None:
    known = {"project", "baseline", "reach", *DEFAULTS}
    parameters = {p for f in FAMILIES.values() for p in f.parameters()}
    known |= {"effort", "performance"} if long_form else {"family", *parameters}
    if "project" not in columns:
        raise ValueError(
            "has no column project, expected project, family and parameters, or project, "
            "effort and performance"
        )
    if not long_form and "family" not in columns:
        raise ValueError("has neither a column family nor the columns effort and performance")
    for column in columns:
        if column not in known:
            raise ValueError(f"unknown column {column!r}, expected one of {', '.join(sorted(known))}")
    if len(set(columns)) < len(columns):
        raise ValueError("a column occurs twice, expected each once")


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


def _same(one: str, other: str) -> bool:
    """Whether two cells say the same, as text or as numbers."""
    try:
        return one == other or float(one) == float(other)
    except ValueError:
        return False


def _number(cell: Any, what: str) -> float:
    try:
        if isinstance(cell, bool):
            raise ValueError
        number = float(cell)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{what} is {repr(cell)[:42]}, expected a number") from None
    if math.isnan(number):
        raise ValueError(f"{what} is NaN, expected a number")
    return number


def _numbers(cell: Any, what: str) -> list[float]:
    """Several numbers: a YAML list, or a CSV cell with semicolons."""
    parts = cell.split(";") if isinstance(cell, str) else cell if isinstance(cell, list) else [cell]
    if not parts:
        raise ValueError(f"{what} is empty, expected at least one number")
    return [_number(part, what) for part in parts]


def _build(rows: dict[str, Row], notes: list[str]) -> Portfolio:
    if not rows:
        raise ValueError("has no projects, expected at least one")
    parsed = {name: _parse(name, row, notes) for name, row in rows.items()}
    curves = _join([family for family, _, _ in parsed.values()], [values for _, values, _ in parsed.values()])
    given = [parts for _, _, parts in parsed.values()]
    parts: dict[str, Any] = {
        key: np.array([p.get(key, default) for p in given])
        for key, default in DEFAULTS.items()
        if any(key in p for p in given)
    }
    if any("reach" in p for p in given):
        missing = [name for name, p in zip(rows, given, strict=True) if "reach" not in p]
        if missing:
            raise ValueError(f"{missing[0]}: has no reach, expected one for every project or for none")
        parts["reach"] = np.array([p["reach"] for p in given])
    portfolio = normalise(Portfolio(curves=curves, names=tuple(rows), **parts))
    check(portfolio)
    return portfolio


def _parse(name: str, row: Row, notes: list[str]) -> tuple[str, dict[str, Any], dict[str, float]]:
    """(family, parameters, optional parts) of one project."""
    row = {k: v for k, v in row.items() if v is not None}
    parts = {k: _number(row.pop(k), f"{name}: {k}") for k in (*DEFAULTS, "reach") if k in row}
    if isinstance(row.get("points"), list) and "values" not in row:
        row = {"family": "tabulated", **row}
        values: dict[str, Any] = _measured(name, row.pop("points"), row.pop("baseline", None), notes)
        family = row.pop("family")
        if family != "tabulated":
            raise ValueError(f"{name}: has measured points and family {family}, expected tabulated")
    else:
        family = row.pop("family", None)
        if not isinstance(family, str) or family not in FAMILIES:
            raise ValueError(f"{name}: unknown family {family!r}, expected one of {', '.join(FAMILIES)}")
        values = {}
        if "baseline" in row and family != "tabulated":
            values["baseline"] = _number(row.pop("baseline"), f"{name}: baseline")
        for key, field in FAMILIES[family].parameters().items():
            if key not in row:
                if field.metadata["optional"]:
                    continue
                raise ValueError(f"{name}: has no {key}, which family {family} needs")
            read = _numbers if field.metadata["axes"] else _number
            values[key] = read(row.pop(key), f"{name}: {key}")
    lengths = {key: len(value) for key, value in values.items() if isinstance(value, list)}
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{length} {key}" for key, length in lengths.items())
        raise ValueError(f"{name}: has {counts}, expected as many of each")
    if row:
        raise ValueError(f"{name}: unknown key {next(iter(row))!r} for family {family}")
    if family == "tabulated":
        values.setdefault("points", [float(k) for k in range(len(values["values"]))])
        if np.any(np.diff(values["values"]) < 0):
            notes.append(f"{name}: performance falls as effort rises; the curve is taken as measured")
    return family, values, parts


def _measured(name: str, points: list[Any], baseline: Any, notes: list[str]) -> dict[str, list[float]]:
    """A tabulated curve through measured points, which may come in any order."""
    if not points:
        raise ValueError(f"{name}: has no points, expected [effort, performance] pairs")
    pairs = []
    for point in points:
        if not isinstance(point, list) or len(point) != 2:
            raise ValueError(f"{name}: point {point!r}, expected [effort, performance]")
        pairs.append(
            [_number(v, f"{name}: {k}") for v, k in zip(point, ("effort", "performance"), strict=True)]
        )
    if baseline is not None:
        pairs.append([0.0, _number(baseline, f"{name}: baseline")])
    pairs.sort()
    for (effort, one), (other, two) in itertools.pairwise(pairs):
        if effort == other:
            raise ValueError(f"{name}: has two performances, {one:g} and {two:g}, for effort {effort:g}")
    if pairs[0][0] > 0:
        notes.append(
            f"{name}: has no point at effort 0; performance is taken as {pairs[0][1]:g} up to effort "
            f"{pairs[0][0]:g}"
        )
    return {"points": [e for e, _ in pairs], "values": [p for _, p in pairs]}


def _join(families: list[str], parameters: list[dict[str, Any]]) -> Curve:
    """One curve object for all projects: of the one family, or a mixture."""
    present = [family for family in FAMILIES if family in families]
    curves = []
    for family in present:
        mine = [p if f == family else {} for f, p in zip(families, parameters, strict=True)]
        curves.append(_gather(FAMILIES[family], mine))
    if len(curves) == 1:
        return curves[0]
    choice: Any = np.array([present.index(f) for f in families], np.int32)
    return Mixture(tuple(curves), choice)


def _gather(family: type[Curve], rows: list[dict[str, Any]]) -> Curve:
    """Parameter arrays of one family; rows of other families get its neutral numbers."""
    arrays: dict[str, np.ndarray] = {}
    for key, field in family.parameters().items():
        neutral, given = field.metadata["neutral"], [row.get(key) for row in rows]
        if field.metadata["axes"]:
            length = max(len(v) for v in given if v is not None)
            arrays[key] = np.array([_lengthen(v, key, length, neutral) for v in given])
        else:
            arrays[key] = np.array([neutral if v is None else v for v in given])
    if any("baseline" in row for row in rows):
        arrays["baseline"] = np.array([row.get("baseline", 0.0) for row in rows])
    return family(**arrays)


def _lengthen(values: list[float] | None, key: str, length: int, neutral: float) -> list[float]:
    """Fill a shorter list up in a way that leaves its curve as it is: the last stage or level repeated."""
    if values is None:
        values = [0.0] if key == "points" else [neutral]
    missing = length - len(values)
    if key == "points":
        return values + [values[-1] + 1.0 + k for k in range(missing)]
    return values + [values[-1]] * missing
