"""Files of several resources: both kinds say the same, and a portfolio's readers refuse them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import engine

TABLE = """project,family,scale,half,exponent,cost.people,Cost. GPU hours
search,hill,9,12,3,2,10
ads,hill,6,8,2,1,4
platform,hill,1,5,1,.5,
"""
MAPPING = """projects:
  search: {family: hill, scale: 9, half: 12, exponent: 3, cost: {people: 2, GPU hours: 10}}
  ads: {family: hill, scale: 6, half: 8, exponent: 2, cost: {people: 1, GPU hours: 4}}
  platform: {family: hill, scale: 1, half: 5, exponent: 1, cost: {people: .5}}
"""
LONG = """project,effort,performance,cost.people,cost.money
search,0,0,2,1
search,1,3,2,1
ads,0,0,1,
ads,2,5,1,
"""


def write(folder: Path, text: str, ending: str = "csv") -> Path:
    path = folder / f"mine.{ending}"
    path.write_text(text)
    return path


@pytest.mark.parametrize(("text", "ending"), [(TABLE, "csv"), (MAPPING, "yaml")])
def test_both_kinds_say_the_same(tmp_path: Path, text: str, ending: str) -> None:
    path = write(tmp_path, text, ending)
    found = engine.load_bet(path)
    assert isinstance(found, engine.Resourced)
    assert found.resources == ("people", "GPU hours")
    np.testing.assert_array_equal(found.usage, [[2, 1, 0.5], [10, 4, 0]])
    assert found.names == ("search", "ads", "platform")
    assert found.portfolio.cost is None
    assert found.dtype == np.float64
    with pytest.raises(ValueError, match=r"search: has a cost of resources, which engine\.load_bet"):
        engine.load_portfolio(path)


def test_measurements_have_them_too(tmp_path: Path) -> None:
    found = engine.load_bet(write(tmp_path, LONG))
    assert isinstance(found, engine.Resourced)
    np.testing.assert_array_equal(found.usage, [[2, 1], [1, 0]])


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ((",2,10", ",two,10"), "search: cost.people is 'two', expected a finite number"),
        ((",2,10", ",-2,10"), "search: usage of people is -2, expected a finite number of at least 0"),
        ((",2,10", ",inf,10"), "search: cost.people is inf, expected a finite number"),
        ((",.5,\n", ",,\n"), "platform: uses no resource and has no upper limit, expected one of them"),
        (("exponent,", "exponent,cost,"), "search: cost is "),
        (("family", "draw,family"), "has draw and cost.people and Cost. GPU hours, expected one of them"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(tmp_path: Path, change: tuple[str, str], line: str) -> None:
    text = TABLE.replace(*change)
    if "exponent,cost," in text:
        text = text.replace(",3,2,10", ",3,1,2,10").replace(",2,1,4", ",2,1,1,4").replace(",1,.5", ",1,1,.5")
    if "draw," in text:
        text = text.replace(",hill", ",a,hill")
    with pytest.raises(ValueError, match=re.escape(f"mine.csv: {line}")):
        engine.load_bet(write(tmp_path, text))


def test_yaml_that_cannot_be(tmp_path: Path) -> None:
    one = MAPPING.replace("{people: 1, GPU hours: 4}", "3")
    with pytest.raises(ValueError, match="ads: cost is 3, expected the use of each resource, as of others"):
        engine.load_bet(write(tmp_path, one, "yaml"))
    five = MAPPING.replace("people: .5", "a: 1, b: 2, c: 3")
    with pytest.raises(ValueError, match="there are 5 resources, expected 1 to 4"):
        engine.load_bet(write(tmp_path, five, "yaml"))


def test_it_is_not_written(tmp_path: Path) -> None:
    found = engine.load_bet(write(tmp_path, TABLE))
    with pytest.raises(ValueError, match="a bet is Resourced, expected approaches or a portfolio to write"):
        engine.save_bet(found, tmp_path / "again.csv")
