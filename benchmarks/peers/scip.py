"""SCIP by PySCIPOpt: the multiple-choice knapsack for whole units, nonlinear expressions for real effort.

Spatial branch and bound proves the continuous problem too, S-shaped curves and all, to a relative gap of
1e-6; its final gap is recorded as its bound. One thread. Whole units without an option as it comes, in the
units of the returns; `--option tuned` is what did best of what `benchmarks/NOTES.md` lists: no presolve, no
heuristics, no cuts, and returns scaled to a total of 10⁹, as for CP-SAT. Source: Bolusani et al. (2024), The
SCIP Optimization Suite 9.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks.instances import Array, Instances
from benchmarks.peers.harness import Answer, Task, one_by_one, scaling

GAP = 1e-6


def _knapsack(model: Any, table: Array, budget: int) -> list[Any]:
    from pyscipopt import quicksum

    levels = range(budget + 1)
    chosen = [[model.addVar(vtype="B", obj=float(row[k])) for k in levels] for row in table]
    for row in chosen:
        model.addCons(quicksum(row) == 1)
    model.addCons(quicksum(k * row[k] for row in chosen for k in levels) <= budget)
    return chosen


def _curve(one: Instances, i: int, x: Any) -> Any:
    """w f(x) as an expression."""
    from pyscipopt import exp, log

    p = {name: float(array[0, i]) for name, array in one.parameters.items()}
    scale = float(one.weight[0, i]) * p["scale"]
    match one.family:
        case "log":
            return scale * log(1 + p["rate"] * x)
        case "hill":
            return scale - scale / (1 + (x / p["half"]) ** p["exponent"])
        case "logistic":
            at_zero = float(np.exp(p["rate"] * p["midpoint"]))
            return scale * (1 - exp(-p["rate"] * x)) / (1 + at_zero * exp(-p["rate"] * x))
    raise ValueError(f"no continuous model of {one.family} curves")


def _real(model: Any, one: Instances) -> list[Any]:
    from pyscipopt import quicksum

    most = (one.weight * one.parameters["scale"])[0]
    if one.family == "log":
        most = one.returns(np.full(one.weight.shape, float(one.budget)))[0]
    effort = [model.addVar(lb=0.0, ub=float(one.budget)) for _ in range(one.projects)]
    for i, x in enumerate(effort):
        height = model.addVar(lb=0.0, ub=float(most[i]), obj=1.0)
        model.addCons(height <= _curve(one, i, x))
    model.addCons(quicksum(effort) <= one.budget)
    return effort


def solve(one: Instances, task: Task) -> Answer:
    """One portfolio."""
    from pyscipopt import SCIP_PARAMSETTING, Model

    begin = time.perf_counter()
    model = Model()
    model.hideOutput()
    model.setMaximize()
    unit = 1.0
    if task.option == "tuned":
        model.setPresolve(SCIP_PARAMSETTING.OFF)
        model.setHeuristics(SCIP_PARAMSETTING.OFF)
        model.setSeparating(SCIP_PARAMSETTING.OFF)
        unit = scaling(one.table()[0])
    if task.kind == "integer":
        variables = _knapsack(model, unit * one.table()[0], one.budget)
    else:
        variables = _real(model, one)
        model.setParam("limits/gap", GAP)
    model.setParam("limits/time", task.limit)
    building = time.perf_counter() - begin
    model.optimize()
    status = model.getStatus()
    bound = float(model.getDualbound())
    bound = bound / unit if bound < model.infinity() else np.nan
    if model.getNSols() == 0:
        return Answer(np.full(one.projects, np.nan), False, status, bound, building)
    return Answer(_effort(model, variables), status in ("optimal", "gaplimit"), status, bound, building)


def _effort(model: Any, variables: list[Any]) -> Array:
    if isinstance(variables[0], list):
        return np.array([np.argmax([model.getVal(v) for v in row]) for row in variables])
    return np.array([model.getVal(v) for v in variables])


def load() -> dict[str, str]:
    """What must be importable."""
    from pyscipopt import Model

    model = Model()
    return {"SCIP": f"{model.getMajorVersion()}.{model.getMinorVersion()}.{model.getTechVersion()}"}


if __name__ == "__main__":
    one_by_one(solve, ("pyscipopt",), load=load)
