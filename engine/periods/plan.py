"""What a spread gets: real effort by gradient, with a bound of all efforts.

Where V is concave the interior-point method (`interior`) finds the optimum, and its Frank–Wolfe gap proves
it. Elsewhere optax's steps (`engine.bets.ascent`) climb from many starts; the best climbs are brought to
their ends by the interior-point method, and prices on effective effort bound them (`prices`).

Sources: Frank & Wolfe (1956), An algorithm for quadratic programming; Jaggi (2013), Revisiting Frank–Wolfe.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import register_dataclass
from jaxtyping import Array, Float

from engine.bets.ascent import ascend
from engine.periods.field import Budgets, Cells, Field, field_of, gap_at
from engine.periods.interior import climb
from engine.periods.prices import upper_bound
from engine.periods.spread import Efforts, Spread
from engine.solvers.responses import Scalar
from engine.solvers.rounding import sum_error
from engine.solvers.solution import Solution, Status

# How far apart the free numbers of starts are: by project, the same in all periods, and by cell.
SPREADS = (2.0, 4.0)
# How many of the climbs are brought to their ends, and how close to their bounds that begins.
FINISHED, NEAR = 4, 1e-3
# Steps of the interior-point method at most, and a share of its bounds' distance below which effort is none.
MOST_NEWTON, NOTHING = 100, 1e-6

Plans = Float[Array, "plans periods projects"]


@register_dataclass
@dataclass(frozen=True)
class Scheduled(Solution):
    """A solution [periods, projects], and what it means period by period.

    - `effective`: what counts in each period; `returns`: of each project in each period, not discounted.
    - `multipliers`: of each period's budget, or of the one over all: what a little more of it would return.
    """

    effective: Efforts
    returns: Efforts
    multipliers: Budgets


class Found(NamedTuple):
    """An effort, and a bound of all efforts with how far rounding may move it."""

    effort: Efforts
    bound: Scalar
    slack: Scalar


def schedule(
    spread: Spread,
    budgets: Budgets,
    lower: Efforts,
    upper: Efforts,
    *,
    starts: int,
    tolerance: Scalar | float = 1e-9,
    max_steps: Scalar | int = 300,
) -> tuple[Scheduled, dict[str, Scalar]]:
    """Place budgets over periods, real effort.

    **Arguments:** `budgets`, one for each period or one over all; `lower` and `upper` of what is spent on
    each project in each period; `starts`, how many to climb from where V is not concave; `tolerance`, the
    relative Frank–Wolfe gap at which the search ends; `max_steps` of each climb.

    **Returns:** the solution, no worse than the plan of who ignores what carries over; and what that plan and
    an equal split return.
    """
    field = field_of(spread, budgets, lower, upper)
    # Of the spread itself, and of who ignores what carries over: one compiled search for both.
    minds = jax.tree.map(lambda a: jnp.stack([a, a]), spread)
    minds = replace(minds, carry=minds.carry.at[1].set(0.0))

    def search(mind: Spread) -> Found:
        if spread.concave:
            return concave(mind, field, tolerance)
        return any_shape(mind, field, starts, max_steps)

    both = jax.vmap(search)(minds)
    found = Found(best_of(spread, both.effort), both.bound[0], both.slack[0])
    even = jnp.minimum(field.least + even_share(field), field.most)
    beside = {"equal split": spread.value(even), "without carry-over": spread.value(both.effort[1])}
    return judged(spread, field, found), beside


def even_share(field: Field) -> Efforts:
    """What every project has beyond its lower limit, in units of cost, where all have the same."""
    cells = field.least.size // field.budgets.size
    return field.spread(field.room / cells) / field.costs


def concave(spread: Spread, field: Field, tolerance: Scalar | float) -> Found:
    """The optimum of a concave V, and the least Frank–Wolfe bound on the way there and at the end."""
    end = climb(spread, field, field.most, tolerance, MOST_NEWTON)
    effort = tidy_of(spread, field, end.best)
    value = spread.value(effort)
    bound = jnp.fmin(end.bound, value + gap_at(field, effort, spread.slope(effort)))
    # Slopes may be infinite where nothing is spent; prices are not.
    priced, slack = upper_bound(spread, field, effort)
    size = jnp.sum(jnp.abs(spread.returns(effort))) + 3.0 * jnp.abs(bound)
    rounding = sum_error(effort.shape[0] * effort.size, size)
    better = bound + rounding <= priced + slack
    return Found(effort, jnp.where(better, bound, priced), jnp.where(better, rounding, slack))


def any_shape(spread: Spread, field: Field, starts: int, max_steps: Scalar | int) -> Found:
    """The best end of climbs from many starts, and the bound by prices."""
    box, shape = field.box(), field.least.shape

    def scout(free: Cells) -> Efforts:
        end = ascend(
            lambda x: spread.value(x.reshape(shape)),
            lambda x: field.cells(spread.slope(x.reshape(shape))),
            box,
            free,
            1e-6,
            max_steps,
        )
        return end.effort.reshape(shape)

    climbs = jax.vmap(scout)(starting_points(field, starts))
    values = jax.vmap(spread.value)(climbs)
    order = jnp.argsort(-jnp.where(jnp.isnan(values), -jnp.inf, values))[:FINISHED]
    ends = jax.vmap(lambda x: climb(spread, field, x, 1e-9, MOST_NEWTON, pull=NEAR).best)(climbs[order])
    tidy = jax.vmap(lambda x: tidied(field, x))(ends)
    effort = best_of(spread, jnp.concatenate([climbs, ends, tidy, field.least[None]]))
    effort = tidy_of(spread, field, effort)
    return Found(effort, *upper_bound(spread, field, effort))


def starting_points(field: Field, starts: int) -> Float[Array, "starts groups cells"]:
    """Free numbers to begin from: all alike; some projects favoured in all periods; some cells favoured. The
    same draws for every problem."""
    periods, projects = field.least.shape
    keys = jax.random.split(jax.random.key(0), 2)
    kind = field.least.dtype
    always = jax.random.normal(keys[0], (starts, 1, projects), kind)
    at_times = jax.random.normal(keys[1], (starts, periods, projects), kind)
    often = (jnp.arange(starts) % 2 == 1)[:, None, None]
    drawn = jnp.where(often, SPREADS[1] * always + at_times, SPREADS[0] * (always + at_times))
    drawn = drawn.at[0].set(0.0)
    return jax.vmap(field.cells)(drawn)


def tidied(field: Field, effort: Efforts) -> Efforts:
    """An effort with what is all but nothing left out, and what is left of each budget spent in proportion to
    what each project has beyond its lower limit."""
    room = field.room
    above, width = jnp.clip(effort - field.least, 0.0, field.most - field.least), field.most - field.least
    above = jnp.where(field.costs * above <= NOTHING * field.spread(room), 0.0, above)
    for _ in range(2):
        spent = field.spent(above)
        share = room / jnp.where(spent > 0, spent, 1.0)
        above = jnp.minimum(above * field.spread(jnp.where(spent > 0, share, 1.0)), width)
    return field.least + above


def tidy_of(spread: Spread, field: Field, effort: Efforts) -> Efforts:
    """The tidied effort, unless it returns less by more than rounding."""
    tidy = tidied(field, effort)
    sizes = jnp.sum(jnp.abs(spread.returns(effort)))
    near = spread.value(effort) - sum_error(effort.size, sizes)
    return jnp.where(spread.value(tidy) >= near, tidy, effort)


def best_of(spread: Spread, plans: Plans) -> Efforts:
    """The plan that returns most."""
    values = jax.vmap(spread.value)(plans)
    return plans[jnp.argmax(jnp.where(jnp.isnan(values), -jnp.inf, values))]


def margins(spread: Spread, field: Field, effort: Efforts) -> Budgets:
    """What a little more of each budget would return: the steepest slope per cost of what is not at its upper
    bound, or all but there."""
    near = NOTHING * field.spread(field.room) / field.costs
    worth = jnp.where(effort < field.upper - near, spread.slope(effort) / field.costs, 0.0)
    return jnp.maximum(jnp.max(field.cells(worth), axis=-1), 0.0)


def judged(spread: Spread, field: Field, found: Found) -> Scheduled:
    """The value of an effort, whether the bound proves it, and whether it could be at all."""
    effort = found.effort
    value = spread.value(effort)
    possible = field.within(effort) & jnp.all(field.least <= field.upper)
    status = jnp.where(jnp.isfinite(value), Status.SOLVED, Status.NOT_FINITE)
    status = jnp.where(possible, status, Status.INFEASIBLE).astype(jnp.int32)
    solved = status == Status.SOLVED
    multipliers = margins(spread, field, effort)
    bound = jnp.where(jnp.isnan(found.bound), jnp.inf, found.bound)
    return Scheduled(
        effort=effort,
        value=jnp.where(solved, value, jnp.nan),
        bound=jnp.where(solved, jnp.maximum(bound + found.slack, value), jnp.nan),
        multiplier=jnp.max(multipliers),
        spent=jnp.sum(field.spent(effort)),
        proved=solved & (bound - value <= found.slack),
        status=status,
        effective=spread.effective(effort),
        returns=spread.returns(effort),
        multipliers=multipliers,
    )
