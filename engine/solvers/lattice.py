"""Lattice: the whole units of effort and the whole steps of budget that integer solvers count in.

Computed once from concrete numbers, outside jit. Some of it is static, array lengths above all, and code is
compiled for it (`Lattice.sizes`); the rest is traced (`Lattice.numbers`). An array may be longer than a
budget needs, which changes no answer: what a project can take follows from the budget itself. So sizes can
be rounded up, and one program serves many budgets (`Lattice.shared`).
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from engine.solvers.rounding import whole

LARGEST_DENOMINATOR = 1000
SAME_COST = Fraction(1, 10**12)
COARSE_STATES = 4096
MOST_STATES = 1_000_000
MOST_TABLE_ENTRIES = 20_000_000
# Up to so many steps of the full programme, some milliseconds, compiling it is what takes time. Sizes are
# then powers of two, from the least one on.
BRIEF_WORK, LEAST_SIZE = 1e7, 128
# Sizes between a power of two and the next where an array's length is felt: at most a sixteenth more.
PARTS = 16


class Lattice(NamedTuple):
    """What integer solvers count in.

    - `units`: the most whole units that one project can take; `purchases`: all projects together.
    - `states`: budget steps; `step`: budget per step; `holds_costs`: whether every cost is a whole number of
      those steps.
    - `tables`: whether arrays of every level of every project fit in memory.
    - `brief`: whether solving takes less time than compiling, so that the shortest program is the best one.
    """

    units: int
    purchases: int
    states: int
    step: float
    holds_costs: bool
    tables: bool = True
    brief: bool = False

    @property
    def sizes(self) -> Lattice:
        """What code is compiled for: the lattice without its numbers."""
        return self._replace(purchases=0, step=0.0)

    @property
    def numbers(self) -> dict[str, Any]:
        """What is traced, to be put back by `_replace`: nothing has its length from it."""
        return {"purchases": self.purchases, "step": self.step}

    def coarse(self, budget: float) -> Lattice:
        """A lattice of few enough budget steps for an array: this one, or costs rounded up to its steps."""
        if self.states <= MOST_STATES:
            return self
        return self._replace(states=COARSE_STATES, step=budget / COARSE_STATES, holds_costs=False)

    def shared(self, projects: int, portfolios: int, parts: int = PARTS) -> Lattice:
        """A lattice of rounded sizes, which near budgets have in common.

        Where all portfolios together are little work, sizes are powers of two: a loop over budgets in Python
        then compiles once an octave. Else there are `parts` of them in an octave, by default so many that
        they are at most a sixteenth larger: 300 units become 304, 1,000 become 1,024, which costs the exact
        solver, whose steps grow with them, about as much.
        """
        units, states = (max(int(round_up(size, 1)), LEAST_SIZE) for size in (self.units, self.states))
        coarse = self._replace(units=units, states=states)
        if not self.tables:  # nothing has its length from them
            return coarse
        if portfolios * projects * coarse.units * coarse.states <= BRIEF_WORK:
            return coarse._replace(brief=True)
        units, states = (int(round_up(size, parts)) for size in (self.units, self.states))
        return self._replace(units=units, states=states)


def round_up(number: float, parts: int) -> float:
    """The next of so many numbers between a power of two and the one after it; whole for a whole one."""
    grain = math.ldexp(1.0, math.frexp(number)[1] - 1) / parts
    return math.ceil(number / grain) * grain


# Of solvers that count nothing.
NO_LATTICE = Lattice(0, 0, 0, 1.0, True)


def build_lattice(
    budget: float, projects: int, costs: np.ndarray | None = None, upper: float = math.inf
) -> Lattice:
    """The smallest lattice on which every allocation within `budget` can be written.

    **Arguments:** `costs`, all unit costs that occur (None: 1); `upper`, the largest upper limit on effort.

    Costs with a common unit (all multiples of 0.25, say) give a lattice that holds them exactly. Others
    are rounded up to one of `COARSE_STATES` steps, for whoever needs budget steps at all: see also
    `Lattice.coarse`.

    **Raises:** `ValueError` for a cost so small that units cannot be counted.
    """
    if costs is None:
        cheapest, step, holds_costs = 1.0, 1.0, True
    else:
        cheapest = float(np.min(costs))
        common = _common_unit(np.unique(costs))
        holds_costs = common is not None
        step = common if common is not None else max(budget, cheapest) / COARSE_STATES
    if math.isinf(float(budget) / cheapest):
        raise ValueError(
            f"cost is {cheapest:g}, expected more: {budget:g} buys more units than can be counted"
        )
    purchases = whole(budget / cheapest)
    units = min(purchases, math.floor(min(upper, purchases)))
    states = whole(budget / step)
    tables = units <= most_units(projects)
    return Lattice(units, min(purchases, units * projects), states, step, holds_costs, tables)


def most_units(projects: int) -> int:
    """The most units that a project may take where all levels of all projects are held in a table."""
    return min(MOST_STATES, MOST_TABLE_ENTRIES // projects)


def _common_unit(costs: np.ndarray) -> float | None:
    """The largest number of which all costs are multiples, if there is a simple one; of one cost, itself."""
    alone = float(costs[0]) if costs.size == 1 else None
    # Through the shortest decimal that is this float, so that float32's 0.1 is a tenth.
    given = [Fraction(str(cost)) for cost in costs]
    simple = [cost.limit_denominator(LARGEST_DENOMINATOR) for cost in given]
    if any(abs(s - c) > SAME_COST * c for s, c in zip(simple, given, strict=True)):
        return alone
    denominator = math.lcm(*(s.denominator for s in simple))
    if denominator > LARGEST_DENOMINATOR:
        return alone
    return math.gcd(*(int(s * denominator) for s in simple)) / denominator
