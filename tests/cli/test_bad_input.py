"""Whatever is wrong with the input: one line that names it, exit code 2, no traceback, nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run

LOG = "project,family,scale,rate,lower,upper\na,log,1,1,0,5\n"
ALLOCATE = ("allocate", "portfolio=p.csv", "budget=3")

BAD_FILES = {
    "a column that is misspelt": ("project,family,scale,rates\na,log,1,1\n", "did you mean rate?"),
    "no column of the name": ("project,efort,performance\na,1,1\n", "saw project, efort"),
    "a number that could be two": ('project,effort,performance\na,"1,500",2\n', "decimal=point"),
    "unknown family": ("project,family,scale\na,parabola,1\n", "parabola"),
    "missing parameter": ("project,family,scale\na,log,1\n", "rate"),
    "negative parameter": ("project,family,scale,rate\na,log,1,-1\n", "rate is -1"),
    "NaN parameter": ("project,family,scale,rate\na,log,nan,1\n", "scale is NaN"),
    "power exponent 0": ("project,family,scale,exponent,shift\na,power,1,0,1\n", "exponent is 0"),
    "power exponent 1": ("project,family,scale,exponent,shift\na,power,1,1,1\n", "exponent is 1"),
    "two performances for one effort": ("project,effort,performance\na,0,1\na,0,2\n", "two performances"),
    "a cell that is no number": ("project,family,scale,rate\na,log,high,1\n", "'high'"),
    "lower above upper": (LOG.replace("0,5", "6,5"), "lower is 6"),
    "lower limits above the budget": (LOG.replace("0,5", "4,5"), "budget 3"),
    "no projects": ("project,family\n", "no projects"),
    "an empty file": ("", "is empty"),
    "a short row": ("project,family,scale,rate\na,log,1\n", "line 2"),
    "the same project twice": ("project,family,scale,rate\na,log,1,1\na,log,1,1\n", "twice"),
}


def refused(done: object, *names: str) -> None:
    assert done.returncode == 2, done  # type: ignore[attr-defined]
    assert done.stdout == ""  # type: ignore[attr-defined]
    lines = done.stderr.strip().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 1, lines
    assert lines[0].startswith("engine: ")
    for name in names:
        assert name in lines[0]


@pytest.mark.parametrize("what", BAD_FILES)
def test_bad_files(engine: Run, tmp_path: Path, what: str) -> None:
    text, named = BAD_FILES[what]
    (tmp_path / "p.csv").write_text(text)
    refused(engine(*ALLOCATE), named, "" if named == "budget 3" else "p.csv")


BAD_ARGUMENTS = {
    "unknown problem": (("benchmark", "problems=[parabola]"), ("unknown problem 'parabola'",)),
    "no problem": (("benchmark", "problems=[]"), ("problems is empty",)),
    "no size": (("benchmark", "sizes=[]"), ("sizes is empty",)),
    "a size that is no pair": (("benchmark", "sizes=[20]"), ("sizes has 20", "pairs")),
    "fewer units than projects": (("benchmark", "sizes=[[20,10]]"), ("budget 10",)),
    "missing file": (("allocate", "portfolio=none.csv", "budget=3"), ("none.csv",)),
    "a folder for a file": (("allocate", "portfolio=.", "budget=3"), (".: cannot be read",)),
    "no portfolio": (("allocate", "budget=3"), ("portfolio is missing",)),
    "no budget": (("allocate", "portfolio=textbook"), ("budget is missing",)),
    "negative budget": (("allocate", "portfolio=textbook", "budget=-1"), ("budget is -1",)),
    "NaN budget": (("allocate", "portfolio=textbook", "budget=nan"), ("budget is nan",)),
    "astronomic budget": (("allocate", "portfolio=textbook", "budget=1e30"), ("1e+30",)),
    "budget too large to count": (
        ("allocate", "portfolio=textbook", "budget=1e9", "solver=density"),
        ("1e+09", "exact or continuous"),
    ),
    "a word for a budget": (("allocate", "portfolio=textbook", "budget=much"), ("budget=much",)),
    "unknown format": (("allocate", "portfolio=textbook", "budget=1", "format=xml"), ("'xml'",)),
    "two solvers for one allocation": (
        ("allocate", "portfolio=textbook", "budget=1", "solver=[exact,greedy]"),
        ("one solver",),
    ),
    "unknown solver": (("run", "solver=[greedy,magic]"), ("solver 'magic'", "exact")),
    "unknown single solver": (("allocate", "portfolio=textbook", "budget=1", "solver=magic"), ("'magic'",)),
    "unknown scenario": (("run", "scenario=utopia"), ("scenario 'utopia'", "staged")),
    "unknown key": (("run", "run.portfolio=5"), ("run.portfolio",)),
    "wrong type": (("run", "run.portfolios=many"), ("run.portfolios", "many")),
    "zero portfolios": (("run", "run.portfolios=0"), ("run.portfolios is 0",)),
    "negative run budget": (("run", "budget=-5"), ("budget is -5",)),
    "NaN run budget": (("run", "budget=nan"), ("budget is nan",)),
    "astronomic run budget": (("run", "budget=1e14"), ("1e+14",)),
    "unknown precision": (("run", "run.dtype=float16"), ("'float16'",)),
    "bad option": (("run", "solver=[greedy]", "solver.greedy.marginal=luck"), ("marginal", "luck")),
    "unknown option": (("run", "solver.greedy.speed=9"), ("solver.greedy.speed",)),
    "a prior outside its domain": (
        ("run", "scenario=s_shaped", "scenario.curves.hill.parameters.exponent.low=-1"),
        ("scenario.curves.hill.parameters.exponent",),
    ),
    "no chance": (
        ("run", "scenario=platform", "scenario.spillover.chance=2"),
        ("scenario.spillover.chance is 2.0, expected a probability",),
    ),
    "a platform too many": (
        ("sweep", "scenario=platform", "scenario.spillover.platforms=8"),
        ("scenario.spillover.platforms is 8, expected a whole number from 1 to 7",),
    ),
    "a word for a platform's own return": (
        ("run", "scenario=platform", "scenario.spillover.own=much"),
        ("scenario.spillover.own", "much"),
    ),
    "a method of platforms where there are none": (
        ("run", "solver=[coupled]"),
        ("solver coupled is of effort that spills over",),
    ),
    "more plans than are looked at": (
        ("run", "scenario=platform", "solver=[enumeration]"),
        ("more than its limit of 2,000,000",),
    ),
    "unknown distribution": (("run", "scenario.weight.dist=cauchy"), ("scenario.weight.dist", "cauchy")),
    "half a prior": (("run", "scenario.lower.dist=fixed"), ("scenario.lower.value is missing",)),
    "unwritable output folder": (("run", "run.output=/proc/nowhere"), ("run.output /proc/nowhere",)),
    "a file for an output folder": (("run", "run.output=/etc/passwd"), ("run.output /etc/passwd",)),
    "an added key": (("run", "+run.foo=1"), ("run.foo",)),
    "no solver": (("allocate", "portfolio=textbook", "budget=1", "solver=null"), ("override",)),
    "unreadable override": (("run", "solver=[greedy"), ("solver=[greedy",)),
    "budget and target": (
        ("allocate", "portfolio=textbook", "budget=9", "target.price=1"),
        ("budget and target.price are given",),
    ),
    "two targets": (
        ("allocate", "portfolio=textbook", "target.value=9", "target.price=1"),
        ("target.value and target.price are given",),
    ),
    "a unit of nothing": (
        ("allocate", "portfolio=textbook", "budget=100", "unit=0"),
        ("unit is 0", "a number above 0, or auto"),
    ),
    "a unit of real effort": (
        ("allocate", "portfolio=textbook", "budget=100", "unit=5", "solver=waterfilling"),
        ("unit is for whole units",),
    ),
    "a target out of reach": (
        ("allocate", "portfolio=textbook", "target.value=1e6"),
        ("target value is 1e+06", "returns more than 3523.1924"),
    ),
    "a return out of reach": (
        ("allocate", "portfolio=textbook", "target.return_per_unit=50"),
        ("target return_per_unit is 50", "returns more than 20.794415 per unit on average"),
    ),
    "a target beyond counting": (
        ("allocate", "portfolio=textbook", "target.price=1e-9"),
        ("target price is 1e-09", "solver=waterfilling"),
    ),
    "a price of nothing": (
        ("allocate", "portfolio=textbook", "target.price=0"),
        ("target price is 0", "above 0"),
    ),
    "a word for a target": (
        ("allocate", "portfolio=textbook", "target.value=much"),
        ("target.value", "much"),
    ),
    "an unknown target": (("allocate", "portfolio=textbook", "target.roi=2"), ("target.roi",)),
    "a target for a solver that finds none": (
        ("allocate", "portfolio=textbook", "target.value=9", "solver=greedy"),
        ("'greedy'", "exact"),
    ),
    "no budget_curve budget": (("budget_curve", "portfolio=textbook"), ("budget is missing",)),
    "negative budget_curve budget": (("budget_curve", "portfolio=textbook", "budget=-1"), ("budget is -1",)),
    "budget_curve budget too large": (("budget_curve", "portfolio=textbook", "budget=1e9"), ("1e+09",)),
    "unknown budget_curve format": (
        ("budget_curve", "portfolio=textbook", "budget=1", "format=xml"),
        ("'xml'", "csv"),
    ),
    "unknown budget_curve solver": (
        ("budget_curve", "portfolio=textbook", "budget=1", "solver=greedy"),
        ("'greedy'", "waterfilling"),
    ),
    "no budget_curve rows": (("budget_curve", "portfolio=textbook", "budget=1", "rows=0"), ("rows is 0",)),
    "missing budget_curve file": (("budget_curve", "portfolio=none.csv", "budget=1"), ("none.csv",)),
    "unknown command": (("fly",), ("unknown command 'fly', expected one of allocate", "run")),
}
# What is mistyped, and what it was meant to be.
MEANT = {
    ("alocate",): "unknown command 'alocate': did you mean allocate? expected one of allocate, ",
    ("allocate", "portfolio=textbook", "budgt=3"): "Could not override 'budgt'",
    ("run", "run.portfolio=5"): "run.portfolios",
    ("run", "portfolios=5"): "unknown key portfolios: did you mean run.portfolios?",
    ("run", "budgt=3", "run.portfolio=5"): "did you mean budget?",
    ("run", "scenario.project=3"): "did you mean scenario.projects?",
    ("run", "--multirun", "scenario.project=3,4"): "did you mean scenario.projects?",
    ("run", "scenario=s_shaped", "scenario.curves.hill.parameters.exponnt.low=1"): "exponent.low?",
    ("run", "scenario.weigth=2"): "did you mean scenario.weight?",
    ("run", "scenario=stage"): "unknown scenario 'stage': did you mean staged? expected one of ",
    ("run", "+run.portfolio=5"): "unknown key run.portfolio: did you mean portfolios? expected one of ",
    ("run", "~sover"): "did you mean solver?",
    ("sweep", "grid=how_many_bets"): "unknown key grid: did you mean grid@sweep.grid?",
    ("sweep", "grid@sweep.grid=how_many"): "unknown grid 'how_many': did you mean how_many_bets? expected",
    ("fit", "data=a.csv", "colums.effort=Step"): "did you mean columns.effort?",
    ("allocate", "portfolio=textbok", "budget=3"): "textbok: is no file: did you mean textbook? expected a",
    ("allocate", "portfolio=textbook", "budget=3", "solver=gredy"): "'gredy': did you mean greedy? expected",
    ("run", "solver=greedy", "solver.greedy.marginl=slope"): "did you mean solver.greedy.marginal?",
    ("run", "solver.greedy.speed=9"): "expected a key that engine run --cfg job shows",
    ("allocate", "portfolio=textbook", "budget=3", "format=jsn"): "format is 'jsn': did you mean json?",
    ("run", "xyzzy=9"): "expected a key that engine run --help shows",
    ("plan", "draws=uncertain", "budget=3", "policy=rollin"): "'rollin': did you mean rolling? expected one",
}


@pytest.mark.parametrize("arguments", MEANT, ids=" ".join)
def test_what_is_mistyped_is_offered(engine: Run, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    refused(engine(*arguments), MEANT[arguments])
    assert list(tmp_path.iterdir()) == []


def test_a_choice_of_the_users_own_is_offered(engine: Run, tmp_path: Path) -> None:
    (tmp_path / "my" / "scenario").mkdir(parents=True)
    (tmp_path / "my" / "scenario" / "utopia.yaml").write_text("defaults: [staged, _self_]\nskew: 1.0\n")
    refused(engine("run", "--config-dir", "my", "scenario=utopa"), "did you mean utopia?")
    mistyped = engine("run", "--config-dir", "my", "scenario=utopia", "scenario.skw=2")
    refused(mistyped, "did you mean scenario.skew?")


@pytest.mark.parametrize("what", BAD_ARGUMENTS)
def test_bad_arguments(engine: Run, tmp_path: Path, what: str) -> None:
    arguments, named = BAD_ARGUMENTS[what]
    refused(engine(*arguments), *named)
    assert list(tmp_path.iterdir()) == []
