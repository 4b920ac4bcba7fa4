"""Illustration: which figures a stored study, run or fit gives, and a portfolio, each with its caption.

Needs `engine[figures]`.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes

from engine.allocation.allocate import allocate
from engine.allocation.frontier import budget_frontier
from engine.figures.allocations import allocation_figure, curves_figure
from engine.figures.fits import fit_figure
from engine.figures.studies import SolverTime, along_figure, loss_figure, phase_figure, time_figure
from engine.fitting.folder import fitted_curves
from engine.model.portfolio import Portfolio
from engine.simulation.metrics import METRICS
from engine.simulation.point import REFERENCE, Study
from engine.simulation.scenarios import portfolio_key
from engine.simulation.summaries import Summary, merge, standard_error
from engine.study.grid import read_grid
from engine.study.plan import plan_stored
from engine.study.results import Found, load_found, plain
from engine.study.store import Store, StoreError

# Metrics that are chances, shown from none to all, and others that are shown in per cent.
CHANCES = ("frontier", "optimal", "proved")


PERCENT = (*CHANCES, "gap", "loss", "largest_share", "unspent")


# What the axes of a grid are called in figures; other keys are called by their names.
LABELS = {
    "budget": "budget (units of cost)",
    "scenario.skew": "skew of the weights (rank to the power −skew)",
    "scenario.projects": "projects",
}


class Illustration(NamedTuple):
    """A figure, its name in file names, and what it shows."""

    name: str
    caption: str
    axes: Axes


class View(NamedTuple):
    """What of a study is drawn: along which keys of its grid, for which solver and metric; None: chosen."""

    x: str | None = None
    y: str | None = None
    solver: str | None = None
    metric: str | None = None


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
        f"The curves{where}, and what {_listed(solvers)} spend of a budget of {budget:g}. Bands are stages, "
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


def illustrate_run(folder: Path) -> Iterator[Illustration]:
    """A run: what its solvers lose and how long they take, and its first portfolio."""
    found = load_found(folder)
    facts = json.loads((folder / "run.json").read_text())
    losses = _losses(found)
    if losses:
        yield Illustration("loss", _loss_caption(losses), loss_figure(losses))
    rates = facts["portfolios_per_second"]
    missed = _missed(found)
    times = [SolverTime(s, 1.0 / rates[s], missed[0, s]) for s in rates if (0, s) in missed and rates[s] > 0]
    if times:
        yield Illustration("time", _time_caption(found), time_figure(times))
    study = plan_stored(folder / "config.yaml")
    yield from _first_portfolio(study, list(rates), "the first portfolio")


def illustrate_study(
    store: Store,
    found: list[Found],
    study_of: Callable[[int], Study] | None = None,
    view: View | None = None,
) -> Iterator[Illustration]:
    """A sweep: phase diagrams or lines over its grid, losses, times, and a portfolio where greedy loses most.

    **Arguments:** `found`, by `load_found`; `study_of`, what is drawn and solved at a point: without it no
    portfolio is shown.

    **Raises:** `ValueError` naming a key, solver or metric that the study has not.
    """
    if not found:
        raise StoreError(f"{store.folder}: no block is finished yet")
    view = view or View()
    solvers = list(dict.fromkeys(f.solver for f in found))
    reference = _checked(view.solver, solvers, "solver") or (
        REFERENCE if REFERENCE in solvers else solvers[-1]
    )
    metric = _checked(view.metric, list(METRICS), "metric") or "frontier"
    yield from _over_grid(store, found, view, reference, metric, solvers)
    weakest = next((solver for solver in solvers if solver != reference), None)
    if view != View():
        return
    losses = _losses(found)
    if weakest:
        yield from _over_grid(store, found, view, weakest, "loss" if losses else "gap", solvers)
    if losses:
        yield Illustration("loss", _loss_caption(losses), loss_figure(losses))
    times = list(_times(store, found))
    if times:
        yield Illustration("time", _time_caption(found), time_figure(times))
    if study_of is not None:
        judged = weakest or reference
        missed = {p: share for (p, s), share in _missed(found).items() if s == judged}
        point = max(missed, key=lambda p: missed[p])
        settings = next(f.settings for f in found if f.point == point)
        where = ", ".join(f"{key} {setting(value)}" for key, value in settings.items())
        yield from _first_portfolio(study_of(point), solvers, f"the first portfolio at {where}")


def _first_portfolio(study: Study, solvers: list[str], what: str) -> Iterator[Illustration]:
    """Portfolio 0 of a study, by the exact solver and one that is not."""
    with jax.enable_x64(True):
        drawn = study.source.draw(portfolio_key(study.seed, 0), jnp.float64)
        portfolio = jax.tree.map(np.asarray, drawn)
    others = [solver for solver in solvers if solver != REFERENCE][:1]
    # What has no allocation, or is too large for the exact solver, is left out.
    with contextlib.suppress(ValueError):
        yield from list(illustrate_portfolio(portfolio, study.budget, [REFERENCE, *others], what))


def _over_grid(
    store: Store, found: list[Found], view: View, solver: str, metric: str, solvers: list[str]
) -> Iterator[Illustration]:
    """A metric over one or two axes of a study's grid; other axes stay at their first value."""
    grid = read_grid(store.manifest["axes"])
    keys = [axis.keys[0] for axis in grid.axes]
    x = _checked(view.x, keys, "x") or (keys[0] if keys else None)
    if x is None:
        return
    others = [key for key in keys if key != x]
    y = _checked(view.y, others, "y") or (others[0] if others else None)
    values = {axis.keys[0]: [plain(v) for v in axis.values[0]] for axis in grid.axes}
    fixed = {key: values[key][0] for key in others if key != y}
    at = f", at {', '.join(f'{key} {setting(v)}' for key, v in fixed.items())}" if fixed else ""
    summaries = {
        (f.settings[x], f.settings[y] if y else None, f.solver): f.summary
        for f in found
        if f.metric == metric and all(f.settings[k] == v for k, v in fixed.items())
    }
    chance, percent = metric in CHANCES, metric in PERCENT
    label = _chance(metric) if chance else f"mean {metric.replace('_', ' ')}"
    meaning = "" if chance else f": {METRICS[metric]}"
    if y is None:
        means = {s: np.array([_mean(summaries.get((v, None, s))) for v in values[x]]) for s in solvers}
        errors = {s: np.array([_error(summaries.get((v, None, s))) for v in values[x]]) for s in solvers}
        axes = along_figure(values[x], means, errors, x_label=LABELS.get(x, x), label=label, percent=percent)
        yield Illustration(metric, f"{_sentence(label)} by {x}{meaning}. Bars are two standard errors.", axes)
        return
    table = np.array([[_mean(summaries.get((v, w, solver))) for v in values[x]] for w in values[y]])
    axes = phase_figure(
        table,
        values[x],
        values[y],
        x_label=LABELS.get(x, x),
        y_label=LABELS.get(y, y),
        label=label,
        chance=chance,
        percent=percent,
    )
    caption = f"{_sentence(label)} by {solver}, over {x} and {y}{at}{meaning}."
    yield Illustration(f"{metric}_{solver}", caption, axes)


