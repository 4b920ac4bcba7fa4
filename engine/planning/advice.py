"""Advice on one real plan: what to spend in the next period, why, and what would change it.

What was spent and seen so far is replayed through the filter of `beliefs`, period by period with random
numbers of its own each: a longer log of the same beginning gives the same beliefs on the way. The rest of the
budget is spread evenly over the lots of the periods that are left, so that effort of a log need not be lots.

- The plan is the best of all that is left, by mean gains; the period's lots are those of a policy. Its price
  is the gain of its last lot, per unit of budget.
- Gains, prices and indices count later returns less where there is a discount; what is reached does not.
- A project's index is its largest mean gain per unit of budget over all numbers of lots. Below the price the
  project is best dropped (see `policies.index_kill`).
- Of joint draws from the beliefs each has a best plan of its own. A project's chance to be best is the share
  of draws in which it gets the most of that plan, parts for equals; its chance to be funded, that in which it
  gets anything.
- Its end is what it returns if the plan is carried out evenly over the periods that are left, with stalls and
  noise to come, and never revised.
- What would change the advice is found by the same filter: a period further, with nothing seen but one
  project's return, at quantiles of what the belief foretells, the plan gives that project some effort or
  none. From the median on, both ways, the nearest value where one turns into the other is found by
  bisection.

Cost: a filter step for each period of the log and each of some dozens of observations of every project that
is funded now; O(particles · lots) a project for each plan.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from engine.model.curves.base import Vector
from engine.model.keys import named
from engine.model.portfolio import Portfolio
from engine.planning.beliefs import Belief, Particles, believe, quantile, taken
from engine.planning.looks import update
from engine.planning.policies.base import Policy
from engine.planning.situation import Lots, Situation, best_per_lot, best_plan, planned
from engine.planning.world import Terms, advance, scales
from engine.solvers.programme import read_back
from engine.solvers.responses import Scalar

# Joint draws that are planned for. Ends of the stated intervals.
JOINT, LOW, HIGH = 500, 0.1, 0.9
# At these quantiles of what may be seen the plan is made again; which of them are low, middle and high; and
# how often an interval between two is halved.
OUTLOOKS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
SHOWN, MIDDLE, HALVINGS = (2, 6, 10), 6, 30
# A share of the budget that is nothing.
NOTHING = 1e-9


class Log(NamedTuple):
    """What was done and seen in each period, [periods, projects]; nothing reads rows of periods to come.

    `error`, the standard deviation of the noise of what was seen: infinite where nothing was, NaN for that of
    the terms.
    """

    effort: Float[Array, "periods projects"]
    seen: Float[Array, "periods projects"]
    error: Float[Array, "periods projects"]


class Case(NamedTuple):
    """What stays the same from period to period: the terms, the budget, what effort costs, the scale of what
    is seen of each project, and the key of all random numbers."""

    terms: Terms
    budget: Scalar
    cost: Vector
    scale: Vector
    key: Array


class Advised(NamedTuple):
    """Advice by project, and what it rests on; see the module.

    - `lots`, `effort`: of this period, by the policy; `plan`: effort of the best plan of all that is left.
    - `lot`: what a lot is of the budget; `left`: how many there are; `price`: of the plan.
    - `returned`, `end` [mean, low, high; projects]: what has been reached, and what will be by the plan.
    - `running`, `best`, `funded`: chances; `per_unit`: the index.
    - `outlook`, `outlook_plan` [low, median, high; projects]: what may be seen of those that are funded now,
      and the effort of the plan after it. `below`, `above`: where it turns, NaN where it does not.
    """

    lots: Lots
    effort: Vector
    plan: Vector
    lot: Scalar
    left: Int[Array, ""]
    price: Scalar
    returned: Float[Array, "3 projects"]
    end: Float[Array, "3 projects"]
    running: Vector
    per_unit: Vector
    best: Vector
    funded: Vector
    outlook: Float[Array, "3 projects"]
    outlook_plan: Float[Array, "3 projects"]
    below: Vector
    above: Vector


def build_case(
    terms: Terms, draws: Portfolio, cost: Vector, budget: Scalar, start: Vector, key: Array
) -> Case:
    """The case of a plan; scales are what draws return on average where a project gets all of the budget, as
    in `play.build_world`, on top of the effort it starts with."""
    return Case(terms, budget, cost, scales(draws, start + budget / cost), key)


def learned(case: Case, belief: Belief, period: Array, effort: Vector, seen: Vector, error: Vector) -> Belief:
    """The belief after a period. What was not seen weighs nothing: its noise is infinite."""
    scale = jnp.where(jnp.isnan(error), case.scale, error / case.terms.noise)
    key = jax.random.fold_in(named(case.key, "learn"), period)
    return update(case.terms, belief, effort, seen, scale, key)


def situated(case: Case, belief: Belief, period: Array, spent: Scalar) -> Situation:
    """Where the plan stands before a period: what is left of the budget, in even lots of all periods left."""
    terms = case.terms
    lots = (terms.periods - period) * terms.lots
    rest = case.budget - spent
    some = (rest > NOTHING * case.budget) & (lots > 0)
    share = rest / jnp.maximum(lots, 1).astype(rest.dtype)
    lot = jnp.where(some, share, case.budget / terms.all_lots)
    left = jnp.where(some, lots, 0)
    now = jnp.minimum(left, terms.lots)
    return Situation(terms, belief, lot / case.cost, case.scale, period, now, left)


class Position(NamedTuple):
    """Where a log has led to."""

    belief: Belief
    spent: Scalar
    memory: Any


def replayed(policy: Policy, case: Case, belief: Belief, log: Log, done: Array) -> Position:
    """The belief after so many periods of a log, and what the policy remembers."""

    def step(period: Array, position: Position) -> Position:
        belief, spent, memory = position
        _, memory = policy.choose(situated(case, belief, period, spent), memory, deciding(case, period))
        effort = log.effort[period]
        belief = learned(case, belief, period, effort, log.seen[period], log.error[period])
        return Position(belief, spent + jnp.sum(case.cost * effort), memory)

    nothing = jnp.zeros_like(case.budget)
    memory = policy.begin(situated(case, belief, jnp.int32(0), nothing))
    return jax.lax.fori_loop(0, done, step, Position(belief, nothing, memory))


def deciding(case: Case, period: Array) -> Array:
    """The key of a period's decision."""
    return jax.random.fold_in(named(case.key, "decide"), period)


