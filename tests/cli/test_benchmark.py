"""`engine benchmark`: one table, and a study whose rows agree with solving the problems otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from engine import allocate, open_study
from engine.simulation.metrics import METRICS
from engine.simulation.summaries import quantile
from tests.cli.conftest import Run
from tests.simulation.test_problems import draw

SMALL = ("problems=[log,knapsack_subset_sum]", "sizes=[[4,20],[5,30]]", "solver=[greedy,exact]")


def test_a_row_for_each_problem_size_and_solver(engine: Run, tmp_path: Path) -> None:
    done = engine("benchmark", *SMALL, "run.portfolios=12", "run.output=out")
    assert done.returncode == 0, done.stderr
    assert "48 of 48 portfolios" in done.stderr
    rows = pd.read_csv(tmp_path / "out" / "summary.csv")
    assert {"problem", "projects", "budget", "solver", "metric", "count", "mean"} <= set(rows.columns)
    assert len(rows) == 2 * 2 * 2 * len(METRICS)
    assert set(zip(rows.projects, rows.budget, strict=True)) == {(4, 20), (5, 30)}
    mean = rows.pivot(index=["problem", "projects", "solver"], columns="metric", values="mean").reset_index()
    assert (mean[mean.solver == "exact"].proved == 1).all()
    assert (mean[mean.problem == "log"].optimal == 1).all()
    assert "knapsack_subset_sum" in done.stdout
    study = open_study(tmp_path / "out")
    assert study.manifest.cores is not None
    assert study.manifest.cores >= 1
    assert study.point(0).source.projects == 4
    assert all(rate > 0 for rate in study.rates_of_points().values())

    again = engine("benchmark", *SMALL, "run.portfolios=12", "run.output=out")
    assert "4 blocks there already" in again.stderr
    assert engine("report", "study=out", "html=false").stdout == done.stdout
    assert "4 of 4 blocks" in engine("status", "study=out").stdout
    assert "greedy: 12 of 12 solved" in engine("replay", "study=out", "block=3").stdout


def test_rows_are_those_of_the_solvers_themselves(engine: Run, tmp_path: Path) -> None:
    done = engine(
        *("benchmark", "problems=[hill,log]", "sizes=[[6,60]]", "solver=[greedy,exact]"),
        *("run.portfolios=40", "run.seed=1", "run.block=16", "run.output=out"),
    )
    assert done.returncode == 0, done.stderr
    study = open_study(tmp_path / "out")
    rows = {(f.settings["problem"], f.solver, f.metric): f.summary for f in study.found}
    for name in ("hill", "log"):
        portfolios = draw(name)
        optimum = allocate(portfolios, 60).value
        value = allocate(portfolios, 60, "greedy").value
        loss = (optimum - value) / optimum
        assert rows[name, "greedy", "value"].count == rows[name, "exact", "value"].count == 40
        # Means of blocks merged against one mean of all.
        np.testing.assert_allclose(rows[name, "greedy", "value"].mean, value.mean(), rtol=1e-12)
        np.testing.assert_allclose(rows[name, "exact", "value"].mean, optimum.mean(), rtol=1e-12)
        np.testing.assert_allclose(rows[name, "greedy", "loss"].mean, loss.mean(), rtol=1e-9, atol=1e-14)
        np.testing.assert_allclose(rows[name, "greedy", "loss"].largest, loss.max(), rtol=1e-9, atol=1e-14)
        # The histogram's bins are 2.1 % wide.
        assert quantile(rows[name, "greedy", "loss"], 0.99) <= loss.max() * 1.03 + 1e-12
        assert rows[name, "exact", "proved"].mean == 1.0
        assert abs(float(rows[name, "exact", "loss"].mean)) < 1e-14
    assert study.rates()["greedy"] > 0
    assert rows["log", "greedy", "optimal"].mean == 1.0
    assert rows["hill", "greedy", "optimal"].mean < 1.0
    assert float(rows["hill", "greedy", "loss"].largest) > 0.1


def test_problems_and_sizes_are_checked(engine: Run) -> None:
    bad = {
        "problems=[log,log]": "problems is ['log', 'log'], expected values that differ",
        "sizes=[[4,20],[4,20]]": "sizes is [(4, 20), (4, 20)], expected values that differ",
    }
    for override, expected in bad.items():
        done = engine("benchmark", *SMALL, "run.output=out", override)
        assert done.returncode == 2
        assert expected in done.stderr
