"""Methods of bets: solvers that look at the draws, beside the ordinary ones, which solve the mean returns;
of projects with approaches, beside the ordinary ones, which solve the best expected returns; and of effort
that spills over, beside the ordinary ones, which ignore that.

    solver(drawn, budget, lattice, *, options...) -> Solution

The value of a solution is a mean over draws, whatever the solver itself maximises, so that all are compared
by one number, and with the optimum of mean returns, `exact`, in pairs:

- `mean_parameters`: the plan of who ignores uncertainty, the integer optimum on mean parameters, by what the
  draws say of it; it returns at most what `exact` does.
- `wait_and_see`: the mean over draws of each one's own integer optimum, at least what `exact` returns; the
  difference is the value of perfect information. It is no plan: its efforts are not a number.
- `mean_cvar`, `mean_deviation`, `chance`: real effort for that objective (`engine.bets.objectives`).
- `single_best`, of approaches: the optimum where every project has one of them only, at most what `exact`
  returns, which may try several.
- `coupled`, of effort that spills over: by gradient from 16 starts and moves of whole units, as `engine.bet`
  does it, at least what `coupled_greedy` and `exact` return; the plan that all others are measured by, but
  where every plan is looked at by `enumeration`.
- `coupled_greedy`: unit by unit to the project that lifts the total most.
- `exact`, an ordinary solver, is there the plan of who ignores the spill-over, valued with it.

Source: Birge & Louveaux (2011), Introduction to Stochastic Programming, chapter 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax.tree_util import register_dataclass
from jaxtyping import Array, Float

from engine.bets import coupled as spill
from engine.bets.certificate import COARSE, FINE, cell_bound
from engine.bets.interior import Found
from engine.bets.lifted import CLIMBS, Lifted, Lifting, best_known, every_plan, lifted
from engine.bets.objectives import (
    Chance,
    Mean,
    MeanCVaR,
    MeanDeviation,
    Objective,
    cvar,
    deviation,
)
from engine.bets.risk import certified_effort, judge
from engine.bets.tries import Counted, Tries, single_plan
from engine.bets.uncertain import Uncertain
from engine.bets.whole import PLANS_AT_ONCE
from engine.model.portfolio import Portfolio
from engine.solvers.batching import one_by_one
from engine.solvers.bound import bound
from engine.solvers.exact import exact
from engine.solvers.lattice import Lattice
from engine.solvers.registry import (
    FEW_NUMBERS,
    Method,
)
from engine.solvers.relaxation import feasible_set
from engine.solvers.responses import Scalar
from engine.solvers.solution import Solution, Status, conclude, extended

# Random starts of an ascent, beside those by tables, and mixtures of weights for its bound: a quarter and a
# third of those of a bet alone, for a study of thousands; the bound says what that costs.
STARTS, MIXTURES = 2, 3
# The share of draws that is called the worst.
TAIL = 0.1


class Drawn(NamedTuple):
    """A portfolio as drawn; of a bet also the draws around it, and the portfolio of their mean returns. Of
    approaches that of the best expected returns, and what stands behind it; where effort spills over, what
    does so; where it is planned, the plans: `Uncertain`, `Tries`, `Lifting`, or what a layer above adds."""

    portfolio: Portfolio
    bet: Any = None
    reduced: Portfolio | None = None

    @property
    def solved(self) -> Portfolio:
        """What ordinary solvers solve."""
        return self.portfolio if self.reduced is None else self.reduced


@register_dataclass
@dataclass(frozen=True)
class Staked(Solution):
    """A solution of a bet: `value` and `bound` are of the mean return, `objective` and `objective_bound` of
    what the solver maximises."""

    objective: Scalar
    objective_bound: Scalar


def stake(solution: Solution) -> Staked:
    """The solution of a bet, of the mean unless it says otherwise."""
    if isinstance(solution, Staked):
        return solution
    return extended(Staked, solution, objective=solution.value, objective_bound=solution.bound)


def mean_parameters(drawn: Drawn, budget: Scalar, lattice: Lattice) -> Solution:
    """The integer optimum on mean parameters, valued on the draws."""
    bet, reduced = _given(drawn)
    plan = exact(bet.mean_parameters(), budget, lattice)
    most = bound(reduced, budget, lattice).bound
    return conclude(reduced, budget, plan.effort, plan.multiplier, most)


def wait_and_see(drawn: Drawn, budget: Scalar, lattice: Lattice) -> Solution:
    """The mean of each draw's own integer optimum, one draw after the other: memory is that of one."""
    bet, _ = _given(drawn)
    best = one_by_one(lambda one: exact(one, budget, lattice))(bet.each())
    return Solution(
        effort=jnp.full_like(best.effort[0], jnp.nan),
        value=jnp.mean(best.value),
        bound=jnp.mean(best.bound),
        multiplier=jnp.mean(best.multiplier),
        spent=jnp.full_like(best.spent[0], jnp.nan),
        proved=jnp.all(best.proved),
        status=jnp.max(best.status),
    )


