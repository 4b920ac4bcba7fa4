"""Which figures a stored study gives: maps or lines over its grid, losses, times, a portfolio of it.

Needs `engine[figures]`.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from engine.allocation.old_names import current
from engine.figures.gallery import Data, Illustration, illustrate_portfolio
from engine.figures.plans import Regret, effort_over_time_figure, regret_figure
from engine.figures.studies import (
    SolverTime,
    along_figure,
    loss_edges,
    loss_figure,
    phase_figure,
    time_figure,
)
from engine.model.keys import portfolio_key
from engine.model.portfolio import project_names
from engine.simulation.methods import aim, method_of, reference
from engine.simulation.point import draw
from engine.simulation.summaries import LEAST, Summary, merge, quantile, standard_error
from engine.solvers.registry import REFERENCE, SOLVERS
from engine.study.grid import Axis, Grid
from engine.study.manifest import StoreError
from engine.study.results import Found, plain
from engine.study.study import Study
from engine.study.words import (
    axis_name,
    key_name,
    listed,
    metric_name,
    percent_text,
    sentence,
    setting_text,
    settings_words,
)

# Metrics that are chances, shown from none to all, and others that are shown in per cent.
CHANCES = ("frontier", "optimal", "proved")
PERCENT = (*CHANCES, "gap", "loss", "largest_share", "unspent", "platform_share", "gained")
# Metrics whose names say what they are.
TOLD = (*CHANCES, "loss", "value")
# At which value a map has a boundary, and what lies below and above it.
BOUNDARIES: dict[str, tuple[float, tuple[str, str]]] = {
    "frontier": (0.5, ("mostly low-\nhanging fruit", "mostly a project\nat the frontier")),
    "over_equal": (0.0, ("equal split\nreturns more", "the solver\nreturns more")),
    "over_static": (0.0, ("a static plan\nreturns more", "re-planning\nreturns more")),
    "over_richer": (0.0, ("a larger budget\nreturns more", "re-planning\nreturns more")),
}
# Two standard errors: the score of Wilson's interval, too.
SCORE = 2.0


class View(NamedTuple):
    """What of a study is drawn: along which keys of its grid, for which solver and metric; None: chosen.

    `errors`: whether each map has one of its standard errors beside it.
    """

    x: str | None = None
    y: str | None = None
    by: str | None = None
    metric: str | None = None
    errors: bool = False

    @property
    def chosen(self) -> dict[str, str]:
        """What is not left to be chosen."""
        keys = ("x", "y", "by", "metric")
        return {key: getattr(self, key) for key in keys if getattr(self, key) is not None}


def illustrate_study(study: Study, view: View | None = None) -> Iterator[Illustration]:
    """A study: phase diagrams or lines over its grid, losses, times, and a portfolio where greedy loses most.

    **Raises:** `ValueError` naming a key, solver or metric that the study has not.
    """
    found, manifest = study.found, study.manifest
    if not found:
        raise StoreError(f"{study.folder}: no block is finished yet")
    view = view or View()
    for key, choice in view.chosen.items():
        if not manifest.grid.axes:
            raise ValueError(
                f"{key} is {choice!r}, expected none: the study has one point, and no axis to draw"
            )
    solvers = list(dict.fromkeys(f.solver for f in found))
    best = reference(solvers)
    by = view.by if view.by is None or view.by in solvers else current(view.by)
    shown = _checked(by, solvers, "by") or (best if best in solvers else solvers[-1])
    metrics = list(dict.fromkeys(f.metric for f in found))
    planned = study.point(0).source.gives == "plan"
    if planned and view.by is None:
        shown = next((s for s in solvers if s not in ("static", "equal_split", "clairvoyant")), shown)
    metric = _checked(view.metric, metrics, "metric") or ("over_richer" if planned else "frontier")
    yield from _over_grid(study, view, shown, metric, solvers if view.by is None else [shown])
    if not view.chosen:
        yield from _plans(study, shown) if planned else _missed_and_spent(study, view, solvers, shown)


def _missed_and_spent(study: Study, view: View, solvers: list[str], shown: str) -> Iterator[Illustration]:
    """What the others miss and how long they take, and a portfolio where the first of them misses most."""
    found = study.found
    weakest = next((solver for solver in solvers if solver != shown), None)
    missed = missed_by_point(found)
    judged = {p: share for (p, s), share in missed.items() if s == (weakest or shown)}
    losses = losses_of(found, reference(solvers))
    # A map of nothing says less than the sentence that says so.
    if weakest and max(judged.values(), default=0.0) > LEAST:
        yield from _over_grid(study, view, weakest, "loss" if losses else "gap", solvers)
    if any(float(summary.largest) > LEAST for summary in losses.values()):
        yield Illustration("loss", _loss_caption(losses, solvers), loss_figure(losses), _loss_data(losses))
    known = any(f.metric == "loss" and float(f.summary.count) for f in found)
    if times := list(_times(study, missed)):
        data = {name: [getattr(time, name) for time in times] for name in SolverTime._fields}
        yield Illustration("time", _time_caption(found, known), time_figure(times, known), data)
    point = max(judged, key=lambda p: judged[p])
    yield from illustrate_first(study, point)


def illustrate_first(study: Study, number: int) -> Iterator[Illustration]:
    """Portfolio 0 of a point, by the exact solver and one that is not; none where effort spills over, since
    its curves are of effort received, nor of plans."""
    point, where = study.point(number), settings_words(study.manifest.settings[number])
    what = f"one {study.manifest.title} portfolio (the first{' at ' if where else ''}{where})"
    if point.source.gives in ("coupled", "plan"):
        return
    with jax.enable_x64(True):
        key, units = portfolio_key(point.seed, 0), point.lattice.units
        drawn = draw(point.source, key, units, point.budget, jnp.float64)
        portfolio = jax.tree.map(np.asarray, drawn.solved)
    others = [solver for solver in point.solvers if solver != REFERENCE and solver in SOLVERS][:1]
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
    where = settings_words(study.manifest.settings[0])
    at = f" at {where}" if where else ""
    if regrets:
        caption = (
            f"What the clairvoyant has returned more after each period{at}: means with two standard errors"
        )
        caption = f"{caption}, and thin what nine in ten stay below."
        yield Illustration("regret", caption, regret_figure(regrets), _regret_data(regrets))
    with jax.enable_x64(True):
        key, budget = portfolio_key(point.seed, 0), jnp.float64(point.budget)
        drawn = draw(point.source, key, 0, budget, jnp.float64)
        plan = jax.jit(lambda drawn: method_of(shown).solve(drawn, budget, point.lattice))(drawn)
        lots = np.asarray(plan.lots[0], float) * point.budget / np.asarray(drawn.bet.worlds.terms.all_lots)
        names = project_names(drawn.portfolio)
    effort = lots / np.asarray(drawn.bet.worlds.cost)
    axes = effort_over_time_figure(effort, names)
    caption = f"Where {shown} puts its effort in the first portfolio{at}, by period."
    data = {"period": np.arange(1, len(effort) + 1), **dict(zip(names, effort.T, strict=True))}
    yield Illustration("effort", caption, axes, data)


def _regret_data(regrets: dict[str, Regret]) -> Data:
    periods = len(next(iter(regrets.values())).mean)
    rows: dict[str, Any] = {
        "solver": np.repeat(list(regrets), periods),
        "period": np.tile(np.arange(1, periods + 1), len(regrets)),
    }
    for name in Regret._fields:
        rows[name] = np.concatenate([getattr(one, name) for one in regrets.values()])
    return rows


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
    if y is None:
        yield _lines(study, metric, solvers, x, table)
        return
    fixed = [one for n, one in enumerate(grid.axes) if n not in (x.number, y.number)]
    at = settings_words({axis.keys[0]: plain(axis.values[0][0]) for axis in fixed})
    over = f"over {key_name(x.key)} and {key_name(y.key)}{', at ' if at else ''}{at}"
    where = f"({solver}) {over}, {study.manifest.portfolios:,} {study.manifest.title} portfolios a point"
    data = _cells(solver, x, y, table)
    shape = len(y.values), len(x.values)
    means, error = (data[name].reshape(shape) for name in ("mean", "standard_error"))
    percent, label = metric in PERCENT, metric_name(metric)
    line, regions = BOUNDARIES.get(metric, (None, None))
    most = float(np.nanmax(error, initial=0.0))
    sure = percent_text(most, 1) if percent else f"{most:.2g}"
    looks: dict[str, Any] = {"percent": percent, "x_label": axis_name(x.key), "y_label": axis_name(y.key)}
    more: dict[str, Any] = {"line": line, "regions": regions, "chance": metric in CHANCES}
    axes = phase_figure(means, x.values, y.values, label=f"{label} ({solver})", **looks, **more)
    drawn = "" if line is None else f" The line is where it is {'one half' if line else 'nothing'}."
    rest = f" Standard errors are at most {sure}." if most > 0 else ""
    caption = f"{sentence(label)} {where}{_meaning(study, metric)}.{drawn}{rest}"
    yield Illustration(f"{metric}_{solver}", caption, axes, data)
    if view.errors:
        label = f"standard error of the {label}"
        axes = phase_figure(error, x.values, y.values, label=label, chance=False, **looks)
        yield Illustration(f"{metric}_{solver}_error", f"{sentence(label)} {where}.", axes, data)


def _cells(solver: str, x: Along, y: Along, table: dict[tuple[str, int, int], Summary]) -> Data:
    """What is known of a solver at every place of a map, row by row."""
    cells = [table.get((solver, i, j)) for j in range(len(y.values)) for i in range(len(x.values))]
    return {
        x.key: np.tile(np.array(x.values), len(y.values)),
        y.key: np.repeat(np.array(y.values), len(x.values)),
        "mean": np.array([_mean(one) for one in cells]),
        "standard_error": np.array([_error(one) for one in cells]),
        "portfolios": [0 if one is None else int(one.count) for one in cells],
    }


def _lines(
    study: Study, metric: str, solvers: list[str], x: Along, table: dict[tuple[str, int, int], Summary]
) -> Illustration:
    """A metric along one axis of a grid, a line a solver."""
    of = {solver: [table.get((solver, i, 0)) for i in range(len(x.values))] for solver in solvers}
    means = {solver: np.array([_mean(one) for one in row]) for solver, row in of.items()}
    bars = {s: np.array([bar_of(one, metric) for one in row]).T for s, row in of.items()}
    percent, label = metric in PERCENT, metric_name(metric)
    axes = along_figure(x.values, means, bars, x_label=axis_name(x.key), label=label, percent=percent)
    sure = "95 % intervals (Wilson)" if metric in CHANCES else "two standard errors"
    caption = f"{sentence(label)} by {key_name(x.key)}{_meaning(study, metric)}. Bars are {sure}."
    data = {
        x.key: np.tile(np.array(x.values), len(solvers)),
        "solver": np.repeat(solvers, len(x.values)),
        "mean": np.concatenate(list(means.values())),
        "below": np.concatenate([bar[0] for bar in bars.values()]),
        "above": np.concatenate([bar[1] for bar in bars.values()]),
    }
    return Illustration(metric, caption, axes, data)


def bar_of(summary: Summary | None, metric: str) -> tuple[float, float]:
    """How far the bar of a mean goes below and above it: of a chance Wilson's interval, of what is never
    below nothing not below it.

    Source: Wilson (1927), "Probable inference, the law of succession, and statistical inference".
    """
    if summary is None or not float(summary.count):
        return 0.0, 0.0
    mean, count = float(summary.mean), float(summary.count)
    if metric in CHANCES:
        share = SCORE**2 / count
        centre = (mean + share / 2) / (1 + share)
        half = math.sqrt(mean * (1 - mean) * share + share**2 / 4) / (1 + share)
        return max(mean - centre + half, 0.0), max(centre + half - mean, 0.0)
    error = SCORE * float(np.nan_to_num(standard_error(summary)))
    return (min(error, max(mean, 0.0)) if float(summary.least) >= 0 else error), error


def _meaning(study: Study, metric: str) -> str:
    """What a metric is, where its name does not say it."""
    return "" if metric in TOLD else f": {study.point(0).metrics[metric]}"


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


def losses_of(found: list[Found], best: str) -> dict[str, Summary]:
    """The losses of all points together, by solver; the best one has none, and real effort is no loss."""
    losses: dict[str, Summary] = {}
    for f in found:
        if f.metric == "loss" and f.solver != best and float(f.summary.count):
            losses[f.solver] = merge(losses.get(f.solver), f.summary)
    return losses


def missed_by_point(found: list[Found]) -> dict[tuple[int, str], float]:
    """Mean loss by point and solver, or, where the optimum is not known, the mean certified gap."""
    by = {(f.point, f.solver, f.metric): _mean(f.summary) for f in found if f.metric in ("loss", "gap")}
    return {
        (p, s): gap if math.isnan(by.get((p, s, "loss"), math.nan)) else by[p, s, "loss"]
        for (p, s, metric), gap in by.items()
        if metric == "gap"
    }


def _times(study: Study, missed: dict[tuple[int, str], float]) -> Iterator[SolverTime]:
    for (point, solver), rate in study.rates_of_points().items():
        if (point, solver) in missed and rate > 0:
            yield SolverTime(solver, 1.0 / rate, missed[point, solver])


def _loss_caption(losses: dict[str, Summary], solvers: list[str]) -> str:
    count = int(max(float(summary.count) for summary in losses.values()))
    what = f"How much of the {aim(solvers)} {listed(list(losses))} {'miss' if len(losses) > 1 else 'misses'}"
    return f"{what}, over {count:,} portfolios; {reference(solvers)} misses nothing."


def _loss_data(losses: dict[str, Summary]) -> Data:
    """The share of portfolios that miss more, at every tenth edge of the histogram and at all there is."""
    shares, edges = loss_edges()
    rows = [*range(0, edges.size, 10), edges.size]
    read = np.append(edges, edges[-1] + 1)[rows]
    below = {s: np.cumsum(np.asarray(one.counts)) / float(one.count) for s, one in losses.items()}
    return {
        "solver": np.repeat(list(losses), len(rows)),
        "share_missed": np.tile(shares[rows], len(losses)),
        "portfolios_that_miss_more": np.concatenate([1.0 - of[read] for of in below.values()]),
    }


def _time_caption(found: list[Found], known: bool) -> str:
    what = "the optimum is missed" if known else "the certified bound is missed"
    told = "lower left is better"
    if len({f.point for f in found}) > 1:
        told = f"large, a solver's median over the points of the grid; faint, a point; {told}"
    return f"How much of {what} on average, against the time a portfolio takes: {told}."


def _checked(choice: str | None, known: Sequence[str], key: str) -> str | None:
    if choice is not None and choice not in known:
        expected = f"one of {', '.join(known)}" if known else "none: the study has no other axis"
        raise ValueError(f"{key} is {choice!r}, expected {expected}")
    return choice
