"""Real effort for an objective over draws: by Newton's method, from many starts where it is not concave.

Of concave draws and weights that are never negative one start is enough (`interior`). Elsewhere there are two
kinds of starts. Ascents (`ascent`) from random efforts follow Σ_s q_s ∇V_s by the weights of the objective,
or, where it has steps (`Objective.smoothed`), of one whose steps are wider, ever less so. And tables of the
weighted returns, in turn with the weights at what they give, name which projects are worth funding at all,
which no gradient tells on S-shaped curves. Newton's method ends each start where weights are those of an
envelope; the best by the objective itself counts.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from engine.bets.ascent import ascend, free_numbers, random_starts
from engine.bets.certificate import MIXTURES, cell_bound, chance_bound
from engine.bets.interior import Found, climb
from engine.bets.objectives import Chance, Objective
from engine.bets.room import Room, room_of
from engine.bets.uncertain import Uncertain
from engine.model.curves.base import Vector
from engine.model.curves.staged import Tabulated
from engine.model.portfolio import Portfolio
from engine.solvers.bound import bound
from engine.solvers.lattice import build_lattice
from engine.solvers.relaxation import Box
from engine.solvers.responses import Scalar
from engine.solvers.rounding import budget_slack
from engine.solvers.solution import Solution, Status

# Steps of an ascent in each leg, and the widths of an objective's steps there, in standard deviations.
STEPS, WIDTHS = 60, (1.0, 0.2, 0.03)
# Levels of the tables that give more starts, one a round.
LEVELS, ROUNDS = 200, 4


def table_starts(bet: Uncertain, objective: Objective, room: Room) -> Float[Array, "rounds projects"]:
    """Efforts of large weighted return, of any curves, by density over levels: weights are equal at first,
    then the objective's own at the effort before."""
    box, scale, most = room
    levels = box.least[:, None] + scale[:, None] * jnp.linspace(0.0, 1.0, LEVELS + 1, dtype=scale.dtype)[None]
    lattice, budget = build_lattice(LEVELS, scale.size), jnp.asarray(LEVELS, scale.dtype)

    def plan(weights: Array, _: None) -> tuple[Array, Vector]:
        curves = Tabulated(bet.weighted_tables(levels, weights[None])[0])
        found = bound(Portfolio(curves, upper=jnp.floor(most * LEVELS)), budget, lattice).effort
        effort = jnp.take_along_axis(levels, found.astype(jnp.int32)[:, None], axis=1)[:, 0]
        values = bet.values(effort)
        return objective.smoothed(values, jnp.maximum(jnp.std(values), jnp.finfo(values.dtype).tiny)), effort

    equal = jnp.full(bet.count, 1.0 / bet.count, scale.dtype)
    return jax.lax.scan(plan, equal, length=ROUNDS)[1]


def ascents(bet: Uncertain, objective: Objective, box: Box, starts: int) -> Float[Array, "starts projects"]:
    """Where ascents from random starts end, in legs: an objective with steps is followed as one whose steps
    are ever less wide."""

    def climbed(free: Vector, width: Scalar) -> tuple[Vector, Vector]:
        def slope(effort: Vector) -> Vector:
            values = bet.values(effort)
            wide = jnp.maximum(width * jnp.std(values), jnp.finfo(values.dtype).tiny)
            return objective.smoothed(values, wide) @ bet.slopes(effort)

        def value(effort: Vector) -> Scalar:
            return objective.value(bet.values(effort))

        effort = ascend(value, slope, box, free, 0.0, STEPS).effort
        return free_numbers(box, effort), effort

    widths = jnp.asarray(WIDTHS, box.least.dtype)
    return jax.lax.map(lambda free: jax.lax.scan(climbed, free, widths)[1][-1], random_starts(box, starts))


def best_effort(
    bet: Uncertain, objective: Objective, box: Box, tolerance: Scalar | float, starts: int
) -> Found:
    """The best effort of all starts, and the bound of concave draws."""
    room = room_of(box)
    if bet.concave and objective.monotone:
        equal = room.effort(room.most / jnp.maximum(jnp.sum(room.most), 1.0))
        return climb(bet, objective, box, equal, tolerance)
    efforts = jnp.concatenate([ascents(bet, objective, box, starts), table_starts(bet, objective, room)])
    least = jnp.asarray(jnp.inf, efforts.dtype)
    if objective.coherent:
        ends = jax.lax.map(lambda effort: climb(bet, objective, box, effort, tolerance), efforts)
        efforts, least = jnp.concatenate([efforts, ends.effort]), jnp.min(ends.bound)
    values = jax.lax.map(lambda effort: objective.value(bet.values(effort)), efforts)
    best = jnp.argmax(values)
    return Found(efforts[best], values[best], least)


def certified_effort(
    bet: Uncertain,
    objective: Objective,
    box: Box,
    tolerance: Scalar | float,
    starts: int,
    rising: bool,
    mixtures: int = MIXTURES,
) -> Found:
    """The best effort of all starts, and the least bound that is known.

    **Arguments:** `rising`, whether no draw falls; `mixtures` of weights that are tried for a bound.
    """
    found = best_effort(bet, objective, box, tolerance, starts)
    if isinstance(objective, Chance):
        return found._replace(bound=chance_bound(bet, objective, box.budget))
    if rising and not (bet.concave and objective.monotone):
        most = cell_bound(bet, objective, box, bet.values(found.effort), mixtures)
        return found._replace(bound=jnp.minimum(found.bound, most))
    return found


def judge(bet: Uncertain, budget: Scalar, found: Found, tolerance: Scalar | float) -> Solution:
    """A solution by its value and bound; proved to a tolerance."""
    terms, value = bet.terms(), found.value
    spent, least = terms.spend(found.effort), terms.spend(terms.lowers())
    status = jnp.where(jnp.isfinite(value), Status.SOLVED, Status.NOT_FINITE)
    status = jnp.where(least > budget + budget_slack(budget), Status.INFEASIBLE, status).astype(jnp.int32)
    solved = status == Status.SOLVED
    return Solution(
        effort=found.effort,
        value=jnp.where(solved, value, jnp.nan),
        bound=jnp.where(solved, jnp.maximum(found.bound, value), jnp.nan),
        multiplier=jnp.full_like(value, jnp.nan),
        spent=spent,
        proved=solved & (found.bound - value <= tolerance * jnp.abs(value)),
        status=status,
    )
