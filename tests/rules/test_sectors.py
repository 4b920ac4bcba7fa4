"""Rules over some hundred thousand steps of a budget, compiled as users compile it."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from engine import Group, Ruled, bet, load_portfolio


def test_two_sectors_of_thirty_projects_with_budgets_of_their_own() -> None:
    """Costs in thousandths; the optima are those of a mixed-integer programme."""
    with warnings.catch_warnings(action="ignore"):  # three of the projects bring a loss
        portfolio = load_portfolio(Path(__file__).with_name("two_sectors.csv"))
    one = Group("T", tuple(name for name in portfolio.names if name.startswith("T")), most=60.0)
    other = Group("S", tuple(name for name in portfolio.names if name.startswith("S")), most=275.0)
    answer = bet(Ruled(portfolio, groups=(one, other)), 300.0, prices=False)
    assert float(answer.value) == pytest.approx(8012.753, abs=1e-9)
    assert bool(answer.proved)
    assert float(bet(Ruled(portfolio), 300.0, prices=False).value) == pytest.approx(9142.144, abs=1e-9)
