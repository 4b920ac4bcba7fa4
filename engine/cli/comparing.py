"""`engine benchmark`: solvers over test problems and published knapsacks."""

from __future__ import annotations

import sys
from typing import Any

import jax
import numpy as np
from omegaconf import OmegaConf

from engine.allocation.allocate import MOST_BUDGET
from engine.cli.commands.benchmark import BenchmarkConfig
from engine.cli.sheet import show
from engine.cli.tables import comparison_table
from engine.files.folders import open_folder, write_text
from engine.study.comparison import Comparison, compare
from engine.study.manifest import machine_facts
from engine.study.plan import check_run, checked_solvers
from engine.study.records import write_comparison


def benchmark_command(config: BenchmarkConfig) -> None:
    """`engine benchmark`."""
    run = check_run(config.run)
    solvers = checked_solvers(config.solver)
    sizes = [_check_size(size) for size in config.sizes]
    if not config.problems or not sizes:
        raise ValueError(f"{'sizes' if config.problems else 'problems'} is empty, expected at least one")
    comparison = Comparison(
        config.problems, sizes, solvers, run.portfolios, run.seed, run.block, np.dtype(run.dtype)
    )
    rows: list[dict[str, Any]] = []
    with jax.enable_x64(True):
        studies = comparison.studies()
        folder = open_folder(run.output)
        write_text(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.structured(config)))
        for number, found in enumerate(compare(comparison), start=1):
            rows += found
            write_comparison(folder, rows, machine_facts())
            size = "{problem}, {projects} projects, budget {budget}".format(**found[0])
            print(f"engine: {number} of {len(studies)}: {size}", file=sys.stderr)
    show(comparison_table(rows))
    print(f"engine: results in {folder}", file=sys.stderr)


def _check_size(size: Any) -> tuple[int, int]:
    """A pair of whole numbers."""
    pair = list(size) if isinstance(size, (list, tuple)) else []
    if len(pair) != 2 or not all(isinstance(n, int) and 1 <= n <= MOST_BUDGET for n in pair):
        raise ValueError(f"sizes has {size!r}, expected pairs of projects and budget: sizes=[[20,300]]")
    return pair[0], pair[1]
