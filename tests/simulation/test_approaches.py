"""Approaches: projects of a scenario tried in several ways, and what a portfolio of these is worth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

import engine
from engine.bets.approaches import normalise_approaches
from engine.bets.tries import METRICS as TRIES_METRICS
from engine.model.keys import portfolio_key
from engine.simulation.approaches import joined
from engine.simulation.blocks import Block, Simulation
from engine.simulation.config import ApproachConfig, PriorConfig, ScenarioConfig
from engine.simulation.methods import check_method
from engine.simulation.metrics import METRICS
from engine.simulation.point import Point
from engine.simulation.scenarios import build_scenario
from engine.study.plan import plan, run_manifest
from tests.simulation.blocks import every_block
from tests.simulation.test_scenarios import fixed, refused, shipped

COUNT = 12
SMALL = ("budget=50", "scenario.projects=4", f"run.portfolios={COUNT}")
BOTH = "solver=[exact,single_best]"


def study(*overrides: str, solvers: str = BOTH) -> Point:
    return plan(shipped("moonshot", *SMALL, solvers, *overrides))


def solved(*overrides: str) -> list[Block]:
    return every_block(Simulation(study(*overrides), records=True))


def column(blocks: list[Block], solver: str, name: str) -> np.ndarray:
    return np.concatenate([block.records[solver][name] for block in blocks])


@pytest.fixture(scope="module")
def whole() -> list[Block]:
    return solved("run.block=12")


def test_another_block_size_gives_the_same_approaches(whole: list[Block]) -> None:
    again = solved("run.block=5")
    for solver in ("exact", "single_best"):
        for name in ("value", "bound", "difference", "approaches", "effort"):
            expected, found = (column(blocks, solver, name) for blocks in (whole, again))
            # Sums in one order; only vector width may round them differently.
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_several_approaches_return_at_least_what_the_best_one_does(whole: list[Block]) -> None:
    exact, single = (column(whole, solver, "value") for solver in ("exact", "single_best"))
    assert np.all(exact >= single - 1e-12)
    assert np.mean(exact - single) > 0.1
    assert np.all(column(whole, "exact", "proved") == 1)
    assert np.all(column(whole, "single_best", "bound") >= exact - 1e-12)
    np.testing.assert_allclose(column(whole, "single_best", "difference"), single - exact, atol=1e-12)


def test_approaches_are_counted(whole: list[Block]) -> None:
    single = column(whole, "single_best", "approaches")
    np.testing.assert_array_equal(single, column(whole, "single_best", "funded"))
    several = column(whole, "exact", "approaches")
    assert np.all(several >= column(whole, "exact", "funded"))
    assert np.any(several > single)
    assert list(whole[0].summaries["exact"]) == [*METRICS, *TRIES_METRICS]
    assert np.all(np.isnan(column(whole, "exact", "frontier")))


def test_each_is_what_the_library_says_of_one_bet(whole: list[Block]) -> None:
    made = engine.scenario("moonshot", projects=4)
    bets = made.draw_approaches(count=3)
    answer = engine.bet(normalise_approaches(bets), 50)
    np.testing.assert_allclose(answer.value, column(whole, "exact", "value")[:3], rtol=1e-12)
    alone = answer.beside["single best"].value
    np.testing.assert_allclose(alone, column(whole, "single_best", "value")[:3], rtol=1e-12)
    efforts = np.asarray(answer.solution.effort)
    counts = column(whole, "exact", "approaches")[:3]
    np.testing.assert_array_equal((efforts > 0).sum(axis=-1), counts)


def own(success: float = 0.7) -> ApproachConfig:
    scales, halves = ([1.0, 3.0, 2.0, 5.0], [5.0, 9.0, 7.0, 20.0])
    parameters = {"scale": fixed(scales), "half": fixed(halves), "exponent": fixed(2.5)}
    curves = shipped("many_bets").scenario.curves
    curves["hill"].parameters = parameters
    return ApproachConfig(curves=curves, startup=fixed(2.0), success=fixed(success))


def test_one_approach_is_the_ordinary_scenario() -> None:
    config = shipped("moonshot", *SMALL, BOTH, "run.portfolios=3", "run.block=3")
    config.scenario.approaches = {"only": own()}
    tried = every_block(Simulation(plan(config), records=True))
    known = shipped("many_bets", *SMALL, "solver=[exact]", "run.portfolios=3", "run.block=3")
    known.scenario = ScenarioConfig(name="known", projects=4, budget=50, weight=config.scenario.weight)
    known.scenario.curves, known.scenario.startup = own().curves, own().startup
    known.scenario.success = own().success
    ordinary = every_block(Simulation(plan(known), records=True))
    for solver in ("exact", "single_best"):
        expected = column(ordinary, "exact", "value")
        np.testing.assert_allclose(column(tried, solver, "value"), expected, rtol=1e-12)


def test_an_approach_keeps_its_numbers_whatever_the_others_are() -> None:
    config = shipped("moonshot").scenario
    all_three = build_scenario(config).draw_approaches(portfolio_key(0, 7), np.float64)
    del config.approaches["deep"]
    two = build_scenario(config).draw_approaches(portfolio_key(0, 7), np.float64)
    effort = np.full((8, 3), 30.0)
    expected = np.asarray(all_three.ways.performance(effort))[:, [0, 2]]
    np.testing.assert_allclose(two.ways.performance(effort[:, :2]), expected, rtol=1e-12)


def test_joined_approaches_follow_their_own_curves_and_neutral_parts() -> None:
    """Two families within one approach, and a part that only the other one has."""
    config = shipped("moonshot").scenario
    mixed = shipped("s_shaped").scenario.curves
    config.approaches["boring"].curves = mixed
    scenario = build_scenario(config)
    key = portfolio_key(0, 1)
    drawn = [way.draw(key, np.float64) for way in scenario.ways]
    one = joined(drawn, None)
    effort = np.linspace(1.0, 80.0, 8)
    together = one.returns(np.broadcast_to(effort[:, None], (8, 3)))
    for a, alone in enumerate(drawn):
        np.testing.assert_allclose(together[:, a], alone.returns(effort), rtol=1e-12)
    np.testing.assert_array_equal(one.startup[:, 0], 0.0)


def test_a_sweep_of_a_chance_compiles_once() -> None:
    key = "scenario.approaches.moonshot.success.value"
    assert study().kind == study(f"{key}=0.4").kind


def test_scenarios_without_approaches_are_stored_as_ever() -> None:
    assert "approaches" not in run_manifest(shipped("staged")).config["scenario"]
    assert run_manifest(shipped("moonshot")).block == 128
    assert set(run_manifest(shipped("moonshot")).config["scenario"]["approaches"]) == {
        *("boring", "deep", "moonshot")
    }


def six_more(config: ScenarioConfig) -> None:
    config.approaches |= {f"more {number}": own() for number in range(4)}


BAD: dict[str, Callable[[ScenarioConfig], Any]] = {
    "scenario.approaches has 7 approaches, expected at most 6": six_more,
    "scenario.curves and scenario.approaches are given": lambda c: c.curves.update(own().curves),
    "scenario.uncertainty and scenario.approaches are": lambda c: setattr(c.uncertainty, "draws", 8),
    "scenario.success is given, expected it of each approach": lambda c: setattr(c, "success", fixed(0.5)),
    "scenario.lower is given, expected none beside": lambda c: setattr(c, "lower", fixed(1.0)),
    "scenario.cuts is given, expected none": lambda c: setattr(c, "cuts", [0.5]),
    "scenario.approaches.deep.curves is empty": lambda c: c.approaches["deep"].curves.clear(),
    "scenario.approaches.deep.success can draw 1.5": lambda c: setattr(
        c.approaches["deep"], "success", PriorConfig("fixed", value=1.5)
    ),
}


@pytest.mark.parametrize("message", BAD)
def test_what_cannot_be_is_one_line_that_names_the_key(message: str) -> None:
    refused("moonshot", BAD[message], message)


def test_methods_are_asked_for_where_they_can_answer() -> None:
    with pytest.raises(ValueError, match="mean_cvar is of bets, expected a scenario with an uncertainty"):
        study(solvers="solver=[mean_cvar]")
    for gives in ("portfolio", "bet"):
        with pytest.raises(ValueError, match="single_best is of several approaches a project, expected a"):
            check_method("single_best", {}, gives)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"unknown solver 'best', expected one of greedy.*, single_best$"):
        check_method("best", {}, "approaches")


def test_portfolios_and_approaches_are_asked_for_by_name() -> None:
    with pytest.raises(ValueError, match="projects of scenario moonshot have approaches, expected draw_appr"):
        engine.scenario("moonshot").draw()
    with pytest.raises(ValueError, match="projects of scenario staged have no approaches, expected draw"):
        engine.scenario("staged").draw_approaches()


def test_budgets_beyond_the_tables_of_approaches_are_refused() -> None:
    with pytest.raises(ValueError, match=r"budget 1e\+06 lets a project take 1e\+06 units, and a table"):
        study("budget=1e6")


def test_draws_are_of_float64_and_of_float32() -> None:
    scenario = build_scenario(shipped("moonshot").scenario)
    for dtype in (np.float32, np.float64):
        bet = jax.eval_shape(lambda kind=dtype: scenario.draw_approaches(portfolio_key(0, 0), kind))
        assert bet.ways.dtype == dtype
        assert bet.ways.shape == (8, 3)
