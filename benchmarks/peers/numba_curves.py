"""The curve families as compiled scalar code, for the Numba peers; float64, no fast-math.

Parameters are packed into one array [count, projects, columns], with the weight multiplied into the scale.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from benchmarks.instances import Array, Instances

LOG, HILL, LOGISTIC, LIFECYCLE, TABULATED = range(5)
CODES = {"log": LOG, "hill": HILL, "logistic": LOGISTIC, "lifecycle": LIFECYCLE, "tabulated": TABULATED}


def pack(instances: Instances) -> tuple[int, Array]:
    """(code of the family, parameters [count, projects, columns])."""
    p, weight = instances.parameters, instances.weight
    match instances.family:
        case "log":
            columns = [weight * p["scale"], p["rate"]]
        case "hill":
            columns = [weight * p["scale"], p["exponent"], p["exponent"] * np.log(p["half"])]
        case "logistic":
            columns = [weight * p["scale"], p["rate"], np.exp(p["rate"] * p["midpoint"])]
        case "lifecycle":
            stages = [p["start"], weight[..., None] * p["base"], weight[..., None] * p["scale"], p["rate"]]
            return LIFECYCLE, np.ascontiguousarray(np.concatenate(stages, -1))
        case _:
            return TABULATED, np.ascontiguousarray(weight[..., None] * p["values"])
    return CODES[instances.family], np.ascontiguousarray(np.stack(columns, -1))


@njit(inline="always")
def value(code: int, p: Array, level: int, logs: Array) -> float:
    """w f(level); `logs` holds log(level), shared by all portfolios."""
    if code == LOG:
        return p[0] * math.log1p(p[1] * level)
    if code == HILL:
        return p[0] / (1.0 + math.exp(p[2] - p[1] * logs[level])) if level > 0 else 0.0
    if code == LOGISTIC:
        fall = math.exp(-p[1] * level)
        return p[0] * (1.0 - fall) / (1.0 + fall * p[2])
    if code == LIFECYCLE:
        stages = p.size // 4
        best = 0.0
        for s in range(stages):
            since = level - p[s]
            if since >= 0.0:
                best = max(best, p[stages + s] + p[2 * stages + s] * math.log1p(p[3 * stages + s] * since))
        return best
    return p[level]


@njit(inline="always")
def gain(code: int, p: Array, level: int, logs: Array) -> float:
    """w (f(level + 1) − f(level))."""
    if code == LOG:
        return p[0] * math.log1p(p[1] / (1.0 + p[1] * level))
    return value(code, p, level + 1, logs) - value(code, p, level, logs)


def log_levels(budget: int) -> Array:
    """log(0), log(1), …, log(budget)."""
    with np.errstate(divide="ignore"):
        return np.log(np.arange(budget + 1.0))
