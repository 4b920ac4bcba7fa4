"""What is simulated: a source of portfolios, a budget and the solvers that share them."""

from __future__ import annotations

import functools
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from engine.allocation.allocate import choose_lattice
from engine.bets.lifted import Lifting
from engine.bets.methods import Drawn
from engine.bets.tries import tried
from engine.model.keys import named
from engine.model.portfolio import Portfolio
from engine.simulation.methods import method_of, metrics_of
from engine.simulation.metrics import METRICS
from engine.simulation.rules import Ruling
from engine.simulation.scenarios import Scenario
from engine.simulation.uncertainty import Uncertainty
from engine.solvers.lattice import NO_LATTICE, PARTS, Lattice, most_units
from engine.solvers.registry import FEW_NUMBERS, REFERENCE, Takes


class Source(Protocol):
    """Where portfolios come from: a scenario, or a test problem; a pytree."""

    @property
    def projects(self) -> int:
        """The number of projects."""

    def costs(self) -> np.ndarray | None:
        """All unit costs that can occur, or None."""

    def upper(self) -> float:
        """The largest upper limit on effort that can occur."""

    @property
    def uncertainty(self) -> Uncertainty | None:
        """What is not known of a portfolio; None where all is."""

    @property
    def gives(self) -> Takes:
        """What is drawn: portfolios, bets around them, projects with approaches, platforms or rules."""

    def draw(self, key: Array, dtype: jnp.dtype | type = ...) -> Portfolio:
        """A random portfolio."""


def draw(source: Source, key: Array, units: int, budget: Array | float, dtype: jnp.dtype | type) -> Drawn:
    """A random portfolio, with the draws around it where it is uncertain, and their mean returns up to so
    many units. The draws have a key of their own: the portfolio is the same with and without them. Of
    projects with approaches it is that of their best expected returns. The budget is that of plans."""
    if isinstance(source, Scenario) and source.planning is not None:
        return source.draw_plans(key, budget, dtype)
    if isinstance(source, Scenario) and source.labels:
        return Drawn(*tried(source.draw_approaches(key, dtype), units))
    if isinstance(source, Scenario) and source.platforms is not None:
        coupled = source.draw_coupled(key, dtype)
        lifting = Lifting(coupled, jnp.asarray(source.platforms.flags(source.projects)))
        return Drawn(coupled.portfolio, lifting)
    if isinstance(source, Scenario) and source.rules is not None:
        ruled = source.draw_ruled(key, dtype)
        return Drawn(ruled.portfolio, Ruling(ruled, jnp.asarray(budget, ruled.dtype)))
    portfolio = source.draw(key, dtype)
    if source.uncertainty is None:
        return Drawn(portfolio)
    bet = source.uncertainty.around(portfolio, named(key, "uncertainty"))
    return Drawn(portfolio, bet, bet.mean_portfolio(units))


def drawn_shapes(source: Source, units: int = 1) -> Drawn:
    """What is drawn of a source as shapes, without a number."""
    return jax.eval_shape(lambda: draw(source, jax.random.key(0), units, 1.0, float))  # type: ignore[no-any-return]


