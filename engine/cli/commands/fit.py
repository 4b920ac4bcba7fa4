"""`engine fit`: measurements in; a portfolio, the fits of all families, and draws for a scenario out."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.command import Command, ReadingConfig
from engine.cli.words import say, suggest
from engine.files.shipped import MISSING, one_of_these

if TYPE_CHECKING:
    from engine.fitting.fitted import Fitted

MOST_SEED = 2**32 - 1
# Warnings said one by one.
MOST_LINES = 50


@dataclass
class FitConfig(ReadingConfig):
    """`engine fit`."""

    data: Any = MISSING
    families: list[str] = field(default_factory=list)
    holdout: float = MISSING
    loss: str = one_of_these("huber", "squares")
    choice: str = one_of_these("common", "each")
    baseline: float | None = MISSING
    draws: int = MISSING
    prior: str | None = MISSING
    ceiling: float | None = MISSING
    seed: int = MISSING
    extrapolate: float | None = MISSING
    output: str = MISSING


def fit(config: FitConfig) -> None:
    """`engine fit`."""
    from engine.cli.progress import phase_progress
    from engine.cli.sheet import show
    from engine.cli.tables import fit_table
    from engine.files.folders import check_folder, open_folder
    from engine.files.measurements import load_measurements
    from engine.fitting.fit import fit as fit_curves
    from engine.fitting.fitted import check_extrapolate, warnings_of

    check_extrapolate(config.extrapolate)
    if not 0 <= config.seed <= MOST_SEED:
        raise ValueError(f"seed is {config.seed}, expected a whole number from 0 to {MOST_SEED}")
    with phase_progress("reading") as report:
        data = load_measurements(config.data, **config.reading())
        check_folder(config.output)
        begin = time.perf_counter()
        fitted = fit_curves(
            data,
            config.families,
            holdout=config.holdout,
            loss=config.loss,
            choice=config.choice,
            baseline=config.baseline,
            draws=config.draws,
            prior=config.prior,
            ceiling=config.ceiling,
            seed=config.seed,
            tell=lambda done, total: report("fitting", done, total),
        )
        report("writing")
        folder = open_folder(config.output)
        _write(folder, fitted, config.extrapolate)
        notes = warnings_of(fitted)
    show(fit_table(fitted, notes))
    lines = [f"{name}: {note}" for name, found in zip(data.names, notes, strict=True) for note in found]
    for line in lines[:MOST_LINES]:
        say(f"warning: {line}")
    if len(lines) > MOST_LINES:
        say(f"warning: and {len(lines) - MOST_LINES:,} more")
    seconds = time.perf_counter() - begin
    say(f"{len(data.names)} curves in {seconds:.1f} s; results in {folder}")
    suggest(folder, drawn=fitted.draws is not None)
    if fitted.draws is not None:
        print(f"  engine plan draws={folder} budget=...", file=sys.stderr)


def _write(folder: Path, fitted: Fitted, extrapolate: float | None) -> None:
    from engine.files.draws import write_draws
    from engine.files.folders import write_parquet, write_text
    from engine.files.portfolios import save_portfolio
    from engine.fitting.folder import fits_csv

    data = fitted.measurements
    save_portfolio(fitted.portfolio(extrapolate), folder / "portfolio.csv")
    write_text(folder / "fits.csv", fits_csv(fitted))
    write_parquet(folder / "measurements.parquet", data.table())
    if fitted.draws is not None:
        write_draws(folder / "draws.parquet", data.names, fitted.draws)


COMMAND = Command(
    "curves from measurements",
    (
        "engine fit data=measurements.csv  # a table of project, effort and performance",
        "engine fit data=runs.csv columns.performance=loss direction=down  # of losses, low is good",
        "engine fit data=measurements.csv 'families=[log,hill]' output=fits  # of two families, into fits/",
    ),
    FitConfig,
    fit,
)
