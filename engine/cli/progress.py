"""Progress: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from engine.cli.words import blocks_text, say, settings_text, time_text
from engine.study.sweep import Sweep
from engine.study.worker import Tally


@contextmanager
def study_progress(sweep: Sweep, done: dict[int, Path], log_seconds: float) -> Iterator[Any]:
    """Show the tally: a bar on a terminal, else a line now and then."""
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[at]}"))
    logged = time.perf_counter()
    manifest = sweep.manifest
    left = sum(manifest.size(n) for n in range(sweep.blocks) if n not in done)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("blocks", total=sweep.blocks, completed=len(done), at="")

        def report(tally: Tally) -> None:
            nonlocal logged
            remaining = (left - tally.portfolios) / tally.rate if tally.rate > 0 else math.nan
            point = settings_text(manifest.settings[tally.point])
            at = f"{tally.rate:,.0f} portfolios/s, {time_text(remaining)} left, at {point}"
            bar.update(task, completed=len(done) + tally.blocks, at=at)
            now = time.perf_counter()
            if not console.is_terminal and now - logged > log_seconds:
                logged = now
                say(f"{len(done) + tally.blocks:,} of {blocks_text(sweep.blocks)}, {at}")

        yield report
