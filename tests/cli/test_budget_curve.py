"""`engine budget_curve`: every budget as a table, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

import engine as library
from tests.cli.conftest import Run

STAGED = """project,effort,performance
bridge,0,0
bridge,2,0
bridge,3,6
road,0,0
road,1,1
"""
TEXTBOOK = Path(__file__).parents[2] / "configs" / "portfolios" / "textbook.csv"


def test_json_is_one_object_of_columns(engine: Run) -> None:
    done = engine("budget_curve", "portfolio=textbook", "budget=20", "format=json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    facts = json.loads(done.stdout)
    curve = library.budget_curve(library.load_portfolio(TEXTBOOK), 20)
    for name in ("budget", "value", "spent", "unspent", "marginal", "price", "price_left", "proved"):
        expected = [None if np.isnan(number) else number for number in getattr(curve, name).tolist()]
        assert facts[name] == expected, name
    np.testing.assert_array_equal(np.array(list(facts["effort"].values())).T, curve.effort)
    assert facts["marginal"][-1] is None
    assert facts["solver"] == "exact"
    assert next(iter(facts["effort"])) == "dynamic pricing"


def test_csv_has_one_row_a_budget(engine: Run, tmp_path: Path) -> None:
    (tmp_path / "staged.csv").write_text(STAGED)
    done = engine("budget_curve", "portfolio=staged.csv", "budget=5", "format=csv")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [float(row["value"]) for row in rows] == [0, 1, 1, 6, 7, 7]
    assert [float(row["unspent"]) for row in rows] == [0, 0, 1, 0, 0, 1]
    assert [row["effort.bridge"] for row in rows] == ["0", "0", "0", "3", "3", "3"]
    assert rows[-1]["marginal"] == ""
    assert [float(row["price_left"]) for row in rows[1:]] == [2, 2, 2, 1, 0]
    assert [float(row["price"]) for row in rows] == [2, 2, 2, 1, 0, 0]
    assert all(row["proved"] == "True" for row in rows)


def test_the_table_shows_some_rows_and_every_milestone(engine: Run) -> None:
    done = engine("budget_curve", "portfolio=textbook", "budget=300", "rows=4", COLUMNS="200")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("│")]
    budgets = [int(line.split("│")[1]) for line in lines]
    assert {0, 100, 200, 300} <= set(budgets)
    assert budgets == sorted(set(budgets))
    at = dict(zip(budgets, lines, strict=True))
    # All five projects are funded, and dispatching alone gets to the curve, as the tutorial has it.
    assert "dispatching starts" in at[1]
    assert done.stdout.count("starts") == 5
    assert done.stdout.count("reaches the frontier") == 1
    (first,) = [budget for budget, line in at.items() if "dispatching reaches the frontier" in line]
    curve = library.budget_curve(library.load_portfolio(TEXTBOOK), 300)
    assert curve.effort[first, 1] > curve.effort[first - 1, 1]
    assert "every value is proved optimal" in done.stdout
    assert len(lines) < 40


def test_real_effort(engine: Run) -> None:
    done = engine("budget_curve", "portfolio=textbook", "budget=100", "solver=waterfilling", "format=json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["price_left"][-1] == pytest.approx(facts["price"][-1], rel=1e-12)
    np.testing.assert_allclose([e[-1] for e in facts["effort"].values()], [25, 30, 12, 20, 13], rtol=1e-9)


def test_lower_bounds_leave_budgets_without_an_optimum(engine: Run, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("project,family,scale,rate,lower\na,log,1,1,2\nb,log,2,1,0\n")
    done = engine("budget_curve", "portfolio=p.csv", "budget=4")
    assert done.returncode == 0, done.stderr
    assert "2 budgets do not cover the lower limits" in done.stdout
    json_too = engine("budget_curve", "portfolio=p.csv", "budget=4", "format=json")
    assert json.loads(json_too.stdout)["value"][:2] == [None, None]
    assert json.loads(json_too.stdout)["effort"]["a"] == [None, None, 2, 2, 2]
