"""`engine demo`: the live page, served on this machine for this machine."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.command import Command, ReadingConfig
from engine.cli.words import say
from engine.files.shipped import MISSING
from engine.simulation.config import ScenarioConfig

if TYPE_CHECKING:
    from engine.live.service import Origin

MOST_PORT = 65_535


@dataclass
class DemoConfig(ReadingConfig):
    """`engine demo`."""

    scenario: ScenarioConfig = field(default_factory=ScenarioConfig)
    portfolio: str | None = MISSING
    budget: float | None = MISSING
    most_budget: float | None = MISSING
    seed: int = MISSING
    outcomes: int | None = MISSING
    port: int = MISSING
    open: bool = MISSING
    log: bool = MISSING


def demo(config: DemoConfig) -> None:
    """`engine demo`."""
    if not 0 <= config.port <= MOST_PORT:
        raise ValueError(f"port is {config.port}, expected a number from 0 to {MOST_PORT}")
    for key in ("budget", "most_budget"):
        number = getattr(config, key)
        if number is not None and not 0 <= number < math.inf:
            raise ValueError(f"{key} is {number:g}, expected a number of at least 0")
    from engine.live.server import serve
    from engine.live.service import Service

    begin = time.perf_counter()
    origin = _origin(config)
    seconds = time.perf_counter() - begin
    service = Service(origin, config.scenario, config.budget, config.seed, seconds)
    if config.log:
        service.said = lambda seconds: say(f"answered in {1e3 * seconds:.1f} ms")
    serve(service, config.port, config.open)


def _origin(config: DemoConfig) -> Origin:
    """What the page begins with: a file's portfolio or draws, or a scenario's draw."""
    from engine.cli.bets import drawn
    from engine.files.bets import load_bet
    from engine.files.reading import Reading
    from engine.live.draws import draw_scenario, live_of
    from engine.live.service import Origin

    if config.portfolio is not None:
        given = drawn(load_bet(config.portfolio, **config.reading()), config.outcomes, config.seed)
        return Origin(Path(config.portfolio).name, live_of(given, config.budget, config.most_budget))
    Reading(**config.reading()).refuse("a scenario")
    if config.outcomes is not None:
        raise ValueError(f"outcomes is {config.outcomes}, expected none for a scenario, only for a portfolio")
    scenario = config.scenario
    budget = scenario.budget if config.budget is None else config.budget
    live = live_of(draw_scenario(scenario, config.seed), budget, config.most_budget)
    return Origin(scenario.name, live, scenario)


COMMAND = Command(
    "a live local page: drag the budget and the projects",
    (
        "engine demo scenario=staged  # one draw of a scenario",
        "engine demo portfolio=textbook budget=100  # a portfolio that ships; your own: portfolio=FILE",
        "engine demo portfolio=uncertain port=0 open=false  # of draws; at a free port, and no browser",
    ),
    DemoConfig,
    demo,
)
