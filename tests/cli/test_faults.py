"""Faults by their kind: tracebacks, traces of what was refused, what is accepted and ignored, long lines."""

from __future__ import annotations

import copy
import io
import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import engine as library
from engine.cli.words import MOST_CHARACTERS
from tests.cli.conftest import Run, run_here
from tests.cli.test_bad_input import refused

CURVES = "project,family,scale,rate,cost\na,log,1,1,{}\n"
MEASURED = "project,effort,performance\n" + "".join(f"a,{e},{e**0.5}\n" for e in range(6))
QUICK = ("scenario=textbook", "solver=[greedy]", "run.portfolios=4")


def draws(**columns: Any) -> bytes:
    """A Parquet file of draws of one project."""
    count = len(next(iter(columns.values())))
    table = {"draw": list(range(count)), "project": ["a"] * count, **columns, "baseline": [0.0] * count}
    data = io.BytesIO()
    pq.write_table(pa.table(table), data)
    return data.getvalue()


def log_draws(scale: float) -> bytes:
    return draws(family=["log"] * 2, scale=[1.0, scale], rate=[1.0, 1.0])


STAGES = draws(family=["lifecycle"], start=[[0.0]], base=[[0.0]], scale=[[1.0]], rate=[[1.0]])
FITTED = ("run", "scenario=fitted", "scenario.draws=f", "scenario.budget=5")
MANY = ",".join(["1"] * 20_000)

# (the command, the content of the file f if it reads one, what the line says); f ends in .csv or the like.
WRONG: dict[str, tuple[tuple[str, ...], tuple[str, str | bytes] | None, tuple[str, ...]]] = {
    # What came to a traceback.
    "a cost next to nothing": (
        ("allocate", "portfolio=f.csv", "budget=3"),
        ("f.csv", CURVES.format("1e-320")),
        ("cost is 9.99989e-321, expected more",),
    ),
    "a list of lists of solvers": (("run", "solver=[[exact]]"), None, ("solver is [['exact']]", "a list")),
    "no options": (("run", "solver=[exact]", "solver.exact=null"), None, ("solver.exact is None",)),
    "no options of the only solver": (
        ("allocate", "portfolio=textbook", "budget=3", "solver.exact=null"),
        None,
        ("solver.exact is None, expected its options",),
    ),
    "a choice of a number": (
        ("run", *QUICK, "scenario.weight.dist=choice", "scenario.weight.values=5"),
        None,
        ("scenario.weight.values is 5, expected a list",),
    ),
    # What left a folder behind.
    **{
        f"fit with {key}": (("fit", "data=f.csv", key, "output=o"), ("f.csv", MEASURED), (said,))
        for key, said in {
            "families=[magic]": "unknown family 'magic'",
            "holdout=2": "holdout is 2.0",
            "loss=x": "loss is 'x'",
            "choice=x": "choice is 'x'",
            "draws=-1": "draws is -1",
            "seed=-1": "seed is -1",
            "seed=99999999999999999999": "seed is 99999999999999999999, expected a whole number from 0 to",
        }.items()
    },
    "a name that is a list": (("run", "scenario.names=[a,b,c,d,[e]]"), None, ("names",)),
    "draws of a family that has no draws": (FITTED, ("f", STAGES), ("f: is no draws.parquet",)),
    "another tool's manifest": (
        ("sweep", "run.output=.", "sweep.grid.budget=[5,6]"),
        ("manifest.json", '{"name": "webapp"}'),
        ("manifest.json is damaged",),
    ),
    # What was accepted and ignored, or merged.
    "two scenarios": (("run", "scenario=[staged,textbook]"), None, ("expected one name",)),
    "a scenario's file": (("run", "scenario=staged.yaml"), None, ("staged.yaml", "the name alone, staged")),
    "nothing to merge": (("run", "scenario.curves={}"), None, ("scenario.curves={} changes nothing",)),
    "a switch that is a number": (("run", "run.records=2"), None, ("run.records is 2, expected true or",)),
    "a package": (("run", "--package=nope"), None, ("--package nope changes nothing",)),
    "draws that are NaN": (FITTED, ("f", log_draws(float("nan"))), ("f: a: scale is nan",)),
    "draws below 0": (FITTED, ("f", log_draws(-1.0)), ("f: a: scale is -1, expected a number",)),
    "no point at effort 0": (
        ("allocate", "portfolio=f.csv", "budget=3"),
        ("f.csv", "project,effort,performance\nA,10,5\n"),
        ("f.csv: A: has no point at effort 0, expected one, or a baseline",),
    ),
    **{
        f"{key} of a YAML file": (
            ("allocate", "portfolio=f.yaml", "budget=3", key),
            ("f.yaml", "projects: {a: {family: log, scale: 1, rate: 1}}\n"),
            (f"f.yaml: {said}, expected none for a YAML file",),
        )
        for key, said in {
            "columns.effort=Step": "columns.effort is 'Step'",
            "where.a=1": "where.a is '1'",
            "decimal=comma": "decimal is 'comma'",
            "effort_unit=5": "effort_unit is 5.0",
            "sheet=2": "sheet is '2'",
        }.items()
    },
    "a decimal mark of a scenario": (
        ("demo", "scenario=textbook", "decimal=comma", "open=false"),
        None,
        ("decimal is 'comma', expected none for a scenario",),
    ),
    # What was a page, or a line of megabytes.
    "an unknown option": (("run", "--foo"), None, ("--foo", "expected key=value")),
    "an unknown letter": (("run", "-x"), None, ("-x", "expected key=value")),
    "an option's value": (("run", "--cfg=nope"), None, ("--cfg", "'nope'", "job")),
    "a point of thousands": (
        ("allocate", "portfolio=f.yaml", "budget=3"),
        ("f.yaml", f"projects:\n  a: {{points: [[0,0],[{MANY}]]}}\n"),
        ("f.yaml: a: point [1, 1", "expected [effort, performance]"),
    ),
    "a family of thousands": (
        ("allocate", "portfolio=f.yaml", "budget=3"),
        ("f.yaml", f"projects:\n  a: {{family: [{MANY}]}}\n"),
        ("f.yaml: a: unknown family", "tabulated"),
    ),
    "a name of thousands": (("run", f"scenario={'x' * 50_000}"), None, ("File name too long",)),
}


