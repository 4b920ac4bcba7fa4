"""CVXPY with Clarabel: log curves as exponential cones, solved to optimality; real effort.

The model is built once a size with the curves as parameters, so that a portfolio costs a canonicalised solve
and not a new model. Sources: Diamond & Boyd (2016); Goulart & Chen (2024).
"""

from __future__ import annotations

import functools
import time
from typing import Any

import numpy as np

from benchmarks.instances import Instances
from benchmarks.peers.harness import Answer, Task, one_by_one


@functools.lru_cache(maxsize=1)
def _model(projects: int, budget: int) -> tuple[Any, Any, Any, Any]:
    import cvxpy as cp

    effort, height = cp.Variable(projects, nonneg=True), cp.Variable(projects)
    scale, rate = cp.Parameter(projects, nonneg=True), cp.Parameter(projects, nonneg=True)
    constraints = [height <= cp.log1p(cp.multiply(rate, effort)), cp.sum(effort) <= budget]
    return cp.Problem(cp.Maximize(scale @ height), constraints), effort, scale, rate


def solve(one: Instances, task: Task) -> Answer:
    """One portfolio of log curves."""
    import cvxpy as cp

    begin = time.perf_counter()
    problem, effort, scale, rate = _model(one.projects, one.budget)
    scale.value = (one.weight * one.parameters["scale"])[0]
    rate.value = one.parameters["rate"][0]
    building = time.perf_counter() - begin
    try:
        problem.solve(solver=cp.CLARABEL, time_limit=task.limit)
    except cp.SolverError as error:
        return Answer(np.full(one.projects, np.nan), False, str(error)[:80], building=building)
    found = np.full(one.projects, np.nan) if effort.value is None else effort.value
    return Answer(found, problem.status == cp.OPTIMAL, problem.status, building=building)


def load() -> None:
    """What must be importable."""
    import cvxpy  # noqa: F401


if __name__ == "__main__":
    one_by_one(solve, ("cvxpy", "clarabel"), load=load)
