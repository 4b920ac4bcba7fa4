"""Whole commands, run as a user runs them: the installed `engine`, in an empty folder.

They share one cache of compiled code, which is not the user's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., "subprocess.Popen[str]"]

ENGINE = str(Path(sys.executable).parent / "engine")


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of commands, with a cache folder of this test run."""
    shared = tmp_path_factory.getbasetemp().parent / "cache"  # the same for all of xdist's workers
    return {**os.environ, "XDG_CACHE_HOME": str(shared)}


@pytest.fixture
def engine(tmp_path: Path, environment: dict[str, str]) -> Run:
    """Run `engine` with these arguments in an empty folder."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ENGINE, *arguments],
            cwd=tmp_path,
            env={**environment, **variables},
            capture_output=True,
            text=True,
            timeout=600,
        )

    return run


@pytest.fixture
def start(tmp_path: Path, environment: dict[str, str]) -> Start:
    """Start `engine` with these arguments in the same empty folder, and do not wait for it."""

    def popen(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [ENGINE, *arguments],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return popen
