"""The configuration, typed: every key that a YAML file or an override may set, with its type and default.

Hydra merges the files under configs/ into these, so a wrong key or type is an error that names it. What a
value means for the mathematics is judged where it is used, by `ValueError`s that name the key.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import MISSING


def config_folder() -> Path:
    """The YAML files: inside the installed package, or at the top of a checkout."""
    inside = Path(__file__).parent / "configs"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "configs"


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
class ScenarioConfig:
    """A joint prior over portfolios; for what the parts mean see `engine.Portfolio`."""

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
    cuts: list[float] = field(default_factory=lambda: [0.5, 0.75, 0.9])


@dataclass
class MonteCarloConfig:
    """How many portfolios, from which seed, in blocks of what size and precision, stored where."""

    portfolios: int = 10_000
    seed: int = 0
    block: int = 1024
    dtype: str = "float64"
    output: str = MISSING
    records: bool = False


@dataclass
class RunConfig:
    """`engine run`."""

    scenario: ScenarioConfig = field(default_factory=ScenarioConfig)
    budget: float = MISSING
    solver: dict[str, Any] = field(default_factory=dict)
    run: MonteCarloConfig = field(default_factory=MonteCarloConfig)


@dataclass
class TargetConfig:
    """What the budget is asked for, where it is not given: one of these; see `engine.budget_for`."""

    value: float | None = None
    return_per_unit: float | None = None
    price: float | None = None


@dataclass
class AllocateConfig:
    """`engine allocate`."""

    portfolio: str = MISSING
    budget: float | None = None
    target: TargetConfig = field(default_factory=TargetConfig)
    solver: dict[str, Any] = field(default_factory=dict)
    format: str = "table"


@dataclass
class FrontierConfig:
    """`engine frontier`."""

    portfolio: str = MISSING
    budget: float = MISSING
    solver: dict[str, Any] = field(default_factory=dict)
    format: str = "table"
    rows: int = 20


@dataclass
class FitConfig:
    """`engine fit`."""

    data: str = MISSING
    families: list[str] = field(default_factory=list)
    holdout: float = 0.2
    loss: str = "huber"
    choice: str = "common"
    bootstrap: int = 200
    seed: int = 0
    extrapolate: float | None = 4.0
    output: str = MISSING


@dataclass
class ResponsesConfig:
    """`engine responses`."""

    data: str = MISSING
    source: str = MISSING
    model: str | None = None
    saturation: str | None = None
    scales: str | None = None
    target_scale: float = 1.0
    normalize: bool = True
    l_max: int | None = None
    metric: str = "mean"
    output: str = MISSING


@dataclass
class TextbookConfig:
    """`engine textbook`."""

    run: MonteCarloConfig = field(default_factory=MonteCarloConfig)


@dataclass
class DemoConfig:
    """`engine demo`."""

    scenario: ScenarioConfig = field(default_factory=ScenarioConfig)
    portfolio: str | None = None
    budget: float | None = None
    most_budget: float | None = None
    seed: int = 0
    port: int = 5006
    open: bool = True
    log: bool = False


@dataclass
class BenchmarkConfig:
    """`engine benchmark`."""

    problems: list[str] = field(default_factory=list)
    sizes: list[Any] = field(default_factory=list)
    solver: dict[str, Any] = field(default_factory=dict)
    run: MonteCarloConfig = field(default_factory=MonteCarloConfig)


@dataclass
class SweepOptions:
    """What a sweep varies (see `engine.grid`), and how this process takes part in it."""

    grid: dict[str, Any] = field(default_factory=dict)
    zip: list[list[str]] = field(default_factory=list)
    question: str | None = None
    dry_run: bool = False
    retry_failed: bool = False
    worker: int = 0
    workers: int = 1
    coordinator: str | None = None
    log_seconds: float = 30.0


@dataclass
class SweepConfig(RunConfig):
    """`engine sweep`."""

    sweep: SweepOptions = field(default_factory=SweepOptions)


@dataclass
class StudyConfig:
    """`engine status`."""

    study: str = MISSING


@dataclass
class ReportConfig:
    """`engine report`."""

    study: str = MISSING
    html: bool = True
    question: str | None = None
    output: str | None = None


@dataclass
class FiguresConfig:
    """`engine figures`."""

    study: str | None = None
    portfolio: str | None = None
    budget: float | None = None
    solver: dict[str, Any] = field(default_factory=dict)
    x: str | None = None
    y: str | None = None
    by: str | None = None
    metric: str | None = None
    formats: list[str] = field(default_factory=list)
    output: str | None = None


@dataclass
class ReplayConfig:
    """`engine replay`."""

    study: str = MISSING
    block: int = MISSING
    output: str | None = None
