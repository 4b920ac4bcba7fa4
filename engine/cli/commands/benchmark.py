"""`engine benchmark`: solvers over test problems and published knapsacks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from engine.cli.command import Command
from engine.study.config import MonteCarloConfig


@dataclass
class BenchmarkConfig:
    """`engine benchmark`."""

    problems: list[str] = field(default_factory=list)
    sizes: list[Any] = field(default_factory=list)
    solver: dict[str, Any] = field(default_factory=dict)
    run: MonteCarloConfig = field(default_factory=MonteCarloConfig)


def benchmark(config: BenchmarkConfig) -> None:
    """`engine benchmark`."""
    from engine.cli.comparing import benchmark_command

    benchmark_command(config)


COMMAND = Command(
    "solvers over test problems and published knapsacks",
    "engine benchmark 'sizes=[[20,300]]'",
    BenchmarkConfig,
    benchmark,
)
