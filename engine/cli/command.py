"""What commands share."""

from __future__ import annotations

import importlib
from typing import Any


def load_with_figures(name: str) -> Any:
    """A module that needs `engine[figures]`.

    **Raises:** `ValueError` without it.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in ("matplotlib", "jinja2"):
            raise
        raise ValueError(
            'matplotlib and Jinja2 are missing, expected pip install "engine[figures]"'
        ) from None
