"""Names of files and columns reach a command as they were typed, whatever Hydra makes of their signs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from engine.cli.arguments import check_overrides
from engine.cli.commands.allocate import AllocateConfig
from engine.cli.commands.fit import FitConfig
from engine.cli.commands.sweep import COMMAND as SWEEP
from engine.cli.quoting import as_hydra_reads
from tests.cli.conftest import Run

NAMES = (
    "response (13).csv",
    "q3=final.csv",
    "plan, v2.csv",
    "it's [new].csv",
    "é #1.csv",
    "1e3",
    "true",
    "a\\'b.csv",
    "100%.csv",
)
PORTFOLIO = "project,family,scale,rate\na,log,10,0.1\nb,log,5,0.1\n"


@pytest.mark.parametrize("name", NAMES)
def test_a_file_may_have_any_name(engine: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(PORTFOLIO)
    done = engine("allocate", f"portfolio={name}", "budget=7", "format=json")
    assert done.returncode == 0, done.stderr
    assert '"effort": {"a": 7, "b": 0}' in done.stdout


def test_the_home_folder_and_the_keys_of_a_reading(
    engine: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "t.csv").write_text("Step,a - val/loss,b - val/loss,split\n0,4,4,val\n5,1,2,val\n5,0,0,x\n")
    keys = ("columns.effort=Step", "columns.performance=* - val/loss", "where.split=val", "direction=down")
    done = engine("allocate", "portfolio=~/t.csv", *keys, "budget=5", "format=json")
    assert done.returncode == 0, done.stderr
    assert '"effort": {"a": 5, "b": 0}, "value": -5.0' in done.stdout


def test_several_files_are_fitted_at_once(engine: Run, tmp_path: Path) -> None:
    for name in ("one.csv", "two, b.csv"):
        rows = [f"{step},{1 - step**-0.5}" for step in (1, 2, 4, 8, 16, 32)]
        (tmp_path / name).write_text("\n".join(["step,acc", *rows]))
    keys = ("columns.effort=step", "columns.performance=acc", "families=[power]", "draws=0", "output=out")
    done = engine("fit", "data=[one.csv,'two, b.csv']", *keys)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "portfolio.csv").read_text().splitlines()[2].startswith('"two, b",power')
    again = engine("fit", "data=*.csv", *keys)
    assert again.returncode == 0, again.stderr


def test_a_list_of_names_that_need_quotes_says_so(engine: Run) -> None:
    done = engine("fit", "data=[response (13).csv,b.csv]")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert """expected quotes around names with such signs: data='["a, b.csv",c.csv]'""" in done.stderr


text = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12)


def is_name(word: str) -> bool:
    """Whether a word is meant as it stands: in quotes, a null and an interpolation are not."""
    return "${" not in word and word[0] not in "'\"" and word.lower() not in ("null", "???")


@given(name=text.filter(is_name))
def test_what_is_typed_is_what_is_read(name: str) -> None:
    parse = OverridesParser.create().parse_override
    (argument,) = as_hydra_reads(AllocateConfig, [f"portfolio={name}"])
    assert parse(argument).value() == name


AS_THEY_ARE = (
    (AllocateConfig, "budget=1e3"),
    (AllocateConfig, "solver=exact"),
    (AllocateConfig, "portfolio='plan, v2.csv'"),
    (AllocateConfig, "portfolio=textbook"),
    (AllocateConfig, "--help"),
    (AllocateConfig, "hydra/launcher=slurm"),
    (FitConfig, "output=null"),
    (FitConfig, "output=fits/${now:%H}"),
    (FitConfig, "data=[a.csv,b.csv]"),
    (FitConfig, "families=[log,hill]"),
    (SWEEP.schema, "run.output=out"),
)


@pytest.mark.parametrize(("schema", "argument"), AS_THEY_ARE, ids=[argument for _, argument in AS_THEY_ARE])
def test_what_hydra_reads_well_is_left_to_it(schema: type, argument: str) -> None:
    assert as_hydra_reads(schema, [argument]) == [argument]


def test_many_runs_are_swept_by_commas_and_open_keys_are_marked() -> None:
    several = ["-m", "portfolio=a.csv,b.csv"]
    assert as_hydra_reads(AllocateConfig, several) == several
    assert as_hydra_reads(SWEEP.schema, ["sweep.grid.a.b=[1,2]"]) == ["++sweep.grid.a.b=[1,2]"]
    assert as_hydra_reads(FitConfig, ["where.Wall time=3"]) == ["++where.wall_time='3'"]
    assert as_hydra_reads(FitConfig, ["columns.effort=Step"]) == ["++columns.effort=Step"]


def test_several_families_of_curves_may_be_chosen() -> None:
    check_overrides(["curves@scenario.curves=[hill,log]", "solver=[exact,greedy]"])
    with pytest.raises(ValueError, match="expected one name"):
        check_overrides(["scenario=[staged,textbook]"])
