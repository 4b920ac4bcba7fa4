"""Tables for people: of a Monte Carlo outcome, and of one portfolio's allocation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from engine.allocation.answer import Allocation
from engine.allocation.frontier import Frontier
from engine.fitting.fitted import Fitted
from engine.simulation.blocks import Outcome
from engine.simulation.point import REFERENCE
from engine.simulation.summaries import means
from engine.solvers.solution import Status

MOST_EFFORT_COLUMNS = 8


MOST_FITS = 50


FIT_CAPTION = (
    "error ahead: root mean square error on the largest efforts, foretold from the smaller ones.\n"
    "residual: of the fit to all efforts."
)


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


STUDY_CAPTION = (
    "gap: certified, (bound − value)/|bound|. proved: share proved optimal.\n"
    "frontier: share with a project at the frontier. funded: projects with effort."
)


COMPARISON_CAPTION = (
    "gap: certified, (bound − value)/|bound|. optimal: share that returns what the proved optimum does.\n"
    "loss: share of the proved integer optimum that is missed."
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


def comparison_table(rows: list[dict[str, Any]]) -> Table:
    """One row a problem, size and solver: see `engine.study.comparison.COLUMNS`."""
    table = Table(caption_justify="left", caption=COMPARISON_CAPTION)
    for heading in ("problem", "projects × budget", "solver"):
        table.add_column(heading)
    for heading in (
        "value",
        "gap mean",
        "gap max",
        "proved",
        "optimal",
        "loss mean",
        "loss 99 %",
        "loss max",
    ):
        table.add_column(heading, justify="right")
    table.add_column("per second", justify="right")
    for row in rows:
        first = row is rows[0] or row["solver"] == rows[0]["solver"]
        if first and row is not rows[0]:
            table.add_section()
        shares = [row[name] for name in ("gap", "largest_gap")]
        losses = [row[name] for name in ("loss", "loss_q99", "largest_loss")]
        table.add_row(
            row["problem"] if first else "",
            f"{row['projects']} × {row['budget']}" if first else "",
            row["solver"],
            _figure(row["value"]),
            *map(_percent, shares),
            _percent(row["proved"], 1),
            _percent(row["optimal"], 1),
            *map(_percent, losses),
            _rate(row["per_second"]),
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


def _figure(number: Any, digits: int = 5) -> str:
    if math.isnan(number):
        return "–"
    return "0" if abs(number) < 1e-12 else f"{number:.{digits}g}"


def _percent(share: float, places: int = 2) -> str:
    return "–" if math.isnan(share) else f"{100 * share:.{places}f} %"


def _rate(rate: float) -> str:
    return "–" if math.isnan(rate) else f"{float(f'{rate:.3g}'):,.0f}"


def study_table(rows: pa.Table, manifest: dict[str, Any]) -> Table:
    """One row a point and solver of a sweep."""
    keys = [key for axis in manifest["axes"] for key in axis["keys"]]
    found: dict[tuple[int, str], dict[str, dict[str, Any]]] = {}
    for row in rows.to_pylist():
        found.setdefault((row["point"], row["solver"]), {})[row["metric"]] = row
    table = Table(title_justify="left", caption_justify="left", caption=STUDY_CAPTION)
    for key in [*keys, "solver"]:
        table.add_column(escape(key))
    for heading in ("portfolios", "value", "± s.e.", "gap mean", "gap max", "proved", "frontier", "funded"):
        table.add_column(heading, justify="right")
    for (_, solver), of in found.items():
        value = of["value"]
        table.add_row(
            *(escape(str(value[key])) for key in keys),
            solver,
            f"{value['count']:,}",
            _figure(value["mean"]),
            _figure(value["standard_error"], 2),
            _percent(of["gap"]["mean"]),
            _percent(of["gap"]["largest"]),
            _percent(of["proved"]["mean"]),
            _percent(of["frontier"]["mean"]),
            _figure(of["funded"]["mean"]),
        )
    return table


def allocation_table(allocation: Allocation, goal: str = "") -> Table:
    """One row a project, and the totals with their certificate below; `goal` says what the budget is for."""
    table = Table(
        title=f"budget {allocation.budget:.9g} by {allocation.solver}{f', {goal}' if goal else ''}",
        title_justify="left",
        caption_justify="left",
        caption=_totals(allocation),
    )
    table.add_column("project")
    for heading in ("effort", "performance", "return", "next unit gains", "stage"):
        table.add_column(heading, justify="right")
    for row in allocation.projects():
        table.add_row(
            escape(row["project"]),
            f"{row['effort']:g}",
            _figure(row["performance"]),
            _figure(row["return"]),
            _figure(row["gain"], 4),
            f"{row['stage']}{' frontier' if row['frontier'] else ''}",
        )
    return table


def _totals(allocation: Allocation) -> str:
    lines = [
        f"total return {allocation.value:.8g}, upper bound {allocation.bound:.8g}: {allocation.proof}",
        f"shadow price {allocation.price:.6g} per unit of budget, unspent {allocation.unspent:g}",
    ]
    return "\n".join(lines)


def frontier_table(frontier: Frontier, budget: float, most_rows: int) -> Table:
    """Evenly spaced budgets, and all at which a project starts or reaches a stage."""
    table = Table(
        title=f"every budget up to {budget:g} by {frontier.solver}",
        title_justify="left",
        caption_justify="left",
        caption=_frontier_caption(frontier),
    )
    names = frontier.names
    wide = len(names) <= MOST_EFFORT_COLUMNS
    for heading in ("budget", "value", "unspent", "last step", "price"):
        table.add_column(heading, justify="right")
    for name in names if wide else ("funded",):
        table.add_column(escape(name), justify="right")
    table.add_column("what happens")
    events = frontier.milestones()
    even = np.linspace(0, frontier.budget.size - 1, most_rows).round().astype(int)
    for row in sorted({*even.tolist(), *events}):
        effort = frontier.effort[row]
        efforts = [_figure(e, 6) for e in effort] if wide else [str(np.count_nonzero(effort > 0))]
        table.add_row(
            f"{frontier.budget[row]:.9g}",
            _figure(frontier.value[row], 6),
            _figure(frontier.unspent[row], 4),
            _figure(frontier.marginal[row], 4),
            _figure(frontier.price_left[row], 4),
            *efforts,
            escape(", ".join(events.get(row, []))),
        )
    return table


def _frontier_caption(frontier: Frontier) -> str:
    lines = [
        "last step: what the step that ends here returned, per unit of budget.",
        "price: the same on the concave majorant, the shadow price.",
    ]
    solved = frontier.status == Status.SOLVED
    if not np.all(solved):
        lines.append(f"{np.count_nonzero(~solved)} budgets do not cover the lower bounds")
    unproved = int(np.count_nonzero(solved & ~frontier.proved))
    count = "every value is" if unproved == 0 else f"{unproved} of {frontier.budget.size} values are not"
    lines.append(f"{count} proved optimal")
    return "\n".join(lines)


def fit_table(fitted: Fitted, notes: list[list[str]]) -> Table:
    """One row a project: the family chosen, and how far it can be trusted."""
    table = Table(title_justify="left", caption_justify="left", caption=FIT_CAPTION)
    for heading in ("project", "family"):
        table.add_column(heading)
    for heading in ("efforts", "error ahead", "residual", "R²", "remarks"):
        table.add_column(heading, justify="right")
    shown = min(len(fitted.measurements.names), MOST_FITS)
    for project, name in enumerate(fitted.measurements.names[:shown]):
        fit = fitted.families[fitted.family_of(project)]
        table.add_row(
            escape(name),
            fit.family,
            str(int(fitted.measurements.counts[project])),
            _figure(float(fit.error[project]), 3),
            _figure(float(fit.residual[project]), 3),
            f"{fit.r2[project]:.4f}",
            "; ".join(notes[project]),
        )
    return table


def show(table: Any) -> None:
    """On a terminal at its width; elsewhere as wide as the table needs."""
    console = Console()
    (console if console.is_terminal else Console(width=240)).print(table)
