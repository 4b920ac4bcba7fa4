"""The benchmark of scaling: what one case measures, where a line ends, that answers agree, and its page."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import scaling, scaling_page
from benchmarks.machine import RESULTS
from benchmarks.scaling import LINES, Line
from benchmarks.scaling_case import Case, measure
from tests.figures.test_figures import check_text

GIVEN = ["--python", sys.executable]
# What the tests' own environment has.
HERE = [line for line in LINES if line.ours or line.module == "slsqp"]
# Compiling takes the time: along two axes only those that are soon compiled.
SOON = [line for line in HERE if line.problem == "log"]


def measured_here(line: Line, axis: str, size: int) -> dict[str, Any]:
    """A line of one case, measured in this process, which has compiled some of it before."""
    case = Case(
        line.module,
        line.option,
        line.problem,
        line.kind,
        **scaling.instances_of(axis, size),
        limit=300.0,
        compiling=300.0,
        memory=0.0,
    )
    about = {"contender": line.name, "problem": line.problem, "kind": line.kind, "optimal": line.optimal}
    return {**about, "axis": axis, "end": None, "cases": [{"size": size, **measure(case)}]}


@pytest.mark.parametrize(
    ("axis", "size", "contenders"), [("projects", 4, HERE), ("budget", 120, SOON), ("batch", 2, SOON)]
)
def test_answers_agree(axis: str, size: int, contenders: list[Line]) -> None:
    lines = [measured_here(line, axis, size) for line in contenders]
    assert scaling.disagreements(lines) == []
    for line in lines:
        (case,) = line["cases"]
        assert case["feasible"] == 1.0
        assert case["seconds"] > 0
        assert case["peak_mib"] >= case["before_mib"] > 0
        assert case["claims"] == 1.0 or not line["optimal"]
        assert case["loss"] < 0.5


def test_what_differs_is_told() -> None:
    def line(name: str, value: float, bound: float | None, feasible: float = 1.0) -> dict[str, Any]:
        case = {"size": 5, "value": value, "bound": bound, "feasible": feasible}
        about = {"problem": "log", "kind": "integer", "axis": "projects", "optimal": name != "greedy"}
        return {"contender": name, **about, "cases": [case]}

    lines = [
        line("best", 2.0, 2.0),
        line("worse", 1.9, None),
        line("greedy", 1.0, 1.5),
        line("over", 9.0, None, 0.5),
    ]
    assert scaling.disagreements(lines) == [
        "worse at log integer projects 5: loses 5.0e-02",
        "greedy at log integer projects 5: its bound is wrong by 2.5e-01",
        "over at log integer projects 5: infeasible",
    ]


def test_lines_run_in_processes_and_end_where_they_must(capsys: pytest.CaptureFixture[str]) -> None:
    given = scaling.arguments([*GIVEN, "--contenders", "engine greedy,SciPy SLSQP,HiGHS tuned"])
    given.python = ("/no/such/python",)
    plan = scaling.Plan({"budget": (30, 10**9)}, {"budget": (30,)})
    highs, slsqp, greedy = scaling.measured(plan, given)["lines"]
    assert highs["end"]["ended"] == slsqp["end"]["ended"] == "not installed"
    (case,) = greedy["cases"]
    assert case["first"] > case["seconds"] > 0
    assert greedy["end"]["size"] == 10**9
    assert greedy["end"]["ended"] == "refused"
    assert "greedy holds at most" in greedy["end"]["message"]
    assert "ended at 1,000,000,000 (refused)" in capsys.readouterr().out


def test_a_case_that_takes_too_long_ends_its_line() -> None:
    (line,) = (line for line in LINES if line.module == "slsqp")
    given = scaling.arguments([*GIVEN, "--limit", "0.02"])
    assert scaling.run_line(line, "projects", (1000, 2000), given)["end"] == {"size": 1000, "ended": "time"}


@pytest.fixture(scope="module")
def saved() -> dict[str, Any]:
    return json.loads((RESULTS / "scaling.json").read_text())


def test_the_page_shows_what_was_saved(saved: dict[str, Any]) -> None:
    page = (scaling.ROOT / "docs" / "scaling.md").read_text()
    for table in scaling_page.tables(saved).split("\n\n"):
        assert table in page
    assert [what for what in saved["disagreements"] if what.startswith("engine")] == []


def test_nothing_in_the_picture_is_cut_off(saved: dict[str, Any], tmp_path: Path) -> None:
    figure = scaling_page.picture(saved)
    check_text(figure.axes[0])
    assert len(figure.axes) == 6
    assert scaling_page.draw(saved, tmp_path / "scaling.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(7.25e-6, "7.2 µs"), (0.0009999, "1 ms"), (0.0123, "12 ms"), (0.5, "500 ms"), (4.93, "4.9 s")],
)
def test_seconds_have_two_digits(seconds: float, text: str) -> None:
    assert scaling_page.seconds_text(seconds) == text


def test_a_wrong_word_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        scaling.arguments(["--contenders", "nobody"])
    assert "unknown contender nobody" in capsys.readouterr().err
