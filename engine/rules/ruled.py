"""Ruled: a portfolio, and the rules that an allocation of it has to keep.

Rules of one project say which efforts it may have: nothing or at least `minimum`, multiples of a `lot`,
`only` some levels, none or some at all (`fund`), and what it has `now`, give or take a share. Rules of
several are groups, within which spending and the number of funded projects are bounded, and needs: a project
that is funded only if another is, or only once that one has got so far. A project is **funded** if it has
effort.

Sources: Ibaraki & Katoh (1988), Resource Allocation Problems, chapters 9 (nested constraints) and 10;
Kellerer, Pferschy & Pisinger (2004), Knapsack Problems, sections 11 and 15.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import jax
import numpy as np
from jax.tree_util import register_dataclass
from jaxtyping import Array, Float, Int

from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio, project_names
from engine.model.validation import check, normalise
from engine.rules.begun import Begun
from engine.solvers.rounding import COUNTED

Number = Float[Array, ""]


class Fund(IntEnum):
    """Whether a project is funded: as it pays, in any case, in no case, or as it is now."""

    MAY = 0
    MUST = 1
    NEVER = 2
    KEEP = 3


@register_dataclass
@dataclass(frozen=True)
class Group:
    """Projects, or groups of them, with bounds on what they spend and on how many of them are funded.

    - `least`, `most`: of their spending, in units of budget; `least_share`, `most_share`: in shares of the
      budget. None: no such bound.
    - `minimum`: what they spend at least if they spend anything.
    - `counts`: how many projects may be funded, in ascending order; None: any number.
    """

    name: str = dataclasses.field(metadata={"static": True})
    members: tuple[str, ...] = dataclasses.field(metadata={"static": True})
    least: Number | None = None
    most: Number | None = None
    least_share: Number | None = None
    most_share: Number | None = None
    minimum: Number | None = None
    counts: tuple[int, ...] | None = dataclasses.field(default=None, metadata={"static": True})

    @property
    def binds(self) -> bool:
        """Whether it says anything, or is but a name for its members."""
        return self.spends or self.counts is not None

    @property
    def one_of(self) -> bool:
        """Whether all it says is that one of its members is funded at most."""
        return self.counts == (0, 1) and not self.spends

    @property
    def spends(self) -> bool:
        """Whether it bounds spending."""
        return any(getattr(self, name) is not None for name in SPENDING)


# The bounds on what a group spends, and the numbers that bound nothing.
FREE = {"least": 0.0, "most": np.inf, "least_share": 0.0, "most_share": 1.0, "minimum": 0.0}
SPENDING = tuple(FREE)


@register_dataclass
@dataclass(frozen=True)
class Need:
    """`project` is funded only if `needs` has at least `past` effort; None: if it is funded."""

    project: str = dataclasses.field(metadata={"static": True})
    needs: str = dataclasses.field(metadata={"static": True})
    past: Number | None = None


# The rules of single projects: the array's name, and what such a rule is called.
OWN = ("minimum", "lot", "only", "fund", "within")


@register_dataclass
@dataclass(frozen=True)
class Ruled:
    """A portfolio and its rules; leading axes are those of a batch.

    **Arguments:** arrays [..., projects], of which NaN means that there is no such rule

    - `minimum`: the least effort of a project that is funded.
    - `lot`: effort comes in whole multiples of it.
    - `only`: the only efforts there may be, [..., projects, efforts].
    - `fund`: whether it is funded, a number of `Fund`.
    - `now`: effort today; `within`: the share of it by which effort may differ.
    - `groups`, `needs`: see `Group`, `Need`.
    - `spend_all`: whether all of the budget is spent.
    - `usage`, `resources`: what a unit of effort uses of several resources, [..., resources, projects], and
      their names, as of an `engine.Resourced`; rules of spending are then of none.
    """

    portfolio: Portfolio
    minimum: Vector | None = None
    lot: Vector | None = None
    only: Float[Array, "projects efforts"] | None = None
    fund: Int[Array, " projects"] | None = None
    now: Vector | None = None
    within: Vector | None = None
    groups: tuple[Group, ...] = ()
    needs: tuple[Need, ...] = ()
    spend_all: bool = dataclasses.field(default=False, metadata={"static": True})
    usage: Float[Array, "resources projects"] | None = None
    resources: tuple[str, ...] = dataclasses.field(default=(), metadata={"static": True})

    @property
    def shape(self) -> tuple[int, ...]:
        """(..., projects)."""
        return self.portfolio.shape

    @property
    def dtype(self) -> np.dtype:
        """The floating dtype of all arrays."""
        return self.portfolio.dtype

    @property
    def names(self) -> tuple[str, ...]:
        """The projects' names; none if they have none."""
        return self.portfolio.names

    @property
    def labels(self) -> tuple[str, ...]:
        """The projects' names, or their numbers."""
        return project_names(self.portfolio)

    @property
    def composes(self) -> bool:
        """Whether some rule is of several projects, or of all spending."""
        return any(g.binds for g in self.groups) or bool(self.needs) or self.spend_all

    @property
    def bounded(self) -> bool:
        """Whether its rules are bounds on effort, and nothing or at least so much."""
        shapes = self.lot is None and self.only is None and self.portfolio.startup is None
        shapes = shapes and self.usage is None
        return shapes and not self.composes

    def as_portfolio(self) -> Portfolio:
        """The portfolio, normalised, whose bounds and curves are these rules; see `bounded` and `Begun`."""
        portfolio, shape = self.portfolio, self.shape
        lower: Any = np.zeros(shape) if portfolio.lower is None else np.array(portfolio.lower)
        upper: Any = np.full(shape, np.inf) if portfolio.upper is None else np.array(portfolio.upper)
        if self.within is not None and self.now is not None:
            reach = np.nan_to_num(self.within * self.now, nan=np.inf)
            lower = np.maximum(lower, np.nan_to_num(self.now) - reach)
            upper = np.minimum(upper, np.nan_to_num(self.now) + reach)
        if self.fund is not None:
            now = np.nan_to_num(0.0 if self.now is None else self.now)
            lower = np.where(self.fund == Fund.MUST, np.maximum(lower, 1.0), lower)
            upper = np.where(self.fund == Fund.NEVER, 0.0, upper)
            keeps = self.fund == Fund.KEEP
            lower, upper = (np.where(keeps, now, bound) for bound in (lower, upper))
        # What users wrote as decimals: 70 % of 10 is 7.
        lower, upper = lower * (1.0 - COUNTED), upper * (1.0 + COUNTED)
        if self.minimum is None:
            return dataclasses.replace(portfolio, lower=lower, upper=upper)
        least: Any = np.nan_to_num(self.minimum)
        lower = np.where(lower > 0, np.maximum(lower, least), lower)
        curves = Begun(portfolio.curves, least)
        return dataclasses.replace(portfolio, curves=curves, lower=lower, upper=upper)

    def rules(self) -> Iterator[tuple[str, Ruled]]:
        """Each rule by name, and what is left without it; of a portfolio's own bounds see the portfolio."""
        for key in OWN:
            given = getattr(self, key)
            for project in [] if given is None else np.flatnonzero(_holds(key, given)).tolist():
                yield f"{self.labels[project]} {_word(key, given, project)}", self._freed(key, project)
        for place, group in enumerate(self.groups):
            for key in (*SPENDING, "counts"):
                if getattr(group, key) is not None:
                    what = "how many" if key == "counts" else key.replace("_", " ")
                    name = group.name if group.one_of else f"{group.name} {what}"
                    yield name, self.with_group(place, **{key: FREE.get(key)})
        for place, need in enumerate(self.needs):
            rest_of_needs = (*self.needs[:place], *self.needs[place + 1 :])
            yield f"{need.project} needs {need.needs}", dataclasses.replace(self, needs=rest_of_needs)
        if self.spend_all:
            yield "spend all", dataclasses.replace(self, spend_all=False)

    def with_group(self, place: int, **changes: Any) -> Ruled:
        """With one group changed; numbers that change nothing else keep compiled code as it is."""
        changed: dict[str, Any] = {
            key: number if key == "counts" or number is None else np.full(self.shape[:-1], number, self.dtype)
            for key, number in changes.items()
        }
        group = dataclasses.replace(self.groups[place], **changed)
        return dataclasses.replace(self, groups=(*self.groups[:place], group, *self.groups[place + 1 :]))

    def _freed(self, key: str, project: int) -> Ruled:
        """Without one rule of one project."""
        array: Any = np.array(getattr(self, key))
        at = (..., project, slice(None)) if key == "only" else (..., project)
        array[at] = Fund.MAY if key == "fund" else np.nan
        return dataclasses.replace(self, **{key: array})

    def members(self, group: Group) -> tuple[int, ...]:
        """The places of a group's projects, those of its groups included.

        **Raises:** `ValueError` for a member that there is not, and for groups that hold themselves.
        """
        return tuple(sorted(self._members(group, ())))

    def _members(self, group: Group, above: tuple[str, ...]) -> set[int]:
        groups, names = {g.name: g for g in self.groups}, self.labels
        found: set[int] = set()
        for member in group.members:
            if member in groups and member != group.name:
                if member in above:
                    raise ValueError(f"group {group.name} holds itself through {member}, expected a tree")
                found |= self._members(groups[member], (*above, group.name))
            elif member in names:
                found.add(names.index(member))
            else:
                raise ValueError(f"group {group.name} has a member {member!r}, expected a project or a group")
        return found


