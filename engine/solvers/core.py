"""The core of an allocation problem: the few levels of effort worth a look, and proof that no other is.

At any price λ every level k of project i has a reduced cost: what its best response to λ pays more than
that level does. Call minus the reduced cost the score of a level. Scores are ≤ 0 and only add up: the value
of an allocation is the Lagrangian bound L(λ) plus the scores of its levels, less λ times the unspent budget.
So if an allocation is known, no level that scores less than it does can be in a better one.

- `solve_near`, at unit costs: every project but one stays within `width` levels of its best response, all of
  them together within `reach` budget steps; the one that leaves its best response most cheaply takes what
  the others leave. Proved if nothing else could score as much.
- `solve_core`, at any whole costs: all levels that score as much as the allocation known, as one list. The
  max-plus dynamic programme over the list, within `reach` budget steps of the best responses, is the optimum
  over all levels unless something better was left out: a level that was not looked at or had no place in the
  list, a spend out of reach.

What is not proved is bounded by L(λ) plus the best score of what was left out. The first is written for many
portfolios, arrays [projects, portfolios] and numbers [1, portfolios]; how long the second takes differs from
one portfolio to the next.

Cost: O(N·width·reach) for the first, O(items·reach) for the second, against O(N·B²) of the full programme.

Sources: Balas & Zemel (1980) for the core; Pisinger (1995), "A minimal algorithm for the multiple-choice
knapsack problem", for dynamic programming over a core that reduced costs and an incumbent cut.
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
from engine.solvers.responses import Scalar, all_levels, candidate_units, few_candidates, total, unit_bounds
from engine.solvers.rounding import budget_slack, cancels, first_best, payoff_error, sum_error

# How many numbers are added up in a row where a running count is taken.
COUNT_BLOCK = 16
Levels = Float[Array, "levels projects"]
Scores = Float[Array, "levels projects"]


class NearSize(NamedTuple):
    """`width` levels on either side of each best response; `reach` budget steps to either side of all."""

    width: int
    reach: int


class CoreSize(NamedTuple):
    """`items` levels in the list; looked for in windows of `width` around each best response and the curve's
    best other candidate, or among all levels (None); `reach` budget steps to either side of the spend of the
    best responses."""

    items: int
    width: int | None
    reach: int


class Answer(NamedTuple):
    """An effort, the price it was found at, what no allocation can return more than, whether they meet."""

    effort: Vector
    price: Scalar
    bound: Scalar
    finished: Bool[Array, ""]


class Landscape(NamedTuple):
    """Scores of levels at a price.

    `score(levels)` is minus the reduced cost of a level, −∞ out of bounds. `best` is the best response,
    `payoff` what it pays. `windows(width)` are the first levels of the windows of `width` on either side of
    it, and of the curve's best candidate that these do not hold. `outside(firsts, width)` is the best score
    of any level outside the windows that begin at these levels.
    """

    score: Callable[[Levels], Scores]
    best: Vector
    payoff: Vector
    windows: Callable[[int], Levels]
    outside: Callable[[Levels, int], Vector]


def survey(portfolio: Portfolio, price: Scalar, least: Vector, most: Vector, lattice: Lattice) -> Landscape:
    """The landscape of a portfolio at a price: from the curves' own candidates, or from all levels."""
    priced = price * portfolio.costs()
    few = few_candidates(portfolio, lattice)
    candidates = candidate_units(portfolio, price, least, most) if few else all_levels(portfolio, lattice)
    returns = jax.vmap(portfolio.returns)

    def net(effort: Levels, returned: Levels) -> Scores:
        allowed = (effort >= least[None]) & (effort <= most[None])
        return jnp.where(allowed, returned - priced[None] * effort, -jnp.inf)

    def raw(effort: Levels) -> Scores:
        return net(effort, returns(effort))

    paid = raw(candidates) if few else net(candidates, portfolio.returns_of_all(candidates))
    spend = priced[None] * candidates
    payoff, best = first_best(paid, candidates, payoff_error(jnp.abs(paid) + spend, spend))

    def score(effort: Levels) -> Scores:
        return raw(effort) - payoff[None]

    def windows(width: int) -> Levels:
        near = around(best, width)
        elsewhere = (candidates < near[:1]) | (candidates >= near[1:] + width)
        second = jnp.argmax(jnp.where(elsewhere, paid, -jnp.inf), axis=0)[None]
        return jnp.concatenate([near, around(jnp.take_along_axis(candidates, second, axis=0)[0], width)])

    def outside(firsts: Levels, width: int) -> Vector:
        # Between windows and candidates the scores rise or fall only, so that these levels are enough.
        critical, scores = candidates, paid - payoff[None]
        if few:
            ends = jnp.concatenate([most[None], firsts - 1.0, firsts + width])
            critical, scores = jnp.concatenate([critical, ends]), jnp.concatenate([scores, score(ends)])
        inside = jnp.zeros_like(critical, bool)
        for first in firsts:
            inside |= (critical >= first[None]) & (critical < first[None] + width)
        return jnp.max(jnp.where(inside, -jnp.inf, scores), axis=0)

    return Landscape(score, best, payoff, windows, outside)


