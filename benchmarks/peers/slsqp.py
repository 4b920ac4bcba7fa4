"""SciPy's SLSQP with exact gradients, from the equal split: the solver most often reached for; real effort.

ftol 1e-9 and at most 1000 iterations. Exact for concave curves, a local optimum for others. `--option 20`
starts it 20 times, from the equal split and from shares drawn uniformly, and takes the best end. Source:
Kraft (1988).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.instances import Array, Instances
from benchmarks.peers.harness import Answer, Task, one_by_one


def _climb(one: Instances, start: Array) -> Any:
    """Where SLSQP ends from a start."""
    from scipy.optimize import minimize

    ones = np.ones(one.projects)
    return minimize(
        lambda x: -np.sum(one.returns(x[None])),
        start,
        jac=lambda x: -one.slopes(x[None])[0],
        method="SLSQP",
        bounds=[(0.0, one.budget)] * one.projects,
        constraints=[{"type": "eq", "fun": lambda x: np.sum(x) - one.budget, "jac": lambda x: ones}],
        options={"ftol": 1e-9, "maxiter": 1000},
    )


def solve(one: Instances, task: Task) -> Answer:
    """One portfolio."""
    starts = [np.full(one.projects, one.budget / one.projects)]
    if task.option:
        drawn = np.random.default_rng(0).dirichlet(np.ones(one.projects), int(task.option) - 1)
        starts += list(one.budget * drawn)
    ends = [_climb(one, start) for start in starts]
    # An end that is none, or that SLSQP does not stand by, counts only where there is no other.
    found = min(ends, key=lambda end: (not end.success, end.fun if np.isfinite(end.fun) else np.inf))
    return Answer(found.x, bool(found.success), found.message)


def load() -> None:
    """What must be importable."""
    import scipy.optimize  # noqa: F401


if __name__ == "__main__":
    one_by_one(solve, ("scipy",), load=load)
