"""What a command imports before it answers: what it needs and no more."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.cli.main import command_names

HEAVY = ("jax", "numpy", "pandas", "pyarrow", "matplotlib", "rich")
SCRIPT = """
import json, sys
from engine.cli.main import main
sys.argv[0] = "engine"
code = 0
try:
    main()
except SystemExit as end:
    code = end.code or 0
print(json.dumps([code, sorted({name.split(".")[0] for name in sys.modules})]), file=sys.stderr)
"""


def modules(tmp_path: Path, environment: dict[str, str], *arguments: str) -> tuple[int, set[str]]:
    """The exit code of a command in a fresh process, and what it has imported."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    code, names = json.loads(done.stderr.splitlines()[-1])
    return code, set(names)


AT_ONCE = (
    (),
    ("--help",),
    ("--version",),
    ("allocat",),
    ("completion", "bash"),
    ("completion", "words", "bash", "engine allocate solver=gr"),
    ("completion", "words", "bash", "engine sweep sweep.grid.scenario."),
)


@pytest.mark.parametrize("arguments", AT_ONCE, ids=str)
def test_usage_version_and_an_unknown_command(
    tmp_path: Path, environment: dict[str, str], arguments: tuple[str, ...]
) -> None:
    code, found = modules(tmp_path, environment, *arguments)
    assert code == (2 if arguments == ("allocat",) else 0)
    assert not found & {*HEAVY, "hydra", "omegaconf", "yaml"}


WRONG = {
    "an unknown key": ("run", "run.portfolio=5"),
    "an unknown solver": ("allocate", "portfolio=textbook", "budget=3", "solver=magic"),
    "a wrong type": ("sweep", "run.portfolios=many"),
    "a key that is missing": ("budget_curve", "portfolio=textbook"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_composed(tmp_path: Path, environment: dict[str, str], what: str) -> None:
    code, found = modules(tmp_path, environment, *WRONG[what])
    assert code == 2
    assert not found & {*HEAVY}


def test_the_help_of_every_command(tmp_path: Path, environment: dict[str, str]) -> None:
    for name in command_names():
        code, found = modules(tmp_path, environment, name, "--help")
        assert code == 0
        assert not found & {*HEAVY, "hydra", "omegaconf", "yaml"}, name


def test_an_allocation_needs_no_tables_of_pandas_or_arrow_and_no_fits(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    code, found = modules(tmp_path, environment, "allocate", "portfolio=textbook", "budget=20")
    assert code == 0
    assert not found & {"pandas", "pyarrow", "matplotlib", "scipy"}
