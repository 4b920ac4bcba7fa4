"""`engine` itself, by its public API, as one more process of the comparison.

`--option SOLVER:DTYPE` names the solver and float64 or float32. What is timed is `engine.allocate` from NumPy
arrays to a NumPy solution, checks and copies included. `SOLVER:DTYPE:compiled` times the solver compiled for
the whole batch on arrays already in place, as benchmarks/throughput.py does. Compilation is not counted.
"""

from __future__ import annotations

import json
import sys

import numpy as np

from benchmarks.instances import Array, Instances
from benchmarks.peers.harness import MISSING, Task, batched, cores

CURVES = {
    "log": "Log",
    "hill": "Hill",
    "logistic": "Logistic",
    "lifecycle": "Lifecycle",
    "tabulated": "Tabulated",
}


def portfolio_of(instances: Instances, dtype: str):
    """The instances as an `engine.Portfolio`."""
    import engine

    family = getattr(engine, CURVES[instances.family])
    parameters = {name: array.astype(dtype) for name, array in instances.parameters.items()}
    return engine.Portfolio(family(**parameters), weight=instances.weight.astype(dtype))


def prepare(instances: Instances, task: Task):
    """The call over the whole set."""
    import jax

    import engine
    from engine.allocation.allocate import choose_lattice

    name, dtype, *rest = task.option.split(":")
    if name not in engine.SOLVERS:
        print(json.dumps({"missing": f"this engine has no solver {name}"}), flush=True)
        sys.exit(MISSING)
    options = {"rounding": False} if name == "relaxation" and task.kind == "continuous" else {}
    portfolio = portfolio_of(instances, dtype)
    if not rest:

        def run() -> tuple[Array, Array, Array]:
            solution = engine.allocate(portfolio, instances.budget, name, **options)
            return solution.effort, solution.proved, solution.bound

        return run

    jax.config.update("jax_enable_x64", dtype == "float64")
    placed = jax.tree.map(jax.numpy.asarray, portfolio)
    budget = jax.numpy.asarray(instances.budget, dtype)
    lattice = choose_lattice([name], instances.budget, instances.projects)
    method = engine.SOLVERS[name].solve
    compiled = jax.jit(jax.vmap(lambda p: method(p, budget, lattice, **options))).lower(placed).compile()

    def run_compiled() -> tuple[Array, Array, Array]:
        solution = jax.block_until_ready(compiled(placed))
        return np.asarray(solution.effort), np.asarray(solution.proved), np.asarray(solution.bound)

    return run_compiled


def load() -> None:
    """What must be importable."""
    import engine  # noqa: F401


if __name__ == "__main__":
    batched(prepare, ("jax", "jaxlib", "numpy"), threads=cores(), load=load)
