"""What a schedule says of itself, files with carry-over, the command line, the figure, and refusals."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine
from engine.figures import schedule_figure
from engine.files.bets import load_bet
from engine.live.draws import live_of
from engine.periods.spread import Spread
from tests.cli.conftest import run_here

TABLE = """project,family,scale,rate,carry,carried
tv,exponential,5,0.1,0.7,4
search,exponential,3,0.2,0.2,
radio,exponential,2,0.5,,
"""
MAPPING = """projects:
  tv: {family: exponential, scale: 5, rate: 0.1, carry: 0.7, carried: 4}
  search: {family: exponential, scale: 3, rate: 0.2, carry: 0.2}
  radio: {family: exponential, scale: 2, rate: 0.5}
"""


def example() -> Spread:
    curves = engine.Exponential(scale=[5.0, 3.0, 2.0], rate=[0.1, 0.2, 0.5])
    portfolio = engine.Portfolio(curves, names=("tv", "search", "radio"))
    return Spread(portfolio, [0.7, 0.2, 0.0], [4.0, 0.0, 0.0])  # type: ignore[arg-type]


def test_rows_and_numbers_are_those_of_its_arrays() -> None:
    found = engine.bet(example(), [30, 30, 40])
    assert isinstance(found, engine.Schedule)
    rows = found.rows()
    assert len(rows) == 9
    assert rows[4] == {
        "period": 2,
        "project": "search",
        "effort": found.effort[1, 1],
        "effective": found.effective[1, 1],
        "return": found.returns[1, 1],
    }
    facts = json.loads(json.dumps(found.to_dict()))
    assert facts["effort"]["tv"] == found.effort[:, 0].tolist()
    assert facts["budgets"] == [30, 30, 40]
    assert len(facts["multipliers"]) == len(facts["spent_by_period"]) == 3
    assert found.budget == facts["budget"] == 100
    np.testing.assert_allclose(found.returns.sum(), found.value)
    assert len(found.to_pandas()) == 9
    for text in ("period 2: tv", "without carry-over", "over 3 periods"):
        assert text in repr(found)


def test_a_batch_is_indexed() -> None:
    curves = engine.Exponential(scale=np.array([[5.0, 3.0], [4.0, 4.0]]), rate=np.full((2, 2), 0.2))
    found = engine.bet(Spread(curves, 0.5), 20.0, periods=4)  # type: ignore[arg-type]
    assert found.batch == (2,)
    assert found[0].batch == ()
    np.testing.assert_allclose(
        found[1].effort,
        engine.bet(
            Spread(
                engine.Exponential(  # type: ignore[arg-type]
                    scale=[4.0, 4.0], rate=[0.2, 0.2]
                ),
                0.5,
            ),
            20.0,
            periods=4,
        ).effort,
        atol=1e-4,
    )
    assert "2 schedules of 4 periods and 2 projects" in repr(found)
    with pytest.raises(ValueError, match=r"rows\(\) is of one bet"):
        found.rows()


@pytest.mark.parametrize(
    ("budget", "options", "line"),
    [
        (3, {}, "periods is missing, expected how many there are, or a budget for each"),
        ([1, 2], {"periods": 3}, "budget has 2 periods, expected 3"),
        (3, {"periods": 0}, "periods is 0, expected a whole number from 1 to 1000"),
        (3, {"periods": 2.5}, "periods is 2.5, expected a whole number"),
        (-3, {"periods": 2}, "budget is -3, expected a number from 0"),
        ([1, np.nan], {}, "budget is nan, expected"),
        ("much", {"periods": 2}, "budget is 'much', expected a number"),
        ([], {}, "budget has 0 periods, expected 1 to 1000"),
        ([1, 2], {"lower": 1.0}, "budgets 1, 2 do not cover the projects' lower limits over 2 periods"),
        (3, {"periods": 2, "lower": 1.0}, "budget 3 does not cover the projects' lower limits over 2"),
        ([1, 2], {"lower": [[0.0] * 3] * 3}, "lower does not fit (2, 3), expected (..., periods, projects)"),
        ([9, 9], {"upper": -1.0}, "upper has -1, expected numbers of at least 0"),
        ([9, 9], {"lower": 5.0, "upper": 1.0}, "tv: lower is 5 above upper 1 in period 1"),
        ([9, 9], {"starts": 0}, "starts is 0, expected a whole number of at least 1"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(budget: Any, options: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=re.escape(line)) as error:
        engine.bet(example(), budget, **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("text", "ending"), [(TABLE, "csv"), (MAPPING, "yaml")])
def test_files_hold_what_carries_over(tmp_path: Path, text: str, ending: str) -> None:
    path = tmp_path / f"mine.{ending}"
    path.write_text(text)
    found = load_bet(path)
    assert isinstance(found, Spread)
    np.testing.assert_array_equal(found.carry, [0.7, 0.2, 0.0])
    np.testing.assert_array_equal(found.carried, [4.0, 0.0, 0.0])
    assert found.names == ("tv", "search", "radio")
    with pytest.raises(ValueError, match=r"tv: has carry, which engine\.load_bet and engine allocate read"):
        engine.load_portfolio(path)
    with pytest.raises(ValueError, match="a bet is Spread, expected approaches or a portfolio to write"):
        engine.save_bet(found, tmp_path / "other.csv")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("0.1,0.7,4", "0.1,1.7,4"), "tv: carry is 1.7, expected a number from 0 to below 1"),
        (("0.1,0.7,4", "0.1,0.7,-4"), "tv: carried is -4, expected a number of at least 0"),
        (("0.1,0.7,4", "0.1,much,4"), "tv: carry is 'much'"),
        (("carried\n", "spillover\n"), "has spillover and carry, expected one of them"),
    ],
)
def test_files_that_cannot_be(tmp_path: Path, change: tuple[str, str], line: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(TABLE.replace(*change))
    with pytest.raises(ValueError, match=re.escape(line)) as error:
        load_bet(path)
    assert str(path) in str(error.value)


def test_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(TABLE)
    start = ("allocate", f"portfolio={path}")
    done = run_here((*start, "budget_by_period=[30,30,40]", "format=json"), tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {**engine.bet(example(), [30, 30, 40]).to_dict(), "warnings": []}
    table = run_here((*start, "budget=100", "periods=3", "discount=0.9"), tmp_path)
    assert table.returncode == 0, table.stderr
    for text in ("period 3", "total", "discounted return", "upper bound", "without carry-over", "spent"):
        assert text in table.stdout


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("budget=30",), "periods is missing, expected periods=... or budget_by_period=[...]"),
        (
            ("budget=30", "budget_by_period=[3]"),
            "budget and budget_by_period are given, expected one of them",
        ),
        (("budget_by_period=[3]", "periods=2"), "budget has 1 periods, expected 2"),
        (("budget_by_period=5",), "budget_by_period is 5, expected a list, one for each period"),
        (("budget_by_period=[a,b]",), "budget is ['a', 'b'], expected a number"),
        (("budget=30", "periods=2", "solver=greedy"), "solver is greedy, expected exact or relaxation"),
        (("budget=30", "periods=2", "unit=2"), "unit is 2, expected none for a bet"),
        (("budget=30", "periods=2", "discount=2"), "discount is 2, expected a number above 0 and at most 1"),
        (("portfolio=moonshot", "budget=30", "periods=2"), "periods is 2, expected none for Approaches"),
        (
            ("portfolio=textbook", "budget=30", "discount=0.5"),
            "discount is 0.5, expected 1 where there are no",
        ),
    ],
)
def test_the_command_line_refuses(tmp_path: Path, arguments: tuple[str, ...], line: str) -> None:
    (tmp_path / "mine.csv").write_text(TABLE)
    named = () if arguments[0].startswith("portfolio") else (f"portfolio={tmp_path / 'mine.csv'}",)
    done = run_here(("allocate", *named, *arguments), tmp_path)
    assert done.returncode == 2
    assert line in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_live_page_says_that_it_shows_other_things() -> None:
    with pytest.raises(ValueError, match="the file holds effort that carries over: engine allocate places"):
        live_of(example(), 10.0, None)


def test_large_batches_come_to_an_end() -> None:
    """Two threads with batches of matrices once waited for each other."""
    rng = np.random.default_rng(0)
    scale, rate = rng.uniform(1.0, 5.0, (1000, 4)), rng.uniform(0.05, 1.0, (1000, 4))
    found = engine.bet(Spread(engine.Exponential(scale, rate), 0.5), np.full((1000, 5), 6.0))  # type: ignore[arg-type]
    assert np.all(found.gap <= 1e-8)


def test_the_figure_draws_bars_and_lines() -> None:
    found = engine.bet(example(), [30, 30, 40])
    axes = schedule_figure(found)
    assert len(axes.patches) == 9
    assert len(axes.lines) == 3
    np.testing.assert_allclose(axes.lines[0].get_ydata(), found.effective[:, 0])  # type: ignore[arg-type]
