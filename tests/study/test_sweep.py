"""Sweeps: the same answer whoever computes which block in what order, and whatever goes wrong."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

import engine
from engine.allocation.allocate import choose_lattice
from engine.cli.compose import register_schemas
from engine.files.shipped import config_folder
from engine.simulation.blocks import Simulation
from engine.simulation.metrics import METRICS
from engine.simulation.point import Point
from engine.simulation.summaries import Summary, means
from engine.study.manifest import Manifest
from engine.study.plan import plan_sweep, sweep_manifest
from engine.study.results import gather, merged
from engine.study.store import Store
from engine.study.study import open_study
from engine.study.sweep import Sweep
from engine.study.worker import Worker
from tests.simulation.blocks import every_block
from tests.simulation.blocks import merged as merge_blocks

GRID = ("++sweep.grid.budget=[20,30,200]", "++sweep.grid.scenario.skew={linear: [0, 1, 2]}")
SMALL = ("scenario=textbook", "run.portfolios=40", "run.block=16", "run.output=unused")


def composed(*overrides: str) -> DictConfig:
    register_schemas()
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        return compose("sweep", list(overrides))


def manifest_of(*overrides: str) -> Manifest:
    given = (*SMALL, *overrides)
    return sweep_manifest(composed(*given), lambda more: composed(*given, *more), given)


def planned(*overrides: str) -> Sweep:
    return plan_sweep(manifest_of(*overrides))


def open_store(folder: Path, sweep: Sweep) -> Store:
    return Store.open(folder, sweep.manifest)


def run(folder: Path, sweep: Sweep, **options: Any) -> Worker:
    """Go on with a study as `engine sweep` does."""
    store = open_store(folder, sweep)
    one = Worker(plan_sweep(store.manifest, folder), store, **options)
    for _ in one.run():
        pass
    store.close()
    return one


def contents(folder: Path) -> dict[str, bytes]:
    """Every block's file, and the summary."""
    open_study(folder).write_summary()
    files = [*(folder / "blocks").rglob("*.parquet"), folder / "summary.csv", folder / "summary.parquet"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def alone(point: Point) -> dict[str, dict[str, Summary]]:
    """What the blocks of a point come to, merged in order."""
    return merge_blocks(every_block(Simulation(point)))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sweep, Path]:
    folder = tmp_path_factory.mktemp("sweep") / "whole"
    sweep = planned(*GRID)
    done = run(folder, sweep)
    assert (done.tally.blocks, done.tally.portfolios) == (18, 240)
    return sweep, folder


def test_points_of_a_kind_share_their_code(whole: tuple[Sweep, Path]) -> None:
    sweep, _ = whole
    # 20 and 30 units count on one lattice, 200 on another; skew is a traced number.
    assert len(sweep.kinds) == 2
    assert [len(points) for points in sweep.kinds.values()] == [4, 2]


def test_a_point_is_what_its_study_alone_is(whole: tuple[Sweep, Path]) -> None:
    sweep, folder = whole
    rows = list(gather(merged(Store(folder))))
    for point in (0, 3, 5):
        summaries = alone(sweep.tasks[point])
        for row in rows:
            if row["point"] == point:
                summary = summaries[row["solver"]][row["metric"]]
                expected = {**means(summary), "count": int(summary.count)}
                np.testing.assert_equal({name: row[name] for name in expected}, expected)
    assert len(rows) == 6 * 2 * len(METRICS)


def test_the_larger_lattice_of_a_kind_changes_no_answer(whole: tuple[Sweep, Path]) -> None:
    sweep, folder = whole
    own = dataclasses.replace(sweep.tasks[0], lattice=choose_lattice(["cutoff"], 20.0, 5))
    assert own.lattice.states == 20 < sweep.tasks[0].lattice.states == sweep.tasks[2].lattice.states
    summaries = alone(own)
    for row in gather(merged(Store(folder))):
        if row["point"] == 0:
            expected = means(summaries[row["solver"]][row["metric"]])["mean"]
            np.testing.assert_allclose(row["mean"], expected, rtol=1e-11, atol=1e-11)


def test_stopped_and_gone_on_many_times(whole: tuple[Sweep, Path], tmp_path: Path) -> None:
    sweep, folder = whole
    random, store = np.random.default_rng(0), open_store(tmp_path, sweep)
    while len(store.done()) < sweep.blocks:
        steps = Worker(sweep, store).run()
        for _ in range(random.integers(1, 4)):
            next(steps, None)
        steps.close()
    assert contents(tmp_path) == contents(folder)


def test_workers_share_the_work_and_finish_that_of_others(whole: tuple[Sweep, Path], tmp_path: Path) -> None:
    sweep, folder = whole
    store = open_store(tmp_path, sweep)
    first, second = (Worker(sweep, store, index, 2) for index in range(2))
    steps = first.run()
    for _ in range(3):  # and then it dies
        next(steps)
    steps.close()
    begun = set(store.done())
    assert all(number % 2 == 0 for number in begun), "its own share first"
    for _ in second.run():
        pass
    assert second.tally.blocks == sweep.blocks - len(begun)
    assert contents(tmp_path) == contents(folder)


