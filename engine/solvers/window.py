"""The window: a core for unequal whole costs, over spends near those of the best responses.

Where costs differ and the budget is large, few projects are undecided: at the dual's price most best
responses stay as they are, and the others leave them by a level or two, the spend of one making up for that
of another. So the projects that leave their best response most cheaply are enumerated, by a dynamic
programme over budget steps away from the spend of all best responses. What is left out is bounded as in
`engine.solvers.core`: a level beyond those looked at, a project that stays, a spend beyond the window.

Cost: O(projects · levels · reach), whatever the budget.

Sources: Pisinger (1995), "A minimal algorithm for the multiple-choice knapsack problem"; Pisinger (1997), the
same for the 0-1 knapsack problem.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from engine.model.portfolio import Portfolio
from engine.solvers.core import Answer, spread, survey
from engine.solvers.lattice import Lattice
from engine.solvers.responses import Scalar, unit_bounds
from engine.solvers.rounding import budget_slack, cancels, sum_error


class WindowSize(NamedTuple):
    """How many projects are looked at, how many levels on either side of their best response, and how many
    budget steps on either side of the spend of all best responses."""

    projects: int
    levels: int
    reach: int

    @property
    def states(self) -> int:
        """Budget steps in all."""
        return 2 * self.reach + 1


def solve_window(
    portfolio: Portfolio, budget: Scalar, price: Scalar, known: Scalar, lattice: Lattice, size: WindowSize
) -> Answer:
    """The optimum over the window at this price; finished if it is proved to be the optimum over all levels.

    `known` is a bound from elsewhere.
    """
    costs = portfolio.costs()
    least, most = unit_bounds(portfolio, budget, lattice)
    land = survey(portfolio, price, least, most, lattice)
    leaving = land.outside(land.best[None], 1)
    chosen = jax.lax.top_k(leaving, size.projects)[1]
    moves = jnp.arange(-size.levels, size.levels + 1, dtype=portfolio.dtype)
    scores = land.score(land.best[None] + moves[:, None]).T[chosen]
    far = jnp.round(moves[None] * costs[chosen, None] / lattice.step)
    steps = jnp.clip(far, -size.states, size.states).astype(jnp.int32)
    last, before, dropped = forward(scores, steps, size)

    room = budget - portfolio.spend(land.best)
    away = jnp.arange(-size.reach, size.reach + 1, dtype=portfolio.dtype)
    unspent = room - lattice.step * away
    total = jnp.where(unspent >= -budget_slack(budget), last - price * jnp.maximum(unspent, 0.0), -jnp.inf)
    state = jnp.argmax(total).astype(jnp.int32)
    best = total[state]
    effort = land.best.at[chosen].add(backward(scores, steps, before, state, size))

    beyond = land.outside((land.best - size.levels)[None], 2 * size.levels + 1)[chosen]
    left_out = jnp.maximum(jnp.max(leaving.at[chosen].set(beyond)), dropped)
    bound = jnp.sum(land.payoff) + price * budget
    found = jnp.isfinite(best)
    rounding = sum_error(least.size, bound)
    coarse = cancels(least.size, bound, bound + best)
    reached = bound + jnp.maximum(best, left_out) + jnp.where(coarse, rounding, 0.0)
    return Answer(
        effort=jnp.where(found, effort, least),
        price=price,
        bound=jnp.minimum(known, reached),
        finished=found & ~coarse & (left_out <= best + rounding),
    )


def forward(
    scores: Float[Array, "projects levels"], steps: Int[Array, "projects levels"], size: WindowSize
) -> tuple[Float[Array, " states"], Float[Array, "projects states"], Scalar]:
    """(the best score at each spend after all projects, and before each; the best of what is left out)."""
    pad = jnp.full(size.states, -jnp.inf, scores.dtype)
    place = jnp.arange(size.states, dtype=jnp.int32)

    def project(carry: tuple[Array, Array], row: tuple[Array, Array]) -> tuple[tuple[Array, Array], Array]:
        best, dropped = carry
        padded = jnp.concatenate([pad, best, pad])

        def level(carry: tuple[Array, Array], row: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
            after, dropped = carry
            score, step = row
            moved = jax.lax.dynamic_slice(padded, (size.states - step,), (size.states,))
            outside = (place + step < 0) | (place + step >= size.states)
            lost = jnp.max(jnp.where(outside, best, -jnp.inf)) + score
            return (jnp.maximum(after, moved + score), jnp.maximum(dropped, lost)), None

        begin = jnp.full_like(best, -jnp.inf), dropped
        return jax.lax.scan(level, begin, row)[0], best

    begin = jnp.where(place == size.reach, 0.0, pad), jnp.full_like(pad[0], -jnp.inf)
    (last, dropped), before = jax.lax.scan(project, begin, (scores, steps))
    return last, before, dropped


def backward(
    scores: Float[Array, "projects levels"],
    steps: Int[Array, "projects levels"],
    before: Float[Array, "projects states"],
    state: Int[Array, ""],
    size: WindowSize,
) -> Float[Array, " projects"]:
    """By how many levels each project moves to reach this state."""

    def project(state: Array, row: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        before, score, step = row
        source = state - step
        level = jnp.argmax(spread(before, source) + score)
        return source[level], (level - size.levels).astype(score.dtype)

    return jax.lax.scan(project, state, (before, scores, steps), reverse=True)[1]
