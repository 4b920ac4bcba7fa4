"""Bets on the command line: which solver places which, and any `Bet` as a sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.cli.sheet import Group, Sheet
from engine.cli.tables import MOST_EFFORT_COLUMNS
from engine.study.words import number_text

if TYPE_CHECKING:
    from engine.allocation.bet import Bet
    from engine.allocation.risk_curve import RiskCurve

# How each type of bet is placed, by the solver that is named: the default finds the optimum where it can.
PLACED: dict[str, dict[str, dict[str, str]]] = {
    "Approaches": {"exact": {"solver": "exact"}, "greedy": {"solver": "greedy"}},
    "Coupled": {
        "exact": {"solver": "auto"},
        "relaxation": {"solver": "relaxation"},
        "greedy": {"solver": "greedy"},
    },
    "Ruled": {"exact": {}},
    "Resourced": {"exact": {}},
    "Spread": {"exact": {}, "relaxation": {}},
    "Uncertain": {"exact": {}},
}
WORDS = {
    "Approaches": "approaches",
    "Coupled": "effort that spills over",
    "Ruled": "a portfolio with rules",
    "Resourced": "several resources",
    "Spread": "effort over periods",
    "Uncertain": "draws of curves",
}


def drawn(given: Any, outcomes: int | None, seed: int) -> Any:
    """What is bet on, with so many draws of who succeeds where they are asked for.

    **Raises:** `ValueError` for what has no success probabilities.
    """
    from engine.bets.uncertain import outcomes as draw
    from engine.model.portfolio import Portfolio

    if outcomes is None:
        return given
    if not isinstance(given, Portfolio) or given.success is None:
        raise ValueError(f"outcomes is {outcomes}, expected none but for a portfolio with a column success")
    return draw(given, outcomes, seed)


def only_mean(objective: dict[str, Any]) -> bool:
    """True, or a `ValueError` for an objective that only draws can have."""
    if list(objective) != ["mean"]:
        raise ValueError(
            f"objective is {'+'.join(objective)}, expected mean where curves are certain, or "
            "profit of a portfolio: others are for draws of curves, or outcomes=256"
        )
    return True


def objective_of(objective: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `allocate` for the objective of a portfolio, or a `ValueError` as of `only_mean`."""
    numbers = objective.get("profit")
    if list(objective) != ["profit"]:
        only_mean(objective)
        return {}
    if not isinstance(numbers, dict) or set(numbers) - {"per_unit"}:
        raise ValueError(f"objective.profit is {numbers!r}, expected per_unit")
    return {"objective": "profit", **numbers}


def place(
    given: Any, budget: Any, solver: tuple[str, dict[str, Any]], objective: dict[str, Any], **more: Any
) -> Bet:
    """A budget placed on a bet by the solver, or the objective, that is named.

    **Raises:** `ValueError` for a solver, an option or an objective that such bets do not know.
    """
    from engine.allocation.place import bet
    from engine.solvers.registry import find_method

    kind, (name, options) = type(given).__name__, solver
    known = PLACED[kind]
    if name not in known:
        raise ValueError(f"solver is {name}, expected {' or '.join(known)} for {WORDS[kind]}")
    for key, option in options.items():
        if option != find_method(name).defaults.get(key):
            raise ValueError(f"solver.{name}.{key} is {option!r}, expected none for {WORDS[kind]}")
    if kind != "Uncertain":
        only_mean(objective)
        return bet(given, budget, **known[name], **more)
    if len(objective) != 1:
        raise ValueError(f"objective is {'+'.join(objective)}, expected one objective")
    ((goal, numbers),) = objective.items()
    if not isinstance(numbers, dict):
        raise ValueError(f"objective.{goal} is {numbers!r}, expected its numbers")
    return bet(given, budget, objective=goal, **numbers)


def bet_table(bet: Bet, given: Any) -> Sheet:
    """One row a place; below, the value with its certificate, further figures and what other plans reach."""
    approaches = any(len(place) > 1 for place in bet.places)
    names = [(*place, "")[:2] for place in bet.places]
    first = [row == 0 or names[row - 1][0] != project for row, (project, _) in enumerate(names)]
    keys = [[project if begins else "", way] for (project, way), begins in zip(names, first, strict=True)]
    columns = {"effort": [number_text(units, 6) for units in bet.effort]}
    if approaches:
        success = given.entries().success
        chances = [1.0] * len(names) if success is None else [float(chance) for chance in success]
        columns["success"] = [number_text(chance, 3) for chance in chances]
    width = 2 if approaches else 1
    return Sheet(
        Group(["project", "approach"][:width], [key[:width] for key in keys]),
        [Group(list(columns), [list(cells) for cells in zip(*columns.values(), strict=True)])],
        f"budget {_budget_text(bet)} by {bet.how}",
        _caption(bet),
        frozenset(row for row, begins in enumerate(first) if approaches and begins and row),
    )


def _caption(bet: Bet) -> str:
    """The value and its certificate, further figures, and what other plans reach."""
    from engine.allocation.bet import beside_text

    lines = [f"{bet.how.split(',')[0]} {bet.value:.8g}, upper bound {bet.bound:.8g}: {bet.proof}"]
    lines += _left(bet)
    for name, figure in bet.figures.items():
        text = ("yes" if figure else "no") if figure.dtype == bool else f"{float(figure):.6g}"
        lines.append(f"{name.replace('_', ' ')}: {text}")
    return "\n".join([*lines, *(f"{name}: {beside_text(plan)}" for name, plan in bet.beside.items())])


def _budget_text(bet: Bet) -> str:
    """What there was to spend, of each resource where there are several."""
    from engine.allocation.resourced import ResourceBet

    if not isinstance(bet, ResourceBet):
        return f"{bet.budget:.9g}"
    return ", ".join(f"{name} {budget:.9g}" for name, budget in zip(bet.resources, bet.budget, strict=True))


def _left(bet: Bet) -> list[str]:
    """What is left of the budget, and of each resource what it is worth."""
    from engine.allocation.resourced import ResourceBet

    if not isinstance(bet, ResourceBet):
        reason = f": {bet.why_unspent}" if bet.why_unspent else ""
        return [f"unspent {max(float(bet.budget - bet.spent), 0.0):g}{reason}"]
    return bet.lines()


def risk_table(curve: RiskCurve) -> Sheet:
    """One row an aversion to risk: what the returns are on average and at worst, and the efforts."""
    wide = len(curve.names) <= MOST_EFFORT_COLUMNS
    funded = np.count_nonzero(curve.effort > 0, axis=1)
    efforts = curve.effort if wide else funded[:, None]
    columns = (curve.mean, curve.cvar, curve.standard_deviation)
    proved = int(np.count_nonzero(curve.proved))
    return Sheet(
        Group(["aversion"], [[f"{aversion:g}"] for aversion in curve.aversion]),
        [
            Group(
                ["mean", "CVaR", "deviation"],
                [[number_text(number, 6) for number in row] for row in zip(*columns, strict=True)],
            ),
            Group(
                list(curve.names) if wide else ["funded"],
                [[number_text(effort, 5) for effort in row] for row in efforts],
            ),
        ],
        f"budget {curve.budget:.9g}: mean against CVaR",
        f"CVaR: the mean of the worst {100 * curve.tail:g} % of draws.\n"
        f"{proved} of {curve.aversion.size} are proved optimal",
        right=True,
    )
