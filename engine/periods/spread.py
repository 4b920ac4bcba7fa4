"""Spread: effort over several periods, part of which carries over from each into the next.

    maximise  V(x) = Σ_t δ^(t−1) Σ_i w_i π_i R_i(f_i(s_it)),   s_it = x_it + ρ_i s_i,t−1,   t = 1 … T
    subject to  Σ_i c_i x_it ≤ B_t in each period, or Σ_it c_i x_it ≤ B over all,  l_i ≤ x_it ≤ u_i

Effort x_it is what is spent, effective effort s_it what counts: ρ_i of what counted in a period still does in
the next (geometric adstock of advertising; of other work, depreciation of what it built at the rate 1 − ρ_i).
s_i0 is what is carried into the first period, which is not discounted. Written out, s = A x + a with

    A_i[t, τ] = ρ_i^(t − τ) for τ ≤ t,   a_it = ρ_i^t s_i0,

so V is concave where the returns are. Arrays below are [periods, projects]; batches are `jax.vmap`'s
business.

Sources: Broadbent (1979), One way TV advertisements work; Jin, Wang, Sun, Chan & Koehler (2017), Bayesian
methods for media mix modeling with carryover and shape effects (Google).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_dataclass
from jaxtyping import Array, Float

from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio, project_names
from engine.model.validation import check, normalise, over_batch
from engine.solvers.responses import Scalar

Efforts = Float[Array, "periods projects"]


@register_dataclass
@dataclass(frozen=True)
class Spread:
    """A portfolio whose effort counts for later periods too.

    **Arguments:**

    - `portfolio`: the projects; costs and bounds are of the effort spent on each in every period, curves,
      start-up costs and thresholds of the effort that counts.
    - `carry`: [..., projects], from 0 to below 1: the share of the effective effort of a period that counts
      in the next.
    - `carried`: [..., projects], at least 0: effective effort before the first period; none without it.
    - `discount`: [...], above 0 and at most 1: what a return is worth that comes a period later.
    """

    portfolio: Portfolio
    carry: Vector
    carried: Vector | None = None
    discount: Any = 1.0

    @property
    def shape(self) -> tuple[int, ...]:
        """(..., projects)."""
        return np.broadcast_shapes(self.portfolio.shape, np.shape(self.carry))

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
        """Whether the families alone guarantee that V is concave."""
        given = self.portfolio
        return given.curves.concave and given.startup is None and given.threshold is None

    # What a solver asks of one normalised spread.

    def lags(self, periods: int) -> Float[Array, "projects periods periods"]:
        """A: what a unit of effort on each project in period τ counts for in period t."""
        lag = np.subtract.outer(np.arange(periods), np.arange(periods))
        kept = self.carry[:, None, None] ** jnp.asarray(np.maximum(lag, 0)[None], self.dtype)
        return jnp.where((lag >= 0)[None], kept, 0.0)

    def start(self, periods: int) -> Efforts:
        """a: what counts in each period of the effort before the first one."""
        carried = jnp.zeros_like(self.carry) if self.carried is None else self.carried
        return self.carry[None] ** jnp.arange(1, periods + 1, dtype=self.dtype)[:, None] * carried[None]

    def worths(self, periods: int) -> Float[Array, " periods"]:
        """δ^(t−1): what a return in each period is worth."""
        return jnp.asarray(self.discount, self.dtype) ** jnp.arange(periods, dtype=self.dtype)

    def effective(self, effort: Efforts) -> Efforts:
        """s = A x + a."""
        periods = effort.shape[0]
        return forward(self.lags(periods), effort) + self.start(periods)

    def returns(self, effort: Efforts) -> Efforts:
        """w_i π_i R_i(f_i(s_it)), not discounted."""
        return jax.vmap(self.portfolio.returns)(self.effective(effort))

    def value(self, effort: Efforts) -> Scalar:
        """V(x)."""
        return jnp.sum(self.worths(effort.shape[0])[:, None] * self.returns(effort))

    def own_slope(self, effort: Efforts) -> Efforts:
        """What a unit more that counts would return, discounted; right derivatives."""
        worths = self.worths(effort.shape[0])[:, None]
        return worths * jax.vmap(self.portfolio.slope)(self.effective(effort))

    def slope(self, effort: Efforts) -> Efforts:
        """dV/dx_iτ = Σ_t δ^(t−1) A_i[t, τ] r_i'(s_it)."""
        return backward(self.lags(effort.shape[0]), self.own_slope(effort))


