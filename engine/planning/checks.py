"""The border of planning: numbers that cannot be are refused by name."""

from __future__ import annotations

import dataclasses
from typing import Any

from engine.planning.world import Terms


def check_terms(terms: Terms, where: str = "") -> None:
    """Raise `ValueError` naming the number that is out of its domain, with `where` before its name."""
    for field in dataclasses.fields(terms):
        value, domain = getattr(terms, field.name), field.metadata
        if value is None and field.default is None:
            continue
        try:
            number = _whole(value) if domain.get("static") else float(value)
            inside = domain["low"] <= number <= domain["high"]
        except (TypeError, ValueError):
            inside = False
        if not inside:
            raise ValueError(f"{where}{field.name} is {value!r}, expected {domain['words']}")


def check_count(name: str, value: Any, most: int) -> None:
    """Raise `ValueError` where it is no number of particles, or of worlds, that there may be."""
    try:
        inside = 1 <= _whole(value) <= most
    except TypeError:
        inside = False
    if not inside:
        raise ValueError(f"{name} is {value!r}, expected a whole number from 1 to {most:,}")


def _whole(value: Any) -> int:
    """The same number, if it is whole.

    **Raises:** `TypeError` where it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return value
