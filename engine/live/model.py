"""The live page's model: from where the sliders stand to everything the page shows, without a page.

A `Live` holds one portfolio; a `State` is where its sliders stand: the budget and each project's weight,
start-up cost and curvature. `answer` gives a `Picture`: greedy's allocation and the exact one with their
certificates, every curve sampled, and the stages along it. All four are traced numbers and the lattice is the
one of the slider's largest budget, so that a portfolio is compiled once and a drag never compiles. Efforts
of millions are bought in lots. The numbers are those of `engine.allocate` for the same portfolio, budget and
unit.

What comes from the page is judged here: `moved` and `read_upload` raise `ValueError` in one line.

Cost: that of the two solvers, and one evaluation of the curves at `SAMPLES` efforts.
"""

from __future__ import annotations

import dataclasses
import math
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import jax
import numpy as np
import yaml

from engine.allocation.allocate import check_whole_units, choose_lattice, in_units, prepared
from engine.allocation.running import batched, on_host
from engine.files.bets import FITTED, Holds, load_bet
from engine.files.portfolios import YAML
from engine.files.records import unpacked_size
from engine.files.tables import ENDINGS
from engine.model.curves.staged import Lifecycle
from engine.model.keys import portfolio_key
from engine.model.lots import in_lots
from engine.model.portfolio import Portfolio, project_names
from engine.model.validation import check, normalise
from engine.simulation.config import ScenarioConfig
from engine.simulation.scenarios import build_scenario
from engine.solvers.lattice import Lattice, build_lattice
from engine.solvers.solution import Solution, Status

SAMPLES = 97
MOST_PROJECTS = 40
MOST_UPLOAD = 200_000
MOST_UNPACKED = 5_000_000
UPLOAD_ENDINGS = (*YAML, *ENDINGS)
MOST_SEED = 2**32 - 1
# The exact solver's steps at most: a tenth of a second or so on one core.
MOST_WORK = 1e9
# What a budget that nobody gave is this share of: the effort that takes every project to its frontier.
FUNDED = 0.4
# A frontier that is so many times as far as those of most projects says nothing of the range they live in.
OUTLYING = 1e3
ROUND_NUMBERS = np.array([1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0])
DRAGGED = ("weight", "startup", "curvature")


@dataclass(frozen=True)
class State:
    """Where the sliders stand; arrays [projects]."""

    budget: float
    weight: np.ndarray
    startup: np.ndarray
    curvature: np.ndarray


class Picture(NamedTuple):
    """What is shown of one state; curves are arrays [projects, samples], the rest [projects].

    `stage` counts from 0, and `frontier` tells whether it is the last one.
    """

    state: State
    exact: Solution
    greedy: Solution
    effort: np.ndarray
    returns: np.ndarray
    stage: np.ndarray
    frontier: np.ndarray
    exact_return: np.ndarray
    exact_stage: np.ndarray
    exact_frontier: np.ndarray
    greedy_return: np.ndarray
    greedy_frontier: np.ndarray

    @property
    def loss(self) -> float:
        """The share of the optimum that greedy leaves on the table."""
        best = float(self.exact.value)
        return (best - float(self.greedy.value)) / abs(best) if best else 0.0


