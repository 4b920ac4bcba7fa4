"""Carry-over in files: what share of a period's effort on a project counts in the next.

A column `carry`, or that key of projects in a YAML file, from 0 to below 1; and `carried`, the effective
effort before the first period. A project without them has none.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.files.tables import number

CARRIES = ("carry", "carried")
Row = dict[str, Any]


def take_carries(rows: dict[str, Row]) -> tuple[dict[str, Row], np.ndarray, np.ndarray]:
    """The rows without what carries over, and `carry` and `carried` [projects], float64.

    **Raises:** `ValueError` naming the project whose number cannot be.
    """
    carry, carried = (
        np.array([_number(name, key, row.get(key)) for name, row in rows.items()]) for key in CARRIES
    )
    plain = {name: {k: v for k, v in row.items() if k not in CARRIES} for name, row in rows.items()}
    return plain, carry, carried


def _number(name: str, key: str, cell: Any) -> float:
    return 0.0 if cell is None else number(cell, f"{name}: {key}", finite=True)
