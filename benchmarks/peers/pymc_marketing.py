"""PyMC-Marketing's budget optimiser: its own `BudgetOptimizer.allocate_budget`; real effort.

The smallest real object: a PyMC model of one period whose contribution is Σ w f(channel_data), with the
curves' parameters as its variables, the exact parameters as a posterior of one draw, wrapped in the package's
`CustomModelWrapper`. Everything after that is the package's own: objective and gradient compiled by PyTensor,
SLSQP with its default ftol of 1e-9 and start (the equal split), default bounds [0, budget].

`--option dollars` states the same portfolio as a marketing model does: a unit of effort is 10,000 dollars,
and the contribution is in units of the scaled target (the equal split returns 1), which is what
`MMM.optimize_budget` maximises by default (`response_variable="total_contribution"`; the multidimensional
model's default is in original units instead). The answer is turned back into units. This is the case of the
package's issues #1624 and #1681: gradients of 1e-6 a dollar end SLSQP where it began. A number in place of
`dollars` is another price of a unit.
"""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np

from benchmarks.instances import Instances
from benchmarks.peers.harness import Answer, Task, one_by_one

DOLLARS = 10_000.0


def _curve(family: str, x: Any, p: dict[str, Any]) -> Any:
    """f(x) as a PyTensor expression with named dimensions; Hill is the package's own `hill_function`."""
    from pymc_marketing.mmm.transformers import hill_function
    from pytensor.xtensor import math

    match family:
        case "log":
            return p["scale"] * math.log1p(p["rate"] * x)
        case "hill":
            return p["scale"] * hill_function(x, slope=p["exponent"], kappa=p["half"])
        case "logistic":
            fall = math.exp(-p["rate"] * (x - p["midpoint"]))
            return -p["scale"] * math.expm1(-p["rate"] * x) / (1 + fall)
    raise ValueError(f"no model of {family} curves")


def _optimizer(one: Instances, unit: float, worth: float) -> Any:
    """The package's optimiser on one portfolio, with effort in `unit`s and returns divided by `worth`."""
    import arviz as az
    import pymc as pm
    import pymc.dims as pmd
    from pymc_marketing.mmm.budget_optimizer import BudgetOptimizer, CustomModelWrapper

    channels = [f"project {i}" for i in range(one.projects)]
    exact = {name: array[0] for name, array in one.parameters.items()}
    exact["scale"] = exact["scale"] * one.weight[0] / worth
    with pm.Model(coords={"date": [0], "channel": channels}) as model:
        data = pmd.Data("channel_data", np.zeros((1, one.projects)), dims=("date", "channel"))
        curves = {name: pmd.Normal(name, dims="channel") for name in exact}
        contribution = _curve(one.family, data / unit, curves)
        pmd.Deterministic("total_contribution", contribution.sum())
    posterior = az.from_dict(
        posterior={name: array[None, None] for name, array in exact.items()},
        coords={"channel": channels},
        dims={name: ["channel"] for name in exact},
    )
    wrapper = CustomModelWrapper(base_model=model, idata=posterior, channels=channels)
    return BudgetOptimizer(model=wrapper, num_periods=1)


def solve(one: Instances, task: Task) -> Answer:
    """One portfolio."""
    from pymc_marketing.mmm.budget_optimizer import MinimizeException

    begin = time.perf_counter()
    unit, worth = 1.0, 1.0
    if task.option:
        unit = DOLLARS if task.option == "dollars" else float(task.option)
        equal = np.full(one.weight.shape, one.budget / one.projects)
        worth = float(np.sum(one.returns(equal)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimizer = _optimizer(one, unit, worth)
        building = time.perf_counter() - begin
        try:
            effort, result = optimizer.allocate_budget(total_budget=one.budget * unit)
        except MinimizeException as error:
            return Answer(np.full(one.projects, np.nan), False, str(error), building=building)
    return Answer(effort.values / unit, bool(result.success), result.message, building=building)


def load() -> None:
    """What must be importable."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pymc_marketing.mmm.budget_optimizer  # noqa: F401


if __name__ == "__main__":
    one_by_one(solve, ("pymc-marketing", "pymc", "pytensor", "scipy"), load=load)
