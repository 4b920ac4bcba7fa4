"""Approaches: projects tried in several ways at once, each of which may fail; the best that succeeds counts.

    V(x) = Σ_i E[ the largest v_ia(x_ia) of the approaches a of project i that succeed, 0 if none does ]

with v = w R(f(x)) and success of each approach by itself with probability π. A project's approaches share
its unit cost, and compete for the same budget. What is solved, and why the answer is proved, is said in
`engine.bets.best_of`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_dataclass
from jaxtyping import Array, Float

from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio, numbered
from engine.model.validation import check, normalise

# Sets of approaches double with each.
MOST_APPROACHES = 6


@register_dataclass
@dataclass(frozen=True)
class Approaches:
    """Projects with several approaches each, of which the best that succeeds counts.

    **Arguments:**

    - `ways`: a portfolio of arrays [..., projects, approaches]: curves, weights, success, start-up costs,
      upper limits and utilities, without costs and lower limits. At most 6 approaches a project.
    - `cost`: budget per unit of effort, [..., projects], the same for all approaches of a project.
    - `names`: the projects' names; `labels`: for each project its approaches' names. Where a project has
      fewer than others, `ways` is padded: what stands behind its last label is left out of account.
    """

    ways: Portfolio
    cost: Vector | None = None
    names: tuple[str, ...] = dataclasses.field(default=(), metadata={"static": True})
    labels: tuple[tuple[str, ...], ...] = dataclasses.field(default=(), metadata={"static": True})

    @classmethod
    def of(cls, portfolio: Portfolio, projects: Sequence[str], approaches: Sequence[str]) -> Approaches:
        """From a portfolio of all approaches one after the other, arrays [..., entries], and what project
        each is of and what it is called.

        **Raises:** `ValueError` where approaches of one project cost differently, or share a name.
        """
        flat = normalise(dataclasses.replace(portfolio, names=()))
        if not len(projects) == len(approaches) == flat.shape[-1]:
            saw = f"{len(projects)} projects and {len(approaches)} approaches"
            raise ValueError(f"{flat.shape[-1]} entries have {saw}, expected one of each an entry")
        entries: dict[str, list[int]] = {}
        for entry, project in enumerate(projects):
            entries.setdefault(project, []).append(entry)
        labels = tuple(tuple(approaches[e] for e in own) for own in entries.values())
        longest = max(map(len, labels))
        index = np.array([own + own[:1] * (longest - len(own)) for own in entries.values()])
        parts = _picked(flat, len(flat.shape) - 1, index)
        cost = None if parts.cost is None else _common_cost(parts.cost, tuple(entries), labels)
        ways = dataclasses.replace(parts, cost=None)
        return normalise_approaches(cls(ways, cost, tuple(entries), labels))

    @property
    def shape(self) -> tuple[int, ...]:
        """(..., projects)."""
        return self.ways.shape[:-1]

    @property
    def count(self) -> int:
        """A, the most approaches that a project has."""
        return self.ways.shape[-1]

    @property
    def dtype(self) -> np.dtype:
        """The floating dtype of all arrays."""
        return self.ways.dtype

    @property
    def places(self) -> tuple[tuple[str, ...], ...]:
        """(project, approach) of every approach that is no padding, (project,) of one without a name."""
        names = self.names or numbered(self.shape[-1])
        labels = self.labels or (tuple(f"approach {a}" for a in range(self.count)),) * len(names)
        return tuple(
            (name, label) if label else (name,)
            for name, own in zip(names, labels, strict=True)
            for label in own
        )

    @property
    def real(self) -> np.ndarray:
        """Which of the ways are approaches rather than padding: [projects, approaches]."""
        counts = [len(own) for own in self.labels] if self.labels else [self.count] * self.shape[-1]
        return np.arange(self.count) < np.array(counts)[:, None]

    def entries(self) -> Portfolio:
        """The approaches one after the other, arrays [..., entries] in the order of `places`, with costs."""
        cost: Any = None if self.cost is None else np.broadcast_to(self.cost[..., None], self.ways.shape)
        whole = normalise(dataclasses.replace(self.ways, cost=cost))
        flat = _picked(whole, len(self.shape) - 1, *np.nonzero(self.real))
        return dataclasses.replace(flat, names=tuple("/".join(place) for place in self.places))

    def success(self) -> Vector:
        """π, ones where absent."""
        given = self.ways.success
        return jnp.ones(self.ways.shape, self.dtype) if given is None else given

    def costs(self) -> Vector:
        """c, ones where absent."""
        return jnp.ones(self.shape, self.dtype) if self.cost is None else self.cost

    def tables(self, units: int) -> Float[Array, "projects approaches levels"]:
        """What each approach of one bet returns if it succeeds, at 0, 1, …, `units` whole units; −∞ above its
        upper limit."""
        certain = dataclasses.replace(self.ways, success=None)
        return jax.vmap(lambda project: project.table(units))(certain)

    def most_units(self) -> Float[np.ndarray, "... projects"]:
        """The most whole units that each project can take."""
        if self.ways.upper is None:
            return np.full(self.shape, np.inf)
        return np.sum(np.floor(np.asarray(self.ways.upper)), axis=-1)


def _picked(portfolio: Portfolio, batch: int, *index: np.ndarray) -> Portfolio:
    """What stands at these places behind so many leading axes."""
    at: Any = (*[slice(None)] * batch, *index)
    return jax.tree.map(lambda a: np.asarray(a)[at], portfolio)


def _common_cost(cost: Any, names: tuple[str, ...], labels: tuple[tuple[str, ...], ...]) -> Any:
    """The cost of each project, that of all its approaches."""
    differs = np.argwhere(cost != cost[..., :1])
    if differs.size:
        *batch, project, approach = map(int, differs[0])
        own, first = (cost[(*batch, project, a)] for a in (approach, 0))
        raise ValueError(
            f"{'/'.join(filter(None, (names[project], labels[project][approach])))}: cost is {own:g}, "
            f"expected {first:g}, the same for all approaches of a project"
        )
    return cost[..., 0]


def normalise_approaches(given: Approaches) -> Approaches:
    """Host arrays of float64, in which proofs are: the ways [..., projects, approaches], padded by some that
    never succeed, and the cost [..., projects].

    **Raises:** `ValueError` naming the project, the approach and what of it cannot be.
    """
    ways = _own_parts(given.ways)
    if len(ways.shape) < 2:
        raise ValueError(f"the ways have shape {ways.shape}, expected (projects, approaches)")
    *batch, projects, count = ways.shape
    if given.names and len(given.names) != projects:
        raise ValueError(f"the approaches are of {projects} projects with {len(given.names)} names")
    found = dataclasses.replace(given, ways=ways, cost=None)
    _check_labels(found, projects, count)
    if count > MOST_APPROACHES:
        most = int(np.argmax(np.sum(found.real, axis=-1)))
        name = given.names[most] if given.names else f"project {most}"
        raise ValueError(f"{name}: has {count} approaches, expected at most {MOST_APPROACHES}")
    found = dataclasses.replace(found, ways=_padded(ways, found.real))
    if given.cost is not None:
        try:
            cost: Any = np.broadcast_to(np.asarray(given.cost, ways.dtype), (*batch, projects))
        except (TypeError, ValueError):
            saw = np.shape(given.cost)
            raise ValueError(f"cost has shape {saw}, expected one number a project, {projects}") from None
        found = dataclasses.replace(found, cost=cost)
    _check_costs(found)
    check(found.entries())
    _check_lower(found, given.ways.lower)
    return found


def _own_parts(ways: Any) -> Portfolio:
    """What is an approach's own, in float64."""
    if not isinstance(ways, Portfolio):
        raise ValueError(f"the ways are {type(ways).__name__}, expected a Portfolio")
    if ways.cost is not None:
        raise ValueError("the ways have cost of their own, expected it beside them, one number a project")
    return normalise(dataclasses.replace(ways, lower=None, names=()), np.dtype(np.float64))


