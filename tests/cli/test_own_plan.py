"""`engine allocate plan=FILE`: a plan beside the optimum."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import engine as library
from tests.cli.conftest import Run

PLAN = """project,effort
dynamic pricing,20
dispatching,20
vision on-boarding,20
recommendations,20
menu images,20
"""
ALLOCATE = ("allocate", "portfolio=textbook", "budget=100", "plan=plan.csv")
TEXTBOOK = Path(__file__).parents[2] / "configs" / "portfolios" / "textbook.csv"


@pytest.fixture(autouse=True)
def plan_file(tmp_path: Path) -> None:
    (tmp_path / "plan.csv").write_text(PLAN)


def test_it_agrees_with_the_library(engine: Run, tmp_path: Path) -> None:
    done = engine(*ALLOCATE, "within=20%", "format=json")
    assert done.returncode == 0, done.stderr
    plan = library.load_efforts(tmp_path / "plan.csv")
    found = library.own_plan(library.load_portfolio(TEXTBOOK), plan, 100, within="20%")
    assert json.loads(done.stdout) == {**json.loads(json.dumps(found.to_dict())), "warnings": []}


def test_the_table_has_both_plans_and_what_is_lost(engine: Run) -> None:
    shown = engine(*ALLOCATE, "within=5", COLUMNS="120").stdout
    for text in (
        "plan's effort",
        "within 5",
        "plan's return",
        "less than any allocation could",
        "spends 100",
    ):
        assert text in shown
    assert "staying so near costs" in shown
    assert "within" not in engine(*ALLOCATE).stdout


WRONG = {
    "plan=none.csv": "none.csv: cannot be read",
    "within=far": "within is 'far', expected units of effort",
    "plan=null": "within is 5, expected none without a plan",
    "portfolio=uncertain": "plan is plan.csv, expected none for a bet",
    "portfolio=moonshot": "plan is plan.csv, expected none for a bet",
}


@pytest.mark.parametrize("key", WRONG)
def test_what_cannot_be(engine: Run, key: str) -> None:
    done = engine(*ALLOCATE, *(("within=5",) if key == "plan=null" else ()), key)
    assert (done.returncode, done.stdout) == (2, "")
    assert WRONG[key] in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_target_finds_its_own_budget(engine: Run) -> None:
    done = engine("allocate", "portfolio=textbook", "target.value=450", "plan=plan.csv")
    assert done.returncode == 2
    assert "plan is plan.csv, expected none where a target is given" in done.stderr
