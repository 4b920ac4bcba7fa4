"""What is found, as sheets for people: of a study, of one portfolio's allocation and frontier, of fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.cli.sheet import Group, Sheet
from engine.solvers.solution import Status
from engine.study.columns import BRIEF, OPTIMUM, RETURN, SPEND, number_text, percent_text, rate_text

if TYPE_CHECKING:  # a command imports what it needs and no more
    import pyarrow as pa

    from engine.allocation.answer import Allocation
    from engine.allocation.frontier import Frontier
    from engine.fitting.fit import Fitted
    from engine.simulation.blocks import Outcome

MOST_EFFORT_COLUMNS = 8


MOST_FITS = 50


FIT_CAPTION = (
    "error ahead: root mean square error on the largest efforts, foretold from the\n"
    "smaller ones. residual: of the fit to all efforts."
)


OUTCOME_CAPTION = (
    "gap: certified, (bound − value)/|bound|. − exact: paired difference to the exact\n"
    "integer optimum. frontier: chance that some project reaches its last stage.\n"
    "largest, eff. no.: how concentrated the spend is."
)


STUDY_CAPTION = (
    "gap: certified, (bound − value)/|bound|. proved: share proved optimal.\n"
    "frontier: share with a project at the frontier. funded: projects with effort."
)


COMPARISON_CAPTION = (
    "gap: certified, (bound − value)/|bound|. optimal: share that returns what the\n"
    "proved optimum does. loss: share of the proved integer optimum that is missed."
)


def outcome_table(outcome: Outcome, title: str, real: set[str]) -> Sheet:
    """One row a solver; solvers whose effort is real rather than whole units are marked with a star."""
    from engine.simulation.summaries import means

    solvers = list(outcome.summaries)
    found = {s: {m: means(summary) for m, summary in outcome.summaries[s].items()} for s in solvers}
    groups = [
        Group([c.heading for c in columns], [[c.text(s, found[s]) for c in columns] for s in solvers])
        for columns in (RETURN, OPTIMUM, SPEND)
    ]
    groups.append(Group(["per second"], [[rate_text(outcome.rate(solver))] for solver in solvers]))
    keys = Group(["solver"], [[solver + ("*" if solver in real else "")] for solver in solvers])
    return Sheet(keys, groups, title, _outcome_caption(outcome, real))


def _outcome_caption(outcome: Outcome, real: set[str]) -> str:
    lines = [OUTCOME_CAPTION]
    if real & set(outcome.summaries):
        lines.append("* real effort: may exceed the integer optimum.")
    lines += [f"{solver}: {count} portfolios not solved" for solver, count in outcome.failed.items() if count]
    return "\n".join(lines)


def comparison_table(rows: list[dict[str, Any]]) -> Sheet:
    """One row a problem, size and solver: see `engine.study.comparison.COLUMNS`."""
    first = [row["solver"] == rows[0]["solver"] for row in rows]
    keys = [
        [
            row["problem"] if begins else "",
            f"{row['projects']} × {row['budget']}" if begins else "",
            row["solver"],
        ]
        for row, begins in zip(rows, first, strict=True)
    ]
    shares = [
        [
            percent_text(row["gap"]),
            percent_text(row["largest_gap"]),
            percent_text(row["proved"], 1),
            percent_text(row["optimal"], 1),
        ]
        for row in rows
    ]
    losses = [[percent_text(row[name]) for name in ("loss", "loss_q99", "largest_loss")] for row in rows]
    return Sheet(
        Group(["problem", "projects × budget", "solver"], keys),
        [
            Group(["value"], [[number_text(row["value"])] for row in rows]),
            Group(["gap mean", "gap max", "proved", "optimal"], shares),
            Group(["loss mean", "loss 99 %", "loss max"], losses),
            Group(["per second"], [[rate_text(row["per_second"])] for row in rows]),
        ],
        caption=COMPARISON_CAPTION,
        sections=frozenset(row for row, begins in enumerate(first) if begins and row),
    )


def study_table(rows: pa.Table, manifest: dict[str, Any]) -> Sheet:
    """One row a point and solver of a sweep."""
    keys = [key for axis in manifest["axes"] for key in axis["keys"]]
    found: dict[tuple[int, str], dict[str, dict[str, Any]]] = {}
    for row in rows.to_pylist():
        found.setdefault((row["point"], row["solver"]), {})[row["metric"]] = row
    settings = [[*(str(of["value"][key]) for key in keys), solver] for (_, solver), of in found.items()]
    cells = [
        [*(c.text(solver, of) for c in BRIEF), f"{of['value']['count']:,}"]
        for (_, solver), of in found.items()
    ]
    headings = [*(c.heading for c in BRIEF), "portfolios"]
    return Sheet(Group([*keys, "solver"], settings), [Group(headings, cells)], caption=STUDY_CAPTION)


def allocation_table(allocation: Allocation, goal: str = "") -> Sheet:
    """One row a project, and the totals with their certificate below; `goal` says what the budget is for."""
    rows = allocation.projects()
    cells = [
        [
            f"{row['effort']:g}",
            number_text(row["performance"]),
            number_text(row["return"]),
            number_text(row["gain"], 4),
            f"{row['stage']}{' frontier' if row['frontier'] else ''}",
        ]
        for row in rows
    ]
    return Sheet(
        Group(["project"], [[row["project"]] for row in rows]),
        [Group(["effort", "performance", "return", "next unit gains", "stage"], cells)],
        f"budget {allocation.budget:.9g} by {allocation.solver}{f', {goal}' if goal else ''}",
        _totals(allocation),
    )


def _totals(allocation: Allocation) -> str:
    lines = [
        f"total return {allocation.value:.8g}, upper bound {allocation.bound:.8g}: {allocation.proof}",
        f"shadow price {allocation.price:.6g} per unit of budget, unspent {allocation.unspent:g}",
    ]
    return "\n".join(lines)


def frontier_table(frontier: Frontier, budget: float, most_rows: int) -> Sheet:
    """Evenly spaced budgets, and all at which a project starts or reaches a stage."""
    names = frontier.names
    wide = len(names) <= MOST_EFFORT_COLUMNS
    events = frontier.milestones()
    even = np.linspace(0, frontier.budget.size - 1, most_rows).round().astype(int)
    shown = sorted({*even.tolist(), *events})
    numbers = [
        [
            number_text(frontier.value[row], 6),
            number_text(frontier.unspent[row], 4),
            number_text(frontier.marginal[row], 4),
            number_text(frontier.price_left[row], 4),
        ]
        for row in shown
    ]
    efforts = [
        [number_text(e, 6) for e in frontier.effort[row]]
        if wide
        else [str(np.count_nonzero(frontier.effort[row] > 0))]
        for row in shown
    ]
    return Sheet(
        Group(["budget"], [[f"{frontier.budget[row]:.9g}"] for row in shown]),
        [
            Group(["value", "unspent", "last step", "price"], numbers),
            Group(["what happens"], [[", ".join(events.get(row, []))] for row in shown], remarks=True),
            Group(list(names) if wide else ["funded"], efforts),
        ],
        f"every budget up to {budget:g} by {frontier.solver}",
        _frontier_caption(frontier),
        right=True,
    )


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


def fit_table(fitted: Fitted, notes: list[list[str]]) -> Sheet:
    """One row a project: the family chosen, and how far it can be trusted."""
    names = list(fitted.measurements.names[:MOST_FITS])
    fits = [fitted.families[fitted.family_of(project)] for project in range(len(names))]
    numbers = [
        [
            str(int(fitted.measurements.counts[project])),
            number_text(float(fit.error[project]), 3),
            number_text(float(fit.residual[project]), 3),
            f"{fit.r2[project]:.4f}",
        ]
        for project, fit in enumerate(fits)
    ]
    return Sheet(
        Group(["project", "family"], [[name, fit.family] for name, fit in zip(names, fits, strict=True)]),
        [
            Group(["efforts", "error ahead", "residual", "R²"], numbers),
            Group(["remarks"], [["; ".join(notes[project])] for project in range(len(names))], remarks=True),
        ],
        caption=FIT_CAPTION,
    )
