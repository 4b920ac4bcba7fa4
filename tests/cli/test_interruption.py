"""Signals that ask to stop, and the one that somebody else may answer."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from engine.cli.interruption import STOPPING, Interruption


def stopped_by(number: int) -> int | None:
    with Interruption() as interruption:
        os.kill(os.getpid(), number)
        end = time.monotonic() + 5.0
        while interruption.signum is None and time.monotonic() < end and number not in handled:
            time.sleep(0.01)
    return interruption.signum


handled: list[int] = []


@pytest.fixture
def another_handler() -> Iterator[None]:
    """SIGUSR2 answered by whoever runs the process, as submitit does."""
    before = signal.signal(signal.SIGUSR2, lambda number, _: handled.append(number))
    yield
    signal.signal(signal.SIGUSR2, before)
    handled.clear()


@pytest.mark.parametrize("number", STOPPING, ids=lambda number: number.name)
def test_signals_are_noted_and_handlers_come_back(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(number)
    assert stopped_by(number) == number
    assert signal.getsignal(number) is before
    assert f"{number.name}: stopping after the blocks at hand" in capsys.readouterr().err


@pytest.mark.usefixtures("another_handler")
def test_a_signal_that_somebody_else_answers_is_left_to_them() -> None:
    assert stopped_by(signal.SIGUSR2) is None
    assert handled == [signal.SIGUSR2]