def test_blocks_in_other_hands_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = planned()
    taken = {1}
    monkeypatch.setattr(Store, "claim", lambda _, block: block not in taken)
    done = run(tmp_path, sweep)
    assert list(Store(tmp_path).done()) == [0, 2]
    assert done.tally.blocks == 2


def test_damaged_blocks_are_done_again(whole: tuple[Sweep, Path], tmp_path: Path) -> None:
    sweep, folder = whole
    run(tmp_path, sweep)
    store = open_store(tmp_path, sweep)
    path = store.done()[7]
    path.write_bytes(path.read_bytes()[:-9])
    assert store.drop_damaged() == [7]
    assert run(tmp_path, sweep).tally.blocks == 1
    assert contents(tmp_path) == contents(folder)


BROKEN = (  # a scale that overflows at weights of some portfolios
    "++scenario.curves={log: {share: 1.0, parameters: {scale: {dist: lognormal, median: 6e306, sigma: 1.0}, "
    "rate: {dist: fixed, value: 1.0}}}}",
)


def test_totals_that_are_not_finite_fail_their_block_alone(tmp_path: Path) -> None:
    overrides = ("~scenario.curves.purelog", *BROKEN, "run.block=4")
    sweep = planned(*overrides)
    done = run(tmp_path, sweep)
    store = Store(tmp_path)
    failed = store.failed()
    assert 0 < len(failed) < sweep.blocks
    assert sorted([*failed, *store.done()]) == list(range(sweep.blocks))
    assert done.tally.failed == list(failed)
    facts = json.loads(next(iter(failed.values())).read_text())
    assert facts["seed"] == 0
    for portfolio in facts["not_finite"]["cutoff"]:
        assert facts["first_portfolio"] <= portfolio < facts["first_portfolio"] + facts["portfolios"]
    # They are not tried again unless asked for, and no worker waits for them.
    assert run(tmp_path, sweep).tally.failed == []
    again = Worker(sweep, open_store(tmp_path, sweep))
    for _ in again.run(retry=True):
        pass
    assert again.tally.failed == list(failed)


def test_a_solver_that_raises_fails_its_block_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep, solve = planned(), Simulation.blocks

    def raise_on_one(self: Simulation, units: Any) -> Any:
        if any(unit.block == 1 for unit in units):
            raise jax.errors.JaxRuntimeError("INTERNAL: something broke\nin many lines")
        return solve(self, units)

    monkeypatch.setattr(Simulation, "blocks", raise_on_one)
    done = run(tmp_path, sweep)
    assert done.tally.failed == [1]
    assert json.loads(Store(tmp_path).failed()[1].read_text())["error"] == "INTERNAL: something broke"
    monkeypatch.undo()
    store = open_store(tmp_path, sweep)
    for _ in Worker(sweep, store).run(retry=True):
        pass
    assert list(store.done()) == [0, 1, 2]
    assert store.failed() == {}