def around(best: Vector, width: int) -> Levels:
    """The first levels of the two windows on either side of the best response."""
    return jnp.stack([best - (width - 1.0), best + 1.0])


def solve_near(
    portfolio: Portfolio, budget: Scalar, price: Scalar, known: Scalar, lattice: Lattice, size: NearSize
) -> Answer:
    """The best allocation near the best responses at this price; finished if that is proved to be the optimum
    over all levels.

    `known` is a bound from elsewhere.
    """
    least, most = unit_bounds(portfolio, budget, lattice)
    land = survey(portfolio, price, least, most, lattice)
    leaving = land.outside(around(land.best, size.width), size.width)
    last = jnp.argmax(leaving, axis=0, keepdims=True)
    is_last = jnp.arange(least.shape[0])[:, None] == last

    moves = jnp.arange(1 - size.width, 1 + size.width, dtype=portfolio.dtype)[:, None, None]
    scores = land.score(land.best[None] + moves)
    scores = jnp.where(is_last[None] & (moves != 0), -jnp.inf, scores)
    scores = jnp.swapaxes(scores, 0, 1)
    near, dropped = near_programme(scores, size.reach)

    # What the others leave to the last project, for each spend of theirs.
    away = jnp.arange(-size.reach, size.reach + 1, dtype=portfolio.dtype)[:, None]
    others = total(jnp.where(is_last, 0.0, land.best)) + away
    left = jnp.floor(budget + budget_slack(budget)) - others
    alone, lowest, highest, payoff = jax.tree.map(
        lambda a: _row(a, last), (portfolio, least, most, land.payoff)
    )
    level = jnp.clip(left, lowest, highest)
    paid = jax.vmap(alone.returns)(level[:, None])[:, 0] - price * (budget - others)
    scored = jnp.where(left >= lowest, near.last + paid - payoff, -jnp.inf)
    state = jnp.argmax(scored, axis=0, keepdims=True).astype(jnp.int32)
    best = _row(scored, state)
    effort = jnp.where(is_last, _row(level, state), land.best + near_effort(scores, near, state[0]))

    bound = total(land.payoff) + price * budget
    beyond = jnp.max(jnp.where(is_last, -jnp.inf, leaving), axis=0, keepdims=True)
    left_out = jnp.maximum(beyond, dropped[None]) if portfolio.curves.rising else jnp.zeros_like(beyond)
    found = jnp.isfinite(best)
    # Where scores tie, rounding alone must not send a portfolio further.
    rounding = sum_error(least.shape[0], bound)
    coarse = cancels(least.shape[0], bound, bound + best)
    finished = found & ~coarse & (left_out <= best + rounding)
    bound = bound + jnp.maximum(best, left_out) + jnp.where(coarse, rounding, 0.0)
    return Answer(jnp.where(found, effort, least), price[0], jnp.minimum(known, bound)[0], finished[0])


class Forward(NamedTuple):
    """The forward pass of a dynamic programme over some projects: the best score at each state before each
    project, and after the last."""

    before: Float[Array, "projects states portfolios"]
    last: Float[Array, "states portfolios"]


def near_programme(scores: Float[Array, "projects width portfolios"], reach: int) -> tuple[Forward, Array]:
    """Over budget steps away from the best responses, within `reach` on either side; also the best score of
    the states beyond."""
    width = scores.shape[1]
    first = width // 2 - 1
    pad = jnp.full((width - 1, scores.shape[2]), -jnp.inf, scores.dtype)

    def project(state: tuple[Array, Array], score: Array) -> tuple[tuple[Array, Array], Array]:
        best, dropped = state
        padded = jnp.concatenate([pad, best, pad])
        count = best.shape[0]
        after = _fold(
            lambda j: padded[width - 1 - j : width - 1 - j + count + width - 1] + score[j][None], width
        )
        beyond = jnp.concatenate([after[:first], after[first + count :]])
        return (after[first : first + count], jnp.maximum(dropped, jnp.max(beyond, axis=0))), best

    nothing = jnp.full((2 * reach + 1, scores.shape[2]), -jnp.inf, scores.dtype)
    (last, dropped), before = jax.lax.scan(project, (nothing.at[reach].set(0.0), nothing[0]), scores)
    return Forward(before, last), dropped


