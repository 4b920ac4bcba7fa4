"""Curves known by draws in files: tables with a column `draw`, YAML lists, and what `engine fit` wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine import Uncertain, fit, load_bet, load_measurements, load_portfolio
from engine.files.draws import write_draws
from tests.files.conftest import WriteBet

TABLE = """project,draw,family,scale,rate,half,exponent,cost,success
search,a,log,3,.5,,,2,.9
ads,a,hill,2,,3,2,1,1
ads,b,log,5,.3,,,1,1
search,b,log,4,.2,,,2,.9
"""
MAPPING = """projects:
  search:
    cost: 2
    draws:
      - {family: log, scale: 3, rate: .5, success: .9}
      - {family: log, scale: 4, rate: .2, success: .9}
  ads:
    draws:
      - {family: hill, scale: 2, half: 3, exponent: 2}
      - {family: log, scale: 5, rate: .3}
"""


def uncertain(path: Path) -> Uncertain:
    """The draws that a file holds."""
    found = load_bet(path)
    assert isinstance(found, Uncertain)
    return found


@pytest.mark.parametrize(("text", "name"), [(TABLE, "bet.csv"), (MAPPING, "bet.yaml")])
def test_draws_of_one_name_belong_together(write_bet: WriteBet, text: str, name: str) -> None:
    bet = uncertain(write_bet(text, name))
    assert bet.names == ("search", "ads")
    np.testing.assert_array_equal(np.broadcast_to(bet.cost, (2,)), [2.0, 1.0])
    search, ads = (2.7 * np.log(3.0), 3.6 * np.log(1.8)), (2 * 16 / 25, 5 * np.log(2.2))
    np.testing.assert_allclose(bet.returns(np.array([4.0, 4.0])), np.transpose([search, ads]), rtol=1e-12)


def test_measured_draws(write_bet: WriteBet) -> None:
    lines = ["project,draw,effort,performance"]
    lines += [f"p,{d},{x},{(d + 1) * x}" for d in range(3) for x in (0, 1, 2)]
    bet = uncertain(write_bet("\n".join(lines)))
    np.testing.assert_allclose(bet.values(np.array([1.5])), [1.5, 3.0, 4.5], rtol=1e-12)


def test_what_a_fit_wrote(tmp_path: Path) -> None:
    effort = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    rows = [f"{p},{x},{a * x / (x + 3)}" for p, a in (("one", 1.0), ("two", 2.0)) for x in effort]
    path = tmp_path / "measured.csv"
    path.write_text("\n".join(["project,effort,performance", *rows]))
    fitted = fit(load_measurements(path), draws=30)
    assert fitted.draws is not None
    write_draws(tmp_path / "draws.parquet", ("one", "two"), fitted.draws)
    bet = uncertain(tmp_path / "draws.parquet")
    assert bet.names == ("one", "two")
    assert bet.count == 30
    mean = np.mean(bet.returns(np.array([8.0, 8.0])), axis=0)
    np.testing.assert_allclose(mean, [8 / 11, 16 / 11], rtol=0.1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ads,b,log", "other,b,log", "ads has 1 draws of 2, no draw b"),
        ("search,b,log", "search,a,log", "search/a occurs twice"),
        (
            "search,b,log,4,.2,,,2,.9\n",
            "",
            "search has 1 draws of 2, no draw b, expected every draw of every",
        ),
        (
            "search,b,log,4,.2,,,2",
            "search,b,log,4,.2,,,3",
            "search: cost differs between draws, expected one for",
        ),
        (",2,.9", ",2,1.9", "search/a: success is 1.9, expected a probability from 0 to 1"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(write_bet: WriteBet, old: str, new: str, message: str) -> None:
    path = write_bet(TABLE.replace(old, new))
    with pytest.raises(ValueError, match=message) as raised:
        load_bet(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "    draws:\n      - {family: hill",
            "    drawn:\n      - {family: hill",
            "ads: draws is no list of curves",
        ),
        (
            "    cost: 2\n",
            "    coast: 2\n",
            "search: has coast beside its draws, expected cost, lower, upper, weight",
        ),
        ("      - {family: log, scale: 5, rate: .3}\n", "", "ads has 1 draws of 2, no draw 1"),
    ],
)
def test_mappings_that_cannot_be(write_bet: WriteBet, old: str, new: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_bet(write_bet(MAPPING.replace(old, new), "bet.yaml"))


def test_a_portfolio_has_no_draws(write_bet: WriteBet) -> None:
    with pytest.raises(ValueError, match="has a column draw, expected one row a project"):
        load_portfolio(write_bet(TABLE))
    with pytest.raises(ValueError, match="search: has draws, expected one curve a project"):
        load_portfolio(write_bet(MAPPING, "bet.yaml"))


def test_a_file_holds_one_kind_of_bet(write_bet: WriteBet) -> None:
    with pytest.raises(ValueError, match="has approach and draw, expected one of them"):
        load_bet(write_bet(TABLE.replace("cost", "approach")))
