"""A fit on disk: what is written of it, and read back to be drawn."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from engine.files.draws import Draws, read_draws
from engine.files.measurements import load_measurements
from engine.files.portfolios import load_portfolio
from engine.files.tables import read_table
from engine.fitting.bands import evaluate
from engine.fitting.fitted import EXTRAPOLATE, Fitted


def fits_csv(fitted: Fitted) -> str:
    """Every family's fit of every project, with the standard deviations of its numbers over its draws."""
    numbers = list(dict.fromkeys(n for f in fitted.families.values() for n in f.parameters))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    spread = [f"{n}_sd" for n in numbers]
    writer.writerow(
        ["project", "family", "chosen", "points", "error_ahead", "residual", "r2", "aicc", *numbers, *spread]
    )
    drawn = _spread(fitted)
    for project, name in enumerate(fitted.measurements.names):
        for index, (family, fit) in enumerate(fitted.families.items()):
            chosen = int(fitted.chosen[project]) == index
            quality = (fit.error, fit.residual, fit.r2, fit.aicc)
            own, mine = fit.parameters, drawn.get(family, {})
            writer.writerow(
                [
                    *(name, family, int(chosen), int(fitted.measurements.counts[project])),
                    *(repr(float(values[project])) for values in quality),
                    *(_cell(own, n, project) for n in numbers),
                    *(_cell(mine, n, project) for n in numbers),
                ]
            )
    return text.getvalue()


def _cell(columns: dict[str, np.ndarray], name: str, project: int) -> str:
    """A number of a project; blank where there is none."""
    number = float(columns[name][project]) if name in columns else math.nan
    return "" if math.isnan(number) else repr(number)


def _spread(fitted: Fitted) -> dict[str, dict[str, np.ndarray]]:
    """The standard deviations of each family's numbers over the draws of every project, NaN of fewer than
    two."""
    if fitted.draws is None:
        return {}
    found: dict[str, dict[str, np.ndarray]] = {}
    for place, (family, numbers) in enumerate(fitted.draws.numbers.items()):
        own = fitted.draws.choice == place
        several = np.sum(own, axis=0) > 1
        mine = own[:, several]
        for name, values in numbers.items():
            spread = np.full(several.size, np.nan)
            spread[several] = np.std(values[:, several], axis=0, where=mine)
            found.setdefault(family, {})[name] = spread
    return found


class FittedCurve(NamedTuple):
    """Measurements of one project with their standard errors, its fitted curve on a grid of efforts, and the
    band of its draws; `logarithmic`, whether efforts rise by factors rather than by steps."""

    name: str
    family: str
    effort: Float[np.ndarray, " points"]
    performance: Float[np.ndarray, " points"]
    foretold: Float[np.ndarray, " points"]
    grid: Float[np.ndarray, " grid"]
    fitted: Float[np.ndarray, " grid"]
    low: Float[np.ndarray, " grid"] | None = None
    high: Float[np.ndarray, " grid"] | None = None
    error: Float[np.ndarray, " points"] | None = None
    logarithmic: bool = False


GRID = 300
BAND = (0.05, 0.95)


def fitted_curves(folder: Path) -> Iterator[FittedCurve]:
    """What `engine fit` left in a folder, project by project, as far as each may be funded."""
    data = load_measurements(folder / "measurements.parquet")
    portfolio = load_portfolio(folder / "portfolio.csv")
    families = _chosen_families(folder / "fits.csv")
    path = folder / "draws.parquet"
    drawn, draws = read_draws(str(path)) if path.exists() else (data.names, None)
    for name, there in {"portfolio.csv": portfolio.names, "fits.csv": families, path.name: drawn}.items():
        if tuple(there) != data.names:
            raise ValueError(
                f"{folder / name}: has other projects than measurements.parquet, expected the same"
            )
    with jax.enable_x64(True):
        curve = jax.tree.map(jnp.asarray, portfolio.curves)
    value = jax.jit(jax.vmap(lambda x: curve.value(jnp.full(curve.shape, x))))
    for project, name in enumerate(data.names):
        count = int(data.counts[project])
        effort, performance = data.effort[project, :count], data.performance[project, :count]
        error = None if data.error is None else data.error[project, :count]
        far = EXTRAPOLATE * effort[-1] if portfolio.upper is None else float(portfolio.upper[project])
        logarithmic = is_geometric(effort)
        grid = np.geomspace(effort[0], far, GRID) if logarithmic else np.linspace(0.0, far, GRID)
        with jax.enable_x64(True):
            fitted, foretold = (np.asarray(value(x))[:, project] for x in (grid, effort))
        low = high = None
        if draws is not None:
            low, high = np.quantile(evaluate(_of(draws, project), grid[None])[:, 0], BAND, axis=0)
        yield FittedCurve(
            name,
            families[name],
            effort,
            performance,
            foretold,
            grid,
            fitted,
            low,
            high,
            error,
            logarithmic,
        )


def _chosen_families(path: Path) -> dict[str, str]:
    """The family that a fit chose for each project.

    **Raises:** `ValueError` in one line naming the file.
    """
    table = read_table(path)
    if not {"project", "family", "chosen"} <= table.columns.keys():
        raise ValueError(f"{path}: is no fits.csv of engine fit, expected columns project, family and chosen")
    try:
        (names, project), (families, family) = table.words("project"), table.words("family")
        chosen = np.flatnonzero(table.numbers("chosen") == 1)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return {names[project[row]]: families[family[row]] for row in chosen}


def is_geometric(effort: Float[np.ndarray, " points"]) -> bool:
    """Whether efforts are more alike in their ratios than in their steps, over a decade or so."""
    if effort.size < 3 or effort[0] <= 0 or effort[-1] < 8 * effort[0]:
        return False
    steps, ratios = np.diff(effort), np.diff(np.log(effort))
    return bool(np.std(ratios) / np.mean(ratios) < np.std(steps) / np.mean(steps))


def _of(draws: Draws, project: int) -> Draws:
    """The draws of one project."""
    own = slice(project, project + 1)
    numbers = {f: {n: values[:, own] for n, values in d.items()} for f, d in draws.numbers.items()}
    return Draws(draws.choice[:, own], numbers)
