"""Where things are: the configurations that ship, and what a user names."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import Any

from engine.model.naming import nearest

# A value that has to be given, as OmegaConf writes it; schemas do without its import.
MISSING: Any = "???"
# What the portfolios that ship are written in.
TABLES = (".csv", ".yaml")


def one_of_these(*values: str) -> Any:
    """A key of a schema that is one of these words, for whoever checks and completes it."""
    return field(default=MISSING, metadata={"values": values})


def config_folder() -> Path:
    """The YAML files: inside the installed package, or at the top of a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def portfolio_names() -> list[str]:
    """The portfolios that ship with the package."""
    return sorted(path.stem for path in (config_folder() / "portfolios").iterdir() if path.suffix in TABLES)


def portfolio_path(name: Any, what: str = "a portfolio's file") -> Path:
    """A file, or else the portfolio of this name that ships with the package.

    **Raises:** `ValueError` for what is no name, and for one that is nearly that of such a portfolio.
    """
    path = as_path(name, what)
    if len(path.parts) != 1 or path.is_file():
        return path
    for ending in TABLES:
        shipped = config_folder() / "portfolios" / f"{path}{ending}"
        if shipped.is_file():
            return shipped
    known = portfolio_names()
    if near := nearest(str(path), known):
        raise ValueError(
            f"{path}: is no file: did you mean {near}? expected a file, or one that ships: {', '.join(known)}"
        )
    return path


def as_path(name: Any, what: str) -> Path:
    """The path of what a user names.

    **Raises:** `ValueError` saying what was expected, for what is no name.
    """
    try:
        return Path(name).expanduser()
    except TypeError:
        raise ValueError(f"expected the name of {what}, got {type(name).__name__}") from None
