"""The installed command as a process: its exit codes and streams, and that a call from tests is like it."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import subprocess
import termios
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.cli.conftest import ENGINE, Run, read_terminal

ALIKE = {
    "usage": ("--help",),
    "an unknown command": ("fly",),
    "an unknown key": ("run", "run.portfolio=5"),
    "a bad value": ("allocate", "portfolio=textbook", "budget=-1"),
    "an answer in JSON": ("allocate", "portfolio=textbook", "budget=20", "format=json"),
    "an answer as a table": ("allocate", "portfolio=textbook", "budget=20", "solver=relaxation"),
}
CODES = {"usage": 0, "an answer in JSON": 0, "an answer as a table": 0}


@pytest.mark.parametrize("what", ALIKE)
def test_a_process_and_a_call_print_and_exit_alike(process: Run, engine: Run, what: str) -> None:
    real, called = process(*ALIKE[what]), engine(*ALIKE[what])
    assert real.returncode == CODES.get(what, 2), real.stderr
    assert (called.returncode, called.stdout, called.stderr) == (real.returncode, real.stdout, real.stderr)


def test_the_textbook_composes_its_sweeps_in_a_process(process: Run, tmp_path: Path) -> None:
    done = process("textbook", "run.block=null", "staged.budget=[-1,80]")
    assert (done.returncode, done.stderr) == (2, "engine: budget is -1, expected a number from 0 to 1e+15\n")
    assert list(tmp_path.iterdir()) == []


def test_a_run_gives_the_same_bits_in_a_process_and_in_a_call(
    process: Run, engine: Run, tmp_path: Path
) -> None:
    run = ("run", "solver=[greedy,exact]", "run.portfolios=40", "run.block=32", "budget=30")
    real, called = process(*run, "run.output=real"), engine(*run, "run.output=called")
    assert real.returncode == called.returncode == 0, real.stderr + called.stderr
    assert (tmp_path / "real" / "summary.csv").read_bytes() == (
        tmp_path / "called" / "summary.csv"
    ).read_bytes()


def test_a_table_fits_the_terminal(environment: dict[str, str], tmp_path: Path) -> None:
    leader, follower = os.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    variables = {name: value for name, value in environment.items() if name != "COLUMNS"}
    command = [ENGINE, "budget_curve", "portfolio=textbook", "budget=20", "rows=4"]
    with subprocess.Popen(
        command, cwd=tmp_path, env={**variables, "TERM": "xterm"}, stdin=follower, stdout=follower
    ) as running:
        os.close(follower)
        shown = read_terminal(leader)
    os.close(leader)
    assert running.returncode == 0
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).splitlines()
    assert any("what happens" in line for line in lines)
    assert max(map(cell_len, lines)) <= 80
