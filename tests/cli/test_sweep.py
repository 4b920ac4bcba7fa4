"""Nights: `engine sweep` stopped, killed, damaged, shared, and gone on with by the same command."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from engine.simulation import blocks as simulation_blocks
from engine.study.store import Store
from tests.cli.conftest import Run

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
    assert "cutoff" in done.stdout
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


def test_a_sweep_goes_on_in_blocks_of_the_size_it_began_with(
    engine: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody says how large they are, and it goes on where they would be of another size."""
    few = ("sweep", "scenario=textbook", "solver=[cutoff]", "run.output=study")
    monkeypatch.setattr(simulation_blocks, "CPU_BLOCK", 8)
    first = engine(*few, "run.portfolios=20")
    assert "3 blocks of 8 portfolios" in first.stderr
    before = blocks(tmp_path / "study")
    monkeypatch.setattr(simulation_blocks, "CPU_BLOCK", 64)
    more = engine(*few, "run.portfolios=32")
    assert more.returncode == 0, more.stderr
    assert "4 blocks of 8 portfolios" in more.stderr
    assert "2 blocks there already" in more.stderr
    assert len(before.keys() & blocks(tmp_path / "study").keys()) == 2
    frame = pd.read_csv(tmp_path / "study" / "summary.csv")
    assert set(frame["count"][frame.metric == "value"]) == {32}


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


def test_a_damaged_block_is_done_again(engine: Run, tmp_path: Path) -> None:
    assert engine(*SWEEP).returncode == 0
    before, text = blocks(tmp_path / "study"), summary(tmp_path / "study")
    path = Store(tmp_path / "study").done()[5]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    assert engine("report", "study=study").returncode == 2
    done = engine(*SWEEP)
    assert "1 block damaged, to be done again: 5" in done.stderr
    assert blocks(tmp_path / "study") == before
    assert summary(tmp_path / "study") == text


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
