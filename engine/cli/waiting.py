"""A word while one long computation goes on, which nobody can say the end of."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from engine.cli.words import say, time_text

# Seconds before the first word: on a terminal, and in a log, where each further one waits twice as long.
TERMINAL_SECONDS, LOG_SECONDS = 2.0, 60.0


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Say how long this has been going on: on a terminal in a line that goes away, else in a line now and
    then. Computing and compiling leave Python's lock alone, so that a thread can."""
    done = threading.Event()
    show = _on_terminal if sys.stderr.isatty() else _in_lines
    thread = threading.Thread(target=show, args=(what, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _on_terminal(what: str, done: threading.Event) -> None:
    begin = time.perf_counter()
    if done.wait(TERMINAL_SECONDS):
        return
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        while True:
            status.update(f"{what}, {time_text(time.perf_counter() - begin)}")
            if done.wait(1.0):
                return


def _in_lines(what: str, done: threading.Event) -> None:
    begin = time.perf_counter()
    pause = LOG_SECONDS
    while not done.wait(pause):
        pause = time.perf_counter() - begin
        say(f"{what}, {time_text(pause)} so far")
