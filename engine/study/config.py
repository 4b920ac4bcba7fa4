"""The configuration of a study, typed: every key that a YAML file or an override may set."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from engine.files.shipped import MISSING, one_of_these
from engine.simulation.config import ScenarioConfig


@dataclass
class MonteCarloConfig:
    """How many portfolios, from which seed, in blocks of what size (none: as suits the device) and precision,
    stored where."""

    portfolios: int = MISSING
    seed: int = MISSING
    block: int | None = MISSING
    dtype: str = one_of_these("float32", "float64")
    output: str = MISSING
    records: bool = MISSING


@dataclass
class RunConfig:
    """`engine run`."""

    scenario: ScenarioConfig = field(default_factory=ScenarioConfig)
    budget: float = MISSING
    solver: dict[str, Any] = field(default_factory=dict)
    run: MonteCarloConfig = field(default_factory=MonteCarloConfig)


@dataclass
class SweepOptions:
    """What a sweep varies (see `engine.study.grid`), and how this process takes part in it."""

    grid: dict[str, Any] = field(default_factory=dict)
    zip: list[list[str]] = field(default_factory=list)
    question: str | None = MISSING
    dry_run: bool = MISSING
    retry_failed: bool = MISSING
    worker: int = MISSING
    workers: int = MISSING
    coordinator: str | None = MISSING
    log_seconds: float = MISSING


@dataclass
class SweepConfig(RunConfig):
    """`engine sweep`."""

    sweep: SweepOptions = field(default_factory=SweepOptions)
