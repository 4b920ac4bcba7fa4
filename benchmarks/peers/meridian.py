"""Google Meridian's budget optimiser: the hill-climbing search over its spend grid; whole units.

What runs is Meridian's own `OptimizationGrid.optimize(FixedBudgetScenario(...))`, the public method that
`BudgetOptimizer.optimize` ends in. The grid is given, not computed from a fitted model: `spend_grid` holds
the whole units 0 … B and `incremental_outcome_grid` the exact returns there, which is the layout and the step
(round factor 0) that `BudgetOptimizer.create_optimization_grid` makes of a budget below 1/gtol. Spend
constraints are opened to [0, B]; the default is ±30 % around historical spend.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks.instances import Instances
from benchmarks.peers.harness import Answer, Task, one_by_one


def solve(one: Instances, task: Task) -> Answer:
    """One portfolio."""
    del task
    import xarray as xr
    from meridian import constants
    from meridian.analysis.optimizer import FixedBudgetScenario, OptimizationGrid, get_round_factor

    begin = time.perf_counter()
    projects, budget, gtol = one.projects, one.budget, 1e-4
    table = one.table()[0].T
    axes = [constants.GRID_SPEND_INDEX, constants.CHANNEL]
    spend = np.repeat(np.arange(budget + 1.0)[:, None], projects, axis=1)
    dataset = xr.Dataset(
        data_vars={
            constants.SPEND_GRID: (axes, spend),
            constants.INCREMENTAL_OUTCOME_GRID: (axes, table),
        },
        coords={
            constants.GRID_SPEND_INDEX: np.arange(budget + 1),
            constants.CHANNEL: [f"project {i}" for i in range(projects)],
        },
        attrs={constants.SPEND_STEP_SIZE: 1},
    )
    grid = OptimizationGrid(
        _grid_dataset=dataset,
        historical_spend=np.full(projects, budget / projects),
        use_kpi=True,
        use_posterior=True,
        use_optimal_frequency=False,
        start_date=None,
        end_date=None,
        gtol=gtol,
        round_factor=get_round_factor(budget, gtol),
        optimal_frequency=None,
        selected_geos=None,
        selected_times=None,
    )
    building = time.perf_counter() - begin
    found = grid.optimize(
        FixedBudgetScenario(total_budget=float(budget)),
        spend_constraint_lower=1.0,
        spend_constraint_upper=float(projects - 1),
    )
    # It raises or answers; there is no flag. An answer is presented to the user as the optimal allocation.
    return Answer(found[constants.OPTIMIZED].values, True, "answered", building=building)


def load() -> None:
    """What must be importable."""
    import meridian.analysis.optimizer  # noqa: F401


if __name__ == "__main__":
    one_by_one(solve, ("google-meridian",), load=load)
