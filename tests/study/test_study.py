"""A study is planned from its own folder: what becomes of the files it was configured by changes nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest

import engine
from engine.files.draws import Draws, write_draws
from engine.files.shipped import config_folder
from engine.model.keys import portfolio_key
from engine.study.manifest import Manifest
from tests.cli.conftest import Done, run_here
from tests.study.test_sweep import GRID, manifest_of, planned, run

MINE = ("--config-dir=mine", "scenario=mine", "solver=[greedy,exact]", "run.portfolios=20", "run.block=10")
SWEEP = ("sweep", *MINE, "run.output=study", "sweep.grid.budget=[20,30]")


def edit(folder: Path, weight: float) -> None:
    """A scenario of the user's own, whose projects all weigh so much."""
    shipped = (config_folder() / "scenario" / "textbook.yaml").read_text()
    text = shipped.replace("name: textbook", "name: mine") + f"weight: {{dist: fixed, value: {weight}}}\n"
    (folder / "mine" / "scenario").mkdir(parents=True, exist_ok=True)
    (folder / "mine" / "scenario" / "mine.yaml").write_text(text)


def draw(point: Any) -> list[np.ndarray]:
    drawn = point.source.draw(portfolio_key(point.seed, 0), point.dtype)
    return list(map(np.asarray, jax.tree.leaves(drawn)))


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A folder with a sweep whose scenario was edited afterwards, and what was so before."""
    folder = tmp_path_factory.mktemp("edited")
    edit(folder, 1.0)
    done = command(folder, *SWEEP)
    before = {"table": done.stdout, "point": draw(engine.open_study(folder / "study").point(1))}
    before["page"], before["figures"] = pages(folder)
    edit(folder, 100.0)
    return folder, before


def command(folder: Path, *arguments: str) -> Done:
    done = run_here(arguments, folder)
    assert done.returncode == 0, done.stderr
    return done


def pages(folder: Path) -> tuple[str, dict[str, bytes]]:
    """The report's text, and the data of the figures; an SVG's ids and times are its own."""
    command(folder, "report", "study=study")
    command(folder, "figures", "study=study", "formats=[svg]", "output=figures")
    text = re.sub(r"data:[^\"]*", "", (folder / "study" / "report.html").read_text())
    own = rb"<dc:date>.*?</dc:date>"
    figures = {path.name: re.sub(own, b"", path.read_bytes()) for path in (folder / "figures").iterdir()}
    return text, figures


def test_a_replay_solves_what_the_study_solved(edited: tuple[Path, dict[str, Any]]) -> None:
    folder, before = edited
    done = command(folder, "replay", "study=study", "block=3")
    assert "exact: 10 of 10 solved" in done.stdout
    records = pd.read_parquet(folder / "study" / "replay" / "00000003" / "records.parquet")
    study = engine.open_study(folder / "study")
    block = pd.read_parquet(study.store.done()[3])
    for solver in ("greedy", "exact"):
        mean = block[(block.solver == solver) & (block.metric == "value")]["mean"].item()
        np.testing.assert_allclose(records[records.solver == solver].value.mean(), mean, rtol=1e-12)
    for mine, theirs in zip(draw(study.point(1)), before["point"], strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert study.point(1).budget == 30


@pytest.mark.slow
def test_a_report_and_figures_show_what_the_study_drew(edited: tuple[Path, dict[str, Any]]) -> None:
    folder, before = edited
    text, figures = pages(folder)
    assert text == before["page"]
    assert figures.keys() == before["figures"].keys() > {"curves.svg", "shares.svg"}
    for name, data in figures.items():
        assert data == before["figures"][name], name
    assert command(folder, "report", "study=study", "html=false").stdout == before["table"]


def test_going_on_with_another_scenario_is_refused_by_its_key(edited: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = edited
    done = run_here(SWEEP, folder)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "study holds a study of scenario.weight.value=1.0, got scenario.weight.value=100.0" in line


def test_each_choice_of_a_scenario_is_kept(tmp_path: Path) -> None:
    given = (
        *("sweep", "--config-dir=mine", "scenario=textbook", "solver=[greedy]", "run.portfolios=20"),
        *("run.block=10", "run.output=study", "sweep.grid.scenario=[textbook,mine]"),
    )
    edit(tmp_path, 1.0)
    command(tmp_path, *given)
    before = draw(engine.open_study(tmp_path / "study").point(1))
    edit(tmp_path, 100.0)
    for mine, theirs in zip(draw(engine.open_study(tmp_path / "study").point(1)), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    done = run_here(given, tmp_path)
    assert done.returncode == 2
    assert "scenario.mine.scenario.weight.value=1.0, got" in done.stderr


def write_fit(path: Path, scale: float) -> None:
    numbers = {"scale": np.full((3, 2), scale), "rate": np.ones((3, 2)), "baseline": np.zeros((3, 2))}
    write_draws(path, ("a", "b"), Draws(np.zeros((3, 2), np.int32), {"log": numbers}))


def test_the_file_that_is_drawn_from_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "draws.parquet"
    write_fit(path, 2.0)
    command(
        tmp_path,
        *("run", "scenario=fitted", "scenario.draws=draws.parquet", "scenario.budget=20", "solver=[greedy]"),
        *("run.portfolios=8", "run.block=8", "run.output=out"),
    )
    before = draw(engine.open_study(tmp_path / "out").point(0))
    write_fit(path, 3.0)
    after = draw(engine.open_study(tmp_path / "out").point(0))
    for mine, theirs in zip(after, before, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    done = run_here(
        (
            *(
                "run",
                "scenario=fitted",
                "scenario.draws=draws.parquet",
                "scenario.budget=20",
                "solver=[greedy]",
            ),
            *("run.portfolios=8", "run.block=8", "run.output=out"),
        ),
        tmp_path,
    )
    assert done.returncode == 2
    assert "holds a study of file.draws.parquet=" in done.stderr


def test_a_study_opens_from_python(tmp_path: Path) -> None:
    sweep = planned(*GRID)
    run(tmp_path, sweep)
    study = engine.open_study(tmp_path)
    assert study.manifest == sweep.manifest
    assert len(study.points) == 6
    assert study.points[3] == {"budget": 30, "scenario.skew": 1.0}
    assert study.point(3).kind == sweep.tasks[3].kind
    pd.testing.assert_frame_equal(study.load().to_pandas(), engine.load(tmp_path).to_pandas())
    assert set(study.rates()) == {"cutoff", "bound"}
    with pytest.raises(IndexError):
        study.point(6)


def test_a_manifest_is_read_as_it_was_written() -> None:
    for overrides in (GRID, ("++sweep.grid.scenario=[textbook,staged]",), ("solver=[relaxation]",)):
        manifest = manifest_of(*overrides)
        assert Manifest.read(manifest.write()) == manifest
        assert [manifest.number(manifest.name(n)) for n in range(manifest.blocks)] == list(
            range(manifest.blocks)
        )
