"""Studies where effort spills over go on: with more portfolios, after a stop, and with a further solver."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import engine
from engine.study.sweep import Sweep
from engine.study.worker import Worker
from tests.simulation.test_platforms import GUARANTEE, SMALL
from tests.study.test_sweep import contents, open_store, planned, run


def sweep(*solvers: str, portfolios: int = 16) -> Sweep:
    given = (*SMALL, f"run.portfolios={portfolios}", "run.block=8", f"solver=[{','.join(solvers)}]")
    return planned("scenario=platform", *given, "++sweep.grid.scenario.spillover.chance=[0.5,1.0]")


def test_a_study_that_is_stopped_and_grown_is_what_it_is_at_once(tmp_path: Path) -> None:
    store = open_store(tmp_path / "grown", sweep("enumeration", portfolios=8))
    steps = Worker(sweep("enumeration", portfolios=8), store).run()
    next(steps)
    steps.close()
    store.close()
    run(tmp_path / "grown", sweep("enumeration"))
    run(tmp_path / "whole", sweep("enumeration"))
    assert contents(tmp_path / "grown") == contents(tmp_path / "whole")
    run(tmp_path / "grown", sweep("enumeration", "coupled_greedy"))
    rows = engine.load(tmp_path / "grown").to_pylist()
    (few, many) = (r for r in rows if r["metric"] == "loss" and r["solver"] == "coupled_greedy")
    for row in (few, many):  # measured by the best plans that are there
        assert row["count"] == 16
        assert -1e-12 <= row["mean"] <= row["largest"] <= 1 - GUARANTEE
        assert np.isfinite(row["standard_error"])
