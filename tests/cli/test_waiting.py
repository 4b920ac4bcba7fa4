"""What is said while one long computation goes on."""

from __future__ import annotations

import re
import sys
import time

import pytest

import engine
from engine.allocation.foresight import COMPILING, foresee, foreseeing
from engine.cli import waiting


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "TERMINAL_SECONDS", 0.05)
    monkeypatch.setattr(waiting, "LOG_SECONDS", 0.05)


def test_a_log_has_a_line_after_each_doubling(capsys: pytest.CaptureFixture[str]) -> None:
    with waiting.waiting("allocating by exact"):
        time.sleep(0.5)
    lines = capsys.readouterr().err.splitlines()
    assert 1 <= len(lines) <= 8  # after .05, .1, .2 and .4 s, and more on a machine that is busy
    assert all(re.fullmatch(r"engine: allocating by exact, \d+ s so far", line) for line in lines)


def test_what_it_may_take_at_most_is_said_until_it_has(capsys: pytest.CaptureFixture[str]) -> None:
    with waiting.waiting("allocating by exact"):
        foresee(0.0)  # what compiling takes
        time.sleep(0.2)
        lines = capsys.readouterr().err.splitlines()
        assert lines
        assert all(line.endswith(" so far, at most about 10 s") for line in lines)
    with waiting.waiting("allocating by exact"):
        foresee(-1e10)
        time.sleep(0.2)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err
    assert "at most" not in captured.err


def test_what_exact_may_take_grows_with_its_programme() -> None:
    told: list[float] = []
    curves = engine.Hill([3.0, 2.0], [20.0, 30.0], [2.0, 3.0])
    with foreseeing(told.append):
        engine.allocate(curves, 40.0)
        engine.budget_curve(curves, 40.0)
    assert len(told) == 2
    assert all(COMPILING < seconds < COMPILING + 1 for seconds in told)


def test_a_short_one_says_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "LOG_SECONDS", 60.0)
    with waiting.waiting("allocating by exact"):
        pass
    assert capsys.readouterr().err == ""


def test_a_terminal_has_one_line_that_goes_away(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with waiting.waiting("allocating by exact"):
        time.sleep(0.4)
    shown = capsys.readouterr().err
    assert "allocating by exact, " in shown
    assert shown.endswith("\x1b[2K")  # wiped


def test_an_error_passes_through() -> None:
    with pytest.raises(ValueError, match="too large"), waiting.waiting("allocating by exact"):
        raise ValueError("too large")
