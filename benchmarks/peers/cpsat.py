"""OR-Tools CP-SAT on the multiple-choice knapsack: one Boolean a (project, level).

Its objective is integer, so returns are scaled to a total of 10⁹ and rounded: a claim of optimality holds to
about N·10⁻⁹ of the largest return. Without an option as it comes, on all cores; `--option tuned` is what did
best of what `benchmarks/NOTES.md` lists: one worker and little presolve. Source: Perron & Didier, CP-SAT.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks.instances import Instances
from benchmarks.peers.harness import Answer, Task, cores, one_by_one, scaling

TUNED = {
    "num_workers": 1,
    "cp_model_probing_level": 0,
    "max_presolve_iterations": 1,
    "symmetry_level": 0,
    "presolve_inclusion_work_limit": 0,
    "merge_at_most_one_work_limit": 0.0,
    "cp_model_use_sat_presolve": False,
    "find_big_linear_overlap": False,
}


def solve(one: Instances, task: Task) -> Answer:
    """One portfolio."""
    from ortools.sat.python import cp_model

    begin = time.perf_counter()
    levels = one.budget + 1
    table = one.table()[0]
    unit = scaling(table)
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
    for parameter, value in (TUNED if task.option == "tuned" else {}).items():
        setattr(solver.parameters, parameter, value)
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