@pytest.mark.parametrize("what", WRONG)
def test_faults_are_one_line_and_leave_nothing(engine: Run, tmp_path: Path, what: str) -> None:
    arguments, file, said = WRONG[what]
    if file is not None:
        name, content = file
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    before = sorted(tmp_path.rglob("*"))
    done = engine(*arguments)
    refused(done, *said)
    assert len(done.stderr) <= MOST_CHARACTERS + 20
    assert sorted(tmp_path.rglob("*")) == before


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished sweep."""
    folder = tmp_path_factory.mktemp("study")
    done = run_here(("sweep", *QUICK, "run.output=s", "sweep.grid.budget=[50,60]"), folder)
    assert done.returncode == 0, done.stderr
    return folder / "s"


DAMAGE: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no configuration": lambda manifest: manifest.pop("config"),
    "no solvers": lambda manifest: manifest["config"].pop("solver"),
    "a number for solvers": lambda manifest: manifest["config"].update(solver=5),
    "a number for a scenario": lambda manifest: manifest["config"].update(scenario=5),
    "no block": lambda manifest: manifest["config"]["run"].pop("block"),
    "a word for a block": lambda manifest: manifest["config"]["run"].update(block="a"),
    "blocks of nothing": lambda manifest: manifest["config"]["run"].update(block=0),
    "no seed": lambda manifest: manifest["config"]["run"].pop("seed"),
    "a number for a grid": lambda manifest: manifest.update(grid=5),
    "an axis without values": lambda manifest: manifest["grid"][0].update(values=[]),
    "an axis of no values": lambda manifest: manifest["grid"][0].update(values=[[]]),
    "an axis without keys": lambda manifest: manifest["grid"][0].update(keys=[]),
    "groups of no solvers": lambda manifest: manifest.update(groups=[[None]]),
    "a list of choices": lambda manifest: manifest.update(choices=[]),
    "no inputs": lambda manifest: manifest.update(inputs=None),
    "overrides that are numbers": lambda manifest: manifest.update(overrides=[5]),
    "a word for versions": lambda manifest: manifest.update(versions="a"),
}
READERS = (
    ("status",),
    ("report", "html=true", "output=page.html"),
    ("figures", "output=figures"),
    ("replay", "block=0", "output=replay"),
)


@pytest.mark.parametrize("what", DAMAGE)
def test_damaged_manifests_are_one_line(study: Path, tmp_path: Path, what: str) -> None:
    manifest = json.loads((study / "manifest.json").read_text())
    damaged = copy.deepcopy(manifest)
    DAMAGE[what](damaged)
    (tmp_path / "manifest.json").write_text(json.dumps(damaged))
    for command, *keys in READERS:
        done = run_here((command, "study=.", *keys), tmp_path)
        refused(done, "manifest.json is damaged, expected a study's manifest")
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def test_figures_of_damaged_blocks_are_one_line_and_draw_nothing(study: Path, tmp_path: Path) -> None:
    shutil.copytree(study, tmp_path / "s")
    block = sorted((tmp_path / "s" / "blocks").rglob("*.parquet"))[-1]
    block.write_bytes(block.read_bytes()[:-1])
    refused(run_here(("figures", "study=s", "output=o"), tmp_path), block.name, "damaged")
    assert not (tmp_path / "o").exists()


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a fit of one project."""
    folder = tmp_path_factory.mktemp("fitted")
    (folder / "m.csv").write_text(MEASURED)
    done = run_here(("fit", "data=m.csv", "families=[log,power]", "draws=5", "output=f"), folder)
    assert done.returncode == 0, done.stderr
    return folder / "f"


