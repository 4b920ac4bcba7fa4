"""Comparison: solvers over test problems and sizes, in one table with proofs and losses.

Every (problem, projects, budget) is one study of `engine.simulation`: the same portfolios for every solver,
measured against the proved integer optimum.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.allocation.allocate import choose_lattice
from engine.simulation.blocks import Simulation
from engine.simulation.point import Study
from engine.simulation.problems import Problem
from engine.simulation.summaries import Summary, quantile

COLUMNS = {
    "problem": "name of the test problem",
    "projects": "number of projects",
    "budget": "units of budget",
    "solver": "name of the solver",
    "portfolios": "how many portfolios were solved",
    "value": "mean total return",
    "gap": "mean certified optimality gap",
    "largest_gap": "largest certified optimality gap",
    "proved": "share proved optimal",
    "optimal": "share that returns what the exact optimum does",
    "loss": "mean share of the exact optimum that is missed",
    "loss_q99": "99 % quantile of the loss",
    "largest_loss": "largest loss",
    "per_second": "portfolios per second, after compilation",
}


@dataclass(frozen=True)
class Comparison:
    """Which problems of which sizes [(projects, budget)], by which solvers with their options."""

    problems: Sequence[str]
    sizes: Sequence[tuple[int, int]]
    solvers: dict[str, dict[str, Any]]
    portfolios: int
    seed: int
    block: int
    dtype: np.dtype

    def studies(self) -> list[tuple[Problem, Study]]:
        """One study a problem and size.

        **Raises:** `ValueError` for an unknown problem, or a size that cannot be.
        """
        plans = []
        for projects, budget in self.sizes:
            lattice = choose_lattice(self.solvers, budget, projects)
            for name in self.problems:
                problem = Problem(name, projects, budget)
                study = Study(
                    problem,
                    float(budget),
                    self.solvers,
                    lattice,
                    self.seed,
                    self.portfolios,
                    min(self.block, self.portfolios),
                    self.dtype,
                )
                plans.append((problem, study))
        return plans


def compare(comparison: Comparison) -> Iterator[list[dict[str, Any]]]:
    """Run study after study; the rows of each, one a solver, by the names in `COLUMNS`."""
    for problem, study in comparison.studies():
        outcome = [after for _, after in Simulation(study).run()][-1]
        yield [
            {
                "problem": problem.name,
                "projects": problem.projects,
                "budget": problem.budget,
                "solver": solver,
                "portfolios": outcome.done - outcome.failed[solver],
                **_figures(outcome.summaries[solver]),
                "per_second": outcome.rate(solver),
            }
            for solver in study.solvers
        ]


def _figures(found: dict[str, Summary]) -> dict[str, float]:
    mean = lambda name: float(found[name].mean) if float(found[name].count) else float("nan")  # noqa: E731
    largest = lambda name: float(found[name].largest) if float(found[name].count) else float("nan")  # noqa: E731
    return {
        "value": mean("value"),
        "gap": mean("gap"),
        "largest_gap": largest("gap"),
        "proved": mean("proved"),
        "optimal": mean("optimal"),
        "loss": mean("loss"),
        "loss_q99": quantile(found["loss"], 0.99),
        "largest_loss": largest("loss"),
    }
