"""A portfolio as rows, a mapping of keys by project, and back; what files and data frames have in common.

A row holds `family` and the family's parameters by name, of which one with several numbers is a list, or
measured `points`; and, where it has them, `baseline` and the parts of `Portfolio`. A key that is not there is
an absent part.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np

from engine.files.periods import CARRIES
from engine.files.resources import COST, uses_resources
from engine.files.spillovers import SPILLOVER
from engine.files.tables import number
from engine.model.curves import FAMILIES
from engine.model.curves.base import Curve
from engine.model.curves.mixture import Mixture
from engine.model.curves.staged import Tabulated
from engine.model.portfolio import STAGE_CUTS, Portfolio, project_names
from engine.model.rising import rising_prices, units_bought
from engine.model.validation import check, normalise

DEFAULTS = Portfolio.neutral_values()
# The baseline of measured points that are flat before the first of them.
FIRST = "first"
# The effort at which the average price of a unit has doubled, where prices rise.
RISING = "rising"
Row = dict[str, Any]


def rows_of(portfolio: Portfolio | Curve) -> dict[str, Row]:
    """The rows of one portfolio, by project; `build` makes the same portfolio of them, to the last bit.

    **Raises:** `ValueError` for a batch, and for what rows cannot hold: names that are the same, families
    that are not in `engine.FAMILIES`, cuts of its own.
    """
    portfolio = normalise(portfolio)
    check(portfolio)
    if units_bought(portfolio.curves, np.zeros(portfolio.shape)) is not None:
        raise ValueError("prices rise, expected steady ones: what is counted in money has no rows")
    if len(portfolio.shape) > 1:
        raise ValueError(f"a batch of shape {portfolio.shape[:-1]} has no rows, expected one portfolio")
    if portfolio.cuts != STAGE_CUTS:
        raise ValueError(f"the portfolio has cuts {portfolio.cuts}, expected {STAGE_CUTS}: rows hold none")
    given = {name: getattr(portfolio, name) for name in portfolio.optional_fields()}
    rows: dict[str, Row] = {}
    for project, name in enumerate(project_names(portfolio)):
        if name in rows:
            raise ValueError(f"project {name} occurs twice, expected names that differ")
        parts = {key: float(values[project]) for key, values in given.items() if values is not None}
        rows[name] = {**_curve_row(portfolio.curves, project), **parts}
    return rows


def _curve_row(curve: Curve, project: int) -> Row:
    """The family and the numbers of one project's curve."""
    while isinstance(curve, Mixture):
        curve = curve.families[int(curve.choice[project])]
    if FAMILIES.get(curve.family) is not type(curve):
        raise ValueError(f"family {curve.family} is not in FAMILIES, expected one of {', '.join(FAMILIES)}")
    values = {name: getattr(curve, name, None) for name in (*curve.parameters(), "baseline")}
    there = {name: np.asarray(value[project], float) for name, value in values.items() if value is not None}
    if isinstance(curve, Tabulated) and curve.last is not None and curve.points is not None:
        measured = there["points"] <= float(curve.last[project])  # the rest only fills the table up
        there = {name: value[measured] for name, value in there.items()}
    return {"family": curve.family, **{name: value.tolist() for name, value in there.items()}}


def gather_rows(lines: Iterable[tuple[str, dict[str, Any]]], long_form: bool) -> dict[str, Row]:
    """Rows by project of a table's lines, each with where it stands and its cells that are not blank.

    Long-form lines (project, effort, performance) are gathered into the `points` of one row a project.

    **Raises:** `ValueError` naming the line that cannot be.
    """
    rows: dict[str, Row] = {}
    for where, cells in lines:
        name = str(cells.pop("project", ""))
        if not name:
            raise ValueError(f"{where}: has no project, expected its name")
        if long_form:
            point = [number(cells.pop(k, ""), f"{where}: {k}") for k in ("effort", "performance")]
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