DAMAGED_FITS: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "an empty table": ("fits.csv", lambda _: b"", "fits.csv: is empty"),
    "another table": ("fits.csv", lambda _: b"a,b\n1,2\n", "fits.csv: is no fits.csv of engine fit"),
    "a cut table": ("fits.csv", lambda data: data[:-60], "fits.csv: line 3: has"),
    "a word for a number": ("fits.csv", lambda data: data.replace(b",0,", b",x,", 1), "fits.csv: line"),
    "another project": (
        "fits.csv",
        lambda data: data.replace(b"\na,", b"\nb,"),
        "fits.csv: has other projects",
    ),
    "another portfolio": (
        "portfolio.csv",
        lambda _: b"project,effort,performance\nb,0,0\nb,1,1\n",
        "portfolio.csv: has other projects than measurements.parquet",
    ),
    "no draws": ("draws.parquet", lambda data: data[:-9], "draws.parquet: is no draws.parquet"),
    "no measurements": ("measurements.parquet", lambda data: data[:-9], "measurements.parquet: "),
}


@pytest.mark.parametrize("what", DAMAGED_FITS)
def test_figures_of_a_damaged_fit_are_one_line_and_draw_nothing(
    fitted: Path, tmp_path: Path, what: str
) -> None:
    name, damage, said = DAMAGED_FITS[what]
    shutil.copytree(fitted, tmp_path / "f")
    (tmp_path / "f" / name).write_bytes(damage((fitted / name).read_bytes()))
    refused(run_here(("figures", "study=f", "output=o"), tmp_path), said)
    assert not (tmp_path / "o").exists()