def chosen_lattice(
    source: Source, budget: float, solvers: Collection[str], block: int, parts: int = PARTS
) -> Lattice:
    """The lattice of the solvers of a point, its sizes rounded up so that near budgets share compiled code.

    It looks at this point alone, so that a further one leaves its numbers as they are.
    """
    for name in solvers:
        prepared(source, budget, name)  # what cannot be is refused before anything is computed
    if source.gives == "plan":
        return NO_LATTICE
    terms = source.projects, source.costs(), source.upper()
    counted = [name for name in solvers if method_of(name).takes == "portfolio"]
    if source.gives != "portfolio":  # returns are averaged at whole units, or plans compared, whoever solves
        counted = [*counted, REFERENCE]
    lattice = choose_lattice(counted, budget, *terms, lambda: drawn_shapes(source).solved)
    sets = 1 << len(source.labels) if isinstance(source, Scenario) else 1
    rows = source.projects * sets
    if source.gives in ("bet", "approaches") and not (lattice.tables and lattice.units <= most_units(rows)):
        raise ValueError(
            f"budget {budget:g} lets a project take {lattice.units:.3g} units, and a table of mean returns "
            f"holds at most {most_units(rows):,}: measure effort in larger units, or set upper "
            "bounds"
        )
    if source.gives == "ruled" and not (lattice.tables and lattice.holds_costs):
        raise ValueError(
            f"budget {budget:g} and the costs of the scenario make more steps than rules can be composed in: "
            "expected costs with a common unit, effort in larger units, or upper limits"
        )
    return lattice if lattice == NO_LATTICE else lattice.shared(source.projects, block, parts)


def prepared(source: Source, budget: float, solver: str) -> Mapping[str, np.ndarray]:
    """The arrays that a solver takes besides.

    **Raises:** `ValueError` for a budget that it cannot answer.
    """
    costs = source.costs()
    least = 1.0 if costs is None else float(np.min(costs))
    return _prepared(solver, budget, source.projects, least, source.upper())


@functools.lru_cache(maxsize=16)
def _prepared(
    solver: str, budget: float, projects: int, cost: float, upper: float
) -> Mapping[str, np.ndarray]:
    return method_of(solver).prepare(budget, projects, cost, upper)


@dataclass(frozen=True)
class Point:
    """What is simulated: the portfolios of a source at a budget, by named solvers with their options."""

    source: Source
    budget: float
    solvers: dict[str, dict[str, Any]]
    lattice: Lattice
    seed: int
    portfolios: int
    block: int
    dtype: np.dtype
    reference: str = REFERENCE

    @property
    def blocks(self) -> int:
        """The number of blocks; the last may be partly filled."""
        return -(-self.portfolios // self.block)

    @property
    def entries(self) -> int:
        """How many numbers the solvers hold at most for each project of a portfolio, and its draws."""
        drawn = drawn_shapes(self.source, self.lattice.units)
        held = sum(leaf.size for leaf in jax.tree.leaves(drawn[1:])) // self.source.projects
        solved = (method_of(name).entries(drawn.solved, self.lattice) for name in self.solvers)
        return FEW_NUMBERS + held + max(solved)

    @property
    def metrics(self) -> dict[str, str]:
        """What is measured of each solution, and what it means."""
        planning = self.source.planning if isinstance(self.source, Scenario) else None
        return METRICS | metrics_of(self.source.gives, planning.terms.periods if planning else 0)

    def size(self, index: int) -> int:
        """How many portfolios a block has."""
        return min(self.block, self.portfolios - index * self.block)

    def traced(self, solver: str) -> dict[str, Any]:
        """What a solver takes besides portfolios, budget and lattice: its options' numbers, its arrays."""
        numbers = method_of(solver).traced(self.solvers[solver])
        return {**numbers, **prepared(self.source, self.budget, solver)}

    def by(self, solvers: Collection[str]) -> Point:
        """The same portfolios by some of the solvers."""
        return replace(self, solvers={name: self.solvers[name] for name in self.solvers if name in solvers})

    @property
    def kind(self) -> Hashable:
        """What code is compiled for: points of one kind differ in traced numbers only, of their source,
        their lattice or their solvers' options."""
        leaves, structure = jax.tree.flatten(self.source)
        shapes = tuple((np.shape(a), np.result_type(a)) for a in leaves)
        static = [(name, method_of(name).static(options)) for name, options in self.solvers.items()]
        solvers = tuple((name, tuple(sorted(options.items()))) for name, options in static)
        besides = tuple(np.shape(a) for name in self.solvers for a in self.traced(name).values())
        sizes = self.lattice.sizes, self.block, self.dtype
        return structure, shapes, solvers, besides, self.reference, *sizes
