"""Files that hold a bet: approaches in tables and in YAML files, read, written and refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import jax
import numpy as np
import pytest

from engine import Approaches, Portfolio, bet, load_bet, load_portfolio, portfolio_from, save_bet
from engine.files.shipped import config_folder
from tests.files.conftest import WriteBet

MOONSHOT = config_folder() / "portfolios" / "moonshot.csv"
TABLE = """project,approach,family,scale,rate,success,cost
search,rules,log,2,1,0.9,2
fraud,,purelog,3,1,0.8,1
search,deep network,purelog,8,0.5,0.3,2
"""
MAPPING = """projects:
  search:
    cost: 2
    approaches:
      rules: {family: log, scale: 2, rate: 1, success: 0.9}
      deep network: {family: purelog, scale: 8, rate: 0.5, success: 0.3}
  fraud: {family: purelog, scale: 3, rate: 1, success: 0.8}
"""


def approaches(path: Path) -> Approaches:
    """The approaches that a file holds."""
    found = load_bet(path)
    assert isinstance(found, Approaches)
    return found


def assert_same(one: Approaches, other: Approaches) -> None:
    """The same approaches, to the last bit."""
    assert one.places == other.places
    flat = [dataclasses.replace(each.entries(), names=()) for each in (one, other)]
    assert jax.tree.structure(flat[0]) == jax.tree.structure(flat[1])
    for left, right in zip(*map(jax.tree.leaves, flat), strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_table_has_a_row_an_approach(write_bet: WriteBet) -> None:
    found = approaches(write_bet(TABLE))
    assert found.shape == (2,)
    assert found.names == ("search", "fraud")
    assert found.labels == (("rules", "deep network"), ("",))
    assert found.places == (("search", "rules"), ("search", "deep network"), ("fraud",))
    np.testing.assert_array_equal(found.cost, [2, 1])
    np.testing.assert_array_equal(found.ways.success, [[0.9, 0.3], [0.8, 0]])
    np.testing.assert_array_equal(found.ways.upper, [[np.inf, np.inf], [np.inf, 0]])


def test_a_yaml_file_has_approaches_by_name(write_bet: WriteBet) -> None:
    assert_same(approaches(write_bet(MAPPING, "bet.yaml")), approaches(write_bet(TABLE)))


def test_approaches_may_be_measured(write_bet: WriteBet) -> None:
    text = "project,approach,effort,performance\na,x,0,0\na,y,0,0\na,x,4,2\na,y,2,3\n"
    found = approaches(write_bet(text))
    assert found.places == (("a", "x"), ("a", "y"))
    assert bet(found, 4).value == 3


def test_columns_are_named_by_the_user(write_bet: WriteBet) -> None:
    path = write_bet(TABLE.replace("approach", "Method"))
    found = load_bet(path, columns={"approach": "Method"})
    assert isinstance(found, Approaches)
    assert found.labels[0] == ("rules", "deep network")


def test_a_file_without_approaches_is_a_portfolio(write_bet: WriteBet) -> None:
    text = "project,family,scale,rate\na,log,1,1\n"
    assert isinstance(load_bet(write_bet(text)), Portfolio)
    assert isinstance(
        load_bet(write_bet("projects: {a: {family: log, scale: 1, rate: 1}}", "p.yaml")), Portfolio
    )


@pytest.mark.parametrize("name", ["again.csv", "again.yaml"])
def test_what_was_written_is_read_alike(write_bet: WriteBet, tmp_path: Path, name: str) -> None:
    for path in (MOONSHOT, write_bet(TABLE)):
        first = approaches(path)
        save_bet(first, tmp_path / name)
        assert_same(approaches(tmp_path / name), first)
    ordinary = load_portfolio(config_folder() / "portfolios" / "textbook.csv")
    save_bet(ordinary, tmp_path / name)
    assert load_portfolio(tmp_path / name).names == ordinary.names


def test_a_name_that_a_table_does_not_hold_is_refused(write_bet: WriteBet, tmp_path: Path) -> None:
    found = dataclasses.replace(approaches(write_bet(TABLE)), names=(" search", "fraud"))
    with pytest.raises(ValueError, match=r"' search/rules' cannot be named so in a CSV file"):
        save_bet(found, tmp_path / "again.csv")
    save_bet(found, tmp_path / "again.yaml")
    assert_same(approaches(tmp_path / "again.yaml"), found)


HEADER, ROWS = TABLE.split("\n", 1)


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (TABLE.replace("0.3,2", "1.3,2"), "b.csv", "search/deep network: success is 1.3, expected a prob"),
        (TABLE.replace("0.3,2", "0.3,1"), "b.csv", "search/deep network: cost is 1, expected 2, the same"),
        (TABLE.replace("deep network", "rules"), "b.csv", "line 4: project search/rules occurs twice"),
        (TABLE.replace("fraud", ""), "b.csv", "line 3: has no project, expected its name"),
        (TABLE.replace("0.5", "fast"), "b.csv", "rate is 'fast', expected a number"),
        (TABLE.replace("purelog,8", "hil,8"), "b.csv", "search/deep network: unknown family 'hil'"),
        (TABLE.replace("cost", "lower"), "b.csv", "search/rules: lower is 2, expected none: approaches"),
        (TABLE.replace(",2\n", ",0\n"), "b.csv", "search: cost is 0, expected a number above 0"),
        (TABLE.replace("project,", "team,"), "b.csv", "has no column project, saw team"),
        (HEADER + "\n" + "".join(f"a,{n},log,1,1,1,1\n" for n in range(7)), "b.csv", "a: has 7 approaches"),
        ("projects: {a: {approaches: 3}}", "b.yaml", "a: approaches is no mapping of names to their keys"),
        ("projects: {a: {approaches: {}}}", "b.yaml", "a: approaches is no mapping"),
        (MAPPING.replace("cost:", "upper:"), "b.yaml", "search: has upper beside its approaches, expected"),
        (MAPPING.replace("scale: 2,", ""), "b.yaml", "search/rules: has no scale, which family log needs"),
        (
            MAPPING.replace("rate: 1, success: 0.9", "rate: 1, cost: 3"),
            "b.yaml",
            "search/deep network: cost is 2, expected 3, the same for all",
        ),
    ],
)
def test_what_cannot_be_is_said_in_one_line(write_bet: WriteBet, text: str, name: str, message: str) -> None:
    path = write_bet(text, name)
    with pytest.raises(ValueError, match=message) as error:
        load_bet(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_a_portfolio_is_not_read_from_approaches(write_bet: WriteBet) -> None:
    for path in (write_bet(TABLE), write_bet(MAPPING, "bet.yaml")):
        with pytest.raises(ValueError, match="load_bet and engine allocate read approaches"):
            load_portfolio(path)
    pandas = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match="has a column approach, expected one row a project"):
        portfolio_from(pandas.DataFrame({"project": ["a"], "approach": ["x"], "family": ["log"]}))
