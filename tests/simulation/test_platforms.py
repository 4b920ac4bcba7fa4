"""Platforms: projects of a scenario whose effort lifts others, and who sees that."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

import engine
from engine.allocation.place import bet
from engine.bets.lifted import CLIMBS
from engine.bets.lifted import METRICS as LIFTED_METRICS
from engine.bets.spillover import Coupled
from engine.model.keys import portfolio_key
from engine.simulation.blocks import Block, Simulation, default_block
from engine.simulation.config import ScenarioConfig, UncertaintyConfig
from engine.simulation.methods import check_method, reference
from engine.simulation.metrics import METRICS
from engine.simulation.point import Point
from engine.simulation.scenarios import build_scenario
from engine.study.plan import plan, run_manifest
from tests.simulation.blocks import every_block
from tests.simulation.test_scenarios import fixed, refused, shipped

COUNT, BUDGET, PROJECTS = 8, 8, 3
SMALL = (
    *(f"budget={BUDGET}", f"scenario.projects={PROJECTS}", f"run.portfolios={COUNT}"),
    *("curves@scenario.curves=[exponential]", "scenario.spillover.chance=0.8"),
)
ALL = ("coupled", "coupled_greedy", "enumeration", "exact")
GUARANTEE = 1 - 1 / np.e


def study(*overrides: str, solvers: tuple[str, ...] = ALL) -> Point:
    return plan(shipped("platform", *SMALL, f"solver=[{','.join(solvers)}]", *overrides))


def column(blocks: list[Block], solver: str, name: str) -> np.ndarray:
    return np.concatenate([block.records[solver][name] for block in blocks])


def drawn(count: int = COUNT, **changes: Any) -> Coupled:
    """The portfolios of the small study."""
    spillover = {"chance": 0.8} | changes
    config = shipped("platform", *SMALL).scenario
    for name, value in spillover.items():
        setattr(config.spillover, name, value)
    scenario = build_scenario(config)
    keys = jax.vmap(lambda j: portfolio_key(0, j))(np.arange(count, dtype=np.uint32))
    return jax.tree.map(
        np.asarray, jax.jit(jax.vmap(lambda key: scenario.draw_coupled(key, np.float64)))(keys)
    )


@pytest.fixture(scope="module")
def compiled() -> Simulation:
    return Simulation(study("run.block=8"), records=True)


@pytest.fixture(scope="module")
def whole(compiled: Simulation) -> list[Block]:
    return every_block(compiled)


def brute_force(given: Coupled, effort: np.ndarray) -> np.ndarray:
    """What plans [plans, projects] return for each portfolio [portfolios, plans], by the curves' formula."""
    curves, weight = given.portfolio.curves, given.portfolio.weight
    received = np.einsum("pij,kj->pki", given.spillover + np.eye(PROJECTS), effort)
    risen = 1 - np.exp(-curves.rate[:, None] * received)  # type: ignore[attr-defined]
    return (weight[:, None] * curves.scale[:, None] * risen).sum(-1)  # type: ignore[attr-defined, index]


def test_enumeration_is_the_best_of_all_plans_by_the_formula(whole: list[Block]) -> None:
    every = itertools.product(range(BUDGET + 1), repeat=PROJECTS)
    plans = np.array([one for one in every if sum(one) <= BUDGET], float)
    best = brute_force(drawn(), plans).max(axis=1)
    np.testing.assert_allclose(column(whole, "enumeration", "value"), best, rtol=1e-12)
    assert np.all(column(whole, "enumeration", "proved") == 1)
    for solver in ALL:
        value, bound = (column(whole, solver, name) for name in ("value", "bound"))
        assert np.all(value <= best + 1e-12)
        assert np.all(bound >= best - 1e-12)
        np.testing.assert_allclose(column(whole, solver, "difference"), value - best, atol=1e-12)
    # Of three concave projects the search finds the best plan; the ordinary optimum does not.
    np.testing.assert_allclose(column(whole, "coupled", "value"), best, rtol=1e-9)
    assert np.mean(column(whole, "exact", "loss")) > 0.01


