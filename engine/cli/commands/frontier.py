"""`engine frontier`: the optimum of every budget at once, and its price."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import dataclass, field
from typing import Any

from engine.cli.command import Command, ReadingConfig, one_solver
from engine.cli.words import noted
from engine.files.shipped import MISSING


@dataclass
class FrontierConfig(ReadingConfig):
    """`engine frontier`."""

    portfolio: str = MISSING
    budget: float = MISSING
    unit: Any = MISSING
    solver: dict[str, Any] = field(default_factory=dict)
    format: str = MISSING
    rows: int = MISSING


def frontier(config: FrontierConfig) -> None:
    """`engine frontier`."""
    from engine.allocation.frontier import budget_frontier
    from engine.cli.sheet import show
    from engine.cli.tables import frontier_table
    from engine.cli.waiting import waiting
    from engine.files.portfolios import load_portfolio, portfolio_path

    if config.format not in ("table", "json", "csv"):
        raise ValueError(f"format is {config.format!r}, expected table, json or csv")
    if config.rows < 2:
        raise ValueError(f"rows is {config.rows}, expected a number of at least 2")
    solver, _ = one_solver(config.solver)
    with noted() as warnings, waiting(f"every budget by {solver}"):
        portfolio = load_portfolio(portfolio_path(config.portfolio), **config.reading())
        frontier = budget_frontier(portfolio, config.budget, solver, unit=config.unit)
    if config.format == "table":
        show(frontier_table(frontier, config.budget, config.rows))
    elif config.format == "json":
        print(json.dumps({**frontier.to_dict(), "warnings": warnings}))
    else:
        columns = frontier.columns()
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


COMMAND = Command(
    "the optimum of every budget at once, and its price",
    "engine frontier portfolio=FILE budget=100",
    FrontierConfig,
    frontier,
)
