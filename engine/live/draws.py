"""The live page's model for curves that are known by draws: from where the sliders stand to what is shown.

A `LiveDraws` holds an `Uncertain`; a `Stance` is where its sliders stand: the budget, the risk aversion κ and
the share α of draws that count as the worst. `answer` gives a `Fan`: the effort that is best by

    (1 − κ)·mean + κ·CVaR_α

with its certificate, and of every project the mean curve and the band that holds the middle 80 % of its
draws. Effort is real at every κ, at 0 too, so that nothing jumps where a slider leaves its end. The three
numbers are traced: a drag never compiles. The numbers are those of `engine.bet` for the same draws.

Cost: that of `engine.bet`, and one evaluation of all draws at `SAMPLES` efforts.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import yaml

from engine.allocation.bet import Bet
from engine.allocation.place import bet
from engine.allocation.running import on_host
from engine.bets.approaches import Approaches
from engine.bets.objectives import MeanCVaR
from engine.bets.spillover import Coupled
from engine.bets.uncertain import Uncertain, normalise_uncertain
from engine.files.shipped import config_folder
from engine.live.model import (
    FUNDED,
    MOST_PROJECTS,
    SAMPLES,
    Live,
    draw_portfolio,
    frontiers,
    nice_above,
    number_within,
)
from engine.model.keys import named, portfolio_key
from engine.model.portfolio import Portfolio, numbered
from engine.periods.spread import Spread as Carried
from engine.resources.resources import Resourced
from engine.rules.ruled import Ruled
from engine.simulation.catalogue import scenario_names
from engine.simulation.config import ScenarioConfig
from engine.simulation.scenarios import build_scenario

# The shares of draws below the band and below its upper edge.
BAND = (0.1, 0.9)
# Projects times draws at most, and where all are concave: more take seconds to answer a drag.
MOST_CURVES, MOST_CONCAVE = 4_000, 20_000
LEAST_TAIL, MOST_TAIL = 0.05, 0.5
# What scenarios give, and bets of files, that the page does not show.
UNSHOWN = {
    "approaches": "approaches that may fail",
    "coupled": "projects that spill over",
    "ruled": "rules",
    "plan": "plans over periods",
}
OTHERS: dict[type, str] = {
    Approaches: "approaches that may fail",
    Coupled: "projects that spill over",
    Resourced: "several resources",
    Ruled: "rules",
    Carried: "effort that carries over",
}


@dataclass(frozen=True)
class Stance:
    """Where the sliders stand."""

    budget: float
    aversion: float = 0.0
    tail: float = 0.1


class Spread(NamedTuple):
    """Of draws: their mean, and the edges of the band."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


class Fan(NamedTuple):
    """What is shown of one stance: curves are arrays [projects, samples], `here` is [projects], at the effort
    of the answer."""

    state: Stance
    bet: Bet
    effort: np.ndarray
    curves: Spread
    here: Spread


class LiveDraws:
    """Draws of curves whose budget and risk aversion are dragged.

    **Arguments:** `given`, the draws; `budget` to begin with, `most_budget` of the slider (None: what suits
    the projects).

    **Raises:** `ValueError` naming what cannot be, or is too large to answer while it is dragged.
    """

    def __init__(
        self, given: Uncertain, budget: float | None = None, most_budget: float | None = None
    ) -> None:
        given = normalise_uncertain(given, np.dtype(np.float64))
        _check_size(given)
        projects = given.shape[-1]
        self.names = given.names or numbered(projects)
        self.draws = dataclasses.replace(given, names=())
        cost, upper = (
            np.full(projects, absent) if part is None else np.asarray(part)
            for part, absent in ((given.cost, 1.0), (given.upper, np.inf))
        )
        simple: Any = on_host(Uncertain.mean_parameters, self.draws)
        full = np.minimum(frontiers(simple)[0], upper)
        self.least_budget = 0.0 if given.lower is None else float(np.sum(cost * given.lower))
        if budget is None:
            budget = max(nice_above(FUNDED * float(np.sum(cost * full))), self.least_budget)
        if most_budget is None:
            most_budget = nice_above(2.0 * budget) if 0 < budget < np.inf else 10.0
        self.most_budget = number_within(most_budget, "most_budget", max(self.least_budget, 1.0))
        self.budget = number_within(budget, "budget", self.least_budget, self.most_budget)
        self.start = Stance(self.budget)
        # Answered once before anything is shown, so that no page waits for its compilation.
        far = np.maximum(self._best(self.start).effort, np.minimum(full, 0.6 * self.most_budget / cost))
        self._span = np.array([nice_above(1.1 * e) for e in np.minimum(far, upper)])

    def moved(self, state: Stance, key: str, value: Any, project: int | None = None) -> Stance:
        """The stance with one slider moved.

        **Raises:** `ValueError` naming the slider, what is wrong and what was expected.
        """
        ends = {
            "budget": (self.least_budget, self.most_budget),
            "aversion": (0.0, 1.0),
            "tail": (LEAST_TAIL, MOST_TAIL),
        }
        if key not in ends or project is not None:
            raise ValueError(f"unknown slider {key!r}, expected one of {', '.join(ends)}")
        change: dict[str, Any] = {key: min(number_within(value, key, *ends[key]), ends[key][1])}
        return dataclasses.replace(state, **change)

    def resized(self, state: Stance, most_budget: float) -> LiveDraws:
        """The same draws with a budget's slider that ends elsewhere, and all sliders where they stand."""
        again = LiveDraws(
            dataclasses.replace(self.draws, names=self.names), min(state.budget, most_budget), most_budget
        )
        again.start = dataclasses.replace(state, budget=again.budget)
        return again

    def answer(self, state: Stance) -> Fan:
        """What is shown of a stance.

        **Raises:** `ValueError` where the total return is not finite.
        """
        found = self._best(state)
        # An axis grows only where a dot would leave it.
        far = 1.05 * found.effort
        span = np.where(far > self._span, [nice_above(e) for e in far], self._span)
        grid = np.linspace(0.0, 1.0, SAMPLES)[:, None] * span[None]
        spread: Any = on_host(_spread, self.draws, np.concatenate([grid, found.effort[None]]))
        if not all(np.all(np.isfinite(part)) for part in spread):
            raise ValueError("a return is not a finite number, expected parameters of lesser magnitude")
        curves = Spread(*(part[:SAMPLES].T for part in spread))
        return Fan(state, found, grid.T, curves, Spread(*(part[SAMPLES] for part in spread)))

    def _best(self, state: Stance) -> Bet:
        goal = MeanCVaR(state.aversion, state.tail)
        return bet(self.draws, state.budget, objective=goal, knowledge=False)


