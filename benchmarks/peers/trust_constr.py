"""SciPy's trust-constr with exact gradients and BFGS, from the equal split; real effort.

An interior-point method for the bounds: a local optimum where curves are not concave. Source: Byrd, Hribar &
Nocedal (1999).
"""

from __future__ import annotations

import warnings

import numpy as np

from benchmarks.instances import Instances
from benchmarks.peers.harness import Answer, Task, one_by_one


def solve(one: Instances, task: Task) -> Answer:
    """One portfolio."""
    del task
    from scipy.optimize import BFGS, Bounds, LinearConstraint, minimize

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a quasi-Newton step with no change in the gradient
        found = minimize(
            lambda x: -np.sum(one.returns(np.maximum(x, 0.0)[None])),
            np.full(one.projects, one.budget / one.projects),
            jac=lambda x: -one.slopes(np.maximum(x, 0.0)[None])[0],
            hess=BFGS(),
            method="trust-constr",
            bounds=Bounds(0.0, one.budget, keep_feasible=True),
            constraints=LinearConstraint(np.ones((1, one.projects)), -np.inf, one.budget),
            options={"gtol": 1e-8, "xtol": 1e-10, "maxiter": 1000},
        )
    return Answer(found.x, bool(found.success), found.message)


def load() -> None:
    """What must be importable."""
    import scipy.optimize  # noqa: F401


if __name__ == "__main__":
    one_by_one(solve, ("scipy",), load=load)
