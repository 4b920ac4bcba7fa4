"""NLopt's SLSQP inside its augmented Lagrangian, started and stopped as Meta's Robyn does; real effort.

Robyn is R; what it asks of NLopt is asked here through NLopt's own Python package. From R/R/allocator.R of
facebookexperimental/Robyn at commit 922ef6c: NLOPT_LD_AUGLAG with local NLOPT_LD_SLSQP, both with xtol_rel
1e-10, at most 100,000 evaluations, the budget as an equality, and **the start at the lower bounds**
(`x0 <- lb`). Robyn's second, wider answer has lower bound max(0, 1 − 3·(1 − 0.5)) = 0 with its defaults, so
it starts at zero effort; `--option 0.01` starts at 1 % of the equal split, the least lower bound its
documentation allows. Upper bounds are the whole budget, so that every peer searches the same set.

Robyn's model adds carry-over effort to the curve's argument; there is none here.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks.instances import Array, Instances
from benchmarks.peers.harness import Answer, Task, one_by_one

TOLERANCE = 1e-10
EVALUATIONS = 100_000
# Defaults of R's nloptr, which Robyn does not change.
LOCAL_EVALUATIONS = 100
CONSTRAINT = 1e-8


def solve(one: Instances, task: Task) -> Answer:
    """One portfolio; `option` is the lower bound as a share of the equal split."""
    import nlopt

    begin = time.perf_counter()
    low = float(task.option or 0.0) * one.budget / one.projects

    def objective(x: Array, gradient: Array) -> float:
        if gradient.size:
            gradient[:] = -one.slopes(x[None])[0]
        return -float(np.sum(one.returns(x[None])))

    def spend(x: Array, gradient: Array) -> float:
        if gradient.size:
            gradient[:] = 1.0
        return float(np.sum(x)) - one.budget

    inner = nlopt.opt(nlopt.LD_SLSQP, one.projects)
    inner.set_xtol_rel(TOLERANCE)
    inner.set_maxeval(LOCAL_EVALUATIONS)
    outer = nlopt.opt(nlopt.LD_AUGLAG, one.projects)
    outer.set_local_optimizer(inner)
    outer.set_min_objective(objective)
    outer.add_equality_constraint(spend, CONSTRAINT)
    outer.set_lower_bounds(low)
    outer.set_upper_bounds(float(one.budget))
    outer.set_xtol_rel(TOLERANCE)
    outer.set_maxeval(EVALUATIONS)
    outer.set_maxtime(task.limit)
    building = time.perf_counter() - begin
    # Newer versions raise an error of their own that is no RuntimeError.
    failed = getattr(nlopt, "runtime_error", RuntimeError)
    try:
        effort = outer.optimize(np.full(one.projects, low))
    except (RuntimeError, ValueError, failed, nlopt.RoundoffLimited) as error:
        return Answer(
            np.full(one.projects, np.nan), False, f"{type(error).__name__}: {error}", building=building
        )
    result = outer.last_optimize_result()
    claims = result in (nlopt.SUCCESS, nlopt.FTOL_REACHED, nlopt.XTOL_REACHED, nlopt.STOPVAL_REACHED)
    return Answer(effort, claims, f"result {result}", building=building)


def load() -> None:
    """What must be importable."""
    import nlopt  # noqa: F401


if __name__ == "__main__":
    one_by_one(solve, ("nlopt",), load=load)
