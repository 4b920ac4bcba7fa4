"""Files with spill-over: both kinds give the same matrix, a portfolio's readers refuse them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import engine
from engine.bets.spillover import Coupled
from engine.files.bets import load_bet
from tests.cli.conftest import run_here

TABLE = """project,family,scale,rate,spillover
search,exponential,9,0.1,
ads,exponential,6,0.2,
platform,exponential,1,0.1,search:0.3; ads:0.2
"""
MAPPING = """projects:
  search: {family: exponential, scale: 9, rate: 0.1}
  ads: {family: exponential, scale: 6, rate: 0.2}
  platform: {family: exponential, scale: 1, rate: 0.1}
spillover: {platform: {search: 0.3, ads: 0.2}}
"""
MATRIX = [[0, 0, 0.3], [0, 0, 0.2], [0, 0, 0]]


def write(folder: Path, text: str, ending: str) -> Path:
    path = folder / f"mine.{ending}"
    path.write_text(text)
    return path


@pytest.mark.parametrize(("text", "ending"), [(TABLE, "csv"), (MAPPING, "yaml")])
def test_it_is_read_as_a_matrix_of_receivers_by_givers(tmp_path: Path, text: str, ending: str) -> None:
    path = write(tmp_path, text, ending)
    found = load_bet(path)
    assert isinstance(found, Coupled)
    np.testing.assert_array_equal(found.spillover, MATRIX)
    assert found.names == ("search", "ads", "platform")
    assert found.dtype == np.float64
    with pytest.raises(ValueError, match=r"platform: has spillover, which engine\.load_bet and engine alloc"):
        engine.load_portfolio(path)


def test_a_file_without_it_is_a_portfolio(tmp_path: Path) -> None:
    path = write(tmp_path, MAPPING.split("spillover")[0], "yaml")
    assert isinstance(load_bet(path), engine.Portfolio)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            ("search:0.3", "serch:0.3"),
            "platform: spillover names 'serch', no project of search, ads, platform",
        ),
        (("search:0.3", "serch:0.3"), "did you mean search?"),
        (("search:0.3", "search"), "platform: spillover is 'search', expected a project and a number"),
        (("search:0.3", "search:much"), "platform: spillover to search is 'much'"),
        (("search:0.3", "search:-1"), "spillover from platform to search is -1"),
        (("search:0.3", "ads:0.3"), "platform: spillover to ads occurs twice"),
    ],
)
def test_what_cannot_be_in_a_table_is_one_line(tmp_path: Path, change: tuple[str, str], line: str) -> None:
    path = write(tmp_path, TABLE.replace(*change), "csv")
    with pytest.raises(ValueError, match=re.escape(line)) as error:
        load_bet(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            ("{platform: {", "{platfrm: {"),
            "spillover names 'platfrm', no project of search, ads, platform, did",
        ),
        (("search: 0.3", "serch: 0.3"), "platform: spillover names 'serch'"),
        (("{search: 0.3, ads: 0.2}", "0.3"), "spillover is no mapping of projects to the shares of others"),
        (("search: 0.3", "search: [1]"), "platform: spillover to search is"),
    ],
)
def test_what_cannot_be_in_a_mapping_is_one_line(tmp_path: Path, change: tuple[str, str], line: str) -> None:
    path = write(tmp_path, MAPPING.replace(*change), "yaml")
    with pytest.raises(ValueError, match=re.escape(line)) as error:
        load_bet(path)
    assert "\n" not in str(error.value)


def test_the_command_prints_a_table_or_one_object(tmp_path: Path) -> None:
    write(tmp_path, TABLE, "csv")
    done = run_here(("allocate", "portfolio=mine.csv", "budget=6", "format=json"), tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found["effort"]) == {"search", "ads", "platform"}
    assert found["proved"]
    assert found["submodular"]
    assert found["beside"]["greedy"]["value"] <= found["value"]
    table = run_here(("allocate", "portfolio=mine.csv", "budget=6"), tmp_path)
    assert "proved optimal" in table.stdout
    assert "without spill-over" in table.stdout


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("budget=6", "solver=bound"), "solver is bound, expected exact or relaxation or greedy"),
        (("budget=6", "unit=2"), "unit is 2, expected none for a bet"),
        (("target.value=1",), "a target is given, expected budget=... for a bet"),
    ],
)
def test_what_the_command_cannot_do_is_one_line(tmp_path: Path, words: tuple[str, ...], line: str) -> None:
    write(tmp_path, TABLE, "csv")
    done = run_here(("allocate", "portfolio=mine.csv", *words), tmp_path)
    assert done.returncode != 0
    assert line in done.stderr
