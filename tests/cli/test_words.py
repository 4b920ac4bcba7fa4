"""One name for one thing: what was renamed goes by its old name for a release, with a warning."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest

import engine as library
from engine.cli import main
from engine.solvers.registry import OLD_NAMES, SOLVERS, find_method
from engine.study.study import open_study
from tests.cli.conftest import Run

TERMS = """
    approach, aversion, batch, bet, block, bound, budget, budget curve, carry-over, clairvoyant,
    cost, curvature, curve, CVaR, density, diminishing, discount, draw, effort, exact, family,
    frontier, gain, gap, greedy, grid, group, limits, loss, lot, marginal return, mean, multiplier,
    optimum, performance, period, plateau, point, policy, portfolio, price, project, proved, regret,
    relaxation, resource, return, risk curve, rule, S-shaped, scenario, seed, shadow price, share,
    spend, spill-over, stage, staged, start-up cost, study, success, threshold, unit, utility,
    value, weight
"""
SWEEP = ("sweep", "scenario=textbook", "budget=20", "run.portfolios=20", "run.block=10", "run.output=study")


@pytest.mark.parametrize("old", library._OLD_NAMES)
def test_an_old_public_name_is_the_new_one_and_says_so(old: str) -> None:
    now = library._OLD_NAMES[old]
    assert now in library.__all__
    assert old not in library.__all__
    with pytest.warns(FutureWarning, match=rf"engine\.{old} is now engine\.{now}, and goes with"):
        assert getattr(library, old) is getattr(library, now)


def test_an_old_command_is_the_new_one_and_says_so(engine: Run) -> None:
    for old, now in main.OLD_NAMES.items():
        assert now in main.command_names()
        assert old not in main.command_names()
        done, expected = (engine(name, "portfolio=textbook", "budget=5", "format=csv") for name in (old, now))
        assert done.stdout == expected.stdout
        said = f"engine: warning: engine {old} is now engine {now}, and goes with the next release\n"
        assert done.stderr == said + expected.stderr


@pytest.mark.parametrize("old", OLD_NAMES)
def test_an_old_solver_is_the_new_one_and_says_so(old: str) -> None:
    now = OLD_NAMES[old]
    assert old not in SOLVERS
    assert find_method(old) is SOLVERS[now]
    curves = library.Log([1.0, 2.0, 3.0], 0.5)
    with pytest.warns(FutureWarning, match=f"solver {old} is now {now}, and goes with the next release"):
        found = library.allocate(curves, 10, old)
    assert found.solver == now
    np.testing.assert_array_equal(found.effort, library.allocate(curves, 10, now).effort)
    with pytest.warns(FutureWarning, match=f"solver {old} is now {now}"):
        simulated = library.simulate("textbook", budget=20, solvers=[old], portfolios=10)
    assert {row["solver"] for row in simulated.rows()} == {now}


@pytest.mark.parametrize("old", OLD_NAMES)
def test_an_old_solver_of_the_command_line_is_the_new_one_and_says_so(engine: Run, old: str) -> None:
    said = f"engine: warning: solver {old} is now {OLD_NAMES[old]}, and goes with the next release\n"
    one = ("allocate", "portfolio=textbook", "budget=20", "format=json")
    done, expected = (engine(*one, f"solver={name}") for name in (old, OLD_NAMES[old]))
    assert json.loads(done.stdout)["effort"] == json.loads(expected.stdout)["effort"]
    assert done.stderr == said + expected.stderr
    several = engine("run", *SWEEP[1:-1], f"solver=[{old},bound]")
    assert several.stderr.count(said) == 1
    assert f"│ {OLD_NAMES[old]} │" in several.stdout


@pytest.mark.parametrize("old", OLD_NAMES)
def test_a_stored_study_of_an_old_solver_opens_and_goes_on(
    engine: Run, old: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = OLD_NAMES[old]
    with monkeypatch.context() as then:
        then.setitem(SOLVERS, old, SOLVERS[now])
        before = engine(*SWEEP, f"solver=[{old},bound]")
    assert "warning" not in before.stderr
    said = f"solver {old} is now {now}, and goes with the next release"
    with pytest.warns(FutureWarning, match=said):
        study = open_study(tmp_path / "study")
    assert set(study.rates()) == {old, "bound"}
    blocks = sorted((tmp_path / "study/blocks").rglob("*.parquet"))
    for command in ("status", "report"):
        done = engine(command, "study=study")
        assert (done.returncode, done.stderr.count(said)) == (0, 1), done.stderr
    # It goes on under the name by which it was begun.
    same = engine(*SWEEP, f"solver=[{now},bound]")
    assert same.returncode == 0, same.stderr
    assert same.stdout == before.stdout
    assert sorted((tmp_path / "study/blocks").rglob("*.parquet")) == blocks
    larger = engine(*SWEEP, f"solver=[{now},bound]", "run.portfolios=40")
    assert larger.returncode == 0, larger.stderr
    assert sum(1 for _ in (tmp_path / "study/blocks").rglob("*.parquet")) == 2 * len(blocks)
    assert set(blocks) < set((tmp_path / "study/blocks").rglob("*.parquet"))


def test_the_glossary_has_every_word_once_and_in_order() -> None:
    page = Path(main.__file__).parents[2] / "docs/reference/glossary.md"
    terms = re.findall(r"^([^\s`#][^\n]*)\n  \S", page.read_text(), re.MULTILINE)
    assert terms == sorted(set(terms), key=str.lower)
    assert {" ".join(term.split()) for term in TERMS.split(",")} <= set(terms)
    # Parts of a portfolio are keys of files, and each has its word.
    parts = {field.name for field in dataclasses.fields(library.Portfolio)}
    assert parts & set(terms) >= {"weight", "cost", "success", "curvature", "threshold"}


def test_frontier_is_a_projects_last_stage_alone() -> None:
    """No public name, module or command calls the budget curve so."""
    assert not [name for name in library.__all__ if "frontier" in name.lower()]
    assert not [name for name in main.command_names() if "frontier" in name]
    for module in ("frontier", "risk_frontier"):
        assert importlib.util.find_spec(f"engine.allocation.{module}") is None
    schemas = {name: dataclasses.fields(main.command_of(name).schema) for name in main.command_names()}
    assert not [name for name, keys in schemas.items() if any("frontier" in key.name for key in keys)]


@pytest.mark.parametrize("word", ["lower bound", "upper bounds"])
def test_what_effort_may_be_has_limits(word: str) -> None:
    """In messages, pages and comments of configurations; of the optimum there is an upper bound, and one."""
    root = Path(main.__file__).parents[2]
    pages = [root / "README.md", *(root / "docs").rglob("*.md"), *(root / "configs").rglob("*.yaml")]
    assert not [page for page in pages if word in page.read_text().lower()]
