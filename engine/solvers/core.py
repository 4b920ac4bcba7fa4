"""The core of an allocation problem: the few levels of effort worth a look, and proof that no other is.

At any price λ every level k of project i has a reduced cost: what its best response to λ pays more than
that level does. The value of an allocation is the Lagrangian bound L(λ) less the reduced costs of its
levels, less λ times the unspent budget. So

- call minus the reduced cost the score of a level, and keep the levels around each project's best response;
  for the projects where leaving it costs least keep more windows of levels, around the curve's other
  candidates;
- run the max-plus dynamic programme of the scores over these levels: first over the projects with one
  window, within `reach` of the best responses, then over the others, at any spend;
- note the best score of whatever was left out: a level outside the windows, a spend out of reach.

Scores are ≤ 0 and only add up. So if nothing left out scores above the programme's own optimum, that
optimum is the optimum over all levels: proved. Otherwise L(λ) plus the best score left out bounds it.

Cost: O(N·width·reach + wide·windows·width·B), against O(N·B²) of the full programme.

Sources: Balas & Zemel (1980) for the core; Pisinger (1995), "A minimal algorithm for the multiple-choice
knapsack problem", for dynamic programming over a core with reduced-cost bounds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio
from engine.solvers.lattice import Lattice
from engine.solvers.responses import Scalar, candidate_units, few_candidates, unit_bounds
from engine.solvers.rounding import budget_slack, first_best, payoff_error, sum_error

# Windows of a project whose levels are enumerated: the best aligned blocks of levels.
TABLE_WINDOWS = 4
Levels = Float[Array, "levels projects"]
Scores = Float[Array, "levels projects"]


class CoreSize(NamedTuple):
    """How much the core holds: `wide` projects with all their windows and the whole budget, the others with
    two windows around their best response; `width` levels a window; `reach` budget steps to either side of
    the best responses."""

    wide: int
    width: int
    reach: int


class Answer(NamedTuple):
    """An effort, the price it was found at, what no allocation can return more than, whether they meet."""

    effort: Vector
    price: Scalar
    bound: Scalar
    finished: Bool[Array, ""]


class Landscape(NamedTuple):
    """Scores of a few projects at a price.

    `score(levels)` is minus the reduced cost of a level, −∞ out of bounds. `best` is the best response,
    `payoff` what it pays. `windows` are the first levels of the windows worth looking into. `outside(firsts)`
    is the best score of any level outside the windows that begin at these levels.
    """

    score: Callable[[Levels], Scores]
    best: Vector
    payoff: Vector
    windows: Levels
    outside: Callable[[Levels], Vector]


def survey(
    portfolio: Portfolio, price: Scalar, least: Vector, most: Vector, width: int, lattice: Lattice
) -> Landscape:
    """The landscape of a portfolio at a price: from the curves' own candidates, or from a table of levels."""
    priced = price * portfolio.costs()
    if few_candidates(portfolio, lattice):
        returns = jax.vmap(portfolio.returns)
        candidates = candidate_units(portfolio, price, least, most)
        count = candidates.shape[0] // 2
        down = candidates[1 : count + 1]
        windows = jnp.concatenate([least[None], down - (width - 1.0), down + 1.0])
    else:
        table = portfolio.table(lattice.units)
        levels = jnp.arange(lattice.units + 1, dtype=portfolio.dtype)

        def returns(effort: Levels) -> Scores:
            index = jnp.clip(effort, 0.0, float(lattice.units)).astype(jnp.int32)
            return jnp.take_along_axis(table, index.T, axis=1).T

        candidates = jnp.broadcast_to(levels[:, None], (levels.size, least.size))

    def raw(effort: Levels) -> Scores:
        allowed = (effort >= least[None]) & (effort <= most[None])
        return jnp.where(allowed, returns(effort) - priced[None] * effort, -jnp.inf)

    paid = raw(candidates)
    spend = priced[None] * candidates
    payoff, best = first_best(paid, candidates, payoff_error(jnp.abs(paid) + spend, spend))

    def score(effort: Levels) -> Scores:
        return raw(effort) - payoff[None]

    if not few_candidates(portfolio, lattice):
        windows = _best_blocks(paid, width)

    def outside(firsts: Levels) -> Vector:
        # Between windows and candidates the scores rise or fall only, so that these levels are enough.
        critical = candidates
        if few_candidates(portfolio, lattice):
            critical = jnp.concatenate([candidates, most[None], firsts - 1.0, firsts + width])
        inside = (critical[:, None] >= firsts[None]) & (critical[:, None] < firsts[None] + width)
        return jnp.max(jnp.where(jnp.any(inside, axis=1), -jnp.inf, score(critical)), axis=0)

    return Landscape(score, best, payoff, windows, outside)


