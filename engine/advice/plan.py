"""`plan`: the border between a user's draws and log, and the advice on them."""

from __future__ import annotations

import dataclasses
import math
import warnings
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from engine.advice.answer import Advice
from engine.bets.uncertain import SHARED, Uncertain, normalise_uncertain, outcomes
from engine.files.bets import FITTED, load_drawn
from engine.files.spending import ByPeriod, Spending, load_spending, nothing_spent
from engine.model.naming import one_of
from engine.model.portfolio import Portfolio
from engine.model.validation import check, normalise
from engine.planning.advice import NOTHING, Log, advise
from engine.planning.checks import check_count, check_terms
from engine.planning.policies import POLICIES
from engine.planning.world import Terms

PARTICLES, MOST_PARTICLES, MOST_SEED = 2048, 65_536, 2**32 - 1
# How many lots a plan may have, and how many gains of particles are worked out for all of them.
MOST_LOTS, MOST_GAINS = 1_000, 200_000_000


def plan(
    draws: Uncertain | Portfolio | str | Path,
    budget: float,
    log: Spending | str | Path | Any = None,
    *,
    policy: str = "rolling",
    seed: int = 0,
    particles: int = PARTICLES,
    **terms: Any,
) -> Advice:
    """What to spend in the next period of a plan, why, and what measurement would change it.

    Nothing is remembered from one call to the next: what is believed follows from the arguments alone, and a
    longer log of the same beginning goes on from the same beliefs.

    **Arguments:** `draws`, of each project's curve: an `engine.Uncertain`, a file that holds one, or the
    folder of an `engine fit`; a portfolio is one draw, or as many as particles where it has success
    probabilities. Projects are believed independently. `budget` is that of the whole plan, in units of cost.
    `log`, what was spent and seen: see `engine.load_spending`; without one nothing was. `policy`, any of
    `engine.planning.policies.POLICIES` but the clairvoyant. `particles`, how many curves stand for what is
    believed of each project: draws are repeated, each as often, until they are as many at least; stalls,
    noise and the filter set copies apart. `terms`, numbers of `engine.planning.world.Terms`: `periods`,
    `lots`, `stall`, `resume`, `progress`, `noise`, `discount`. (What a period leaves is spread over those to
    come, so there is no `most`.)

    **Warns:** where the log spends more than the budget.

    **Raises:** `ValueError` naming what of the draws, the log or the terms cannot be.
    """
    known = {field.name for field in dataclasses.fields(Terms)} - {"most"}
    for name in terms:
        if name not in known:
            raise TypeError(f"plan() got an unexpected keyword argument {name!r}")
    how = Terms(**terms)
    check_terms(how)
    if how.all_lots > MOST_LOTS:
        raise ValueError(
            f"periods times lots is {how.all_lots:,}, expected {MOST_LOTS:,} at most: lots may be coarse"
        )
    _check_numbers(budget, policy, seed, particles)
    given = _drawn(draws, particles, seed)
    spending = _spending(log)
    names = given.names or tuple(str(project) for project in range(given.shape[-1]))
    by_period = spending.by_period(names, how.periods)
    costs = np.ones(given.shape, given.dtype) if given.cost is None else np.asarray(given.cost, given.dtype)
    spent = float(np.sum(costs * by_period.effort[1:]))
    if spent > (1.0 + NOTHING) * budget:
        warnings.warn(
            f"the log spends {spent:.9g} of a budget of {budget:.9g}: nothing is left", stacklevel=2
        )
    found = _advised(given, costs, float(budget), by_period, spending.last, policy, seed, particles, how)
    return _answer(found, names, spending.last, policy, float(budget), spent, by_period, costs, how)


def _check_numbers(budget: float, policy: str, seed: int, particles: int) -> None:
    if not 0 < budget < math.inf:
        raise ValueError(f"budget is {budget:g}, expected a number above 0")
    known = [name for name, each in POLICIES.items() if not each.clairvoyant]
    if policy not in known:
        raise ValueError(f"policy is {policy!r}{one_of(policy, known)}")
    if not 0 <= seed <= MOST_SEED:
        raise ValueError(f"seed is {seed}, expected a whole number from 0 to {MOST_SEED}")
    check_count("particles", particles, MOST_PARTICLES)


def draws_path(name: str | Path) -> Path:
    """A file of draws, or the name of one that ships: of a folder that `engine fit` wrote, the one in it."""
    path = Path(name).expanduser()
    return path / FITTED if path.is_dir() else path