def mean_cvar(
    drawn: Drawn,
    budget: Scalar,
    lattice: Lattice,
    *,
    aversion: float = 0.5,
    tail: float = 0.1,
    tolerance: float = 1e-6,
) -> Staked:
    """Real effort for (1 − aversion)·mean + aversion·CVaR of the worst share `tail`.

    **Arguments:** `tolerance`, the relative gap at which an ascent on concave draws ends.
    """
    return _averse(drawn, budget, MeanCVaR(aversion, tail), tolerance)


def mean_deviation(
    drawn: Drawn, budget: Scalar, lattice: Lattice, *, aversion: float = 1.0, tolerance: float = 1e-6
) -> Staked:
    """Real effort for the mean less `aversion` times the standard deviation.

    **Arguments:** `tolerance`, as of `mean_cvar`.
    """
    return _averse(drawn, budget, MeanDeviation(aversion), tolerance)


def chance(
    drawn: Drawn, budget: Scalar, lattice: Lattice, *, target: float, tolerance: float = 1e-6
) -> Staked:
    """Real effort for the chance that the return reaches `target`.

    **Arguments:** `tolerance`, as of `mean_cvar`.
    """
    return _averse(drawn, budget, Chance(target), tolerance)


def single_best(drawn: Drawn, budget: Scalar, lattice: Lattice) -> Counted:
    """The integer optimum where each project has the one of its approaches that does most with its units."""
    assert isinstance(drawn.bet, Tries)
    return single_plan(drawn.portfolio, drawn.bet, budget, lattice)


def _given(drawn: Drawn) -> tuple[Uncertain, Portfolio]:
    assert isinstance(drawn.bet, Uncertain)
    assert drawn.reduced is not None
    return drawn.bet, drawn.reduced


def _averse(drawn: Drawn, budget: Scalar, objective: Objective, tolerance: Scalar | float) -> Staked:
    """The best effort for an objective, by its mean; the mean's bound is that of all real effort."""
    bet, _ = _given(drawn)
    box = feasible_set(bet.terms(), budget)
    found = certified_effort(bet, objective, box, tolerance, STARTS, bet.rising, MIXTURES)
    values = bet.values(found.effort)
    mean, infinite = jnp.mean(values), jnp.asarray(jnp.inf, values.dtype)
    most = cell_bound(bet, Mean(), box, values, 1) if bet.rising else infinite
    solution = judge(bet, budget, Found(found.effort, mean, most), tolerance)
    solved = solution.status == Status.SOLVED
    least = jnp.maximum(found.bound, found.value)
    own, own_bound = (jnp.where(solved, number, jnp.nan) for number in (found.value, least))
    return extended(Staked, solution, objective=own, objective_bound=own_bound)


