"""A scenario drawn and simulated from Python is the one of the command line."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import engine
from engine import NamedScenario, Simulated
from engine.model.keys import portfolio_key
from engine.simulation import blocks

COUNT, BUDGET = 48, 20.0


@pytest.fixture(scope="module")
def nascent() -> NamedScenario:
    return engine.scenario("nascent", weight={"dist": "lognormal", "median": 1.0, "sigma": 0.7})


@pytest.fixture(scope="module")
def simulated(nascent: NamedScenario) -> Simulated:
    return engine.simulate(nascent, budget=BUDGET, portfolios=COUNT, seed=3)


def test_portfolios_depend_on_seed_and_number_alone(nascent: NamedScenario) -> None:
    many, few = nascent.draw(seed=3, count=COUNT), nascent.draw(seed=3, count=5)
    assert many.shape == (COUNT, nascent.projects)
    assert many.dtype == np.float64
    np.testing.assert_array_equal(np.asarray(many.weight)[:5], few.weight)
    assert not np.array_equal(nascent.draw(seed=4, count=5).weight, few.weight)
    # The logarithm has the standard deviation that was asked for: 144 draws, give or take 5 errors of it.
    assert np.std(np.log(many.weight)) == pytest.approx(0.7, abs=5 * 0.7 / np.sqrt(2 * 144))


def test_a_simulation_is_a_batch_allocated(nascent: NamedScenario, simulated: Simulated) -> None:
    drawn = nascent.draw(seed=3, count=COUNT)
    for solver in ("greedy", "exact"):
        found = engine.allocate(drawn, BUDGET, solver)
        assert simulated.mean(solver) == pytest.approx(float(np.mean(found.value)), rel=1e-12)
        assert simulated.mean(solver, "proved") == pytest.approx(float(np.mean(found.proved)))
    assert simulated.unsolved == {"greedy": 0, "exact": 0}


def test_blocks_are_merged(
    nascent: NamedScenario, simulated: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "CPU_BLOCK", 20)
    again = engine.simulate(nascent, budget=BUDGET, portfolios=COUNT, seed=3)
    assert again.summaries["exact"]["value"].count == COUNT
    for one, other in zip(again.rows(), simulated.rows(), strict=True):
        assert (one["solver"], one["metric"], one["count"]) == (
            other["solver"],
            other["metric"],
            other["count"],
        )
        np.testing.assert_allclose(one["mean"], other["mean"], rtol=1e-12, atol=1e-14)


def test_it_prints_a_line_a_solver_and_makes_a_frame(simulated: Simulated) -> None:
    first, *rest = str(simulated).splitlines()
    assert first == "48 portfolios of nascent, budget 20"
    assert [line.split(":")[0] for line in rest] == ["greedy", "exact"]
    assert rest[1].endswith("mean gap 0.00 %")
    frame = simulated.to_pandas().set_index(["solver", "metric"])
    assert frame.loc[("exact", "value"), "mean"] == simulated.mean("exact")
    assert str(simulated.scenario).startswith("nascent: ")


WRONG = {
    "unknown scenario 'stagd'": lambda: engine.scenario("stagd"),
    "scenario staged: Key 'project' not in": lambda: engine.scenario("staged", project=3),
    "scenario.projects is 0": lambda: engine.scenario("staged", projects=0),
    "count is 0, expected a whole number": lambda: engine.scenario("nascent").draw(count=0),
    "seed is -1, expected a whole number": lambda: engine.scenario("nascent").draw(seed=-1),
    "portfolios is 1.5, expected": lambda: engine.simulate("nascent", portfolios=1.5),  # type: ignore[arg-type]
    "budget is -1, expected": lambda: engine.simulate("nascent", budget=-1.0),
    "unknown solver 'gredy'": lambda: engine.simulate("nascent", solvers=["gredy"]),
    "unknown option 'speed' of solver": lambda: engine.simulate("nascent", solvers={"greedy": {"speed": 1}}),
    "solvers is empty": lambda: engine.simulate("nascent", solvers=[]),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_cannot_be_is_one_line(message: str) -> None:
    with pytest.raises(ValueError, match=r".") as error:
        WRONG[message]()
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_a_metric_that_there_is_not_is_named(simulated: Simulated) -> None:
    with pytest.raises(ValueError, match=r"^there is no 'values', expected one of value, bound"):
        simulated.mean("exact", "values")


def test_huge_budgets_are_answered_by_the_solvers_that_can() -> None:
    made = engine.scenario("s_shaped")
    found = engine.simulate(made, budget=1e8, solvers=["exact", "continuous"], portfolios=4)
    with jax.enable_x64(True):
        drawn = [made.prior.draw(portfolio_key(0, j), np.float64) for j in range(4)]
        batch = jax.tree.map(lambda *a: np.stack([np.asarray(each) for each in a]), *drawn)
    alone = engine.allocate(batch, 1e8)
    assert np.all(alone.proved)
    # The mean of four float64 numbers, summed in two orders.
    np.testing.assert_allclose(found.mean("exact", "value"), np.mean(alone.value), rtol=1e-12)
    with pytest.raises(ValueError, match=r"greedy holds at most .* choose solver=exact or continuous"):
        engine.simulate(made, budget=1e8, solvers=["exact", "greedy"], portfolios=4)
