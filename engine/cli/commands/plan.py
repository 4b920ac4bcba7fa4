"""`engine plan`: one real plan, period by period."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import asdict, dataclass, field
from typing import Any

from engine.cli.command import Command
from engine.cli.words import noted
from engine.files.shipped import MISSING, one_of_these


@dataclass
class PlanningConfig:
    """How the plan proceeds; see `engine.planning.world.Terms`."""

    periods: int = MISSING
    lots: int = MISSING
    stall: float = MISSING
    resume: float = MISSING
    progress: float = MISSING
    noise: float = MISSING
    discount: float | None = MISSING
    particles: int = MISSING


@dataclass
class PlanConfig:
    """`engine plan`."""

    draws: str = MISSING
    budget: float = MISSING
    log: str | None = MISSING
    policy: str = MISSING
    planning: PlanningConfig = field(default_factory=PlanningConfig)
    seed: int = MISSING
    format: str = one_of_these("table", "json", "csv")
    columns: dict[str, Any] = field(default_factory=dict)
    where: dict[str, Any] = field(default_factory=dict)
    direction: str = one_of_these("up", "down")
    effort_unit: float = MISSING
    decimal: str | None = one_of_these("point", "comma")
    sheet: str | None = MISSING

    def reading(self) -> dict[str, Any]:
        """How the log is read."""
        keys = ("columns", "where", "direction", "effort_unit", "decimal", "sheet")
        return {key: getattr(self, key) for key in keys}


def plan(config: PlanConfig) -> None:
    """`engine plan`."""
    from engine.advice.plan import MOST_PARTICLES
    from engine.advice.plan import plan as advise
    from engine.cli.plans import plan_table
    from engine.cli.sheet import show
    from engine.cli.waiting import waiting
    from engine.files.reading import Reading
    from engine.files.spending import load_spending
    from engine.planning.checks import check_count, check_terms
    from engine.planning.world import Terms

    terms = asdict(config.planning)
    particles = terms.pop("particles")
    check_terms(Terms(**terms), "planning.")
    check_count("planning.particles", particles, MOST_PARTICLES)
    options = {"policy": config.policy, "seed": config.seed, "particles": particles, **terms}
    with noted() as warnings, waiting(f"planning by {config.policy}"):
        log = None
        if config.log is None:
            Reading(**config.reading()).refuse("a plan without a log")
        else:
            log = load_spending(config.log, **config.reading())
        advice = advise(config.draws, config.budget, log, **options)
    if config.format == "table":
        show(plan_table(advice))
    elif config.format == "json":
        print(json.dumps({**advice.to_dict(), "warnings": warnings}))
    else:
        rows = advice.projects()
        writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


COMMAND = Command(
    "what to spend next in a plan over periods, and why",
    (
        "engine plan draws=uncertain budget=30  # the first period; draws of yours: draws=FOLDER",
        "engine plan draws=uncertain budget=30 log=spending.csv  # after what was spent and seen so far",
        "engine plan draws=uncertain budget=30 planning.periods=4 policy=myopic  # otherwise",
    ),
    PlanConfig,
    plan,
)
