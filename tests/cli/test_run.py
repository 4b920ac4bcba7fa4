"""`engine run`: what is printed and what is stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from engine import load, load_array, open_study
from engine.simulation.metrics import METRICS
from engine.solvers.registry import SOLVERS
from tests.cli.conftest import Run
from tests.cli.test_bad_input import refused

SMALL = ("run.portfolios=60", "run.block=32", "budget=30", "run.output=out")


def test_the_issued_command_in_small(engine: Run, tmp_path: Path) -> None:
    done = engine(
        "run", "scenario=staged", "solver=[greedy,relaxation,exact]", "run.records=true", "run.seed=3", *SMALL
    )
    assert done.returncode == 0, done.stderr
    assert "staged: 60 portfolios of 8 projects, budget 30" in done.stdout
    assert all(f"│ {solver}" in done.stdout for solver in ("greedy", "relaxation", "exact"))
    assert "60 of 60 portfolios" in done.stderr
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        *("blocks", "failed", "locks", "logs", "manifest.json", "records", "records.parquet"),
        *("summary.csv", "summary.parquet"),
    ]
    summary = pd.read_csv(tmp_path / "out" / "summary.csv")
    assert set(summary.solver) == {"greedy", "relaxation", "exact"}
    assert set(summary.metric) == set(METRICS)
    records = pd.read_parquet(tmp_path / "out" / "records.parquet")
    assert len(records) == 180
    for (solver, metric), mean in summary.set_index(["solver", "metric"])["mean"].items():
        values = records[records.solver == solver][metric]
        np.testing.assert_allclose(values.mean(), mean, rtol=1e-9, atol=1e-12)
    gap = summary[(summary.solver == "exact") & (summary.metric == "gap")]
    assert gap["largest"].item() == 0
    assert pl.read_parquet(tmp_path / "out" / "records.parquet").height == 180
    study = open_study(tmp_path / "out")
    assert study.manifest.portfolios == 60
    assert set(study.rates()) == {"greedy", "relaxation", "exact"}
    assert all(rate > 0 for rate in study.rates().values())
    assert study.manifest.config["budget"] == 30
    assert study.manifest.run["seed"] == 3
    assert load(tmp_path / "out").num_rows == len(summary)
    array = load_array(tmp_path / "out")
    assert dict(array.sizes) == {"solver": 3, "metric": len(METRICS)}
    status = engine("status", "study=out")
    assert "2 of 2 blocks" in status.stdout
    again = engine("replay", "study=out", "block=1")
    assert again.returncode == 0, again.stderr
    replayed = pd.read_parquet(tmp_path / "out" / "replay" / "00000001" / "records.parquet")
    kept = records[records.portfolio >= 32].reset_index(drop=True)
    pd.testing.assert_frame_equal(replayed, kept)


def test_a_run_goes_on_and_a_report_shows_its_table(engine: Run, tmp_path: Path) -> None:
    first = engine("run", "solver=[greedy]", *SMALL)
    assert first.returncode == 0, first.stderr
    before = (tmp_path / "out" / "summary.csv").read_bytes()
    again = engine("run", "solver=[greedy]", *SMALL)
    assert "2 blocks there already" in again.stderr
    assert (tmp_path / "out" / "summary.csv").read_bytes() == before
    assert engine("report", "study=out", "html=false").stdout == first.stdout == again.stdout
    assert not (tmp_path / "out" / "report.html").exists()
    other = engine("run", "solver=[greedy]", *SMALL, "run.seed=4")
    assert other.returncode == 2
    (line,) = other.stderr.splitlines()
    assert "out holds a study of run.seed=0, got run.seed=4" in line


BAD = {
    ("report", "study=out", "html=false", "question=why"): "question is 'why' without a page to write",
    ("figures", "study=out", "x=nonsense"): "x is 'nonsense', expected none: the study has one point",
    ("figures", "study=out", "metric=joy"): "metric is 'joy', expected none: the study has one point",
    ("figures", "study=out", "by=greedy"): "by is 'greedy', expected none: the study has one point",
    ("replay", "study=out", "block=0", "output=/proc/x"): "engine: output /proc/x: cannot be written",
    ("figures", "study=out", "output=/proc/x"): "engine: output /proc/x: cannot be written",
}


def test_options_that_would_do_nothing_are_refused(engine: Run) -> None:
    assert engine("run", "solver=[greedy]", *SMALL).returncode == 0
    for command, expected in BAD.items():
        done = engine(*command)
        assert done.returncode == 2, command
        (line,) = done.stderr.splitlines()
        assert expected in line


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_all_solvers_in_either_precision(engine: Run, tmp_path: Path, dtype: str) -> None:
    solvers = f"solver=[{','.join(SOLVERS)}]"
    done = engine("run", "scenario=s_shaped", solvers, f"run.dtype={dtype}", "run.records=true", *SMALL)
    assert done.returncode == 0, done.stderr
    records = pd.read_parquet(tmp_path / "out" / "records.parquet")
    assert set(records.solver) == set(SOLVERS)
    assert records.value.dtype == dtype
    assert np.all(records.value <= records.bound)
    assert np.all(records.status == 0)
    # What a solver returns in float32 is good to about 1e-6 of the value.
    rounding = 1e-5 if dtype == "float32" else 1e-12
    whole = records[~records.solver.isin(["waterfilling", "continuous"])]
    assert np.all(whole.difference <= rounding * whole.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    "scenario",
    [
        *("textbook", "growth", "ml_first", "nascent", "research_lab", "product_embedded"),
        *("independent_division", "big_tech", "many_bets", "young_team", "mature_team"),
        *("accuracy_pays_at_scale", "threshold_research", "platform", "rules"),
    ],
)
def test_every_scenario_runs(engine: Run, scenario: str) -> None:
    done = engine("run", f"scenario={scenario}", "solver=[greedy,bound]", *SMALL)
    assert done.returncode == 0, done.stderr
    assert "not solved" not in done.stdout


def test_the_same_command_gives_the_same_summary(engine: Run, tmp_path: Path) -> None:
    texts = []
    for folder in ("one", "two"):
        done = engine("run", "solver=[greedy,exact]", *SMALL[:-1], f"run.output={folder}")
        assert done.returncode == 0, done.stderr
        texts.append((tmp_path / folder / "summary.csv").read_text())
    assert texts[0] == texts[1]


def test_multirun_sweeps_the_budget(engine: Run, tmp_path: Path) -> None:
    done = engine(
        *("run", "--multirun", "solver=[greedy]", "run.portfolios=20", "run.block=20", "budget=10,20"),
        "run.output=out/${budget}",
    )
    assert done.returncode == 0, done.stderr
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"10.0", "20.0"}


@pytest.mark.parametrize(
    "wrong",
    [
        ("allocate", "portfolio=textbook", "budget=-1"),
        ("run", "scenario.budget=-1"),
        ("run", "run.portfolios=abc"),
        ("sweep", "run.portfolios=-1,5"),
    ],
    ids=" ".join,
)
def test_a_multirun_that_is_refused_leaves_nothing(
    engine: Run, tmp_path: Path, wrong: tuple[str, ...]
) -> None:
    (tmp_path / "mine").mkdir()
    refused(engine(wrong[0], "--multirun", *wrong[1:]), wrong[-1].partition("=")[0].rpartition(".")[2])
    assert list(tmp_path.rglob("*")) == [tmp_path / "mine"]


def test_a_multirun_keeps_what_a_launcher_wrote(engine: Run, tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "log").touch()
    done = engine("allocate", "--multirun", "portfolio=textbook", "budget=3,4", "hydra.sweep.dir=jobs")
    assert done.returncode == 0, done.stderr
    assert {"log", "multirun.yaml"} <= {path.name for path in (tmp_path / "jobs").iterdir()}


def test_help_and_version(engine: Run, process: Run) -> None:
    assert "engine COMMAND" in engine("--help").stdout
    assert "engine COMMAND" in engine().stdout
    assert engine("--version").stdout.startswith("engine ")
    shown = engine("run", "--cfg", "job")
    assert shown.returncode == 0
    assert "portfolios: 10000" in shown.stdout
    assert "--hydra-help" in process("run", "--hydra-help").stdout