def forward(lags: Float[Array, "projects periods periods"], effort: Efforts) -> Efforts:
    """A x."""
    return jnp.einsum("nts,sn->tn", lags, effort)


def backward(lags: Float[Array, "projects periods periods"], prices: Efforts) -> Efforts:
    """Aᵀp: what a unit spent is worth, at a price of each unit that counts; prices may be infinite."""
    worth = jnp.where(lags > 0, lags * prices.T[:, :, None], 0.0)
    return jnp.sum(worth, axis=1).T


def normalise_spread(given: Spread, dtype: np.dtype | None = None) -> Spread:
    """Host arrays of one floating dtype, broadcast to the same leading axes.

    **Raises:** `ValueError` naming what cannot be.
    """
    portfolio = normalise(given.portfolio, dtype)
    check(portfolio)
    names = project_names(portfolio)
    if portfolio.cost is not None and np.any(portfolio.cost == 0):
        name = names[np.argwhere(portfolio.cost == 0)[0][-1]]
        raise ValueError(f"{name}: cost is 0, expected a number above 0 where effort carries over")
    projects = portfolio.shape[-1]
    carry = of_projects("carry", given.carry, projects)
    carried = of_projects("carried", 0.0 if given.carried is None else given.carried, projects)
    discount = numbers("discount", given.discount)
    refuse(~((carry >= 0) & (carry < 1)), carry, "carry", names, "a number from 0 to below 1")
    refuse(~(np.isfinite(carried) & (carried >= 0)), carried, "carried", names, "a number of at least 0")
    if not np.all((discount > 0) & (discount <= 1)):
        raise ValueError(f"discount is {discount.min():g}, expected a number above 0 and at most 1")
    parts = [portfolio.shape[:-1], carry.shape[:-1], carried.shape[:-1], discount.shape]
    try:
        batch = np.broadcast_shapes(*parts)
    except ValueError:
        raise ValueError(
            f"carry, carried and discount have leading axes {parts[1]}, {parts[2]} and {parts[3]}, "
            f"expected ones that fit {parts[0]}"
        ) from None

    spread_out = over_batch(portfolio, batch)
    kind = portfolio.dtype
    return Spread(
        spread_out,
        np.broadcast_to(carry.astype(kind), (*batch, projects)),  # type: ignore[arg-type]
        np.broadcast_to(carried.astype(kind), (*batch, projects)),  # type: ignore[arg-type]
        np.broadcast_to(discount.astype(kind), batch),
    )


def numbers(what: str, given: Any) -> np.ndarray:
    """An array of numbers, or a `ValueError`."""
    array = np.asarray(given)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{what} is {given!r}, expected numbers")
    return array.astype(float) if array.dtype.kind in "iu" else array


def of_projects(what: str, given: Any, projects: int) -> np.ndarray:
    """An array [..., projects] of numbers, or a `ValueError`; one number is for all projects."""
    array = numbers(what, given)
    array = np.broadcast_to(array, (projects,)) if array.ndim == 0 else array
    if array.shape[-1] != projects:
        raise ValueError(f"{what} has shape {array.shape}, expected (..., {projects})")
    return array


def refuse(bad: np.ndarray, values: np.ndarray, what: str, names: tuple[str, ...], expected: str) -> None:
    """Raise `ValueError` naming the first project whose number is bad."""
    if np.any(bad):
        where = tuple(np.argwhere(bad)[0])
        raise ValueError(f"{names[where[-1]]}: {what} is {values[where]:g}, expected {expected}")