def _drawn(given: Any, particles: int, seed: int) -> Uncertain:
    """Draws of what is given, without bounds.

    **Raises:** `ValueError` for what is none, and for bounds and costs that a plan cannot have.
    """
    if isinstance(given, (str, Path)):
        given = load_drawn(draws_path(given))
    if isinstance(given, Portfolio):
        given = _of_portfolio(given, particles, seed)
    if not isinstance(given, Uncertain):
        raise ValueError(f"expected draws of curves, got {type(given).__name__}")
    given = normalise_uncertain(given)
    if len(given.draws.shape) != 2:
        raise ValueError(f"the draws have shape {given.draws.shape}, expected (draws, projects)")
    for name in ("lower", "upper"):
        if getattr(given, name) is not None:
            raise ValueError(f"the draws have a bound {name}, expected none: plans know no bounds on effort")
    if given.cost is not None and np.any(given.cost <= 0):
        name = given.names[int(np.argmax(given.cost <= 0))] if given.names else "a project"
        raise ValueError(f"{name}: cost is 0, expected a number above 0 in a plan")
    if given.count > MOST_PARTICLES:
        raise ValueError(f"there are {given.count:,} draws, expected {MOST_PARTICLES:,} at most")
    return given


def _of_portfolio(given: Portfolio, particles: int, seed: int) -> Uncertain:
    """One draw of a portfolio, or draws of who succeeds."""
    given = normalise(given)
    check(given)
    if len(given.shape) != 1:
        raise ValueError(f"a batch of shape {given.shape[:-1]} is given, expected one portfolio")
    if given.success is not None:
        return outcomes(given, particles, seed)
    shared = {name: getattr(given, name) for name in SHARED}
    absent: dict[str, Any] = dict.fromkeys(shared)
    alone = jax.tree.map(lambda a: np.asarray(a)[None], dataclasses.replace(given, names=(), **absent))
    return Uncertain(alone, **shared, names=given.names)


def _spending(log: Any) -> Spending:
    if log is None:
        return nothing_spent()
    return log if isinstance(log, Spending) else load_spending(log)


def _advised(
    given: Uncertain,
    costs: Float[np.ndarray, " projects"],
    budget: float,
    by_period: ByPeriod,
    done: int,
    policy: str,
    seed: int,
    particles: int,
    terms: Terms,
) -> Any:
    """The advice as arrays of the host."""
    dtype = given.dtype
    count = given.count * -(-particles // given.count)
    gains = (terms.all_lots + 1) * count * given.shape[-1]
    if gains > MOST_GAINS:
        raise ValueError(
            f"{terms.all_lots:,} lots of {given.shape[-1]:,} projects with {count:,} particles each are too "
            "many to plan for, expected fewer particles, periods or lots"
        )
    repeated = np.arange(count) % given.count
    whole = jax.tree.map(lambda a: np.broadcast_to(a, (given.count, *a.shape[1:]))[repeated], given.draws)
    seen, error = by_period.seen[1:], by_period.error[1:]
    rows = by_period.effort[1:], np.nan_to_num(seen), np.where(np.isnan(seen), np.inf, error)
    with jax.enable_x64(dtype == np.float64):
        start, log = jnp.asarray(by_period.effort[0], dtype), Log(*(jnp.asarray(a, dtype) for a in rows))
        found = _compiled(
            POLICIES[policy],
            terms,
            whole,
            jnp.asarray(costs),
            jnp.asarray(budget, dtype),
            start,
            log,
            jnp.int32(done),
            jax.random.key(seed),
        )
        return jax.tree.map(np.asarray, found)


_compiled = jax.jit(advise, static_argnums=0)


def _answer(
    found: Any,
    names: tuple[str, ...],
    done: int,
    policy: str,
    budget: float,
    spent: float,
    by_period: ByPeriod,
    costs: Float[np.ndarray, " projects"],
    terms: Terms,
) -> Advice:
    """Advice as users hold it."""
    return Advice(
        names,
        done + 1,
        terms.periods,
        policy,
        budget,
        spent,
        float(found.lot),
        float(found.price),
        effort=found.effort,
        lots=found.lots,
        planned=found.plan,
        used=by_period.effort.sum(axis=0),
        returned=found.returned,
        end=found.end,
        running=found.running,
        index=found.per_unit,
        best=found.best,
        funded=found.funded,
        outlook=found.outlook,
        outlook_planned=found.outlook_plan,
        below=found.below,
        above=found.above,
        cost=costs,
    )