def _chance(metric: str) -> str:
    return "chance to reach the frontier" if metric == "frontier" else f"share {metric}"


def _mean(summary: Summary | None) -> float:
    return float(summary.mean) if summary is not None and float(summary.count) else math.nan


def _error(summary: Summary | None) -> float:
    return math.nan if summary is None else standard_error(summary)


def _losses(found: list[Found]) -> dict[str, Summary]:
    """The losses of all points together, by solver; the exact solver has none, and real effort is no loss."""
    losses: dict[str, Summary] = {}
    for f in found:
        if f.metric == "loss" and f.solver != REFERENCE and float(f.summary.count):
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


def _times(store: Store, found: list[Found]) -> Iterator[SolverTime]:
    each, block = store.manifest["blocks_per_point"], store.manifest["block"]
    spent: dict[tuple[int, str], list[float]] = {}
    for number, seconds in store.seconds().items():
        for solver, time in seconds.items():
            spent.setdefault((number // each, solver), []).append(time / block)
    missed = _missed(found)
    for (point, solver), times in spent.items():
        if (point, solver) in missed and min(times) > 0:
            yield SolverTime(solver, float(np.median(times)), missed[point, solver])


def _loss_caption(losses: dict[str, Summary]) -> str:
    count = int(max(float(summary.count) for summary in losses.values()))
    return f"How much of the proved optimum solvers miss, over {count:,} portfolios; exact misses nothing."


def _time_caption(found: list[Found]) -> str:
    known = any(f.metric == "loss" and float(f.summary.count) for f in found)
    what = "the optimum is missed" if known else "the certified bound is missed"
    return f"How much of {what} on average, against the time a portfolio takes; lower left is better."


def illustrate_fit(folder: Path) -> Iterator[Illustration]:
    """A fit: every project's measurements, curve, band of its draws, and residuals."""
    for number, curve in enumerate(fitted_curves(folder)):
        caption = f"{curve.name}: measurements, fitted curve and residuals"
        band = ", with nine tenths of the bootstrap draws" if curve.low is not None else ""
        yield Illustration(f"fit_{number:03d}", f"{caption}{band}.", fit_figure(curve)[0])


def _checked(choice: str | None, known: Sequence[str], key: str) -> str | None:
    if choice is not None and choice not in known:
        raise ValueError(f"{key} is {choice!r}, expected one of {', '.join(known)}")
    return choice


def setting(value: Any) -> str:
    """A setting in words."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _listed(words: Sequence[str]) -> str:
    return " and ".join(words) if len(words) < 3 else f"{', '.join(words[:-1])} and {words[-1]}"


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]
