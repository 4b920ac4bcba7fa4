"""Whole commands in an empty folder: in this process where nothing is lost by it, else in their own."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import jax
import pytest
from hydra.core.global_hydra import GlobalHydra

from engine.cli import waiting
from engine.cli.main import main


def read_terminal(leader: int) -> bytes:
    """All that is written to a pseudo-terminal, until nobody has its other end any more."""
    shown = b""
    while True:
        try:
            part = os.read(leader, 4096)
        except OSError:
            return shown
        if not part:
            return shown
        shown += part


@dataclass(frozen=True)
class Done:
    """What a command came to, as `subprocess.run` tells it."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]
Start = Callable[..., "subprocess.Popen[str]"]

# What a command that takes seconds says meanwhile, which on a busy machine any of them may.
WAITING = re.compile(r"^engine: .* so far.*\n", re.MULTILINE)

ENGINE = str(Path(sys.executable).parent / "engine")


DEFAULTS_OF_JAX = {
    "jax_enable_x64": False,
    "jax_numpy_dtype_promotion": "standard",
    "jax_numpy_rank_promotion": "allow",
}


@contextlib.contextmanager
def defaults_of_jax() -> Iterator[None]:
    """What the tests make strict is as a user has it, on all threads: commands evaluate on several."""
    strict = {name: getattr(jax.config, name) for name in DEFAULTS_OF_JAX}
    try:
        for name, setting in DEFAULTS_OF_JAX.items():
            jax.config.update(name, setting)
        yield
    finally:
        for name, setting in strict.items():
            jax.config.update(name, setting)


def run_here(arguments: tuple[str, ...], folder: Path, variables: dict[str, str] | None = None) -> Done:
    """Run `engine` with these arguments in this process, from this folder."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(), defaults_of_jax():
        warnings.simplefilter("default")
        patch.chdir(folder)
        patch.setattr(waiting, "LOG_SECONDS", 600.0)  # a busy machine is no part of what a command says
        patch.setattr(sys, "argv", ["engine", *arguments])
        for name, value in (variables or {}).items():
            patch.setenv(name, value)
        patch.setenv("HYDRA_FULL_ERROR", "1")
        GlobalHydra.instance().clear()
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        finally:
            GlobalHydra.instance().clear()
    return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment of processes."""
    return dict(os.environ)


@pytest.fixture
def engine(tmp_path: Path) -> Run:
    """Run `engine` with these arguments in an empty folder, in this process."""

    def run(*arguments: str, **variables: str) -> Done:
        return run_here(arguments, tmp_path, variables)

    return run


@pytest.fixture
def process(tmp_path: Path, environment: dict[str, str]) -> Run:
    """The same in a process of its own: for what a process is needed for."""

    def run(*arguments: str, **variables: str) -> Done:
        done = subprocess.run(
            [ENGINE, *arguments],
            cwd=tmp_path,
            env={**environment, **variables},
            capture_output=True,
            text=True,
            timeout=600,
        )
        return Done(done.returncode, done.stdout, WAITING.sub("", done.stderr))

    return run


@pytest.fixture
def start(tmp_path: Path, environment: dict[str, str]) -> Start:
    """Start `engine` in a process of its own in the same empty folder, and do not wait for it."""

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
