"""What is said to the user, and counts and times in words."""

from __future__ import annotations

import contextlib
import math
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.study.words import counted

# A line that quotes what a file holds is shortened to this, begin and end kept.
MOST_CHARACTERS = 600


def say(text: str) -> None:
    """A line to the user, who may have put standard output elsewhere."""
    print(f"engine: {shortened(text)}", file=sys.stderr, flush=True)


def shortened(text: str) -> str:
    """A text without its middle, where it is too long to be read."""
    half = MOST_CHARACTERS // 2
    return text if len(text) <= MOST_CHARACTERS else f"{text[:half]} … {text[-half:]}"


def settings_text(settings: dict[str, Any]) -> str:
    """The settings of a point in words."""
    return ", ".join(f"{key}={value}" for key, value in settings.items()) or "the only point"


def blocks_text(count: int) -> str:
    """So many blocks."""
    return counted(count, "block")


def some_text(numbers: list[int]) -> str:
    """The first of these numbers."""
    return ", ".join(map(str, numbers[:5])) + (" ..." if len(numbers) > 5 else "")


def time_text(seconds: float) -> str:
    """A time in hours, minutes and seconds."""
    if math.isnan(seconds):
        return "an unknown time"
    minutes, rest = divmod(max(round(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
    )


def suggest(folder: Path, *, drawn: bool, budget: float | None = None, solver: str | None = None) -> None:
    """The commands that go on with the curves in a folder, and with their draws if it has them.

    **Arguments:** `budget`, the one that they suggest, if any; `solver`, the first's, if not the default.
    """
    amount = "..." if budget is None else f"{budget:.6g}" if budget < 1e6 else f"{budget:.0f}"
    chosen = f" solver={solver}" if solver else ""
    print(f"  engine allocate portfolio={folder / 'portfolio.csv'} budget={amount}{chosen}", file=sys.stderr)
    if drawn:
        draws = folder / "draws.parquet"
        print(
            f"  engine run scenario=fitted scenario.draws={draws} scenario.budget={amount}", file=sys.stderr
        )


def fail(message: str) -> None:
    """Say in one line what is wrong with the input, and exit with code 2."""
    say(message)
    sys.exit(2)


@contextlib.contextmanager
def noted() -> Iterator[list[str]]:
    """The warnings that are said meanwhile, as lines."""
    notes: list[str] = []
    show = warnings.showwarning

    def note(message: Warning | str, *rest: Any, **more: Any) -> None:
        notes.append(str(message))
        show(message, *rest, **more)

    warnings.showwarning = note
    try:
        yield notes
    finally:
        warnings.showwarning = show


def note_all(answer: Any) -> None:
    """The notes of an answer that has some, as warnings."""
    for note in getattr(answer, "notes", ()):
        warnings.warn(note, stacklevel=2)


def show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """A warning in one line of ours, whatever line of code it came from."""
    say(f"warning: {message}")
