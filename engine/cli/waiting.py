"""A word while one long computation goes on: how long it has, and what it may take at most."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from engine.cli.words import say, time_text

# Seconds before the first word: on a terminal, and in a log, where each further one waits twice as long.
TERMINAL_SECONDS, LOG_SECONDS = 2.0, 5.0
# Of two times less than this apart one is as good as the other.
NEAR_SECONDS = 1.0


class Wait:
    """A computation that somebody waits for: since when, and until when at most, where that is known."""

    def __init__(self, what: str) -> None:
        self.what, self.done = what, threading.Event()
        self.begin = time.perf_counter()
        self.end: float | None = None

    def expect(self, seconds: float) -> None:
        """It takes so many seconds from now on at most."""
        self.end = time.perf_counter() - self.begin + seconds

    @property
    def seconds(self) -> float:
        """How long it has been going on."""
        return time.perf_counter() - self.begin

    @property
    def line(self) -> str:
        """What, for how long, and how long it may take; not what has turned out to be wrong."""
        seconds, end = self.seconds, self.end
        foreseen = end is not None and end > seconds + NEAR_SECONDS
        most = f", at most about {time_text(end)}" if end is not None and foreseen else ""
        return f"{self.what}, {time_text(seconds)} so far{most}"


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Say how long this has been going on, and what it may take at most: on a terminal in a line that goes
    away, else in a line now and then; always on standard error. Computing and compiling leave Python's lock
    alone, so that a thread can."""
    from engine.allocation.foresight import foreseeing

    wait = Wait(what)
    show = _on_terminal if sys.stderr.isatty() else _in_lines
    thread = threading.Thread(target=show, args=(wait,), daemon=True)
    thread.start()
    try:
        with foreseeing(wait.expect):
            yield
    finally:
        wait.done.set()
        thread.join()


def _on_terminal(wait: Wait) -> None:
    if wait.done.wait(TERMINAL_SECONDS):
        return
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        while True:
            status.update(wait.line)
            if wait.done.wait(1.0):
                return


def _in_lines(wait: Wait) -> None:
    pause = LOG_SECONDS
    while not wait.done.wait(pause):
        pause = wait.seconds
        say(wait.line)
