"""What is simulated: a source of portfolios, a budget and the solvers that share them."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from engine.allocation.allocate import choose_lattice
from engine.model.portfolio import Portfolio
from engine.solvers.lattice import NO_LATTICE, PARTS, Lattice
from engine.solvers.registry import FEW_NUMBERS, SOLVERS

# The solver that others are compared with: the one that proves the optimum whatever the portfolio.
REFERENCE = next(name for name, method in SOLVERS.items() if method.optimal == "always")


class Source(Protocol):
    """Where portfolios come from: a scenario, or a test problem; a pytree."""

    @property
    def projects(self) -> int:
        """The number of projects."""

    def costs(self) -> np.ndarray | None:
        """All unit costs that can occur, or None."""

    def upper(self) -> float:
        """The largest upper bound on effort that can occur."""

    def draw(self, key: Array, dtype: jnp.dtype | type = ...) -> Portfolio:
        """A random portfolio."""


def portfolio_shapes(source: Source) -> Portfolio:
    """A portfolio of the source as shapes, without a number."""
    return jax.eval_shape(lambda: source.draw(jax.random.key(0)))  # type: ignore[no-any-return]


def chosen_lattice(
    source: Source, budget: float, solvers: Collection[str], block: int, parts: int = PARTS
) -> Lattice:
    """The lattice of the solvers of a point, its sizes rounded up so that near budgets share compiled code.

    It looks at this point alone, so that a further one leaves its numbers as they are.
    """
    terms = source.projects, source.costs(), source.upper()
    lattice = choose_lattice(solvers, budget, *terms, lambda: portfolio_shapes(source))
    return lattice if lattice == NO_LATTICE else lattice.shared(source.projects, block, parts)


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

    @property
    def blocks(self) -> int:
        """The number of blocks; the last may be partly filled."""
        return -(-self.portfolios // self.block)

    @property
    def entries(self) -> int:
        """How many numbers the solvers hold at most for each project of a portfolio."""
        portfolio = portfolio_shapes(self.source)
        return FEW_NUMBERS + max(SOLVERS[name].entries(portfolio, self.lattice) for name in self.solvers)

    def size(self, index: int) -> int:
        """How many portfolios a block has."""
        return min(self.block, self.portfolios - index * self.block)

    def by(self, solvers: Collection[str]) -> Point:
        """The same portfolios by some of the solvers."""
        return replace(self, solvers={name: self.solvers[name] for name in self.solvers if name in solvers})

    @property
    def kind(self) -> Hashable:
        """What code is compiled for: points of one kind differ in traced numbers only, of their source,
        their lattice or their solvers' options."""
        leaves, structure = jax.tree.flatten(self.source)
        shapes = tuple((np.shape(a), np.result_type(a)) for a in leaves)
        static = [(name, SOLVERS[name].static(options)) for name, options in self.solvers.items()]
        solvers = tuple((name, tuple(sorted(options.items()))) for name, options in static)
        return structure, shapes, solvers, self.lattice.sizes, self.block, self.dtype
