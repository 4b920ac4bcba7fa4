"""Coupled: projects whose effort counts for others too, as work on a platform does.

    maximise  V(x) = Σ_i w_i π_i R_i(f_i(max(y_i − s_i, 0))),   y = A x,   A ≥ 0
    subject to  Σ_j c_j x_j ≤ B,  l_j ≤ x_j ≤ u_j

A_ij is the effort that project i receives per unit spent on project j; costs and bounds are of what is spent.
Effort below is [projects]; batches are `jax.vmap`'s business.

Where every return is concave, so is V, and its mixed second derivatives Σ_k A_ki A_kj r_k''(y_k) are at most
0: V is submodular with diminishing returns (DR-submodular). If returns never fall either, greedy by whole
units of equal cost gains at least 1 − 1/e of what the best plan gains over the lower limits: a plan is a set
of copies of the projects' units, on which V is a monotone submodular function of sets. With an S-shaped
return neither holds.

Sources: Nemhauser, Wolsey & Fisher (1978), An analysis of approximations for maximizing submodular set
functions; Soma & Yoshida (2015), A generalization of submodular cover via the diminishing return property on
the integer lattice; Bian, Mirzasoleiman, Buhmann & Krause (2017), Guaranteed non-convex optimization:
submodular maximization over continuous domains.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_dataclass
from jaxtyping import Array, Float

from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio, project_names
from engine.model.validation import check, normalise, over_batch
from engine.solvers.responses import Scalar

Matrix = Float[Array, "projects projects"]


@register_dataclass
@dataclass(frozen=True)
class Coupled:
    """A portfolio whose effort spills over.

    **Arguments:**

    - `portfolio`: the projects; costs and bounds are of the effort spent on each.
    - `spillover`: [..., projects, projects], numbers of at least 0, most of them 0. Entry (i, j) is the
      effort that project i receives per unit spent on project j. The own share is 1, unless the diagonal has
      another number above 0.
    """

    portfolio: Portfolio
    spillover: Matrix

    @property
    def shape(self) -> tuple[int, ...]:
        """(..., projects)."""
        return np.broadcast_shapes(self.portfolio.shape, np.shape(self.spillover)[:-1])

    @property
    def names(self) -> tuple[str, ...]:
        """The projects' names."""
        return self.portfolio.names

    @property
    def dtype(self) -> np.dtype:
        """The floating dtype of all arrays."""
        return self.portfolio.dtype

    @property
    def concave(self) -> bool:
        """Whether the families alone guarantee that V is concave in real effort."""
        given = self.portfolio
        return given.curves.concave and given.startup is None and given.threshold is None

    def shares(self) -> Matrix:
        """A: what each project receives per unit spent on each, its own share included."""
        own = jnp.eye(self.spillover.shape[-1], dtype=bool) & (self.spillover == 0)
        return jnp.where(own, 1.0, self.spillover)

    def received(self, effort: Vector) -> Vector:
        """y = A x."""
        return jnp.sum(self.shares() * effort[None], axis=-1)

    def returns(self, effort: Vector) -> Vector:
        """w_i π_i R_i(f_i(y_i)), per project."""
        return self.portfolio.returns(self.received(effort))

    def value(self, effort: Vector) -> Scalar:
        """V(x)."""
        return jnp.sum(self.returns(effort), axis=-1)

    def own_slope(self, effort: Vector) -> Vector:
        """What a unit more received would return, per project that receives it."""
        return self.portfolio.slope(self.received(effort))

    def slope(self, effort: Vector) -> Vector:
        """dV/dx_j = Σ_i A_ij r_i'(y_i), right derivatives, per project that effort is spent on."""
        return worth(self.shares(), self.own_slope(effort))

    def gain(self, effort: Vector) -> Vector:
        """V(x + e_j) − V(x), what one unit more on each project returns, without cancellation."""
        received, shares = self.received(effort), self.shares()
        return jax.vmap(lambda step: jnp.sum(self.portfolio.gain(received, step)))(shares.T)


def worth(shares: Matrix, prices: Vector) -> Vector:
    """Aᵀp: what a unit spent on each project is worth, at a price of each unit received; prices may be
    infinite."""
    return jnp.sum(jnp.where(shares > 0, shares * prices[:, None], 0.0), axis=0)


def submodular(coupled: Coupled) -> bool:
    """Whether the families alone guarantee that V never falls and has diminishing returns along every project
    (DR-submodular), so that greedy's guarantee holds where costs are equal."""
    return coupled.concave and coupled.portfolio.curves.rising


def normalise_coupled(given: Coupled, dtype: np.dtype | None = None) -> Coupled:
    """Host arrays of one floating dtype, broadcast to (..., projects) and (..., projects, projects).

    **Raises:** `ValueError` naming what cannot be.
    """
    portfolio = normalise(given.portfolio, dtype)
    check(portfolio)
    projects = portfolio.shape[-1]
    spillover = np.asarray(given.spillover)
    if spillover.dtype.kind not in "fiu" or spillover.shape[-2:] != (projects, projects):
        raise ValueError(
            f"spillover is {spillover.dtype} of shape {spillover.shape}, "
            f"expected numbers of shape (..., {projects}, {projects})"
        )
    check_entries(spillover, project_names(portfolio))
    names, costs = project_names(portfolio), portfolio.cost
    if costs is not None and np.any(costs == 0):
        name = names[np.argwhere(costs == 0)[0][-1]]
        raise ValueError(f"{name}: cost is 0, expected a number above 0 where effort spills over")
    try:
        batch = np.broadcast_shapes(portfolio.shape[:-1], spillover.shape[:-2])
    except ValueError:
        raise ValueError(
            f"spillover has shape {spillover.shape}, expected leading axes that fit {portfolio.shape[:-1]}"
        ) from None

    matrix = np.broadcast_to(spillover.astype(portfolio.dtype), (*batch, projects, projects))
    spread_out = over_batch(portfolio, batch)
    return Coupled(spread_out, matrix)  # type: ignore[arg-type]


def check_entries(spillover: np.ndarray, names: tuple[str, ...]) -> None:
    """Raise `ValueError` naming the projects between which an entry cannot be."""
    bad = ~(np.isfinite(spillover) & (spillover >= 0))
    if np.any(bad):
        where = tuple(np.argwhere(bad)[0])
        to, source = names[where[-2]], names[where[-1]]
        raise ValueError(
            f"spillover from {source} to {to} is {spillover[where]:g}, expected a finite number of at least 0"
        )
