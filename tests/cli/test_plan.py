"""`engine plan`: advice as a table, as JSON and as CSV, period by period; and each bad input in one line."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from rich.cells import cell_len

import engine as library
from tests.cli.conftest import Run
from tests.cli.test_bad_input import refused

SMALL = ("planning.periods=3", "planning.lots=2", "planning.particles=48")
PLAN = ("plan", "draws=uncertain", "budget=60", *SMALL)
HEADER = "project,period,effort,seen\n"
LOG = f"{HEADER}visual search,1,12,0.4\nfraud alerts,1,8,2.5\n"


def test_json_is_what_the_library_says_and_the_log_is_all_the_state(engine: Run, tmp_path: Path) -> None:
    first = engine(*PLAN, "format=json")
    assert (first.returncode, first.stderr) == (0, "")
    facts = json.loads(first.stdout)
    terms = {"periods": 3, "lots": 2, "particles": 48}
    assert facts == {**library.plan("uncertain", 60, **terms).to_dict(), "warnings": []}
    assert (facts["period"], facts["spent"], facts["left"]) == (1, 0, 60)
    (tmp_path / "log.csv").write_text(LOG)
    second = json.loads(engine(*PLAN, "log=log.csv", "format=json").stdout)
    assert (second["period"], second["spent"], second["left"]) == (2, 20, 40)
    assert second == {
        **library.plan("uncertain", 60, tmp_path / "log.csv", **terms).to_dict(),
        "warnings": [],
    }
    again = json.loads(engine(*PLAN, "log=log.csv", "format=json").stdout)
    assert again == second


def test_the_table_says_what_and_why_within_80_columns(engine: Run, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(LOG)
    done = engine(*PLAN, "log=log.csv")
    assert (done.returncode, done.stderr) == (0, "")
    for text in (
        *("period 2 of 3 by rolling: 20 of 40 left", "effort", "planned", "spent", "return", "end"),
        *("running", "index", "best", "funded", "goes on above", "Period 2 of 3: spend 20 of the 40 left"),
    ):
        assert text in done.stdout
    assert max(map(cell_len, done.stdout.splitlines())) <= 80


def test_csv_has_a_row_a_project(engine: Run) -> None:
    done = engine(*PLAN, "format=csv")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["project"] for row in rows] == [
        *("demand forecast", "route planning", "fraud alerts", "visual search")
    ]
    assert sum(float(row["effort"]) for row in rows) == pytest.approx(20)


def test_columns_of_the_log_are_named_by_keys(engine: Run, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(LOG)
    (tmp_path / "other.csv").write_text(LOG.replace("period", "Week").replace("seen", "Return"))
    one = engine(*PLAN, "format=json", "log=log.csv")
    two = engine(*PLAN, "format=json", "log=other.csv", "columns.period=Week", "columns.seen=Return")
    assert one.stdout == two.stdout


def test_a_plan_that_is_over_and_one_that_is_overspent(engine: Run, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(f"{LOG}fraud alerts,2,20,5\nfraud alerts,3,30,7\n")
    done = engine(*PLAN, "log=log.csv")
    assert done.returncode == 0
    assert done.stderr == "engine: warning: the log spends 70 of a budget of 60: nothing is left\n"
    assert "the plan is over" in done.stdout


BAD_LOGS = {
    "an unknown project": ("visual serch,1,3,\n", ("line 2 has project visual serch", "visual search?")),
    "a period before the first": ("visual search,-1,3,\n", ("line 2 has period -1",)),
    "a period after the last": ("visual search,4,3,\n", ("line 2 has period 4", "planning.periods=4")),
    "a row twice": ("visual search,1,3,\nvisual search,1,2,\n", ("line 3 has visual search", "line 2")),
    "negative effort": ("visual search,1,-3,\n", ("line 2 has effort -3",)),
    "no effort": ("visual search,1,,3\n", ("line 2 has no effort",)),
    "a measurement of nothing spent": ("visual search,1,0,3\n", ("line 2 has seen 3 and no effort",)),
    "a measurement before the plan": ("visual search,0,4,3\n", ("line 2 has seen 3 in period 0",)),
    "a word": ("visual search,1,much,3\n", ("line 2: effort is 'much'",)),
}


@pytest.mark.parametrize("what", BAD_LOGS)
def test_bad_logs(engine: Run, tmp_path: Path, what: str) -> None:
    rows, named = BAD_LOGS[what]
    first = "fraud alerts,1,1,\nfraud alerts,2,1,\nfraud alerts,3,1,\n" if "after" in what else ""
    (tmp_path / "log.csv").write_text(f"{HEADER}{rows}{first}")
    refused(engine(*PLAN, "log=log.csv"), "log.csv: ", *named)


BAD_ARGUMENTS = {
    "no draws": (("plan", "budget=3"), ("draws is missing",)),
    "no budget": (("plan", "draws=uncertain"), ("budget is missing",)),
    "a missing file": (("plan", "draws=none.csv", "budget=3"), ("none.csv",)),
    "a folder without draws": (("plan", "draws=.", "budget=3"), ("draws.parquet: cannot be read",)),
    "a missing log": ((*PLAN, "log=none.csv"), ("none.csv: cannot be read",)),
    "negative budget": (("plan", "draws=uncertain", "budget=-3"), ("budget is -3",)),
    "unknown policy": ((*PLAN, "policy=luck"), ("policy is 'luck'", "rolling")),
    "who sees all": ((*PLAN, "policy=clairvoyant"), ("policy is 'clairvoyant'",)),
    "no period": ((*PLAN, "planning.periods=0"), ("planning.periods is 0",)),
    "no chance": ((*PLAN, "planning.stall=2"), ("planning.stall is 2.0", "a chance from 0 to 1")),
    "no noise": ((*PLAN, "planning.noise=0"), ("planning.noise is 0.0",)),
    "no particles": ((*PLAN, "planning.particles=0"), ("planning.particles is 0",)),
    "lots without number": ((*PLAN, "planning.lots=1000"), ("periods times lots is 3,000",)),
    "unknown format": ((*PLAN, "format=xml"), ("'xml'", "csv")),
    "unknown term": ((*PLAN, "planning.weeks=3"), ("planning.weeks",)),
    "columns of no log": ((*PLAN, "columns.seen=y"), ("columns.seen is 'y'", "a plan without a log")),
    "bounds": (("plan", "draws=b.csv", "budget=3"), ("bound upper",)),
}


@pytest.mark.parametrize("what", BAD_ARGUMENTS)
def test_bad_arguments(engine: Run, tmp_path: Path, what: str) -> None:
    arguments, named = BAD_ARGUMENTS[what]
    if "draws=b.csv" in arguments:
        (tmp_path / "b.csv").write_text(
            "project,draw,family,scale,rate,upper\na,1,log,1,1,5\na,2,log,2,1,5\n"
        )
    refused(engine(*arguments), *named)