def test_who_ignores_the_spillover_is_valued_with_it(whole: list[Block]) -> None:
    given, effort = drawn(), column(whole, "exact", "effort")
    each = np.array([brute_force(given, x[None])[p, 0] for p, x in enumerate(effort)])
    np.testing.assert_allclose(column(whole, "exact", "value"), each, rtol=1e-12)
    alone = engine.allocate(given.portfolio, BUDGET)
    np.testing.assert_array_equal(effort, alone.effort)


def test_greedy_gains_what_is_promised_where_returns_diminish(whole: list[Block]) -> None:
    for solver in ALL:
        assert np.all(column(whole, solver, "submodular") == 1)
        gained, loss = (column(whole, solver, name) for name in ("gained", "loss"))
        np.testing.assert_allclose(gained, 1 - loss, rtol=1e-9)  # nothing is returned at no effort
    assert np.min(column(whole, "coupled_greedy", "gained")) >= GUARANTEE
    assert list(whole[0].summaries["exact"]) == [*METRICS, *LIFTED_METRICS]


def test_platforms_are_counted_by_their_spend(whole: list[Block]) -> None:
    for solver in ALL:
        effort = column(whole, solver, "effort")
        share = effort[:, 0] / effort.sum(axis=1)
        np.testing.assert_allclose(column(whole, solver, "platform_share"), share, rtol=1e-12)


def test_each_is_what_the_library_says_of_one_portfolio(whole: list[Block]) -> None:
    given = drawn(3)
    answer = bet(given, BUDGET, solver="relaxation")
    np.testing.assert_allclose(answer.value, column(whole, "coupled", "value")[:3], rtol=1e-12)
    np.testing.assert_array_equal(answer.solution.effort, column(whole, "coupled", "effort")[:3])
    np.testing.assert_allclose(answer.bound, column(whole, "coupled", "bound")[:3], rtol=1e-9)
    for name, solver in {"greedy": "coupled_greedy", "without spill-over": "exact"}.items():
        expected = column(whole, solver, "value")[:3]
        np.testing.assert_allclose(answer.beside[name].value, expected, rtol=1e-12)


def test_another_block_size_gives_the_same_portfolios_and_plans(whole: list[Block]) -> None:
    again = every_block(Simulation(study("run.block=3", solvers=("coupled_greedy",)), records=True))
    for name in ("value", "bound", "effort", "platform_share"):
        # Sums in one order; only vector width may round them differently.
        expected = column(whole, "coupled_greedy", name)
        np.testing.assert_allclose(column(again, "coupled_greedy", name), expected, rtol=1e-12, atol=1e-12)


def test_without_spillover_all_is_the_ordinary_scenario(compiled: Simulation) -> None:
    """The chance is a traced number: no code is compiled for it."""
    nothing = study("run.block=8", "scenario.spillover.chance=0")
    assert nothing.kind == compiled.point.kind
    (block,) = compiled.in_turn([(nothing, 0)])
    expected = engine.allocate(drawn().portfolio, BUDGET).value
    for solver in ("coupled", "exact", "enumeration"):
        np.testing.assert_allclose(block.records[solver]["value"], expected, rtol=1e-12)
        assert np.all(block.records[solver]["loss"] <= 1e-12)


def test_the_matrix_is_sparse_and_each_number_has_a_key_of_its_own() -> None:
    config = shipped("platform").scenario
    one = build_scenario(config).draw_coupled(portfolio_key(0, 5), np.float64)
    assert one.spillover.shape == (8, 8)
    assert np.all(one.spillover[:, 1:] == 0)
    assert one.spillover[0, 0] == 0
    config.projects, config.spillover.platforms = 10, 2
    more = build_scenario(config).draw_coupled(portfolio_key(0, 5), np.float64)
    np.testing.assert_array_equal(more.spillover[2:8, 0], one.spillover[2:, 0])
    np.testing.assert_array_equal(more.spillover[:2], 0.0)
    few, many = drawn(200, chance=0.3), drawn(200, chance=0.9)
    both = (few.spillover > 0) & (many.spillover > 0)
    np.testing.assert_array_equal(few.spillover[both], many.spillover[both])
    assert np.all(many.spillover[few.spillover > 0] > 0)
    lifted = (many.spillover[:, 1:, 0] > 0).mean()
    # Five standard errors of 400 chances of 0.9.
    assert abs(lifted - 0.9) < 5 * np.sqrt(0.09 / 400)
    poor = drawn(200, own=0.0)
    np.testing.assert_array_equal(poor.portfolio.weight[:, 0], 0.0)  # type: ignore[index]
    np.testing.assert_array_equal(poor.portfolio.weight[:, 1:], few.portfolio.weight[:, 1:])  # type: ignore[index]


