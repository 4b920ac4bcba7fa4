"""`engine report`: what was found, as a table and a page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.cli.command import Command, load_with_figures
from engine.cli.words import blocks_text, say
from engine.files.shipped import MISSING


@dataclass
class ReportConfig:
    """`engine report`."""

    study: str = MISSING
    html: bool = True
    question: str | None = None
    output: str | None = None


def report(config: ReportConfig) -> None:
    """`engine report`: the table of what was found, and a page of it all."""
    from engine.cli.compose import study_of
    from engine.cli.sheet import show
    from engine.cli.tables import study_table
    from engine.files.folders import write_text
    from engine.study.results import load, write_summary
    from engine.study.store import Store

    folder = Path(config.study)
    page = Path(config.output or folder / "report.html")
    if (folder / "run.json").exists():
        webpage = load_with_figures("engine.report.page")
        write_text(page, webpage.run_page(folder, config.question))
        say(f"report in {page}")
        return
    store = Store(folder)
    progress = store.progress()
    table = load(store.folder) if progress.left or progress.failed else write_summary(store)
    show(study_table(table, store.manifest))
    if progress.left or progress.failed:
        done = f"{progress.done:,} of {blocks_text(progress.blocks)} done"
        say(f"{done}, {progress.failed:,} failed: so far only")
    if config.html:
        webpage = load_with_figures("engine.report.page")
        write_text(page, webpage.study_page(store, study_of(store), config.question))
        say(f"report in {page}")


COMMAND = Command(
    "what a sweep or run has found, as a page too",
    "engine report study=FOLDER",
    ReportConfig,
    report,
)
