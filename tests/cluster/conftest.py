"""The fixtures of whole commands serve clusters too."""

from tests.cli.conftest import environment, process

__all__ = ["environment", "process"]