def believed_first(case: Case, draws: Portfolio, start: Vector) -> Belief:
    """The belief before the plan: equally likely draws, and the progress that was paid for before."""
    belief = believe(case.terms, draws, named(case.key, "particles"))
    state = belief.state._replace(progress=belief.state.progress + start[:, None])
    return belief._replace(state=state)


def advise(
    policy: Policy,
    terms: Terms,
    draws: Portfolio,
    cost: Vector,
    budget: Scalar,
    start: Vector,
    log: Log,
    done: Int[Array, ""],
    key: Array,
) -> Advised:
    """Advice for the period after so many of a log.

    **Arguments:** `draws` [particles, projects], equally likely before anything is seen; `start`, effort from
    before the plan.
    """
    case = build_case(terms, draws, cost, budget, start, key)
    position = replayed(policy, case, believed_first(case, draws, start), log, done)
    belief, now = position.belief, situated(case, position.belief, done, position.spent)
    lots, _ = policy.choose(now, position.memory, deciding(case, done))
    table = now.to_the_end()
    solved = planned(table)
    plan = read_back(solved, now.left).astype(jnp.int32)
    lot, optimum = now.per_lot[0] * cost[0], solved.before[-1]
    last = jnp.maximum(now.left, 1)
    effort = lots.astype(table.dtype) * now.per_lot
    efforts = plan.astype(table.dtype) * now.per_lot
    best, funded = contested(case, now)
    spent = position.spent + jnp.sum(cost * effort)
    return Advised(
        lots,
        effort,
        efforts,
        lot,
        now.left,
        (optimum[last] - optimum[last - 1]) / lot,
        summary(belief, belief.returns()),
        summary(belief, carried_out(case, now, efforts)),
        belief.mean(belief.state.running.astype(table.dtype)),
        best_per_lot(table, last) / lot,
        best,
        funded,
        *reconsidered(case, now, lots, effort, spent),
    )


