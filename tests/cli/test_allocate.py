"""`engine allocate`: a real portfolio from a file, as a table and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import engine as library
from tests.cli.conftest import Run

TEXTBOOK = Path(__file__).parents[2] / "configs" / "portfolios" / "textbook.csv"
KEYS = [
    "effort",
    "value",
    "bound",
    "gap",
    "proved",
    "price",
    "price_left",
    "budget",
    "spent",
    "unspent",
    "solver",
]
MEASURED = """project,effort,performance,weight
search,0,0.1,3
search,10,0.4,3
search,20,0.5,3
ranking,0,0.2,1
ranking,5,0.3,1
ranking,30,0.9,1
"""


def test_json_is_exactly_one_object(engine: Run) -> None:
    done = engine("allocate", "portfolio=textbook", "budget=100", "solver=exact", "format=json")
    assert done.returncode == 0
    assert done.stderr == ""
    facts = json.loads(done.stdout)
    assert list(facts) == [*KEYS, "warnings"]
    assert facts["effort"] == {
        "dynamic pricing": 25,
        "dispatching": 30,
        "vision on-boarding": 12,
        "recommendations": 20,
        "menu images": 13,
    }
    assert all(isinstance(units, int) for units in facts["effort"].values())
    assert facts["proved"] is True
    assert facts["gap"] == 0
    assert facts["value"] <= facts["bound"]
    assert facts["solver"] == "exact"
    assert (facts["budget"], facts["spent"], facts["unspent"]) == (100, 100, 0)


@pytest.mark.parametrize("solver", list(library.SOLVERS))
def test_every_solver_agrees_with_the_library(engine: Run, tmp_path: Path, solver: str) -> None:
    (tmp_path / "measured.csv").write_text(MEASURED)
    done = engine("allocate", "portfolio=measured.csv", "budget=25", f"solver={solver}", "format=json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    portfolio = library.load_portfolio(tmp_path / "measured.csv")
    solution = library.allocate(portfolio, 25, solver)
    assert list(facts["effort"].values()) == list(solution.effort)
    assert facts["value"] == solution.value
    assert facts["bound"] == solution.bound
    assert facts["proved"] == solution.proved
    assert facts["price"] == solution.price


def test_the_table_names_projects_totals_and_proof(engine: Run) -> None:
    done = engine("allocate", "portfolio=textbook", "budget=300")
    assert done.returncode == 0
    for text in (
        "dispatching",
        "90",
        "frontier",
        "proved optimal",
        "shadow price",
        "upper bound",
        "unspent 0",
    ):
        assert text in done.stdout
    assert done.stdout.count("frontier") == 1


@pytest.mark.parametrize(
    ("target", "goal"),
    [
        ("value=450", "the least that returns 450"),
        ("return_per_unit=2", "the most that returns 2 per unit on average"),
        ("price=0.5", "the most whose last spending returns 0.5 per unit"),
    ],
)
def test_a_target_in_place_of_a_budget(engine: Run, target: str, goal: str) -> None:
    kind, number = target.split("=")
    found = library.budget_for(library.load_portfolio(TEXTBOOK), **{kind: float(number)})
    done = engine("allocate", "portfolio=textbook", f"target.{target}", "format=json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert list(facts) == [*KEYS, "target", "budget_proved", "warnings"]
    assert facts["target"] == {kind: float(number)}
    assert facts["budget_proved"] is True
    assert facts["budget"] == found.budget
    assert list(facts["effort"].values()) == list(found.allocation.effort)
    if kind == "value":
        shown = engine("allocate", "portfolio=textbook", f"target.{target}")
        assert f"budget {found.budget:g} by exact, {goal}" in shown.stdout
        assert "proved optimal" in shown.stdout


def test_unspent_budget_is_said(engine: Run, tmp_path: Path) -> None:
    (tmp_path / "capped.csv").write_text("project,family,scale,rate,upper\na,log,1,1,2\nb,log,1,1,3\n")
    done = engine("allocate", "portfolio=capped.csv", "budget=9", "format=json")
    facts = json.loads(done.stdout)
    assert (facts["budget"], facts["spent"], facts["unspent"]) == (9, 5, 4)
    shown = engine("allocate", "portfolio=capped.csv", "budget=9").stdout
    assert "unspent 4: all at their upper limits" in shown


def test_options_reach_the_solver(engine: Run) -> None:
    done = engine(
        *("allocate", "portfolio=textbook", "budget=10", "format=json"),
        *("solver=relaxation", "solver.relaxation.rounding=false"),
    )
    efforts = json.loads(done.stdout)["effort"].values()
    assert all(isinstance(e, float) for e in efforts)
    assert sum(efforts) == pytest.approx(10, rel=1e-9)


def test_curves_that_fall_are_allowed_with_a_warning(engine: Run, tmp_path: Path) -> None:
    (tmp_path / "falls.csv").write_text(
        "project,effort,performance\na,0,1\na,1,3\na,2,2\nb,0,0\nb,1,1\nb,2,1\n"
    )
    done = engine("allocate", "portfolio=falls.csv", "budget=5", "format=json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["effort"] == {"a": 1, "b": 1}
    assert done.stderr.count("\n") == 1
    assert "warning: a: performance falls" in done.stderr


def test_names_are_shown_as_they_are(engine: Run, tmp_path: Path) -> None:
    text = "project,family,scale,rate\n[red]a,log,1,1\n[/b],log,1,1\n"
    (tmp_path / "names.csv").write_text(text)
    done = engine("allocate", "portfolio=names.csv", "budget=4")
    assert done.returncode == 0
    assert "[red]a" in done.stdout
    assert "[/b]" in done.stdout


def test_profit_is_an_objective(engine: Run) -> None:
    keys = ("objective=profit", "objective.profit.per_unit=0.5")
    done = engine("allocate", "portfolio=textbook", "budget=400", *keys, "format=json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    portfolio = library.load_portfolio(TEXTBOOK)
    found = library.allocate(portfolio, 400, objective="profit", per_unit=0.5)
    assert facts == {**found.to_dict(), "warnings": []}
    shown = engine("allocate", "portfolio=textbook", "budget=400", *keys).stdout
    assert "less 0.5 × 200 spent" in shown
    assert "unspent 200: nothing more pays" in shown


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (("budget=9", "objective.profit.per_unit=0"), "per_unit is 0"),
        (("target.value=9",), "objective is profit, expected mean where a target is given"),
        (("budget=9", "portfolio=moonshot"), "objective is profit, expected mean"),
        (("budget=9", "portfolio=uncertain"), "unknown objective 'profit'"),
    ],
)
def test_profit_where_it_cannot_be(engine: Run, keys: tuple[str, ...], words: str) -> None:
    done = engine("allocate", "portfolio=textbook", "objective=profit", *keys)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


RISING = """project,family,scale,rate,cost,rising,upper
search,log,9,1,2,4,6
ads,log,6,2,1,,
"""


def test_a_column_of_a_file(engine: Run, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(RISING)
    done = engine("allocate", "portfolio=p.csv", "budget=30")
    assert done.returncode == 0, done.stderr
    for word in ("units", "spent", "proved optimal"):
        assert word in done.stdout
    facts = engine("allocate", "portfolio=p.csv", "budget=30", "format=json").stdout
    assert '"units": {"search": ' in facts
    assert json.loads(facts)["spent"] == 30


def test_prices_of_a_bet_do_not_rise(engine: Run, tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("project,approach,family,scale,rate,rising\na,,log,1,1,3\n")
    done = engine("allocate", "portfolio=b.csv", "budget=3")
    assert done.returncode == 2
    assert "has rising, expected a steady price of what is a bet" in done.stderr
