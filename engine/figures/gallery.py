"""Illustration: which figures a stored study or fit gives, and a portfolio, each with its caption.

Needs `engine[figures]`.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes

from engine.allocation.allocate import allocate
from engine.allocation.frontier import budget_frontier
from engine.allocation.risk_frontier import risk_frontier
from engine.bets.uncertain import Uncertain
from engine.figures.allocations import allocation_figure, curves_figure
from engine.figures.bets import risk_figure
from engine.figures.fits import fit_figure
from engine.figures.plans import Regret, effort_over_time_figure, regret_figure
from engine.figures.studies import SolverTime, along_figure, loss_figure, phase_figure, time_figure
from engine.fitting.folder import fitted_curves
from engine.model.keys import portfolio_key
from engine.model.portfolio import Portfolio, project_names
from engine.simulation.methods import aim, method_of, reference
from engine.simulation.point import Point, draw
from engine.simulation.summaries import Summary, merge, quantile, standard_error
from engine.solvers.registry import REFERENCE, SOLVERS
from engine.study.grid import Axis, Grid
from engine.study.manifest import StoreError
from engine.study.results import Found, plain
from engine.study.study import Study
from engine.study.words import axis_name, listed, metric_name, sentence, setting_text

# Metrics that are chances, shown from none to all, and others that are shown in per cent.
CHANCES = ("frontier", "optimal", "proved")
# Differences, with a line where there is none.
SIGNED = ("over_equal", "over_static", "over_richer")
PERCENT = (*CHANCES, "gap", "loss", "largest_share", "unspent", "platform_share", "gained")


class Illustration(NamedTuple):
    """A figure, its name in file names, and what it shows."""

    name: str
    caption: str
    axes: Axes


class View(NamedTuple):
    """What of a study is drawn: along which keys of its grid, for which solver and metric; None: chosen."""

    x: str | None = None
    y: str | None = None
    by: str | None = None
    metric: str | None = None


def illustrate_draws(given: Uncertain, budget: float) -> Iterator[Illustration]:
    """What safety costs where curves are known by draws.

    **Raises:** `ValueError` for a budget that does not cover the lower bounds.
    """
    frontier = risk_frontier(given, budget)
    proved = int(np.count_nonzero(frontier.proved))
    yield Illustration(
        "risk_frontier",
        f"The best mean return and CVaR, the mean of the worst {100 * frontier.tail:g} % of {given.count} "
        f"draws, for each aversion to risk at a budget of {budget:g}; {proved} of {frontier.aversion.size} "
        "are proved, the others are hollow.",
        risk_figure(frontier),
    )


def illustrate_portfolio(
    portfolio: Portfolio, budget: float, solvers: Sequence[str], what: str = ""
) -> Iterator[Illustration]:
    """The curves with every solver's allocation, and the optimal allocation of every budget.

    **Raises:** `ValueError` for a budget that does not cover the lower bounds, or is too large.
    """
    solutions = {solver: allocate(portfolio, budget, solver) for solver in solvers}
    where = f" of {what}" if what else ""
    yield Illustration(
        "curves",
        f"The curves{where}, and what {listed(solvers)} spend of a budget of {budget:g}. Bands are stages, "
        "the darkest the frontier.",
        curves_figure(portfolio, solutions)[0],
    )
    most = math.ceil(budget * 1.5)
    if portfolio.lower is None or float(np.sum(portfolio.lower)) <= budget:
        yield Illustration(
            "allocation",
            f"The optimal allocation{where} for every budget up to {most}, and what its last unit returns.",
            allocation_figure(portfolio, budget_frontier(portfolio, most))[0],
        )


def illustrate_study(study: Study, view: View | None = None) -> Iterator[Illustration]:
    """A study: phase diagrams or lines over its grid, losses, times, and a portfolio where greedy loses most.

    **Raises:** `ValueError` naming a key, solver or metric that the study has not.
    """
    found, manifest = study.found, study.manifest
    if not found:
        raise StoreError(f"{study.folder}: no block is finished yet")
    view = view or View()
    for key, choice in view._asdict().items():
        if choice is not None and not manifest.grid.axes:
            raise ValueError(
                f"{key} is {choice!r}, expected none: the study has one point, and no axis to draw"
            )
    solvers = list(dict.fromkeys(f.solver for f in found))
    best = reference(solvers)
    shown = _checked(view.by, solvers, "by") or (best if best in solvers else solvers[-1])
    metrics = list(dict.fromkeys(f.metric for f in found))
    planned = study.point(0).source.gives == "plan"
    if planned and view.by is None:
        shown = next((s for s in solvers if s not in ("static", "equal_split", "clairvoyant")), shown)
    metric = _checked(view.metric, metrics, "metric") or ("over_richer" if planned else "frontier")
    yield from _over_grid(study, view, shown, metric, solvers if view.by is None else [shown])
    if view != View():
        return
    if planned:
        yield from _plans(study, shown)
        return
    weakest = next((solver for solver in solvers if solver != shown), None)
    losses = _losses(found, best)
    if weakest:
        yield from _over_grid(study, view, weakest, "loss" if losses else "gap", solvers)
    if losses:
        yield Illustration("loss", _loss_caption(losses, solvers), loss_figure(losses))
    times = list(_times(study))
    if times:
        yield Illustration("time", _time_caption(found), time_figure(times))
    judged = weakest or shown
    missed = {p: share for (p, s), share in _missed(found).items() if s == judged}
    point = max(missed, key=lambda p: missed[p])
    where = ", ".join(f"{key} {setting_text(value)}" for key, value in manifest.settings[point].items())
    at = f" at {where}" if where else ""
    yield from _first_portfolio(study.point(point), solvers, f"the first portfolio{at}")


def _first_portfolio(point: Point, solvers: list[str], what: str) -> Iterator[Illustration]:
    """Portfolio 0 of a point, by the exact solver and one that is not; none where effort spills over, since
    its curves are of effort received, nor of plans."""
    if point.source.gives in ("coupled", "plan"):
        return
    with jax.enable_x64(True):
        key, units = portfolio_key(point.seed, 0), point.lattice.units
        drawn = draw(point.source, key, units, point.budget, jnp.float64)
        portfolio = jax.tree.map(np.asarray, drawn.solved)
    others = [solver for solver in solvers if solver != REFERENCE and solver in SOLVERS][:1]
    # What has no allocation, or is too large for the exact solver, is left out.
    with contextlib.suppress(ValueError):
        yield from list(illustrate_portfolio(portfolio, point.budget, [REFERENCE, *others], what))


def _plans(study: Study, shown: str) -> Iterator[Illustration]:
    """What policies regret over time at the first point, and where one puts its effort."""
    first = {(f.solver, f.metric): f.summary for f in study.found if f.point == 0}
    point = study.point(0)
    periods = range(1, sum(metric.startswith("regret_") for metric in point.metrics) + 1)
    regrets = {
        solver: Regret(*_each(first[solver, f"regret_{t}"] for t in periods))
        for solver in point.solvers
        if (solver, "regret_1") in first and solver != "clairvoyant"
    }
    where = ", ".join(f"{key} {setting_text(value)}" for key, value in study.manifest.settings[0].items())
    at = f" at {where}" if where else ""
    if regrets:
        caption = (
            f"What the clairvoyant has returned more after each period{at}: means with two standard errors"
        )
        yield Illustration(
            "regret", f"{caption}, and thin what nine in ten stay below.", regret_figure(regrets)
        )
    with jax.enable_x64(True):
        key, budget = portfolio_key(point.seed, 0), jnp.float64(point.budget)
        drawn = draw(point.source, key, 0, budget, jnp.float64)
        plan = jax.jit(lambda drawn: method_of(shown).solve(drawn, budget, point.lattice))(drawn)
        lots = np.asarray(plan.lots[0], float) * point.budget / np.asarray(drawn.bet.worlds.terms.all_lots)
        names = project_names(drawn.portfolio)
    axes = effort_over_time_figure(lots / np.asarray(drawn.bet.worlds.cost), names)
    caption = f"Where {shown} puts its effort in the first portfolio{at}, by period."
    yield Illustration("effort", caption, axes)


def _each(summaries: Iterable[Summary]) -> Iterator[np.ndarray]:
    """Means, their standard errors and 90 % quantiles."""
    rows = [(float(one.mean), standard_error(one), quantile(one, 0.9)) for one in summaries]
    yield from np.array(rows).T


class Along(NamedTuple):
    """An axis of a grid as it is drawn: its number, its key, its values."""

    number: int
    key: str
    values: list[Any]


def _drawn_axes(grid: Grid, view: View) -> tuple[Along | None, Along | None]:
    """The axes to draw along and across: as the view says, else the first two that have several values."""
    axes = [_along(number, axis) for number, axis in enumerate(grid.axes)]
    by_key = {key: axis for axis, of in zip(axes, grid.axes, strict=True) for key in of.keys}
    long = [axis for axis in axes if len(axis.values) > 1] or axes
    x = by_key.get(_checked(view.x, list(by_key), "x") or "") or next(iter(long), None)
    others = [key for key, axis in by_key.items() if axis != x]
    y = by_key.get(_checked(view.y, others, "y") or "") or next((axis for axis in long if axis != x), None)
    return x, y


def _along(number: int, axis: Axis) -> Along:
    """By its first key, or by all of them where that one has a value twice."""
    values = [plain(value) for value in axis.values[0]]
    if len(set(values)) == len(values):
        return Along(number, axis.keys[0], values)
    places = zip(*axis.values, strict=True)
    return Along(number, " and ".join(axis.keys), [", ".join(map(setting_text, place)) for place in places])


def _over_grid(
    study: Study, view: View, solver: str, metric: str, solvers: list[str]
) -> Iterator[Illustration]:
    """A metric over one or two axes of a study's grid; other axes stay at their first value."""
    grid = study.manifest.grid
    x, y = _drawn_axes(grid, view)
    if x is None:
        return
    table = _means_on(study, metric, x, y)
    chance, percent = metric in CHANCES, metric in PERCENT
    label = metric_name(metric)
    meaning = "" if chance else f": {study.point(0).metrics[metric]}"
    x_label = axis_name(x.key)
    if y is None:
        means = {s: np.array([_mean(table.get((s, i, 0))) for i in range(len(x.values))]) for s in solvers}
        errors = {s: np.array([_error(table.get((s, i, 0))) for i in range(len(x.values))]) for s in solvers}
        axes = along_figure(x.values, means, errors, x_label=x_label, label=label, percent=percent)
        caption = f"{sentence(label)} by {x.key}{meaning}. Bars are two standard errors."
        yield Illustration(metric, caption, axes)
        return
    rows, columns = range(len(y.values)), range(len(x.values))
    values = np.array([[_mean(table.get((solver, i, j))) for i in columns] for j in rows])
    axes = phase_figure(
        values,
        x.values,
        y.values,
        x_label=x_label,
        y_label=axis_name(y.key),
        label=label,
        chance=chance,
        percent=percent,
        signed=metric in SIGNED,
    )
    fixed = [one for n, one in enumerate(grid.axes) if n not in (x.number, y.number)]
    at = ", ".join(f"{axis.keys[0]} {setting_text(plain(axis.values[0][0]))}" for axis in fixed)
    where = f"over {x.key} and {y.key}{', at ' if at else ''}{at}"
    yield Illustration(f"{metric}_{solver}", f"{sentence(label)} by {solver}, {where}{meaning}.", axes)


