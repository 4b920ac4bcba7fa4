"""Monte Carlo from Python: a scenario by its name, portfolios drawn from it, and what solvers make of them.

It draws and solves as `engine run` does, so the numbers are the same; nothing is stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from engine.allocation.allocate import check_budget
from engine.allocation.facts import as_frame
from engine.allocation.old_names import by_current_names
from engine.bets.approaches import Approaches
from engine.bets.spillover import Coupled
from engine.model.keys import portfolio_key
from engine.model.portfolio import Portfolio
from engine.rules.ruled import Ruled
from engine.simulation.blocks import Block, Simulation, default_block
from engine.simulation.catalogue import shipped_scenario
from engine.simulation.methods import check_method, reference
from engine.simulation.point import Point, chosen_lattice
from engine.simulation.scenarios import Scenario, build_scenario
from engine.simulation.summaries import Summary, means, merge

MOST_DRAWN = 2**32 - 1


@dataclass(frozen=True, eq=False, repr=False)
class NamedScenario:
    """A joint prior over portfolios with a name, made by `engine.scenario`; printed, it is two lines.

    - `name`, `description`: in words.
    - `budget`: what its portfolios are meant to be allocated.
    - `prior`: the distributions themselves.
    """

    name: str
    description: str
    budget: float
    prior: Scenario

    @property
    def projects(self) -> int:
        """How many projects a portfolio has."""
        return self.prior.projects

    def draw(self, seed: int = 0, count: int = 1) -> Portfolio:
        """Random portfolios, arrays of the host [count, projects] in float64.

        Portfolio j of a seed is the same whatever the count, and that of `engine run` and `engine.simulate`.

        **Raises:** `ValueError` for a seed or a count that cannot be, or a scenario with approaches or a
        spillover.
        """
        if self.prior.labels:
            raise ValueError(f"projects of scenario {self.name} have approaches, expected draw_approaches")
        if self.prior.platforms is not None:
            raise ValueError(f"effort of scenario {self.name} spills over, expected draw_coupled")
        return self._drawn(_draw, seed, count)  # type: ignore[no-any-return]

    def draw_approaches(self, seed: int = 0, count: int = 1) -> Approaches:
        """Random projects with approaches, for `engine.bet`, as `draw` draws portfolios.

        **Raises:** `ValueError` for a seed or a count that cannot be, or a scenario without approaches.
        """
        if not self.prior.labels:
            raise ValueError(f"projects of scenario {self.name} have no approaches, expected draw")
        return self._drawn(_draw_approaches, seed, count)  # type: ignore[no-any-return]

    def draw_coupled(self, seed: int = 0, count: int = 1) -> Coupled:
        """Random portfolios with their spill-over, for `engine.bet`, as `draw` draws portfolios.

        **Raises:** `ValueError` for a seed or a count that cannot be, or a scenario without a spillover.
        """
        if self.prior.platforms is None:
            raise ValueError(f"effort of scenario {self.name} does not spill over, expected draw")
        return self._drawn(_draw_coupled, seed, count)  # type: ignore[no-any-return]

    def draw_ruled(self, seed: int = 0, count: int = 1) -> Ruled:
        """Random portfolios with their rules, for `engine.bet`, as `draw` draws portfolios.

        **Raises:** `ValueError` for a seed or a count that cannot be, or a scenario without rules.
        """
        if self.prior.rules is None:
            raise ValueError(f"scenario {self.name} has no rules, expected draw")
        return self._drawn(_draw_ruled, seed, count)  # type: ignore[no-any-return]

    def _drawn(self, draw: Any, seed: int, count: int) -> Any:
        """So many, arrays of the host."""
        _check_whole("seed", seed, 0)
        _check_whole("count", count, 1)
        with jax.enable_x64(True):
            drawn = draw(self.prior, np.uint32(seed), np.arange(count, dtype=np.uint32))
            return jax.tree.map(np.asarray, drawn)

    def __repr__(self) -> str:
        return f"{self.name}: {self.description}\n{self.projects:,} projects, budget {self.budget:g}"


@jax.jit
def _draw(prior: Scenario, seed: Array, indices: Array) -> Portfolio:
    return jax.vmap(lambda j: prior.draw(portfolio_key(seed, j), np.float64))(indices)


@jax.jit
def _draw_approaches(prior: Scenario, seed: Array, indices: Array) -> Approaches:
    return jax.vmap(lambda j: prior.draw_approaches(portfolio_key(seed, j), np.float64))(indices)


@jax.jit
def _draw_coupled(prior: Scenario, seed: Array, indices: Array) -> Coupled:
    return jax.vmap(lambda j: prior.draw_coupled(portfolio_key(seed, j), np.float64))(indices)


@jax.jit
def _draw_ruled(prior: Scenario, seed: Array, indices: Array) -> Ruled:
    return jax.vmap(lambda j: prior.draw_ruled(portfolio_key(seed, j), np.float64))(indices)


def scenario(name: str, **changes: Any) -> NamedScenario:
    """A scenario that ships, with some of its keys changed: `engine.scenario("staged", projects=12)`.

    A distribution is a mapping, `weight={"dist": "lognormal", "sigma": 1.5}`; see the scenarios' reference.

    **Raises:** `ValueError` naming a scenario or a key that there is not, or a value that cannot be.
    """
    config = shipped_scenario(name, **changes)
    return NamedScenario(config.name, config.description, float(config.budget), build_scenario(config))


@dataclass(frozen=True, eq=False, repr=False)
class Simulated:
    """What solvers made of a scenario's portfolios; printed, a line a solver.

    - `summaries`: of each metric by solver; see `rows()` for plain numbers.
    - `unsolved`: how many portfolios each solver could not solve; they are not in the summaries.
    - `seconds`: of each solver, compilation apart.
    """

    scenario: NamedScenario
    budget: float
    portfolios: int
    seed: int
    summaries: dict[str, dict[str, Summary]] = field(default_factory=dict)
    unsolved: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def rows(self) -> list[dict[str, Any]]:
        """One row a solver and metric: how many portfolios count, mean, standard error, 95 % quantile and
        largest value."""
        return [
            {"solver": solver, "metric": metric, "count": int(summary.count), **means(summary)}
            for solver, metrics in self.summaries.items()
            for metric, summary in metrics.items()
        ]

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame` of `rows()`.

        **Raises:** `ImportError` without pandas.
        """
        return as_frame(self.rows())

    def mean(self, solver: str, metric: str = "value") -> float:
        """The mean of a metric over the portfolios that a solver solved.

        **Raises:** `ValueError` for a solver or metric that there is not.
        """
        for name, known in ((solver, self.summaries), (metric, next(iter(self.summaries.values())))):
            if name not in known:
                raise ValueError(f"there is no {name!r}, expected one of {', '.join(known)}")
        return means(self.summaries[solver][metric])["mean"]

    def __repr__(self) -> str:
        lines = [f"{self.portfolios:,} portfolios of {self.scenario.name}, budget {self.budget:g}"]
        for solver, metrics in self.summaries.items():
            value = means(metrics["value"])
            unsolved = f", {self.unsolved[solver]:,} not solved" if self.unsolved[solver] else ""
            error = f"{value['mean']:.5g} ± {value['standard_error']:.2g}"
            lines.append(f"{solver}: mean total return {error}, {self._missed(metrics)}{unsolved}")
        return "\n".join(lines)

    def _missed(self, metrics: Mapping[str, Summary]) -> str:
        if "regret" in metrics:
            return f"mean regret {means(metrics['regret'])['mean']:.3g}"
        return f"mean gap {100 * means(metrics['gap'])['mean']:.2f} %"

    def _add(self, block: Block) -> None:
        for solver, found in block.summaries.items():
            before = self.summaries.get(solver, {})
            self.summaries[solver] = {metric: merge(before.get(metric), one) for metric, one in found.items()}
            self.unsolved[solver] = self.unsolved.get(solver, 0) + block.failed[solver]
            self.seconds[solver] = self.seconds.get(solver, 0.0) + block.seconds[solver]


