"""One command reproduces the whole argument, and every number in its text is computed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.conftest import run_here
from tests.report.test_page import Page

# Two by two points of each map, and the same budgets and skews that the text tells of.
GRIDS = (
    *("concave.budget=[100,300]", "concave.skew=[0.0,1.0]"),
    *("staged.budget=[80,160]", "staged.skew=[0.0,1.0]"),
)
SMALL = (*GRIDS, "run.portfolios=16", "run.block=16", "run.output=textbook")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """(the folder of the study, what the command printed)."""
    folder = tmp_path_factory.mktemp("textbook")
    run = run_here(("textbook", *SMALL), folder)
    assert run.returncode == 0, run.stderr
    return folder / "textbook", run.stdout


@pytest.mark.slow
def test_the_argument_is_told_in_eight_steps(done: tuple[Path, str]) -> None:
    _, told = done
    titles = re.findall(r"^(\d)\. (.*)$", told, re.MULTILINE)
    assert [int(number) for number, _ in titles] == list(range(1, 9))
    # The numbers of the essay's five projects: 100, 300, and 100 with one dominant weight.
    assert "dispatching 30" in told
    assert "dispatching 90" in told
    assert "That takes dispatching to the frontier and no other project" in told
    assert "dispatching 86" in told
    assert "At skew 0 most portfolios have one there from a budget of 300 on" in told
    assert "not one of them lost anything" in told
    lost = re.search(r"greedy loses (\d+) % to (\d+) % of the optimum", told)
    assert lost is not None
    assert 30 < int(lost[1]) < int(lost[2]) < 80


@pytest.mark.slow
def test_the_page_has_every_figure(done: tuple[Path, str]) -> None:
    folder, _ = done
    page = Page((folder / "textbook.html").read_text())
    assert page.open == []
    drawn = {path.stem for path in (folder / "figures").glob("*.svg")}
    expected = {
        "fruit",
        "gains",
        "shares",
        "returns",
        "growth",
        "dominant",
        "boundary",
        "staged_curves",
        "staged_gains",
        "staged_shares",
        "staged_returns",
        "staged_loss",
        "staged_time",
    }
    assert expected <= drawn
    assert drawn == {path.stem for path in (folder / "figures").glob("*.png")}
    assert len(page.sources) == 2 * len(drawn)  # a figure and its numbers
