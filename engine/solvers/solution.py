"""The answer that every solver gives, with its certificate."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_dataclass
from jaxtyping import Array, Bool, Float, Int

from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio
from engine.solvers.rounding import budget_slack, least_positive, sum_error

Kind = TypeVar("Kind", bound="Solution")


class Status(IntEnum):
    """What became of an allocation; `message` says it in words."""

    SOLVED = 0
    INFEASIBLE = 1
    NOT_FINITE = 2

    @property
    def message(self) -> str:
        """What it means, in words."""
        return _MESSAGES[self]


_MESSAGES = {
    Status.SOLVED: "solved",
    Status.INFEASIBLE: "infeasible: the projects' lower limits cost more than the budget",
    Status.NOT_FINITE: "not a finite number: the total return overflows",
}


@register_dataclass
@dataclass(frozen=True)
class Solution:
    """An allocation and the proof of how good it is.

    - `effort`: units of effort per project.
    - `value`: V(effort), the total return.
    - `bound`: no feasible effort of the same kind (whole units or real) returns more.
    - `multiplier`: that of the budget which the solver ended with, a minimum of its own dual or the gain of
      the next unit. The shadow price, `Allocation.price`, is the same number for all solvers.
    - `spent`: budget used.
    - `proved`: whether value equals bound up to rounding, so that the effort is optimal.
    - `status`: the number of a `Status`: 0 where it was solved.
    """

    effort: Vector
    value: Float[Array, ""]
    bound: Float[Array, ""]
    multiplier: Float[Array, ""]
    spent: Float[Array, ""]
    proved: Bool[Array, ""]
    status: Int[Array, ""]

    @property
    def gap(self) -> Float[Array, ""]:
        """The certified optimality gap, (bound − value)/|bound|; 0 where the answer is proved."""
        xp = jnp if isinstance(self.bound, jax.Array) else np
        scale = xp.maximum(xp.abs(self.bound), least_positive(self.bound.dtype))
        return xp.where(self.proved, xp.zeros_like(self.bound), (self.bound - self.value) / scale)


def extended(kind: type[Kind], solution: Solution, **more: Any) -> Kind:
    """A solution as one of a kind that says more."""
    parts = {field.name: getattr(solution, field.name) for field in dataclasses.fields(Solution)}
    return kind(**parts, **more)


def rounding_slack(portfolio: Portfolio, effort: Vector, bound: Float[Array, ""]) -> Float[Array, ""]:
    """How far rounding can move V(effort) or a Lagrangian bound: (N + 8)·ε·(Σ|returns| + 3|bound|), with what
    cancels in a return.

    At the dual's own price both parts of the Lagrangian are of the bound's size.
    """
    sizes = jnp.abs(portfolio.returns(effort)) + portfolio.curves.cancelled(effort)
    total = jnp.sum(sizes) + 3.0 * jnp.abs(bound)
    return sum_error(portfolio.shape[-1], total)


def conclude(
    portfolio: Portfolio,
    budget: Float[Array, ""],
    effort: Vector,
    multiplier: Float[Array, ""],
    bound: Float[Array, ""],
) -> Solution:
    """Judge an allocation: its value, whether the bound proves it, and whether it could be at all.

    The bound is rounded outwards by `rounding_slack`, so that rounding alone puts no value above it.
    """
    value = portfolio.value(effort)
    spent = portfolio.spend(effort)
    slack = rounding_slack(portfolio, effort, bound)
    margin = budget_slack(budget)
    within = (effort >= portfolio.lowers() - margin) & (effort <= portfolio.uppers() + margin)
    infeasible = ~(jnp.all(within) & (spent <= budget + margin))
    finite = jnp.isfinite(value) & jnp.isfinite(bound)
    status = jnp.where(finite, Status.SOLVED, Status.NOT_FINITE)
    status = jnp.where(infeasible, Status.INFEASIBLE, status).astype(jnp.int32)
    solved = status == Status.SOLVED
    return Solution(
        effort=effort,
        value=jnp.where(solved, value, jnp.nan),
        bound=jnp.where(solved, bound + slack, jnp.nan),
        multiplier=multiplier,
        spent=spent,
        proved=solved & (jnp.abs(bound - value) <= slack),
        status=status,
    )