def simulate(
    population: NamedScenario | str,
    *,
    budget: float | None = None,
    solvers: Sequence[str] | Mapping[str, Mapping[str, Any]] = ("greedy", "exact"),
    portfolios: int = 10_000,
    seed: int = 0,
) -> Simulated:
    """Draw portfolios of a scenario, allocate the budget over each by every solver, and sum up.

    **Arguments:** `population`, an `engine.scenario`, or the name of one; `budget`, the scenario's own if not
    given; `solvers`, names in `engine.SOLVERS`, or of a scenario with an uncertainty, approaches or a
    spillover also in `engine.bets.methods.METHODS`, of one with a planning in
    `engine.planning.policies.POLICIES`, or a mapping of names to their options; `portfolios`, how
    many; `seed`: portfolio j depends on (seed, j) alone. Memory does not grow with their number.

    **Raises:** `ValueError` naming what cannot be.
    """
    made = scenario(population) if isinstance(population, str) else population
    if not isinstance(made, NamedScenario):
        raise ValueError(f"expected an engine.scenario or the name of one, got {type(made).__name__}")
    budget = check_budget(made.budget if budget is None else float(budget))
    _check_whole("portfolios", portfolios, 1)
    _check_whole("seed", seed, 0)
    given = by_current_names(solvers if isinstance(solvers, Mapping) else {name: {} for name in solvers})
    gives = made.prior.gives
    options = {name: check_method(name, dict(values), gives) for name, values in given.items()}
    if not options:
        raise ValueError("solvers is empty, expected at least one solver")
    block = min(default_block(portfolios, made.prior.draws), portfolios)
    simulated = Simulated(made, budget, portfolios, seed)
    with jax.enable_x64(True):
        lattice = chosen_lattice(made.prior, budget, options, block)
        dtype = np.dtype(np.float64)
        best = reference(options)
        point = Point(made.prior, budget, options, lattice, seed, portfolios, block, dtype, best)
        simulation = Simulation(point)
        for solved in simulation.in_turn([(point, index) for index in range(point.blocks)]):
            simulated._add(solved)
    return simulated


def _check_whole(name: str, value: Any, least: int) -> None:
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, np.integer))
        or not least <= value <= MOST_DRAWN
    ):
        raise ValueError(f"{name} is {value!r}, expected a whole number from {least} to {MOST_DRAWN}")