def _same(one: Any, other: Any) -> bool:
    """Whether two cells say the same, as text or as numbers."""
    try:
        return one == other or float(one) == float(other)
    except (TypeError, ValueError):
        return False


def _numbers(cell: Any, what: str) -> list[float]:
    """Several numbers: a YAML list, or a CSV cell with semicolons."""
    parts = cell.split(";") if isinstance(cell, str) else cell if isinstance(cell, list) else [cell]
    if not parts:
        raise ValueError(f"{what} is empty, expected at least one number")
    return [number(part, what) for part in parts]


def build(rows: dict[str, Row], notes: list[str]) -> Portfolio:
    """The portfolio of these rows, float64; what is odd about them is added to `notes`.

    **Raises:** `ValueError` naming the project and what of it cannot be.
    """
    if not rows:
        raise ValueError("has no projects, expected at least one")
    for name, row in rows.items():
        for key in (SPILLOVER, *CARRIES):
            if row.get(key) is not None:
                raise ValueError(f"{name}: has {key}, which engine.load_bet and engine allocate read")
        if uses_resources({name: row}):
            what = f"{name}: has a {COST} of resources"
            raise ValueError(f"{what}, which engine.load_bet and engine allocate read")
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
    if any(RISING in p for p in given):
        return rising_prices(portfolio, [p.get(RISING, np.inf) for p in given])
    return portfolio


def _parse(name: str, row: Row, notes: list[str]) -> tuple[str, dict[str, Any], dict[str, float]]:
    """(family, parameters, optional parts) of one project."""
    row = {k: v for k, v in row.items() if v is not None}
    parts = {k: number(row.pop(k), f"{name}: {k}") for k in (*DEFAULTS, "reach", RISING) if k in row}
    if isinstance(row.get("points"), list) and "values" not in row:
        row = {"family": "tabulated", **row}
        values: dict[str, Any] = _measured(name, row.pop("points"), row.pop("baseline", None))
        family = row.pop("family")
        if family != "tabulated":
            raise ValueError(f"{name}: has measured points and family {family}, expected tabulated")
    else:
        family = row.pop("family", None)
        if not isinstance(family, str) or family not in FAMILIES:
            raise ValueError(f"{name}: unknown family {family!r}, expected one of {', '.join(FAMILIES)}")
        values = {}
        if "baseline" in row and family != "tabulated":
            values["baseline"] = number(row.pop("baseline"), f"{name}: baseline")
        for key, field in FAMILIES[family].parameters().items():
            if key not in row:
                if field.metadata["optional"]:
                    continue
                raise ValueError(f"{name}: has no {key}, which family {family} needs")
            read = _numbers if field.metadata["axes"] else number
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


def _measured(name: str, points: list[Any], baseline: Any) -> dict[str, list[float]]:
    """A tabulated curve through measured points, which may come in any order."""
    if not points:
        raise ValueError(f"{name}: has no points, expected [effort, performance] pairs")
    pairs = []
    for point in points:
        if not isinstance(point, list) or len(point) != 2:
            raise ValueError(f"{name}: point {point!r}, expected [effort, performance]")
        pairs.append(
            [number(v, f"{name}: {k}") for v, k in zip(point, ("effort", "performance"), strict=True)]
        )
    if baseline not in (None, FIRST):
        pairs.append([0.0, number(baseline, f"{name}: baseline")])
    pairs.sort()
    for (effort, one), (other, two) in itertools.pairwise(pairs):
        if effort == other:
            raise ValueError(f"{name}: has two performances, {one:g} and {two:g}, for effort {effort:g}")
    if pairs[0][0] > 0 and baseline is None:
        raise ValueError(
            f"{name}: has no point at effort 0, expected one, or a baseline: what is attained without effort "
            f"as a number, or {FIRST} for that of the first point, {pairs[0][1]:g}"
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
    lengths = [len(row["points"]) for row in rows if "points" in row]
    if len(set(lengths)) > 1:
        arrays["last"] = np.array([row["points"][-1] if "points" in row else 0.0 for row in rows])
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
