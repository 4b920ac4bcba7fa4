"""From measurements to a Monte Carlo with the uncertainty of the fits, in two commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.cli.conftest import Run


@pytest.fixture
def data(tmp_path: Path) -> Path:
    random, rows = np.random.default_rng(0), []
    for name, half in (("search", 20.0), ("ranking", 60.0), ("ads", 200.0)):
        for effort in np.round(np.geomspace(2, 400, 14)):
            for _ in range(3):
                value = 0.4 + 0.5 * effort**1.5 / (effort**1.5 + half**1.5) + 0.01 * random.normal()
                rows.append((name, effort, value))
    path = tmp_path / "measured.csv"
    pd.DataFrame(rows, columns=["project", "effort", "performance"]).to_csv(path, index=False)
    return path


@pytest.mark.slow
def test_two_commands_from_measurements_to_a_monte_carlo(engine: Run, tmp_path: Path, data: Path) -> None:
    # All six families are fitted by the page on measurements, which is run as a test.
    fitted = engine("fit", f"data={data}", "output=fits", "draws=20", "families=[power,hill]")
    assert fitted.returncode == 0, fitted.stderr
    assert "ranking" in fitted.stdout
    assert "engine plan draws=fits budget=..." in fitted.stderr
    fits = pd.read_csv(tmp_path / "fits" / "fits.csv")
    assert len(fits) == 3 * 2
    assert fits.groupby("project").chosen.sum().tolist() == [1, 1, 1]
    hill = fits[(fits.project == "ranking") & (fits.family == "hill")].iloc[0]
    assert hill.half == pytest.approx(60.0, rel=0.3)

    allocated = engine("allocate", "portfolio=fits/portfolio.csv", "budget=300", "format=json")
    assert allocated.returncode == 0, allocated.stderr
    assert '"proved": true' in allocated.stdout

    run = engine(
        *("run", "scenario=fitted", "scenario.draws=fits/draws.parquet", "scenario.budget=300"),
        *("solver=[greedy,exact]", "run.portfolios=64", "run.block=64", "run.output=out"),
    )
    assert run.returncode == 0, run.stderr
    summary = pd.read_csv(tmp_path / "out" / "summary.csv")
    value = summary[(summary.solver == "exact") & (summary.metric == "value")].iloc[0]
    assert value["count"] == 64
    assert value["standard_error"] > 0


BAD = {
    ("data=nothing.csv",): "nothing.csv: cannot be read",
    ("data=measured.csv", "loss=median"): "loss is 'median'",
    ("data=measured.csv", "extrapolate=0.5"): "extrapolate is 0.5, expected a number of at least 1",
    ("data=measured.csv", "families=[cubic]"): "unknown family 'cubic'",
    ("data=measured.csv", "prior=some"): "prior is 'some', expected learning_curves",
    ("data=measured.csv", "ceiling=0.5"): "ceiling is 0.5, expected at least",
}


@pytest.mark.parametrize("arguments", BAD, ids=lambda a: a[-1])
@pytest.mark.usefixtures("data")
def test_what_is_wrong_is_one_line(engine: Run, arguments: tuple[str, ...]) -> None:
    done = engine("fit", *arguments)
    assert done.returncode == 2
    assert BAD[arguments] in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_draws_that_are_none_are_named(engine: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"PAR1PAR1")
    for name, expected in (("bad", "is no draws.parquet"), ("none", "cannot be read")):
        done = engine("run", "scenario=fitted", f"scenario.draws={name}.parquet", "scenario.budget=3")
        assert done.returncode == 2
        assert expected in done.stderr
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.usefixtures("data")
def test_an_output_that_cannot_be_written_is_named_by_its_own_key(engine: Run) -> None:
    done = engine("fit", "data=measured.csv", "output=/proc/fits")
    assert done.returncode == 2
    assert done.stderr.startswith("engine: output /proc/fits: cannot be written")
