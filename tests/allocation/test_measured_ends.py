"""Tables that end before the effort does: one line a project, and silence where nothing would change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import engine
from engine import Log, Mixture, Portfolio, Tabulated

RISING = "{}: still rises at its last measured point {}, beyond which its curve is taken as flat"
BEYOND = "{}: effort {} is beyond its last measured point {}, where its curve is taken as flat"


def tables(**parts: list[float]) -> Portfolio:
    """One that rises by 2 and then 1 a unit up to 4, and one that rises by 1 up to 6, and is flat up to 8."""
    points = np.array([[0.0, 2.0, 4.0, 5.0], [0.0, 6.0, 8.0, 9.0]])
    values = np.array([[0.0, 4.0, 6.0, 6.0], [0.0, 6.0, 6.0, 6.0]])
    curves = Tabulated(values, points, last=np.array([4.0, 8.0]))
    return Portfolio(curves, names=("steep", "tired"), **parts)  # type: ignore[arg-type]


@pytest.mark.parametrize("solver", ["exact", "continuous", "density"])
def test_a_curve_that_still_rises_at_its_end_is_named(solver: str) -> None:
    found = engine.allocate(tables(), 20, solver)
    assert found.notes == (RISING.format("steep", 4),)
    assert repr(found).endswith("note: " + found.notes[0])
    assert found.notes[0] in found._repr_html_()


@pytest.mark.parametrize(
    ("parts", "budget", "notes"),
    [
        ({}, 3, ()),  # it has not come to its end
        ({"upper": [4.0, 9.0]}, 20, ()),  # and must not go on
        ({"upper": [6.0, 9.0]}, 20, (RISING.format("steep", 4),)),
        ({"lower": [7.0, 0.0]}, 20, (BEYOND.format("steep", 7, 4),)),
        ({"lower": [0.0, 9.0]}, 20, (RISING.format("steep", 4), BEYOND.format("tired", 9, 8))),
        ({"startup": [1.0, 0.0]}, 20, (RISING.format("steep", 5),)),
        # Other projects pay a unit of budget better than its last slope of 1 does.
        ({"lower": [4.0, 0.0], "weight": [0.5, 1.0]}, 8, ()),
    ],
)
def test_when_it_is_said(parts: dict[str, list[float]], budget: float, notes: tuple[str, ...]) -> None:
    assert engine.allocate(tables(**parts), budget).notes == notes


def test_an_end_within_a_lot_counts() -> None:
    found = engine.allocate(tables(), 21, unit=3)
    assert found.effort[0] == 6
    assert found.notes == (BEYOND.format("steep", 6, 4),)
    found = engine.allocate(tables(upper=[5.0, 9.0]), 21, unit=3)
    assert found.effort[0] == 3
    assert found.notes == (RISING.format("steep", 4),)


def test_curves_by_formula_have_no_end_and_batches_are_silent() -> None:
    assert engine.allocate(Log([1.0], [1.0]), 5).notes == ()
    families = (Log([3.0] * 2, [1.0] * 2), Tabulated([[0.0, 1.0, 2.0]] * 2))
    mixture = Mixture(families, np.array([0, 1], np.int32))
    assert engine.allocate(mixture, 9).notes == (RISING.format("project 1", 2),)
    batch = Tabulated(np.tile([0.0, 1.0, 2.0], (3, 2, 1)))
    assert engine.allocate(batch, 9).notes == ()
    assert engine.allocate(batch, 9)[0].notes == tuple(RISING.format(f"project {i}", 2) for i in range(2))


def test_tables_of_a_file_end_where_each_was_measured(tmp_path: Path) -> None:
    """The shorter one is filled up, which is no measurement."""
    path = tmp_path / "p.yaml"
    path.write_text(
        "projects:\n  a: {points: [[0, 0], [3, 9]]}\n  b: {points: [[0, 0], [2, 1], [9, 3]]}\n"
        "  c: {family: log, scale: 9, rate: 1}\n"
    )
    portfolio = engine.load_portfolio(path)
    assert engine.allocate(portfolio, 10).notes == (RISING.format("a", 3),)
    engine.save_portfolio(portfolio, path)
    assert path.read_text().count("- 3.0") == 2  # the end of a, and what b reaches
    again = engine.load_portfolio(path)
    np.testing.assert_array_equal(again.curves.families[-1].points, portfolio.curves.families[-1].points)
    found = engine.own_plan(portfolio, {"a": 5, "b": 1, "c": 4}, 10)
    assert found.notes[-1] == "plan: " + BEYOND.format("a", 5, 3)


def test_targets_have_them_too() -> None:
    assert engine.budget_for(tables(), value=12).notes == (RISING.format("steep", 4),)
