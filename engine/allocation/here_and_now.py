"""Here-and-now allocation: effort fixed before one of the draws is seen.

The mean is solved in whole units, and proved: the mean of curves is a curve, and its table an ordinary
portfolio (`exact`). Other objectives take real effort (`engine.bets.risk`), with a bound of what any effort
can have. Beside each answer stands what knowledge is worth, on the same draws:

    value of perfect information   mean_s [max_x V_s(x)] − mean_s V_s(x*)      "wait and see", difference
    value of the stochastic solution   mean_s V_s(x*) − mean_s V_s(x̄)          "mean parameters", −difference

with x̄ the plan made on mean parameters, and the standard errors of these paired differences over draws.

Source: Birge & Louveaux (2011), Introduction to Stochastic Programming, chapter 4.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from engine.allocation.allocate import check_batch, check_budgets, choose_lattice, solve
from engine.allocation.bet import Beside, Bet
from engine.allocation.running import Program, batched, on_host, program, round_size
from engine.bets.objectives import Mean, MeanCVaR, Objective, check_objective, find_objective
from engine.bets.risk import certified_effort, judge
from engine.bets.uncertain import Uncertain, normalise_uncertain
from engine.model.portfolio import Portfolio, numbered
from engine.solvers.relaxation import feasible_set
from engine.solvers.solution import Solution

# Fewer bets than these are not worth a thread of their own.
LEAST_ROUND = 8
# How often draws are drawn again for a standard error.
RESAMPLES = 200


def place_uncertain(
    given: Uncertain,
    budget: float | np.ndarray,
    objective: str | Objective = "mean",
    *,
    tolerance: float = 1e-6,
    starts: int = 8,
    knowledge: bool = True,
    **numbers: float,
) -> Bet:
    """Allocate a budget over projects whose curves are draws, before one of them is seen.

    **Arguments:** `objective`, a name in `engine.bets.objectives.OBJECTIVES` or an objective; `numbers`,
    those of the objective (`aversion`, `tail`, `target`); `tolerance`, the relative gap at which an answer
    counts as proved; `starts` of the ascent where the objective is not concave; `knowledge`, whether to hold
    the answer against perfect information and the plan on mean parameters.

    **Returns:** a `Bet`: whole units for the mean, real effort for others.

    **Raises:** `ValueError` naming what cannot be.
    """
    goal = _objective(objective, numbers)
    if not 0 < tolerance < 1:
        raise ValueError(f"tolerance is {tolerance!r}, expected a number above 0 and below 1")
    if isinstance(starts, bool) or not isinstance(starts, int) or starts < 1:
        raise ValueError(f"starts is {starts!r}, expected a number of at least 1")
    bet = normalise_uncertain(given, np.dtype(np.float64))
    if bet.cost is not None and np.any(bet.cost == 0):
        raise ValueError("a project of draws costs 0 per unit, expected costs above 0")
    check_batch(bet)
    budgets = check_budgets(budget, bet.shape[:-1], bet.dtype)
    whole = isinstance(goal, Mean)
    solution = _mean(bet, budgets) if whole else _relaxed(bet, budgets, goal, tolerance, starts)
    here = _returns(bet, solution.effort)
    figures = _figures(here, goal)
    beside = _knowledge(bet, budgets, here, goal) if knowledge else {}
    names = bet.names or numbered(bet.shape[-1])
    numbers_of = [f"{f.name} {getattr(goal, f.name):g}" for f in dataclasses.fields(goal)]
    words = [f"{goal.name.replace('_', ' ')} of {bet.count} draws", *numbers_of]
    how = ", ".join([*words, "whole units" if whole else "real effort"])
    return Bet(budgets[()], solution, tuple((name,) for name in names), how, figures, beside)


def _objective(objective: str | Objective, numbers: dict[str, float]) -> Objective:
    if not isinstance(objective, Objective):
        return find_objective(objective, **numbers)
    if numbers:
        raise ValueError(f"an objective and {next(iter(numbers))} are given, expected the number within it")
    check_objective(objective)
    return objective


def mean_portfolio(bet: Uncertain, budget: float) -> Portfolio:
    """The ordinary portfolio of mean returns over all whole units that a budget buys, on the host.

    **Raises:** `ValueError` for a budget that buys more units than a table holds.
    """
    upper = np.inf if bet.upper is None else float(np.max(bet.upper))
    projects = bet.shape[-1]
    lattice = choose_lattice(["exact"], budget, projects, bet.cost, upper)
    if not lattice.tables:
        raise ValueError(
            f"budget {budget:g} lets a project take {lattice.units:,} units, more than a table of means "
            "holds: measure effort in larger units, or set upper limits"
        )
    units = lattice.shared(projects, 1).units
    size = round_size(bet, 3 * (units + bet.count))
    table = batched(_averaging(units), bet, np.zeros(bet.shape[:-1]), size)
    return dataclasses.replace(table, names=bet.names)


@functools.lru_cache(maxsize=64)
def _averaging(units: int) -> Program[Portfolio]:
    return program(lambda bet, _: bet.mean_portfolio(units))


def _mean(bet: Uncertain, budgets: np.ndarray) -> Solution:
    """The exact optimum of mean returns."""
    return solve(mean_portfolio(bet, float(np.max(budgets))), budgets, "exact")


def _relaxed(
    bet: Uncertain, budgets: np.ndarray, objective: Objective, tolerance: float, starts: int
) -> Solution:
    """Real effort for other objectives."""
    kind: Any = type(objective)
    code = _relaxing(kind, starts, bet.rising)
    size = round_size(bet, 8 * bet.count)
    return batched(code, bet, budgets, size, (objective, np.float64(tolerance)), LEAST_ROUND)


@functools.lru_cache(maxsize=64)
def _relaxing(kind: Any, starts: int, rising: bool) -> Program[Solution]:
    """The compiled ascent to objectives of one kind, with its bound."""

    def run(bet: Uncertain, budget: Array, objective: Objective, tolerance: Array) -> Solution:
        box = feasible_set(bet.terms(), budget)
        found = certified_effort(bet, objective, box, tolerance, starts, rising)
        return judge(bet, budget, found, tolerance)

    return program(run, shared=2)


def _returns(bet: Uncertain, effort: Any) -> Float[np.ndarray, "... draws"]:
    """V_s(x) of every draw."""
    values: Any = on_host(Uncertain.values, dataclasses.replace(bet, names=()), np.asarray(effort))
    return values  # type: ignore[no-any-return]


def _measure(objective: Objective, values: Any) -> Any:
    return jnp.vectorize(objective.value, signature="(draws)->()")(values)


def _figures(values: np.ndarray, objective: Objective) -> dict[str, np.ndarray]:
    """Mean, standard deviation and tail of what an effort returns over the draws."""
    found = {"mean": values.mean(-1), "standard_deviation": values.std(-1)}
    if isinstance(objective, MeanCVaR):
        found["cvar"] = on_host(_measure, dataclasses.replace(objective, aversion=1.0), values)
    return found


def _knowledge(
    bet: Uncertain, budgets: np.ndarray, here: np.ndarray, objective: Objective
) -> dict[str, Beside]:
    """The answer, by its returns, held against perfect information and the plan on mean parameters."""
    whole = isinstance(objective, Mean)
    method = "exact" if whole else "waterfilling" if bet.concave else "continuous"
    each = np.broadcast_to(budgets[..., None], here.shape)
    best = np.asarray(solve(bet.each(), each, method).value)
    simple = batched(_MEAN_PARAMETERS, bet, budgets, round_size(bet, bet.count))
    plan = _returns(bet, solve(simple, budgets, method).effort)
    return {
        "wait and see": _beside(objective, best, here),
        "mean parameters": _beside(objective, plan, here),
    }


_MEAN_PARAMETERS = program(lambda bet, _: bet.mean_parameters())


def _beside(objective: Objective, other: np.ndarray, here: np.ndarray) -> Beside:
    """Returns of another plan against the answer's, draw by draw; the error is that of resampled draws."""
    value, own = (on_host(_measure, objective, values) for values in (other, here))
    draws = here.shape[-1]
    if isinstance(objective, Mean):
        error = np.std(other - here, axis=-1, ddof=min(1, draws - 1)) / np.sqrt(draws)
    else:
        random = np.random.default_rng(0)
        rows = [random.integers(0, draws, draws) for _ in range(RESAMPLES)]
        again = [
            on_host(_measure, objective, other[..., row]) - on_host(_measure, objective, here[..., row])
            for row in rows
        ]
        error = np.std(again, axis=0, ddof=1)
    return Beside(value, value - own, error)
