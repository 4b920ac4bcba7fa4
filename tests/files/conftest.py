"""What the tests of files share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

WriteBet = Callable[..., Path]


@pytest.fixture
def write_bet(tmp_path: Path) -> WriteBet:
    """Write a file of given text."""

    def write_file(text: str, name: str = "bet.csv") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write_file