def summary(belief: Belief, values: Particles) -> Float[Array, "3 projects"]:
    """Means, and the ends of the stated interval."""
    return jnp.concatenate([belief.mean(values)[None], quantiles(belief, values, (LOW, HIGH))])


def quantiles(
    belief: Belief, values: Particles, shares: tuple[float, ...]
) -> Float[Array, "shares projects"]:
    """Several weighted quantiles of what particles say; values are sorted once."""
    return jax.vmap(lambda share: quantile(belief, values, share))(jnp.array(shares, values.dtype))


def carried_out(case: Case, now: Situation, plan: Vector) -> Particles:
    """What each particle returns at the end, if a plan is carried out evenly."""
    terms, belief = case.terms, now.belief
    periods = jnp.maximum(terms.periods - now.period, 1).astype(plan.dtype)

    def step(period: Array, state: Any) -> Any:
        key = jax.random.fold_in(named(case.key, "ahead"), period)
        return advance(terms, state, (plan / periods)[:, None], key)

    state = jax.lax.fori_loop(now.period, terms.periods, step, belief.state)
    return belief.draws.returns(state.progress)


def contested(case: Case, now: Situation) -> tuple[Vector, Vector]:
    """The chances of projects to be best and to be funded, over joint draws that are planned for one by
    one."""
    belief = now.belief
    key = jax.random.fold_in(named(case.key, "joint"), now.period)
    shape = JOINT, belief.log_weight.shape[0]
    chosen = jax.random.categorical(key, belief.log_weight, shape=shape).astype(jnp.int32)[..., None]

    def plan_of(one: Int[Array, "projects one"]) -> Lots:
        draws, state = jax.tree.map(lambda a: taken(a, one), (belief.draws, belief.state))
        sure = Belief(draws, state, jnp.zeros(one.shape, belief.log_weight.dtype))
        return best_plan(now._replace(belief=sure).to_the_end(), now.left)

    plans = jax.lax.map(plan_of, chosen, batch_size=50)
    most = (plans > 0) & (plans == jnp.max(plans, axis=1, keepdims=True))
    firsts = jnp.maximum(jnp.sum(most, axis=1, keepdims=True, dtype=jnp.int32), 1).astype(now.per_lot.dtype)
    best = most.astype(now.per_lot.dtype) / firsts
    return jnp.mean(best, axis=0), jnp.mean((plans > 0).astype(best.dtype), axis=0)


class Reconsidered(NamedTuple):
    """What further observations would do; as in `Advised`."""

    outlook: Float[Array, "3 projects"]
    plan: Float[Array, "3 projects"]
    below: Vector
    above: Vector


def reconsidered(case: Case, now: Situation, lots: Lots, effort: Vector, spent: Scalar) -> Reconsidered:
    """What of each project's next observation would turn the plan; NaN of those that get nothing now, and of
    all in the last period."""
    foreseen, unseen = foretold(case, now, effort), jnp.full_like(effort, jnp.inf)
    following = now.period + 1
    # What others are believed to be does not depend on what is seen of one.
    apart = learned(case, now.belief, now.period, effort, jnp.zeros_like(effort), unseen)
    others = situated(case, apart, following, spent).to_the_end()

    def of(project: Array) -> tuple[Array, ...]:
        def effort_after(seen: Scalar) -> Scalar:
            """The effort that the plan gives the project once this was seen of it."""
            error = unseen.at[project].set(jnp.nan)
            belief = learned(case, now.belief, now.period, effort, jnp.full_like(effort, seen), error)
            after = situated(case, belief, following, spent)
            row = narrowed(after, project).to_the_end()[0]
            plan = best_plan(others.at[project].set(row), after.left)
            return plan[project].astype(effort.dtype) * after.per_lot[project]

        values = foreseen[:, project]
        plans, below, above = probed(effort_after, values)
        shown = jnp.array(SHOWN)
        return values[shown], plans[shown], below, above

    count = min(case.terms.lots, effort.size)
    chosen = jnp.argsort(-lots, stable=True)[:count].astype(jnp.int32)
    found = jax.lax.map(of, chosen)
    known = (lots[chosen] > 0) & (following < case.terms.periods)

    def spread(values: Array) -> Array:
        """By project, NaN elsewhere: [..., projects]."""
        own = jnp.where(known.reshape(-1, *(1,) * (values.ndim - 1)), values, jnp.nan)
        whole = jnp.full((effort.size, *values.shape[1:]), jnp.nan, effort.dtype)
        return jnp.moveaxis(whole.at[chosen].set(own), 0, -1)

    return Reconsidered(*map(spread, found))


