"""`engine textbook`: the textbook experiment from beginning to end, as two sweeps, figures and one page."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from engine.cli.command import Command, load_with_figures
from engine.study.config import MonteCarloConfig


@dataclass
class TextbookConfig:
    """`engine textbook`."""

    run: MonteCarloConfig = field(default_factory=MonteCarloConfig)


GRIDS = {
    "concave": (
        "scenario=textbook",
        "solver=[greedy,exact]",
        "++sweep.grid.budget=[100,150,200,250,300]",
        "++sweep.grid.scenario.skew=[0.0,0.5,1.0,1.5,2.0]",
    ),
    "staged": (
        "scenario=staged",
        "solver=[greedy,density,relaxation,exact]",
        "++sweep.grid.budget=[40,80,120,160,200]",
        "++sweep.grid.scenario.skew=[0.0,1.0,2.0]",
    ),
}


def textbook(config: TextbookConfig) -> None:
    """`engine textbook`."""
    import jax

    from engine.cli.compose import study_of
    from engine.cli.sweeping import run_sweep
    from engine.cli.words import say
    from engine.files.folders import open_folder, write_text
    from engine.study.manifest import machine_facts
    from engine.study.plan import check_run

    run = check_run(config.run)
    if run.records:
        raise ValueError("run.records is true, expected false: the studies keep no portfolio, replay does")
    textbook = load_with_figures("engine.report.textbook")
    webpage = load_with_figures("engine.report.page")
    figures = load_with_figures("engine.figures")
    folder = open_folder(run.output, "run.output")
    own = [f"run.{key}={getattr(run, key)}" for key in ("portfolios", "seed", "block", "dtype")]
    with jax.enable_x64(True):
        stores = {
            name: run_sweep([*grid, *own, f"run.output={folder / name}"]) for name, grid in GRIDS.items()
        }
    chapters = textbook.textbook(textbook.Sources(stores["concave"], stores["staged"], study_of))
    pictures = open_folder(folder / "figures")
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


COMMAND = Command(
    "the textbook experiment as a study, with its figures",
    "engine textbook",
    TextbookConfig,
    textbook,
)
