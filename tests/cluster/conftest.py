"""The fixtures of whole commands serve clusters too."""

from tests.cli.conftest import engine, environment

__all__ = ["engine", "environment"]
