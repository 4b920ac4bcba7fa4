"""SciPy's `milp` on the multiple-choice knapsack: one binary a (project, level).

It carries a HiGHS of its own, older than that of `benchmarks.peers.highs`, whose absolute gap of 1e-6 cannot
be set; the relative one is 0. Its threads are its default. Source: Sinha & Zoltners (1979) for the model.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks.instances import Instances
from benchmarks.peers.harness import Answer, Task, one_by_one


def solve(one: Instances, task: Task) -> Answer:
    """One portfolio."""
    from scipy import optimize, sparse

    begin = time.perf_counter()
    levels = one.budget + 1
    table = one.table()[0]
    choose = sparse.kron(sparse.eye(one.projects), np.ones((1, levels)), format="csr")
    spend = sparse.csr_matrix(np.tile(np.arange(levels, dtype=float), one.projects))
    constraints = [
        optimize.LinearConstraint(choose, 1, 1),
        optimize.LinearConstraint(spend, -np.inf, one.budget),
    ]
    building = time.perf_counter() - begin
    found = optimize.milp(
        -table.ravel(),
        constraints=constraints,
        integrality=np.ones(table.size),
        bounds=optimize.Bounds(0, 1),
        options={"mip_rel_gap": 0.0, "time_limit": task.limit},
    )
    if found.x is None:
        return Answer(np.full(one.projects, np.nan), False, found.message, building=building)
    effort = np.argmax(found.x.reshape(one.projects, levels), axis=1)
    bound = -found.mip_dual_bound if found.mip_dual_bound is not None else np.nan
    return Answer(effort, bool(found.success), found.message, bound, building)


def load() -> dict[str, str]:
    """What must be importable."""
    import scipy.optimize

    _core = scipy.optimize._highspy._core
    numbers = (_core.HIGHS_VERSION_MAJOR, _core.HIGHS_VERSION_MINOR, _core.HIGHS_VERSION_PATCH)
    return {"HiGHS of SciPy": ".".join(map(str, numbers))}


if __name__ == "__main__":
    one_by_one(solve, ("scipy",), load=load)
