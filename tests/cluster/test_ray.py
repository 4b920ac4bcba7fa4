"""Sweeps on a real Ray of one node, through Hydra's launcher."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.test_sweep import SWEEP, blocks, summary

pytestmark = pytest.mark.ray


def test_ray_runs_the_workers_of_a_multirun(process: Run, tmp_path: Path) -> None:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("ray is not installed: pip install engine[ray]")
    done = process(
        *("sweep", "--multirun", "hydra/launcher=ray", "+hydra.launcher.ray.init.num_cpus=2"),
        *(*SWEEP[1:], "sweep.workers=2", "sweep.worker=0,1"),
        RAY_USAGE_STATS_ENABLED="0",
    )
    assert done.returncode == 0, done.stderr
    assert process(*SWEEP, "run.output=alone").returncode == 0
    assert blocks(tmp_path / "study") == blocks(tmp_path / "alone")
    assert summary(tmp_path / "study") == summary(tmp_path / "alone")
