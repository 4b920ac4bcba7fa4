"""Test problems: named random portfolios of one curve family, and the published knapsacks as step curves.

A problem draws portfolios of N projects for a budget B, as a scenario does: portfolio j of a seed depends on
(seed, j) alone. Smooth problems spread the effort that a curve needs around B/N, so that several
projects compete whatever N and B are. A knapsack item of weight w and profit p is a project whose curve
steps from 0 to p at w units; a class of a multiple-choice knapsack is a curve with a step for each item that
is worth more than all lighter ones (at most one item is chosen, where the original chooses exactly one).
Weights go up to 4B/N, so that the budget is on average half of what all items weigh, as in the originals.

Sources: Pisinger (2005), "Where are the hard knapsack problems?", for the knapsacks; Sinha & Zoltners (1979)
and Pisinger (1995), "A minimal algorithm for the multiple-choice knapsack problem", for the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array

from engine.model.curves.base import Curve
from engine.model.curves.concave import Exponential, Log, Power
from engine.model.curves.s_shaped import Hill, Logistic, Weibull
from engine.model.curves.staged import Lifecycle, Tabulated
from engine.model.keys import named
from engine.model.portfolio import Portfolio
from engine.solvers.registry import Takes

CLASS_ITEMS = 10
STAGES = 4
Draw = Callable[["Problem", Array, jnp.dtype], Curve]


@jax.tree_util.register_static
@dataclass(frozen=True)
class Problem:
    """A problem of a given size: `draw(key, dtype)` gives a portfolio of `projects` for the budget."""

    name: str
    projects: int
    budget: int

    def __post_init__(self) -> None:
        if self.name not in PROBLEMS:
            raise ValueError(f"unknown problem {self.name!r}, expected one of {', '.join(PROBLEMS)}")
        if self.projects < 1 or self.budget < self.projects:
            raise ValueError(
                f"problem {self.name} of {self.projects} projects has budget {self.budget}, expected at "
                "least one unit a project"
            )

    def draw(self, key: Array, dtype: jnp.dtype | type = float) -> Portfolio:
        """A random portfolio."""
        return Portfolio(PROBLEMS[self.name](self, key, jnp.dtype(dtype)))

    def costs(self) -> None:
        """Every unit costs 1."""

    def upper(self) -> float:
        """Efforts have no upper limit."""
        return math.inf

    @property
    def gives(self) -> Takes:
        """Ordinary portfolios."""
        return "portfolio"

    @property
    def uncertainty(self) -> None:
        """All is known."""

    @property
    def share(self) -> float:
        """Units of budget per project."""
        return self.budget / self.projects

    @property
    def largest_weight(self) -> int:
        """The heaviest item of a knapsack: the budget is half of the expected weight of all."""
        return min(max(int(4 * self.share), 10), self.budget)


def _uniform(
    key: Array, name: str, shape: tuple[int, ...], dtype: jnp.dtype, low: float, high: float
) -> Array:
    return jax.random.uniform(named(key, name), shape, dtype, low, high)


def _lognormal(key: Array, name: str, shape: tuple[int, ...], dtype: jnp.dtype, sigma: float) -> Array:
    return jnp.exp(sigma * jax.random.normal(named(key, name), shape, dtype))


def _smooth(family: str) -> Draw:
    """Scale lognormal (σ = 0.5), characteristic effort lognormal around B/N (σ = 0.6)."""

    def draw(problem: Problem, key: Array, dtype: jnp.dtype) -> Curve:
        shape = (problem.projects,)
        scale = _lognormal(key, "scale", shape, dtype, 0.5)
        effort = problem.share * _lognormal(key, "effort", shape, dtype, 0.6)

        def between(low: float, high: float) -> Array:
            return _uniform(key, "exponent", shape, dtype, low, high)

        match family:
            case "log":
                return Log(scale, 1.0 / effort)
            case "power":
                return Power(scale, between(0.2, 0.8), effort)
            case "exponential":
                return Exponential(scale, 1.0 / effort)
            case "hill":
                return Hill(scale, effort, between(1.0, 4.0))
            case "weibull":
                return Weibull(scale, 1.0 / effort, between(1.0, 4.0))
        # A logistic whose lower bend lies at a third to all of the characteristic effort.
        return Logistic(scale, 6.0 / effort, effort)

    return draw


def _staged(problem: Problem, key: Array, dtype: jnp.dtype) -> Curve:
    """Stages that open at random efforts up to 3B/N, each from a higher base."""
    shape = (problem.projects, STAGES)
    start = jnp.sort(_uniform(key, "start", shape, dtype, 0.0, 3.0 * problem.share), axis=-1)
    base = jnp.cumsum(_uniform(key, "base", shape, dtype, 0.0, 1.0), axis=-1)
    scale = 0.3 * _lognormal(key, "scale", shape, dtype, 0.5)
    return Lifecycle(
        jnp.floor(start), base, scale, _lognormal(key, "rate", shape, dtype, 0.5) / problem.share
    )


def _whole(key: Array, name: str, shape: tuple[int, ...], low: int | Array, high: int | Array) -> Array:
    """Whole numbers from low to high, both included."""
    return jax.random.randint(named(key, name), shape, low, high + 1)


def _profit(kind: str, key: Array, weight: Array, largest: int) -> Array:
    """Profits of items by kind: see Pisinger (2005), section 3."""
    tenth = max(largest // 10, 1)
    match kind:
        case "uncorrelated":
            return _whole(key, "profit", weight.shape, 1, largest)
        case "weakly_correlated":
            spread = _whole(key, "profit", weight.shape, -tenth, tenth)
            return jnp.maximum(weight + spread, 1)
        case "strongly_correlated":
            return weight + tenth
    return weight  # subset sum


def _knapsack(kind: str) -> Draw:
    def draw(problem: Problem, key: Array, dtype: jnp.dtype) -> Curve:
        weight = _whole(key, "weight", (problem.projects, 1), 1, problem.largest_weight)
        return _steps(weight, _profit(kind, key, weight, problem.largest_weight), problem.budget, dtype)

    return draw


def _multiple_choice(kind: str) -> Draw:
    def draw(problem: Problem, key: Array, dtype: jnp.dtype) -> Curve:
        shape, largest = (problem.projects, CLASS_ITEMS), problem.largest_weight
        weight = _whole(key, "weight", shape, 1, largest)
        if kind != "sinha_zoltners":
            return _steps(weight, _profit(kind, key, weight, largest), problem.budget, dtype)
        # Weights and profits sorted alike, so that no item is worth less than a lighter one.
        profit = jnp.sort(_whole(key, "profit", shape, 1, largest), axis=-1)
        return _steps(jnp.sort(weight, axis=-1), profit, problem.budget, dtype)

    return draw


def _steps(weight: Array, profit: Array, budget: int, dtype: jnp.dtype) -> Tabulated:
    """The best profit among the items [projects, items] that so much effort can carry."""
    levels = jnp.arange(budget + 1, dtype=weight.dtype)
    carried = jnp.where(weight[..., None] <= levels[None, None], profit[..., None], 0)
    return Tabulated(jnp.max(carried, axis=-2).astype(dtype))


PROBLEMS: dict[str, Draw] = {
    **{family: _smooth(family) for family in ("log", "power", "exponential", "hill", "weibull", "logistic")},
    "staged": _staged,
    **{
        f"knapsack_{kind}": _knapsack(kind)
        for kind in ("uncorrelated", "weakly_correlated", "strongly_correlated", "subset_sum")
    },
    **{
        f"multiple_choice_{kind}": _multiple_choice(kind)
        for kind in (
            "uncorrelated",
            "weakly_correlated",
            "strongly_correlated",
            "subset_sum",
            "sinha_zoltners",
        )
    },
}
