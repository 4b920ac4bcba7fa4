"""`engine allocate` of a bet: approaches that may fail, as a table and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine import bet, load_bet, load_portfolio, outcomes, risk_curve
from engine.files.shipped import config_folder
from tests.cli.conftest import Run

MOONSHOT = config_folder() / "portfolios" / "moonshot.csv"


def test_json_is_what_the_library_says(engine: Run) -> None:
    done = engine("allocate", "portfolio=moonshot", "budget=40", "format=json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    facts = json.loads(done.stdout)
    found = bet(load_bet(MOONSHOT), 40)
    assert facts == {**found.to_dict(), "warnings": []}
    assert facts["proved"]
    assert list(facts["beside"]) == ["greedy", "single best"]
    assert facts["effort"]["fraud alerts/graph network"] == 19


def test_the_table_names_approaches_plans_and_proof(engine: Run) -> None:
    done = engine("allocate", "portfolio=moonshot", "budget=40")
    assert done.returncode == 0, done.stderr
    for text in ("graph network", "success", "0.4", "expected best 19.19", "proved optimal"):
        assert text in done.stdout
    assert done.stdout.count("fraud alerts") == 1
    assert "single best: 17.8" in done.stdout
    greedy = engine("allocate", "portfolio=moonshot", "budget=40", "solver=greedy")
    assert "expected best 17.77" in greedy.stdout
    assert "gap at most 7.4" in greedy.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("budget=40", "unit=2"), "unit is 2, expected none for a bet"),
        (("target.price=1",), "a target is given, expected budget=... for a bet"),
        (("budget=40", "solver=cutoff"), "solver is cutoff, expected exact or greedy for approaches"),
        (("budget=40", "solver=greedy", "solver.greedy.marginal=slope"), "solver.greedy.marginal is 'slope'"),
        (("budget=-1",), "budget is -1, expected a number from 0"),
        (("budget=1e9",), "measure effort in larger units, or set upper limits"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(engine: Run, arguments: tuple[str, ...], message: str) -> None:
    done = engine("allocate", "portfolio=moonshot", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_other_commands_say_what_the_file_holds(engine: Run) -> None:
    done = engine("budget_curve", "portfolio=moonshot", "budget=40")
    assert done.returncode == 2
    assert "moonshot.csv: has a column approach, expected one row a project" in done.stderr


DRAWS = """project,draw,family,scale,rate,success
search,a,log,3,.5,.9
search,b,log,4,.2,.9
ads,a,log,2,.1,1
ads,b,log,5,.3,1
"""


@pytest.fixture
def draws(tmp_path: Path) -> Path:
    """A file of draws."""
    path = tmp_path / "draws.csv"
    path.write_text(DRAWS)
    return path


def test_objectives_of_draws(engine: Run, draws: Path) -> None:
    done = engine("allocate", f"portfolio={draws}", "budget=20", "format=json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {**bet(load_bet(draws), 20).to_dict(), "warnings": []}
    risk = ("objective=mean_cvar", "objective.mean_cvar.tail=0.5", "objective.mean_cvar.aversion=1")
    done = engine("allocate", f"portfolio={draws}", "budget=20", "format=json", *risk)
    found = bet(load_bet(draws), 20, objective="mean_cvar", tail=0.5, aversion=1)
    assert json.loads(done.stdout) == {**found.to_dict(), "warnings": []}
    assert found.proved
    table = engine("allocate", f"portfolio={draws}", "budget=20", *risk)
    for text in (
        "mean cvar of 2 draws",
        "standard deviation",
        "wait and see",
        "mean parameters",
        "proved optimal",
    ):
        assert text in table.stdout


def test_the_curve_of_draws_is_that_of_risk(engine: Run, draws: Path, tmp_path: Path) -> None:
    done = engine("budget_curve", f"portfolio={draws}", "budget=20", "rows=3", "tail=0.5", "format=json")
    assert done.returncode == 0, done.stderr
    found = risk_curve(load_bet(draws), 20, tail=0.5, points=3)
    assert json.loads(done.stdout) == {**found.to_dict(), "warnings": []}
    assert found.aversion.tolist() == [0.0, 0.5, 1.0]
    assert np.all(np.diff(found.mean) <= 1e-6)
    assert np.all(np.diff(found.cvar) >= -1e-6)
    assert np.all(found.proved)
    table = engine("budget_curve", f"portfolio={draws}", "budget=20", "rows=3", "tail=0.5")
    assert "3 of 3 are proved optimal" in table.stdout
    folder = tmp_path / "figures"
    drawn = engine("figures", f"portfolio={draws}", "budget=20", f"output={folder}", "formats=[png]")
    assert drawn.returncode == 0, drawn.stderr
    assert (folder / "risk_curve.png").stat().st_size > 5_000
    wrong = engine("budget_curve", f"portfolio={draws}", "budget=20", "tail=1")
    assert wrong.returncode == 2
    assert "tail of objective mean_cvar is 1.0, expected a share above 0 and below 1" in wrong.stderr


def test_success_is_drawn(engine: Run, tmp_path: Path) -> None:
    path = tmp_path / "sure.csv"
    path.write_text("project,family,scale,rate,success\none,log,3,.5,.5\ntwo,log,3,.5,.5\n")
    done = engine(
        "allocate", f"portfolio={path}", "budget=10", "outcomes=64", "seed=3", "objective=chance",
        "objective.chance.target=3", "format=json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = bet(outcomes(load_portfolio(path), 64, 3), 10, objective="chance", target=3)
    assert json.loads(done.stdout) == {**found.to_dict(), "warnings": []}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("objective=mean_cvar", "objective.mean_cvar.tail=1.5"),
            "tail of objective mean_cvar is 1.5, expected a share",
        ),
        (("objective=chance",), "option target of objective chance is missing, expected a number"),
        (("solver=greedy",), "solver is greedy, expected exact for draws of curves"),
        (("outcomes=5",), "outcomes is 5, expected none but for a portfolio with a column success"),
    ],
)
def test_what_draws_cannot_be(engine: Run, draws: Path, arguments: tuple[str, ...], message: str) -> None:
    done = engine("allocate", f"portfolio={draws}", "budget=5", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_certain_curves_have_no_risk(engine: Run) -> None:
    done = engine("allocate", "portfolio=textbook", "budget=10", "objective=mean_cvar")
    assert done.returncode == 2
    assert "objective is mean_cvar, expected mean where curves are certain" in done.stderr
