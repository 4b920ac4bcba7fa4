"""Allocate a scarce budget over curves of diminishing or staged return, with proof of how good it is."""

from engine.allocation import allocate, solve
from engine.curves import (
    FAMILIES,
    Curve,
    Exponential,
    Hill,
    Lifecycle,
    Log,
    Logistic,
    Mixture,
    Power,
    PureLog,
    Tabulated,
    Weibull,
)
from engine.files import load_portfolio
from engine.frontier import Frontier, budget_frontier
from engine.portfolio import Portfolio
from engine.results import load, load_array
from engine.sensitivity import optimal_effort, optimal_value
from engine.solvers import SOLVERS, Solution
from engine.targets import BudgetFound, budget_for

__version__ = "0.1.0"

__all__ = [
    "FAMILIES",
    "SOLVERS",
    "BudgetFound",
    "Curve",
    "Exponential",
    "Frontier",
    "Hill",
    "Lifecycle",
    "Log",
    "Logistic",
    "Mixture",
    "Portfolio",
    "Power",
    "PureLog",
    "Solution",
    "Tabulated",
    "Weibull",
    "allocate",
    "budget_for",
    "budget_frontier",
    "load",
    "load_array",
    "load_portfolio",
    "optimal_effort",
    "optimal_value",
    "solve",
]