def near_effort(
    scores: Float[Array, "projects width portfolios"], solved: Forward, state: Int[Array, " portfolios"]
) -> Vector:
    """How many levels each project is from its best response on the way to this state."""
    width = scores.shape[1]
    moves = jnp.arange(width, dtype=jnp.int32) - (width // 2 - 1)

    def project(state: Array, row: tuple[Array, Array]) -> tuple[Array, Array]:
        before, score = row
        move = moves[jnp.argmax(spread(before, state[None] - moves[:, None]) + score, axis=0)]
        return state - move, move.astype(score.dtype)

    return jax.lax.scan(project, state, (solved.before, scores), reverse=True)[1]


def solve_core(
    portfolio: Portfolio,
    budget: Scalar,
    price: Scalar,
    known: Scalar,
    seen: Vector,
    lattice: Lattice,
    size: CoreSize,
) -> Answer:
    """The optimum over the levels that score as much as an allocation seen before; finished if that is proved
    to be the optimum over all levels. Of one portfolio.

    `known` is a bound from elsewhere.
    """
    costs = portfolio.costs()
    least, most = unit_bounds(portfolio, budget, lattice)
    land = survey(portfolio, price, least, most, lattice)
    bound = jnp.sum(land.payoff) + price * budget
    rounding = sum_error(least.size, bound)
    slack = budget_slack(budget)
    allowed = (portfolio.spend(seen) <= budget + slack) & jnp.all(seen >= least)
    seen = jnp.where(allowed, seen, least)
    floor = portfolio.value(seen) - bound

    levels, scores, outside = _look(portfolio, land, floor - rounding, lattice, size)
    steps = jnp.round((levels - land.best[:, None]) * costs[:, None] / lattice.step)
    steps = jnp.clip(steps, -2.0 * size.reach - 1.0, 2.0 * size.reach + 1.0).astype(jnp.int32)
    before, last, dropped, complete = _run(scores, steps, size)
    away = jnp.arange(-size.reach, size.reach + 1, dtype=portfolio.dtype)
    unspent = budget - portfolio.spend(land.best) - lattice.step * away
    scored = jnp.where(unspent >= -slack, last - price * jnp.maximum(unspent, 0.0), -jnp.inf)
    state = jnp.argmax(scored).astype(jnp.int32)
    best = scored[state]
    effort = jnp.where(best > floor, _read_back(scores, steps, levels, before, state, land.best), seen)

    best = jnp.maximum(best, floor)
    left_out = jnp.where(complete, jnp.maximum(outside, dropped), 0.0)
    hopeless = portfolio.spend(least) > budget + slack
    coarse = cancels(least.size, bound, bound + best)
    reached = bound + jnp.maximum(best, left_out) + jnp.where(coarse, rounding, 0.0)
    return Answer(
        effort=effort,
        price=price,
        bound=jnp.minimum(known, reached),
        finished=(~coarse & (left_out <= best + rounding)) | hopeless,
    )


def _look(
    portfolio: Portfolio, land: Landscape, floor: Scalar, lattice: Lattice, size: CoreSize
) -> tuple[Array, Array, Scalar]:
    """(levels, their scores, −∞ of the best responses and of what scores less than `floor`), [projects,
    levels], and the best score of any level that was not looked at."""
    if size.width is None:
        levels = all_levels(portfolio, lattice)
        fresh, outside = jnp.ones(levels.shape, bool), jnp.asarray(-jnp.inf, floor.dtype)
    else:
        firsts = land.windows(size.width)
        levels = firsts[:, None] + jnp.arange(size.width, dtype=portfolio.dtype)[None, :, None]
        earlier = jnp.tril(jnp.ones((firsts.shape[0],) * 2, bool), -1)[:, None, :, None]
        begin = firsts[None, None]
        inside = (levels[:, :, None] >= begin) & (levels[:, :, None] < begin + size.width)
        fresh = ~jnp.any(inside & earlier, axis=2).reshape(-1, land.best.size)
        # A curve's value at a level that is still being put together is not computed by vector instructions.
        levels = jax.lax.optimization_barrier(levels.reshape(-1, land.best.size))
        outside = jnp.max(land.outside(firsts, size.width))
    scores = jax.lax.optimization_barrier(land.score(levels))
    kept = fresh & (scores >= floor) & (levels != land.best[None])
    return levels.T, jnp.where(kept, scores, -jnp.inf).T, outside


def _run(
    scores: Float[Array, "projects levels"], steps: Int[Array, "projects levels"], size: CoreSize
) -> tuple[Array, Array, Scalar, Bool[Array, ""]]:
    """The dynamic programme over the levels that are kept: (the best score at each spend before each project,
    and after the last; the best score that went out of reach; whether all levels had a place)."""
    states = 2 * size.reach + 1
    kept = scores > -jnp.inf
    ends = running_count(kept)
    place = jnp.where(kept, ends - 1, size.items)
    step_of = jnp.zeros(size.items, jnp.int32).at[place].set(steps, mode="drop")
    score_of = jnp.full(size.items, -jnp.inf, scores.dtype).at[place].set(scores, mode="drop")
    last_of = jnp.minimum(ends[:, -1], size.items)
    first_of = jnp.concatenate([jnp.zeros(1, jnp.int32), last_of[:-1]])
    up = jnp.max(jnp.where(kept, steps, 0), axis=1)
    down = jnp.max(jnp.where(kept, -steps, 0), axis=1)
    away = jnp.arange(-size.reach, size.reach + 1, dtype=jnp.int32)
    pad = jnp.full(states, -jnp.inf, scores.dtype)

    def project(state: tuple[Array, Array], row: tuple[Array, ...]) -> tuple[tuple[Array, Array], Array]:
        best, dropped = state
        first, last, up, down = row
        padded = jnp.concatenate([pad, best, pad])
        leaves = (away + up > size.reach) | (away - down < -size.reach)

        def add(number: Array, after: Array) -> Array:
            moved = jax.lax.dynamic_slice(padded, (states - step_of[number],), (states,))
            return jnp.maximum(after, moved + score_of[number])

        after = jax.lax.fori_loop(first, last, add, best)
        return (after, jnp.maximum(dropped, jnp.max(jnp.where(leaves, best, -jnp.inf)))), best

    begin = jnp.where(away == 0, 0.0, pad), pad[0]
    (last, dropped), before = jax.lax.scan(project, begin, (first_of, last_of, up, down))
    return before, last, dropped, ends[-1, -1] <= size.items


def running_count(kept: Bool[Array, "projects levels"]) -> Int[Array, "projects levels"]:
    """How many are kept up to each, in the order of rows. By columns of blocks: a plain running sum takes
    twenty times as long on a CPU."""
    count = kept.size
    length = -(-count // COUNT_BLOCK)
    flat = jnp.pad(kept.reshape(-1).astype(jnp.int32), (0, length * COUNT_BLOCK - count))
    blocks = flat.reshape(length, COUNT_BLOCK)
    columns = [blocks[:, 0]]
    for column in range(1, COUNT_BLOCK):
        columns.append(columns[-1] + blocks[:, column])
    earlier = jnp.cumsum(columns[-1]) - columns[-1]
    return (jnp.stack(columns, axis=1) + earlier[:, None]).reshape(-1)[:count].reshape(kept.shape)


def _read_back(
    scores: Float[Array, "projects levels"],
    steps: Int[Array, "projects levels"],
    levels: Float[Array, "projects levels"],
    before: Float[Array, "projects states"],
    state: Int[Array, ""],
    best: Vector,
) -> Vector:
    """The effort that leads to this state."""

    def project(state: Array, row: tuple[Array, ...]) -> tuple[Array, Array]:
        before, scores, steps, levels, stays = row
        reached = spread(before, state - steps) + scores
        level = jnp.argmax(reached)
        moves = reached[level] > spread(before, state[None])[0]
        return jnp.where(moves, state - steps[level], state), jnp.where(moves, levels[level], stays)

    return jax.lax.scan(project, state, (before, scores, steps, levels, best), reverse=True)[1]


def _fold(term: Callable[[int], Array], count: int) -> Array:
    """The elementwise maximum of term(0), …, term(count − 1), written out so that it compiles to one loop."""
    best = term(0)
    for index in range(1, count):
        best = jnp.maximum(best, term(index))
    return best


def spread(values: Float[Array, "states ..."], place: Int[Array, "rows ..."]) -> Array:
    """values[place] along the first axis, −∞ where there is no such place."""
    inside = (place >= 0) & (place < values.shape[0])
    return jnp.where(inside, _rows(values, jnp.clip(place, 0, values.shape[0] - 1)), -jnp.inf)


def _rows(values: Array, place: Int[Array, "rows ..."]) -> Array:
    """values[place] along the first axis."""
    return jnp.take_along_axis(values, place, axis=0, mode="promise_in_bounds")


def _row(values: Array, place: Int[Array, "1 portfolios"]) -> Array:
    """[1, portfolios, ...]: the row of each portfolio's own."""
    return jnp.take_along_axis(values, place.reshape(1, -1, *[1] * (values.ndim - 2)), axis=0)