def draw_scenario(config: ScenarioConfig, seed: Any) -> Portfolio | Uncertain:
    """The first portfolio of a seed, as `engine run` draws it, with the draws around it of a scenario with an
    uncertainty.

    **Raises:** `ValueError` naming the key that cannot be, and for what the page does not show.
    """
    scenario = build_scenario(config)
    if scenario.gives in UNSHOWN:
        raise ValueError(
            f"scenario {config.name} has {UNSHOWN[scenario.gives]}, expected one of portfolios or of draws "
            "of curves, which the live page shows"
        )
    portfolio = draw_portfolio(config, seed)
    if scenario.uncertainty is None:
        return portfolio
    with jax.enable_x64(True):
        key = named(portfolio_key(seed, 0), "uncertainty")
        return jax.tree.map(np.asarray, scenario.uncertainty.around(portfolio, key))


def shown_scenarios() -> list[str]:
    """The scenarios that ship and that the page shows, by the keys of their files."""
    folder = config_folder() / "scenario"
    keys = {name: yaml.safe_load((folder / f"{name}.yaml").read_text()).keys() for name in scenario_names()}
    return [name for name, own in keys.items() if not own & {"approaches", "spillover", "rules", "planning"}]


def live_of(given: Any, budget: float | None = None, most_budget: float | None = None) -> Live | LiveDraws:
    """The model of what a file holds.

    **Raises:** `ValueError` for a bet that the page does not show, and as the models do.
    """
    if isinstance(given, Uncertain):
        return LiveDraws(given, budget, most_budget)
    if not isinstance(given, Portfolio):
        raise ValueError(
            f"the live page shows portfolios and draws of curves, the file holds {OTHERS[type(given)]}: "
            "engine allocate places a budget on them"
        )
    return Live(given, budget, most_budget)


def _spread(draws: Uncertain, efforts: jax.Array) -> tuple[jax.Array, ...]:
    """A `Spread` of returns at rows of efforts, [rows, projects]."""
    returns = jax.vmap(draws.returns)(efforts)
    low, high = jnp.quantile(returns, jnp.asarray(BAND, returns.dtype), axis=1)
    return jnp.mean(returns, axis=1), low, high


def _check_size(given: Uncertain) -> None:
    """Raise `ValueError` for what is no one set of projects, or too large to be answered while dragged."""
    if len(given.shape) != 1:
        raise ValueError(f"the live page takes one set of draws, got a batch {given.shape[:-1]}")
    (projects,) = given.shape
    if projects > MOST_PROJECTS:
        raise ValueError(f"the draws have {projects} projects, expected at most {MOST_PROJECTS}")
    most = MOST_CONCAVE if given.concave else MOST_CURVES
    if projects * given.count > most:
        raise ValueError(
            f"there are {given.count} draws of {projects} projects, expected at most "
            f"{most // projects} draws of so many: more take too long to answer a drag"
        )
    if given.cost is not None and np.any(given.cost == 0):
        raise ValueError("a project of the live page has cost 0, expected a number above 0")
