"""Spill-over in files: how much of a unit of effort on one project is worth as effort on others.

In a table the column `spillover` of the project that gives holds cells such as `search:0.3;ads:0.2`. In a
YAML file it is a mapping at the top, beside `projects`: `spillover: {platform: {search: 0.3, ads: 0.2}}`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.files.names import nearest, some
from engine.files.tables import number

SPILLOVER = "spillover"
Row = dict[str, Any]


def onto_rows(rows: dict[str, Row], given: Any) -> dict[str, Row]:
    """Rows by project, each with the spill-over that it gives.

    **Raises:** `ValueError` for what is no mapping of projects to mappings.
    """
    if not isinstance(given, dict) or not all(isinstance(shares, dict) for shares in given.values()):
        raise ValueError(f"{SPILLOVER} is no mapping of projects to the shares of others, expected one")
    for source in given:
        require_project(source, rows, SPILLOVER)
    return {name: {**row, SPILLOVER: given[name]} if name in given else row for name, row in rows.items()}


def take_spillover(rows: dict[str, Row]) -> tuple[dict[str, Row], np.ndarray]:
    """The rows without their spill-over, and its matrix [to, from], which is float64.

    **Raises:** `ValueError` naming the project whose spill-over cannot be.
    """
    place = {name: index for index, name in enumerate(rows)}
    matrix = np.zeros((len(rows), len(rows)))
    for source, row in rows.items():
        for to, share in shares_of(source, row.get(SPILLOVER)).items():
            require_project(to, rows, f"{source}: {SPILLOVER}")
            matrix[place[to], place[source]] = number(share, f"{source}: {SPILLOVER} to {to}", finite=True)
    return {name: {k: v for k, v in row.items() if k != SPILLOVER} for name, row in rows.items()}, matrix


def shares_of(source: str, cell: Any) -> dict[str, Any]:
    """What a project gives by name: a mapping, or the cell of a table.

    **Raises:** `ValueError` for a cell that says nothing of the kind, or names a project twice.
    """
    if cell is None or isinstance(cell, dict):
        return cell or {}
    found: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in str(cell).split(";"))):
        to, colon, share = part.rpartition(":")
        if not colon or not to.strip():
            raise ValueError(
                f"{source}: {SPILLOVER} is {part!r}, expected a project and a number, search:0.3"
            )
        if to.strip() in found:
            raise ValueError(f"{source}: {SPILLOVER} to {to.strip()} occurs twice, expected once")
        found[to.strip()] = share.strip()
    return found


def require_project(name: str, rows: dict[str, Row], what: str) -> None:
    """Raise `ValueError` with the nearest name for one that is no project's."""
    if name not in rows:
        raise ValueError(f"{what} names {name!r}, no project of {some(rows)}{nearest(name, rows)}")
