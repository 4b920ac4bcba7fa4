"""What an allocation means project by project, and where along a budget curve projects start."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from engine.allocation.running import on_host
from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio, project_names


def project_rows(
    portfolio: Portfolio, effort: Float[np.ndarray, " projects"], unit: float = 1.0
) -> list[dict[str, Any]]:
    """Effort, performance, return, what the next `unit` of effort gains and stage, per project of one
    portfolio."""
    units = np.full_like(effort, unit)
    columns: dict[str, Any] = {"effort": effort, **on_host(_facts, portfolio, effort, units)}
    columns["stage"] = columns["stage"] + 1
    rows = zip(project_names(portfolio), *(plain(values) for values in columns.values()), strict=True)
    return [dict(zip(("project", *columns), row, strict=True)) for row in rows]


def _facts(portfolio: Portfolio, effort: Vector, unit: Vector) -> dict[str, Array]:
    stage, frontier = portfolio.stage(effort)
    within = effort + unit <= portfolio.uppers()
    return {
        "performance": portfolio.performance(effort),
        "return": portfolio.returns(effort),
        "gain": jnp.where(within, portfolio.gain(effort, unit), jnp.nan),
        "stage": stage,
        "frontier": frontier,
    }


def milestones(
    portfolio: Portfolio,
    effort: Float[np.ndarray, "budgets projects"],
    solved: Bool[np.ndarray, " budgets"],
) -> dict[int, list[str]]:
    """At which budgets a project of one portfolio is first funded beyond its lower limit, or reaches a stage.

    **Returns:** what happens, in words, by the budget's place.
    """
    places = np.flatnonzero(solved)
    stages, last, funded = on_host(_steps, portfolio, np.asarray(effort)[places])
    found: dict[int, list[str]] = {}
    for project, name in enumerate(project_names(portfolio)):
        highest = stages[0, project] if places.size else 0
        for row in np.flatnonzero(funded[:, project])[:1]:
            found.setdefault(int(places[row]), []).append(f"{name} starts")
        for row in range(places.size):
            if stages[row, project] > highest:
                highest = stages[row, project]
                stage = "the frontier" if last[row, project] else f"stage {highest + 1}"
                found.setdefault(int(places[row]), []).append(f"{name} reaches {stage}")
    return dict(sorted(found.items()))


def _steps(portfolio: Portfolio, efforts: Float[Array, "budgets projects"]) -> tuple[Array, Array, Array]:
    stage, last = jax.vmap(portfolio.stage)(efforts)
    return stage, last, efforts > portfolio.lowers()[None]


def in_words(solver: str, unit: float) -> str:
    """By what effort was found: the solver, and the lots where it was bought in such."""
    return solver if unit == 1 else f"{solver} in lots of {unit:.9g}"


def plain(numbers: Any, whole: bool = False) -> Any:
    """Arrays as lists of plain numbers, or one as a plain number; whole ones as `int` if all are finite."""
    numbers = np.asarray(numbers)
    return (numbers.astype(np.int64) if whole and np.all(np.isfinite(numbers)) else numbers).tolist()


def known(numbers: Any, whole: bool = False) -> list[Any]:
    """Plain numbers, None where there is none."""
    kind = int if whole else float
    return [kind(number) if math.isfinite(number) else None for number in np.asarray(numbers).tolist()]


def stated(numbers: Any) -> Any:
    """Arrays as lists of plain numbers, or one as a plain number; None for what JSON has no number for."""
    known_ones = known(np.ravel(numbers))
    return known_ones[0] if np.ndim(numbers) == 0 else np.reshape(known_ones, np.shape(numbers)).tolist()


def as_frame(columns: Any) -> Any:
    """A `pandas.DataFrame` of columns, or of rows.

    **Raises:** `ImportError` without pandas, saying how to get it.
    """
    try:
        import pandas
    except ModuleNotFoundError:
        raise ImportError("pandas is missing, expected pip install pandas") from None
    return pandas.DataFrame(columns)
