"""Allocate a scarce budget over curves of diminishing or staged return, with proof of how good it is."""

from __future__ import annotations

import importlib
import sys
import warnings
from typing import TYPE_CHECKING, Any

from engine._version import __version__ as __version__
from engine.model.naming import renamed

if TYPE_CHECKING:
    from engine.advice.answer import Advice
    from engine.advice.plan import plan
    from engine.allocation.allocate import allocate
    from engine.allocation.answer import Allocation, BudgetFound
    from engine.allocation.bet import Beside, Bet
    from engine.allocation.budget_curve import BudgetCurve, budget_curve
    from engine.allocation.own_plan import OwnPlan, own_plan
    from engine.allocation.periods import Schedule
    from engine.allocation.place import bet
    from engine.allocation.resourced import ResourceBet
    from engine.allocation.risk_curve import RiskCurve, risk_curve
    from engine.allocation.sensitivity import optimal_effort, optimal_value
    from engine.allocation.targets import budget_for
    from engine.bets.approaches import Approaches
    from engine.bets.objectives import OBJECTIVES
    from engine.bets.spillover import Coupled
    from engine.bets.uncertain import Uncertain, outcomes
    from engine.files.bets import load_bet, save_bet
    from engine.files.efforts import load_efforts
    from engine.files.measurements import Measurements, load_measurements
    from engine.files.portfolios import load_portfolio, portfolio_from, portfolio_table, save_portfolio
    from engine.files.reading import Reading
    from engine.files.rules import with_rules
    from engine.files.spending import Spending, load_spending
    from engine.fitting.fit import fit
    from engine.fitting.fitted import Bands, Fitted
    from engine.fitting.learn import learn_prior
    from engine.fitting.prior import Prior
    from engine.model.curves import FAMILIES
    from engine.model.curves.base import Curve
    from engine.model.curves.concave import Exponential, Linear, Log, Power, PureLog, Root
    from engine.model.curves.increasing import Increasing
    from engine.model.curves.mixture import Mixture
    from engine.model.curves.s_shaped import Hill, Logistic, Weibull
    from engine.model.curves.staged import Lifecycle, Tabulated
    from engine.model.portfolio import Portfolio
    from engine.model.rising import rising_prices
    from engine.periods.spread import Spread
    from engine.resources.resources import Resourced
    from engine.rules.ruled import Fund, Group, Need, Ruled
    from engine.simulation.simulate import NamedScenario, Simulated, scenario, simulate
    from engine.solvers.registry import SOLVERS, Method
    from engine.solvers.solution import Solution, Status
    from engine.study.results import load, load_array
    from engine.study.study import Study, open_study

