"""Solvers by the names that they had: said to be old where they are given, and then called by today's."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from engine.model.naming import renamed
from engine.solvers.registry import OLD_NAMES, SOLVERS


def current(solver: str) -> str:
    """The name of a solver today; any other name, known or not, stays as it is."""
    if not isinstance(solver, str) or solver in SOLVERS or solver not in OLD_NAMES:
        return solver
    now = OLD_NAMES[solver]
    warnings.warn(renamed(f"solver {solver}", now), FutureWarning, stacklevel=3)
    return now


def by_current_names(solvers: Mapping[str, Any]) -> dict[str, Any]:
    """What is given for each solver, by the names that they have today."""
    return {current(name): given for name, given in solvers.items()}
