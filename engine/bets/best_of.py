"""The best of several approaches: its expectation, and the effort that makes it largest, with proof.

Approach a of a project, given x_a units of effort, returns v_a(x_a) = w_a R_a(f_a(x_a)) if it succeeds, with
probability π_a, whatever the others do. The project returns the largest of those that succeed, and nothing if
none does. With v_1 ≥ v_2 ≥ … ≥ v_A its expectation is

    E(x) = Σ_j π_j Π_{i<j} (1 − π_i) v_j(x_j).

That sum in any other order is the mean of the first success in that order, which is never more than the best
one. So E(x) is the largest of the sums over all orders, and max_x E(x) the largest over orders of a separable
maximum. What an approach adds depends on who stands before it and not on their order, so a programme over
subsets finds it:

    G(∅, 0) = 0,   G(S, k) = max over a in S, j of  G(S − a, k − j) + π_a Π_{b in S − a} (1 − π_b) v_a(j).

G(all, k) is the optimum of the project with k units in all. It is one curve, given as a table, so the
projects are then an ordinary portfolio, solved and proved as any other.

Cost: A·2^(A−1) max-plus products a project, O(K²) each for K units; 2^A·K numbers a project.

Source: Held & Karp (1962), A dynamic programming approach to sequencing problems.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from engine.bets.approaches import Approaches
from engine.model.curves.base import Vector
from engine.model.curves.staged import Tabulated
from engine.model.portfolio import Portfolio
from engine.solvers.exact import exact
from engine.solvers.lattice import Lattice
from engine.solvers.responses import Scalar
from engine.solvers.rounding import budget_slack, first_best, sum_error
from engine.solvers.solution import Solution, Status

# Returns if successful at whole units, −∞ above the upper limit; of one project, and of all.
Table = Float[Array, "approaches levels"]
Tables = Float[Array, "projects approaches levels"]
Levels = Int[Array, "projects approaches"]


class Plans(NamedTuple):
    """The optimum, and what two simpler plans reach: solutions with effort [projects, approaches]."""

    exact: Solution
    greedy: Solution
    single: Solution


def plans(given: Approaches, budget: Scalar, lattice: Lattice) -> Plans:
    """All plans for one bet, over whole units."""
    tables, success = given.tables(lattice.units), given.success()
    best, lone = jax.vmap(subset_optima)(tables, success), jax.vmap(alone)(tables, success)
    # Two portfolios of one shape, so that the solver is compiled once.
    optima = jnp.stack([best[:, -1], jnp.max(lone, axis=1)])
    found = jax.vmap(lambda of: outer(given, of, budget, lattice))(optima)
    units, optimum = found.effort.astype(jnp.int32), jax.tree.map(lambda a: a[0], found)
    optimal = jax.vmap(read_back)(best, tables, success, units[0])
    efforts = jnp.stack([optimal, greedy(given, tables, budget), single(lone, units[1])])
    judged = jax.vmap(lambda effort: judge(given, tables, effort, optimum))(efforts)
    return Plans(*(jax.tree.map(lambda a, plan=plan: a[plan], judged) for plan in range(len(efforts))))


def expected_best(returns: Vector, success: Vector) -> Float[Array, ...]:
    """E of the approaches along the last axis: the mean of the best return that succeeds.

    An approach counts where all fail that stand before it: those that return more, and of equal ones the
    earlier. Six are compared in pairs sooner than they are sorted."""
    success = jnp.broadcast_to(success, returns.shape)
    earlier = np.arange(returns.shape[-1])[:, None] < np.arange(returns.shape[-1])
    one, other = returns[..., :, None], returns[..., None, :]
    before = (one > other) | ((one == other) & earlier.reshape((1,) * (returns.ndim - 1) + earlier.shape))
    all_fail = jnp.prod(jnp.where(before, 1.0 - success[..., :, None], 1.0), axis=-2)
    return jnp.sum(paid(success * all_fail, returns), axis=-1)


def paid(share: Array, returns: Array) -> Array:
    """share·returns, where what never counts pays nothing rather than 0·∞; −∞ is not allowed either way."""
    nothing = jnp.where(returns == -jnp.inf, returns, 0.0)
    return jnp.where(share > 0, share * returns, nothing)


# The programme over subsets, of one project.


@functools.lru_cache(maxsize=16)
def members(count: int) -> np.ndarray:
    """Whether a set, numbered by its bits, has an approach: [sets, approaches]."""
    return (np.arange(1 << count)[:, None] >> np.arange(count)) % 2 == 1


def shares(success: Float[Array, " approaches"]) -> Float[Array, "sets approaches"]:
    """π_a Π_{b in S − a} (1 − π_b)."""
    count = success.size
    others = members(count)[:, None, :] & ~np.eye(count, dtype=bool)
    return success[None] * jnp.prod(jnp.where(others, 1.0 - success[None, None], 1.0), axis=-1)


def subset_optima(table: Table, success: Float[Array, " approaches"]) -> Float[Array, "sets levels"]:
    """G(S, k) for every set of approaches and number of units, −∞ where they cannot be taken."""
    count, levels = table.shape
    share = shares(success)
    subset, approach = np.nonzero(members(count))  # by rising sets, so that S − a comes before S

    def extend(best: Array, pair: tuple[Any, Any]) -> tuple[Array, None]:
        subset, a = pair
        before = best[subset ^ jnp.left_shift(1, a)]
        with_it = max_plus(before, paid(share[subset, a], table[a]))
        return best.at[subset].set(jnp.maximum(best[subset], with_it)), None

    begin = jnp.full((1 << count, levels), -jnp.inf, table.dtype).at[0, 0].set(0.0)
    return jax.lax.scan(extend, begin, (subset.astype(np.int32), approach.astype(np.int32)))[0]


def max_plus(one: Float[Array, " levels"], other: Float[Array, " levels"]) -> Float[Array, " levels"]:
    """max_j one(k − j) + other(j), for each k."""
    size = one.size
    padded = jnp.concatenate([jnp.full(size, -jnp.inf, one.dtype), one])

    def level(j: Int[Array, ""], most: Array) -> Array:
        return jnp.maximum(most, jax.lax.dynamic_slice(padded, (size - j,), (size,)) + other[j])

    return jax.lax.fori_loop(0, size, level, jnp.full_like(one, -jnp.inf))


def read_back(
    best: Float[Array, "sets levels"],
    table: Table,
    success: Float[Array, " approaches"],
    units: Int[Array, ""],
) -> Int[Array, " approaches"]:
    """The units of each approach where the project has so many in all: whoever is counted on last first."""
    count, levels = table.shape
    share, has = shares(success), jnp.asarray(members(count))
    level, order = jnp.arange(levels, dtype=jnp.int32), jnp.arange(count * levels, dtype=jnp.int32)
    bits = jnp.left_shift(1, jnp.arange(count, dtype=jnp.int32))

    def take(_: int, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        subset, left, effort = state
        before = best[(subset & ~bits)[:, None], jnp.maximum(left - level, 0)[None]]
        allowed = has[subset][:, None] & (level <= left)[None]
        total = jnp.where(allowed, before + paid(share[subset][:, None], table), -jnp.inf)
        at = jnp.minimum(first_best(total.reshape(-1), order)[1], count * levels - 1)
        a, taken = at // levels, at % levels
        return subset & ~bits[a], jnp.maximum(left - taken, 0), effort.at[a].set(taken)

    begin = jnp.int32((1 << count) - 1), units, jnp.zeros(count, jnp.int32)
    return jax.lax.fori_loop(0, count, take, begin)[2]


# The programme over projects.


def outer(
    given: Approaches, optima: Float[Array, "projects levels"], budget: Scalar, lattice: Lattice
) -> Solution:
    """The projects as an ordinary portfolio, solved: what each returns with so many units in all, of which it
    can take those up to the first −∞."""
    return exact(portfolio_of(optima, given.cost), budget, lattice)


def portfolio_of(
    optima: Float[Array, "projects levels"], cost: Vector | None, names: tuple[str, ...] = ()
) -> Portfolio:
    """The ordinary portfolio of projects that return so much with so many units in all."""
    allowed = optima != -jnp.inf
    curves = Tabulated(jnp.where(allowed, optima, 0.0))
    most = jnp.sum(allowed, axis=-1, dtype=optima.dtype) - 1.0
    return Portfolio(curves, cost=cost, upper=most, names=names)


def judge(given: Approaches, tables: Tables, levels: Levels, optimum: Solution) -> Solution:
    """A plan by its own expected best, the one definition of what it is worth, against the optimum.

    Each of the optimum's terms went through a product and an addition an approach, so rounding can move
    either sum by as much as `error`."""
    returns, success = at_levels(tables, levels), given.success()
    effort = levels.astype(tables.dtype)
    value = jnp.sum(expected_best(returns, success))
    error = sum_error(2 * levels.size, jnp.sum(jnp.abs(paid(success, returns))))
    solved = optimum.status == Status.SOLVED
    return Solution(
        effort=effort,
        value=jnp.where(solved, value, jnp.nan),
        bound=optimum.bound + error,
        multiplier=optimum.multiplier,
        spent=jnp.sum(given.costs() * jnp.sum(effort, axis=-1)),
        proved=optimum.proved & (value >= optimum.value - error),
        status=optimum.status,
    )


def at_levels(tables: Tables, levels: Levels) -> Float[Array, "projects approaches"]:
    """What each approach returns at its units."""
    return jnp.take_along_axis(tables, levels[..., None], axis=-1)[..., 0]


# Simpler plans.


def single(lone: Tables, units: Int[Array, " projects"]) -> Levels:
    """Each project's units to the one of its approaches that does most with them alone."""
    spread = jnp.broadcast_to(units[:, None], lone.shape[:2])
    chosen = jnp.argmax(at_levels(lone, spread), axis=-1)
    return jnp.where(jax.nn.one_hot(chosen, lone.shape[1], dtype=bool), spread, 0)