def cells(portfolio: Portfolio, lattice: Lattice) -> int:
    """The cells by which the mean and the objective are bounded, each by three weights."""
    return 6 * (COARSE + FINE)


def coupled(
    drawn: Drawn, budget: Scalar, lattice: Lattice, *, tolerance: float = 1e-6, max_steps: int = 300
) -> Lifted:
    """Whole units by gradient from 16 starts, then by moves of units while the return rises.

    **Arguments:** `tolerance`, the relative gap at which a climb ends, or after `max_steps`.
    """
    return best_known(drawn.portfolio, _lifting(drawn), budget, lattice, tolerance, max_steps)


def coupled_greedy(drawn: Drawn, budget: Scalar, lattice: Lattice) -> Lifted:
    """Unit by unit to the project by which the total rises most per cost."""
    return lifted(_lifting(drawn), spill.greedy(_lifting(drawn).coupled, budget))


def enumeration(
    drawn: Drawn, budget: Scalar, lattice: Lattice, plans: Float[Array, "plans projects"]
) -> Lifted:
    """The best of all plans of whole units, proved, where these are at most two million."""
    return lifted(_lifting(drawn), spill.enumeration(_lifting(drawn).coupled, budget, plans))


def _lifting(drawn: Drawn) -> Lifting:
    assert isinstance(drawn.bet, Lifting)
    return drawn.bet


def pairs(portfolio: Portfolio, lattice: Lattice) -> int:
    """What each project gives to each."""
    return FEW_NUMBERS * portfolio.shape[-1]


def climbs(portfolio: Portfolio, lattice: Lattice) -> int:
    """The same of every climb."""
    return CLIMBS * pairs(portfolio, lattice)


def looked_at(portfolio: Portfolio, lattice: Lattice) -> int:
    """The plans that are looked at together, what they give and what they return."""
    return 4 * PLANS_AT_ONCE


METHODS: dict[str, Method] = {
    "mean_parameters": Method(mean_parameters, takes="bet"),
    "wait_and_see": Method(wait_and_see, takes="bet"),
    "mean_cvar": Method(mean_cvar, effort="real", takes="bet", entries=cells),
    "mean_deviation": Method(mean_deviation, effort="real", takes="bet", entries=cells),
    "chance": Method(chance, effort="real", takes="bet", entries=cells),
    "single_best": Method(single_best, takes="approaches"),
    "coupled": Method(coupled, takes="coupled", entries=climbs),
    "coupled_greedy": Method(coupled_greedy, takes="coupled", entries=pairs),
    "enumeration": Method(enumeration, takes="coupled", entries=looked_at, prepare=every_plan),
}
METRICS = {
    "deviation": "standard deviation of the return over the draws",
    "cvar": "mean return of the worst tenth of the draws",
    "objective": "what the solver maximises: the mean return, unless it says otherwise",
    "objective_bound": "certified upper bound of what the solver maximises",
}
# What only a plan has: of each other number of a bet it is enough to know what it returns.
OF_PLANS = (
    *("loss", "optimal", "frontier", "frontier_projects", "funded"),
    *("largest_share", "effective_number", "unspent"),
)


def measure_bet(
    bet: Uncertain, solution: Solution, metrics: Mapping[str, Float[Array, ""]]
) -> dict[str, Float[Array, ""]]:
    """The metrics of one solution of a bet, of which the ordinary ones are given; NaN where it is no plan."""
    staked = stake(solution)
    planned = jnp.all(jnp.isfinite(solution.effort))
    values = bet.values(solution.effort)

    def of_plan(number: Float[Array, ""]) -> Float[Array, ""]:
        return jnp.where(planned, number, jnp.nan)

    return {
        **{name: of_plan(one) if name in OF_PLANS else one for name, one in metrics.items()},
        "deviation": of_plan(deviation(values)),
        "cvar": of_plan(cvar(values, TAIL)),
        "objective": staked.objective,
        "objective_bound": staked.objective_bound,
    }
