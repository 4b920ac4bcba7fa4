"""Sweeps on a real Slurm of one node: array jobs, requeueing, and submitit through Hydra."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import ENGINE, Run
from tests.cli.test_sweep import LONG, LONG_BLOCKS, SWEEP, blocks, summary

pytestmark = pytest.mark.slurm

SCRIPTS = Path(__file__).parent.parent.parent / "scripts"


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A Slurm of this machine, or a skipped test that says why there is none."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        pytest.skip("a machine has one Slurm, so these tests take turns: run them with -n 0")
    folder = tmp_path_factory.mktemp("slurm")
    started = subprocess.run([SCRIPTS / "start_slurm", folder], capture_output=True, text=True, timeout=120)
    if started.returncode:
        pytest.skip(f"no Slurm here: {started.stderr.strip().splitlines()[-1]}")
    yield
    subprocess.run([SCRIPTS / "start_slurm", folder, "stop"], check=True)


def submit(folder: Path, environment: dict[str, str], *arguments: str) -> str:
    """The number of an array job of two tasks."""
    done = subprocess.run(
        ["sbatch", "--parsable", "--array=0-1", "--cpus-per-task=1", SCRIPTS / "slurm_sweep", *arguments],
        cwd=folder,
        env={**environment, "ENGINE": ENGINE},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def queue(job: str) -> str:
    return subprocess.run(
        ["squeue", "-h", "-r", "-j", job, "-o", "%i %t"], capture_output=True, text=True
    ).stdout


def wait(job: str, seconds: float = 300.0) -> None:
    end = time.monotonic() + seconds
    while queue(job).strip():
        assert time.monotonic() < end, queue(job)
        time.sleep(0.5)


def logs(folder: Path) -> str:
    return "\n".join(path.read_text() for path in sorted(folder.glob("engine-*.log")))


@pytest.mark.usefixtures("slurm")
def test_an_array_job_computes_a_study(process: Run, environment: dict[str, str], tmp_path: Path) -> None:
    wait(submit(tmp_path, environment, *LONG[1:]))
    assert len(blocks(tmp_path / "study")) == LONG_BLOCKS, logs(tmp_path)
    assert process(*LONG, "run.output=alone").returncode == 0
    assert blocks(tmp_path / "study") == blocks(tmp_path / "alone")
    assert summary(tmp_path / "study") == summary(tmp_path / "alone")


@pytest.mark.usefixtures("slurm")
def test_tasks_that_are_preempted_come_back_and_go_on(environment: dict[str, str], tmp_path: Path) -> None:
    job = submit(tmp_path, environment, *LONG[1:], "run.portfolios=12000")
    study = tmp_path / "study"
    while not (study / "blocks").exists() or len(blocks(study)) < 5:
        assert queue(job).strip(), logs(tmp_path)
        time.sleep(0.1)
    # One is asked to stop, as at its time limit; the other is taken away, as for a job of higher rank.
    subprocess.run(["scancel", "--signal=USR1", f"{job}_0"], check=True)
    subprocess.run(["scontrol", "requeue", f"{job}_1"], check=True)
    wait(job)
    assert len(blocks(study)) == 2 * LONG_BLOCKS, logs(tmp_path)
    assert (study / "summary.csv").exists()
    text = logs(tmp_path)
    assert "SIGUSR1: stopping after the blocks at hand" in text
    assert len(re.findall(r"\d+ blocks there already", text)) >= 2


@pytest.mark.usefixtures("slurm")
def test_submitit_runs_the_workers_of_a_multirun(process: Run, tmp_path: Path) -> None:
    if importlib.util.find_spec("submitit") is None:
        pytest.skip("hydra-submitit-launcher is not installed: pip install engine[slurm]")
    launcher = ("hydra/launcher=slurm", "hydra.launcher.cpus_per_task=1", "hydra.launcher.timeout_min=5")
    done = process("sweep", "--multirun", *launcher, *SWEEP[1:], "sweep.workers=2", "sweep.worker=0,1")
    assert done.returncode == 0, done.stderr
    assert process(*SWEEP, "run.output=alone").returncode == 0
    assert blocks(tmp_path / "study") == blocks(tmp_path / "alone")


@pytest.mark.usefixtures("slurm")
def test_submitit_s_own_preemption_signal_queues_again(environment: dict[str, str], tmp_path: Path) -> None:
    if importlib.util.find_spec("submitit") is None:
        pytest.skip("hydra-submitit-launcher is not installed: pip install engine[slurm]")
    study = tmp_path / "study"
    launcher = ("hydra/launcher=slurm", "hydra.launcher.cpus_per_task=1", "hydra.launcher.timeout_min=30")
    command = [ENGINE, "sweep", "--multirun", *launcher, *LONG[1:], "run.portfolios=12000"]
    process = subprocess.Popen(
        [*command, "sweep.workers=2", "sweep.worker=0,1"],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
    )
    while not (study / "blocks").exists() or len(blocks(study)) < 5:
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    jobs = subprocess.run(["squeue", "-h", "-r", "-o", "%i"], capture_output=True, text=True).stdout.split()
    subprocess.run(["scancel", "--signal=USR2", jobs[0]], check=True)
    _, errors = process.communicate(timeout=500)
    assert process.returncode == 0, errors
    assert len(blocks(study)) == 2 * LONG_BLOCKS
    printed = "\n".join(path.read_text() for path in tmp_path.rglob("*_log.*"))
    assert "blocks there already" in printed
