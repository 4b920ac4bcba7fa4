"""Free projects: those whose units cost nothing, which no budget has to choose.

Each takes the effort within its limits that returns most, the least of several such, whatever the budget:

    V(b) = V'(b) + Σ_{c_i = 0} max { w_i π_i R_i(f_i(max(x − s_i, 0))) : l_i ≤ x ≤ u_i }

with V' the optimum over the other projects. So free projects are set aside, at no effort and no weight,
before anything is solved, and put back into what was found.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from engine.allocation.running import Program, batched, program, round_size
from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio, project_names
from engine.model.validation import normalise
from engine.solvers.responses import Scalar
from engine.solvers.rounding import first_best
from engine.solvers.solution import Solution

# The price at which effort is as good as free; efforts beyond all that anyone counts.
FAINT, FAR = 1e-150, 1e15
# Numbers a project that the choice of its level holds at once.
FEW_NUMBERS = 256


class Free(NamedTuple):
    """What free projects add to an allocation of the others: effort [..., projects], and return [...]."""

    effort: Any
    value: Any

    def put_back(self, solution: Solution) -> Solution:
        """The solution of all projects, of that without the free ones."""
        return dataclasses.replace(
            solution,
            effort=solution.effort + self.effort,
            value=solution.value + self.value,
            bound=solution.bound + self.value,
        )


def least_cost(portfolio: Portfolio) -> float:
    """The least unit cost of those that are not free; 1 where there is none."""
    costs = np.ones(1) if portfolio.cost is None else np.asarray(portfolio.cost)
    return float(np.min(costs, where=costs > 0, initial=np.inf)) if np.any(costs > 0) else 1.0


def set_aside(portfolio: Portfolio, whole: bool) -> tuple[Portfolio, Free]:
    """A checked portfolio of which no project is free, and what those that were add to its allocations.

    **Arguments:** `whole`, whether effort is in whole units.

    **Raises:** `ValueError` naming a free project whose return rises without end.
    """
    if portfolio.cost is None or np.all(portfolio.cost > 0):
        nothing: Any = np.zeros((), portfolio.dtype)
        return portfolio, Free(np.zeros(portfolio.shape[-1:], portfolio.dtype), nothing)
    free = np.asarray(portfolio.cost == 0)
    effort, value, rising = _best_levels(portfolio, whole)
    if np.any(endless := free & (rising | ~np.isfinite(value))):
        name = project_names(portfolio)[np.argwhere(endless)[0][-1]]
        raise ValueError(f"{name}: cost is 0 and its return has no maximum, expected an upper limit")

    def without(name: str, number: float) -> Any:
        given = getattr(portfolio, name)
        others = Portfolio.neutral_values()[name] if given is None else given
        return np.where(free, number, others).astype(portfolio.dtype)

    aside = {"weight": 0.0, "lower": 0.0, "upper": 0.0, "cost": least_cost(portfolio)}
    paid = dataclasses.replace(portfolio, **{name: without(name, n) for name, n in aside.items()})
    effort, value = (np.where(free, each, 0.0).astype(portfolio.dtype) for each in (effort, value))
    return paid, Free(effort, np.sum(value, axis=-1))


def _best_levels(portfolio: Portfolio, whole: bool) -> tuple[np.ndarray, ...]:
    """(effort that returns most, its return, whether more would return more), per project, in float64."""
    double = normalise(portfolio, np.dtype(np.float64))
    asked: Any = np.zeros(portfolio.shape[:-1], np.float64)
    return batched(_compiled(whole), double, asked, round_size(double, FEW_NUMBERS))


@functools.lru_cache(maxsize=2)
def _compiled(whole: bool) -> Program[tuple[Any, ...]]:
    return program(functools.partial(best_levels, whole=whole))


def best_levels(portfolio: Portfolio, _: Scalar, whole: bool) -> tuple[Vector, Vector, Vector]:
    """(the least effort within the limits that returns most, its return, whether more would return more)."""
    # Utilities rise with performance: the best level is that of the curve, and of what pays at all.
    linear = dataclasses.replace(portfolio, curvature=None)
    stakes, uppers = portfolio.stakes(), portfolio.uppers()
    least, most = portfolio.lowers(), jnp.minimum(uppers, FAR)
    peaks = portfolio.curves.maximisers(FAINT / jnp.where(stakes > 0, stakes, 1.0))
    efforts = jax.vmap(portfolio.effort_to)(peaks)
    if whole:
        least, most = jnp.ceil(least), jnp.floor(most)
        efforts = jnp.concatenate([jnp.floor(efforts), jnp.floor(efforts) + 1.0])
    levels = jnp.concatenate([least[None], jnp.clip(efforts, least[None], most[None]), most[None]])
    returns = jax.vmap(linear.returns)(levels)
    _, effort = first_best(returns, levels, jnp.zeros_like(returns))
    return effort, portfolio.returns(effort), jnp.isinf(uppers) & (linear.slope(effort) > 0)