def _holds(key: str, given: Any) -> np.ndarray:
    """Which projects have a rule, in any portfolio of a batch."""
    given = np.asarray(given)
    there = given != Fund.MAY if key == "fund" else ~np.isnan(given)
    if key == "only":
        there = there.any(axis=-1)
    return there.reshape(-1, there.shape[-1]).any(axis=0)


def _word(key: str, given: Any, project: int) -> str:
    """What a rule of one project is called."""
    if key == "fund":
        kinds = np.asarray(given)[..., project]
        return {1: "must be funded", 2: "must not be funded", 3: "keeps what it has"}.get(
            int(kinds.max()), key
        )
    return {"only": "levels", "within": "within a share of now"}.get(key, key)


def normalise_ruled(given: Ruled, dtype: np.dtype | None = None) -> Ruled:
    """The same with checked arrays of one dtype, [..., projects].

    **Raises:** `ValueError` in one line for what cannot be.
    """
    portfolio = normalise(given.portfolio, dtype)
    check(portfolio)
    kind, shape = portfolio.dtype, portfolio.shape
    parts: dict[str, Any] = {"portfolio": portfolio}
    for key in ("minimum", "lot", "now", "within"):
        value = getattr(given, key)
        if value is not None:
            parts[key] = np.broadcast_to(np.asarray(value, kind), shape)
            _refuse(parts[key] < 0, key, parts[key], "a number of at least 0", given.labels)
    if parts.get("lot") is not None:
        lot = parts["lot"]
        _refuse((lot <= 0) | (lot != np.round(lot)) & ~np.isnan(lot), "lot", lot, "whole units", given.labels)
    if given.only is not None:
        only = np.asarray(given.only, kind)
        parts["only"] = np.broadcast_to(only, (*shape, only.shape[-1]))
    if given.fund is not None:
        fund = np.broadcast_to(np.asarray(given.fund, np.int32), shape)
        _refuse((fund < 0) | (fund > 3), "fund", fund, "may, must, never or keep", given.labels)
        parts["fund"] = fund
    now = parts.get("now", np.full(shape, np.nan))
    for key, asks in (("within", ~np.isnan(parts.get("within", now * np.nan))), ("fund", _keeps(parts))):
        bad = asks & np.isnan(now)
        if bad.any():
            name = given.labels[np.flatnonzero(bad.reshape(-1, shape[-1]).any(axis=0))[0]]
            raise ValueError(f"{name}: has {key} without now, expected what it has now")
    if given.usage is not None:
        usage: Any = np.asarray(given.usage, kind)
        parts["usage"] = np.broadcast_to(usage, (*shape[:-1], *usage.shape[-2:]))
    checked = dataclasses.replace(given, **parts)
    _check_groups(checked)
    batch = shape[:-1]
    spread = jax.tree.map(
        lambda a: np.broadcast_to(np.asarray(a, kind), batch), (checked.groups, checked.needs)
    )
    return dataclasses.replace(checked, groups=spread[0], needs=spread[1])


