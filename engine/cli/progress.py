"""Progress: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from engine.cli.words import blocks_text, say, settings_text, time_text

if TYPE_CHECKING:  # a command imports what it needs and no more
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


@contextmanager
def phase_progress(first: str) -> Iterator[Callable[..., None]]:
    """A bar on a terminal, gone in the end, of what is going on: (phase, how much is done, of how much), or
    the phase alone where that cannot be told."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task, shown = bar.add_task(first, total=None), first

        def report(phase: str, done: int = 0, total: int | None = None) -> None:
            nonlocal task, shown
            if phase != shown:
                bar.remove_task(task)
                task, shown = bar.add_task(phase, total=total), phase
            bar.update(task, completed=done)

        yield report
