"""OR-Tools CP-SAT on the multiple-choice knapsack: one Boolean a (project, level), all cores.

Its objective is integer, so returns are scaled to a total of 10⁹ and rounded: a claim of optimality holds to
about N·10⁻⁹ of the largest return. Source: Perron & Didier, CP-SAT.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks.instances import Instances
from benchmarks.peers.harness import Answer, Task, cores, one_by_one

LARGEST = 1e9
GAP = 1e-6


def solve(one: Instances, task: Task) -> Answer:
    """One portfolio."""
    from ortools.sat.python import cp_model

    begin = time.perf_counter()
    levels = one.budget + 1
    table = one.table()[0]
    unit = LARGEST / max(float(np.max(table, axis=1).sum()), 1e-300)
    model = cp_model.CpModel()
    chosen = [[model.new_bool_var("") for _ in range(levels)] for _ in range(one.projects)]
    for row in chosen:
        model.add_exactly_one(row)
    flat = [variable for row in chosen for variable in row]
    spend = np.tile(np.arange(levels), one.projects)
    model.add(cp_model.LinearExpr.weighted_sum(flat, spend.tolist()) <= one.budget)
    scaled = np.round(table * unit).astype(np.int64).ravel()
    model.maximize(cp_model.LinearExpr.weighted_sum(flat, scaled.tolist()))
    building = time.perf_counter() - begin
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = task.limit
    solver.parameters.num_workers = cores()
    solver.parameters.relative_gap_limit = GAP
    status = solver.solve(model)
    name = solver.status_name(status)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Answer(np.full(one.projects, np.nan), False, name, building=building)
    effort = np.array([next(k for k, v in enumerate(row) if solver.boolean_value(v)) for row in chosen])
    bound = (solver.best_objective_bound + one.projects) / unit
    return Answer(effort, status == cp_model.OPTIMAL, name, bound, building)


def load() -> None:
    """What must be importable."""
    from ortools.sat.python import cp_model  # noqa: F401


if __name__ == "__main__":
    one_by_one(solve, ("ortools",), threads=cores(), load=load)
