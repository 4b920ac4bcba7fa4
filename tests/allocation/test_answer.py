"""What users hold: an allocation and a budget curve that know their projects, print, and turn into tables."""

from __future__ import annotations

import builtins
import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

import engine
from engine import Allocation, Log, Portfolio, Status
from tests import reference

BUDGET = 20.0
NAMES = ("search", "ranking", "speech")


@pytest.fixture(scope="module")
def portfolio() -> Portfolio:
    curves = Log(scale=[9.0, 6.0, 5.0], rate=[1.0, 2.0, 0.01])
    return Portfolio(curves, cost=[1.0, 2.0, 1.0], upper=[8.0, 30.0, 30.0], names=NAMES)


@pytest.fixture(scope="module")
def allocation(portfolio: Portfolio) -> Allocation:
    return engine.allocate(portfolio, BUDGET)


@pytest.fixture(scope="module")
def batch() -> Allocation:
    lower = [[0.0, 0.0], [30.0, 0.0], [0.0, 0.0]]
    curves = Log(scale=[[1.0, 2.0], [1.0, 2.0], [3.0, 2.0]], rate=[[1.0, 0.5]] * 3)
    return engine.allocate(Portfolio(curves, lower=np.array(lower)), np.array([10.0, 20.0, 8.0]))


def test_it_prints_two_lines_that_say_it_all(allocation: Allocation) -> None:
    first, second = str(allocation).splitlines()
    assert first == "budget 20 by exact: search 8, ranking 6, speech 0"
    assert second.startswith(f"total return {allocation.value:.8g}, proved optimal; shadow price ")
    assert second.endswith("unspent 0")


def test_many_projects_print_the_largest_efforts() -> None:
    scale = np.arange(1.0, 13.0)
    named = Portfolio(Log(scale, 1.0), names=tuple("abcdefghijkl"))
    first = str(engine.allocate(named, 78)).splitlines()[0]
    assert re.fullmatch(r"budget 78 by exact: (\w \d+, ){8}4 more", first)
    assert "a " not in first
    first = str(engine.allocate(Log(scale, 1.0), 78)).splitlines()[0]
    assert re.fullmatch(r"budget 78 by exact: effort (\d+, ){8}4 more", first)


def test_it_knows_its_projects(portfolio: Portfolio, allocation: Allocation) -> None:
    assert allocation.names == NAMES
    assert allocation.effort_of("ranking") == 6
    assert allocation.status is Status.SOLVED
    assert allocation.spent + allocation.unspent == BUDGET
    assert allocation.gap == 0
    with pytest.raises(ValueError, match=r"^unknown project 'vision', expected one of search, ranking, sp"):
        allocation.effort_of("vision")
    rows = allocation.projects()
    one_more = reference.returns(portfolio, allocation.effort + 1) - reference.returns(
        portfolio, allocation.effort
    )
    assert [row["project"] for row in rows] == list(NAMES)
    assert [row["effort"] for row in rows] == [8, 6, 0]
    np.testing.assert_allclose(
        [row["return"] for row in rows], reference.returns(portfolio, allocation.effort), rtol=1e-12
    )
    np.testing.assert_allclose([row["gain"] for row in rows[1:]], one_more[1:], rtol=1e-12)
    assert np.isnan(rows[0]["gain"])  # it is at its upper limit
    # Shares log(1 + rate·x)/log(100) of what is attainable: 0.48, 0.56 and 0, cut at 0.5, 0.75 and 0.9.
    assert [row["stage"] for row in rows] == [1, 2, 1]
    assert not any(row["frontier"] for row in rows)


def test_it_turns_into_plain_numbers_and_frames(allocation: Allocation) -> None:
    facts = json.loads(json.dumps(allocation.to_dict()))
    assert facts["effort"] == {"search": 8, "ranking": 6, "speech": 0}
    assert facts["value"] == allocation.value
    assert (facts["budget"], facts["spent"], facts["unspent"], facts["solver"]) == (20, 20, 0, "exact")
    frame = allocation.to_pandas()
    pd.testing.assert_frame_equal(frame, pd.DataFrame(allocation.projects()))


def test_a_notebook_shows_a_table(allocation: Allocation) -> None:
    page = allocation._repr_html_()
    assert page.count("<tr>") == 1 + len(NAMES)
    assert "budget 20 by exact" in page
    names = ("<b>", "a & b", "c")
    page = engine.allocate(Portfolio(Log([1.0, 1.0, 1.0], 1.0), names=names), 3)._repr_html_()
    assert "&lt;b&gt;" in page
    assert "a &amp; b" in page
    assert "<b>" not in page


