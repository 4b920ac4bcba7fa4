"""Random tables and usages, and references for the best plan: every plan in NumPy, and HiGHS."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from scipy import optimize, sparse

from tests import reference

Array = np.ndarray
PARTS = ("bounds", "startup", "threshold", "curvature", "success")


class Drawn(NamedTuple):
    """Tables [..., projects, levels], usages [..., resources, projects] and budgets [..., resources]."""

    table: Array
    usage: Array
    budgets: Array


def draw(seed: int, resources: int, each: int, projects: int, levels: int, share: float = 0.45) -> Drawn:
    """So many instances of every family, with bounds and further parts at random, in one batch.

    Half of all usages are small whole numbers, which fit exactly, and three in ten are 0.
    """
    rng = np.random.default_rng(seed)
    tables = []
    for index, name in enumerate(reference.NAMES):
        parts = tuple(part for part in PARTS if rng.random() < 0.4)
        drawn = reference.draw(name, seed + 100 * index, (each, projects), parts, reach=levels)
        tables.append(reference.table(drawn, levels - 1))
    table = np.concatenate(tables)
    shape = (len(table), resources, projects)
    whole = rng.random((len(table), 1, 1)) < 0.5
    usage = np.where(whole, rng.integers(1, 4, shape), rng.uniform(0.2, 3.0, shape))
    usage *= rng.random(shape) < 0.7
    budgets = usage.sum(-1) * (levels - 1) * rng.uniform(0.05, share, (len(table), resources))
    return Drawn(table, usage, np.where(whole[..., 0], np.floor(budgets), budgets))


def every_plan(drawn: Drawn) -> Array:
    """The best value over all plans, −∞ where there is none."""
    _, projects, levels = drawn.table.shape
    plans = np.array(list(itertools.product(range(levels), repeat=projects)))
    total = sum(drawn.table[:, i, plans[:, i]] for i in range(projects))
    spent = drawn.usage @ plans.T
    fits = np.all(spent <= drawn.budgets[..., None] * (1 + 1e-13) + 1e-13, axis=1)
    return np.max(np.where(fits, total, -np.inf), axis=-1)


def by_highs(table: Array, usage: Array, budgets: Array) -> float:
    """The best value of one instance as a mixed-integer programme, a binary a (project, level)."""
    project, level = np.nonzero(np.isfinite(table))
    one = sparse.csr_matrix((np.ones(project.size), (project, np.arange(project.size))))
    solved = optimize.milp(
        -table[project, level],
        constraints=[
            optimize.LinearConstraint(one, 1, 1),
            optimize.LinearConstraint(usage[:, project] * level, -np.inf, budgets),
        ],
        integrality=np.ones(project.size),
        bounds=optimize.Bounds(0, 1),
        options={"mip_rel_gap": 0.0},
    )
    return -float(solved.fun) if solved.success else -np.inf
