"""SciPy's SLSQP with exact gradients, from the equal split: the solver most often reached for; real effort.

ftol 1e-9 and at most 1000 iterations. Exact for concave curves, a local optimum for others. Source: Kraft
(1988).
"""

from __future__ import annotations

import numpy as np

from benchmarks.instances import Instances
from benchmarks.peers.harness import Answer, Task, one_by_one


def solve(one: Instances, task: Task) -> Answer:
    """One portfolio."""
    del task
    from scipy.optimize import minimize

    ones = np.ones(one.projects)
    found = minimize(
        lambda x: -np.sum(one.returns(x[None])),
        np.full(one.projects, one.budget / one.projects),
        jac=lambda x: -one.slopes(x[None])[0],
        method="SLSQP",
        bounds=[(0.0, one.budget)] * one.projects,
        constraints=[{"type": "eq", "fun": lambda x: np.sum(x) - one.budget, "jac": lambda x: ones}],
        options={"ftol": 1e-9, "maxiter": 1000},
    )
    return Answer(found.x, bool(found.success), found.message)


def load() -> None:
    """What must be importable."""
    import scipy.optimize  # noqa: F401


if __name__ == "__main__":
    one_by_one(solve, ("scipy",), load=load)
