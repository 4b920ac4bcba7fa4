"""`engine allocate` with budgets of several resources."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine import bet, load_bet
from tests.cli.conftest import Run

TABLE = """project,family,scale,half,exponent,cost.people,cost.GPU hours
search,hill,9,12,3,2,10
ads,hill,6,8,2,1,4
platform,hill,1,5,1,.5,
"""
BOTH = ("budget.people=30", "budget.gpu_hours=100")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text(TABLE)
    return path


@pytest.mark.parametrize("budgets", [BOTH, ("budget={people:30,gpu_hours:100}",)])
def test_json_is_what_the_library_says(engine: Run, mine: Path, budgets: tuple[str, ...]) -> None:
    done = engine("allocate", f"portfolio={mine}", *budgets, "format=json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = bet(load_bet(mine), {"people": 30, "GPU hours": 100})
    assert json.loads(done.stdout) == {**found.to_dict(), "warnings": []}


def test_the_table_says_what_is_left_of_each(engine: Run, mine: Path) -> None:
    done = engine("allocate", f"portfolio={mine}", *BOTH)
    assert done.returncode == 0, done.stderr
    for text in (
        "budget people 30, GPU hours 100 by total return, branch and bound",
        "proved optimal",
        "people: spent 30, unspent 0, shadow price 0.0263158",
        "GPU hours: spent 100, unspent 0, shadow price",
    ):
        assert text in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("budget.people=30",), "budget has no GPU hours, expected people, GPU hours, got people"),
        ((*BOTH, "budget.cats=1"), "budget names 'cats', no resource of people, GPU hours"),
        (("budget=30",), "budget=30, expected budget.NAME=... for each resource"),
        (("budget.people=much", "budget.gpu_hours=1"), "budget.people is 'much', expected a number from 0"),
        ((*BOTH, "solver=greedy"), "solver is greedy, expected exact for several resources"),
        ((*BOTH, "unit=2"), "unit is 2, expected none for a bet"),
        (("target.value=3",), "a target is given, expected budget=... for a bet"),
        ((*BOTH, "target.value=3"), "budget and target.value are given, expected one of them"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    engine: Run, mine: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = engine("allocate", f"portfolio={mine}", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.parametrize("portfolio", ["textbook", "moonshot"])
def test_budgets_of_resources_where_there_is_one_cost(engine: Run, portfolio: str) -> None:
    done = engine("allocate", f"portfolio={portfolio}", "budget.people=3")
    assert done.returncode == 2
    assert "budget.people is given, expected budget=... for a portfolio of one cost" in done.stderr
    assert done.stderr.count("\n") == 1


def test_other_commands_say_what_the_file_holds(engine: Run, mine: Path) -> None:
    done = engine("budget_curve", f"portfolio={mine}", "budget=40")
    assert done.returncode == 2
    assert "mine.csv: search: has a cost of resources" in done.stderr
    other = engine("budget_curve", f"portfolio={mine}", "budget.people=40")
    assert other.returncode == 2
    assert "budget.people" in other.stderr