class Live:
    """A portfolio whose budget, weights, start-up costs and curvatures are dragged.

    **Arguments:** `portfolio` of arrays [projects]; `budget` to begin with, `most_budget` of the slider
    (None: what suits the portfolio).

    **Raises:** `ValueError` naming what cannot be, or is too large to answer while it is dragged.
    """

    def __init__(
        self, portfolio: Portfolio, budget: float | None = None, most_budget: float | None = None
    ) -> None:
        portfolio = normalise(portfolio, np.dtype(np.float64))
        check(portfolio)
        if portfolio.cost is not None and np.any(portfolio.cost == 0):
            raise ValueError("a project of the live page has cost 0, expected a number above 0")
        if len(portfolio.shape) != 1:
            raise ValueError(f"the live page takes one portfolio, got a batch {portfolio.shape[:-1]}")
        (projects,) = portfolio.shape
        if projects > MOST_PROJECTS:
            raise ValueError(f"the portfolio has {projects} projects, expected at most {MOST_PROJECTS}")
        self.names = project_names(portfolio)
        given = {name: getattr(portfolio, name) for name in DRAGGED}
        absent = {"weight": np.ones(projects), "startup": np.zeros(projects), "curvature": np.zeros(projects)}
        start: dict[str, Any] = {n: absent[n] if v is None else np.array(v) for n, v in given.items()}
        self.portfolio = dataclasses.replace(portfolio, names=(), **start)
        full, self.stages = frontiers(self.portfolio)
        self._full = np.minimum(full, self._part("upper", math.inf))
        funded = nice_above(FUNDED * float(np.sum(self._costs() * self._full)))
        self.unit = self._unit_for(nice_above(2.0 * funded))
        check_whole_units(portfolio, self.unit)
        least = self.unit * np.ceil(self._part("lower", 0.0) / self.unit)
        self.least_budget = float(np.sum(self._costs() * least))
        if budget is None:
            budget = max(funded, self.least_budget)
        if most_budget is None:
            most_budget = nice_above(2.0 * budget) if 0 < budget < math.inf else 10.0
        self.most_budget = number_within(most_budget, "most_budget", max(self.least_budget, 1.0))
        self.budget = number_within(budget, "budget", self.least_budget, self.most_budget)
        self._lattice = self._checked_lattice()
        self.limits = self._find_limits()
        self.start = State(self.budget, **start)
        self._span = np.zeros(projects)
        self._span = self._find_spans()

    def moved(self, state: State, key: str, value: Any, project: int | None = None) -> State:
        """The state with one slider moved; `project` is whose, None for the budget.

        **Raises:** `ValueError` naming the slider, what is wrong and what was expected.
        """
        if key == "budget":
            return dataclasses.replace(
                state, budget=number_within(value, "budget", self.least_budget, self.most_budget)
            )
        if key not in DRAGGED:
            raise ValueError(f"unknown slider {key!r}, expected one of budget, {', '.join(DRAGGED)}")
        if not isinstance(project, int) or not 0 <= project < len(self.names):
            raise ValueError(f"project is {project!r}, expected a number from 0 to {len(self.names) - 1}")
        number = number_within(value, f"{self.names[project]}: {key}", 0.0, float(self.limits[key][project]))
        numbers = np.array(getattr(state, key))
        numbers[project] = number
        change: dict[str, Any] = {key: numbers}
        return dataclasses.replace(state, **change)

    def portfolio_of(self, state: State) -> Portfolio:
        """The portfolio that a state stands for."""
        return dataclasses.replace(self.portfolio, **{name: getattr(state, name) for name in DRAGGED})

    def resized(self, state: State, most_budget: float) -> Live:
        """What a state stands for, with a budget's slider that ends elsewhere."""
        portfolio = dataclasses.replace(self.portfolio_of(state), names=self.names)
        again = Live(portfolio, min(state.budget, most_budget), most_budget)
        again.limits = self.limits  # the other sliders end where they did
        return again

    def answer(self, state: State) -> Picture:
        """What is shown of a state.

        **Raises:** `ValueError` where the total return is not finite.
        """
        portfolio = self.portfolio_of(state)
        exact, greedy = self._solve(portfolio, state.budget)
        reached = np.stack([exact.effort, greedy.effort])
        # An axis grows only where a dot would leave it.
        far = 1.05 * np.max(reached, axis=0)
        span = np.where(far > self._span, [nice_above(e) for e in far], self._span)
        grid = np.linspace(0.0, 1.0, SAMPLES)[:, None] * span[None]
        sketch: Any = on_host(_sketch, portfolio, np.concatenate([grid, reached]))
        returns, stage, frontier = sketch
        if not np.all(np.isfinite(returns)):
            raise ValueError("a return is not a finite number, expected parameters of lesser magnitude")
        return Picture(
            state=state,
            exact=exact,
            greedy=greedy,
            effort=grid.T,
            returns=returns[:SAMPLES].T,
            stage=stage[:SAMPLES].T,
            frontier=frontier[:SAMPLES].T,
            exact_return=returns[SAMPLES],
            exact_stage=stage[SAMPLES],
            exact_frontier=frontier[SAMPLES],
            greedy_return=returns[SAMPLES + 1],
            greedy_frontier=frontier[SAMPLES + 1],
        )

    def _solve(self, portfolio: Portfolio, budget: float) -> tuple[Solution, Solution]:
        counted = portfolio if self.unit == 1 else in_lots(portfolio, self.unit)
        exact, greedy = (
            batched(code, counted, np.asarray(budget / self.unit, np.float64), 1, shared)
            for code, shared in (prepared(solver, self._lattice) for solver in ("exact", "greedy"))
        )
        if Status.NOT_FINITE in (int(exact.status), int(greedy.status)):
            raise ValueError(
                "the total return is not a finite number, expected parameters of lesser magnitude"
            )
        return (
            (exact, greedy) if self.unit == 1 else (in_units(exact, self.unit), in_units(greedy, self.unit))
        )

    def _unit_for(self, budget: float) -> float:
        """What effort is bought in multiples of, for such a budget to be answered while it is dragged."""
        units = (step * 10.0**decade for decade in range(300) for step in (1.0, 2.0, 5.0))
        return next(unit for unit in units if self._work(budget, unit) <= MOST_WORK)

    def _work(self, budget: float, unit: float) -> float:
        """The exact solver's steps at most."""
        projects, cost = len(self.names), cast(Any, self.portfolio.cost)
        upper = float(np.max(self._part("upper", math.inf))) / unit
        lattice = build_lattice(budget / unit, projects, cost, upper)
        return float(projects * lattice.states * lattice.units)

    def _checked_lattice(self) -> Lattice:
        """The lattice of the largest budget, if the exact solver answers on it while it is dragged."""
        upper = float(np.max(self._part("upper", math.inf)))
        projects, cost = len(self.names), cast(Any, self.portfolio.cost)
        if self._work(self.most_budget, self.unit) > MOST_WORK:
            raise ValueError(
                f"most_budget is {self.most_budget:g}, which takes the exact solver too long to answer a "
                f"drag over {projects} projects, expected less: measure effort in larger units"
            )
        most = self.most_budget / self.unit
        lattice = choose_lattice(["exact", "greedy"], most, projects, cost, upper / self.unit)
        return lattice.shared(projects, 1)

    def _find_limits(self) -> dict[str, np.ndarray]:
        """The upper ends of the sliders; a curvature's is where a project's utility has long flattened."""
        weight, startup, curvature = (np.asarray(getattr(self.portfolio, name)) for name in DRAGGED)
        same = np.ones(len(self.names))
        lift = on_host(_lift, self.portfolio, self._full)
        flat = 4.0 / np.where(np.isfinite(lift) & (lift > 0), lift, 1.0)
        return {
            "weight": same * nice_above(3.0 * float(np.max(weight)) or 1.0),
            "startup": same * nice_above(max(3.0 * float(np.max(startup)), 0.1 * self.most_budget)),
            "curvature": np.array([nice_above(c) for c in np.maximum(flat, 2.0 * curvature)]),
        }

    def _find_spans(self) -> np.ndarray:
        """Where the axis of each project ends to begin with: past its dots, and its frontier if near."""
        exact, greedy = self._solve(self.portfolio, self.budget)
        most = 0.6 * self.most_budget / self._costs()
        far = np.maximum(np.maximum(exact.effort, greedy.effort), np.minimum(self._full, most))
        return np.array([nice_above(1.1 * e) for e in np.minimum(far, self._part("upper", math.inf))])

    def _costs(self) -> np.ndarray:
        return self._part("cost", 1.0)

    def _part(self, name: str, default: float) -> np.ndarray:
        value = getattr(self.portfolio, name)
        return np.full(self.portfolio.shape, default) if value is None else np.asarray(value)


