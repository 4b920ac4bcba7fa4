"""Where things are: the configurations that ship, and what a user names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

# A value that has to be given, as OmegaConf writes it; schemas do without its import.
MISSING: Any = "???"


def config_folder() -> Path:
    """The YAML files: inside the installed package, or at the top of a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def as_path(name: Any, what: str) -> Path:
    """The path of what a user names.

    **Raises:** `ValueError` saying what was expected, for what is no name.
    """
    try:
        return Path(name).expanduser()
    except TypeError:
        raise ValueError(f"expected the name of {what}, got {type(name).__name__}") from None
