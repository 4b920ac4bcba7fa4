"""Whole commands, run as a user runs them: the installed `engine`, in an empty folder."""

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


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment of commands."""
    return dict(os.environ)


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