def _check_labels(given: Approaches, projects: int, count: int) -> None:
    """Labels are of every project, at most as many as ways, and differ within a project."""
    if not given.labels:
        return
    if len(given.labels) != projects:
        raise ValueError(f"labels are of {len(given.labels)} projects, expected {projects}")
    for project, own in enumerate(given.labels):
        name = given.names[project] if given.names else f"project {project}"
        if not 0 < len(own) <= count:
            raise ValueError(f"{name}: has {len(own)} labels, expected from 1 to {count}, its approaches")
        for label in own:
            if own.count(label) > 1:
                raise ValueError(f"{name}: approach {label} occurs twice, expected names that differ")


def _padded(ways: Portfolio, real: np.ndarray) -> Portfolio:
    """Padding never succeeds and takes no effort."""
    if real.all():
        return ways
    success = np.ones(ways.shape) if ways.success is None else ways.success
    upper = np.full(ways.shape, np.inf) if ways.upper is None else ways.upper
    parts: dict[str, Any] = {"success": np.where(real, success, 0.0), "upper": np.where(real, upper, 0.0)}
    return dataclasses.replace(ways, **parts)


def _check_costs(given: Approaches) -> None:
    """A unit costs something."""
    cost = np.ones(given.shape) if given.cost is None else np.asarray(given.cost)
    bad = np.argwhere(~((cost > 0) & np.isfinite(cost)))
    if bad.size:
        project = int(bad[0][-1])
        name = given.names[project] if given.names else f"project {project}"
        raise ValueError(f"{name}: cost is {cost[tuple(bad[0])]:g}, expected a number above 0")


def _check_lower(given: Approaches, lower: Any) -> None:
    """There are no lower limits but 0."""
    if lower is None:
        return
    bounds = np.broadcast_to(np.asarray(lower, float), given.ways.shape)[..., given.real]
    bad = np.argwhere(bounds != 0)
    if bad.size:
        place = "/".join(given.places[int(bad[0][-1])])
        raise ValueError(
            f"{place}: lower is {bounds[tuple(bad[0])]:g}, expected none: approaches have no lower limits"
        )
