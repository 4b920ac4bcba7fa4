"""`engine figures`: figures of a stored sweep, run or fit, or of one portfolio, as files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from engine.config import FiguresConfig
from engine.files import load_portfolio, portfolio_path
from engine.planning import checked_solvers
from engine.results import load_found
from engine.storage import open_folder
from engine.store import Store
from engine.sweep_commands import load_with_figures, study_of

if TYPE_CHECKING:
    from engine.illustration import Illustration

FORMATS = ("png", "svg", "pdf")


def figures_command(config: FiguresConfig, given: DictConfig) -> None:
    """`engine figures`."""
    for name in config.formats:
        if name not in FORMATS:
            raise ValueError(f"formats has {name!r}, expected some of {', '.join(FORMATS)}")
    if not config.formats:
        raise ValueError("formats is empty, expected some of " + ", ".join(FORMATS))
    if (config.study is None) == (config.portfolio is None):
        count = "both" if config.study else "neither"
        raise ValueError(f"{count} of study and portfolio given, expected one of them")
    illustrations = _of_portfolio(config) if config.study is None else _of_folder(Path(config.study), config)
    folder = None
    for illustration in illustrations:
        from engine.figures import save

        folder = folder or open_folder(config.output or Path(config.study or "outputs") / "figures")
        for ending in config.formats:
            save(illustration.axes, folder / f"{illustration.name}.{ending}")
        print(folder / f"{illustration.name}.{config.formats[0]}")
        print(f"engine: {illustration.name}: {illustration.caption}", file=sys.stderr)


def _of_portfolio(config: FiguresConfig) -> Iterator[Illustration]:
    illustration = load_with_figures("engine.illustration")
    if config.budget is None:
        raise ValueError("budget is missing, expected budget=...")
    solvers = list(checked_solvers(config.solver))
    portfolio = load_portfolio(portfolio_path(str(config.portfolio)))
    return illustration.illustrate_portfolio(portfolio, config.budget, solvers)


def _of_folder(folder: Path, config: FiguresConfig) -> Iterator[Illustration]:
    illustration = load_with_figures("engine.illustration")
    if (folder / "manifest.json").exists():
        store = Store(folder)
        view = illustration.View(config.x, config.y, config.by, config.metric)
        return illustration.illustrate_study(store, load_found(folder), study_of(store), view)
    if (folder / "run.json").exists():
        return illustration.illustrate_run(folder)
    if (folder / "fits.csv").exists():
        return illustration.illustrate_fit(folder)
    raise ValueError(f"study {folder}: expected the folder of a sweep, a run or a fit")
