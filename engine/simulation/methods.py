"""Whatever a study may solve with: solvers of portfolios, methods of bets (`engine.bets.methods`), policies
of plans (`engine.planning.methods`); what each needs, how its answers are finished and measured.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from jaxtyping import Array, Float

from engine.bets.lifted import METRICS as LIFTED_METRICS
from engine.bets.lifted import Lifted, Lifting, measure_lifted, valued
from engine.bets.methods import METHODS as BET_METHODS
from engine.bets.methods import METRICS as BET_METRICS
from engine.bets.methods import Drawn, measure_bet, stake
from engine.bets.objectives import OBJECTIVES, find_objective
from engine.bets.tries import METRICS as TRIES_METRICS
from engine.bets.tries import Counted, Tries, count, measure_tries
from engine.model.naming import one_of
from engine.planning.methods import Planned, Plans, measure_plans, methods, plan_metrics
from engine.simulation.rules import METHODS as RULES_METHODS
from engine.simulation.rules import METRICS as RULES_METRICS
from engine.simulation.rules import Ruling, measure_rules
from engine.solvers.registry import (
    OLD_NAMES,
    REFERENCE,
    SOLVERS,
    Method,
    Takes,
    check_options_of,
    find_method,
)
from engine.solvers.responses import Scalar
from engine.solvers.solution import Solution

# Whose values all others are measured by: the first of these that a study has.
REFERENCES = ("enumeration", "coupled", "clairvoyant", REFERENCE)
# What they are, in words; of the others a proved optimum.
AIMS = {"coupled": "best plan known", "clairvoyant": "clairvoyant's return"}
# What a scenario needs for them.
NEEDED: dict[Takes, str] = {
    "portfolio": "allocates once, expected a policy of plans over periods",
    "bet": "is of bets, expected a scenario with an uncertainty",
    "approaches": "is of several approaches a project, expected a scenario with approaches",
    "coupled": "is of effort that spills over, expected a scenario with a spillover",
    "ruled": "keeps rules, expected a scenario with rules",
    "plan": "is a policy of plans, expected planning=stalls or another planning",
}


def reference(solvers: Collection[str]) -> str:
    """The solver that the others are measured by."""
    return next((name for name in REFERENCES if name in solvers), REFERENCE)


def aim(solvers: Collection[str]) -> str:
    """What the others are measured by, in words."""
    return AIMS.get(reference(solvers), "proved optimum")


def method_of(name: str) -> Method:
    """The method of a name: a solver of portfolios, or what else there is."""
    there = every()
    return there[name] if name in there else find_method(name)


def every() -> dict[str, Method]:
    """All that there is by name, solvers first; theirs is what a name means that others have too."""
    return SOLVERS | BET_METHODS | RULES_METHODS | methods() | SOLVERS


def known(gives: Takes) -> dict[str, Method]:
    """All that can be asked for what a scenario gives."""
    return {name: method for name, method in every().items() if fits(method, gives)}


def fits(method: Method, gives: Takes) -> bool:
    """Whether a method can be asked for what a scenario gives; a plan is no single allocation."""
    return method.takes == gives or (method.takes == "portfolio" and gives != "plan")


def check_method(name: str, options: dict[str, Any], gives: Takes = "portfolio") -> dict[str, Any]:
    """The options of a solver of portfolios, or of what else a scenario gives.

    **Raises:** `ValueError` naming a solver that there is not or that needs what the scenario does not give,
    or an option that cannot be.
    """
    if gives != "portfolio" and not (isinstance(name, str) and OLD_NAMES.get(name, name) in every()):
        raise ValueError(f"unknown solver {name!r}{one_of(name, known(gives))}")
    method = method_of(name)
    if not fits(method, gives):
        of_plans = f": {', '.join(known(gives))}" if gives == "plan" else ""
        raise ValueError(f"solver {name} {NEEDED[method.takes]}{of_plans}")
    found = check_options_of(method, name, options)
    if name in OBJECTIVES:
        own = {field.name for field in dataclasses.fields(OBJECTIVES[name])}
        find_objective(name, **{key: value for key, value in found.items() if key in own})
    return found


def metrics_of(gives: Takes, periods: int = 0) -> dict[str, str]:
    """What is measured besides of what else a scenario gives, and what it means."""
    if gives == "plan":
        return plan_metrics(periods)
    known = {
        "bet": BET_METRICS,
        "approaches": TRIES_METRICS,
        "coupled": LIFTED_METRICS,
        "ruled": RULES_METRICS,
    }
    return known.get(gives, {})


def finish(drawn: Drawn, budget: Scalar, solution: Solution) -> Solution:
    """A solution with what is told of it besides: of a bet, of approaches, or of effort that spills over."""
    if drawn.bet is None or isinstance(drawn.bet, (Plans, Ruling)):
        return solution
    if isinstance(drawn.bet, Lifting):
        return valued(drawn.bet, budget, solution)
    return count(drawn.bet, solution) if isinstance(drawn.bet, Tries) else stake(solution)


def measure_besides(
    drawn: Drawn, solution: Solution, metrics: Mapping[str, Float[Array, ""]]
) -> dict[str, Float[Array, ""]]:
    """The metrics of one solution, of which the ordinary ones are given."""
    if drawn.bet is None:
        return dict(metrics)
    if isinstance(drawn.bet, Plans):
        assert isinstance(solution, Planned)
        return measure_plans(drawn.bet, solution, metrics)
    if isinstance(drawn.bet, Ruling):
        return measure_rules(drawn.bet, solution, metrics)
    if isinstance(drawn.bet, Tries):
        assert isinstance(solution, Counted)
        return measure_tries(solution, metrics)
    if isinstance(drawn.bet, Lifting):
        assert isinstance(solution, Lifted)
        return measure_lifted(drawn.bet, solution, metrics)
    return measure_bet(drawn.bet, solution, metrics)
