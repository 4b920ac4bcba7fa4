"""The documentation is true: its Python runs, and its commands print what the page shows.

Blocks of one page run in turn, in one empty folder and one namespace:

- ```python runs, and the ```output after it, if there is one, is what it prints, compared word by word;
- ```console holds lines `$ command`, each followed by what it prints to standard output, compared likewise;
- `...` in what is printed stands for anything;
- a block that follows `<!-- file: NAME -->` is written to that file first.
"""

from __future__ import annotations

import contextlib
import doctest
import inspect
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import engine
from engine.model.curves.base import Smooth
from engine.planning.policies import POLICIES
from tests.cli.conftest import Done, run_here

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
BLOCK = re.compile(
    r"^(?:<!-- file: (?P<file>\S+) -->\n)?```(?P<language>\w+)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE
)
# Rates, times and versions differ from run to run.
LENIENT = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


# What only a shell understands; and how a page shows an error.
SIGNS, FORGIVEN = "|>$&;", " 2>&1 || true"


class Block(NamedTuple):
    line: int
    language: str
    body: str
    file: str | None


def blocks_of(page: Path) -> list[Block]:
    """The code blocks of a page, in order."""
    text = page.read_text()
    return [
        Block(text.count("\n", 0, found.start()) + 1, found["language"], found["body"], found["file"])
        for found in BLOCK.finditer(text)
    ]


def run_console(body: str, folder: Path) -> None:
    """Run each `$ command` and compare what it prints."""
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        # A command goes on after a backslash.
        length = 1
        while lines[length - 1].endswith("\\"):
            length += 1
        command, expected = "\n".join(lines[:length]), "\n".join(lines[length:])
        done = run_line(command, folder)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        if expected.strip():
            check_output(command, expected, done.stdout)


def run_line(command: str, folder: Path) -> Done:
    """Run a line of a console: a plain `engine ...`, or its error, in this process, others by bash."""
    words = shlex.split(command.replace("\\\n", ""))
    if command.endswith(FORGIVEN) and not any(sign in command.removesuffix(FORGIVEN) for sign in SIGNS):
        done = run_here(tuple(words[1:-3]), folder)
        return Done(0, done.stderr + done.stdout, "")
    plain = words[0] == "engine" and not any(sign in command for sign in SIGNS)
    if plain and "--multirun" not in words:
        return run_here(tuple(words[1:]), folder)
    bin_folder = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": bin_folder + os.pathsep + os.environ["PATH"]}
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=600
    )
    return Done(done.returncode, done.stdout, done.stderr)


def check_output(source: str, expected: str, printed: str) -> None:
    """What was printed is what the page shows."""
    matches = doctest.OutputChecker().check_output(expected.strip() + "\n", printed.strip() + "\n", LENIENT)
    assert matches, f"{source}\nprinted\n{printed}\ninstead of\n{expected}"


@pytest.fixture
def own_solvers() -> Iterator[None]:
    """What a page enters into `engine.SOLVERS` or `POLICIES` ends with it."""
    registries: tuple[dict[str, Any], ...] = (engine.SOLVERS, POLICIES)
    before = [dict(registry) for registry in registries]
    yield
    for registry, names in zip(registries, before, strict=True):
        registry.clear()
        registry.update(names)


@pytest.mark.slow
@pytest.mark.usefixtures("own_solvers")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    namespace: dict[str, object] = {}
    printed = io.StringIO()
    for block in blocks_of(page):
        if block.file:
            (tmp_path / block.file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / block.file).write_text(block.body)
        elif block.language == "python":
            # Padded, so that a traceback names the page's own line.
            source = "\n" * block.line + block.body
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(compile(source, str(page), "exec"), namespace)
        elif block.language == "output":
            check_output(f"{page}:{block.line}", block.body, printed.getvalue())
        elif block.language == "console":
            run_console(block.body, tmp_path)


def test_the_reference_leaves_nothing_out() -> None:
    """Every public name, and every file of the configuration that somebody may choose."""
    reference = "\n".join(page.read_text() for page in (DOCS / "reference").glob("*.md"))
    for name in engine.__all__:
        assert re.search(rf":: (engine\.)?{name}$", reference, re.MULTILINE), name
    for solver in engine.SOLVERS:
        assert f"## {solver}\n" in reference, solver
    configs = DOCS.parent / "configs"
    for folder in ("", "scenario", "curves", "grid", "hydra/launcher"):
        for path in (configs / folder).glob("*.yaml"):
            assert f"../../configs/{path.relative_to(configs)}\n" in reference, path


def test_every_method_of_a_curve_has_a_docstring() -> None:
    """Its own or that of the method it overrides, which Ruff cannot see; Ruff checks all else."""
    for family in (engine.Curve, Smooth, engine.Mixture, *engine.FAMILIES.values()):
        for method, thing in vars(family).items():
            if inspect.isroutine(thing) and not method.startswith("_"):
                assert inspect.getdoc(getattr(family, method)), f"{family.__name__}.{method}"
