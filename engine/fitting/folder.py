"""A fit on disk: what is written of it, and read back to be drawn."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from engine.files.draws import read_draws
from engine.files.measurements import load_measurements
from engine.files.portfolios import load_portfolio
from engine.fitting.fitted import Fitted
from engine.model.curves import FAMILIES


def fits_csv(fitted: Fitted) -> str:
    """Every family's fit of every project, with standard errors of the chosen one's numbers."""
    numbers = list(dict.fromkeys(n for f in fitted.families.values() for n in f.parameters))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    spread = [f"{n}_se" for n in numbers]
    writer.writerow(
        ["project", "family", "chosen", "points", "error_ahead", "residual", "r2", "aicc", *numbers, *spread]
    )
    for project, name in enumerate(fitted.measurements.names):
        for index, (family, fit) in enumerate(fitted.families.items()):
            chosen = int(fitted.chosen[project]) == index
            quality = (fit.error, fit.residual, fit.r2, fit.aicc)
            draws = fitted.draws.get(family, {}) if chosen else {}
            own = fit.parameters
            writer.writerow(
                [
                    *(name, family, int(chosen), int(fitted.measurements.counts[project])),
                    *(repr(float(values[project])) for values in quality),
                    *(repr(float(own[n][project])) if n in own else "" for n in numbers),
                    *(repr(float(np.std(draws[n][:, project]))) if n in draws else "" for n in numbers),
                ]
            )
    return text.getvalue()


class FittedCurve(NamedTuple):
    """Measurements of one project, its fitted curve on a grid of efforts, and the band of its draws."""

    name: str
    family: str
    effort: Float[np.ndarray, " points"]
    performance: Float[np.ndarray, " points"]
    foretold: Float[np.ndarray, " points"]
    grid: Float[np.ndarray, " grid"]
    fitted: Float[np.ndarray, " grid"]
    low: Float[np.ndarray, " grid"] | None = None
    high: Float[np.ndarray, " grid"] | None = None


GRID = 300
# How far beyond the measurements a fitted curve is drawn.
BEYOND = 2.0
BAND = (0.05, 0.95)


def fitted_curves(folder: Path) -> Iterator[FittedCurve]:
    """What `engine fit` left in a folder, project by project."""
    data = load_measurements(folder / "measurements.parquet")
    portfolio = load_portfolio(folder / "portfolio.csv")
    with (folder / "portfolio.csv").open(newline="", encoding="utf-8") as file:
        families = [row["family"] for row in csv.DictReader(file)]
    draws = folder / "draws.parquet"
    numbers = read_draws(str(draws))[2] if draws.exists() else None
    with jax.enable_x64(True):
        curve = jax.tree.map(jnp.asarray, portfolio.curves)
    value = jax.jit(jax.vmap(lambda x: curve.value(jnp.full(curve.shape, x))))
    for project, name in enumerate(data.names):
        count = int(data.counts[project])
        effort = data.effort[project, :count]
        grid = np.linspace(0.0, BEYOND * float(effort.max()), GRID)
        with jax.enable_x64(True):
            fitted, foretold = (np.asarray(value(x))[:, project] for x in (grid, effort))
        low = high = None
        if numbers is not None:
            low, high = _band(families[project], numbers[families[project]], project, grid)
        performance = data.performance[project, :count]
        yield FittedCurve(name, families[project], effort, performance, foretold, grid, fitted, low, high)


def _band(family: str, numbers: dict[str, np.ndarray], project: int, grid: np.ndarray) -> Any:
    """Quantiles of a project's draws along a grid."""
    kind: Any = FAMILIES[family]
    with jax.enable_x64(True):
        curves = kind(**{name: jnp.asarray(values[:, project]) for name, values in numbers.items()})
        drawn = jax.vmap(lambda x: curves.value(jnp.full(curves.shape, x)))(jnp.asarray(grid))
    return np.quantile(np.asarray(drawn), BAND, axis=1)
