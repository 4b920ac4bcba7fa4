"""The one judge of all answers: is it feasible, and what is it worth, in NumPy float64.

An answer may break a constraint by a millionth, as solvers stop at tolerances; it is then put back inside
(negatives to zero, the whole scaled down to the budget) before it is valued, so nobody gains by overspending.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.instances import Array, Instances

TOLERANCE = 1e-6
KINDS = ("integer", "continuous")


class Verdict(NamedTuple):
    """Per portfolio: whether the answer is feasible, and its value (NaN where it is not)."""

    feasible: Array
    value: Array


def judge(instances: Instances, effort: Array, kind: str) -> Verdict:
    """The verdict on answers [count, projects] to whole-unit (`integer`) or real (`continuous`) problems."""
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}, expected integer or continuous")
    effort = np.asarray(effort, float)
    if effort.shape != instances.weight.shape:
        raise ValueError(f"effort has shape {effort.shape}, expected {instances.weight.shape}")
    slack = TOLERANCE * max(instances.budget, 1)
    finite = np.all(np.isfinite(effort), axis=1)
    inside = np.where(finite[:, None], effort, 0.0)
    feasible = finite & np.all(inside >= -slack, axis=1)
    if kind == "integer":
        whole = np.round(inside)
        feasible &= np.all(np.abs(inside - whole) <= TOLERANCE, axis=1)
        inside = np.maximum(whole, 0.0)
        feasible &= np.sum(inside, axis=1) <= instances.budget
    else:
        feasible &= np.sum(inside, axis=1) <= instances.budget + slack
        inside = np.maximum(inside, 0.0)
        spent = np.sum(inside, axis=1, keepdims=True)
        inside = inside * np.minimum(1.0, instances.budget / np.where(spent > 0, spent, 1.0))
    value = np.sum(instances.returns(inside), axis=1)
    return Verdict(feasible, np.where(feasible, value, np.nan))


def loss(value: Array, best: Array) -> Array:
    """(best − value)/|best|: the share of the best value left on the table."""
    return (best - value) / np.where(best != 0, np.abs(best), 1.0)