def _means_on(study: Study, metric: str, x: Along, y: Along | None) -> dict[tuple[str, int, int], Summary]:
    """A metric's summary by solver and places along and across; all other axes at their first value."""
    shape = study.manifest.grid.shape
    table: dict[tuple[str, int, int], Summary] = {}
    for found in study.found:
        place = list(map(int, np.unravel_index(found.point, shape)))
        i, j = place[x.number], place[y.number] if y else 0
        place[x.number] = 0
        if y:
            place[y.number] = 0
        if found.metric == metric and not any(place):
            table[found.solver, i, j] = found.summary
    return table


def _mean(summary: Summary | None) -> float:
    return float(summary.mean) if summary is not None and float(summary.count) else math.nan


def _error(summary: Summary | None) -> float:
    return math.nan if summary is None else standard_error(summary)


def _losses(found: list[Found], best: str) -> dict[str, Summary]:
    """The losses of all points together, by solver; the best one has none, and real effort is no loss."""
    losses: dict[str, Summary] = {}
    for f in found:
        if f.metric == "loss" and f.solver != best and float(f.summary.count):
            losses[f.solver] = merge(losses.get(f.solver), f.summary)
    return losses


def _missed(found: list[Found]) -> dict[tuple[int, str], float]:
    """Mean loss by point and solver, or, where the optimum is not known, the mean certified gap."""
    by = {(f.point, f.solver, f.metric): _mean(f.summary) for f in found if f.metric in ("loss", "gap")}
    return {
        (p, s): gap if math.isnan(by.get((p, s, "loss"), math.nan)) else by[p, s, "loss"]
        for (p, s, metric), gap in by.items()
        if metric == "gap"
    }


