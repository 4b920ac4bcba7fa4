"""Nights: `engine sweep` stopped, killed, short of disk and shared, in processes of its own."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from engine.study.store import BLOCK
from tests.cli.conftest import ENGINE, Run, Start, read_terminal
from tests.cli.test_sweep import BLOCKS, LONG, LONG_BLOCKS, SWEEP, blocks, summary


def wait_for_blocks(folder: Path, count: int, running: subprocess.Popen[str]) -> None:
    for _ in range(1200):
        if len(blocks(folder) if (folder / "blocks").exists() else {}) >= count:
            return
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    raise AssertionError("no blocks")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGUSR1", "SIGUSR2"])
def test_signals_stop_after_the_blocks_at_hand(engine: Run, start: Start, tmp_path: Path, name: str) -> None:
    process = start(*LONG)
    wait_for_blocks(tmp_path / "study", 3, process)
    number = getattr(signal, name)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number, errors
    assert f"{name}: stopping after the blocks at hand" in errors
    assert "go on by" in errors
    command = errors[errors.index("engine sweep") :].splitlines()[0]
    assert "scenario=staged" in command
    assert 3 <= len(blocks(tmp_path / "study")) < LONG_BLOCKS
    assert not list((tmp_path / "study").rglob("*.part"))
    status = engine("status", "study=study")
    assert status.returncode == 0
    assert " 0 of them in hand" in status.stdout


def test_a_second_signal_stops_at_once(start: Start, tmp_path: Path) -> None:
    # Two blocks of minutes.
    process = start(*LONG, "run.portfolios=600000", "run.block=300000")
    for _ in range(600):
        if (tmp_path / "study" / "logs").exists() and list((tmp_path / "study" / "logs").iterdir()):
            break
        time.sleep(0.1)
    time.sleep(5.0)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert time.monotonic() - begin < 10
    assert process.returncode == 130
    assert "again, stopped at once" in errors


def kill_again_and_again(start: Start, tmp_path: Path, kills: int, count: int) -> None:
    """SIGKILL at random moments, each time gone on with; then whole, and as if nothing had happened."""
    moments = random.Random(0)
    study, command = tmp_path / "study", (*LONG, f"run.portfolios={50 * count}")
    for _ in range(kills):
        process = start(*command)
        before = len(blocks(study)) if (study / "blocks").exists() else 0
        assert before < count - 8, "a kill is of a sweep that has work to do"
        wait_for_blocks(study, before + moments.randint(0, 2), process)
        time.sleep(moments.uniform(0.0, 0.1))
        process.kill()
        process.communicate()
        for name in blocks(study) if (study / "blocks").exists() else ():
            assert BLOCK.fullmatch(name)
    last = start(*command)
    _, errors = last.communicate(timeout=600)
    assert last.returncode == 0, errors
    assert "damaged" not in errors
    whole = start(*command, "run.output=whole")
    whole.communicate(timeout=600)
    assert blocks(study) == blocks(tmp_path / "whole"), "none lost, none twice, the same to the bit"
    assert len(blocks(study)) == count
    assert summary(study) == summary(tmp_path / "whole")


def test_killed_a_few_times(start: Start, tmp_path: Path) -> None:
    kill_again_and_again(start, tmp_path, 4, LONG_BLOCKS)


@pytest.mark.overnight
def test_killed_a_hundred_times(start: Start, tmp_path: Path) -> None:
    kill_again_and_again(start, tmp_path, 100, 20 * LONG_BLOCKS)


def test_two_runs_of_one_study_share_it(engine: Run, start: Start, tmp_path: Path) -> None:
    both = [start(*LONG) for _ in range(2)]
    errors = [process.communicate(timeout=600)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    done = [int(re.search(r"engine: ([\d,]+) portfolios in", e)[1].replace(",", "")) for e in errors]  # type: ignore[index]
    assert sum(done) == 12_000, "no block by both"
    assert min(done) > 0
    alone = engine(*LONG, "run.output=alone")
    assert alone.returncode == 0
    assert blocks(tmp_path / "study") == blocks(tmp_path / "alone")
    assert summary(tmp_path / "study") == summary(tmp_path / "alone")


@pytest.mark.slow
def test_four_devices_and_one_give_the_same_bits(process: Run, tmp_path: Path) -> None:
    for devices in ("1", "4"):
        flags = f"--xla_force_host_platform_device_count={devices}"
        done = process(*LONG, "run.portfolios=600", f"run.output={devices}", XLA_FLAGS=flags)
        assert done.returncode == 0, done.stderr
    assert blocks(tmp_path / "1") == blocks(tmp_path / "4")
    assert summary(tmp_path / "1") == summary(tmp_path / "4")


def test_two_processes_of_jax_compute_one_study(start: Start, engine: Run, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    both = [
        start(*SWEEP, f"sweep.coordinator=localhost:{port}", "sweep.workers=2", f"sweep.worker={worker}")
        for worker in range(2)
    ]
    errors = [process.communicate(timeout=300)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    assert engine(*SWEEP, "run.output=alone").returncode == 0
    assert blocks(tmp_path / "study") == blocks(tmp_path / "alone")
    assert summary(tmp_path / "study") == summary(tmp_path / "alone")


def test_a_disk_that_takes_no_more_is_one_line(tmp_path: Path, environment: dict[str, str]) -> None:
    # Files may not grow beyond 5 kB: the manifest fits, a block does not.
    limited = ["bash", "-c", 'ulimit -f 5; exec "$@"', "limited", ENGINE, *SWEEP]
    done = subprocess.run(limited, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "cannot be written (File too large); what is there is whole" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "study").rglob("*.part"))


def test_workers_by_hydra_s_own_multirun(process: Run, tmp_path: Path) -> None:
    done = process("sweep", "--multirun", *SWEEP[1:], "sweep.workers=2", "sweep.worker=0,1")
    assert done.returncode == 0, done.stderr
    assert len(blocks(tmp_path / "study")) == BLOCKS
    assert (tmp_path / "study" / "summary.csv").exists()


def test_a_terminal_shows_a_bar_and_a_file_lines(tmp_path: Path, environment: dict[str, str]) -> None:
    leader, follower = os.openpty()
    command = [ENGINE, *LONG, "run.portfolios=1000"]
    process = subprocess.Popen(command, cwd=tmp_path, env={**environment, "TERM": "xterm"}, stderr=follower)
    os.close(follower)
    shown = read_terminal(leader)
    assert process.wait() == 0
    assert b"portfolios/s" in shown
    assert "━".encode() in shown
    lines = subprocess.run(
        [*command, "run.output=lines", "sweep.log_seconds=0.1"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert re.search(r"\d+ of 20 blocks, [\d,]+ portfolios/s, .* left, at budget=", lines.stderr), (
        lines.stderr
    )
