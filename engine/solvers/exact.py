"""Exact: the integer optimum for any curves, and proof of it.

The Lagrangian dual gives a price; the optimum over a small core of levels is proved to be the optimum over
all if nothing left out scores better (see `engine.solvers.core`). What is not proved goes on to a larger
core, and in the end to the full dynamic programme. So every answer is optimal, fast in the usual case. In a
batch only the portfolios that need a harder way enter it.

With unequal costs a window of few projects, over spends near the dual's, comes before the programme (see
`engine.solvers.window`). Where the programme would be long, where its tables do not fit, and where costs have
no common unit, boxes of whole units are searched instead (see `engine.solvers.branching`): neither budgets
nor costs are limited.

Cost: see the core, and the boxes; O(N·B²) for what they leave over.

Sources: Kellerer, Pferschy & Pisinger (2004), Knapsack Problems, chapters 5 and 11.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio
from engine.solvers.batching import for_unfinished, in_chunks, projects_first
from engine.solvers.branching import OPEN_BOXES, branch, most_boxes
from engine.solvers.core import Answer, CoreSize, NearSize, solve_core, solve_near
from engine.solvers.dual import MOST_CHORDS, Dual, integer_dual
from engine.solvers.few_levels import solve_few
from engine.solvers.lattice import MOST_STATES, Lattice
from engine.solvers.programme import optimum_within
from engine.solvers.responses import Haste, Scalar, few_candidates, total, unit_bounds, unit_response
from engine.solvers.rounding import budget_slack
from engine.solvers.solution import Solution, conclude
from engine.solvers.window import WindowSize, solve_window

# The cores tried in turn: near the best responses, then whatever an allocation known before leaves over.
NEAR = NearSize(width=8, reach=24)
CORES = CoreSize(items=1024, width=16, reach=200), CoreSize(items=2048, width=None, reach=512)
# Of unequal costs: the projects that leave their best response most cheaply, by a level or two. The second is
# for costs that returns nearly follow, where a thousand projects are undecided.
WINDOWS = (
    WindowSize(projects=256, levels=2, reach=1 << 15),
    WindowSize(projects=1024, levels=2, reach=1 << 15),
)
# The price need not be the best one: a core mends what is left.
FEW_CHORDS = 10
# The levels at which tables rise that have a programme of their own.
FEW_RISES = 12
# What is kept of a project whose curve names its own candidates.
FEW_LEVELS = 16
# A core is tried only if it is this many times smaller than the full programme.
WORTH_TRYING = 2.0
# Steps of the largest core that is tried, the most levels that it looks through, and the largest budget at
# which boxes do not prove sooner what a core does.
MOST_CORE_WORK, MOST_LEVELS, MOST_CORE_STATES = 1e7, 1e6, 1e5
# Best responses to a price that a box takes, and steps of evaluating a curve.
RESPONSES, EVALUATION = 20, 10
# Steps of the longest programme that is run before boxes are searched; budget steps of all projects that one
# programme may hold.
LONG_WORK, MOST_STATES_HELD = 1e9, 3e8


class Way(NamedTuple):
    """`solve(portfolio, budget, price, bound, effort)`, of what the ways before it found; how many numbers
    it holds for one portfolio; whether its loops differ in length, so that portfolios take turns on a CPU."""

    solve: Callable[[Portfolio, Scalar, Scalar, Scalar, Vector], Answer]
    entries: int
    alone: bool = False


def exact(portfolio: Portfolio, budget: Scalar, lattice: Lattice) -> Solution:
    """The integer optimum, proved."""
    search = partial(by_search, lattice=lattice)
    if may_rise_seldom(portfolio, lattice):
        held = portfolio.shape[-1] * (2 * lattice.units + lattice.states)
        few = for_unfinished(partial(solve_few, lattice=lattice, few=FEW_RISES), held, alone=True)
        nothing = jnp.zeros_like(budget)
        blank = Answer(portfolio.lowers(), nothing, nothing + jnp.inf, jnp.asarray(False))
        known = few(blank.finished, blank, portfolio, budget)
        answer = for_unfinished(search, surveyed(portfolio, lattice))(
            known.finished, known, portfolio, budget
        )
    else:
        answer = search(portfolio, budget)
    return conclude(portfolio, budget, answer.effort, answer.price, answer.bound)


def may_rise_seldom(portfolio: Portfolio, lattice: Lattice) -> bool:
    """Whether to look first if returns rise at few levels only: of tables at costs of 1. Curves that never
    fall, and those that name their candidates, rise all the way."""
    worth = lattice.units >= WORTH_TRYING * FEW_RISES
    listed = lattice.tables and lattice.holds_costs and lattice.states <= MOST_CORE_STATES
    return (
        worth
        and listed
        and not lattice.brief
        and portfolio.cost is None
        and not portfolio.curves.rising
        and not few_candidates(portfolio, lattice)
    )


def by_search(portfolio: Portfolio, budget: Scalar, lattice: Lattice) -> Answer:
    """The optimum by a price, and what the ways after it make of what is left."""
    first, *harder = ways(portfolio, lattice)
    rough = bool(harder) and portfolio.cost is None
    chords = FEW_CHORDS if rough else MOST_CHORDS

    def search(portfolio: Portfolio, budget: Scalar) -> Dual:
        dual = integer_dual(portfolio, budget, lattice, chords, rough=rough)
        return dual._replace(price=dual.price[0], bound=dual.bound[0], minimiser=dual.minimiser[0])

    dual = projects_first(search, surveyed(portfolio, lattice))(portfolio, budget)
    given = portfolio, budget, dual.minimiser, dual.bound, dual.inside
    answer = in_chunks(first.solve, first.entries)(*given)
    for way in harder:
        given = portfolio, budget, answer.price, answer.bound, answer.effort
        resume = for_unfinished(way.solve, way.entries, alone=way.alone)
        answer = resume(answer.finished, answer, *given)
    price = dual.price
    if smooth(portfolio):
        settle = partial(settled_price, lattice=lattice)
        given = portfolio, budget, answer.effort, price, dual.bound
        price = projects_first(settle, surveyed(portfolio, lattice))(*given)
    return answer._replace(price=price)


def smooth(portfolio: Portfolio) -> bool:
    """Whether a price has one best effort within a curve: settling it costs others a fifth of their rate."""
    return jax.eval_shape(portfolio.curves.maximisers, portfolio.costs()).shape[0] == 1


def settled_price(
    portfolio: Portfolio, budget: Scalar, effort: Vector, price: Scalar, bound: Scalar, lattice: Lattice
) -> Scalar:
    """A multiplier at which no single unit of the optimum would move, if it makes the dual no larger. Of many
    portfolios, arrays [projects, portfolios] and numbers [1, portfolios].

    The search for the price is rough, and ends once a core can mend the rest; on curves in stages it is left
    at that, within a percent or so. Where there is no duality gap the optimum itself says which prices
    minimise the dual: from the largest gain of a next unit to the smallest of a last one.
    """
    costs = portfolio.costs()
    least, most = unit_bounds(portfolio, budget, lattice)
    after = jnp.where(effort < most, portfolio.gain(effort) / costs, 0.0)
    before = portfolio.gain(jnp.maximum(effort - 1.0, 0.0)) / costs
    next_gain = jnp.max(after, axis=0, keepdims=True)
    last_gain = jnp.min(jnp.where(effort > least, before, jnp.inf), axis=0, keepdims=True)
    nearest = jnp.where(next_gain <= last_gain, jnp.clip(price, next_gain, last_gain), price)
    payoff = unit_response(portfolio, budget, lattice, haste=Haste.CANDIDATES)(nearest).payoff
    return jnp.where(total(payoff) + nearest * budget <= bound, nearest, price)[0]


def surveyed(portfolio: Portfolio, lattice: Lattice) -> int:
    """How many numbers the levels of one portfolio are that its best responses are chosen from."""
    levels = FEW_LEVELS if few_candidates(portfolio, lattice) else 2 * (lattice.units + 1)
    return portfolio.shape[-1] * levels


def ways(portfolio: Portfolio, lattice: Lattice) -> list[Way]:
    """The ways worth trying, from the smallest core to the full programme."""
    projects, states = portfolio.shape[-1], lattice.states + 1
    programme = Way(partial(by_programme, lattice=lattice), 2 * projects * states)
    boxes = Way(partial(by_boxes, lattice=lattice), 2 * projects * OPEN_BOXES)
    if not lattice.tables or not lattice.holds_costs:
        return [boxes]
    if lattice.brief:
        return [programme]
    work = projects * lattice.units * states
    cores = list(cores_of(portfolio, lattice))
    if portfolio.cost is not None:
        for size in windows_of(portfolio, lattice):
            if WORTH_TRYING * (2 * size.levels + 1) * size.projects * size.states <= work:
                window = partial(by_window, lattice=lattice, size=size)
                cores.append(Way(window, size.projects * size.states + surveyed(portfolio, lattice)))
    if states > MOST_STATES or projects * states > MOST_STATES_HELD:
        return [*cores, boxes]
    return [*cores, programme] if work <= LONG_WORK else [*cores, boxes, programme]


def most_steps(portfolio: Portfolio, lattice: Lattice) -> float:
    """How many steps the search for one optimum takes at most; arrays [projects], or their shapes."""
    projects, steps = portfolio.shape[-1], 0.0
    for each in ways(portfolio, lattice):
        way = getattr(each.solve, "func", None)
        if way is by_programme:
            steps += projects * lattice.states * lattice.units / 2
        elif way is by_boxes:
            looked = surveyed(portfolio, lattice)
            steps += most_boxes(projects) * RESPONSES * looked * EVALUATION
    return steps


def windows_of(portfolio: Portfolio, lattice: Lattice) -> list[WindowSize]:
    """The windows of these projects; never wider than all of the budget, nor than what a project can take."""
    projects, levels = portfolio.shape[-1], max(lattice.units, 1)
    fitted = [
        WindowSize(min(projects, w.projects), min(levels, w.levels), min(lattice.states, w.reach))
        for w in WINDOWS
    ]
    return list(dict.fromkeys(fitted))


def cores_of(portfolio: Portfolio, lattice: Lattice) -> Iterator[Way]:
    """The cores worth trying."""
    projects, states = portfolio.shape[-1], lattice.states + 1
    full = projects * lattice.units * states / 2
    few, looked = few_candidates(portfolio, lattice), surveyed(portfolio, lattice)

    def worth(work: float) -> bool:
        return states <= MOST_CORE_STATES and WORTH_TRYING * work <= full and work <= MOST_CORE_WORK

    near = NEAR._replace(reach=min(NEAR.reach, lattice.states))
    # With unequal costs a level moves each project by another number of budget steps: no common reach.
    if portfolio.cost is None and worth(projects * 4 * near.width * near.reach):
        entries = projects * (2 * near.reach + 1) + looked
        yield Way(projects_first(partial(by_near, lattice=lattice, size=near), entries), entries)
    for core in CORES:
        core = core._replace(reach=min(core.reach, lattice.states), width=core.width if few else None)
        spends, levels = 2 * core.reach + 1, 0 if core.width else projects * (lattice.units + 1)
        # Where boxes come next they take less time than looking through all levels of a curve.
        sooner = few and 2 * full > LONG_WORK and core.width is None
        if worth(core.items * spends) and levels <= MOST_LEVELS and not sooner:
            solve = partial(solve_core, lattice=lattice, size=core)
            yield Way(solve, projects * spends + looked + levels, alone=True)


def by_near(
    portfolio: Portfolio,
    budget: Scalar,
    price: Scalar,
    bound: Scalar,
    seen: Vector,
    lattice: Lattice,
    size: NearSize,
) -> Answer:
    """The best allocation near the best responses, finished if it is proved to be that over all levels."""
    return solve_near(portfolio, budget, price, bound, lattice, size)


def by_window(
    portfolio: Portfolio,
    budget: Scalar,
    price: Scalar,
    bound: Scalar,
    seen: Vector,
    lattice: Lattice,
    size: WindowSize,
) -> Answer:
    """The optimum over the window; if it is not proved, what was seen before where that is better."""
    answer = solve_window(portfolio, budget, price, bound, lattice, size)
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
