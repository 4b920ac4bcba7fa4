"""What a study found, in sentences: who misses how much and where, what is proved, who reaches the frontier.

They read right for one solver and for five, at one point and at hundreds.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

from engine.simulation.methods import aim, reference
from engine.simulation.summaries import LEAST, Summary, standard_error
from engine.study.results import Found
from engine.study.study import Study
from engine.study.words import (
    counted,
    key_name,
    listed,
    number_text,
    percent_text,
    range_text,
    settings_words,
)


def question_of(study: Study) -> str:
    """What the study asks, in words, where its author did not say."""
    manifest = study.manifest
    over = f", over {listed(list(map(key_name, manifest.keys)))}" if manifest.keys else ""
    solvers = list(manifest.solvers)
    one = len(solvers) == 1
    verb, they = ("does", "it") if one else ("do", "they")
    asked = f"How {verb} {listed(solvers)} allocate{over}, and what {verb} {they} miss?"
    scenario = manifest.config.get("scenario")
    return f"{asked} The scenario: {scenario.get('description') or scenario['name']}." if scenario else asked


def findings(found: list[Found]) -> list[str]:
    """What the numbers say first."""
    if planned(found):
        return [*_worth_of_looks(found), *_misses(found), *_frontiers(found)]
    return [*_misses(found), *_proofs(found), *_frontiers(found)]


def planned(found: Iterable[Found]) -> bool:
    """Whether these are of plans."""
    return any(f.metric == "over_static" for f in found)


def _misses(found: list[Found]) -> list[str]:
    """What each solver misses, and at which point most; those that miss nothing in one sentence."""
    solvers = list(dict.fromkeys(f.solver for f in found))
    best, whole = reference(solvers), aim(solvers)
    nothing, lines = [], []
    for solver in (solver for solver in solvers if solver != best):
        mine = [f for f in found if f.solver == solver and f.metric == "loss" and float(f.summary.count)]
        if not mine:
            lines += _gaps(found, solver)
            continue
        most = max(mine, key=lambda f: float(f.summary.mean))
        worst = max(float(f.summary.largest) for f in mine)
        if worst <= LEAST:
            nothing.append(solver)
            continue
        each = range_text((float(f.summary.mean) for f in mine), percent_text)
        where = settings_words(most.settings)
        at = f", most at {where}," if len(mine) > 1 and where else ""
        rest = f"{at} and {percent_text(worst, 1)} at worst."
        lines.append(f"{solver} misses {each} of the {whole} on average{rest}")
    if nothing:
        lines.append(f"{listed(nothing)} {_verb('miss', nothing)} nothing of the {whole} in any portfolio.")
    return lines


def _gaps(found: list[Found], solver: str) -> list[str]:
    """What a solver may miss at most, where the optimum is not known."""
    mine = [f.summary for f in found if f.solver == solver and f.metric == "gap" and float(f.summary.count)]
    if not mine:
        return []
    each = range_text((float(summary.mean) for summary in mine), percent_text)
    worst = percent_text(max(float(summary.largest) for summary in mine), 1)
    return [f"{solver} misses at most {each} of the certified bound on average, and {worst} at worst."]


def _proofs(found: list[Found]) -> list[str]:
    """How many of their answers solvers prove: all, none, or a share of them."""
    shares: dict[str, list[float]] = {}
    for f in found:
        if f.metric == "proved" and float(f.summary.count):
            shares.setdefault(f.solver, []).append(float(f.summary.mean))
    every = [solver for solver, of in shares.items() if min(of) == 1.0]
    none = [solver for solver, of in shares.items() if max(of) == 0.0]
    lines = [
        f"{solver} proves {range_text(of, lambda share: percent_text(share, 1))} of its answers optimal."
        for solver, of in shares.items()
        if solver not in (*every, *none)
    ]
    for solvers, how in ((every, "all"), (none, "none")):
        if solvers:
            whose = "its" if len(solvers) == 1 else "their"
            lines.append(f"{listed(solvers)} {_verb('prove', solvers)} {how} of {whose} answers optimal.")
    return lines


def _frontiers(found: list[Found]) -> list[str]:
    """Where a project is at the frontier, by the best of the solvers."""
    best = reference({f.solver for f in found})
    shown = best if any(f.solver == best for f in found) else found[-1].solver
    chances = [f for f in found if f.metric == "frontier" and f.solver == shown and float(f.summary.count)]
    if len(chances) == 1:
        chance = percent_text(float(chances[0].summary.mean), 1)
        return [f"{shown} has a project at the frontier in {chance} of portfolios."]
    if not chances:
        return []
    most = sum(float(f.summary.mean) > 0.5 for f in chances)
    where = {0: f"At none of {len(chances)} points", len(chances): f"At all {len(chances)} points"}
    at = where.get(most, f"At {most} of {counted(len(chances), 'point')}")
    return [f"{at} most portfolios have a project at the frontier, by {shown}."]


def _worth_of_looks(found: list[Found]) -> list[str]:
    """Of plans: what re-planning is worth, and where more than a larger budget without it."""
    lines = []
    for solver in dict.fromkeys(f.solver for f in found if f.solver not in ("static", "clairvoyant")):
        mine = [f for f in found if f.solver == solver and float(f.summary.count) > 1]
        gains = [float(f.summary.mean) for f in mine if f.metric == "over_static"]
        if not gains:
            continue
        more = range_text(gains, functools.partial(number_text, digits=3))
        sure = [surely_above(f.summary) for f in mine if f.metric == "over_richer"]
        where = (
            f"at {sum(sure)} of {len(sure)} points" if len(sure) > 1 else "sure" if any(sure) else "not sure"
        )
        lines.append(
            f"{solver} returns {more} more than a plan that is never revised; more than "
            f"such a plan with the larger budget: {where}, by two standard errors."
        )
    return lines


def surely_above(summary: Summary) -> bool:
    """Whether a mean is above 0 by two standard errors."""
    return float(summary.mean) > 2.0 * standard_error(summary)


def _verb(verb: str, solvers: list[str]) -> str:
    return verb if len(solvers) > 1 else f"{verb}es" if verb.endswith("ss") else f"{verb}s"
