"""From a marketing mix model's posterior to a Monte Carlo over it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.cli.conftest import Run
from tests.cli.test_bad_input import refused
from tests.files.workbook import workbook


@pytest.fixture
def posterior(tmp_path: Path) -> Path:
    random, rows = np.random.default_rng(0), []
    for draw in range(20):
        for channel, lam, beta in (("tv", 4.0, 3.0), ("search", 3.0, 2.0)):
            rows.append((0, draw, channel, lam * random.gamma(50) / 50, beta * random.gamma(50) / 50))
    columns = ["chain", "draw", "channel", "saturation_lam", "saturation_beta"]
    path = tmp_path / "posterior.csv"
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)
    return path


@pytest.mark.slow
@pytest.mark.usefixtures("posterior")
def test_a_posterior_becomes_a_portfolio_and_a_scenario(engine: Run, tmp_path: Path) -> None:
    (tmp_path / "scales.csv").write_text("channel,channel_scale\ntv,30\nsearch,20\n")
    pymc = ("responses", "source=pymc_marketing", "data=posterior.csv", "saturation=logistic")
    done = engine(*pymc, "scales=scales.csv", "target_scale=100", "output=out")
    assert done.returncode == 0, done.stderr
    curves = pd.read_csv(tmp_path / "out" / "portfolio.csv").groupby("project")
    assert curves.performance.max()["search"] == pytest.approx(200.0, rel=0.1)
    near = curves.nth(1).set_index("project")
    assert near.performance["tv"] / near.effort["tv"] == pytest.approx(300.0 * 4.0 / 30 / 2, rel=0.1)

    assert "solver=continuous" in done.stderr
    allocated = engine(
        "allocate", "portfolio=out/portfolio.csv", "budget=40", "solver=continuous", "format=json"
    )
    assert json.loads(allocated.stdout)["proved"]

    run = engine(
        *("run", "scenario=fitted", "scenario.draws=out/draws.parquet", "scenario.budget=40"),
        *("solver=[exact]", "run.portfolios=64", "run.block=64", "run.output=run"),
    )
    assert run.returncode == 0, run.stderr
    summary = pd.read_csv(tmp_path / "run" / "summary.csv").set_index("metric")
    assert summary.loc["value", "mean"] == pytest.approx(json.loads(allocated.stdout)["value"], rel=0.1)
    assert summary.loc["value", "standard_error"] > 0


def test_tables_of_a_mix_model_are_read_as_told(engine: Run, tmp_path: Path) -> None:
    header = ["spend_multiplier", "channel", "metric", "spend", "incremental_outcome"]
    rows = [header, *([str(m), "tv", "mean", str(100 * m), str(20 * m)] for m in (0, 1, 2))]
    (tmp_path / "book.xlsx").write_bytes(workbook(notes=[["a"], ["1"]], curves=rows))
    # Each could be a thousand times as large, and no column tells.
    cells = "\n".join(["channel;lower;upper", '"tv";"10,125";"100,250"'])
    (tmp_path / "bounds.csv").write_text(cells)
    asked = ("responses", "source=meridian", "data=book.xlsx", "bounds=bounds.csv", "output=out")
    refused(engine(*asked, "sheet=curves"), "bounds.csv", "expected decimal=point or decimal=comma")
    refused(
        engine(*asked, "sheet=curve"),
        "book.xlsx: has no sheet 'curve', saw notes, curves, did you mean curves?",
    )
    refused(engine(*asked, "decimal=dot"), "decimal is 'dot', expected one of point, comma")
    assert not (tmp_path / "out").exists()
    done = engine(*asked, "sheet=2", "decimal=comma")
    assert done.returncode == 0, done.stderr
    assert set(pd.read_csv(tmp_path / "out" / "portfolio.csv").lower) == {10.125}
    refused(
        engine("responses", "source=meridian", "data=bounds.csv", "sheet=2"), "sheet is '2', expected none"
    )


def test_the_command_that_is_printed_goes_on(engine: Run, tmp_path: Path) -> None:
    points = [(0.0, 0.0), (0.5, 90.0), (1.0, 150.0), (2.0, 220.0)]
    rows = [(m, c, "mean", k * m, y * k) for m, y in points for c, k in (("tv", 100.0), ("radio", 40.0))]
    columns = ["spend_multiplier", "channel", "metric", "spend", "incremental_outcome"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "curves.csv", index=False)
    done = engine("responses", "source=meridian", "data=curves.csv", "output=out")
    assert "tv at 200, radio at 80, which bounds them" in done.stderr
    printed = next(line for line in done.stderr.splitlines() if line.startswith("  engine allocate"))
    answer = engine(*printed.split()[1:], "format=json")
    found = json.loads(answer.stdout)
    assert found["proved"]
    assert found["budget"] == 140.0
    # The same curve at another size: the budget is best spent as it was.
    assert found["effort"]["tv"] == pytest.approx(100.0, rel=0.02)


BAD = {
    ("data=posterior.csv", "source=excel"): "source is 'excel', expected one of robyn, pymc_marketing",
    ("data=none.csv", "source=meridian"): "none.csv: cannot be read",
    ("data=posterior.csv", "source=meridian"): "has no column metric, expected Meridian's response curves",
    ("data=posterior.csv", "source=pymc_marketing", "saturation=cubic"): "unknown saturation 'cubic'",
    ("data=posterior.csv", "source=pymc_marketing", "target_scale=0"): "target_scale is 0.0",
    ("data=posterior.csv", "source=pymc_marketing"): "logistic and inverse_scaled_logistic share",
    ("data=.", "source=robyn"): "pareto_hyperparameters.csv: cannot be read",
}


@pytest.mark.parametrize("arguments", BAD, ids=lambda a: " ".join(a))
@pytest.mark.usefixtures("posterior")
def test_what_is_wrong_is_one_line(engine: Run, arguments: tuple[str, ...]) -> None:
    done = engine("responses", *arguments)
    assert done.returncode == 2
    assert BAD[arguments] in done.stderr
    assert len(done.stderr.splitlines()) == 1
