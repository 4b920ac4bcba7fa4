"""`engine textbook`: the textbook experiment from beginning to end, as two sweeps, figures and one page."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from engine.cli.command import Command, load_with_figures
from engine.study.config import MonteCarloConfig


@dataclass
class TextbookGrid:
    """The budgets and skews of a map."""

    budget: list[float] = field(default_factory=list)
    skew: list[float] = field(default_factory=list)


@dataclass
class TextbookConfig:
    """`engine textbook`."""

    concave: TextbookGrid = field(default_factory=TextbookGrid)
    staged: TextbookGrid = field(default_factory=TextbookGrid)
    run: MonteCarloConfig = field(default_factory=MonteCarloConfig)


# The two maps: the scenario and the solvers of each.
MAPS = {
    "concave": ("scenario=textbook", "solver=[greedy,exact]"),
    "staged": ("scenario=staged", "solver=[greedy,density,relaxation,exact]"),
}


def textbook(config: TextbookConfig) -> None:
    """`engine textbook`."""
    from engine.cli.words import say
    from engine.files.folders import open_folder, write_text
    from engine.study.manifest import machine_facts
    from engine.study.plan import check_run
    from engine.study.study import open_study

    run = check_run(config.run)
    textbook = load_with_figures("engine.report.textbook")
    webpage = load_with_figures("engine.report.page")
    figures = load_with_figures("engine.figures")
    folder = open_folder(run.output, "run.output")
    for name in MAPS:
        _sweep(name, getattr(config, name), run, folder / name)
    chapters = textbook.textbook(*(open_study(folder / name) for name in ("concave", "staged")))
    pictures = open_folder(folder / "figures", "run.output")
    for chapter in chapters:
        for illustration in chapter.illustrations:
            for ending in ("png", "svg"):
                figures.save(illustration.axes, pictures / f"{illustration.name}.{ending}")
    text = webpage.textbook_page(chapters, textbook.QUESTION, run.portfolios, run.seed, machine_facts())
    write_text(folder / "textbook.html", text)
    for number, chapter in enumerate(chapters, start=1):
        print(f"{number}. {chapter.title}")
        for paragraph in chapter.text:
            print(f"   {paragraph}")
    say(f"page, figures and studies in {Path(folder)}")


def _sweep(name: str, grid: TextbookGrid, run: MonteCarloConfig, folder: Path) -> None:
    """Compute a map as far as it is not there, or end the command as `engine sweep` would end."""
    from engine.cli.compose import again, sweep_of
    from engine.cli.computing import compute

    given = [
        *MAPS[name],
        f"++sweep.grid.budget={list(grid.budget)}",
        f"++sweep.grid.scenario.skew={list(grid.skew)}",
        *(f"run.{key}={getattr(run, key)}" for key in ("portfolios", "seed", "block", "dtype", "records")),
        f"run.output={folder}",
    ]
    code = compute(sweep_of(given), str(folder), again("textbook", run.output), table=False)
    if code:
        sys.exit(code)


COMMAND = Command(
    "the textbook experiment as a study, with its figures",
    "engine textbook",
    TextbookConfig,
    textbook,
)
