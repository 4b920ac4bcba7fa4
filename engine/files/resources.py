"""Usage of resources in files: how much of each a unit of effort on a project uses.

A table has a column for each resource, `cost.people` and `cost.money`, in place of `cost`; in a YAML file the
`cost` of a project is a mapping, `cost: {people: 2, money: 10}`. A blank cell, or a resource that is not
there, is a project that uses none of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from engine.files.tables import number

COST = "cost"
HEADER = re.compile(r"\s*cost\s*\.\s*(\S.*?)\s*", re.IGNORECASE | re.DOTALL)
Row = dict[str, Any]


def resource_of(key: str) -> str | None:
    """The resource that a column is of; None of another column."""
    found = HEADER.fullmatch(key)
    return found[1] if found else None


def of_resources(keys: Iterable[str]) -> list[str]:
    """Those of the columns that are of resources."""
    return [key for key in keys if resource_of(key) is not None]


def uses_resources(rows: dict[str, Row]) -> bool:
    """Whether a project of these rows uses several resources."""
    return any(isinstance(row.get(COST), dict) or of_resources(row) for row in rows.values())


def take_usage(rows: dict[str, Row]) -> tuple[dict[str, Row], tuple[str, ...], np.ndarray]:
    """The rows without what they use, the resources in their order, and the usage [resources, projects].

    **Raises:** `ValueError` naming the project whose usage cannot be.
    """
    used = {name: usage_of(name, row) for name, row in rows.items()}
    resources = tuple(dict.fromkeys(resource for uses in used.values() for resource in uses))
    usage = np.zeros((len(resources), len(rows)))
    for project, (name, uses) in enumerate(used.items()):
        for resource, cell in uses.items():
            if cell is not None and cell != "":
                what = f"{name}: {COST}.{resource}"
                usage[resources.index(resource), project] = number(cell, what, finite=True)
    rest = {
        name: {key: cell for key, cell in row.items() if key != COST and resource_of(key) is None}
        for name, row in rows.items()
    }
    return rest, resources, usage


def usage_of(name: str, row: Row) -> dict[str, Any]:
    """What a project uses by resource, of a table's row or of YAML.

    **Raises:** `ValueError` for a single cost, and for a resource that is named twice.
    """
    cost = row.get(COST)
    if cost is not None and not isinstance(cost, dict):
        raise ValueError(f"{name}: {COST} is {cost!r}, expected the use of each resource, as of others")
    uses: dict[str, Any] = dict(cost or {})
    for key in of_resources(row):
        resource = str(resource_of(key))
        if resource in uses:
            raise ValueError(f"{name}: {COST}.{resource} occurs twice, expected once")
        uses[resource] = row[key]
    return uses
