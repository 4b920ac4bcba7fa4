"""Studies of plans: grown, stopped and resumed with the same bits, drawn and reported."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.cli.conftest import Done, run_here

COMMON = (
    "scenario=many_bets",
    "planning=stalls",
    "scenario.planning.periods=3",
    "scenario.planning.lots=2",
    "scenario.planning.particles=16",
    "scenario.projects=4",
    "run.block=8",
)


def engine(folder: Path, *arguments: str) -> Done:
    done = run_here(arguments, folder)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep over two axes in study/."""
    folder = tmp_path_factory.mktemp("plans")
    grid = ("sweep.grid.scenario.planning.resume=[0.5,1.0]", "sweep.grid.scenario.planning.noise=[0.02,0.2]")
    solvers = "solver=[static,rolling]"
    engine(folder, "sweep", *COMMON, solvers, *grid, "run.portfolios=16", "run.output=study")
    return folder


def test_a_study_of_plans_compiles_once_and_compares_in_pairs(folder: Path) -> None:
    done = engine(folder, "status", "study=study")
    assert "8 of 8 blocks" in done.stdout
    with (folder / "study" / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    static = [row for row in rows if row["solver"] == "static" and row["metric"] == "over_static"]
    assert len(static) == 4
    assert all(float(row["mean"]) == 0.0 for row in static)
    assert {"regret_1", "regret_3", "sunk", "cvar"} <= {row["metric"] for row in rows}


def test_a_grown_study_is_what_it_is_at_once(folder: Path) -> None:
    for name, portfolios, solvers in (
        ("grown", 8, "static"),
        ("grown", 24, "static"),
        ("grown", 24, "static,rolling"),
        ("whole", 24, "static,rolling"),
    ):
        given = (f"solver=[{solvers}]", f"run.portfolios={portfolios}", f"run.output={name}")
        engine(folder, "run", *COMMON, *given)
    one, other = ((folder / name / "summary.csv").read_text() for name in ("grown", "whole"))
    assert one == other


def test_figures_show_when_plans_pay_and_what_they_regret(folder: Path) -> None:
    done = engine(folder, "figures", "study=study", "output=figures", "formats=[svg]")
    made = sorted(path.name for path in (folder / "figures").glob("*.svg"))
    assert made == ["effort.svg", "over_richer_rolling.svg", "regret.svg"]
    said = done.stdout + done.stderr
    assert "Where rolling puts its effort in the first portfolio" in said
    assert "static plan with planning.more of the budget besides" in said


def test_the_report_says_what_looks_are_worth(folder: Path) -> None:
    engine(folder, "report", "study=study", "output=report.html")
    page = (folder / "report.html").read_text()
    assert "than a plan that is never revised" in page
    assert "of 4 points, by two standard errors" in page
    assert "What the clairvoyant has returned more" in page
    assert "proves" not in page.split("<table")[0]


def test_one_line_says_what_cannot_be(folder: Path) -> None:
    for given, message in (
        (("solver=[greedy]",), "solver greedy allocates once, expected a policy of plans over periods"),
        (
            ("solver=[rolling]", "scenario.planning.stall=2"),
            "scenario.planning.stall is 2.0, expected a chance",
        ),
        (("solver=[rolling]", "scenario.planning.lot=2"), "scenario.planning.lot"),
    ):
        done = run_here(("run", *COMMON, *given, "run.output=bad"), folder)
        assert done.returncode == 2
        assert message in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