def count_windows(portfolio: Portfolio, lattice: Lattice) -> int:
    """How many windows a project has at most."""
    if not few_candidates(portfolio, lattice):
        return TABLE_WINDOWS
    return 1 + 2 * jax.eval_shape(portfolio.curves.maximisers, portfolio.costs()).shape[0]


def _best_blocks(paid: Scores, width: int) -> Levels:
    """The first levels of those aligned blocks of levels that hold the best scores."""
    count = -(-paid.shape[0] // width)
    padded = jnp.pad(paid, ((0, count * width - paid.shape[0]), (0, 0)), constant_values=-jnp.inf)
    peak = jnp.max(padded.reshape(count, width, -1), axis=1)
    _, blocks = jax.lax.top_k(peak.T, min(TABLE_WINDOWS, count))
    return blocks.T.astype(paid.dtype) * width


def solve_core(
    portfolio: Portfolio, budget: Scalar, price: Scalar, known: Scalar, lattice: Lattice, size: CoreSize
) -> Answer:
    """The optimum over the core at this price; finished if that is proved to be the optimum over all levels.

    `known` is a bound from elsewhere.
    """
    least, most = unit_bounds(portfolio, budget, lattice)
    room = budget - portfolio.spend(least)
    limit = jnp.floor((room + budget_slack(budget)) / lattice.step).astype(jnp.int32)
    land = survey(portfolio, price, least, most, size.width, lattice)
    leaving = land.outside(around(land.best, size.width))
    # Those that leave their best response most cheaply may: they come last, with all their windows.
    order = jnp.argsort(leaving)
    narrow, wide = jnp.split(order, [portfolio.shape[-1] - size.wide])

    levels = land.best[None] + jnp.arange(1 - size.width, 1 + size.width, dtype=portfolio.dtype)[:, None]
    scores = land.score(levels).T[narrow]
    near, dropped = near_programme(scores, size.reach)
    begin = jnp.sum((land.best - least)[narrow]).astype(jnp.int32)
    moves = jax.tree.map(lambda a: a[wide], wide_moves(portfolio, land, least, size.width, lattice))
    states = jnp.arange(lattice.states + 1, dtype=jnp.int32)
    far = far_programme(moves, spread(near.last, states - begin + size.reach))

    unspent = jnp.maximum(room - lattice.step * states.astype(portfolio.dtype), 0.0)
    total = jnp.where(states <= limit, far.last - price * unspent, -jnp.inf)
    state = jnp.argmax(total).astype(jnp.int32)
    best = total[state]
    state, far_levels = far_effort(moves, far, state)
    near_levels = near_effort(scores, near, state - begin + size.reach)
    effort = jnp.zeros_like(least).at[wide].set(far_levels)
    effort = effort.at[narrow].set(land.best[narrow] + near_levels + (1.0 - size.width))
    bound = jnp.sum(land.payoff) + price * budget
    left_out = jnp.maximum(jnp.max(moves.outside, initial=-jnp.inf), dropped)
    left_out = jnp.maximum(jnp.max(leaving[narrow], initial=-jnp.inf), left_out)
    # Where scores tie, rounding alone must not send a portfolio to a larger core.
    rounding = sum_error(least.size, bound)
    hopeless = limit < 0
    return Answer(
        effort=jnp.where(hopeless, least, effort),
        price=price,
        bound=jnp.minimum(known, bound + jnp.maximum(best, left_out)),
        finished=(left_out <= best + rounding) | hopeless,
    )


def around(best: Vector, width: int) -> Levels:
    """The first levels of the two windows on either side of the best response."""
    return jnp.stack([best - (width - 1.0), best + 1.0])


class Forward(NamedTuple):
    """The forward pass of a dynamic programme over some projects: the best score at each state before each
    project, and after the last."""

    before: Float[Array, "projects states"]
    last: Float[Array, " states"]


def near_programme(scores: Float[Array, "projects width"], reach: int) -> tuple[Forward, Scalar]:
    """Over budget steps away from the best responses, within `reach` on either side; also the best score of
    the states beyond."""
    width = scores.shape[1]
    half = width // 2
    pad = jnp.full(width - 1, -jnp.inf, scores.dtype)

    def project(state: tuple[Array, Array], score: Array) -> tuple[tuple[Array, Array], Array]:
        best, dropped = state
        padded = jnp.concatenate([pad, best, pad])
        length = best.size + width - 1
        after = _fold(lambda j: padded[width - 1 - j : width - 1 - j + length] + score[j], width)
        first = half - 1
        kept = after[first : first + best.size]
        ends = jnp.maximum(
            jnp.max(after[:first], initial=-jnp.inf), jnp.max(after[first + best.size :], initial=-jnp.inf)
        )
        return (kept, jnp.maximum(dropped, ends)), best

    begin = jnp.full(2 * reach + 1, -jnp.inf, scores.dtype).at[reach].set(0.0)
    (last, dropped), before = jax.lax.scan(project, (begin, jnp.full_like(begin[0], -jnp.inf)), scores)
    return Forward(before, last), dropped


def near_effort(scores: Float[Array, "projects width"], solved: Forward, state: Array) -> Vector:
    """Which level of each window leads to this state."""
    width = scores.shape[1]
    moves = jnp.arange(width, dtype=jnp.int32) - (width // 2 - 1)

    def project(state: Array, row: tuple[Array, Array]) -> tuple[Array, Array]:
        before, score = row
        total = spread(before, state - moves) + score
        level = jnp.argmax(total)
        return state - moves[level], level.astype(score.dtype)

    return jax.lax.scan(project, state, (solved.before, scores), reverse=True)[1]


class Moves(NamedTuple):
    """Windows of levels of a few projects: the effort at the first level of each, the budget steps that it
    takes, steps per level, the scores, and the best score outside all windows."""

    first: Float[Array, "projects windows"]
    steps: Int[Array, "projects windows"]
    stride: Int[Array, " projects"] | None
    score: Float[Array, "projects windows width"]
    outside: Vector


def wide_moves(portfolio: Portfolio, land: Landscape, least: Vector, width: int, lattice: Lattice) -> Moves:
    """All windows of all projects."""
    projects = portfolio.shape[-1]
    levels = land.windows[:, None] + jnp.arange(width, dtype=portfolio.dtype)[None, :, None]
    score = land.score(levels.reshape(-1, projects)).T.reshape(projects, -1, width)
    first = (land.windows - least[None]).T
    stride = None
    if portfolio.cost is not None:
        stride = jnp.round(portfolio.cost / lattice.step).astype(jnp.int32)
    steps = first.astype(jnp.int32) * (1 if stride is None else stride[:, None])
    return Moves(land.windows.T, steps, stride, score, land.outside(land.windows))


def far_programme(moves: Moves, begin: Float[Array, " states"]) -> Forward:
    """Over budget steps spent above the lower bounds, all of them."""
    size, width = begin.size, moves.score.shape[2]
    left, right = jnp.full(size + width, -jnp.inf, begin.dtype), jnp.full(width, -jnp.inf, begin.dtype)

    def project(best: Array, row: tuple[Array, Array | None, Array]) -> tuple[Array, Array]:
        steps, stride, score = row
        padded = jnp.concatenate([left, best, right])

        def window(after: Array, row: tuple[Array, Array]) -> tuple[Array, None]:
            first, score = row
            if stride is None:
                start = size + 1 - jnp.clip(first, -width, size)
                part = jax.lax.dynamic_slice(padded, (start,), (size + width - 1,))

            def moved(j: int) -> Array:
                if stride is None:
                    return part[width - 1 - j : width - 1 - j + size]
                start = size + width - jnp.clip(first + j * stride, 0, size)
                return jax.lax.dynamic_slice(padded, (start,), (size,))

            return jnp.maximum(after, _fold(lambda j: moved(j) + score[j], width)), None

        return jax.lax.scan(window, jnp.full_like(best, -jnp.inf), (steps, score))[0], best

    last, before = jax.lax.scan(project, begin, (moves.steps, moves.stride, moves.score))
    return Forward(before, last)


def far_effort(moves: Moves, solved: Forward, state: Array) -> tuple[Array, Vector]:
    """(the state before these projects, the level of each) that lead to this state."""
    width = moves.score.shape[2]
    within = jnp.arange(width, dtype=jnp.int32)

    def project(state: Array, row: tuple[Array, Array, Array, Array | None, Array]) -> tuple[Array, Array]:
        before, first, steps, stride, score = row
        source = state - (steps[:, None] + within[None] * (1 if stride is None else stride))
        total = (spread(before, source) + score).reshape(-1)
        level = jnp.argmax(total)
        effort = first[level // width] + (level % width).astype(first.dtype)
        return source.reshape(-1)[level], effort

    rows = (solved.before, moves.first, moves.steps, moves.stride, moves.score)
    return jax.lax.scan(project, state, rows, reverse=True)


def _fold(term: Callable[[int], Array], count: int) -> Array:
    """The elementwise maximum of term(0), …, term(count − 1), written out so that it compiles to one loop."""
    best = term(0)
    for index in range(1, count):
        best = jnp.maximum(best, term(index))
    return best


def spread(values: Float[Array, " states"], place: Array) -> Array:
    """values[place], −∞ where there is no such place."""
    inside = (place >= 0) & (place < values.size)
    return jnp.where(inside, values[jnp.clip(place, 0, values.size - 1)], -jnp.inf)
