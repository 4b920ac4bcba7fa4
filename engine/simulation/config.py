"""What a scenario is made of, typed: the priors of its curves and parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from engine.files.shipped import MISSING


@dataclass
class PriorConfig:
    """A distribution of one parameter; numbers may be lists, one entry a project (or a stage).

    `dist` is one of fixed (value), uniform and loguniform (low, high), normal (mean, sd), lognormal
    (median, sigma: the standard deviation of the logarithm), choice (values, equally likely), and absent,
    for a part that a portfolio can do without.
    """

    dist: str = "fixed"
    value: Any = None
    low: Any = None
    high: Any = None
    mean: Any = None
    sd: Any = None
    median: Any = None
    sigma: Any = None
    values: Any = None


def absent() -> PriorConfig:
    """The prior of a part that portfolios of the scenario do not have."""
    return PriorConfig(dist="absent")


@dataclass
class FamilyConfig:
    """The prior of one curve family: how large its share of the projects is, and its parameters."""

    share: float = 1.0
    parameters: dict[str, PriorConfig] = field(default_factory=dict)


@dataclass
class ApproachConfig:
    """One approach that every project has, of which the best that succeeds counts: the priors of its curves,
    as of a scenario, and of what is its own."""

    curves: dict[str, FamilyConfig] = field(default_factory=dict)
    weight: PriorConfig = field(default_factory=absent)
    startup: PriorConfig = field(default_factory=absent)
    success: PriorConfig = field(default_factory=absent)
    curvature: PriorConfig = field(default_factory=absent)
    threshold: PriorConfig = field(default_factory=absent)


@dataclass
class UncertaintyConfig:
    """What is not known of a portfolio when effort is fixed: `draws` of it, of which one will be so; 0 where
    all is known.

    `spread` is the σ of parameters by name, of curves or of the parts weight, startup, curvature and
    threshold: in each draw a project's own is multiplied by exp(σz − σ²/2), z standard normal, of mean one.
    With `outcomes` success is drawn too: a project pays in full in some draws, and nothing in the others.
    """

    draws: int = 0
    spread: dict[str, float] = field(default_factory=dict)
    outcomes: bool = False


@dataclass
class SpilloverConfig:
    """Platforms, the first so many projects of a scenario, whose effort counts for others too; 0 where effort
    counts for its own project alone.

    A platform lifts each project that is none with the probability `chance`, and `share` is the prior of what
    that one receives per unit spent on the platform, one draw a pair. `own` multiplies the weights of the
    platforms.
    """

    platforms: int = 0
    chance: float = 1.0
    share: PriorConfig = field(default_factory=absent)
    own: float = 1.0


@dataclass
class PlanningConfig:
    """How the budget is spent over `periods`, with looks between them, for the policies of
    `engine.planning`; 0 where it is spent at once.

    - `lots`: how many equal parts a period's share of the budget is spent in.
    - `stall`, `resume`: the chances a period that what runs comes to a stop, and goes on.
    - `most`: how many lots a period can spend of what earlier ones left; none: what a period leaves lapses.
    - `deadline`: after how many periods effort on a project makes no progress any more, drawn and known.
    - `discount`: what a return that comes a period later counts for, a share; none: as much.
    - `progress`, `noise`: the σ of progress per effort, in logarithms, and of what is seen, as a share of
      what the whole budget would bring a project on average.
    - `particles`: how many draws of a portfolio are believed possible at first.
    - `worlds`: how many truths each portfolio is planned for; means, deviation and CVaR are over these.
    - `more`: the share of budget that a static plan has besides, to compare with.
    """

    periods: int = 0
    lots: int = 4
    stall: float = 0.0
    resume: float = 1.0
    progress: float = 0.0
    noise: float = 0.02
    particles: int = 256
    worlds: int = 1
    more: float = 0.1
    most: int | None = None
    discount: float | None = None
    deadline: PriorConfig = field(default_factory=absent)


@dataclass
class RulesConfig:
    """Rules that an allocation has to keep.

    The projects, in their order, make so many `groups` of as equal a size as can be, each of which spends at
    least and at most a share of the budget (`least`, `most`), with so many projects `funded` at most. Of each
    `either` projects in a row within a group one is funded at most. `minimum` is the prior of the least
    effort of a project that is funded.
    """

    groups: int = 1
    least: float | None = None
    most: float | None = None
    funded: int | None = None
    either: int = 0
    minimum: PriorConfig = field(default_factory=absent)


@dataclass
class ScenarioConfig:
    """A joint prior over portfolios; for what the parts mean see `engine.Portfolio`.

    With `approaches`, by name, curves and what else is an approach's own are theirs; of the scenario's own
    parts there are then `weight` and `skew`, which multiply those of the approaches, and `cost`.
    """

    name: str = MISSING
    description: str = ""
    projects: int = MISSING
    names: list[str] | None = None
    budget: float = MISSING
    curves: dict[str, FamilyConfig] = field(default_factory=dict)
    draws: str | None = None
    skew: float | None = None
    weight: PriorConfig = field(default_factory=absent)
    cost: PriorConfig = field(default_factory=absent)
    lower: PriorConfig = field(default_factory=absent)
    upper: PriorConfig = field(default_factory=absent)
    startup: PriorConfig = field(default_factory=absent)
    success: PriorConfig = field(default_factory=absent)
    curvature: PriorConfig = field(default_factory=absent)
    threshold: PriorConfig = field(default_factory=absent)
    reach: PriorConfig = field(default_factory=absent)
    cuts: list[float] | None = None  # those of `engine.Portfolio`
    uncertainty: UncertaintyConfig = field(default_factory=UncertaintyConfig)
    approaches: dict[str, ApproachConfig] = field(default_factory=dict)
    spillover: SpilloverConfig = field(default_factory=SpilloverConfig)
    rules: RulesConfig = field(default_factory=RulesConfig)
    planning: PlanningConfig = field(default_factory=PlanningConfig)
