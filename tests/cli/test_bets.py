"""`engine allocate` of a bet: approaches that may fail, as a table and as JSON."""

from __future__ import annotations

import json

import pytest

from engine import bet, load_bet
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
        (("budget=40", "solver=threshold"), "solver is threshold, expected exact or greedy for approaches"),
        (("budget=40", "solver=greedy", "solver.greedy.marginal=slope"), "solver.greedy.marginal is 'slope'"),
        (("budget=-1",), "budget is -1, expected a number from 0"),
        (("budget=1e9",), "measure effort in larger units, or set upper bounds"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(engine: Run, arguments: tuple[str, ...], message: str) -> None:
    done = engine("allocate", "portfolio=moonshot", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_other_commands_say_what_the_file_holds(engine: Run) -> None:
    done = engine("frontier", "portfolio=moonshot", "budget=40")
    assert done.returncode == 2
    assert "moonshot.csv: has a column approach, expected one row a project" in done.stderr
