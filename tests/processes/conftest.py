"""The fixtures of whole commands, of processes of their own above all."""

from tests.cli.conftest import engine, environment, process, start

__all__ = ["engine", "environment", "process", "start"]
