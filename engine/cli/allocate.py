"""`engine allocate`: a budget over one portfolio from a file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING, DictConfig

from engine.allocation.allocate import allocate
from engine.allocation.envelopes import KINDS
from engine.allocation.targets import budget_for
from engine.cli.tables import allocation_table, show
from engine.files.portfolios import load_portfolio, portfolio_path
from engine.solvers.registry import SOLVERS


@dataclass
class TargetConfig:
    """What the budget is asked for, where it is not given: one of these; see `engine.budget_for`."""

    value: float | None = None
    return_per_unit: float | None = None
    price: float | None = None


@dataclass
class AllocateConfig:
    """`engine allocate`."""

    portfolio: str = MISSING
    budget: float | None = None
    target: TargetConfig = field(default_factory=TargetConfig)
    solver: dict[str, Any] = field(default_factory=dict)
    format: str = "table"


def allocate_command(config: AllocateConfig, given: DictConfig) -> None:
    """`engine allocate`."""
    if config.format not in ("table", "json"):
        raise ValueError(f"format is {config.format!r}, expected table or json")
    solver, options = one_solver(config.solver)
    target = _check_target(config)
    portfolio = load_portfolio(portfolio_path(config.portfolio))
    if config.budget is not None:
        budget, solution, goal = config.budget, allocate(portfolio, config.budget, solver, **options), ""
    else:
        found = budget_for(portfolio, **target, solver=solver)
        budget, solution = float(found.budget), found.solution
        goal = _goal(target, bool(found.proved))
    if config.format == "table":
        show(allocation_table(portfolio, solution, budget, solver, goal))
        return
    whole = not SOLVERS[solver].real(options)
    effort = [int(e) if whole else float(e) for e in solution.effort]
    facts = {
        "effort": dict(zip(portfolio.names, effort, strict=True)),
        "value": float(solution.value),
        "bound": float(solution.bound),
        "gap": float(solution.gap),
        "proved": bool(solution.proved),
        "price": float(solution.price),
        "budget": budget,
        "spent": float(solution.spent),
        "unspent": max(budget - float(solution.spent), 0.0),
        "solver": solver,
    }
    if target:
        facts |= {"target": target, "budget_proved": bool(found.proved)}
    print(json.dumps(facts))


def one_solver(solvers: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The name of the only solver, and its options."""
    if len(solvers) != 1:
        raise ValueError(f"solver is {list(solvers)}, expected one solver")
    ((solver, options),) = solvers.items()
    return solver, dict(vars(options))


def _check_target(config: AllocateConfig) -> dict[str, float]:
    """The target that the budget is asked for; empty where the budget is given."""
    numbers: dict[str, float | None] = {kind: getattr(config.target, kind) for kind in KINDS}
    target = {kind: number for kind, number in numbers.items() if number is not None}
    keys = ["budget"] * (config.budget is not None) + [f"target.{kind}" for kind in target]
    if not keys:
        choices = ", ".join(f"target.{kind}" for kind in KINDS)
        raise ValueError(f"budget is missing, expected budget=... or one of {choices}")
    if len(keys) > 1:
        raise ValueError(f"{' and '.join(keys)} are given, expected one of them")
    return target


def _goal(target: dict[str, float], proved: bool) -> str:
    """What a budget was found for, in words."""
    ((kind, number),) = target.items()
    words = {
        "value": f"the least that returns {number:g}",
        "return_per_unit": f"the most that returns {number:g} per unit on average",
        "price": f"the most whose last spending returns {number:g} per unit",
    }
    return words[kind] if proved else f"{words[kind]}, not proved"
