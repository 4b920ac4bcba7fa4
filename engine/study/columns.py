"""The columns in which tables show what was found: of which metric, which number, and how it is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from engine.solvers.registry import REFERENCE, Takes
from engine.study.words import number_text, percent_text


class Column(NamedTuple):
    """A column: a statistic of a metric, its heading, and the figures it is written with.

    `places` are those of a share in per cent; without them, a number has so many significant `digits`.
    """

    metric: str
    statistic: str
    heading: str
    digits: int = 5
    places: int | None = None

    def title(self, best: str) -> str:
        """The heading, where others are measured by this solver."""
        return self.heading.replace(REFERENCE, best)

    def text(self, solver: str, found: Mapping[str, Mapping[str, Any]], best: str = REFERENCE) -> str:
        """The cell of a solver, of whose metrics these are the statistics; `best` measures the others."""
        if self.metric == "difference" and solver == best:
            return "–"
        number = found[self.metric][self.statistic]
        return number_text(number, self.digits) if self.places is None else percent_text(number, self.places)


# What it returns and how sure that is; how it compares with the optimum; how the budget is spent.
RETURN = (
    Column("value", "mean", "value"),
    Column("value", "standard_error", "± s.e.", 2),
    Column("gap", "mean", "gap mean", places=2),
    Column("gap", "q95", "gap 95 %", places=2),
    Column("gap", "largest", "gap max", places=2),
)
OPTIMUM = (
    Column("difference", "mean", "− exact", 3),
    Column("difference", "standard_error", "± s.e.", 2),
    Column("optimal", "mean", "optimal", places=1),
    Column("proved", "mean", "proved", places=1),
)
SPEND = (
    Column("frontier", "mean", "frontier", places=1),
    Column("funded", "mean", "funded", 3),
    Column("largest_share", "mean", "largest", places=1),
    Column("effective_number", "mean", "eff. no.", 3),
    Column("multiplier", "mean", "λ", 3),
)
# Of bets: what the draws say of it.
BETS = (
    Column("deviation", "mean", "deviation", 3),
    Column("cvar", "mean", "worst 10 %", 4),
    Column("objective", "mean", "objective"),
    Column("objective_bound", "mean", "bound"),
)
# Of projects with approaches.
APPROACHES = (Column("approaches", "mean", "approaches", 3),)
# Of effort that spills over.
COUPLED = (
    Column("platform_share", "mean", "platforms", places=1),
    Column("gained", "mean", "gained", places=2),
    Column("gained", "least", "least", places=1),
    Column("submodular", "mean", "submodular", places=0),
)

# Of portfolios with rules.
RULED = (Column("keeps", "mean", "keeps", places=0),)

LOSS = (
    Column("loss", "mean", "loss mean", places=2),
    Column("loss", "q99", "loss 99 %", places=2),
    Column("loss", "largest", "loss max", places=2),
)

# Of plans: what they return and miss, what re-planning is worth, and what is dropped.
PLANS = (
    (
        *RETURN[:2],
        Column("regret", "mean", "regret", 4),
        Column("regret", "standard_error", "± s.e.", 2),
    ),
    (
        Column("over_equal", "mean", "− equal", 3),
        Column("over_static", "mean", "− static", 3),
        Column("over_static", "standard_error", "± s.e.", 2),
        Column("over_richer", "mean", "− richer", 3),
        Column("over_richer", "standard_error", "± s.e.", 2),
    ),
    (
        Column("dropped", "mean", "dropped", 3),
        Column("sunk", "mean", "sunk", places=1),
        Column("first_drop", "mean", "first", 3),
        *SPEND[:2],
    ),
)


class Shown(NamedTuple):
    """The columns of what a scenario gives: of one point in groups; `brief`, of many points, what is asked of
    each of them first; `means`, of a page, one of a metric, which may be averaged over points."""

    groups: tuple[tuple[Column, ...], ...]
    brief: tuple[Column, ...] = (*RETURN[:3], RETURN[4], OPTIMUM[3], *SPEND[:2])
    means: tuple[Column, ...] = (RETURN[0], RETURN[2], LOSS[0], *OPTIMUM[2:], *SPEND[:2], SPEND[4])


SHOWN: dict[Takes, Shown] = {
    "portfolio": Shown((RETURN, OPTIMUM, SPEND)),
    "bet": Shown((RETURN, OPTIMUM, SPEND, BETS)),
    "approaches": Shown((RETURN, OPTIMUM, SPEND, APPROACHES)),
    "coupled": Shown((RETURN, OPTIMUM, SPEND, COUPLED)),
    "ruled": Shown((RETURN, OPTIMUM, SPEND, RULED)),
    "plan": Shown(
        PLANS,
        brief=(*PLANS[0], *PLANS[1][1:], *PLANS[2][:2]),
        means=(PLANS[0][0], PLANS[0][2], PLANS[1][0], PLANS[1][1], PLANS[1][3], *PLANS[2]),
    ),
}
