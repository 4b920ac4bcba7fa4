"""What the extras of `pyproject.toml` bring is not always there: how to get it, from wherever engine runs."""

from __future__ import annotations

import sys
from pathlib import Path

# The folder above the package: of a checkout, its top.
ABOVE = Path(__file__).resolve().parents[2]


def how_to_install(extra: str) -> str:
    """The command that brings an extra to this Python.

    A checkout is installed from where it stands, its own .venv by its own script; nothing else is known of
    an installed package than its name, which an index may know or not.
    """
    setup = ABOVE / "scripts" / "setup"
    if not setup.is_file():
        return f'pip install "engine[{extra}]" from where engine was installed'
    if Path(sys.prefix).resolve() == ABOVE / ".venv":
        here = Path.cwd() == ABOVE
        return f"{'./scripts/setup' if here else setup} {extra}"
    return f'pip install -e "{ABOVE}[{extra}]"'