def test_out_of_memory_halves_the_batch_and_is_remembered(
    whole: tuple[Sweep, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep, folder = whole
    tried, solve = [], Simulation._blocks

    def short_of_memory(self: Simulation, units: Any) -> Any:
        tried.append(self.parts)
        if self.parts < 3:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.")
        return solve(self, units)

    monkeypatch.setattr(Simulation, "_blocks", short_of_memory)
    run(tmp_path, sweep)
    assert tried[:3] == [1, 2, 4]
    assert set(tried[3:]) == {4}
    found, expected = (
        {(r["point"], r["solver"], r["metric"]): r for r in gather(merged(Store(f)))}
        for f in (tmp_path, folder)
    )
    assert found.keys() == expected.keys()
    for key, row in found.items():
        # Another batch may round in another order.
        np.testing.assert_allclose(row["mean"], expected[key]["mean"], rtol=1e-12, atol=1e-12)
        assert row["count"] == expected[key]["count"]
    tried.clear()
    store = open_store(tmp_path, sweep)
    store.done()[0].unlink()
    for _ in Worker(sweep, store).run():
        pass
    assert tried == [4], "what did not fit yesterday is not tried today"


def test_no_memory_for_a_single_portfolio_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(self: Simulation, units: Any) -> Any:
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")

    monkeypatch.setattr(Simulation, "_blocks", never)
    monkeypatch.setattr(Simulation, "_compile_all", lambda self: None)
    done = run(tmp_path, planned())
    assert done.tally.failed == [0, 1, 2]


def test_an_estimate_stores_nothing(tmp_path: Path) -> None:
    sweep = planned(*GRID)
    estimate = Worker(sweep, None).estimate()
    assert (estimate.kinds, estimate.tried) == (2, 2)
    assert estimate.seconds > 0
    assert estimate.bytes > 0
    assert Worker(sweep, None).estimate(seconds=0.0).tried == 1


def test_results_load_as_a_table_and_as_an_array(whole: tuple[Sweep, Path]) -> None:
    _, folder = whole
    frame = engine.load(folder).to_pandas()
    assert len(frame) == 6 * 2 * len(METRICS)
    one = frame[(frame.budget == 30) & (frame["scenario.skew"] == 1) & (frame.metric == "value")]
    array = engine.load_array(folder)
    assert dict(array.sizes) == {"budget": 3, "scenario.skew": 2, "solver": 2, "metric": len(METRICS)}
    found = array["mean"].sel(budget=30, solver="bound", metric="value").sel({"scenario.skew": 1})
    assert float(found) == one[one.solver == "bound"]["mean"].item()


def test_records_of_every_point_are_in_one_file(tmp_path: Path) -> None:
    overrides = (
        *("++sweep.grid.scenario=[textbook,staged]", "++sweep.grid.budget=[20,30.5]"),
        *("solver=[waterfilling]", "run.records=true"),
    )
    run(tmp_path, planned(*overrides))
    study = open_study(tmp_path)
    study.write_summary()
    records = pd.read_parquet(tmp_path / "records.parquet")
    assert len(records) == 2 * 2 * 40
    assert list(records.groupby("scenario", sort=False).effort.first().map(len)) == [5, 8]
    for found in study.found:
        if found.metric == "value":
            mine = (records.scenario == found.settings["scenario"]) & (
                records.budget == found.settings["budget"]
            )
            assert list(records[mine].portfolio) == list(range(40))
            np.testing.assert_allclose(records[mine].value.mean(), found.summary.mean, rtol=1e-12)


def test_zipped_axes_are_one_dimension(tmp_path: Path) -> None:
    overrides = (
        "++sweep.grid.budget=[20,30]",
        "++sweep.grid.scenario.skew=[0,1]",
        "sweep.zip=[[budget,scenario.skew]]",
    )
    run(tmp_path, planned(*overrides))
    array = engine.load_array(tmp_path)
    assert array["mean"].dims == ("budget", "solver", "metric")
    np.testing.assert_array_equal(array["scenario.skew"], [0, 1])


def test_a_study_in_the_making_loads_as_far_as_it_is(tmp_path: Path) -> None:
    sweep = planned(*GRID)
    store = open_store(tmp_path, sweep)
    with pytest.raises(ValueError, match="no block is finished yet"):
        engine.load(tmp_path)
    steps = Worker(sweep, store).run()
    next(steps)
    steps.close()
    table = engine.load(tmp_path).to_pandas()
    assert set(table.point) == {0}
    assert np.isnan(engine.load_array(tmp_path)["mean"].sel(budget=200)).all()


def test_a_scenario_may_be_an_axis() -> None:
    sweep = planned("++sweep.grid.scenario=[textbook,staged]", "++sweep.grid.run.seed=[0,1]")
    assert [study.source.projects for study in sweep.tasks] == [5, 5, 8, 8]
    assert [study.seed for study in sweep.tasks] == [0, 1, 0, 1]
    # What is derived from the scenario follows it.
    assert sweep.tasks[2].budget != sweep.tasks[0].budget


def test_a_solver_s_option_may_be_an_axis() -> None:
    sweep = planned("solver=[relaxation]", "++sweep.grid.solver.relaxation.tolerance={log: [1e-6, 1e-3, 2]}")
    assert [study.solvers["relaxation"]["tolerance"] for study in sweep.tasks] == [1e-6, 1e-3]
    assert len(sweep.kinds) == 1  # a number is traced
    sweep = planned("solver=[greedy]", "++sweep.grid.solver.greedy.marginal=[gain,slope]")
    assert len(sweep.kinds) == 2  # a choice is a program of its own


BAD = {
    "++sweep.grid.budgets=[1,2]": "sweep.grid has budgets, which is no key of the configuration",
    "++sweep.grid.scenario.skews=[1,2]": "sweep.grid has scenario.skews, which is no key",
    "++sweep.grid.budget=[a,b]": "sweep.grid.budget cannot be 'a'",
    "++sweep.grid.budget=[-1,2]": "budget is -1",
    "++sweep.grid.run.block=[1,2]": "run.block, which is common to all points",
    "++sweep.grid.run.seed=[-1]": "run.seed is -1",
    "++sweep.grid.sweep.worker=[0]": "sweep.worker, which is common to all points",
    "sweep.worker=3": "sweep.worker is 3, expected one of 0 to 0",
}


@pytest.mark.parametrize("override", BAD)
def test_what_cannot_be_is_refused_by_its_key(override: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        planned(override)
    assert BAD[override] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_kind_of_a_study_is_all_that_is_static() -> None:
    (study,) = planned().tasks
    same = dataclasses.replace(study, seed=9, portfolios=3, budget=7.0)
    other = dataclasses.replace(study, block=study.block + 1)
    assert same.kind == study.kind != other.kind
    assert hash(same.kind) == hash(study.kind)
