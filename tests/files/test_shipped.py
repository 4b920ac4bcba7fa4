"""Portfolios that ship are loaded by their names, from Python as on the command line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import engine
from engine.files.shipped import config_folder, portfolio_names, portfolio_path
from engine.model.naming import nearest, one_of


@pytest.mark.parametrize("name", portfolio_names())
def test_a_name_stands_for_what_ships(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (shipped,) = (config_folder() / "portfolios").glob(f"{name}.*")
    assert portfolio_path(name) == shipped
    assert type(engine.load_bet(name)) is type(engine.load_bet(shipped))


def test_portfolios_and_bets_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert engine.load_portfolio("textbook").names[0] == "dynamic pricing"
    assert isinstance(engine.load_bet("moonshot"), engine.Approaches)
    with pytest.raises(ValueError, match=r"moonshot\.csv: has a column approach"):
        engine.load_portfolio("moonshot")


def test_a_file_of_the_name_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("textbook").mkdir()  # a folder is no portfolio
    assert engine.load_portfolio("textbook").names[0] == "dynamic pricing"
    Path("textbook").rmdir()
    Path("textbook").write_text("project,family,scale,rate\nmine,log,1,1\n")
    assert engine.load_portfolio("textbook").names == ("mine",)


def test_what_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    expected = "textbok: is no file: did you mean textbook? expected a file, or one that ships: ml_first, "
    with pytest.raises(ValueError, match=re.escape(expected)):
        engine.load_portfolio("textbok")
    for elsewhere in ("my/textbok", tmp_path / "textbok", "nothing.csv"):
        with pytest.raises(ValueError, match="cannot be read"):
            engine.load_bet(elsewhere)
    with pytest.raises(ValueError, match="expected the name of a bet's file, got NoneType"):
        engine.load_bet(None)  # type: ignore[arg-type]


def test_the_nearest_name() -> None:
    known = ["run.portfolios", "run.seed", "budget"]
    assert nearest("portfolios", known) == nearest("run.portfolio", known) == "run.portfolios"
    assert nearest("magic", known) is nearest(3, known) is None
    assert one_of("budgt", known).startswith(": did you mean budget? expected one of run.portfolios, ")
    assert one_of("magic", known) == ", expected one of run.portfolios, run.seed, budget"


def test_solvers_objectives_and_their_options_from_python() -> None:
    portfolio = engine.load_portfolio("textbook")
    with pytest.raises(ValueError, match=r"unknown solver 'gredy': did you mean greedy[?] expected one of "):
        engine.allocate(portfolio, 3, "gredy")
    with pytest.raises(ValueError, match=r"option 'marginl' of solver greedy: did you mean marginal[?]"):
        engine.allocate(portfolio, 3, "greedy", marginl="slope")
    with pytest.raises(ValueError, match=r"unknown objective 'mean_cvr': did you mean mean_cvar[?]"):
        engine.bet(engine.load_bet("uncertain"), 3, objective="mean_cvr")
