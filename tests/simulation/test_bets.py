"""Bets: draws around portfolios, what is made of them, and what knowing more of them would be worth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

import engine
from engine.bets.methods import METRICS as BET_METRICS
from engine.model.keys import portfolio_key
from engine.simulation.blocks import Block, Simulation, default_block
from engine.simulation.config import ScenarioConfig, UncertaintyConfig
from engine.simulation.methods import check_method
from engine.simulation.metrics import METRICS
from engine.simulation.point import Point, draw
from engine.study.plan import plan, run_manifest
from tests.simulation.blocks import every_block
from tests.simulation.test_scenarios import refused, shipped

COUNT, DRAWS, UNITS = 12, 8, 30
SMALL = ("budget=30", "scenario.projects=4", f"scenario.uncertainty.draws={DRAWS}", f"run.portfolios={COUNT}")
WHOLE = "solver=[exact,mean_parameters,wait_and_see]"


def study(*overrides: str) -> Point:
    return plan(shipped("many_bets", *SMALL, *overrides))


def column(blocks: list[Block], solver: str, name: str) -> np.ndarray:
    return np.concatenate([block.records[solver][name] for block in blocks])


def solved(*overrides: str) -> list[Block]:
    return every_block(Simulation(study(*overrides), records=True))


@pytest.fixture(scope="module")
def whole() -> list[Block]:
    return solved(WHOLE, "run.block=12")


def drawn(*overrides: str, count: int = 3) -> Any:
    """Portfolios with the draws around them, arrays [count, ...]."""
    source = study(WHOLE, *overrides).source
    keys = jax.vmap(lambda j: portfolio_key(0, j))(np.arange(count, dtype=np.uint32))
    return jax.jit(jax.vmap(lambda key: draw(source, key, UNITS, 1.0, np.float64)))(keys)


def test_the_portfolio_is_the_same_with_and_without_its_draws() -> None:
    source = study(WHOLE).source
    bets = drawn()
    for j in range(3):
        alone = source.draw(portfolio_key(0, j), np.float64)
        here = jax.tree.map(lambda a, j=j: a[j], bets.portfolio)
        jax.tree.map(np.testing.assert_array_equal, here, alone)
    assert bets.bet.draws.shape == (3, DRAWS, 4)
    assert bets.reduced.curves.values.shape == (3, 4, UNITS + 1)


def test_the_mean_returns_are_those_of_the_draws() -> None:
    bets = drawn()
    effort = np.full((4,), 17.0)
    values = np.asarray(jax.vmap(lambda bet: bet.values(effort))(bets.bet))
    mean = jax.vmap(lambda portfolio: portfolio.value(effort))(bets.reduced)
    np.testing.assert_allclose(mean, values.mean(-1), rtol=1e-12)


def test_spreads_share_their_random_numbers() -> None:
    """log f = σz − σ²/2: the same z stands behind both."""
    narrow, wide = (drawn(f"scenario.uncertainty.spread.scale={sigma}") for sigma in (0.5, 1.0))
    z = [
        (np.log(one.bet.draws.curves.scale / one.portfolio.curves.scale[:, None]) + sigma**2 / 2) / sigma
        for one, sigma in ((narrow, 0.5), (wide, 1.0))
    ]
    np.testing.assert_allclose(z[0], z[1], atol=1e-12)
    np.testing.assert_array_equal(narrow.bet.draws.curves.half, wide.bet.draws.curves.half)
    np.testing.assert_array_equal(narrow.bet.draws.success, wide.bet.draws.success)
    assert study(WHOLE).kind == study(WHOLE, "scenario.uncertainty.spread.scale=1").kind


def test_more_draws_begin_with_those_of_few() -> None:
    few, many = drawn(), drawn("scenario.uncertainty.draws=20")
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, b[:, :DRAWS]), few.bet.draws, many.bet.draws)


def test_noise_has_mean_one_and_outcomes_their_probability() -> None:
    bets = drawn("scenario.uncertainty.draws=4000")
    scale = np.asarray(bets.bet.draws.curves.scale / bets.portfolio.curves.scale[:, None])
    # 48,000 numbers of standard deviation 0.53 and 0.49: five standard errors are 0.012 and 0.011.
    assert abs(scale.mean() - 1.0) < 0.013
    assert abs(np.asarray(bets.bet.draws.success).mean() - 0.4) < 0.012
    assert set(np.unique(bets.bet.draws.success)) == {0.0, 1.0}


def test_another_block_size_gives_the_same_bets(whole: list[Block]) -> None:
    again = solved(WHOLE, "run.block=5")
    for solver in ("exact", "mean_parameters", "wait_and_see"):
        for name in ("value", "bound", "difference", "deviation", "cvar", "effort"):
            expected, found = (column(blocks, solver, name) for blocks in (whole, again))
            # Sums in one order; only vector width may round them differently.
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_what_knowledge_is_worth_has_its_sign_everywhere(whole: list[Block]) -> None:
    best, exact, simple = (
        column(whole, solver, "value") for solver in ("wait_and_see", "exact", "mean_parameters")
    )
    assert np.all(best >= exact - 1e-12)
    assert np.all(exact >= simple - 1e-12)
    assert np.mean(best - exact) > 0.1
    assert np.mean(exact - simple) > 1e-4
    assert np.all(column(whole, "mean_parameters", "bound") >= exact - 1e-12)
    assert np.all(column(whole, "wait_and_see", "proved") == 1)
    for name in ("effort", "funded", "deviation", "optimal", "loss"):
        assert np.all(np.isnan(column(whole, "wait_and_see", name)))


def test_each_is_what_the_library_says_of_one_bet(whole: list[Block]) -> None:
    from engine.allocation.place import bet

    bets = jax.tree.map(np.asarray, drawn().bet)
    for j in range(3):
        answer = bet(jax.tree.map(lambda a, j=j: a[j], bets), 30)
        here = {n: column(whole, "exact", n)[j] for n in ("value", "deviation")}
        assert answer.value == pytest.approx(here["value"], rel=1e-12)
        assert answer.figures["standard_deviation"] == pytest.approx(here["deviation"], rel=1e-9)
        for words, name in (("wait and see", "wait_and_see"), ("mean parameters", "mean_parameters")):
            assert answer.beside[words].value == pytest.approx(column(whole, name, "value")[j], rel=1e-9)


def test_without_spread_and_outcomes_it_is_the_ordinary_scenario() -> None:
    sure = ("scenario.uncertainty.spread={scale: 0.0, half: 0.0}", "scenario.uncertainty.outcomes=false")
    bets = solved(WHOLE, "run.block=12", *sure)
    known = every_block(Simulation(_known(), records=True))
    for solver in ("exact", "mean_parameters", "wait_and_see"):
        # Means of equal numbers.
        expected = column(known, "exact", "value")
        np.testing.assert_allclose(column(bets, solver, "value"), expected, rtol=1e-12)
    np.testing.assert_allclose(column(bets, "exact", "deviation"), 0.0, atol=1e-9)
    np.testing.assert_allclose(column(bets, "exact", "cvar"), column(known, "exact", "value"), rtol=1e-12)


def _known() -> Point:
    config = shipped("many_bets", *SMALL, "solver=[exact]", "run.block=12")
    config.scenario.uncertainty = UncertaintyConfig()
    return plan(config)


def test_the_worst_draws_are_weighed_with_a_bound(whole: list[Block]) -> None:
    averse = solved("solver=[mean_cvar]", "run.portfolios=4", "run.block=4")
    objective, bound = (column(averse, "mean_cvar", name) for name in ("objective", "objective_bound"))
    mean, tail = (column(averse, "mean_cvar", name) for name in ("value", "cvar"))
    np.testing.assert_allclose(objective, 0.5 * mean + 0.5 * tail, rtol=1e-12)
    assert np.all(objective <= bound)
    assert np.all(mean <= column(averse, "mean_cvar", "bound"))
    # The mean's optimum is one more effort that the bound is of.
    plain = 0.5 * column(whole, "exact", "value") + 0.5 * column(whole, "exact", "cvar")
    assert np.all(bound >= plain[:4])
    assert np.mean(objective) > np.mean(plain[:4])
    assert np.all(column(averse, "mean_cvar", "spent") <= 30 + 1e-9)


def test_metrics_of_bets_are_theirs_alone(whole: list[Block]) -> None:
    assert list(whole[0].summaries["exact"]) == [*METRICS, *BET_METRICS]
    assert list(study(WHOLE).metrics) == [*METRICS, *BET_METRICS]
    assert list(_known().metrics) == list(METRICS)


def test_a_scenario_without_uncertainty_is_stored_as_ever() -> None:
    config = run_manifest(shipped("staged")).config
    assert "uncertainty" not in config["scenario"]
    assert run_manifest(shipped("many_bets")).config["scenario"]["uncertainty"]["draws"] == 64


def test_blocks_of_bets_are_smaller() -> None:
    assert run_manifest(shipped("many_bets")).block == default_block(10_000, 64) == 32
    assert run_manifest(shipped("staged")).block == default_block(10_000) == 1024


def test_python_simulates_bets() -> None:
    made = engine.scenario("many_bets", projects=4, uncertainty={"draws": DRAWS})
    found = engine.simulate(made, budget=30, solvers=["density", "exact"], portfolios=COUNT)
    assert 0 < found.mean("exact", "cvar") + 1e-9 < found.mean("exact")
    assert found.mean("density") <= found.mean("exact") + 1e-12


BAD: dict[str, Callable[[ScenarioConfig], Any]] = {
    "draws is 1, expected a whole number from 2": lambda c: setattr(c.uncertainty, "draws", 1),
    "draws is 0, expected": lambda c: setattr(c.uncertainty, "draws", 0),
    "spread.pace cannot be spread, expected one of scale, half, exponent, startup": lambda c: (
        c.uncertainty.spread.update(pace=1.0)
    ),
    "spread.cost cannot be spread": lambda c: c.uncertainty.spread.update(cost=1.0),
    "spread.scale is -1, expected a number of at least 0": lambda c: c.uncertainty.spread.update(scale=-1),
    "spread.half is nan": lambda c: c.uncertainty.spread.update(half=float("nan")),
    "outcomes is true, expected a scenario.success": lambda c: setattr(c.success, "dist", "absent"),
}


@pytest.mark.parametrize("message", BAD)
def test_what_cannot_be_is_one_line_that_names_the_key(message: str) -> None:
    refused("many_bets", BAD[message], f"scenario.uncertainty.{message}")


WRONG = {
    "solver wait_and_see is of bets, expected a scenario with": ("wait_and_see", {}, "portfolio"),
    "unknown solver 'wait'": ("wait", {}, "bet"),
    "solver.mean_cvar is 3, expected its options": ("mean_cvar", 3, "bet"),
    "unknown option 'speed' of solver mean_cvar": ("mean_cvar", {"speed": 1.0}, "bet"),
    "option tail of objective mean_cvar is 2.0": ("mean_cvar", {"tail": 2.0}, "bet"),
    "option target of solver chance is missing": ("chance", {}, "bet"),
}


@pytest.mark.parametrize("message", WRONG)
def test_methods_are_asked_for_where_they_can_answer(message: str) -> None:
    name, options, gives = WRONG[message]
    with pytest.raises(ValueError, match=r".") as error:
        check_method(name, options, gives)  # type: ignore[arg-type]
    assert str(error.value).startswith(message)


def test_budgets_beyond_a_table_of_means_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"budget 1e\+08 lets a project take 1e\+08 units, and a table of mean"
    ):
        study("solver=[exact]", "budget=1e8")
