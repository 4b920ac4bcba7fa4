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
    html: bool = MISSING
    question: str | None = MISSING
    output: str | None = MISSING


def report(config: ReportConfig) -> None:
    """`engine report`: the table of what was found, and a page of it all."""
    from engine.cli.sheet import show
    from engine.cli.tables import result_table
    from engine.files.folders import write_text
    from engine.study.study import open_study

    if not config.html and (ignored := config.question or config.output):
        key = "question" if config.question else "output"
        raise ValueError(f"{key} is {ignored!r} without a page to write, expected html=true")
    study = open_study(config.study)
    table = result_table(study)
    page = Path(config.output or study.folder / "report.html")
    if config.html:
        text: str = load_with_figures("engine.report.page").study_page(study, config.question)
        try:
            write_text(page, text)
        except OSError as error:
            raise ValueError(f"output {page}: cannot be written ({error.strerror})") from None
    progress = study.store.progress()
    finished = not (progress.left or progress.failed)
    if finished:
        study.write_summary()
    show(table)
    if not finished:
        done = f"{progress.done:,} of {blocks_text(progress.blocks)} done"
        say(f"{done}, {progress.failed:,} failed: so far only")
    if config.html:
        say(f"report in {page}")


COMMAND = Command(
    "what a study has found, as a page too",
    (
        "engine report study=outputs/sweep/staged  # a table, and report.html in that folder",
        "engine report study=outputs/sweep/staged html=false  # the table alone",
        "engine report study=outputs/sweep/staged 'question=When does it pay to focus?'  # under a question",
    ),
    ReportConfig,
    report,
)
