"""`engine figures`: figures of a stored sweep, run or fit, or of one portfolio, as files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.cli.command import Command, ReadingConfig, load_with_figures
from engine.cli.words import say
from engine.files.shipped import MISSING


@dataclass
class FiguresConfig(ReadingConfig):
    """`engine figures`."""

    study: str | None = MISSING
    portfolio: str | None = MISSING
    budget: float | None = MISSING
    solver: dict[str, Any] = field(default_factory=dict)
    x: str | None = MISSING
    y: str | None = MISSING
    by: str | None = MISSING
    metric: str | None = MISSING
    errors: bool = MISSING
    formats: list[str] = field(default_factory=list)
    output: str | None = MISSING


FORMATS = ("png", "svg", "pdf")
# What of a study's grid is drawn.
VIEW = ("x", "y", "by", "metric", "errors")


def figures(config: FiguresConfig) -> None:
    """`engine figures`."""
    from engine.files.folders import open_folder

    for name in config.formats:
        if name not in FORMATS:
            raise ValueError(f"formats has {name!r}, expected some of {', '.join(FORMATS)}")
    if not config.formats:
        raise ValueError("formats is empty, expected some of " + ", ".join(FORMATS))
    if (config.study is None) == (config.portfolio is None):
        count = "both" if config.study else "neither"
        raise ValueError(f"{count} of study and portfolio given, expected one of them")
    if config.study is not None:
        _refuse(config, ("budget",), "of a study")
    illustrations = _of_portfolio(config) if config.study is None else _of_folder(Path(config.study), config)
    folder = None
    for illustration in illustrations:
        from engine.figures.style import save

        folder = folder or open_folder(config.output or Path(config.study or "outputs") / "figures")
        for ending in config.formats:
            save(illustration.axes, folder / f"{illustration.name}.{ending}")
        print(folder / f"{illustration.name}.{config.formats[0]}")
        say(f"{illustration.name}: {illustration.caption}")


def _of_portfolio(config: FiguresConfig) -> Iterable[Any]:
    from engine.allocation.old_names import by_current_names
    from engine.bets.uncertain import Uncertain
    from engine.files.bets import load_drawn
    from engine.study.plan import checked_solvers

    illustration = load_with_figures("engine.figures.gallery")
    _refuse(config, VIEW, "of a portfolio")
    if config.budget is None:
        raise ValueError("budget is missing, expected budget=...")
    solvers = list(by_current_names(checked_solvers(config.solver)))
    held = load_drawn(str(config.portfolio), **config.reading())
    if isinstance(held, Uncertain):
        return list(illustration.illustrate_draws(held, config.budget))
    # All are drawn before the first is written: what cannot be drawn leaves nothing.
    return list(illustration.illustrate_portfolio(held, config.budget, solvers))


def _of_folder(folder: Path, config: FiguresConfig) -> Iterable[Any]:
    from engine.files.reading import Reading
    from engine.study.study import open_study

    Reading(**config.reading()).refuse("figures of what is stored")
    if (folder / "manifest.json").exists():
        gallery = load_with_figures("engine.figures.study_gallery")
        view = gallery.View(config.x, config.y, config.by, config.metric, config.errors)
        return list(gallery.illustrate_study(open_study(folder), view))
    if (folder / "fits.csv").exists():
        _refuse(config, VIEW, "of a fit")
        return load_with_figures("engine.figures.gallery").illustrate_fit(folder)
    raise ValueError(f"study {folder}: expected the folder of a sweep, a run or a fit")


def _refuse(config: FiguresConfig, keys: tuple[str, ...], what: str) -> None:
    """Options that would change nothing."""
    for key in keys:
        if (value := getattr(config, key)) not in (None, False):
            raise ValueError(f"{key} is {value!r}, expected none for figures {what}")


COMMAND = Command(
    "figures of a sweep, a run, a fit or a portfolio",
    (
        "engine figures portfolio=textbook budget=100 output=figures  # curves and allocation of a portfolio",
        "engine figures study=outputs/sweep/staged 'formats=[png]'  # what an engine sweep has found",
        "engine figures study=outputs/sweep/staged by=bound metric=gap  # of one solver and metric",
    ),
    FiguresConfig,
    figures,
)
