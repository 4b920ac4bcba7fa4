"""Targets: the budget that a target asks for, the inverse of the budget curve.

- value t: the least budget b with V(b) ≥ t.
- return per unit r: the largest b with V(b) − V(no effort) ≥ r·b, less what would stay unspent: the most that
  can be spent while the *average* return on it is at least r. It is the target ROI (return on investment)
  of marketing-mix tools, whose return is incremental too. What free projects return counts for no effort.
- price p: the largest b that maximises V(b) − p·b: all spending whose *marginal* return is at least p,
  lumps counted as a whole; their target marginal ROI. By Everett's theorem it is what each project would
  spend on its own if budget cost p, on curves of any shape.

The budget that is sure to hold the answer comes from the Lagrangian, V(b) ≤ Φ(λ) + λ·b for every price λ,
with Φ(λ) over all efforts, so no search needs a budget to start from. One budget curve up to there, values
alone, is then read at the target: exact and proved for every curve, in the time of one such curve. Where that
would be long, allocations are searched (see `engine.allocation.far_targets`).

In real effort the concave envelopes themselves are searched, by the price; their budget is the answer
wherever water-filling attains them, as on every concave portfolio.

Sources: Everett (1963), "Generalized Lagrange multiplier method"; Dinkelbach (1967), "On nonlinear
fractional programming".
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from engine.allocation.allocate import (
    MOST_BUDGET,
    check_unit,
    check_whole_units,
    in_units,
    prepared,
    responds,
    solve,
)
from engine.allocation.answer import Allocation, BudgetFound
from engine.allocation.budget_curve import Terms, budget_curve_steps, checked, choose_method, terms_of
from engine.allocation.envelopes import (
    KINDS,
    Kind,
    envelope_of_price,
    envelope_of_return,
    envelope_of_value,
)
from engine.allocation.far_targets import find_far
from engine.allocation.foresight import foresee
from engine.allocation.free import least_cost, set_aside
from engine.allocation.optima import budget_steps, values_of
from engine.allocation.reach import (
    PRICE_SHARES,
    Reach,
    Read,
    attained_rate,
    reach_of_rate,
    reach_of_value,
    read_target,
)
from engine.allocation.running import Program, batched, program, round_size
from engine.model.curves.base import Curve
from engine.model.lots import in_lots, round_unit
from engine.model.portfolio import Portfolio
from engine.solvers.lattice import Lattice, build_lattice, round_up
from engine.solvers.registry import SOLVERS
from engine.solvers.responses import Scalar
from engine.solvers.solution import Solution, Status

# Steps of a budget curve that takes some seconds.
LONG_CURVE = 1e9


class Found(NamedTuple):
    """Budgets that meet targets, infinite where none does, and the solutions there; see `BudgetFound`."""

    budget: Any
    solution: Solution
    best: Any
    proved: Any


def budget_for(
    portfolio: Portfolio | Curve,
    *,
    value: float | np.ndarray | None = None,
    return_per_unit: float | np.ndarray | None = None,
    price: float | np.ndarray | None = None,
    solver: str = "exact",
    unit: float | str | None = None,
) -> BudgetFound:
    """The budget that meets a target, for one portfolio or a batch; see the module's first lines.

    **Arguments:** exactly one of `value`, the least budget that returns this much; `return_per_unit`, the
    most that can be spent while it returns this much per unit of budget on average; `price`, the largest
    budget at which the last spending still returns this much per unit. One number, or one for each
    portfolio of the batch. `solver="exact"` for whole units, `"waterfilling"` for real effort of concave
    portfolios. `unit`, what effort is bought in multiples of, as for `engine.allocate`: the budget is then
    that of the target in lots, and "auto" goes by the budget that is sure to hold the answer.

    **Raises:** `ValueError` naming what cannot be. One portfolio whose target no budget meets is such an
    error; in a batch its `budget` is infinite.
    """
    given = portfolio = checked(portfolio, solver)
    kind, targets = _check_target(
        {"value": value, "return_per_unit": return_per_unit, "price": price}, portfolio
    )
    whole = SOLVERS[solver].counts
    lot = _lot_of(unit, portfolio, kind, targets, whole)
    if lot != 1:
        portfolio = in_lots(portfolio, lot)
    if whole:
        check_whole_units(portfolio, lot)
    paid, free = set_aside(portfolio, whole)
    certain = free.value if kind == "value" else np.zeros_like(free.value)
    found = (
        _find_whole(paid, kind, targets, certain, lot) if whole else _find_real(paid, kind, targets, certain)
    )
    found = found._replace(solution=free.put_back(found.solution), best=found.best + certain)
    found = found if lot == 1 else _counted(found, kind, lot)
    if targets.ndim == 0:
        _refuse_unmet(found, kind, float(targets))
    allocation = Allocation(given, found.budget, found.solution, solver, unit=lot)
    return BudgetFound({kind: targets[()]}, allocation, found.best, found.proved)


# The border.


def _check_target(targets: dict[str, Any], portfolio: Portfolio) -> tuple[Kind, np.ndarray]:
    given = {kind: target for kind, target in targets.items() if target is not None}
    if len(given) != 1:
        count = f"{' and '.join(given)} are targets" if given else "there is no target"
        raise ValueError(f"{count}, expected exactly one of {', '.join(KINDS)}")
    ((kind, target),) = given.items()
    try:
        numbers = np.broadcast_to(np.asarray(target, dtype=float), portfolio.shape[:-1])
    except (TypeError, ValueError):
        raise ValueError(f"target {kind} is {target!r}, expected a number, or one a portfolio") from None
    bad = ~np.isfinite(numbers) | ((numbers <= 0) & (kind != "value"))
    if np.any(bad):
        expected = "a finite number" if kind == "value" else "a number above 0"
        raise ValueError(f"target {kind} is {numbers[bad].flat[0]:g}, expected {expected}")
    return kind, numbers.astype(portfolio.dtype)  # type: ignore[return-value]


def _lot_of(
    unit: float | str | None, portfolio: Portfolio, kind: Kind, targets: np.ndarray, whole: bool
) -> float:
    """What effort is bought in multiples of; left to us, by the largest budget that the targets may take."""
    if unit != "auto" or not whole:
        return check_unit(unit, np.zeros(()), portfolio, whole)
    paid, free = set_aside(portfolio, whole)
    asked = targets - free.value if kind == "value" else targets
    reach = batched(_compiled_reach(kind), paid, asked.astype(portfolio.dtype), _search_chunk(paid))
    within = np.where(np.isfinite(reach.budget), np.minimum(reach.budget, MOST_BUDGET), 0.0)
    return round_unit(float(np.max(within)), least_cost(portfolio))


def _counted(found: Found, kind: Kind, lot: float) -> Found:
    """What was found in lots, in units of effort and budget."""
    best = found.best if kind == "value" else found.best / lot
    budget = np.asarray(found.budget * lot).astype(found.solution.effort.dtype)[()]
    return found._replace(budget=budget, solution=in_units(found.solution, lot), best=best)


def _refuse_unmet(found: Found, kind: Kind, target: float) -> None:
    """For one portfolio, what no budget meets is an error that says what is the best there is."""
    if np.isfinite(found.budget):
        return
    best, at_all = float(found.best), f"no budget up to {MOST_BUDGET:g}"
    if kind == "value":
        raise ValueError(f"target value is {target:g}, and {at_all} returns more than {best:.8g}")
    what = "at the margin" if kind == "price" else "on average"
    raise ValueError(
        f"target {kind} is {target:g}, and {at_all} returns more than {best:.8g} per unit {what}"
    )


# Whole units.


def _find_whole(
    portfolio: Portfolio, kind: Kind, asked: np.ndarray, certain: np.ndarray, lot: float
) -> Found:
    """One budget curve up to a budget that is sure to hold the answer, read at the targets less what is sure;
    of a portfolio in lots, whose rates are per lot."""
    terms = terms_of(portfolio)
    targets = asked - certain if kind == "value" else asked * asked.dtype.type(lot)
    most = largest_countable(terms)
    reach = batched(_compiled_reach(kind), portfolio, targets, _search_chunk(portfolio))
    possible = np.isfinite(reach.budget)
    within = possible & (reach.budget <= most)
    limit = float(np.max(np.where(within, reach.budget, 0.0)))
    furthest = np.where(possible, reach.budget, 0.0)
    if np.max(furthest) <= MOST_BUDGET and _is_far(portfolio, terms, float(np.max(furthest))):
        far = find_far(portfolio, terms, kind, targets, furthest)
        if np.all(far.met | ~possible):
            met = far.met & possible
            return _found(met, far.budget, far.solution, reach.best, met & far.solution.proved)
    while True:
        nested, lattice = choose_method(terms, _shared_budget(limit, terms, most))
        size = _lattice_chunk(lattice, portfolio)
        foresee(budget_curve_steps(portfolio.shape, nested, lattice))
        read = batched(_compiled_read(kind, nested, lattice), portfolio, targets, size)
        met = read.met & within
        # Only costs that are rounded up, or a curve with its peak between whole units, ask for more.
        if kind != "value" or np.all(met == within) or limit >= most:
            break
        limit = min(2.0 * limit, most)
    if targets.ndim == 0 and (possible & ~met if kind == "value" else possible & ~within):
        most_of_it = lot * float(reach.budget)
        raise ValueError(
            f"target {kind} is {float(asked):g}, which takes a budget of up to {most_of_it:.3g}, "
            f"expected one of at most {lot * most:.3g}, counted in whole units: buy effort in lots "
            "(unit=auto), or choose solver=waterfilling"
        )
    best = reach.best if kind == "value" or np.all(met) else _best_rate(portfolio, kind, targets)
    budgets = np.where(met, budget_steps(lattice)[read.state], 0.0).astype(portfolio.dtype)
    code, shared = prepared("cutoff" if nested else "exact", lattice)
    solution = batched(code, portfolio, budgets, size, shared)
    proved = met & lattice.holds_costs & solution.proved
    return _found(met, budgets, solution, np.where(possible & ~within, np.nan, best), proved)


def _is_far(portfolio: Portfolio, terms: Terms, budget: float) -> bool:
    """Whether a few dozen allocations are less work than the curve up to this budget, and possible."""
    try:
        nested, lattice = choose_method(terms, budget)
        near = nested or terms.projects * lattice.states * lattice.units <= LONG_CURVE
    except ValueError:
        near = False
    return not near and responds(portfolio, build_lattice(budget, terms.projects, terms.costs, terms.upper))


def _best_rate(portfolio: Portfolio, kind: Kind, targets: np.ndarray) -> np.ndarray:
    """The best rate of any budget: it is on the curve that holds every rate as good as an attained one."""
    terms = terms_of(portfolio)
    most = largest_countable(terms)
    size = _search_chunk(portfolio)
    attained = batched(_compiled_attained(kind), portfolio, targets, size)
    known = np.where(attained > 0, np.minimum(targets, attained), targets).astype(portfolio.dtype)
    reach = batched(_compiled_reach(kind), portfolio, known, size)
    limit = float(np.max(np.where(reach.budget <= most, reach.budget, 0.0)))
    nested, lattice = choose_method(terms, _shared_budget(limit, terms, most))
    run = _compiled_read(kind, nested, lattice)
    return np.maximum(batched(run, portfolio, known, _lattice_chunk(lattice, portfolio)).rate, attained)


def _find_real(portfolio: Portfolio, kind: Kind, asked: np.ndarray, certain: np.ndarray) -> Found:
    """The budget at which the concave envelopes meet the target less what is certain; refused where they are
    not attained."""
    targets = asked - certain
    budget, best = batched(_compiled_envelope(kind), portfolio, targets, _search_chunk(portfolio))
    met = np.isfinite(budget) & (budget <= MOST_BUDGET)
    budgets = np.where(met, budget, 0.0).astype(portfolio.dtype)
    solution = solve(portfolio, budgets, "waterfilling")
    if targets.ndim == 0 and met and not solution.proved:
        raise ValueError(
            f"target {kind} is {float(asked):g}: solver=waterfilling finds budgets of concave portfolios "
            "only, expected solver=exact"
        )
    return _found(met, budgets, solution, best, met & solution.proved)


def _found(met: Any, budgets: np.ndarray, solution: Solution, best: Any, proved: Any) -> Found:
    """The answers where the target is met; elsewhere an infinite budget and no solution."""

    def known(numbers: Any, otherwise: float = math.nan) -> Any:
        where = met[..., None] if np.ndim(numbers) > np.ndim(met) else met
        return np.where(where, numbers, otherwise).astype(numbers.dtype)[()]

    parts = {f.name: getattr(solution, f.name) for f in dataclasses.fields(solution)}
    parts = {name: known(part) for name, part in parts.items() if name not in ("proved", "status")}
    status: Any = np.where(met, solution.status, Status.INFEASIBLE).astype(solution.status.dtype)[()]
    kept = Solution(**parts, proved=(solution.proved & met)[()], status=status)
    best = np.where(met, math.nan, best).astype(budgets.dtype)[()]
    return Found(known(budgets, math.inf), kept, best, np.asarray(proved)[()])


def _search_chunk(portfolio: Portfolio) -> int:
    return round_size(portfolio, 64 * PRICE_SHARES)


def _lattice_chunk(lattice: Lattice, portfolio: Portfolio) -> int:
    return round_size(portfolio, lattice.units + 2 * lattice.states + 64)


def _shared_budget(budget: float, terms: Terms, most: float) -> float:
    """A little more, at most a quarter, so that near targets share one compiled curve."""
    cheapest = 1.0 if terms.costs is None else float(terms.costs[0])
    return min(round_up(max(budget * (1 + 1e-9) + cheapest, 8.0 * cheapest), 4), most)


def largest_countable(terms: Terms) -> float:
    """The largest budget that a lattice can count, to one part in a thousand."""

    def fits(budget: float) -> bool:
        try:
            choose_method(terms, budget)
        except ValueError:
            return False
        return True

    low, high = 0.0 if terms.costs is None else float(terms.costs[0]), MOST_BUDGET
    if fits(high):
        return high
    low = max(low, 1e-300)
    while high / low > 1.001:
        middle = math.sqrt(low) * math.sqrt(high)
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


@functools.lru_cache(maxsize=8)
def _compiled_reach(kind: Kind) -> Program[Reach]:
    reach = reach_of_value if kind == "value" else functools.partial(reach_of_rate, kind=kind)
    return program(reach)


@functools.lru_cache(maxsize=8)
def _compiled_attained(kind: Kind) -> Program[Any]:
    return program(functools.partial(attained_rate, kind=kind))


@functools.lru_cache(maxsize=64)
def _compiled_read(kind: Kind, nested: bool, lattice: Lattice) -> Program[Read]:
    def read(portfolio: Portfolio, target: Scalar) -> Read:
        budgets = jnp.asarray(budget_steps(lattice), portfolio.dtype)
        return read_target(portfolio, budgets, values_of(portfolio, nested, lattice), target, kind)

    return program(read)


@functools.lru_cache(maxsize=8)
def _compiled_envelope(kind: Kind) -> Program[tuple[Array, Array]]:
    find = {"value": envelope_of_value, "return_per_unit": envelope_of_return, "price": envelope_of_price}
    return program(find[kind])
