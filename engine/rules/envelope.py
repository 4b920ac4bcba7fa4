"""Either-or: of several projects of which one is funded at most, the upper envelope of their returns.

    V(x) = Σ_j R_j(0) + max_j (R_j(x) − R_j(0))

So such a group is a project like any other, and no tables are needed: its best responses to a price are among
those of its members.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from engine.model.curves.base import Curve, Vector, curve_family
from engine.model.portfolio import Portfolio
from engine.rules.ruled import Ruled


@curve_family
class Envelope(Curve):
    """What the best of several projects returns more than without effort; a portfolio for each of them."""

    family: ClassVar[str] = "envelope"
    drawable: ClassVar[bool] = False
    members: tuple[Portfolio, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """(..., groups)."""
        return self.members[0].shape

    @property
    def rising(self) -> bool:  # type: ignore[override]
        """Whether no return ever falls."""
        return all(member.curves.rising for member in self.members)

    def each(self, effort: Vector) -> Float[Array, "members groups"]:
        """What each member returns more than without effort, at no more than its upper limit."""
        return jnp.stack(
            [
                member.returns(jnp.minimum(effort, member.uppers())) - member.returns(jnp.zeros_like(effort))
                for member in self.members
            ]
        )

    def value(self, effort: Vector) -> Vector:
        """The upper envelope."""
        return jnp.max(self.each(effort), axis=0)

    def lift(self, effort: Vector) -> Vector:
        """The same: it is 0 without effort."""
        return self.value(effort)

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        """What more effort brings."""
        return self.value(effort + step) - self.value(effort)

    def maximisers(self, price: Vector) -> Float[Array, "candidates groups"]:
        """Those of every member, within its upper limit, and that limit."""
        found = []
        for member in self.members:
            own = member.curves.maximisers(price / member.stakes())
            most = member.uppers()[None]
            found += [jnp.minimum(own, most), jnp.where(jnp.isfinite(most), most, jnp.minimum(own[:1], most))]
        return jnp.concatenate(found)


@dataclass(frozen=True)
class Enveloped:
    """A portfolio whose projects are groups of which one member is funded at most, or single projects.

    `places`: [groups, members], the project that each member is; a shorter group has its first one again.
    None: each project is one of the portfolio's.
    """

    portfolio: Portfolio
    places: np.ndarray | None

    def spread(self, effort: np.ndarray, projects: int) -> np.ndarray:
        """The effort of each project, of that of each group, [..., groups]."""
        curves, places = self.portfolio.curves, self.places
        assert isinstance(curves, Envelope)
        assert places is not None
        kind = effort.dtype == np.float64
        with jax.enable_x64(kind):
            paid = np.asarray(jax.jit(Envelope.each)(curves, effort))
        winner = np.argmax(paid, axis=0)
        place = places[np.arange(places.shape[0]), winner]
        found = np.zeros((*effort.shape[:-1], projects), effort.dtype)
        np.put_along_axis(found, place, effort, axis=-1)
        return found


def as_curves(ruled: Ruled) -> Enveloped | None:
    """The portfolio whose curves say what the rules do, where they are bounds on effort, nothing or at least
    so much, and either-or."""
    if not ruled.bounded:
        return enveloped(ruled)
    portfolio = ruled.as_portfolio()
    empty = np.any(np.ceil(portfolio.lower) > np.floor(portfolio.upper))  # type: ignore[arg-type]
    return None if empty else Enveloped(portfolio, None)


def enveloped(ruled: Ruled) -> Enveloped | None:
    """The portfolio of envelopes, where either-or is all that its rules say of several projects."""
    portfolio = ruled.portfolio
    plain = portfolio.threshold is None and portfolio.curvature is None and portfolio.startup is None
    apart = not (ruled.needs or ruled.spend_all or ruled.lot is not None or ruled.only is not None)
    apart = apart and ruled.usage is None
    groups = [group for group in ruled.groups if group.binds]
    members = [ruled.members(group) for group in groups]
    single = sum(map(len, members)) == len({project for group in members for project in group})
    either = all(group.one_of for group in groups)
    if not (plain and apart and single and either and members):
        return None
    given = dataclasses.replace(ruled, groups=()).as_portfolio()
    if np.any(np.asarray(given.lower) > 0) or np.any(np.asarray(given.upper) < 0):
        return None
    held = {project for group in members for project in group}
    entries = [*members, *((p,) for p in range(ruled.shape[-1]) if p not in held)]
    longest = max(map(len, entries))
    places = np.array([(*entry, *[entry[0]] * (longest - len(entry))) for entry in entries])
    cost: Any = None
    if given.cost is not None:
        costs = np.asarray(given.cost)[..., places]
        if np.any(costs != costs[..., :1]):
            return None
        cost = costs[..., 0]
    axis = len(given.shape) - 1
    bare = dataclasses.replace(given, cost=None, lower=None, names=())
    curves = Envelope(
        tuple(jax.tree.map(lambda a, j=j: np.take(a, places[:, j], axis=axis), bare) for j in range(longest))
    )
    return Enveloped(Portfolio(curves, cost=cost), places)