def test_without_pandas_one_error_says_what_to_install(
    allocation: Allocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported = builtins.__import__

    def refuse(name: str, *arguments: Any, **more: Any) -> Any:
        if name == "pandas":
            raise ModuleNotFoundError(name=name)
        return imported(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match=r"^pandas is missing, expected pip install pandas$"):
        allocation.to_pandas()


def test_a_batch_has_a_status_each(batch: Allocation) -> None:
    np.testing.assert_array_equal(batch.status, [0, 1, 0])
    np.testing.assert_array_equal(batch.budget, [10, 20, 8])
    assert str(batch).splitlines() == [
        "3 portfolios of 2 projects, budgets 8 to 20 by exact",
        f"mean total return {np.nanmean(batch.value):.8g}, 2 proved optimal, 1 not solved",
    ]
    frame = batch.to_pandas()
    assert list(frame["effort.project 1"]) == list(batch.effort[:, 1])
    np.testing.assert_array_equal(frame["value"], batch.value)
    assert [len(units) for units in batch.to_dict()["effort"].values()] == [3, 3]
    with pytest.raises(ValueError, match="this is a batch of shape"):
        batch.projects()


def test_one_of_a_batch_is_an_allocation_too(batch: Allocation) -> None:
    one = batch[2]
    assert one.batch == ()
    assert one.status is Status.SOLVED
    assert sum(row["return"] for row in one.projects()) == pytest.approx(float(one.value), rel=1e-12)
    assert str(batch[1]).splitlines()[1] == Status.INFEASIBLE.message
    np.testing.assert_array_equal(batch[1:].budget, [20, 8])


def test_leading_axes_and_budgets_of_any_shape(portfolio: Portfolio) -> None:
    curves = Log(scale=np.ones((2, 3, 4)), rate=np.ones((2, 3, 4)))
    found = engine.allocate(curves, np.arange(6.0).reshape(2, 3))
    assert found.effort.shape == (2, 3, 4)
    np.testing.assert_array_equal(found.spent, found.budget)
    assert list(found.to_pandas()["axis 1"]) == [0, 1, 2, 0, 1, 2]
    assert found[1, 2].budget == 5


def test_a_budget_curve_is_looked_up_at_a_budget(portfolio: Portfolio) -> None:
    curve = engine.budget_curve(portfolio, 30)
    for budget in (0.0, 7.0, BUDGET, 20.7, 30.0):
        there, alone = curve.at(budget), engine.allocate(portfolio, budget)
        assert there.budget == budget
        assert there.value == pytest.approx(float(alone.value), rel=1e-12)
        assert reference.value(portfolio, there.effort) == pytest.approx(float(alone.value), rel=1e-12)
        assert there.proved
        assert there.unspent == pytest.approx(budget - float(there.spent))
    for wrong in (-1.0, 32.0, float("nan")):
        with pytest.raises(ValueError, match=r"^budget is "):
            curve.at(wrong)
    assert str(curve).splitlines()[0] == "31 budgets from 0 to 30 by exact, 3 projects"
    frame = curve.to_pandas()
    assert list(frame["budget"]) == list(range(31))
    assert list(frame["effort.search"]) == list(curve.effort[:, 0])
    facts = json.loads(json.dumps(curve.to_dict()))
    assert list(facts["effort"]) == list(NAMES)
    assert facts["marginal"][-1] is None
    np.testing.assert_array_equal(facts["value"], curve.value)


def test_a_frontier_knows_where_projects_start_and_reach_stages() -> None:
    # Shares log(1 + x)/log(100) of what is attainable: cut at 0.5, 0.75 and 0.9 by 9, 31 and 63 units.
    curve = engine.budget_curve(Portfolio(Log([1.0], [1.0]), lower=[2.0], names=("a",)), 70)
    expected = {3: ["a starts"], 9: ["a reaches stage 2"], 31: ["a reaches stage 3"]}
    assert curve.milestones() == {**expected, 63: ["a reaches the frontier"]}


def test_a_budget_curve_of_real_effort_is_looked_up_on_its_grid() -> None:
    curves = Log([3.0, 1.0], 1.0)
    curve = engine.budget_curve(curves, np.array([0.5, 1.5, 4.0]), "waterfilling")
    assert curve.at(1.5).value == curve.value[1]
    with pytest.raises(ValueError, match=r"^budget is 2, expected one .* the nearest are 1.5 and 4$"):
        curve.at(2.0)


def test_a_budget_curve_below_the_lower_bounds_is_refused_there() -> None:
    curve = engine.budget_curve(Portfolio(Log([3.0, 1.0], 1.0), lower=[3.0, 0.0]), 6)
    with pytest.raises(ValueError, match=r"^budget 2 does not cover the projects' lower limits"):
        curve.at(2)
    assert curve.at(3).effort.tolist() == [3, 0]


def test_a_budget_curve_of_a_batch_is_a_batch_at_each_budget() -> None:
    curves = Log(scale=[[1.0, 2.0], [3.0, 1.0]], rate=[[1.0, 1.0]] * 2)
    there = engine.budget_curve(curves, 6).at(4)
    np.testing.assert_array_equal(there.effort, engine.allocate(curves, 4.0).effort)


def test_a_budget_for_a_target_prints_what_it_is_for(portfolio: Portfolio) -> None:
    found = engine.budget_for(portfolio, value=20.0)
    first, *rest = str(found).splitlines()
    assert first == f"budget {found.budget:g}: the least that returns 20"
    assert rest == str(found.allocation).splitlines()
    facts = json.loads(json.dumps(found.to_dict()))
    assert facts["target"] == {"value": 20}
    assert facts["budget_proved"] is True
    assert facts["budget"] == found.budget