def _keeps(parts: dict[str, Any]) -> np.ndarray:
    fund = parts.get("fund")
    return np.zeros(parts["portfolio"].shape, bool) if fund is None else fund == Fund.KEEP


def _refuse(bad: np.ndarray, key: str, values: np.ndarray, expected: str, names: tuple[str, ...]) -> None:
    """Raise `ValueError` naming the first project of which a rule cannot be."""
    if bad.any():
        place = tuple(np.argwhere(bad)[0])
        raise ValueError(f"{names[place[-1]]}: {key} is {values[place]:g}, expected {expected}")


def _check_groups(given: Ruled) -> None:
    names = [group.name for group in given.groups]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"group {name} occurs twice, expected names that differ")
        if name in given.labels:
            raise ValueError(f"group {name} has the name of a project, expected another")
    if given.usage is not None and (given.spend_all or any(group.spends for group in given.groups)):
        raise ValueError(
            "a group bounds spending, or all is spent, where there are several resources: expected rules of "
            "how many are funded, either-or and needs only"
        )
    for group in given.groups:
        if not group.members:
            raise ValueError(f"group {group.name} has no members, expected at least one project")
        given.members(group)
        for key in SPENDING:
            number = getattr(group, key)
            if number is not None and not np.all(np.asarray(number) >= 0):
                raise ValueError(f"group {group.name}: {key} is {number}, expected a number of at least 0")
    for need in given.needs:
        for name in (need.project, need.needs):
            if name not in given.labels:
                raise ValueError(f"{need.project} needs {need.needs}: {name!r} is no project")
        if need.project == need.needs:
            raise ValueError(f"{need.project} needs itself, expected another project")