def test_how_tables_are_read_is_refused_where_there_is_none(study: Path, tmp_path: Path) -> None:
    done = run_here(("figures", f"study={study}", "output=o", "columns.effort=Step"), tmp_path)
    refused(done, "columns.effort is 'Step', expected none for figures of what is stored")
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_cannot_be_written_is_said_before_anything_else(study: Path, tmp_path: Path) -> None:
    before = sorted(study.rglob("*"))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # a device, for want of one that may be lost
    for place in ("/proc/page.html", str(tmp_path), str(pipe)):
        refused(run_here(("report", f"study={study}", f"output={place}", "html=true"), tmp_path), place)
    assert sorted(study.rglob("*")) == before
    assert pipe.is_fifo()


def test_what_is_said_is_in_the_json_too(engine: Run, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("project,effort,performance\na,0,1\na,5,3\na,9,2\n")
    for command in ("allocate", "budget_curve"):
        done = engine(command, "portfolio=f.csv", "budget=6", "format=json")
        (line,) = done.stderr.splitlines()
        (warning,) = json.loads(done.stdout)["warnings"]
        assert line == f"engine: warning: {warning}"
        assert "performance falls" in warning
    done = engine("allocate", "portfolio=textbook", "budget=20", "format=json")
    assert json.loads(done.stdout)["warnings"] == []


# From Python.

ONES = np.ones(3)
REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "a budget beyond floats": (lambda: library.allocate(library.Log(ONES, ONES), 10**400), "beyond counting"),
    "a budget beyond counting": (lambda: library.allocate(library.Log(ONES, ONES), 10**29), r"1e\+29"),
    "no curves": (lambda: library.allocate(library.Portfolio(None), 3), "NoneType, expected curves"),  # type: ignore[arg-type]
    "an array for curves": (lambda: library.allocate(library.Portfolio(ONES), 3), "ndarray, expected"),  # type: ignore[arg-type]
    "a portfolio for curves": (
        lambda: library.allocate(library.Portfolio(library.Portfolio(library.Log(ONES, ONES))), 3),  # type: ignore[arg-type]
        "Portfolio, expected curves",
    ),
    "a mixture without a choice": (
        lambda: library.allocate(library.Mixture((library.Log(ONES, ONES),)), 3),
        "mixture: expected families, and a choice",
    ),
    "no file": (lambda: library.load_portfolio(None), "the name of a portfolio's file, got NoneType"),  # type: ignore[arg-type]
    "a number for a file": (lambda: library.load_portfolio(3), "the name of a portfolio's file, got int"),  # type: ignore[arg-type]
    "nowhere to write": (
        lambda: library.save_portfolio(library.Log(ONES, ONES), None),  # type: ignore[arg-type]
        "the name of a file to write, got NoneType",
    ),
    "no measurements": (lambda: library.load_measurements(None), "a file of measurements, got NoneType"),  # type: ignore[arg-type]
    "a list of none": (lambda: library.load_measurements([None]), "a file of measurements, got NoneType"),  # type: ignore[list-item]
    "no study": (lambda: library.load(None), "the name of a study's folder, got NoneType"),  # type: ignore[arg-type]
    "no study to open": (lambda: library.open_study(None), "the name of a study's folder, got NoneType"),  # type: ignore[arg-type]
    "no array of a study": (lambda: library.load_array(None), "a study's folder, got NoneType"),  # type: ignore[arg-type]
    "nothing to draw from": (lambda: library.simulate(None), "an engine.scenario or the name of one, got N"),  # type: ignore[arg-type]
    "no portfolio": (lambda: library.optimal_value(None, 3), "a Portfolio or curves, got NoneType"),  # type: ignore[arg-type]
    "an array for a portfolio": (lambda: library.allocate(ONES, 3), "Portfolio or curves, got ndarray"),  # type: ignore[arg-type]
    "a study that is a file": (lambda: library.load(__file__), "no study, expected a folder"),
}


@pytest.fixture
def no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.usefixtures("no_warnings")
@pytest.mark.parametrize("what", REFUSED)
def test_nonsense_from_python_is_a_value_error(what: str) -> None:
    ask, said = REFUSED[what]
    with pytest.raises(ValueError, match=said) as error:
        ask()
    assert "\n" not in str(error.value)
