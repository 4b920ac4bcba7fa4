"""Exact: the integer optimum for any curves, and proof of it.

The Lagrangian dual gives a price; the optimum over a small core of levels is proved to be the optimum over
all if nothing left out scores better (see `engine.solvers.core`). What is not proved goes on to a larger
core, and in the end to the full dynamic programme. So every answer is optimal, fast in the usual case. In a
batch only the portfolios that need a harder stage enter it.

Costs without a common unit are rounded up to the lattice: only the full programme runs, its answer is
feasible, and proved where the dual bound meets it.

Cost: see the core; O(N·B²) for what the cores leave over.

Sources: Kellerer, Pferschy & Pisinger (2004), Knapsack Problems, chapters 5 and 11.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp

from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio
from engine.solvers.batching import for_unfinished, in_chunks
from engine.solvers.core import Answer, CoreSize, count_windows, solve_core
from engine.solvers.dual import MOST_CHORDS, integer_dual
from engine.solvers.lattice import Lattice
from engine.solvers.programme import optimum_within
from engine.solvers.responses import Scalar, few_candidates, unit_bounds, unit_response
from engine.solvers.rounding import budget_slack
from engine.solvers.solution import Solution, conclude

# The cores tried in turn: the first holds what most portfolios need, the second has every project's windows.
FIRST = CoreSize(wide=4, width=8, reach=40)
SECOND_WIDTH = 32
# The price need not be the best one: a core mends what is left.
FEW_CHORDS = 10
# What is kept of a project whose curve names its own candidates.
FEW_LEVELS = 16
# A core is tried only if it is this many times smaller than the full programme.
WORTH_TRYING = 2.0
Stage = Callable[[Portfolio, Scalar, Scalar, Scalar], Answer]


def exact(portfolio: Portfolio, budget: Scalar, lattice: Lattice) -> Solution:
    """The integer optimum, proved."""
    (first, entries), *harder = stages(portfolio, lattice)
    chords = FEW_CHORDS if harder else MOST_CHORDS
    search = partial(integer_dual, lattice=lattice, most_chords=chords)
    dual = in_chunks(search, surveyed(portfolio, lattice))(portfolio, budget)
    answer = in_chunks(first, entries)(portfolio, budget, dual.price, dual.bound)
    for stage, entries in harder:
        given = portfolio, budget, answer.price, answer.bound
        answer = for_unfinished(stage, entries)(answer.finished, answer, *given)
    price = dual.price
    if smooth(portfolio):
        settle = in_chunks(partial(settled_price, lattice=lattice), surveyed(portfolio, lattice))
        price = settle(portfolio, budget, answer.effort, price, dual.bound)
    return conclude(portfolio, budget, answer.effort, price, answer.bound)


def smooth(portfolio: Portfolio) -> bool:
    """Whether a price has one best effort within a curve: settling it costs others a fifth of their rate."""
    return jax.eval_shape(portfolio.curves.maximisers, portfolio.costs()).shape[0] == 1


def settled_price(
    portfolio: Portfolio, budget: Scalar, effort: Vector, price: Scalar, bound: Scalar, lattice: Lattice
) -> Scalar:
    """A multiplier at which no single unit of the optimum would move, if it makes the dual no larger.

    The search for the price is rough, and ends once a core can mend the rest; on curves in stages it is left
    at that, within a percent or so. Where there is no duality gap the optimum itself says which prices
    minimise the dual: from the largest gain of a next unit to the smallest of a last one.
    """
    costs = portfolio.costs()
    least, most = unit_bounds(portfolio, budget, lattice)
    next_gain = jnp.max(jnp.where(effort < most, portfolio.gain(effort) / costs, 0.0))
    before = jnp.maximum(effort - 1.0, 0.0)
    last_gain = jnp.min(jnp.where(effort > least, portfolio.gain(before) / costs, jnp.inf))
    nearest = jnp.where(next_gain <= last_gain, jnp.clip(price, next_gain, last_gain), price)
    payoff = unit_response(portfolio, budget, lattice)(nearest).payoff
    return jnp.where(jnp.sum(payoff) + nearest * budget <= bound, nearest, price)


def surveyed(portfolio: Portfolio, lattice: Lattice) -> int:
    """How many numbers the levels of one portfolio are that its best responses are chosen from."""
    levels = FEW_LEVELS if few_candidates(portfolio, lattice) else 2 * (lattice.units + 1)
    return portfolio.shape[-1] * levels


def stages(portfolio: Portfolio, lattice: Lattice) -> list[tuple[Stage, int]]:
    """The stages worth trying, from the smallest core to the full programme, each with the numbers that it
    holds in memory for one portfolio."""
    projects, states = portfolio.shape[-1], lattice.states + 1
    last = partial(by_programme, lattice=lattice), 2 * projects * states
    if lattice.brief:
        return [last]
    windows = count_windows(portfolio, lattice)
    # With unequal costs a level moves each project by another number of budget steps: no common reach.
    first = FIRST._replace(wide=min(projects, FIRST.wide) if portfolio.cost is None else projects)
    cores = []
    for core in (first, CoreSize(wide=projects, width=SECOND_WIDTH, reach=1)):
        near = (projects - core.wide) * 2 * core.width * 2 * core.reach
        work = near + core.wide * windows * core.width * states
        if lattice.holds_costs and WORTH_TRYING * work <= projects * lattice.units * states / 2:
            entries = core.wide * states + near // core.width + surveyed(portfolio, lattice)
            cores.append((partial(solve_core, lattice=lattice, size=core), entries))
    return [*cores, last]


def by_programme(
    portfolio: Portfolio, budget: Scalar, price: Scalar, bound: Scalar, lattice: Lattice
) -> Answer:
    """The optimum by enumeration of every budget step."""
    within = jnp.floor((budget + budget_slack(budget)) / lattice.step).astype(jnp.int32)
    state = jnp.clip(within, 0, lattice.states)
    optimum, effort = optimum_within(portfolio, lattice, state)
    return Answer(effort, price, optimum if lattice.holds_costs else bound, jnp.asarray(True))
