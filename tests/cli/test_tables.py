"""Every command's table keeps within 80 columns, on files and pipes too, and tells all it has to."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.cells import cell_len

from engine.cli.tables import last_words
from tests.cli.conftest import Run

SMALL = ("run.portfolios=20", "run.block=20", "run.output=out")
COMMANDS = {
    "allocate": ("allocate", "portfolio=textbook", "budget=100"),
    "allocate, for a target": (
        *("allocate", "portfolio=textbook", "target.price=0.123456789", "solver=waterfilling"),
    ),
    "budget_curve": ("budget_curve", "portfolio=textbook", "budget=100", "rows=4"),
    "run": ("run", "scenario=textbook", "solver=[greedy,cutoff,bound]", "budget=20", *SMALL),
    "sweep": (
        *("sweep", "scenario=textbook", "sweep.grid.budget=[20,30]", *SMALL),
        "sweep.grid.scenario.curves.purelog.parameters.scale.sigma=[0.1,0.2]",
    ),
    "benchmark": (
        *("benchmark", "problems=[log,multiple_choice_strongly_correlated]", "sizes=[[4,20]]"),
        *("solver=[greedy,bound]", *SMALL),
    ),
}
HEADINGS = {
    "run": (
        *("value", "gap mean", "gap 95 %", "gap max", "− exact", "optimal", "proved"),
        *("frontier", "funded", "largest", "eff. no.", "λ", "per second"),
    ),
    "sweep": ("gap mean", "gap max", "proved", "frontier", "funded", "portfolios"),
    "benchmark": ("gap mean", "gap max", "proved", "optimal", "loss mean", "loss 99 %", "loss max"),
    "budget_curve": ("what happens", "dispatching", "recommendations", "marginal", "price"),
}


@pytest.mark.parametrize("what", COMMANDS)
def test_no_line_of_a_table_is_longer_than_a_terminal(engine: Run, what: str) -> None:
    done = engine(*COMMANDS[what], COLUMNS="80")
    assert done.returncode == 0, done.stderr
    assert max(map(cell_len, done.stdout.splitlines())) <= 80
    assert "…" not in done.stdout
    for heading in HEADINGS.get(what, ()):
        assert all(word in done.stdout for word in heading.split())  # it may be broken between words


def test_a_wide_page_has_it_all_side_by_side(engine: Run) -> None:
    done = engine(*COMMANDS["budget_curve"], COLUMNS="200")
    assert done.stdout.count("┏") == 1
    assert engine(*COMMANDS["budget_curve"], COLUMNS="80").stdout.count("┏") == 2


def test_long_names_and_remarks(engine: Run, tmp_path: Path) -> None:
    name = "a project whose name says at length what everybody in it believes it to be about, " * 2
    (tmp_path / "p.csv").write_text(f'project,family,scale,rate\n"{name}",log,1,1\nb,log,1,1\n')
    for command in ("allocate", "budget_curve"):
        done = engine(command, "portfolio=p.csv", "budget=4", COLUMNS="80")
        assert done.returncode == 0, done.stderr
        assert max(map(cell_len, done.stdout.splitlines())) <= 80


def test_a_key_is_told_by_its_last_words() -> None:
    keys = ("budget", "scenario.skew", "scenario.weight.sigma", "scenario.cost.sigma", "solver.exact.skews")
    assert last_words(keys) == ["budget", "skew", "weight.sigma", "cost.sigma", "skews"]