def _times(study: Study) -> Iterator[SolverTime]:
    missed = _missed(study.found)
    for (point, solver), rate in study.rates_of_points().items():
        if (point, solver) in missed and rate > 0:
            yield SolverTime(solver, 1.0 / rate, missed[point, solver])


def _loss_caption(losses: dict[str, Summary], solvers: list[str]) -> str:
    count = int(max(float(summary.count) for summary in losses.values()))
    what = f"How much of the {aim(solvers)} solvers miss, over {count:,} portfolios"
    return f"{what}; {reference(solvers)} misses nothing."


def _time_caption(found: list[Found]) -> str:
    known = any(f.metric == "loss" and float(f.summary.count) for f in found)
    what = "the optimum is missed" if known else "the certified bound is missed"
    return f"How much of {what} on average, against the time a portfolio takes; lower left is better."


def illustrate_fit(folder: Path) -> Iterator[Illustration]:
    """A fit: every project's measurements, curve, band of its draws, and residuals."""
    for number, curve in enumerate(fitted_curves(folder)):
        caption = f"{curve.name}: measurements, fitted curve and residuals"
        band = ", with nine tenths of the predictive draws" if curve.low is not None else ""
        yield Illustration(f"fit_{number:03d}", f"{caption}{band}.", fit_figure(curve)[0])


def _checked(choice: str | None, known: Sequence[str], key: str) -> str | None:
    if choice is not None and choice not in known:
        expected = f"one of {', '.join(known)}" if known else "none: the study has no other axis"
        raise ValueError(f"{key} is {choice!r}, expected {expected}")
    return choice
