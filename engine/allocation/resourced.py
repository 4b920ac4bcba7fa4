"""`place_resourced`: budgets of several resources over projects that use them, and the answer."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_dataclass
from jaxtyping import Float

from engine.allocation.allocate import MOST_BUDGET, check_batch, check_whole_units
from engine.allocation.bet import Bet
from engine.allocation.facts import plain
from engine.allocation.running import Program, batched, program, round_size
from engine.model.portfolio import project_names
from engine.resources.branching import MOST_BOXES, OPEN_BOXES
from engine.resources.exact import exact, units_of
from engine.resources.resources import Resourced, normalise_resourced
from engine.solvers.lattice import round_up
from engine.solvers.responses import Scalar
from engine.solvers.solution import Solution, Status

# Array lengths: so many between a power of two and the next, from the least on.
PARTS, LEAST_UNITS = 4, 8


@register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class ResourceBet(Bet):
    """Budgets of several resources placed on one portfolio, or on each of a batch.

    As a `Bet`, with `budget` and `spent` [..., resources], in the order of `resources`.
    """

    resources: tuple[str, ...] = dataclasses.field(default=(), metadata={"static": True})

    @property
    def unspent(self) -> Float[np.ndarray, "... resources"]:
        """What is left of each budget."""
        return np.maximum(self.budget - self.spent, 0.0)

    @property
    def price(self) -> Float[np.ndarray, "... resources"]:
        """The shadow price of each resource: what one more of it is worth, by the Lagrangian dual."""
        return np.asarray(self.solution.multiplier)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, as `engine allocate format=json` prints them; lists for a batch."""
        facts = super().to_dict()
        for name in ("budget", "spent", "unspent", "price"):
            each = np.moveaxis(getattr(self, name), -1, 0)
            facts[name] = {resource: plain(a) for resource, a in zip(self.resources, each, strict=True)}
        last = ("how", "beside")
        return {**{k: v for k, v in facts.items() if k not in last}, **{k: facts[k] for k in last}}

    def require_solved(self) -> ResourceBet:
        """Itself, one bet that was solved.

        **Raises:** `ValueError` saying why it was not.
        """
        if self.status == Status.INFEASIBLE:
            text = ", ".join(f"{n} {b:g}" for n, b in zip(self.resources, self.budget, strict=True))
            raise ValueError(f"budget {text} does not cover the projects' lower limits")
        super().require_solved()
        return self

    def __repr__(self) -> str:
        if self.batch:
            return super().__repr__()
        efforts = ", ".join(
            f"{'/'.join(place)} {units:g}" for place, units in zip(self.places, self.effort, strict=True)
        )
        budget = ", ".join(f"{n} {b:.9g}" for n, b in zip(self.resources, self.budget, strict=True))
        head = [f"budget {budget} by {self.how}: {efforts}", f"{self.value:.8g}, {self.proof}"]
        return "\n".join([*head, *self.lines()])

    def lines(self) -> list[str]:
        """What is spent of each resource, and what one more of it is worth, of one bet in words."""
        each = zip(self.resources, self.spent, self.unspent, self.price, strict=True)
        return [
            f"{name}: spent {spent:.9g}, unspent {left:.9g}, shadow price {price:.6g}"
            for name, spent, left, price in each
        ]


@register_dataclass
@dataclass(frozen=True)
class Asked:
    """Projects, with rules or without, and the budgets of their resources: arrays [..., projects] and
    [..., resources]."""

    given: Any
    budgets: Any
    names: tuple[str, ...] = dataclasses.field(default=(), metadata={"static": True})

    @property
    def shape(self) -> tuple[int, ...]:
        """(..., projects)."""
        return self.given.shape