def _sketch(portfolio: Portfolio, efforts: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """(returns, stages, whether at the frontier) at rows of efforts."""
    returns = jax.vmap(portfolio.returns)(efforts)
    stage, frontier = jax.vmap(portfolio.stage)(efforts)
    return returns, stage, frontier


def _lift(portfolio: Portfolio, effort: jax.Array) -> jax.Array:
    return portfolio.curves.lift(effort)


def nice_above(number: float) -> float:
    """The least round number that is not below this one: 1, 1.5, 2, 3, 4, 5, 6 or 8 times a power of ten."""
    if not 0 < number < math.inf:
        return 1.0
    power = 10.0 ** math.floor(math.log10(number))
    least = power * ROUND_NUMBERS[np.argmax(number <= power * ROUND_NUMBERS * (1 + 1e-12))]
    return float(f"{least:.2g}")


def frontiers(portfolio: Portfolio) -> tuple[np.ndarray, np.ndarray]:
    """(about the least effort that takes each project to its last stage, how many stages it has); effort 1
    where none on the list does, and where it is out of all proportion to most."""
    tried = 10.0 ** (np.arange(480) / 40.0)
    _, stage, last = on_host(_sketch, portfolio, np.repeat(tried[:, None], portfolio.shape[-1], 1))
    there, first = last.any(axis=0), np.argmax(last, axis=0)
    full = np.where(there, tried[first], 1.0)
    told = np.take_along_axis(np.asarray(stage), first[None], axis=0)[0] + 1
    curves = portfolio.curves
    most = curves.start.shape[-1] if isinstance(curves, Lifecycle) else len(portfolio.cuts) + 1
    begun = np.maximum(np.max(stage, axis=0) + 2, most)  # one more is not reached
    return np.where(full > OUTLYING * np.median(full), 1.0, full), np.where(there, told, begun)


def number_within(value: Any, key: str, low: float, high: float = math.inf) -> float:
    """A finite number within its limits."""
    expected = f"a number from {low:g} to {high:g}" if high < math.inf else f"a number of at least {low:g}"
    kind = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not kind:
        raise ValueError(f"{key} is {repr(value)[:42]}, expected {expected}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    # A slider's end may come back with another last digit.
    if not low * (1 - 1e-12) <= number <= min(high * (1 + 1e-12), 1e300):
        raise ValueError(f"{key} is {number:g}, expected {expected}")
    return number


# Where portfolios come from.


def draw_portfolio(config: ScenarioConfig, seed: Any) -> Portfolio:
    """The first portfolio of a seed, as `engine run` draws it.

    **Raises:** `ValueError` naming the key that cannot be.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= MOST_SEED:
        raise ValueError(f"seed is {seed!r}, expected a whole number from 0 to {MOST_SEED}")
    scenario = build_scenario(config)
    if scenario.projects > MOST_PROJECTS:
        raise ValueError(f"scenario.projects is {scenario.projects}, expected at most {MOST_PROJECTS}")
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, scenario.draw(portfolio_key(seed, 0), np.float64))


def read_upload(name: str, content: bytes) -> tuple[Holds, list[str]]:
    """A file that came from the page: what it holds, and what there is to note of it.

    **Raises:** `ValueError` in one line naming the file by the name it came with.
    """
    suffix = Path(name).suffix.lower()
    if suffix not in UPLOAD_ENDINGS:
        raise ValueError(
            f"{name}: is no portfolio file, expected a name that ends in {', '.join(UPLOAD_ENDINGS)}"
        )
    if len(content) > MOST_UPLOAD:
        raise ValueError(f"{name}: has {len(content):,} bytes, expected at most {MOST_UPLOAD:,}")
    if suffix in YAML:
        _refuse_aliases(name, content)
    if (size := unpacked_size(content)) > MOST_UNPACKED:
        raise ValueError(f"{name}: holds {size:,} bytes or cells, expected at most {MOST_UNPACKED:,}")
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        path = Path(folder) / (FITTED if name == FITTED else f"portfolio{suffix}")
        path.write_bytes(content)
        try:
            held = load_bet(path)
        except ValueError as error:
            raise ValueError(str(error).replace(str(path), name)) from None
    return held, [str(note.message).replace(str(path), name) for note in notes]


def _refuse_aliases(name: str, content: bytes) -> None:
    """A few lines of YAML that name each other can stand for more than fits in memory."""
    try:
        aliases = any(isinstance(token, yaml.AliasToken) for token in yaml.scan(content))
    except (yaml.YAMLError, ValueError):
        return  # the loader says what is wrong
    if aliases:
        raise ValueError(f"{name}: has YAML aliases, expected every key written out")
