"""Lattice: the whole units of effort and the whole steps of budget that integer solvers count in.

Its three numbers are static, since they are array lengths: computed once from concrete numbers, outside jit.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import NamedTuple

import numpy as np

LARGEST_DENOMINATOR = 1000


SAME_COST = Fraction(1, 10**12)


COARSE_STATES = 4096


MOST_STATES = 1_000_000


MOST_TABLE_ENTRIES = 20_000_000


class Lattice(NamedTuple):
    """The most whole units that one project can take, and all together; budget steps; budget per step;
    whether every cost is a whole number of those steps."""

    units: int
    purchases: int
    states: int
    step: float
    holds_costs: bool


# Of solvers that count nothing.
NO_LATTICE = Lattice(0, 0, 0, 1.0, True)


def build_lattice(
    budget: float, projects: int, costs: np.ndarray | None = None, upper: float = math.inf
) -> Lattice:
    """The smallest lattice on which every allocation within `budget` can be written.

    **Arguments:** `costs`, all unit costs that occur (None: 1); `upper`, the largest upper bound on effort.

    Costs with a common unit (all multiples of 0.25, say) give a lattice that holds them exactly. Others
    are rounded up to one of `COARSE_STATES` steps: allocations stay feasible, and the exact solver then
    proves its answer by the dual bound or does not call it proved.

    **Raises:** `ValueError` for a budget so large that the lattice would not fit in memory.
    """
    if costs is None:
        cheapest, step, holds_costs = 1.0, 1.0, True
    else:
        cheapest = float(np.min(costs))
        common = _common_unit(np.unique(costs))
        holds_costs = common is not None and budget / common <= MOST_STATES
        step = common if common is not None and holds_costs else max(budget, cheapest) / COARSE_STATES
    purchases = math.floor(budget / cheapest * (1 + 1e-12))
    units = min(purchases, math.floor(min(upper, purchases)))
    states = math.floor(budget / step * (1 + 1e-12))
    most_units = min(MOST_STATES, MOST_TABLE_ENTRIES // projects)
    if units > most_units:
        raise ValueError(
            f"budget {budget:g} lets a project take {budget / cheapest:.3g} units, expected at most "
            f"{most_units:,}: "
            "measure effort in larger units, set upper bounds, or choose solver=waterfilling, "
            "which needs no units"
        )
    return Lattice(units, min(purchases, units * projects), states, step, holds_costs)


def _common_unit(costs: np.ndarray) -> float | None:
    """The largest number of which all costs are multiples, if there is a simple one."""
    if costs.size > LARGEST_DENOMINATOR:
        return None
    # Through the shortest decimal that is this float, so that float32's 0.1 is a tenth.
    given = [Fraction(str(cost)) for cost in costs]
    simple = [cost.limit_denominator(LARGEST_DENOMINATOR) for cost in given]
    if any(abs(s - c) > SAME_COST * c for s, c in zip(simple, given, strict=True)):
        return None
    denominator = math.lcm(*(s.denominator for s in simple))
    if denominator > LARGEST_DENOMINATOR:
        return None
    return math.gcd(*(int(s * denominator) for s in simple)) / denominator
