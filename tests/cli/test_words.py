"""One name for one thing: what was renamed goes by its old name for a release, with a warning."""

from __future__ import annotations

import importlib.util

import pytest

import engine as library
from engine.cli import main
from tests.cli.conftest import Run


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


def test_frontier_is_a_projects_last_stage_alone() -> None:
    """No public name, module or command calls the budget curve so."""
    assert not [name for name in library.__all__ if "frontier" in name.lower()]
    assert not [name for name in main.command_names() if "frontier" in name]
    for module in ("frontier", "risk_frontier"):
        assert importlib.util.find_spec(f"engine.allocation.{module}") is None