def narrowed(situation: Situation, project: Array) -> Situation:
    """The same of one project alone."""

    own = jax.tree.map(
        lambda a: jax.lax.dynamic_slice_in_dim(a, project, 1),
        {name: getattr(situation, name) for name in ("belief", "per_lot", "scale")},
    )
    return situation._replace(**own)


def foretold(case: Case, now: Situation, effort: Vector) -> Float[Array, "outlooks projects"]:
    """Quantiles of what would be seen after this period."""
    for_state, for_noise = jax.random.split(jax.random.fold_in(named(case.key, "outlook"), now.period))
    belief = now.belief
    belief = belief._replace(state=advance(case.terms, belief.state, effort[:, None], for_state))
    normal = jax.random.normal(for_noise, belief.log_weight.shape, effort.dtype)
    seen = belief.returns() + (case.terms.noise * case.scale)[:, None] * normal
    return quantiles(belief, seen, OUTLOOKS)


def probed(
    effort_after: Callable[[Scalar], Scalar], values: Float[Array, " outlooks"]
) -> tuple[Float[Array, " outlooks"], Scalar, Scalar]:
    """(the effort after each of these observations, the nearest ones below and above the median at which
    effort turns to none or none to some, NaN where there is none). One loop, so that what takes long to
    compile is compiled once."""
    count, sides = values.size, jnp.arange(2)

    def step(number: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        efforts, ends = carry
        ends = jnp.where(number == count, brackets(values, efforts > 0)[0], ends)
        side = jnp.clip((number - count) // HALVINGS, 0, 1)
        first = number < count
        at = jnp.where(first, values[jnp.minimum(number, count - 1)], 0.5 * jnp.sum(ends[side]))
        effort = effort_after(at)
        efforts = jnp.where(first & (jnp.arange(count) == number), effort, efforts)
        as_usual = (effort > 0) == (efforts[MIDDLE] > 0)
        same, other = ends[side]
        halved = jnp.stack([jnp.where(as_usual, at, same), jnp.where(as_usual, other, at)])
        return efforts, jnp.where((~first & (sides == side))[:, None], halved[None], ends)

    begin = jnp.zeros_like(values), jnp.zeros((2, 2), values.dtype)
    efforts, ends = jax.lax.fori_loop(0, count + 2 * HALVINGS, step, begin)
    below, above = jnp.where(brackets(values, efforts > 0)[1], jnp.mean(ends, axis=1), jnp.nan)
    return efforts, below, above


def brackets(
    values: Float[Array, " outlooks"], goes_on: Bool[Array, " outlooks"]
) -> tuple[Float[Array, "2 2"], Bool[Array, " 2"]]:
    """(below and above the median: the last value before it turns, and the first after it; whether it
    does)."""
    place = jnp.arange(values.size)
    turned = goes_on != goes_on[MIDDLE]
    under, over = turned & (place < MIDDLE), turned & (place > MIDDLE)
    down, up = jnp.max(jnp.where(under, place, -1)), jnp.min(jnp.where(over, place, values.size))
    ends = jnp.stack([jnp.stack([down + 1, down]), jnp.stack([up - 1, up])])
    return values[jnp.clip(ends, 0, values.size - 1)], jnp.stack([jnp.any(under), jnp.any(over)])