# Where each public name is defined. It is imported on first use, so that a command line with nothing to
# compute does not wait for JAX.
_HOMES = {
    "engine.advice.answer": ("Advice",),
    "engine.advice.plan": ("plan",),
    "engine.allocation.allocate": ("allocate",),
    "engine.allocation.answer": (
        "Allocation",
        "BudgetFound",
    ),
    "engine.allocation.bet": ("Beside", "Bet"),
    "engine.allocation.budget_curve": (
        "BudgetCurve",
        "budget_curve",
    ),
    "engine.allocation.own_plan": ("OwnPlan", "own_plan"),
    "engine.allocation.periods": ("Schedule",),
    "engine.allocation.place": ("bet",),
    "engine.allocation.resourced": ("ResourceBet",),
    "engine.allocation.risk_curve": ("RiskCurve", "risk_curve"),
    "engine.allocation.sensitivity": (
        "optimal_effort",
        "optimal_value",
    ),
    "engine.allocation.targets": ("budget_for",),
    "engine.bets.objectives": ("OBJECTIVES",),
    "engine.bets.uncertain": ("Uncertain", "outcomes"),
    "engine.bets.approaches": ("Approaches",),
    "engine.files.bets": ("load_bet", "save_bet"),
    "engine.files.efforts": ("load_efforts",),
    "engine.bets.spillover": ("Coupled",),
    "engine.files.measurements": (
        "Measurements",
        "load_measurements",
    ),
    "engine.files.portfolios": ("load_portfolio", "portfolio_from", "portfolio_table", "save_portfolio"),
    "engine.files.reading": ("Reading",),
    "engine.files.rules": ("with_rules",),
    "engine.files.spending": ("Spending", "load_spending"),
    "engine.fitting.fit": ("fit",),
    "engine.fitting.fitted": ("Bands", "Fitted"),
    "engine.fitting.learn": ("learn_prior",),
    "engine.fitting.prior": ("Prior",),
    "engine.model.curves": ("FAMILIES",),
    "engine.model.curves.base": ("Curve",),
    "engine.model.curves.concave": (
        "Exponential",
        "Linear",
        "Log",
        "Power",
        "PureLog",
        "Root",
    ),
    "engine.model.curves.increasing": ("Increasing",),
    "engine.model.curves.mixture": ("Mixture",),
    "engine.model.curves.s_shaped": (
        "Hill",
        "Logistic",
        "Weibull",
    ),
    "engine.model.curves.staged": (
        "Lifecycle",
        "Tabulated",
    ),
    "engine.model.portfolio": ("Portfolio",),
    "engine.rules.ruled": ("Fund", "Group", "Need", "Ruled"),
    "engine.model.rising": ("rising_prices",),
    "engine.resources.resources": ("Resourced",),
    "engine.periods.spread": ("Spread",),
    "engine.simulation.simulate": (
        "NamedScenario",
        "Simulated",
        "scenario",
        "simulate",
    ),
    "engine.solvers.registry": ("SOLVERS", "Method"),
    "engine.solvers.solution": ("Solution", "Status"),
    "engine.study.results": (
        "load",
        "load_array",
    ),
    "engine.study.study": (
        "Study",
        "open_study",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

# Public names as they were. They go with the next release.
_OLD_NAMES = {
    "Frontier": "BudgetCurve",
    "RiskFrontier": "RiskCurve",
    "budget_frontier": "budget_curve",
    "risk_frontier": "risk_curve",
}

__all__ = [
    "FAMILIES",
    "OBJECTIVES",
    "SOLVERS",
    "Advice",
    "Allocation",
    "Approaches",
    "Bands",
    "Beside",
    "Bet",
    "BudgetCurve",
    "BudgetFound",
    "Coupled",
    "Curve",
    "Exponential",
    "Fitted",
    "Fund",
    "Group",
    "Hill",
    "Increasing",
    "Lifecycle",
    "Linear",
    "Log",
    "Logistic",
    "Measurements",
    "Method",
    "Mixture",
    "NamedScenario",
    "Need",
    "OwnPlan",
    "Portfolio",
    "Power",
    "Prior",
    "PureLog",
    "Reading",
    "ResourceBet",
    "Resourced",
    "RiskCurve",
    "Root",
    "Ruled",
    "Schedule",
    "Simulated",
    "Solution",
    "Spending",
    "Spread",
    "Status",
    "Study",
    "Tabulated",
    "Uncertain",
    "Weibull",
    "allocate",
    "bet",
    "budget_curve",
    "budget_for",
    "fit",
    "learn_prior",
    "load",
    "load_array",
    "load_bet",
    "load_efforts",
    "load_measurements",
    "load_portfolio",
    "load_spending",
    "open_study",
    "optimal_effort",
    "optimal_value",
    "outcomes",
    "own_plan",
    "plan",
    "portfolio_from",
    "portfolio_table",
    "rising_prices",
    "risk_curve",
    "save_bet",
    "save_portfolio",
    "scenario",
    "simulate",
    "with_rules",
]


def __getattr__(name: str) -> Any:
    if name in _OLD_NAMES:
        now = _OLD_NAMES[name]
        warnings.warn(renamed(f"engine.{name}", f"engine.{now}"), FutureWarning, stacklevel=2)
        return getattr(sys.modules[__name__], now)
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
