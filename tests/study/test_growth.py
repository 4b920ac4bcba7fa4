"""Growth: a larger study computes what is missing, and is then what it would have been at once."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from engine.simulation import blocks
from engine.simulation.blocks import Simulation
from engine.study.manifest import StoreError
from engine.study.plan import plan_sweep
from engine.study.results import merged
from engine.study.store import Store
from engine.study.study import open_study
from engine.study.worker import Worker
from tests.study.test_sweep import contents, manifest_of, planned, run

SKEWS = "++sweep.grid.scenario.skew=[0.0,2.0]"
TWO = ("++sweep.grid.budget=[20,30]", SKEWS, "solver=[cutoff,bound]")
REFERRED = ("++sweep.grid.budget=[20,30]", "solver=[greedy,exact]")


def summaries(folder: Path) -> dict[str, bytes]:
    """What a study says: its two files of summaries."""
    open_study(folder).write_summary()
    return {name: (folder / name).read_bytes() for name in ("summary.csv", "summary.parquet")}


def histograms(folder: Path) -> list[Any]:
    return [(*f[:4], *(part.tobytes() for part in f.summary), f.unsolved) for f in merged(Store(folder))]


@pytest.fixture
def solved(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[str, ...], int]]:
    """The solvers and the index of every block that is computed."""
    done: list[tuple[tuple[str, ...], int]] = []
    solve = Simulation._blocks

    def note(self: Simulation, units: Any) -> Any:
        done.extend((tuple(self.point.solvers), unit.block) for unit in units)
        return solve(self, units)

    monkeypatch.setattr(Simulation, "_blocks", note)
    return done


def test_more_portfolios(tmp_path: Path) -> None:
    small, large = planned(*TWO), planned(*TWO, "run.portfolios=60")
    assert run(tmp_path / "grown", small).tally.blocks == 4 * 3
    before = contents(tmp_path / "grown")
    # Of 40 the last block has 8 portfolios, so it and the one after it are computed, at each point.
    assert run(tmp_path / "grown", large).tally.blocks == 4 * 2
    run(tmp_path / "whole", large)
    after = contents(tmp_path / "grown")
    assert after == contents(tmp_path / "whole")
    kept = before.keys() & after.keys() - {"summary.csv", "summary.parquet"}
    assert len(kept) == 4 * 2
    assert all(before[name] == after[name] for name in kept)


def test_further_values_of_axes_in_any_order(tmp_path: Path) -> None:
    small = planned(*TWO)
    large = planned("++sweep.grid.budget=[25,30,20]", "++sweep.grid.scenario.skew=[0.0,1.0,2.0]", TWO[2])
    run(tmp_path / "grown", small)
    assert run(tmp_path / "grown", large).tally.blocks == (9 - 4) * 3
    run(tmp_path / "whole", large)
    assert contents(tmp_path / "grown") == contents(tmp_path / "whole")


def test_a_further_solver_is_measured_by_the_optima_that_are_there(tmp_path: Path, solved: Any) -> None:
    larger = ("++sweep.grid.budget=[20,30]", "solver=[density,greedy,exact]")
    run(tmp_path / "grown", planned(*REFERRED))
    before = contents(tmp_path / "grown")
    solved.clear()
    assert run(tmp_path / "grown", planned(*larger)).tally.blocks == 2 * 3
    assert {solvers for solvers, _ in solved} == {("density",)}
    run(tmp_path / "whole", planned(*larger))
    assert histograms(tmp_path / "grown") == histograms(tmp_path / "whole")
    assert summaries(tmp_path / "grown") == summaries(tmp_path / "whole")
    blocks = {name: data for name, data in before.items() if name.startswith("blocks")}
    assert blocks.items() <= contents(tmp_path / "grown").items()
    losses = [f for f in open_study(tmp_path / "grown").found if f.metric == "loss" and f.solver == "density"]
    assert [float(f.summary.count) for f in losses] == [40.0, 40.0]
    # Grown again by portfolios, every solver is computed where it is missing.
    solved.clear()
    run(tmp_path / "grown", planned(*larger, "run.portfolios=48"))
    assert sorted(solved) == [*[(("density",), 2)] * 2, *[(("greedy", "exact"), 2)] * 2]
    run(tmp_path / "longer", planned(*larger, "run.portfolios=48"))
    assert histograms(tmp_path / "grown") == histograms(tmp_path / "longer")


def test_the_reference_changes_what_all_are_measured_by(tmp_path: Path, solved: Any) -> None:
    run(tmp_path / "grown", planned("solver=[greedy]"))
    assert not any(f.summary.count for f in open_study(tmp_path / "grown").found if f.metric == "loss")
    solved.clear()
    run(tmp_path / "grown", planned("solver=[greedy,exact]"))
    assert {solvers for solvers, _ in solved} == {("greedy", "exact")}
    run(tmp_path / "whole", planned("solver=[greedy,exact]"))
    assert contents(tmp_path / "grown") == contents(tmp_path / "whole")


def test_everything_at_once(tmp_path: Path) -> None:
    large = planned(
        "++sweep.grid.budget=[20,25,30]",
        "solver=[greedy,exact,density]",
        "run.portfolios=50",
        "run.records=true",
    )
    run(tmp_path / "grown", planned(*REFERRED, "run.records=true"))
    run(tmp_path / "grown", large)
    run(tmp_path / "whole", large)
    assert histograms(tmp_path / "grown") == histograms(tmp_path / "whole")
    assert summaries(tmp_path / "grown") == summaries(tmp_path / "whole")
    grown, whole = (pd.read_parquet(tmp_path / name / "records.parquet") for name in ("grown", "whole"))
    assert len(whole) == 3 * 3 * 50
    pd.testing.assert_frame_equal(grown, whole, check_exact=True)


def test_an_unfinished_study_grows_too(tmp_path: Path) -> None:
    larger = planned("++sweep.grid.budget=[20,30]", "solver=[greedy,exact,density]")
    small = planned(*REFERRED)
    store = Store.open(tmp_path / "grown", small.manifest)
    steps = Worker(small, store).run()
    next(steps)
    steps.close()
    store.close()
    run(tmp_path / "grown", larger)
    run(tmp_path / "whole", larger)
    assert histograms(tmp_path / "grown") == histograms(tmp_path / "whole")


def test_a_block_waits_for_its_optima(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    larger = planned(*REFERRED[:1], "solver=[greedy,exact,density]")
    run(tmp_path, planned(*REFERRED))
    store = Store.open(tmp_path, larger.manifest)
    sweep = plan_sweep(store.manifest, tmp_path)
    store.done()[1].unlink()
    claim = Store.claim
    with monkeypatch.context() as patch:  # another worker has it in hand
        patch.setattr(Store, "claim", lambda self, block: block != 1 and claim(self, block))
        for _ in Worker(sweep, store).run():
            pass
    assert sorted(set(range(sweep.blocks)) - set(store.done())) == [1, 7]
    store.fail(1, {"error": "not finite"})
    for _ in Worker(sweep, store).run():
        pass
    assert list(store.failed()) == [1, 7]
    assert "block 1 failed, whose optima" in store.failed()[7].read_text()


BAD = {
    ("run.seed=5",): "run.seed=0, got run.seed=5",
    ("run.block=8",): "run.block=16, got run.block=8",
    ("run.dtype=float32",): "run.dtype=float64, got run.dtype=float32",
    ("run.portfolios=39",): "run.portfolios=40, got run.portfolios=39",
    ("run.records=true",): "run.records=false, got run.records=true",
    ("scenario.projects=4",): "scenario.projects=5, got scenario.projects=4",
    ("scenario=staged",): "a study of scenario.",
    ("solver=[bound]",): "solver.cutoff={}, got solver.cutoff=nothing",
    ("++sweep.grid.budget=[20,40]",): "sweep.grid.budget=[20,30], got sweep.grid.budget=[20,40]",
    ("~sweep.grid.scenario.skew",): "sweep.grid=budget, scenario.skew, got sweep.grid=budget",
    ("++sweep.grid.run.seed=[0,1]",): "got sweep.grid=budget, scenario.skew, run.seed",
}


@pytest.mark.parametrize("overrides", BAD, ids=lambda given: given[0])
def test_another_study_is_refused_by_its_key(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    Store.open(tmp_path, manifest_of(*TWO)).close()
    before = (tmp_path / "manifest.json").read_bytes()
    with pytest.raises(StoreError) as caught:
        Store.open(tmp_path, manifest_of(*TWO, *overrides))
    assert f"{tmp_path} holds a study of" in str(caught.value)
    assert BAD[overrides] in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "manifest.json").read_bytes() == before


def test_a_study_goes_on_in_the_blocks_that_it_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a device whose own size of block is another, unless one is given, wherever it is."""
    there = manifest_of(*TWO).in_blocks_of(20)
    Store.open(tmp_path, there).close()
    monkeypatch.setattr(blocks, "CPU_BLOCK", 8)
    given = manifest_of(*TWO, "run.block=null", "run.portfolios=60")
    assert given.block == 8
    for overrides in ((), ("run.block=null",)):
        Store.open(tmp_path, dataclasses.replace(given, overrides=overrides)).close()
    with pytest.raises(StoreError, match=r"run\.block=20, got run\.block=8"):
        Store.open(tmp_path, dataclasses.replace(manifest_of(*TWO, "run.block=8"), overrides=()))
    assert Store(tmp_path).manifest.portfolios == 60
    assert Store(tmp_path).manifest.block == 20


def test_an_option_of_a_solver_that_is_there_is_refused(tmp_path: Path) -> None:
    Store.open(tmp_path, manifest_of("solver=[relaxation]")).close()
    with pytest.raises(StoreError, match=r"solver\.relaxation\.tolerance"):
        Store.open(tmp_path, manifest_of("solver=[relaxation]", "solver.relaxation.tolerance=0.5"))
