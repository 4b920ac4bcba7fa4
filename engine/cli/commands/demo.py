"""`engine demo`: the live page, served on this machine for this machine."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from engine.cli.command import Command, ReadingConfig
from engine.cli.words import say
from engine.files.shipped import MISSING
from engine.simulation.config import ScenarioConfig

MOST_PORT = 65_535


@dataclass
class DemoConfig(ReadingConfig):
    """`engine demo`."""

    scenario: ScenarioConfig = field(default_factory=ScenarioConfig)
    portfolio: str | None = MISSING
    budget: float | None = MISSING
    most_budget: float | None = MISSING
    seed: int = MISSING
    port: int = MISSING
    open: bool = MISSING
    log: bool = MISSING


def demo(config: DemoConfig) -> None:
    """`engine demo`."""
    from engine.files.portfolios import load_portfolio, portfolio_path
    from engine.files.reading import Reading
    from engine.live.model import Live, draw_portfolio

    if not 0 <= config.port <= MOST_PORT:
        raise ValueError(f"port is {config.port}, expected a number from 0 to {MOST_PORT}")
    for key in ("budget", "most_budget"):
        number = getattr(config, key)
        if number is not None and not 0 <= number < math.inf:
            raise ValueError(f"{key} is {number:g}, expected a number of at least 0")
    try:
        from engine.live.page import Origin, Service
        from engine.live.server import serve
    except ImportError as error:
        if error.name is None or error.name.split(".")[0] not in ("bokeh", "tornado"):
            raise
        raise ValueError('the live page needs bokeh, expected pip install "engine[demo]"') from None
    if config.portfolio is not None:
        path = portfolio_path(config.portfolio)
        portfolio = load_portfolio(path, **config.reading())
        origin = Origin(path.name, Live(portfolio, config.budget, config.most_budget))
    else:
        Reading(**config.reading()).refuse("a scenario")
        budget = config.scenario.budget if config.budget is None else config.budget
        portfolio = draw_portfolio(config.scenario, config.seed)
        origin = Origin(config.scenario.name, Live(portfolio, budget, config.most_budget), config.scenario)
    service = Service(origin, config.scenario, config.budget, config.seed)
    if config.log:
        service.said = lambda seconds: say(f"answered in {1e3 * seconds:.1f} ms")
    serve(service, config.port, config.open)


COMMAND = Command(
    "a live local page: drag the budget and the projects",
    "engine demo scenario=staged",
    DemoConfig,
    demo,
)
