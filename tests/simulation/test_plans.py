"""Plans of scenarios: reproducible, in pairs, measured, and refused in one line where they cannot be."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import engine
from engine.model.keys import portfolio_key
from engine.planning.methods import METRICS, drops, plan_metrics
from engine.planning.policies import POLICIES
from engine.simulation.blocks import Simulation
from engine.simulation.methods import check_method
from engine.simulation.point import Point, chosen_lattice

PLANNING = {"periods": 4, "lots": 2, "stall": 0.2, "resume": 0.5, "progress": 0.1, "particles": 16}
SOLVERS = ("equal_split", "static", "rolling", "clairvoyant")


def bets(**changes: Any) -> Any:
    return engine.scenario("many_bets", planning=PLANNING | changes, projects=5)


def point(scenario: Any, block: int, portfolios: int = 10, solvers: Any = SOLVERS) -> Point:
    options: dict[str, dict[str, Any]] = {name: {} for name in solvers}
    lattice = chosen_lattice(scenario.prior, 40.0, options, block)
    kind = np.dtype(np.float64)
    return Point(scenario.prior, 40.0, options, lattice, 3, portfolios, block, kind, "clairvoyant")


def records(point: Point) -> dict[str, dict[str, np.ndarray]]:
    with jax.enable_x64(True):
        blocks = Simulation(point, records=True).in_turn([(point, index) for index in range(point.blocks)])
        found = [block.records for block in blocks]
    return {
        solver: {name: np.concatenate([one[solver][name] for one in found]) for name in found[0][solver]}
        for solver in point.solvers
    }


def test_what_comes_out_does_not_depend_on_the_block() -> None:
    small, whole = records(point(bets(), 4)), records(point(bets(), 16))
    for solver, columns in small.items():
        for name, values in columns.items():
            np.testing.assert_allclose(values, whole[solver][name], rtol=1e-9, err_msg=f"{solver} {name}")


def test_metrics_are_differences_in_pairs() -> None:
    found = records(point(bets(), 16))
    value = {solver: columns["value"] for solver, columns in found.items()}
    for solver, columns in found.items():
        np.testing.assert_allclose(columns["regret"], value["clairvoyant"] - value[solver], atol=1e-12)
        np.testing.assert_allclose(columns["regret_4"], columns["regret"], atol=0)
        np.testing.assert_allclose(columns["over_static"], value[solver] - value["static"], atol=1e-12)
        np.testing.assert_allclose(columns["over_equal"], value[solver] - value["equal_split"], atol=1e-12)
        np.testing.assert_allclose(columns["difference"], -columns["regret"], atol=1e-12)
        assert np.all(columns["spent"] <= 40.0 + 1e-9)
        assert np.all(columns["over_richer"] <= columns["over_static"] + 5.0)
        assert set(plan_metrics(4)) <= set(columns)
    assert np.any(found["static"]["over_richer"] < 0)


def test_a_richer_static_plan_returns_what_one_of_that_budget_does() -> None:
    scenario = bets(more=0.25)
    here = records(point(scenario, 16, solvers=("static",)))["static"]
    richer = records(dataclasses.replace(point(scenario, 16, solvers=("static",)), budget=50.0))["static"]
    np.testing.assert_allclose(here["over_richer"], here["value"] - richer["value"], atol=1e-12)


def test_worlds_of_a_portfolio_make_its_spread() -> None:
    many = records(point(bets(worlds=12), 16, solvers=("static",)))["static"]
    assert np.all(many["deviation"] > 0)
    assert np.all(many["cvar"] < many["value"])
    one = records(point(bets(worlds=1), 16, solvers=("static",)))["static"]
    assert np.all(one["deviation"] == 0)
    np.testing.assert_allclose(one["cvar"], one["value"])


def test_discount_and_deadlines_cost_returns() -> None:
    deadline = {"dist": "uniform", "low": 0.6, "high": 4.4}
    plain, less, short = (
        records(point(bets(**changes), 16, solvers=("static",)))["static"]["value"]
        for changes in ({}, {"discount": 0.7}, {"deadline": deadline, "most": 4})
    )
    assert less.mean() < plain.mean()
    assert short.mean() < plain.mean()


def test_who_knows_all_has_nothing_to_regret() -> None:
    calm = PLANNING | {"stall": 0.0, "resume": 1.0, "progress": 0.0, "noise": 1e-3}
    scenario = engine.scenario("s_shaped", planning=calm, projects=4)
    assert scenario.prior.uncertainty is None
    for name, columns in records(point(scenario, 8, 8, ("static", "rolling", "index_kill"))).items():
        np.testing.assert_allclose(columns["regret"], 0.0, atol=1e-9, err_msg=name)


def test_beliefs_and_truths_are_draws_of_one_kind() -> None:
    scenario = bets(particles=200, worlds=200)
    with jax.enable_x64(True):
        drawn = scenario.prior.draw_plans(portfolio_key(5, 0), 40.0)
    worlds = drawn.bet.worlds
    believed, true = (np.log(np.asarray(one.curves.scale)) for one in (worlds.draws, worlds.truths))
    assert believed.shape == true.shape == (200, 5)
    assert not np.any(np.isin(true, believed))
    np.testing.assert_allclose(believed.mean(0), true.mean(0), atol=5 * 0.5 / 200**0.5 * 2**0.5)


def test_what_is_dropped() -> None:
    lots = jnp.array([[2, 1, 0, 0], [1, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 3]])
    found = {name: float(number) for name, number in drops(lots).items()}
    # Of eight lots three went to the first and one to the second project, which had its last in period 1.
    assert found == {"dropped": 2.0, "sunk": pytest.approx(4 / 9), "first_drop": 1.0}
    assert np.isnan(float(drops(lots[:, 3:])["first_drop"]))


def test_simulate_takes_policies() -> None:
    found = engine.simulate(bets(), solvers=("static", "rolling"), portfolios=8)
    assert found.mean("static", "over_static") == 0.0
    assert "mean regret" in repr(found)
    assert set(METRICS) <= {row["metric"] for row in found.rows()}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stall": 1.5}, "scenario.planning.stall is 1.5, expected a chance from 0 to 1"),
        ({"periods": -1}, "scenario.planning.periods is -1, expected a whole number from 1 to 1,000"),
        ({"noise": float("nan")}, "scenario.planning.noise is nan, expected a number from 1e-6 to 10"),
        ({"discount": 0.0}, "scenario.planning.discount is 0.0, expected a number from 1e-6 to 1, or none"),
        ({"most": 0}, "scenario.planning.most is 0, expected a whole number from 1 to 1,000, or none"),
        ({"particles": 0}, "scenario.planning.particles is 0, expected a whole number from 1 to 100,000"),
        ({"worlds": 0}, "scenario.planning.worlds is 0, expected a whole number from 1 to 10,000"),
        ({"more": -1.0}, "scenario.planning.more is -1.0, expected a number above -1"),
    ],
)
def test_what_cannot_be_is_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="scenario") as error:
        bets(**changes)
    assert str(error.value) == message


def test_plans_have_no_bounds_and_no_platforms() -> None:
    upper = {"dist": "fixed", "value": 5.0}
    with pytest.raises(ValueError, match=r"scenario.upper and scenario.planning are given, expected one of"):
        engine.scenario("many_bets", planning=PLANNING, upper=upper)
    with pytest.raises(ValueError, match=r"scenario.spillover and scenario.planning are given"):
        engine.scenario("platform", planning=PLANNING)


def test_policies_need_a_planning_and_plans_need_policies() -> None:
    for name in POLICIES:
        assert check_method(name, {}, "plan") == {}
        with pytest.raises(ValueError, match=f"solver {name} is a policy of plans, expected planning=stalls"):
            check_method(name, {})
    with pytest.raises(
        ValueError, match="solver exact allocates once, expected a policy of plans over period"
    ):
        check_method("exact", {}, "plan")
    with pytest.raises(ValueError, match=r"'rollin': did you mean rolling\? expected one of equal_split"):
        check_method("rollin", {}, "plan")
