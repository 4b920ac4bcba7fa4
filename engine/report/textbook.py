"""The textbook experiment as a study: the whole argument, each step with its figure and its numbers.

Five pictures carry it, of concave curves and then of staged ones: what one unit more gains, with the price
that cuts it; the shares of the budget at every budget; the curves, as far as their frontiers; what every
budget returns, greedy beside the optimum; and the map of where the optimum reaches a frontier.

Concave curves; diminishing returns spread the budget; at three times the budget one project reaches the
frontier; with one dominant weight it does so early; where the boundary lies; greedy is right on every one of
these portfolios; and what staged curves change. Every number in the text is computed here.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import numpy as np

from engine.allocation.allocate import allocate
from engine.allocation.answer import Allocation
from engine.allocation.budget_curve import budget_curve
from engine.figures.gallery import (
    Illustration,
    illustrate_portfolio,
    illustrate_returns,
    illustrate_shares,
)
from engine.figures.study_gallery import illustrate_first, illustrate_study
from engine.files.portfolios import load_portfolio
from engine.files.shipped import config_folder
from engine.model.portfolio import Portfolio
from engine.report.page import HtmlTable, solver_table
from engine.simulation.summaries import LEAST
from engine.study.results import Found
from engine.study.study import Study
from engine.study.words import listed, percent_text, range_text

SMALL, LARGE = 100, 300
FIVE = "the five"

QUESTION = (
    "Where should the next unit of effort go? For which budgets and weights is it optimal to push some "
    "project to the research frontier, and when only to take the low-hanging fruit everywhere?"
)


@dataclass(frozen=True)
class Chapter:
    """A step of the argument: paragraphs, figures, and a table if there is one."""

    title: str
    text: list[str]
    illustrations: list[Illustration] = field(default_factory=list)
    table: HtmlTable | None = None


def textbook(concave: Study, staged: Study) -> list[Chapter]:
    """The chapters, in order.

    **Arguments:** the two sweeps that the later ones show: over concave portfolios, and over staged ones.
    """
    five, company = (
        load_portfolio(config_folder() / "portfolios" / f"{name}.csv") for name in ("textbook", "ml_first")
    )
    pictures = {one.name: one for one in illustrate_study(staged)}
    # A portfolio from amid the map, rather than the one that is worst for greedy.
    pictures |= {one.name: one for one in illustrate_first(staged, _amid(staged))}
    return [
        _low_hanging_fruit(five),
        _spread(five),
        _growth(five),
        _dominant(company),
        _boundary(concave),
        _greedy_is_right(concave.found, five),
        _stages(staged.found, pictures),
        _instead(staged, pictures),
    ]


def _amid(study: Study) -> int:
    """The point of the middle budget and the least skew."""
    settings = study.manifest.settings
    budgets = sorted({own["budget"] for own in settings})
    skew = min(own["scenario.skew"] for own in settings)
    return settings.index({"budget": budgets[len(budgets) // 2], "scenario.skew": skew})


def _low_hanging_fruit(five: Portfolio) -> Chapter:
    solution = allocate(five, SMALL, "exact")
    curves, gains, *_ = illustrate_portfolio(five, SMALL, ["exact", "greedy"], FIVE)
    rows = solution.projects()
    stages = sorted({row["stage"] for row in rows})
    text = [
        "Five projects of a grocery-delivery start-up, each on a curve a·log(b x): steep first, flat "
        f"later. The optimum of {SMALL} units gives {_efforts(five, solution)}, in proportion to a, and "
        f"returns {float(solution.value):.1f}; {_proof(solution)}.",
        f"Every project is in stage {' or '.join(map(str, stages))} of 4, and none at the frontier. The "
        f"next unit would gain {min(r['gain'] for r in rows):.3f} to {max(r['gain'] for r in rows):.3f} "
        "wherever it goes: low-hanging fruit everywhere.",
    ]
    pictures = [curves._replace(name="fruit"), gains]
    return Chapter("Low-hanging fruit", text, pictures)


def _spread(five: Portfolio) -> Chapter:
    curve = budget_curve(five, 400)
    shares = np.asarray(curve.effort)[[SMALL, 400]] / np.array([[SMALL], [400.0]])
    moved = float(np.max(np.abs(shares[1] - shares[0])))
    price = curve.price
    text = [
        f"Diminishing returns spread the budget: from {SMALL} to 400 units no project's share of it moves "
        f"by more than {percent_text(max(moved, 1e-3), 1)}. What changes is the price: the unit after "
        f"{SMALL} returns {price[SMALL]:.3f}, the one after {LARGE} only {price[LARGE]:.3f}.",
    ]
    return Chapter(
        "Diminishing returns spread the budget", text, [illustrate_shares(five, curve, f" of {FIVE}")]
    )


def _growth(five: Portfolio) -> Chapter:
    solution = allocate(five, LARGE, "exact")
    there = [row["project"] for row in solution.projects() if row["frontier"]]
    text = [
        f"With {LARGE} units the shares are the same, three times as much of each: "
        f"{_efforts(five, solution)}. That takes {listed(there)} to the frontier and no other "
        f"project, though nothing rewards the frontier as such; {_proof(solution)}.",
    ]
    return Chapter("Three times the budget", text, [_curves(five, LARGE, "growth", FIVE)])


def _dominant(company: Portfolio) -> Chapter:
    solution = allocate(company, SMALL, "exact")
    weight = np.asarray(company.weight)
    rows = solution.projects()
    there = [row["project"] for row in rows if row["frontier"]]
    first = company.names[int(np.argmax(weight))]
    heavy = f"{FIVE}, of which {first} weighs {weight.max():g} times as much as each other"
    text = [
        f"Now {first} is the company: it weighs {weight.max():g} times as "
        f"much as each of the others. The small budget of {SMALL} suffices: "
        f"{_efforts(company, solution)}, and {listed(there)} is at the frontier, while the others "
        "live on what is left.",
    ]
    return Chapter("One project that is the company", text, [_curves(company, SMALL, "dominant", heavy)])


def _boundary(study: Study) -> Chapter:
    chances = _by_point(study.found, "exact", "frontier")
    skews = sorted({skew for _, skew in chances})
    text = [
        "Between the two lies a boundary. Each point of this map stands for random portfolios whose "
        "scales vary around the five by 20 %, and whose weights fall off as rank to the power −skew, "
        "with mean one; the colour is the chance that the optimum has a project at the frontier.",
        " ".join(_crossing(chances, skew) for skew in (skews[0], skews[len(skews) // 2], skews[-1])),
    ]
    phase = next(illustrate_study(study))
    return Chapter("Where the boundary lies", text, [phase._replace(name="boundary")])


def _greedy_is_right(found: list[Found], five: Portfolio) -> Chapter:
    losses = [f.summary for f in found if f.solver == "greedy" and f.metric == "loss"]
    worst = max(float(summary.largest) for summary in losses)
    count = int(sum(float(summary.count) for summary in losses))
    lost = f"the largest loss was {worst:.1e} of it" if worst > LEAST else "not one of them lost anything"
    text = [
        f"On all {count:,} of these portfolios greedy, which gives each unit to the project that gains most "
        f"by it, was compared with the proved optimum: {lost}. So it must be where every unit gains less "
        "than the one before.",
    ]
    picture = illustrate_returns(five, budget_curve(five, 400), ["greedy"], LARGE, f" of {FIVE}")
    return Chapter("Greedy is right wherever curves only flatten", text, [picture])


def _stages(found: list[Found], pictures: dict[str, Illustration]) -> Chapter:
    loss = _by_point(found, "greedy", "loss")
    largest = max(float(f.summary.largest) for f in found if f.solver == "greedy" and f.metric == "loss")
    in_percent = functools.partial(percent_text, places=0)
    text = [
        "Real projects have stages: feature engineering, classical models, deep learning, research, each "
        "opening after some groundwork and gaining more than the last. A plateau has no first gain, so "
        "greedy never begins it.",
        f"On staged portfolios greedy loses {range_text(loss.values(), in_percent)} of the "
        f"optimum on average over the points of the map, and {percent_text(largest, 0)} at worst.",
    ]
    wanted = ("curves", "gains", "shares", "returns", "frontier_exact", "loss_greedy")
    return Chapter("What stages change", text, [pictures[n]._replace(name=f"staged_{n}") for n in wanted])


def _instead(study: Study, pictures: dict[str, Illustration]) -> Chapter:
    found, rates = study.found, study.rates()
    lost = {s: _mean(_by_point(found, s, "loss")) for s in dict.fromkeys(f.solver for f in found)}
    time = {s: 1.0 / rates[s] for s in lost}
    text = [
        "Look at the average gain of the best jump rather than at the gain of the next unit (density: "
        f"{percent_text(lost['density'])} lost on average, {1e6 * time['density']:.0f} µs a portfolio), "
        f"climb over real effort and round (relaxation: {percent_text(lost['relaxation'])}, "
        f"{1e6 * time['relaxation']:.0f} µs), "
        f"or solve it exactly, with proof ({1e6 * time['exact']:.0f} µs; greedy itself takes "
        f"{1e6 * time['greedy']:.0f} µs).",
    ]
    figures = [pictures[name]._replace(name=f"staged_{name}") for name in ("loss", "time")]
    return Chapter("What to do instead", text, figures, solver_table(found))


def _curves(portfolio: Portfolio, budget: float, name: str, what: str) -> Illustration:
    curves = next(iter(illustrate_portfolio(portfolio, budget, ["exact", "greedy"], what)))
    return curves._replace(name=name)


def _efforts(portfolio: Portfolio, solution: Allocation) -> str:
    return ", ".join(f"{name} {e:.0f}" for name, e in zip(portfolio.names, solution.effort, strict=True))


def _proof(solution: Allocation) -> str:
    if not solution.proved:
        return f"no allocation can return more than {float(solution.bound):.1f}"
    return "no allocation can return more, which is proved"


def _by_point(found: list[Found], solver: str, metric: str) -> dict[tuple[float, float], float]:
    """Means by budget and skew."""
    return {
        (float(f.settings["budget"]), float(f.settings["scenario.skew"])): float(f.summary.mean)
        for f in found
        if f.solver == solver and f.metric == metric
    }


def _crossing(chances: dict[tuple[float, float], float], skew: float) -> str:
    """At which budgets of the grid most portfolios have a project at the frontier."""
    most = [budget for (budget, own), chance in sorted(chances.items()) if own == skew and chance > 0.5]
    if not most:
        return f"At skew {skew:g} most portfolios never have one there."
    chance = percent_text(chances[most[0], skew], 0)
    return f"At skew {skew:g} most portfolios have one there from a budget of {most[0]:g} on ({chance})."


def _mean(values: dict[tuple[float, float], float]) -> float:
    return max(sum(values.values()) / len(values), 0.0)
