"""Growth: how a study goes on as a larger one, and what is refused because it would be another.

More portfolios a point, a further value on an axis and a further solver leave what is there as it is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from engine.simulation.methods import reference
from engine.solvers.registry import OLD_NAMES
from engine.study.grid import Axis
from engine.study.manifest import Manifest, StoreError, canonical, fixed

NOTHING = "nothing"


def grow(there: Manifest, given: Manifest) -> Manifest:
    """What is there, grown to what is given.

    Further solvers are a group of their own, which takes the optima from the blocks that hold them. The
    reference itself changes what all others are measured by: with it everything is computed anew.

    **Raises:** `StoreError` naming the first key by which the two are different studies.
    """
    given = _in_its_words(given, there)
    if given.own_blocks:  # it may have begun on another device
        given = given.in_blocks_of(there.block)
    found = _difference(there, given)
    if found:
        key, old, new = found
        raise StoreError(f"holds a study of {key}={old}, got {key}={new}: expected the same")
    new_solvers = tuple(name for name in given.solvers if name not in there.solvers)
    if reference(given.solvers) in new_solvers:
        groups: tuple[tuple[str, ...], ...] = (tuple(given.solvers),)
    else:
        groups = (*there.groups, new_solvers) if new_solvers else there.groups
    began = {name: getattr(there, name) for name in ("versions", "device", "cores")}
    question = given.question or there.question
    return dataclasses.replace(given, groups=groups, question=question, **began)


def _in_its_words(given: Manifest, there: Manifest) -> Manifest:
    """The same study with solvers called as where it began: what names its blocks goes on doing so."""
    began = {now: old for old, now in OLD_NAMES.items() if old in there.solvers}
    if not began:
        return given

    def called(config: dict[str, Any]) -> dict[str, Any]:
        return {**config, "solver": {began.get(n, n): options for n, options in config["solver"].items()}}

    choices = {name: called(config) for name, config in given.choices.items()}
    groups = tuple(tuple(began.get(name, name) for name in group) for group in given.groups)
    return dataclasses.replace(given, config=called(given.config), choices=choices, groups=groups)


Difference = tuple[str, str, str] | None


def _difference(there: Manifest, given: Manifest) -> Difference:
    """(key, what is there, what is given) of the first setting that makes them different studies."""
    if there.command != given.command:
        return "command", there.command, given.command
    found = (
        first_difference(fixed(there.config), fixed(given.config))
        or _kept(there.solvers, given.solvers, "solver")
        or _axes_difference(there, given)
        or first_difference({"run.records": there.records}, {"run.records": given.records})
        or _kept(there.inputs, given.inputs, "file")
        or _kept(
            {name: fixed(config) for name, config in there.choices.items()},
            {name: fixed(config) for name, config in given.choices.items()},
            "scenario",
        )
    )
    if found is None and given.portfolios < there.portfolios:
        return "run.portfolios", str(there.portfolios), str(given.portfolios)
    return found


def _kept(there: Mapping[str, Any], given: Mapping[str, Any], where: str) -> Difference:
    """Whether all that is there is given; what is given besides is no difference."""
    return first_difference(dict(there), {name: given.get(name, NOTHING) for name in there}, where)


def _axes_difference(there: Manifest, given: Manifest) -> Difference:
    """Axes may gain values, and no more."""
    keys = [[list(axis.keys) for axis in one.grid.axes] for one in (there, given)]
    if keys[0] != keys[1]:
        one, other = (", ".join("+".join(axis) for axis in side) or NOTHING for side in keys)
        return "sweep.grid", one, other
    for old, new in zip(there.grid.axes, given.grid.axes, strict=True):
        if not set(_places(old)) <= set(_places(new)):
            values = [
                canonical([list(v) for v in axis.values] if len(axis.keys) > 1 else list(axis.values[0]))
                for axis in (old, new)
            ]
            return f"sweep.grid.{'+'.join(old.keys)}", values[0], values[1]
    return None


def _places(axis: Axis) -> list[str]:
    return [canonical(list(place)) for place in zip(*axis.values, strict=True)]


def first_difference(there: Any, given: Any, where: str = "") -> Difference:
    """(key, what is there, what is given) of the first setting that differs, in the order of the keys."""
    if canonical(there) == canonical(given):
        return None
    if isinstance(there, dict) or isinstance(given, dict):
        one, other = (side if isinstance(side, dict) else {} for side in (there, given))
        for key in sorted({*one, *other}):
            inner = f"{where}.{key}" if where else key
            if found := first_difference(one.get(key, NOTHING), other.get(key, NOTHING), inner):
                return found

    def show(value: Any) -> str:
        return value if isinstance(value, str) else canonical(value)

    return where, show(there), show(given)
