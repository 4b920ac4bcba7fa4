"""`engine fit`: measurements in; a portfolio, the fits of all families, and draws for a scenario out."""

from __future__ import annotations

import csv
import io
import sys
import time

import numpy as np
from omegaconf import DictConfig

from engine.config import FitConfig
from engine.draws import write_draws
from engine.fitting import Fitted, fit_curves, warnings_of
from engine.measurements import load_measurements
from engine.report import fit_table, show
from engine.storage import open_folder, write_parquet, write_text


def fit_command(config: FitConfig, given: DictConfig) -> None:
    """`engine fit`."""
    if config.extrapolate is not None and not config.extrapolate >= 1:
        raise ValueError(f"extrapolate is {config.extrapolate}, expected a number of at least 1, or null")
    data = load_measurements(config.data)
    folder = open_folder(config.output)
    begin = time.perf_counter()
    fitted = fit_curves(
        data,
        config.families,
        holdout=config.holdout,
        loss=config.loss,
        choice=config.choice,
        bootstrap=config.bootstrap,
        seed=config.seed,
    )
    write_text(folder / "portfolio.csv", portfolio_csv(fitted, config.extrapolate))
    write_text(folder / "fits.csv", fits_csv(fitted))
    write_parquet(folder / "measurements.parquet", data.table())
    if config.bootstrap:
        families = [fitted.family_of(project) for project in range(len(data.names))]
        write_draws(folder / "draws.parquet", data.names, families, fitted.draws)
    notes = warnings_of(fitted)
    show(fit_table(fitted, notes))
    for name, found in zip(data.names, notes, strict=True):
        for note in found:
            print(f"engine: warning: {name}: {note}", file=sys.stderr)
    seconds = time.perf_counter() - begin
    print(f"engine: {len(data.names)} curves in {seconds:.1f} s; results in {folder}", file=sys.stderr)
    print(f"  engine allocate portfolio={folder / 'portfolio.csv'} budget=...", file=sys.stderr)
    if config.bootstrap:
        draws = folder / "draws.parquet"
        print(f"  engine run scenario=fitted scenario.draws={draws} scenario.budget=...", file=sys.stderr)


def portfolio_csv(fitted: Fitted, extrapolate: float | None) -> str:
    """The chosen curve of every project, as `engine allocate` reads it."""
    data = fitted.measurements
    numbers = dict.fromkeys(n for f in fitted.families.values() for n in f.parameters)
    bound = ["upper"] if extrapolate is not None else []
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["project", "family", *numbers, *bound])
    most = np.max(np.where(data.weight > 0, data.effort, 0.0), axis=1)
    for project, name in enumerate(data.names):
        family = fitted.family_of(project)
        own = fitted.families[family].parameters
        cells = [repr(float(own[n][project])) if n in own else "" for n in numbers]
        upper = [] if extrapolate is None else [repr(float(extrapolate * most[project]))]
        writer.writerow([name, family, *cells, *upper])
    return text.getvalue()


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
