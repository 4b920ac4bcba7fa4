"""Exact: the integer optimum for any curves, and proof of it.

The Lagrangian dual gives a price; the optimum over a small core of levels is proved to be the optimum over
all if nothing left out scores better (see `engine.solvers.core`). What is not proved goes on to a larger
core, and in the end to the full dynamic programme. So every answer is optimal, fast in the usual case. In a
batch only the portfolios that need a harder stage enter it.

With unequal costs a window of few projects, over spends near the dual's, comes before the programme (see
`engine.solvers.window`). Where the programme would be long, where its tables do not fit, and where costs have
no common unit, boxes of whole units are searched instead (see `engine.solvers.branching`): neither budgets
nor costs are limited.

Cost: see the core, and the boxes; O(N·B²) for what they leave over.

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
from engine.solvers.branching import OPEN_BOXES, branch
from engine.solvers.core import Answer, CoreSize, count_windows, solve_core
from engine.solvers.dual import MOST_CHORDS, integer_dual
from engine.solvers.lattice import MOST_STATES, Lattice
from engine.solvers.programme import optimum_within
from engine.solvers.responses import Scalar, few_candidates, unit_bounds, unit_response
from engine.solvers.rounding import budget_slack
from engine.solvers.solution import Solution, conclude
from engine.solvers.window import WindowSize, solve_window

# The cores tried in turn: the first holds what most portfolios need, the second has every project's windows.
FIRST = CoreSize(wide=4, width=8, reach=40)
SECOND_WIDTH = 32
# Of unequal costs: the projects that leave their best response most cheaply, by a level or two.
WINDOW = WindowSize(projects=256, levels=2, reach=1 << 15)
# The price need not be the best one: a core mends what is left.
FEW_CHORDS = 10
# What is kept of a project whose curve names its own candidates.
FEW_LEVELS = 16
# A core is tried only if it is this many times smaller than the full programme.
WORTH_TRYING = 2.0
# Steps of the largest core that is tried, and of the longest programme that is run before boxes are searched;
# budget steps of all projects that one programme may hold.
MOST_CORE_WORK, LONG_WORK, MOST_STATES_HELD = 1e7, 1e9, 3e8
Core = Callable[[Portfolio, Scalar, Scalar, Scalar], Answer]
Stage = Callable[[Portfolio, Scalar, Scalar, Scalar, Vector], Answer]


def exact(portfolio: Portfolio, budget: Scalar, lattice: Lattice) -> Solution:
    """The integer optimum, proved."""
    (first, entries), *harder = stages(portfolio, lattice)
    chords = FEW_CHORDS if harder and portfolio.cost is None else MOST_CHORDS
    search = partial(integer_dual, lattice=lattice, most_chords=chords)
    dual = in_chunks(search, surveyed(portfolio, lattice))(portfolio, budget)
    answer = in_chunks(first, entries)(portfolio, budget, dual.price, dual.bound, dual.inside)
    for stage, entries in harder:
        given = portfolio, budget, answer.price, answer.bound, answer.effort
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
    holds in memory for one portfolio. A stage is a function of (portfolio, budget, price, bound, effort):
    what the stages before it found."""
    projects, states = portfolio.shape[-1], lattice.states + 1
    programme = partial(by_programme, lattice=lattice), 2 * projects * states
    boxes = partial(by_boxes, lattice=lattice), 2 * projects * OPEN_BOXES
    if not lattice.tables or not lattice.holds_costs:
        return [boxes]
    if lattice.brief:
        return [programme]
    cores = []
    for core, work in cores_of(portfolio, lattice):
        if WORTH_TRYING * work <= projects * lattice.units * states / 2 and work <= MOST_CORE_WORK:
            near = 4 * core.reach * (projects - core.wide)
            entries = core.wide * states + near + surveyed(portfolio, lattice)
            cores.append((partial(by_core, solve=partial(solve_core, lattice=lattice, size=core)), entries))
    work = projects * lattice.units * states
    if portfolio.cost is not None:
        size = window_of(portfolio, states)
        if WORTH_TRYING * (2 * size.levels + 1) * size.projects * size.states <= work:
            window = partial(by_window, solve=partial(solve_window, lattice=lattice, size=size))
            cores.append((window, size.projects * size.states + surveyed(portfolio, lattice)))
    if states > MOST_STATES or projects * states > MOST_STATES_HELD:
        return [*cores, boxes]
    return [*cores, programme] if work <= LONG_WORK else [*cores, boxes, programme]


def window_of(portfolio: Portfolio, states: int) -> WindowSize:
    """The window of these projects; never wider than all of the budget."""
    return WindowSize(min(portfolio.shape[-1], WINDOW.projects), WINDOW.levels, min(states, WINDOW.reach))


def cores_of(portfolio: Portfolio, lattice: Lattice) -> list[tuple[CoreSize, int]]:
    """The cores that might be tried, with the work that each is."""
    projects, states = portfolio.shape[-1], lattice.states + 1
    windows = count_windows(portfolio, lattice)
    # With unequal costs a level moves each project by another number of budget steps: no common reach.
    first = FIRST._replace(wide=min(projects, FIRST.wide) if portfolio.cost is None else projects)

    def work(core: CoreSize) -> int:
        near = (projects - core.wide) * 2 * core.width * 2 * core.reach
        return near + core.wide * windows * core.width * states

    return [(core, work(core)) for core in (first, CoreSize(wide=projects, width=SECOND_WIDTH, reach=1))]


def by_core(
    portfolio: Portfolio, budget: Scalar, price: Scalar, bound: Scalar, seen: Vector, solve: Core
) -> Answer:
    """The optimum over a core, finished if it is proved to be that over all levels."""
    return solve(portfolio, budget, price, bound)


def by_window(
    portfolio: Portfolio, budget: Scalar, price: Scalar, bound: Scalar, seen: Vector, solve: Core
) -> Answer:
    """The same over the window; if it is not proved, what was seen before where that is better."""
    answer = by_core(portfolio, budget, price, bound, seen, solve)
    better = portfolio.value(answer.effort) >= portfolio.value(seen)
    return answer._replace(effort=jnp.where(better | answer.finished, answer.effort, seen))


def by_boxes(
    portfolio: Portfolio, budget: Scalar, price: Scalar, bound: Scalar, seen: Vector, lattice: Lattice
) -> Answer:
    """The optimum by branch and bound over boxes of whole units, if it ends in time."""
    effort, most, finished = branch(portfolio, budget, seen, lattice)
    return Answer(effort, price, jnp.minimum(bound, most), finished)


def by_programme(
    portfolio: Portfolio, budget: Scalar, price: Scalar, bound: Scalar, seen: Vector, lattice: Lattice
) -> Answer:
    """The optimum by enumeration of every budget step."""
    within = jnp.floor((budget + budget_slack(budget)) / lattice.step).astype(jnp.int32)
    optimum, effort = optimum_within(portfolio, lattice, jnp.clip(within, 0, lattice.states))
    return Answer(effort, price, optimum, jnp.asarray(True))
