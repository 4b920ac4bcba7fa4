"""Tables for people: of a Monte Carlo outcome, and of one portfolio's allocation."""

from __future__ import annotations

import math
from typing import Any

import jax
import numpy as np
from rich.markup import escape
from rich.table import Table

from engine.portfolio import Portfolio
from engine.simulation import REFERENCE, Outcome
from engine.solvers import Solution
from engine.statistics import means

HEADINGS = (
    "value",
    "± s.e.",
    "gap mean",
    "gap 95 %",
    "gap max",
    "− exact",
    "± s.e.",
    "optimal",
    "frontier",
    "funded",
    "largest",
    "eff. no.",
    "price",
    "per second",
)


def outcome_table(outcome: Outcome, title: str, real: set[str]) -> Table:
    """One row a solver; solvers whose effort is real rather than whole units are marked with a star."""
    table = Table(
        title=escape(title), title_justify="left", caption_justify="left", caption=_caption(outcome, real)
    )
    table.add_column("solver")
    for heading in HEADINGS:
        table.add_column(heading, justify="right")
    for solver, summaries in outcome.summaries.items():
        of = {metric: means(summary) for metric, summary in summaries.items()}
        table.add_row(
            solver + ("*" if solver in real else ""),
            _figure(of["value"]["mean"]),
            _figure(of["value"]["standard_error"], 2),
            _percent(of["gap"]["mean"]),
            _percent(of["gap"]["q95"]),
            _percent(of["gap"]["largest"]),
            _figure(of["difference"]["mean"], 3) if solver != REFERENCE else "–",
            _figure(of["difference"]["standard_error"], 2) if solver != REFERENCE else "–",
            _percent(of["optimal"]["mean"], 1),
            _percent(of["frontier"]["mean"], 1),
            _figure(of["funded"]["mean"], 3),
            _percent(of["largest_share"]["mean"], 1),
            _figure(of["effective_number"]["mean"], 3),
            _figure(of["price"]["mean"], 3),
            _rate(outcome.rate(solver)),
        )
    return table


def _caption(outcome: Outcome, real: set[str]) -> str:
    lines = [
        "gap: certified, (bound − value)/|bound|. − exact: paired difference to the exact integer optimum.",
        "frontier: chance that some project reaches its last stage. largest, eff. no.: how concentrated "
        "the spend is.",
    ]
    if real & set(outcome.summaries):
        lines.append("* real effort: may exceed the integer optimum.")
    lines += [f"{solver}: {count} portfolios not solved" for solver, count in outcome.failed.items() if count]
    return "\n".join(lines)


def _figure(number: float, digits: int = 5) -> str:
    if math.isnan(number):
        return "–"
    return "0" if abs(number) < 1e-12 else f"{number:.{digits}g}"


def _percent(share: float, places: int = 2) -> str:
    return "–" if math.isnan(share) else f"{100 * share:.{places}f} %"


def _rate(rate: float) -> str:
    return "–" if math.isnan(rate) else f"{float(f'{rate:.3g}'):,.0f}"


def allocation_rows(portfolio: Portfolio, solution: Solution) -> list[dict[str, Any]]:
    """Effort, performance, return, marginal gain of the next unit and stage, per project."""
    with jax.enable_x64(solution.effort.dtype == np.float64):
        bare = jax.tree.map(jax.numpy.asarray, portfolio)
        effort = jax.numpy.asarray(solution.effort)
        performance, returns = bare.performance(effort), bare.returns(effort)
        gain = np.where(solution.effort + 1 <= bare.uppers(), bare.gain(effort), math.nan)
        stage, frontier = bare.stage(effort)
    names = portfolio.names or tuple(f"project {i}" for i in range(portfolio.shape[-1]))
    return [
        {
            "project": name,
            "effort": float(solution.effort[i]),
            "performance": float(performance[i]),
            "return": float(returns[i]),
            "gain": float(gain[i]),
            "stage": int(stage[i]) + 1,
            "frontier": bool(frontier[i]),
        }
        for i, name in enumerate(names)
    ]


def allocation_table(portfolio: Portfolio, solution: Solution, budget: float, solver: str) -> Table:
    """One row a project, and the totals with their certificate below."""
    table = Table(
        title=f"budget {budget:g} by {solver}",
        title_justify="left",
        caption_justify="left",
        caption=_totals(solution, budget),
    )
    table.add_column("project")
    for heading in ("effort", "performance", "return", "next unit gains", "stage"):
        table.add_column(heading, justify="right")
    for row in allocation_rows(portfolio, solution):
        table.add_row(
            escape(row["project"]),
            f"{row['effort']:g}",
            _figure(row["performance"]),
            _figure(row["return"]),
            _figure(row["gain"], 4),
            f"{row['stage']}{' frontier' if row['frontier'] else ''}",
        )
    return table


def _totals(solution: Solution, budget: float) -> str:
    proof = "proved optimal" if solution.proved else f"gap at most {_percent(float(solution.gap), 4)}"
    unspent = float(budget - solution.spent)
    lines = [
        f"total return {float(solution.value):.8g}, upper bound {float(solution.bound):.8g}: {proof}",
        f"shadow price {float(solution.price):.6g} per unit of budget, unspent {max(unspent, 0.0):g}",
    ]
    return "\n".join(lines)