def test_python_draws_and_simulates_platforms() -> None:
    made = engine.scenario("platform")
    given = made.draw_coupled(count=2)
    alone = build_scenario(shipped("platform").scenario).draw_coupled(portfolio_key(0, 1), np.float64)
    np.testing.assert_allclose(given.spillover[1], alone.spillover, rtol=1e-12)
    small = engine.scenario("platform", projects=PROJECTS)
    found = engine.simulate(small, budget=BUDGET, solvers=["coupled_greedy"], portfolios=4)
    assert 0 <= found.mean("coupled_greedy", "platform_share") <= 1
    assert found.mean("coupled_greedy", "submodular") == 0  # S-shaped
    with pytest.raises(ValueError, match="effort of scenario platform spills over, expected draw_coupled"):
        made.draw()
    with pytest.raises(ValueError, match="effort of scenario staged does not spill over, expected draw"):
        engine.scenario("staged").draw_coupled()


def test_studies_are_measured_by_the_best_that_they_have() -> None:
    assert study().reference == "enumeration"
    assert study(solvers=("exact", "coupled")).reference == "coupled"
    assert study(solvers=("exact", "coupled")).by(["exact"]).reference == "coupled"
    assert reference(["greedy"]) == "exact"


def test_scenarios_without_a_spillover_are_stored_as_ever() -> None:
    assert "spillover" not in run_manifest(shipped("staged")).config["scenario"]
    assert run_manifest(shipped("platform")).config["scenario"]["spillover"]["platforms"] == 1
    assert run_manifest(shipped("platform")).block == default_block(10_000, CLIMBS) == 64


BAD: dict[str, Callable[[ScenarioConfig], Any]] = {
    "scenario.spillover.platforms is 8, expected a whole number from 1 to 7": lambda c: setattr(
        c.spillover, "platforms", 8
    ),
    "scenario.spillover.platforms is 0, expected": lambda c: setattr(c.spillover, "platforms", 0),
    "scenario.spillover.chance is 1.5, expected a probability": lambda c: setattr(c.spillover, "chance", 1.5),
    "scenario.spillover.chance is nan, expected finite": lambda c: setattr(c.spillover, "chance", np.nan),
    "scenario.spillover.own is -1.0, expected a number of at least 0": lambda c: setattr(
        c.spillover, "own", -1.0
    ),
    "scenario.spillover.share is missing": lambda c: setattr(c.spillover.share, "dist", "absent"),
    "scenario.spillover.share can draw -1, expected numbers of at least 0": lambda c: setattr(
        c.spillover, "share", fixed(-1.0)
    ),
    "scenario.uncertainty and scenario.spillover are given": lambda c: setattr(
        c, "uncertainty", UncertaintyConfig(draws=4)
    ),
}


@pytest.mark.parametrize("message", BAD)
def test_what_cannot_be_is_one_line_that_names_the_key(message: str) -> None:
    refused("platform", BAD[message], message)


def test_approaches_do_not_spill_over() -> None:
    config = shipped("moonshot").scenario
    config.spillover = shipped("platform").scenario.spillover
    with pytest.raises(ValueError, match=r"scenario\.spillover and scenario\.approaches are given"):
        build_scenario(config)


def test_methods_are_asked_for_where_they_can_answer() -> None:
    with pytest.raises(ValueError, match="coupled is of effort that spills over, expected a scenario with a"):
        check_method("coupled", {}, "bet")
    with pytest.raises(ValueError, match="single_best is of several approaches a project, expected a"):
        study(solvers=("single_best",))
    with pytest.raises(ValueError, match=r"unknown solver 'best'.*, coupled, coupled_greedy, enumeration$"):
        check_method("best", {}, "coupled")
    with pytest.raises(ValueError, match="more than its limit of 2,000,000"):
        plan(shipped("platform", "solver=[enumeration]"))
