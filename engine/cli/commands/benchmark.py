"""`engine benchmark`: solvers over test problems and published knapsacks."""

from __future__ import annotations

import sys
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
    """`engine benchmark`: a study over problems and sizes."""
    from engine.cli.compose import again, studied_overrides
    from engine.cli.computing import compute
    from engine.study.plan import benchmark_manifest, check_run, checked_solvers

    run = check_run(config.run)
    solvers = checked_solvers(config.solver)
    sizes = [_checked_size(size) for size in config.sizes]
    if not config.problems or not sizes:
        raise ValueError(f"{'sizes' if config.problems else 'problems'} is empty, expected at least one")
    for key, values in (("problems", config.problems), ("sizes", sizes)):
        if len(set(values)) < len(values):
            raise ValueError(f"{key} is {list(values)}, expected values that differ")
    manifest = benchmark_manifest(config.problems, sizes, solvers, run, studied_overrides())
    if code := compute(manifest, run.output, again("benchmark", run.output)):
        sys.exit(code)


def _checked_size(size: Any) -> tuple[int, int]:
    """A pair of whole numbers."""
    from engine.allocation.allocate import MOST_BUDGET

    pair = list(size) if isinstance(size, (list, tuple)) else []
    if len(pair) != 2 or not all(isinstance(n, int) and 1 <= n <= MOST_BUDGET for n in pair):
        raise ValueError(f"sizes has {size!r}, expected pairs of projects and budget: sizes=[[20,300]]")
    return pair[0], pair[1]


COMMAND = Command(
    "solvers over test problems and published knapsacks",
    (
        "engine benchmark 'sizes=[[20,300]]'  # every problem, of 20 projects and a budget of 300",
        "engine benchmark 'problems=[log,staged]' 'solver=[greedy,exact]'  # two problems, two solvers",
        "engine benchmark 'sizes=[[10,100],[20,200]]' run.portfolios=64  # two sizes, fewer instances",
    ),
    BenchmarkConfig,
    benchmark,
)
