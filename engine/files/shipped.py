"""The configurations that ship: where they are."""

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
