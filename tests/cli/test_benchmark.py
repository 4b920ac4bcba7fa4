"""`engine benchmark`: one table, and its rows as CSV."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from engine.study.comparison import COLUMNS
from tests.cli.conftest import Run

SMALL = ("problems=[log,knapsack_subset_sum]", "sizes=[[4,20],[5,30]]", "solver=[greedy,exact]")


def test_a_row_for_each_problem_size_and_solver(engine: Run, tmp_path: Path) -> None:
    done = engine("benchmark", *SMALL, "run.portfolios=12", "run.output=out")
    assert done.returncode == 0, done.stderr
    assert "engine: 4 of 4" in done.stderr
    rows = pd.read_csv(tmp_path / "out" / "benchmark.csv")
    assert list(rows.columns) == list(COLUMNS)
    assert len(rows) == 2 * 2 * 2
    assert set(zip(rows.projects, rows.budget, strict=True)) == {(4, 20), (5, 30)}
    exact = rows[rows.solver == "exact"]
    assert (exact.proved == 1).all()
    assert (rows[(rows.problem == "log")].optimal == 1).all()
    assert "knapsack_subset_sum" in done.stdout
    facts = json.loads((tmp_path / "out" / "run.json").read_text())
    assert facts["cores"] >= 1
    assert (tmp_path / "out" / "config.yaml").is_file()
