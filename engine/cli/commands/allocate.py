"""`engine allocate`: a budget over one portfolio from a file, or over a bet."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from engine.cli.command import Command, ReadingConfig, one_solver
from engine.cli.words import noted
from engine.files.shipped import MISSING

if TYPE_CHECKING:
    from engine.allocation.bet import Bet
    from engine.bets.approaches import Approaches

# The solvers of approaches that are chosen by name.
FOR_APPROACHES = ("exact", "greedy")


@dataclass
class TargetConfig:
    """What the budget is asked for, where it is not given: one of these; see `engine.budget_for`."""

    value: float | None = MISSING
    return_per_unit: float | None = MISSING
    price: float | None = MISSING


@dataclass
class AllocateConfig(ReadingConfig):
    """`engine allocate`."""

    portfolio: str = MISSING
    budget: float | None = MISSING
    unit: Any = MISSING
    target: TargetConfig = field(default_factory=TargetConfig)
    solver: dict[str, Any] = field(default_factory=dict)
    format: str = MISSING


def allocate(config: AllocateConfig) -> None:
    """`engine allocate`."""
    from engine.allocation.allocate import allocate as solve
    from engine.allocation.targets import budget_for
    from engine.cli.sheet import show
    from engine.cli.tables import allocation_table, approaches_table
    from engine.cli.waiting import waiting
    from engine.files.bets import load_bet
    from engine.files.portfolios import portfolio_path
    from engine.model.portfolio import Portfolio

    if config.format not in ("table", "json"):
        raise ValueError(f"format is {config.format!r}, expected table or json")
    solver, options = one_solver(config.solver)
    target = _check_target(config)
    with noted() as warnings, waiting(f"allocating by {solver}"):
        portfolio = load_bet(portfolio_path(config.portfolio), **config.reading())
        if not isinstance(portfolio, Portfolio):
            answer: Any = _place(portfolio, config, solver, options)
            sheet = approaches_table(answer, portfolio)
        elif config.budget is not None:
            answer = solve(portfolio, config.budget, solver, unit=config.unit, **options)
            sheet = allocation_table(answer)
        else:
            answer = budget_for(portfolio, **target, solver=solver)
            sheet = allocation_table(answer.allocation, answer.goal)
    if config.format == "table":
        show(sheet)
    else:
        print(json.dumps({**answer.to_dict(), "warnings": warnings}))


def _place(given: Approaches, config: AllocateConfig, solver: str, options: dict[str, Any]) -> Bet:
    """The budget placed on approaches."""
    from engine.allocation.place import bet
    from engine.solvers.registry import find_method

    if config.budget is None:
        raise ValueError("a target is given, expected budget=... for approaches")
    if config.unit is not None:
        raise ValueError(f"unit is {config.unit!r}, expected none for approaches")
    if solver not in FOR_APPROACHES:
        raise ValueError(f"solver is {solver}, expected {' or '.join(FOR_APPROACHES)} for approaches")
    for name, option in options.items():
        if option != find_method(solver).defaults.get(name):
            raise ValueError(f"solver.{solver}.{name} is {option!r}, expected none for approaches")
    return bet(given, config.budget, solver=solver)


def _check_target(config: AllocateConfig) -> dict[str, float]:
    """The target that the budget is asked for; empty where the budget is given."""
    kinds = [kind.name for kind in fields(TargetConfig)]
    target = {kind: number for kind in kinds if (number := getattr(config.target, kind)) is not None}
    keys = ["budget"] * (config.budget is not None) + [f"target.{kind}" for kind in target]
    if not keys:
        choices = ", ".join(f"target.{kind}" for kind in kinds)
        raise ValueError(f"budget is missing, expected budget=... or one of {choices}")
    if len(keys) > 1:
        raise ValueError(f"{' and '.join(keys)} are given, expected one of them")
    if target and config.unit is not None:
        raise ValueError(f"unit and {keys[0]} are given, expected a unit with budget=... only")
    return target


COMMAND = Command(
    "allocate a budget over one portfolio from a file",
    "engine allocate portfolio=FILE budget=100",
    AllocateConfig,
    allocate,
)
