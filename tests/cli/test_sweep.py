"""Nights: `engine sweep` stopped, killed, damaged, shared, and gone on with by the same command."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

from engine.study.store import BLOCK
from tests.cli.conftest import ENGINE, Run, Start

SWEEP = (
    *("sweep", "scenario=textbook", "run.portfolios=60", "run.block=10", "run.output=study"),
    *("sweep.grid.budget=[20,30]", "sweep.grid.scenario.skew={linear: [0, 1, 2]}"),
)
BLOCKS = 24
# A sweep of some seconds, whose blocks are there to be interrupted.
LONG = (
    *("sweep", "scenario=staged", "solver=[density,exact]", "run.portfolios=6000", "run.block=100"),
    *("run.output=study", "sweep.grid.budget=[40,50]"),
)
LONG_BLOCKS = 120


def blocks(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "blocks").rglob("*.parquet")}


def summary(folder: Path) -> bytes:
    return (folder / "summary.csv").read_bytes()


def test_a_sweep_says_what_it_does_and_stores_it(engine: Run, tmp_path: Path) -> None:
    done = engine(*SWEEP)
    assert done.returncode == 0, done.stderr
    plan = done.stderr.splitlines()[0]
    for expected in (
        "4 points (2 budget × 2 scenario.skew)",
        "24 blocks of 10",
        "240 in all",
        "1 compilation",
    ):
        assert expected in plan
    assert re.search(r"about .* and \d+ MiB a block", done.stderr)
    assert "slowest: budget=" in done.stderr
    assert "threshold" in done.stdout
    frame = pd.read_csv(tmp_path / "study" / "summary.csv")
    assert len(frame) == 4 * 2 * 14
    assert set(frame["count"][frame.metric == "value"]) == {60}
    same = pd.read_parquet(tmp_path / "study" / "summary.parquet")
    pd.testing.assert_frame_equal(frame, same, check_dtype=False)
    assert "engine" in (tmp_path / "study" / "manifest.json").read_text()

    before = blocks(tmp_path / "study")
    again = engine(*SWEEP)
    assert again.returncode == 0
    assert "24 blocks there already" in again.stderr
    assert blocks(tmp_path / "study") == before

    status = engine("status", "study=study")
    assert "24 of 24 blocks" in status.stdout
    report = engine("report", "study=study")
    assert report.stdout == done.stdout

    other = engine(*SWEEP, "scenario.skew=2", "run.seed=5")
    assert other.returncode == 2
    (line,) = other.stderr.splitlines()
    assert "study holds a study of run.seed=0, got run.seed=5" in line


def test_a_dry_run_stores_nothing(engine: Run, tmp_path: Path) -> None:
    done = engine(*SWEEP, "sweep.dry_run=true")
    assert done.returncode == 0, done.stderr
    assert "about" in done.stderr
    assert not (tmp_path / "study").exists()


def test_a_grid_may_come_from_a_file(engine: Run, tmp_path: Path) -> None:
    done = engine("sweep", "scenario=textbook", "grid@sweep.grid=budget_by_skew", "sweep.dry_run=true")
    assert "45 points (9 budget × 5 scenario.skew)" in done.stderr, done.stderr
    (tmp_path / "mine" / "grid").mkdir(parents=True)
    (tmp_path / "mine" / "grid" / "few.yaml").write_text("budget: [10, 20, 30]\n")
    done = engine(
        "sweep", "--config-dir=mine", "scenario=textbook", "grid@sweep.grid=few", "sweep.dry_run=true"
    )
    assert "3 points (3 budget)" in done.stderr, done.stderr


BAD = {
    "sweep.grid.budget=5": "sweep.grid.budget is 5, expected a list of values",
    "sweep.grid.nothing=[1]": "sweep.grid has nothing, which is no key",
    "sweep.grid.budget=[x]": "sweep.grid.budget cannot be 'x'",
    "sweep.zip=[[a,b]]": "sweep.zip names a",
    "sweep.worker=2": "sweep.worker is 2",
    "run.records=true": "run.records is true, expected false",
    "run.output=/proc/study": "run.output /proc/study: cannot be written",
    "grid@sweep.grid=none": "unknown grid 'none', expected one of budget_by_skew",
    "hydra/launcher=none": "hydra/launcher none is not installed",
}


@pytest.mark.parametrize("override", BAD)
def test_what_is_wrong_is_one_line(engine: Run, override: str) -> None:
    done = engine("sweep", "scenario=textbook", override)
    assert done.returncode == 2
    assert BAD[override] in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


@pytest.mark.parametrize("command", ["status", "report"])
def test_a_folder_without_a_study_is_one_line(engine: Run, command: str) -> None:
    done = engine(command, "study=nowhere")
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["engine: nowhere: no study, expected a folder with a manifest.json"]


def wait_for_blocks(folder: Path, count: int, process: subprocess.Popen[str]) -> None:
    for _ in range(1200):
        if len(blocks(folder) if (folder / "blocks").exists() else {}) >= count:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError("no blocks")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGUSR1"])
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
def test_four_devices_and_one_give_the_same_bits(engine: Run, tmp_path: Path) -> None:
    for devices in ("1", "4"):
        flags = f"--xla_force_host_platform_device_count={devices}"
        done = engine(*LONG, "run.portfolios=600", f"run.output={devices}", XLA_FLAGS=flags)
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


def test_a_damaged_block_is_done_again(engine: Run, tmp_path: Path) -> None:
    assert engine(*SWEEP).returncode == 0
    before, text = blocks(tmp_path / "study"), summary(tmp_path / "study")
    path = sorted((tmp_path / "study" / "blocks").rglob("*.parquet"))[5]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    assert engine("report", "study=study").returncode == 2
    done = engine(*SWEEP)
    assert "1 block damaged, to be done again: 5" in done.stderr
    assert blocks(tmp_path / "study") == before
    assert summary(tmp_path / "study") == text


def test_a_disk_that_takes_no_more_is_one_line(tmp_path: Path, environment: dict[str, str]) -> None:
    # Files may not grow beyond 5 kB: the manifest fits, a block does not.
    limited = ["bash", "-c", 'ulimit -f 5; exec "$@"', "limited", ENGINE, *SWEEP]
    done = subprocess.run(limited, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "cannot be written (File too large); what is there is whole" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "study").rglob("*.part"))


OVERFLOWS = (
    *("sweep", "scenario=textbook", "~scenario.curves.purelog", "run.portfolios=40", "run.block=4"),
    "++scenario.curves={log: {share: 1.0, parameters: {scale: {dist: lognormal, median: 6e306, sigma: 1.0}, "
    "rate: {dist: fixed, value: 1.0}}}}",
    "run.output=study",
)


def test_failed_blocks_are_told_and_replayed(engine: Run, tmp_path: Path) -> None:
    done = engine(*OVERFLOWS)
    assert done.returncode == 3, done.stderr
    command = re.search(r"engine (replay study=study block=(\d+))", done.stderr)
    assert command
    status = engine("status", "study=study")
    assert (
        f"failed block {command[2]}: the only point: the total return is not a finite number" in status.stdout
    )
    again = engine(*command[1].split())
    assert again.returncode == 0, again.stderr
    first = 4 * int(command[2])
    assert re.search(
        rf"portfolio ({first}|{first + 1}|{first + 2}|{first + 3}): not a finite number", again.stdout
    )
    records = pd.read_parquet(tmp_path / "study" / "replay" / f"{int(command[2]):08d}" / "records.parquet")
    assert set(records.portfolio) == set(range(first, first + 4))
    assert engine("replay", "study=study", "block=999").returncode == 2


def test_workers_by_hydra_s_own_multirun(engine: Run, tmp_path: Path) -> None:
    done = engine("sweep", "--multirun", *SWEEP[1:], "sweep.workers=2", "sweep.worker=0,1")
    assert done.returncode == 0, done.stderr
    assert len(blocks(tmp_path / "study")) == BLOCKS
    assert (tmp_path / "study" / "summary.csv").exists()


def test_a_terminal_shows_a_bar_and_a_file_lines(tmp_path: Path, environment: dict[str, str]) -> None:
    leader, follower = os.openpty()
    command = [ENGINE, *LONG, "run.portfolios=1000"]
    process = subprocess.Popen(command, cwd=tmp_path, env={**environment, "TERM": "xterm"}, stderr=follower)
    os.close(follower)
    shown = b""
    while True:
        try:
            part = os.read(leader, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
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
