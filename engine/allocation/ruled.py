"""`place_ruled`: a budget over a portfolio with rules, and what each rule costs."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_dataclass

from engine.allocation.allocate import (
    check_batch,
    check_budgets,
    check_unit,
    check_whole_units,
    in_units,
    solve,
)
from engine.allocation.bet import Beside, Bet
from engine.allocation.ruled_resources import against, place_ruled_resources
from engine.allocation.running import Program, batched, on_host, one_after_another, program, round_size
from engine.model.lots import in_lots
from engine.model.portfolio import Portfolio
from engine.rules.branching import branched
from engine.rules.envelope import Enveloped, as_curves
from engine.rules.feasible import conflict
from engine.rules.ruled import OWN, Group, Ruled, normalise_ruled
from engine.rules.solve import Plan, concluded, plan_of, solve_ruled
from engine.rules.tree import plant
from engine.solvers.lattice import Lattice, build_lattice, most_units, round_up
from engine.solvers.responses import Scalar
from engine.solvers.solution import Solution, Status

# Of so many rules at most each has its own price; of more, all of one kind together.
MOST_PRICED = 40
# Additions of composing one portfolio that are still minutes: about 2e9 are a second.
MOST_WORK = 1e12
# Sizes between a power of two and the next that code is compiled for.
PARTS = 16


def place_ruled(given: Ruled, budget: Any, *, unit: float | str | None = None, prices: bool = True) -> Bet:
    """Place a budget over a portfolio with rules, in whole units: the optimum, proved.

    **Arguments:** `budget`, a number for each resource where there are several; `unit`, what effort is bought
    in multiples of, as of `engine.allocate`; `prices`, whether to say what each rule costs.

    **Returns:** a `Bet`; beside it what the optimum would be without each rule, and without all of them. A
    difference is the price of that rule. Its figures say what a unit more of each group's `most` would bring.

    **Raises:** `ValueError` in one line for rules that cannot be kept, naming the fewest that cannot be kept
    together and what budget would do; for groups that overlap; for costs without a common unit.
    """
    ruled = normalise_ruled(given, np.dtype(np.float64))
    check_batch(ruled.portfolio)
    if ruled.usage is not None:
        if unit is not None:
            raise ValueError(f"unit is {unit!r}, expected none where there are several resources")
        return place_ruled_resources(ruled, budget, prices=prices)
    budgets = check_budgets(budget, ruled.shape[:-1], ruled.dtype)
    lot = check_unit(unit, budgets, ruled.portfolio, whole=True)
    if lot != 1:
        ruled, budgets = ruled_in_lots(ruled, lot), budgets / lot
    check_whole_units(ruled.portfolio, lot)
    # One alone is solved by the program that prices its rules: compiling is what takes the time.
    solution = optimum(ruled, budgets, capped=bool(ruled.shape[:-1]) or not prices)
    if not ruled.shape[:-1] and int(solution.status) == Status.INFEASIBLE:
        raise ValueError(explained(ruled, float(budgets), lot))
    beside, figures = priced(ruled, budgets, solution) if prices else ({}, {})
    return Bet(
        budget=(budgets * lot)[()],
        solution=solution if lot == 1 else in_units(solution, lot),
        places=tuple((name,) for name in ruled.labels),
        how="total return with rules, composed" + (f", in lots of {lot:.9g}" if lot != 1 else ""),
        figures={name: figure / lot for name, figure in figures.items()},
        beside=beside,
        why_unspent="" if ruled.shape[:-1] else why_unspent(ruled.portfolio, budgets, solution),
    )


def why_unspent(portfolio: Portfolio, budget: Any, solution: Solution) -> str:
    """Why one allocation leaves some of its budget, in words; nothing where it leaves none."""
    effort, left = solution.effort, float(budget - solution.spent)
    if not left > 1e-9 * max(float(budget), 1.0):
        return ""
    costs, most = on_host(Portfolio.costs, portfolio), on_host(Portfolio.uppers, portfolio)
    room = (costs <= left * (1 + 1e-12)) & (effort + 1.0 <= most)
    if not room.any():
        return "no further unit fits within the limits"
    more = on_host(Portfolio.gain, portfolio, effort)
    return "the rules leave no room" if np.any(more[room] > 0) else "nothing more pays"


def ruled_in_lots(ruled: Ruled, lot: float) -> Ruled:
    """The same with effort counted in lots, for a budget divided by them."""

    def counted(array: Any) -> Any:
        return None if array is None else array / lot

    groups = tuple(
        dataclasses.replace(g, **{key: counted(getattr(g, key)) for key in ("least", "most", "minimum")})
        for g in ruled.groups
    )
    needs = tuple(dataclasses.replace(need, past=counted(need.past)) for need in ruled.needs)
    own = {key: counted(getattr(ruled, key)) for key in ("minimum", "lot", "only", "now")}
    return dataclasses.replace(
        ruled, portfolio=in_lots(ruled.portfolio, lot), groups=groups, needs=needs, **own
    )


def optimum(ruled: Ruled, budgets: np.ndarray, *, capped: bool = False) -> Solution:
    """The optimum of one portfolio with rules, or of each of a batch; float64.

    **Arguments:** `capped`, whether code is compiled for what the groups can spend at most, which is quicker
    to run; else it serves any numbers.

    **Raises:** `ValueError` for what cannot be counted.
    """
    if (given := as_curves(ruled)) is not None:
        return by_curves(ruled, budgets, given)
    root, loose = plant(ruled)
    lattice = lattice_of(ruled, budgets)
    lattice = lattice.shared(ruled.shape[-1], budgets.size)
    caps = caps_of(ruled, budgets, lattice) if capped else {}
    plan = plan_of(root, ruled, caps, lattice.states)
    size = round_size(ruled.portfolio, 8 * (lattice.units + lattice.states))
    code = compiled(lattice.sizes, plan)

    def solved(part: Ruled, budgets: np.ndarray) -> Solution:
        nameless = dataclasses.replace(part, portfolio=dataclasses.replace(part.portfolio, names=()))
        return batched(code, nameless, budgets, size, (lattice.numbers,))

    def search(one: Ruled, budget: np.ndarray) -> Solution:
        return branched(one, loose, lambda part: solved(part, np.asarray(budget)))

    return one_after_another(search, ruled, budgets, budgets.ndim) if loose else solved(ruled, budgets)


def by_curves(ruled: Ruled, budgets: np.ndarray, given: Enveloped) -> Solution:
    """The optimum where curves say what the rules do: nothing or at least so much, either-or."""
    solution = solve(given.portfolio, budgets)
    effort: Any = solution.effort
    original = dataclasses.replace(ruled.portfolio, names=())
    if given.places is not None:
        effort = given.spread(effort, ruled.shape[-1])
    if ruled.minimum is not None:
        effort = np.where(effort < np.nan_to_num(ruled.minimum), 0.0, effort)
    bound: Any = np.where(solution.proved, solution.value, solution.bound)
    found = dataclasses.replace(solution, bound=bound)
    return batched(
        JUDGE, Judged(original, effort, found, given.places is not None), budgets, round_size(original, 64)
    )


@register_dataclass
@dataclasses.dataclass(frozen=True)
class Judged:
    """An effort that was found for other curves: of what returns, and whether those began at 0."""

    portfolio: Portfolio
    effort: Any
    found: Solution
    from_nothing: bool = dataclasses.field(metadata={"static": True})
    names: tuple[str, ...] = dataclasses.field(default=(), metadata={"static": True})

    @property
    def shape(self) -> tuple[int, ...]:
        """(..., projects)."""
        return self.portfolio.shape


def judge(given: Judged, budget: Scalar) -> Solution:
    """The solution of the portfolio itself."""
    portfolio, found = given.portfolio, given.found
    bound = found.bound
    if given.from_nothing:
        bound = bound + portfolio.value(jnp.zeros_like(given.effort))
    return concluded(portfolio, budget, given.effort, found.multiplier, bound, found.status == Status.SOLVED)


JUDGE = program(judge)


@functools.lru_cache(maxsize=128)
def compiled(sizes: Lattice, plan: Plan) -> Program[Solution]:
    """The compiled solver of problems with such a tree."""

    def run(given: Ruled, budget: Scalar, numbers: dict[str, Any]) -> Solution:
        return solve_ruled(given, budget, sizes._replace(**numbers), plan)

    return program(run, shared=1)


def lattice_of(ruled: Ruled, budgets: np.ndarray) -> Lattice:
    """What is counted in.

    **Raises:** `ValueError` where tables do not fit, or groups have costs without a common unit.
    """
    portfolio, projects = ruled.portfolio, ruled.shape[-1]
    costs: Any = portfolio.cost
    if portfolio.cost is not None and not np.all(portfolio.cost > 0):
        raise ValueError("a project's cost is 0, expected more where there are rules")
    upper = math.inf if portfolio.upper is None else float(np.max(portfolio.upper))
    most = float(np.max(budgets, initial=0.0))
    lattice = build_lattice(most, projects, costs, upper)
    instead = "buy effort in lots (unit=auto), measure it in larger units, or set upper limits"
    if not lattice.tables:
        raise ValueError(
            f"budget {most:g} lets a project take {lattice.units:.3g} units, and rules hold at most "
            f"{most_units(projects):,} of each: {instead}"
        )
    if ruled.composes and not lattice.holds_costs:
        raise ValueError("the costs have no common unit, expected one where there are rules of groups")
    work = float(projects) * lattice.units * lattice.states
    if ruled.composes and work > MOST_WORK:
        raise ValueError(
            f"budget {most:g} takes {work:.1g} additions, expected at most {MOST_WORK:.0g}: {instead}"
        )
    return lattice


def caps_of(ruled: Ruled, budgets: np.ndarray, lattice: Lattice) -> dict[int, float]:
    """The most steps that each group can spend, in any of a batch."""

    def most(group: Group) -> float:
        cap = math.inf
        if group.most is not None:
            cap = float(np.max(group.most))
        if group.most_share is not None:
            cap = min(cap, float(np.max(group.most_share * budgets)))
        return cap

    steps = {place: most(group) / lattice.step for place, group in enumerate(ruled.groups)}
    return {
        place: round_up(math.floor(cap * (1 + 1e-9)) + 1, PARTS)
        for place, cap in steps.items()
        if cap < lattice.states
    }


def explained(ruled: Ruled, budget: float, lot: float) -> str:
    """Why there is no allocation, in one line."""
    lattice = lattice_of(ruled, np.asarray(budget))
    costs: Any = ruled.portfolio.cost
    if not lattice.holds_costs:
        return f"budget {budget * lot:g} does not keep the rules of single projects"
    return conflict(
        ruled,
        budget,
        lattice,
        build_lattice(budget + asked(ruled), ruled.shape[-1], costs),
        lot,
    )


def asked(ruled: Ruled) -> float:
    """More than what all rules together can ask to be spent."""
    costs = np.ones(ruled.shape) if ruled.portfolio.cost is None else ruled.portfolio.cost
    effort = np.ones(ruled.shape)
    for array in (ruled.portfolio.lower, ruled.minimum, ruled.lot, ruled.now, ruled.now):
        effort = effort + (0.0 if array is None else np.nan_to_num(array))
    if ruled.only is not None:
        effort = effort + np.nan_to_num(ruled.only).max(axis=-1)
    for need in ruled.needs:
        effort = effort + (0.0 if need.past is None else np.asarray(need.past)[..., None])
    groups = (getattr(group, key) for group in ruled.groups for key in ("least", "minimum"))
    return float(np.sum(costs * effort)) + sum(
        float(np.sum(number)) for number in groups if number is not None
    )


def priced(ruled: Ruled, budgets: np.ndarray, solution: Solution) -> tuple[dict[str, Beside], dict[str, Any]]:
    """(what there would be without each rule, and without all; what a unit more of each `most` brings)."""
    rules = list(ruled.rules())
    if len(rules) > MOST_PRICED:
        rules = list(by_kind(ruled))
    beside = {f"without {name}": against(optimum(less, budgets), solution) for name, less in rules}
    if len(rules) > 1:
        beside["without rules"] = against(solve(ruled.portfolio, budgets), solution)
    figures = {}
    for place, group in enumerate(ruled.groups):
        for key, unit in (("most", 1.0), ("most_share", 1.0 / np.maximum(budgets, 1.0))):
            if (bound := getattr(group, key)) is not None:
                more = optimum(ruled.with_group(place, **{key: bound + unit}), budgets).value
                figures[f"a unit more of {group.name} {key.replace('_', ' ')}"] = more - solution.value
    return beside, figures


def by_kind(ruled: Ruled) -> Iterator[tuple[str, Ruled]]:
    """The rules of single projects by kind, and those of several one by one."""
    own: dict[str, Any] = {key: None for key in OWN if getattr(ruled, key) is not None}
    for key in own:
        freed: dict[str, Any] = {key: None}
        yield f"any {key}", dataclasses.replace(ruled, **freed)
    shared = {name for name, _ in dataclasses.replace(ruled, **own).rules()}
    yield from ((name, less) for name, less in ruled.rules() if name in shared)
