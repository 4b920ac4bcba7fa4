"""`engine textbook`: the textbook experiment from beginning to end, as two sweeps, figures and one page."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.command import Command, load_with_figures
from engine.study.config import MonteCarloConfig

if TYPE_CHECKING:
    from engine.study.manifest import Manifest


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
    from engine.cli.compose import again
    from engine.cli.computing import compute
    from engine.cli.words import say
    from engine.files.folders import open_folder, write_text
    from engine.study.manifest import machine_facts
    from engine.study.plan import check_run, plan_sweep
    from engine.study.study import open_study

    run = check_run(config.run)
    for name in MAPS:
        grid = getattr(config, name)
        for key in ("budget", "skew"):
            if len(values := list(getattr(grid, key))) < 2:
                raise ValueError(f"{name}.{key} is {values}, expected two or more: its map has two axes")
    textbook = load_with_figures("engine.report.textbook")
    webpage = load_with_figures("engine.report.page")
    figures = load_with_figures("engine.figures")
    folder = Path(run.output)
    studies = {folder / name: _study(name, getattr(config, name), run, folder / name) for name in MAPS}
    for study in studies.values():
        plan_sweep(study)  # what cannot be is refused before anything is written
    open_folder(folder, "run.output")
    for place, study in studies.items():
        if code := compute(study, str(place), again("textbook", run.output), table=False):
            sys.exit(code)
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
    say(f"page, figures and studies in {folder}")


def _study(name: str, grid: TextbookGrid, run: MonteCarloConfig, folder: Path) -> Manifest:
    """The study of a map."""
    from engine.cli.compose import sweep_of
    from engine.study.plan import STUDIED

    given = [
        *MAPS[name],
        f"++sweep.grid.budget={list(grid.budget)}",
        f"++sweep.grid.scenario.skew={list(grid.skew)}",
        *(f"run.{key}={json.dumps(getattr(run, key))}" for key in STUDIED),
        f"run.output={folder}",
    ]
    return sweep_of(given)


COMMAND = Command(
    "the textbook experiment as a study, with its figures",
    (
        "engine textbook  # into outputs/textbook; run again, it goes on",
        "engine textbook run.portfolios=100 run.output=rough  # a rough one, of half as many portfolios",
        "engine textbook 'concave.budget=[50,100,200]' run.output=small  # other budgets, into small/",
    ),
    TextbookConfig,
    textbook,
)
