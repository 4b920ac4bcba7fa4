"""Portfolios that are written and read again, to the last bit: files of both kinds, and data frames."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from engine import Hill, Log, Portfolio, Tabulated, load_portfolio, portfolio_from, portfolio_table
from engine import save_portfolio as save
from engine.model.curves.base import curve_family
from tests import reference

SHIPPED = Path(__file__).parents[2] / "configs" / "portfolios"
EFFORTS = (0.0, 0.3, 1.0, 3.7, 8.0, 400.0)
PROJECTS = 4

amount = st.floats(0.0, allow_infinity=False)
PARTS = {
    "weight": amount,
    "cost": amount,
    "lower": st.floats(0.0, 1e3),
    "upper": st.floats(1e3),
    "startup": amount,
    "success": st.floats(0.0, 1.0),
    "curvature": amount,
    "threshold": st.one_of(st.floats(0.0, 1e300), st.just(-math.inf)),
    "reach": amount,
}
words = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12)
names = st.lists(words, min_size=PROJECTS, max_size=PROJECTS, unique=True)


@st.composite
def portfolios(draw: Any) -> Portfolio:
    """Curves of every family and mixture, with any of the parts at any number that they may have."""
    family = draw(st.sampled_from(reference.NAMES))
    curves = reference.draw_curves(family, np.random.default_rng(draw(st.integers(0, 99))), (PROJECTS,))
    chosen = draw(st.sets(st.sampled_from(sorted(PARTS))))
    rows = {name: st.lists(PARTS[name], min_size=PROJECTS, max_size=PROJECTS) for name in sorted(chosen)}
    return Portfolio(curves, **{n: np.array(draw(row)) for n, row in rows.items()}, names=tuple(draw(names)))


def assert_same(found: Portfolio, expected: Portfolio) -> None:
    """The same names, parts and performances, to the last bit."""
    assert found.names == expected.names
    for name in PARTS:
        ours, theirs = getattr(found, name), getattr(expected, name)
        assert (ours is None) == (theirs is None), name
        if ours is not None:
            assert np.asarray(ours).tobytes() == np.asarray(theirs, float).tobytes(), name
    for effort in EFFORTS:
        x = np.full(PROJECTS, effort)
        with np.errstate(all="ignore"):
            ours, theirs = (reference.performance(p.curves, x) for p in (found, expected))
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.filterwarnings("ignore:.*falls as effort rises")
@pytest.mark.parametrize("name", ["p.csv", "p.yaml"])
@given(portfolio=portfolios())
@settings(max_examples=30, deadline=None)
def test_a_file_gives_back_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, name: str, portfolio: Portfolio
) -> None:
    path = tmp_path_factory.mktemp("saved") / name
    save(portfolio, path)
    assert_same(load_portfolio(path), portfolio)


@pytest.mark.filterwarnings("ignore:.*falls as effort rises")
@given(portfolio=portfolios())
@settings(max_examples=20, deadline=None)
def test_data_frames_give_back_what_was_put_in(portfolio: Portfolio) -> None:
    table = portfolio_table(portfolio)
    for frame in (table, table.to_pandas(), pl.from_arrow(table)):
        assert_same(portfolio_from(frame), portfolio)


@pytest.mark.parametrize(
    "path", [SHIPPED / "ml_first.csv", SHIPPED / "textbook.csv"], ids=lambda path: path.stem
)
def test_what_was_read_is_written_and_read_alike(path: Path, tmp_path: Path) -> None:
    first = load_portfolio(path)
    for name in ("again.csv", "again.yml"):
        save(first, tmp_path / name)
        again = load_portfolio(tmp_path / name)
        assert again.names == first.names
        assert portfolio_table(again).equals(portfolio_table(first))


def test_lists_of_different_lengths_and_absent_parts(tmp_path: Path) -> None:
    text = "project,family,values,points,scale,rate,baseline\na,tabulated,0;1;2,0;4;9,,,\n"
    (tmp_path / "p.csv").write_text(text + "b,tabulated,0;5,0;3,,,\nc,log,,,2,0.5,\nd,log,,,1,0.25,0.5\n")
    portfolio = load_portfolio(tmp_path / "p.csv")
    save(portfolio, tmp_path / "q.csv")
    assert_same(load_portfolio(tmp_path / "q.csv"), portfolio)
    assert "upper" not in (tmp_path / "q.csv").read_text()


def test_projects_without_names_get_their_numbers(tmp_path: Path) -> None:
    save(Log([1.0, 2.0], [1.0, 0.5]), tmp_path / "p.csv")
    expected = "project,family,scale,rate\nproject 0,log,1.0,1.0\nproject 1,log,2.0,0.5\n"
    assert (tmp_path / "p.csv").read_text() == expected


def test_names_that_only_yaml_can_hold(tmp_path: Path) -> None:
    for name in (" a", "a ", "\ta"):
        portfolio = Portfolio(Log([1.0], [1.0]), names=(name,))
        with pytest.raises(ValueError, match=r"p\.csv: project .* cannot be named so in a CSV file"):
            save(portfolio, tmp_path / "p.csv")
        assert not (tmp_path / "p.csv").exists()
        save(portfolio, tmp_path / "p.yaml")
        assert load_portfolio(tmp_path / "p.yaml").names == (name,)


@curve_family
class Strange(Log):
    """A family that no file knows."""

    family = "strange"


REFUSED: dict[str, tuple[Any, str]] = {
    "batch": (Log(np.ones((2, 3)), 1.0), "a batch of shape (2,) has no rows"),
    "names": (Portfolio(Log([1.0, 2.0], 1.0), names=("a", "a")), "project a occurs twice"),
    "cuts": (Portfolio(Log([1.0], [1.0]), cuts=(0.2,)), "has cuts (0.2,), expected"),
    "domain": (Log([1.0, -2.0], 1.0), "project 1: scale is -2"),
    "family": (Strange([1.0], [1.0]), "family strange is not in FAMILIES"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_files_cannot_hold_is_refused(what: str, tmp_path: Path) -> None:
    portfolio, message = REFUSED[what]
    with pytest.raises(ValueError, match=r"p\.csv: ") as error:
        save(portfolio, tmp_path / "p.csv")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none/p\.csv: cannot be written \(No such file"):
        save(Log([1.0], [1.0]), tmp_path / "none" / "p.csv")


def test_frames_as_people_have_them() -> None:
    frame = pd.DataFrame(
        {
            "project": pd.Categorical(["x", "y", "z"]),
            "family": ["hill", "log", "tabulated"],
            "scale": [1, 2, math.nan],
            "rate": [math.nan, 0.5, math.nan],
            "half": [3.0, None, None],
            "exponent": [2.0, None, None],
            "values": [None, None, [0.0, 1.0, 1.5]],
            "upper": [5, math.inf, 7],
        }
    )
    portfolio = portfolio_from(frame)
    assert portfolio.names == ("x", "y", "z")
    x = np.array([2.0, 2.0, 1.5])
    expected = [4 / (9 + 4), 2 * math.log(2.0), 1.25]
    np.testing.assert_allclose(reference.performance(portfolio.curves, x), expected, rtol=1e-15)
    np.testing.assert_array_equal(portfolio.upper, [5, np.inf, 7])
    # Rows that were sorted or chosen, and a project that is the index.
    assert portfolio_from(frame[frame.project != "x"]).names == ("y", "z")
    assert portfolio_from(frame.set_index("project")).names == ("x", "y", "z")
    # Long-form measurements.
    points = pl.DataFrame(
        {"project": ["a", "a", "b", "b"], "effort": [0, 2, 0, 1], "performance": [0, 1, 1, 3]}
    )
    measured = portfolio_from(pl.DataFrame(points)).curves
    assert isinstance(measured, Tabulated)
    np.testing.assert_array_equal(reference.performance(measured, np.array([1.0, 0.5])), [0.5, 2.0])


WRONG: dict[str, tuple[Any, str]] = {
    "no frame": ([1, 2], "expected a data frame or an Arrow table, got list"),
    "column": ({"project": ["a"], "efort": [1.0], "performance": [1.0]}, "has no column effort, saw project"),
    "family": ({"project": ["a"], "family": ["cubic"]}, "a: unknown family 'cubic', expected one of"),
    "missing": ({"project": ["a"], "family": ["log"], "scale": [1.0], "rate": [None]}, "a: has no rate"),
    "twice": ({"project": ["a", "a"], "family": ["log", "log"]}, "row 2: project a occurs twice"),
    "name": ({"project": ["a", None], "family": ["log", "log"]}, "row 2: has no project"),
    "word": ({"project": ["a"], "family": ["log"], "scale": ["x"], "rate": [1.0]}, "a: scale is 'x'"),
    "domain": ({"project": ["a"], "family": ["log"], "scale": [1.0], "rate": [-1.0]}, "a: rate is -1"),
    "empty": ({"project": pa.array([], pa.string()), "family": pa.array([], pa.string())}, "has no projects"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_frame_is_one_line(what: str) -> None:
    columns, message = WRONG[what]
    with pytest.raises(ValueError, match=r"^\S") as error:
        portfolio_from(pa.table(columns) if isinstance(columns, dict) else columns)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_saving_is_the_inverse_for_an_allocation(tmp_path: Path) -> None:
    portfolio = Portfolio(Hill([9.0, 6.0], [2.0, 1.0], [3.0, 2.0]), names=("a", "b"))
    save(portfolio, tmp_path / "p.csv")
    answers = [engine.allocate(p, 5.0) for p in (portfolio, load_portfolio(tmp_path / "p.csv"))]
    assert answers[0].to_dict() == answers[1].to_dict()
