"""The examples that help shows, run one after another in one folder, on less than they say."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

from engine.cli.main import command_of
from tests.cli.conftest import Run
from tests.test_docs import DOCS, blocks_of

EFFORTS = (1, 2, 4, 8, 16)
MEASURED = [f"{project},{effort},{1 - (1 + effort) ** -0.5}" for project in "ab" for effort in EFFORTS]
FILES = {
    "measurements.csv": "\n".join(["project,effort,performance", *MEASURED]),
    "runs.csv": "\n".join(["project,effort,loss", *MEASURED]),
    "spending.csv": "project,period,effort,seen\ndemand forecast,1,3,\n",
}
# Those that go on with what others have found come after them; the page that is dragged is no example here.
IN_ORDER = ("allocate", "benchmark", "fit", "plan", "responses", "run", "sweep", "textbook")
AFTERWARDS = ("figures", "replay", "report", "status")
SMALL = {
    "benchmark": ("problems=[log]", "run.portfolios=2", "run.block=2"),
    "run": ("run.portfolios=8", "run.block=8"),
    "sweep": ("run.portfolios=16", "run.block=4"),
    "textbook": ("run.portfolios=8", "run.block=8", "concave.skew=[0.0,1.0]", "staged.skew=[0.0,1.0]"),
    "fit": ("draws=8",),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_examples_work(engine: Run, tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    for block in blocks_of(DOCS / "how_to" / "marketing.md"):
        if block.file:
            (tmp_path / block.file).parent.mkdir(exist_ok=True)
            (tmp_path / block.file).write_text(block.body)
    for name in (*IN_ORDER, *AFTERWARDS):
        for example in command_of(name).examples:
            if name == "textbook" and example != command_of(name).examples[0]:
                continue  # the same in other numbers, and it draws all figures
            words = shlex.split(example, comments=True)[1:]
            done = engine(*words, *SMALL.get(name, ()))
            assert done.returncode == 0, f"{example}\n{done.stderr}"
            if name in ("benchmark", "run"):  # two within a second would have a folder of the same name
                shutil.rmtree(tmp_path / "outputs" / name)
