"""The house rules that can be read off the files: layers, who may import what, how long a file may be.

A module imports from its own package or from a lower layer, never from another package of its own layer; so
there are no circles between packages, and CONTRIBUTING's map is the folder listing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ENGINE = ROOT / "engine"
LAYERS = (
    {"model"},
    {"solvers"},
    {"bets", "resources", "rules"},
    {"periods"},
    {"allocation", "files", "planning"},
    {"fitting", "simulation", "advice"},
    {"study"},
    {"figures"},
    {"report", "live"},
    {"cli"},
)
FLOOR = {package: floor for floor, packages in enumerate(LAYERS) for package in packages}
# Where libraries that a part of the work needs may be imported; the others may be anywhere.
ONLY_IN = {
    "hydra": ("cli/",),
    "optax": ("bets/",),
    "rich": ("cli/",),
    "omegaconf": (
        "cli/",
        "study/plan.py",
        "study/config.py",
        "simulation/config.py",
        "simulation/catalogue.py",
    ),
    "matplotlib": ("figures/",),
    "jinja2": ("report/",),
    "pyarrow": ("files/", "fitting/folder.py", "fitting/prior.py", "study/", "cli/tables.py"),
    "scipy": ("fitting/", "files/mix_models/"),
    "pandas": ("files/", "allocation/"),
    "polars": ("files/",),
}
MATHEMATICS = {"jax", "numpy", "jaxtyping"}
STANDARD = {"__future__", "collections", "dataclasses", "difflib", "enum", "fractions", "functools"}
STANDARD |= {"inspect", "math", "re", "typing", "zlib"}
# What speaks to the user or ends the process.
WORLD = re.compile(r"(?<![\w.])print\(|\bsys\.exit\b|\bsys\.argv\b|\bos\.environ\b")
MOST_LINES, MOST_FUNCTION_LINES = 400, 45

FILES = sorted(ENGINE.rglob("*.py"))


def place(file: Path) -> str:
    return str(file.relative_to(ENGINE))


def package_of(file: Path) -> str:
    return file.relative_to(ENGINE).parts[0]


def imports(file: Path) -> Iterator[str]:
    """The modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{place(file)}: imports are absolute"
            yield str(node.module)


def inner(module: str) -> str | None:
    """The package of a module of ours; None for the top level."""
    parts = module.split(".")
    return parts[1] if parts[0] == "engine" and len(parts) > 1 else None


def test_every_package_has_a_floor() -> None:
    packages = {path.name for path in ENGINE.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert packages == set(FLOOR)
    assert {path.name for path in ENGINE.glob("*.py")} == {"__init__.py", "_version.py"}


@pytest.mark.parametrize("file", [f for f in FILES if f.parent != ENGINE], ids=place)
def test_a_module_imports_from_below(file: Path) -> None:
    mine = package_of(file)
    for module in imports(file):
        other = inner(module)
        if other in FLOOR and other != mine:
            assert FLOOR[other] < FLOOR[mine], f"{place(file)} imports {module}"
        assert module != "engine", f"{place(file)} imports the list of public names"


@pytest.mark.parametrize("file", FILES, ids=place)
def test_a_library_is_imported_where_it_belongs(file: Path) -> None:
    where = place(file)
    for module in imports(file):
        allowed = ONLY_IN.get(module.split(".")[0])
        assert allowed is None or where.startswith(allowed), f"{where} imports {module}"


@pytest.mark.parametrize("file", [f for f in FILES if package_of(f) in ("model", "solvers")], ids=place)
def test_the_mathematics_stands_on_jax_and_numpy(file: Path) -> None:
    known = MATHEMATICS | STANDARD | {"engine"}
    assert {module.split(".")[0] for module in imports(file)} <= known


@pytest.mark.parametrize("file", [f for f in FILES if package_of(f) != "cli"], ids=place)
def test_only_the_command_line_speaks(file: Path) -> None:
    if place(file) != "live/server.py":
        assert not WORLD.search(file.read_text()), place(file)


def test_benchmarks_do_without_the_tests() -> None:
    for file in (ROOT / "benchmarks").rglob("*.py"):
        assert not any(module.split(".")[0] == "tests" for module in imports(file)), file


@pytest.mark.parametrize("file", FILES, ids=place)
def test_nothing_is_long(file: Path) -> None:
    text = file.read_text()
    assert len(text.splitlines()) <= MOST_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            docstring = len((ast.get_docstring(node, clean=False) or "").splitlines())
            assert (node.end_lineno or 0) - node.lineno + 1 - docstring <= MOST_FUNCTION_LINES, node.name


def test_the_map_is_the_folder_listing() -> None:
    """CONTRIBUTING names every package once, in the order of the floors."""
    listed = re.findall(r"^    (\w+)/ ", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(FLOOR)
    assert [FLOOR[name] for name in listed] == sorted(FLOOR[name] for name in listed)