def alone(table: Table, success: Float[Array, " approaches"]) -> Table:
    """The project's expected best where one approach has all units, the others none."""
    own = jnp.eye(success.size, dtype=bool)[:, None, :]
    returns = jnp.where(own, table[..., None], table[None, None, :, 0])
    return jnp.where(table == -jnp.inf, table, expected_best(returns, success))


def greedy(given: Approaches, tables: Tables, budget: Scalar) -> Levels:
    """Unit by unit to the approach with the largest rise of its project's expected best for its cost, until
    none rises or can be paid. What a unit changes is its own project's rises."""
    success, costs = given.success(), given.costs()[:, None]
    within = budget + budget_slack(budget)

    def step(state: tuple[Levels, Array, Array]) -> tuple[Levels, Array, Array]:
        levels, rises, _ = state
        spent = jnp.sum(costs[:, 0] * jnp.sum(levels, axis=-1).astype(tables.dtype))
        rate = jnp.where(spent + costs <= within, rises / costs, -jnp.inf).reshape(-1)
        at = jnp.argmax(rate)
        project, approach = at // tables.shape[1], at % tables.shape[1]
        pays = rate[at] > 0
        levels = levels.at[project, approach].add(pays.astype(levels.dtype))
        after = next_rises(tables[project], success[project], levels[project])
        return levels, rises.at[project].set(after), pays

    none = jnp.zeros(tables.shape[:2], jnp.int32)
    begin = none, jax.vmap(next_rises)(tables, success, none), jnp.asarray(True)
    return jax.lax.while_loop(lambda state: state[2], step, begin)[0]


def next_rises(
    table: Table, success: Float[Array, " approaches"], levels: Int[Array, " approaches"]
) -> Float[Array, " approaches"]:
    """By how much a project's expected best rises by one more unit of each approach; −∞ past the last."""
    last = table.shape[-1] - 1
    now, after = (
        jnp.take_along_axis(table, jnp.minimum(at, last)[:, None], axis=-1)[:, 0]
        for at in (levels, levels + 1)
    )
    allowed = (levels < last) & (after != -jnp.inf)
    moved = jnp.where(jnp.eye(levels.size, dtype=bool), jnp.where(allowed, after, now)[:, None], now[None])
    rises = expected_best(moved, success) - expected_best(now, success)
    return jnp.where(allowed, rises, -jnp.inf)
