"""What is found, as sheets for people: a study, one portfolio's allocation and budget curve, fits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from engine.cli.sheet import Group, Sheet
from engine.solvers.solution import Status
from engine.study.columns import LOSS, OPTIMUM, RETURN, SHOWN
from engine.study.words import number_text, rate_text

if TYPE_CHECKING:  # a command imports what it needs and no more
    from engine.allocation.answer import Allocation
    from engine.allocation.budget_curve import BudgetCurve
    from engine.fitting.fitted import Fitted
    from engine.simulation.summaries import Summary
    from engine.study.study import Study

MOST_EFFORT_COLUMNS = 8
MOST_FITS = 50

FIT_CAPTION = (
    "error ahead: root mean square error on the largest efforts, foretold from the\n"
    "smaller ones. residual: of the fit to all efforts."
)

# What the others are measured by.
COMPARED = {
    "exact": "− exact: paired difference to the exact\ninteger optimum.",
    "clairvoyant": "",
    "coupled": "− coupled: paired difference to the\nbest plan known.",
    "enumeration": "− enumeration: paired difference to\nthe best of all plans.",
}

RUN_CAPTION = (
    "gap: certified, (bound − value)/|bound|. {compared} "
    "frontier: chance that some project reaches its last stage.\n"
    "largest, eff. no.: how concentrated the spend is. λ: the solver's multiplier."
)

BETS_CAPTION = (
    "deviation, worst 10 %: standard deviation of the return over draws, and mean of\n"
    "the worst tenth. objective, bound: what the solver maximises, and its bound."
)

APPROACHES_CAPTION = "approaches: how many have effort, all projects together."

COUPLED_CAPTION = (
    "platforms: their share of the spend. gained, least: over the lower limits, as a\n"
    "share of what the best plan gains, mean and least. Solvers of portfolios, exact\n"
    "too, ignore the spill-over; what they find is valued with it."
)

RULES_CAPTION = (
    "keeps: share of plans that keep all rules. Solvers of portfolios ignore them, and\n"
    "exact is the optimum without any."
)

PLANS_CAPTION = (
    "regret: what the clairvoyant returns more. − equal, static, richer: paired\n"
    "differences to equal split, and to a static plan on the budget and on some more.\n"
    "dropped, sunk, first: projects that get nothing in the last quarter though they\n"
    "had something, what was spent on them, and the first period after which."
)
# The captions of what a scenario gives.
CAPTIONS = {
    "portfolio": (RUN_CAPTION,),
    "bet": (RUN_CAPTION, BETS_CAPTION),
    "approaches": (RUN_CAPTION, APPROACHES_CAPTION),
    "coupled": (RUN_CAPTION, COUPLED_CAPTION),
    "ruled": (RUN_CAPTION, RULES_CAPTION),
    "plan": (PLANS_CAPTION,),
}

SWEEP_CAPTION = (
    "gap: certified, (bound − value)/|bound|. proved: share proved optimal.\n"
    "frontier: share with a project at the frontier. funded: projects with effort."
)

BENCHMARK_CAPTION = (
    "gap: certified, (bound − value)/|bound|. optimal: share that returns what the\n"
    "proved optimum does. loss: share of the proved integer optimum that is missed."
)


def result_table(study: Study) -> Sheet:
    """What a study found, as the command shows it that makes such studies.

    **Raises:** `StoreError` if no block is finished yet.
    """
    from engine.study.manifest import StoreError

    if not study.found:
        raise StoreError(f"{study.folder}: no block is finished yet")
    return {"run": run_table, "sweep": sweep_table, "benchmark": benchmark_table}[study.manifest.command](
        study
    )


class _Statistics(dict[str, float]):
    """The statistics of a summary, each worked out when it is asked for: quantiles take their time."""

    def __init__(self, summary: Summary) -> None:
        super().__init__()
        self.summary = summary

    def __missing__(self, name: str) -> float:
        from engine.simulation.summaries import quantile, standard_error

        known = float(self.summary.count) > 0
        if name == "standard_error":
            self[name] = standard_error(self.summary)
        elif name.startswith("q"):
            self[name] = quantile(self.summary, int(name[1:]) / 100)
        else:
            self[name] = float(getattr(self.summary, name)) if known or name == "count" else math.nan
        return self[name]


def _by_solver(study: Study) -> dict[tuple[int, str], dict[str, _Statistics]]:
    """The statistics of each metric, by point and solver."""
    by: dict[tuple[int, str], dict[str, _Statistics]] = {}
    for one in study.found:
        by.setdefault((one.point, one.solver), {})[one.metric] = _Statistics(one.summary)
    return by


def run_table(study: Study) -> Sheet:
    """One row a solver; solvers whose effort is real rather than whole units are marked with a star."""
    from engine.simulation.methods import method_of

    point, rates = study.point(0), study.rates()
    found = {solver: of for (_, solver), of in _by_solver(study).items()}
    real = {s for s in found if method_of(s).real(point.solvers[s])}
    best = point.reference
    groups = [
        Group(
            [c.title(best) for c in columns],
            [[c.text(s, of, best) for c in columns] for s, of in found.items()],
        )
        for columns in SHOWN[point.source.gives].groups
    ]
    groups.append(Group(["per second"], [[rate_text(rates.get(s, math.nan))] for s in found]))
    keys = Group(["solver"], [[s + ("*" if s in real else "")] for s in found])
    captions = [text.format(compared=COMPARED[best]) for text in CAPTIONS[point.source.gives]]
    portfolios = f"{study.manifest.portfolios:,} portfolios of {point.source.projects} projects"
    title = f"{study.manifest.title}: {portfolios}, budget {point.budget:g}"
    return Sheet(keys, groups, title, _run_caption(study, bool(real), captions))


def _run_caption(study: Study, real: bool, lines: list[str]) -> str:
    if real:
        lines.append("* real effort: may exceed the integer optimum.")
    unsolved = {one.solver: one.unsolved for one in study.found if one.unsolved}
    lines += [f"{solver}: {count} portfolios not solved" for solver, count in unsolved.items()]
    return "\n".join(lines)


def benchmark_table(study: Study) -> Sheet:
    """One row a problem, size and solver."""
    rates, by = study.rates_of_points(), _by_solver(study)
    first = [n == 0 or point != list(by)[n - 1][0] for n, (point, _) in enumerate(by)]
    keys = []
    for (point, solver), begins in zip(by, first, strict=True):
        settings = study.manifest.settings[point]
        size = f"{settings['projects']} × {settings['budget']}"
        keys.append([settings["problem"] if begins else "", size if begins else "", solver])
    groups = [
        Group([c.heading for c in columns], [[c.text(s, of) for c in columns] for (_, s), of in by.items()])
        for columns in (RETURN[:1], (RETURN[2], RETURN[4], OPTIMUM[3], OPTIMUM[2]), LOSS)
    ]
    return Sheet(
        Group(["problem", "projects × budget", "solver"], keys),
        [*groups, Group(["per second"], [[rate_text(rates.get(key, math.nan))] for key in by])],
        caption=BENCHMARK_CAPTION,
        sections=frozenset(row for row, begins in enumerate(first) if begins and row),
    )


def sweep_table(study: Study) -> Sheet:
    """One row a point and solver."""
    keys, by, gives = study.manifest.keys, _by_solver(study), study.point(0).source.gives
    brief = SHOWN[gives].brief
    settings = [[*(str(study.manifest.settings[p][key]) for key in keys), solver] for p, solver in by]
    cells = [
        [*(c.text(solver, of) for c in brief), f"{int(of['value']['count']):,}"]
        for (_, solver), of in by.items()
    ]
    headings = [*(c.heading for c in brief), "portfolios"]
    caption = PLANS_CAPTION if gives == "plan" else SWEEP_CAPTION
    return Sheet(Group([*last_words(keys), "solver"], settings), [Group(headings, cells)], caption=caption)


def last_words(keys: tuple[str, ...]) -> list[str]:
    """As much of the end of each key as tells it from the others."""
    found = []
    for key in keys:
        words = key.split(".")
        ends = [".".join(words[-count:]) for count in range(1, len(words) + 1)]
        alone = (end for end in ends if sum(f".{other}".endswith(f".{end}") for other in keys) == 1)
        found.append(next(alone, key))
    return found


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
    headings = ["effort", "performance", "return"]
    if allocation.units is not None:
        headings[0] = "spent"
        cells = [[number_text(row["units"], 5), *own] for row, own in zip(rows, cells, strict=True)]
        headings = ["units", *headings]
    gains = f"next {'unit' if allocation.unit == 1 else 'lot'} gains"
    return Sheet(
        Group(["project"], [[row["project"]] for row in rows]),
        [Group([*headings, gains, "stage"], cells)],
        f"budget {allocation.budget:.9g} by {allocation.how}{f', {goal}' if goal else ''}",
        _totals(allocation),
    )


def _totals(allocation: Allocation) -> str:
    lines = [
        f"{allocation.totals}, upper bound {allocation.bound:.8g}: {allocation.proof}",
        f"shadow price {allocation.price:.6g} per unit of budget, {allocation.left_over}",
    ]
    return "\n".join(lines)


def budget_curve_table(curve: BudgetCurve, budget: float, most_rows: int) -> Sheet:
    """Evenly spaced budgets, and all at which a project starts or reaches a stage."""
    names = curve.names
    wide = len(names) <= MOST_EFFORT_COLUMNS
    events = curve.milestones()
    even = np.linspace(0, curve.budget.size - 1, most_rows).round().astype(int)
    shown = sorted({*even.tolist(), *events})
    numbers = [
        [
            number_text(curve.value[row], 6),
            number_text(curve.unspent[row], 4),
            number_text(curve.marginal[row], 4),
            number_text(curve.price[row], 4),
        ]
        for row in shown
    ]
    efforts = [
        [number_text(e, 6) for e in curve.effort[row]]
        if wide
        else [str(np.count_nonzero(curve.effort[row] > 0))]
        for row in shown
    ]
    return Sheet(
        Group(["budget"], [[f"{curve.budget[row]:.9g}"] for row in shown]),
        [
            Group(["value", "unspent", "marginal", "price"], numbers),
            Group(["what happens"], [[", ".join(events.get(row, []))] for row in shown], remarks=True),
            Group(list(names) if wide else ["funded"], efforts),
        ],
        f"every budget up to {budget:g} by {curve.how}",
        _budget_curve_caption(curve),
        right=True,
    )


def _budget_curve_caption(curve: BudgetCurve) -> str:
    lines = [
        "marginal: what the next step gains, per unit of budget.",
        "price: the shadow price, what it gains with saving up for jumps.",
    ]
    solved = curve.status == Status.SOLVED
    if not np.all(solved):
        lines.append(f"{np.count_nonzero(~solved)} budgets do not cover the lower limits")
    unproved = int(np.count_nonzero(solved & ~curve.proved))
    count = "every value is" if unproved == 0 else f"{unproved} of {curve.budget.size} values are not"
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