def place_resourced(given: Resourced, budget: Any, *, most_boxes: int = MOST_BOXES) -> ResourceBet:
    """Place the budgets of several resources, in whole units, in float64.

    **Arguments:** `budget`, a number for each resource by name, or an array [..., resources] in their order;
    `most_boxes`, of branch and bound, after which the best plan and a bound that holds are given.

    **Returns:** a `ResourceBet`, proved optimal unless it says otherwise.

    **Raises:** `ValueError` naming what cannot be.
    """
    if isinstance(most_boxes, bool) or not isinstance(most_boxes, int) or most_boxes < 1:
        raise ValueError(f"most_boxes is {most_boxes!r}, expected a whole number of at least 1")
    asked = normalise_resourced(given, np.dtype(np.float64))
    check_batch(asked)
    check_whole_units(asked.portfolio)
    budgets = check_resources(budget, asked.resources, asked.shape[:-1])
    units = max(int(round_up(max(units_of(asked, budgets), 1), PARTS)), LEAST_UNITS)
    names = project_names(asked.portfolio)
    bare = dataclasses.replace(asked, portfolio=dataclasses.replace(asked.portfolio, names=()))
    limits = np.full(budgets.shape[:-1], float(most_boxes))
    size = round_size(bare, 4 * (OPEN_BOXES + units))
    solution = batched(compiled(units), Asked(bare, budgets), limits, size)
    return ResourceBet(
        budget=budgets,
        solution=solution,
        places=tuple((name,) for name in names),
        how="total return, branch and bound",
        resources=asked.resources,
    )


@functools.lru_cache(maxsize=64)
def compiled(units: int) -> Program[Solution]:
    """The compiled program for tables of so many units."""

    def run(asked: Asked, limit: Scalar) -> Solution:
        return exact(asked.given, asked.budgets, units, limit.astype(jnp.int32))

    return program(run)


def check_resources(budget: Any, resources: tuple[str, ...], batch: tuple[int, ...]) -> np.ndarray:
    """The budgets [..., resources], or a `ValueError` that says what they are instead."""
    if isinstance(budget, Mapping):
        parts = [named(budget, resource, resources) for resource in resources]
        unknown = [key for key in budget if key not in {key for key, _ in parts}]
        if unknown:
            raise ValueError(f"budget names {unknown[0]!r}, no resource of {', '.join(resources)}")
        each = [numbers(number, f"budget.{key}", batch) for key, number in parts]
        return np.stack(np.broadcast_arrays(*each), axis=-1)
    wanted = f"a budget for each of {', '.join(resources)}"
    try:
        given = np.asarray(budget, dtype=float)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"budget is {budget!r}, expected {wanted}") from None
    if given.ndim == 0 or given.shape[-1] != len(resources):
        raise ValueError(f"budget is {budget!r}, expected {wanted}")
    columns = [numbers(given[..., r], f"budget.{name}", batch) for r, name in enumerate(resources)]
    return np.stack(columns, axis=-1)


def named(budget: Mapping[str, Any], resource: str, resources: tuple[str, ...]) -> tuple[str, Any]:
    """The key and the budget of a resource: by its name, or but for capitals and signs."""
    if resource in budget:
        return resource, budget[resource]
    alike = [key for key in budget if plain_word(key) == plain_word(resource) and key not in resources]
    if len(alike) != 1:
        given = ", ".join(map(str, budget)) or "none"
        raise ValueError(f"budget has no {resource}, expected {', '.join(resources)}, got {given}")
    return alike[0], budget[alike[0]]


def plain_word(name: object) -> str:
    """A resource's name as a key of the command line has it: GPU-hours is gpu_hours."""
    return "_".join("".join(c if c.isalnum() else " " for c in str(name).lower()).split())


def numbers(given: Any, what: str, batch: tuple[int, ...]) -> np.ndarray:
    """One budget of each of a batch, or a `ValueError` that begins with what it is of."""
    expected = f"expected a number from 0 to {MOST_BUDGET:g}"
    try:
        if isinstance(given, bool) or given is None:
            raise TypeError
        found = np.broadcast_to(np.asarray(given, dtype=float), batch)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{what} is {given!r}, {expected}") from None
    bad = found[~((found >= 0) & (found <= MOST_BUDGET))]
    if bad.size:
        raise ValueError(f"{what} is {bad[0]:g}, {expected}")
    return found
