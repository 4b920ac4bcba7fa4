"""`engine budget_curve`: the optimum of every budget at once, and its price."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.cli.command import Command, ReadingConfig, one_solver
from engine.cli.words import noted
from engine.files.shipped import MISSING, one_of_these

if TYPE_CHECKING:
    from engine.allocation.risk_curve import RiskCurve
    from engine.bets.uncertain import Uncertain


@dataclass
class BudgetCurveConfig(ReadingConfig):
    """`engine budget_curve`."""

    portfolio: str = MISSING
    budget: float = MISSING
    unit: Any = MISSING
    solver: dict[str, Any] = field(default_factory=dict)
    format: str = one_of_these("table", "json", "csv")
    rows: int = MISSING
    tail: float = MISSING


def budget_curve(config: BudgetCurveConfig) -> None:
    """`engine budget_curve`."""
    from engine.allocation.budget_curve import budget_curve
    from engine.bets.uncertain import Uncertain
    from engine.cli.bets import risk_table
    from engine.cli.sheet import show
    from engine.cli.tables import budget_curve_table
    from engine.cli.waiting import waiting
    from engine.files.bets import load_drawn

    if config.rows < 2:
        raise ValueError(f"rows is {config.rows}, expected a number of at least 2")
    solver, _ = one_solver(config.solver)
    with noted() as warnings, waiting(f"every budget by {solver}"):
        held = load_drawn(config.portfolio, **config.reading())
        if isinstance(held, Uncertain):
            curve: Any = _of_risk(held, config, solver)
            sheet = risk_table(curve)
        else:
            curve = budget_curve(held, config.budget, solver, unit=config.unit)
            sheet = budget_curve_table(curve, config.budget, config.rows)
    if config.format == "table":
        show(sheet)
    elif config.format == "json":
        print(json.dumps({**curve.to_dict(), "warnings": warnings}))
    else:
        columns = curve.columns()
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def _of_risk(drawn: Uncertain, config: BudgetCurveConfig, solver: str) -> RiskCurve:
    """The curve of mean against CVaR, of draws."""
    from engine.allocation.risk_curve import risk_curve

    if config.unit is not None:
        raise ValueError(f"unit is {config.unit!r}, expected none for draws of curves")
    if solver != "exact":
        raise ValueError(f"solver is {solver}, expected exact for draws of curves")
    return risk_curve(drawn, config.budget, config.tail, points=config.rows)


COMMAND = Command(
    "the optimum of every budget at once, and its price",
    (
        "engine budget_curve portfolio=textbook budget=100  # every budget up to 100",
        "engine budget_curve portfolio=textbook budget=9 solver=waterfilling format=csv  # real effort",
        "engine budget_curve portfolio=uncertain budget=30 rows=5  # of draws: mean return against risk",
    ),
    BudgetCurveConfig,
    budget_curve,
)
