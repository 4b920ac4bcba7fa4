"""The configuration of the live page, typed."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.simulation.config import ScenarioConfig


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
