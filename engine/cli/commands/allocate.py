"""`engine allocate`: a budget over one portfolio from a file, or over a bet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from engine.cli.command import Command, ReadingConfig, one_solver, refuse_plan
from engine.cli.words import noted
from engine.files.shipped import MISSING, one_of_these


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
    budget: Any = MISSING
    budget_by_period: Any = MISSING
    periods: int | None = MISSING
    discount: float = MISSING
    unit: Any = MISSING
    rules: Any = MISSING
    prices: bool = MISSING
    target: TargetConfig = field(default_factory=TargetConfig)
    solver: dict[str, Any] = field(default_factory=dict)
    objective: dict[str, Any] = field(default_factory=dict)
    outcomes: int | None = MISSING
    seed: int = MISSING
    plan: str | None = MISSING
    within: Any = MISSING
    format: str = one_of_these("table", "json")


def allocate(config: AllocateConfig) -> None:
    """`engine allocate`."""
    from engine.allocation.allocate import allocate as solve
    from engine.cli.bets import drawn, objective_of
    from engine.cli.periods import over_periods
    from engine.cli.sheet import show
    from engine.cli.tables import allocation_table
    from engine.cli.waiting import waiting
    from engine.cli.words import note_all
    from engine.files.bets import load_bet
    from engine.files.rules import with_rules
    from engine.model.portfolio import Portfolio

    solver, options = one_solver(config.solver)
    target = _check_target(config)
    with noted() as warnings, waiting(f"allocating by {solver}"):
        portfolio = load_bet(config.portfolio, **config.reading())
        portfolio = drawn(portfolio, config.outcomes, config.seed)
        portfolio = with_rules(portfolio, config.rules) if config.rules is not None else portfolio
        portfolio = over_periods(portfolio, config.periods, config.budget_by_period, config.discount)
        if not isinstance(portfolio, Portfolio):
            answer, sheet = _placed(config, portfolio)
        elif config.budget is not None and config.plan is not None:
            answer, sheet = _beside_plan(config, portfolio)
        elif config.budget is not None:
            refuse_plan(None, config.within, "without a plan")
            options = options | objective_of(config.objective)
            answer = solve(portfolio, _one_budget(config.budget), solver, unit=config.unit, **options)
            sheet = allocation_table(answer)
        else:
            answer, sheet = _for_target(config, portfolio, target)
        note_all(answer)
    if config.format == "table":
        show(sheet)
    else:
        print(json.dumps({**answer.to_dict(), "warnings": warnings}))


def _beside_plan(config: AllocateConfig, portfolio: Any) -> tuple[Any, Any]:
    """(the optimum with the user's plan beside it, as a sheet)."""
    from engine.allocation.own_plan import own_plan
    from engine.cli.bets import objective_of
    from engine.cli.own_plans import own_plan_table
    from engine.files.efforts import load_efforts

    solver, options = one_solver(config.solver)
    options = options | objective_of(config.objective)
    effort = load_efforts(config.plan, decimal=config.decimal)
    found = own_plan(
        portfolio,
        effort,
        _one_budget(config.budget),
        solver,
        within=config.within,
        unit=config.unit,
        **options,
    )
    return found, own_plan_table(found)


def _for_target(config: AllocateConfig, portfolio: Any, target: dict[str, float]) -> tuple[Any, Any]:
    """(the budget that a target asks for, as a sheet)."""
    from engine.allocation.targets import budget_for
    from engine.cli.bets import only_mean
    from engine.cli.tables import allocation_table

    if "profit" in config.objective:
        raise ValueError("objective is profit, expected mean where a target is given")
    only_mean(config.objective)
    refuse_plan(config.plan, config.within, "where a target is given")
    solver, _ = one_solver(config.solver)
    answer = budget_for(portfolio, **target, solver=solver, unit=config.unit)
    return answer, allocation_table(answer.allocation, answer.goal)


def _placed(config: AllocateConfig, given: Any) -> tuple[Any, Any]:
    """(the budget placed on what is more than a portfolio, as a sheet)."""
    from engine.cli.bets import bet_table, place
    from engine.cli.periods import schedule_table

    kind = type(given).__name__
    refuse_plan(
        config.plan, config.within, "for a bet or rules: plans are held beside portfolios of certain curves"
    )
    known: dict[str, dict[str, Any]] = {
        "Ruled": {"unit": config.unit, "prices": config.prices},
        "Spread": {"periods": config.periods},
    }
    several = kind == "Resourced" or bool(getattr(given, "resources", ()))
    budget = _bet_budget(config, kind, several)
    answer: Any = place(given, budget, one_solver(config.solver), config.objective, **known.get(kind, {}))
    return answer, schedule_table(answer) if kind == "Spread" else bet_table(answer, given)


def _bet_budget(config: AllocateConfig, kind: str, several: bool) -> Any:
    """The budget of a bet, of each resource or period, or a `ValueError` for what bets do not know."""
    if config.budget is None and config.budget_by_period is None:
        raise ValueError("a target is given, expected budget=... for a bet, or with rules")
    if config.unit is not None and kind != "Ruled":
        raise ValueError(f"unit is {config.unit!r}, expected none for a bet")
    if config.budget_by_period is not None:
        return list(config.budget_by_period)
    if not several:
        return _one_budget(config.budget)
    if not isinstance(config.budget, Mapping):
        raise ValueError(f"budget={config.budget}, expected budget.NAME=... for each resource")
    return dict(config.budget)


def _one_budget(budget: Any) -> float:
    """A budget that is a number, or a `ValueError`."""
    if isinstance(budget, Mapping):
        names = ", ".join(f"budget.{name}" for name in budget) or "budget={}"
        raise ValueError(f"{names} is given, expected budget=... for a portfolio of one cost")
    try:
        if isinstance(budget, bool):
            raise ValueError
        return float(budget)
    except (TypeError, ValueError):
        raise ValueError(f"budget={budget}, expected a number") from None


def _check_target(config: AllocateConfig) -> dict[str, float]:
    """The target that the budget is asked for; empty where the budget is given."""
    kinds = [kind.name for kind in fields(TargetConfig)]
    target = {kind: number for kind in kinds if (number := getattr(config.target, kind)) is not None}
    budgets = [key for key in ("budget", "budget_by_period") if getattr(config, key) is not None]
    keys = budgets + [f"target.{kind}" for kind in target]
    if not keys:
        choices = ", ".join(f"target.{kind}" for kind in kinds)
        raise ValueError(f"budget is missing, expected budget=... or one of {choices}")
    if len(keys) > 1:
        raise ValueError(f"{' and '.join(keys)} are given, expected one of them")
    return target


COMMAND = Command(
    "allocate a budget over one portfolio from a file",
    (
        "engine allocate portfolio=textbook budget=100  # one that ships; your own: portfolio=FILE",
        "engine allocate portfolio=textbook target.value=300 format=json  # the least budget for that return",
        "engine allocate portfolio=uncertain budget=30 objective=mean_cvar  # of draws, against bad luck",
    ),
    AllocateConfig,
    allocate,
)
