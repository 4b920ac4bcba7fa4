"""HiGHS on the multiple-choice knapsack, by its own package highspy: one binary a (project, level).

Without an option as it comes: presolve, a relative gap of 1e-4 and an absolute one of 1e-6, in the units of
the returns. `--option tuned` is what did best of what `benchmarks/NOTES.md` lists: no presolve, one thread,
gaps of 0, and returns scaled to a total of 10⁹, as for CP-SAT. Source: Sinha & Zoltners (1979) for the
model; Huangfu & Hall (2018) for HiGHS.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks.instances import Array, Instances
from benchmarks.peers.harness import Answer, Task, one_by_one, scaling

TUNED = {"presolve": "off", "threads": 1, "mip_rel_gap": 0.0, "mip_abs_gap": 0.0}


def _programme(gains: Array, budget: int) -> Any:
    """Maximise the gains [projects, levels] of one level a project, within the budget."""
    import highspy

    projects, levels = gains.shape
    columns = projects * levels
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = columns, projects + 1
    lp.sense_ = highspy.ObjSense.kMaximize
    lp.col_cost_ = gains.ravel()
    lp.col_lower_, lp.col_upper_ = np.zeros(columns), np.ones(columns)
    lp.row_lower_ = np.append(np.ones(projects), -highspy.kHighsInf)
    lp.row_upper_ = np.append(np.ones(projects), float(budget))
    lp.integrality_ = [highspy.HighsVarType.kInteger] * columns
    # Two entries a column: one in the row of its project, and its level in that of the budget.
    rows = np.stack([np.repeat(np.arange(projects), levels), np.full(columns, projects)], axis=1)
    entries = np.stack([np.ones(columns), np.tile(np.arange(levels, dtype=float), projects)], axis=1)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = np.arange(0, 2 * columns + 1, 2)
    lp.a_matrix_.index_, lp.a_matrix_.value_ = rows.ravel(), entries.ravel()
    return lp


def solve(one: Instances, task: Task) -> Answer:
    """One portfolio."""
    import highspy

    begin = time.perf_counter()
    table = one.table()[0]
    unit = scaling(table) if task.option == "tuned" else 1.0
    solver = highspy.Highs()
    solver.silent()
    for name, value in (TUNED if task.option == "tuned" else {}).items():
        if solver.setOptionValue(name, value) != highspy.HighsStatus.kOk:
            raise ValueError(f"HiGHS takes no {name}={value}")
    solver.setOptionValue("time_limit", float(task.limit))
    solver.passModel(_programme(table * unit, one.budget))
    building = time.perf_counter() - begin
    solver.run()
    status, info = solver.getModelStatus(), solver.getInfo()
    name = solver.modelStatusToString(status)
    bound = info.mip_dual_bound / unit if np.isfinite(info.mip_dual_bound) else np.nan
    if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        return Answer(np.full(one.projects, np.nan), False, name, bound, building)
    effort = np.argmax(np.reshape(solver.getSolution().col_value, table.shape), axis=1)
    return Answer(effort, status == highspy.HighsModelStatus.kOptimal, name, bound, building)


def load() -> dict[str, str]:
    """What must be importable."""
    import highspy

    return {"HiGHS": highspy.Highs().version()}


if __name__ == "__main__":
    one_by_one(solve, ("highspy",), load=load)
