"""Random portfolios with every mixture of rules, and what is right for them: by trying every plan, and by a
mixed-integer programme (HiGHS). Written from the rules' definitions alone; nothing here is solved by the
package.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from engine import Group, Need, Portfolio, Ruled, Tabulated

# Up to rounding of what is compared with a bound of spending.
SLACK = 1e-9
TOTAL = 1e9


@dataclass(frozen=True)
class Shape:
    """How large random problems are: projects, levels, portfolios that share their rules' structure."""

    projects: int
    levels: int
    portfolios: int


def random_ruled(rng: np.random.Generator, shape: Shape) -> tuple[Ruled, np.ndarray]:
    """(portfolios [portfolios, projects] with rules of one structure and numbers of their own, budgets)."""
    count, projects, top = shape.portfolios, shape.projects, shape.levels - 1
    names = tuple(f"p{i}" for i in range(projects))
    values = np.cumsum(rng.normal(0.3, 1.0, (count, projects, shape.levels)), axis=-1)
    cost = rng.integers(1, 4, projects).astype(float) if rng.random() < 0.4 else None
    upper = np.full(projects, float(top))
    portfolio = Portfolio(Tabulated(values), cost=cost, upper=upper, names=names)
    own = random_own(rng, shape)
    groups = random_groups(rng, names, count, top)
    needs = random_needs(rng, names, count, top)
    most = top * projects * (1.0 if cost is None else float(np.mean(cost)))
    budgets = np.floor(rng.uniform(0.1, 0.9, count) * most)
    spend_all = bool(rng.random() < 0.1)
    return Ruled(portfolio, **own, groups=groups, needs=needs, spend_all=spend_all), budgets


def random_own(rng: np.random.Generator, shape: Shape) -> dict[str, Any]:
    """Rules of single projects, each kind there or not."""
    size, top = (shape.portfolios, shape.projects), shape.levels - 1

    def some(values: np.ndarray, share: float = 0.4) -> np.ndarray:
        return np.where(rng.random(size) < share, values.astype(float), np.nan)

    found: dict[str, Any] = {}
    if rng.random() < 0.5:
        found["minimum"] = some(rng.integers(1, top + 1, size))
    if rng.random() < 0.3:
        found["lot"] = some(rng.integers(1, 4, size), 0.3)
    if rng.random() < 0.3:
        levels = np.sort(rng.integers(0, top + 1, (*size, 3)), axis=-1).astype(float)
        found["only"] = np.where(rng.random(size)[..., None] < 0.3, levels, np.nan)
    if rng.random() < 0.3:
        found["fund"] = rng.choice(4, size, p=(0.85, 0.05, 0.07, 0.03)).astype(np.int32)
        found["now"] = rng.integers(0, top + 1, size).astype(float)
    if rng.random() < 0.3:
        found.setdefault("now", rng.integers(0, top + 1, size).astype(float))
        found["within"] = some(rng.uniform(0.1, 1.0, size), 0.3)
    return found


def random_groups(
    rng: np.random.Generator, names: tuple[str, ...], count: int, top: int
) -> tuple[Group, ...]:
    """A tree of groups with bounds, and now and then a count across it."""
    order = [str(name) for name in rng.permutation(names)]
    cut = int(rng.integers(1, len(names)))
    sets = [order[:cut], order[cut:]]
    if rng.random() < 0.5:
        sets.append(list(names))
    if cut > 2 and rng.random() < 0.5:
        sets.append(order[:2])
    crossing = [order[max(cut - 1, 0) : cut + 1]] if rng.random() < 0.3 else []
    groups = []
    for place, members in enumerate([*sets, *crossing]):
        parts: dict[str, Any] = {}
        size = len(members)
        if place < len(sets):
            if rng.random() < 0.4:
                parts["most"] = np.floor(rng.uniform(0.2, 1.5, count) * top * size)
            if rng.random() < 0.2:
                parts["least"] = np.floor(rng.uniform(0.0, 0.3, count) * top * size)
            if rng.random() < 0.2:
                parts["most_share"] = rng.uniform(0.2, 1.0, count)
            if rng.random() < 0.15:
                parts["minimum"] = np.floor(rng.uniform(0.2, 0.8, count) * top * size)
        if rng.random() < 0.4 or place >= len(sets):
            choices = [
                (0, 1),
                (1,),
                tuple(range(1, size + 1)),
                (0, 1, 2),
                (0, 1, 2, 3),
                (0, size),
            ]
            parts["counts"] = choices[rng.integers(len(choices))]
        if parts.get("counts") == () or not parts:
            continue
        groups.append(Group(f"g{place}", tuple(members), **parts))
    return tuple(groups)


def random_needs(rng: np.random.Generator, names: tuple[str, ...], count: int, top: int) -> tuple[Need, ...]:
    """Which projects need which."""
    found = []
    for _ in range(int(rng.choice(4, p=(0.4, 0.3, 0.2, 0.1)))):
        one, other = rng.choice(len(names), 2, replace=False)
        past = None if rng.random() < 0.5 else rng.integers(1, top + 1, count).astype(float)
        found.append(Need(names[one], names[other], past))
    return tuple(found)


class Case:
    """One portfolio of a batch with rules, as plain numbers."""

    def __init__(self, ruled: Ruled, budgets: np.ndarray, place: int, table: np.ndarray) -> None:
        def number(value: Any) -> float | None:
            return None if value is None else float(np.broadcast_to(value, budgets.shape)[place])

        def row(key: str) -> Any:
            value = getattr(ruled, key)
            return None if value is None else np.asarray(value)[place]

        self.table, self.budget = table[place], float(budgets[place])
        cost = ruled.portfolio.cost
        self.cost = (
            np.ones(self.table.shape[0]) if cost is None else np.broadcast_to(cost, self.table.shape[:1])
        )
        self.own = {key: row(key) for key in ("minimum", "lot", "only", "fund", "now", "within")}
        labels = ruled.labels
        self.groups = [
            (
                ruled.members(g),
                {k: number(getattr(g, k)) for k in ("least", "most", "least_share", "most_share", "minimum")},
                g.counts,
            )
            for g in ruled.groups
        ]
        self.needs = [(labels.index(n.project), labels.index(n.needs), number(n.past)) for n in ruled.needs]
        self.spend_all = ruled.spend_all

    def allowed(self, project: int, level: int) -> bool:
        """Whether its own rules let a project have so much effort."""
        own = {key: None if value is None else value[project] for key, value in self.own.items()}
        if own["minimum"] is not None and 0 < level < own["minimum"]:
            return False
        if own["lot"] is not None and not np.isnan(own["lot"]) and level % own["lot"]:
            return False
        if own["only"] is not None and not np.isnan(own["only"]).all() and level not in own["only"]:
            return False
        if own["within"] is not None and abs(level - own["now"]) > own["within"] * own["now"] + SLACK:
            return False
        fund = own["fund"]
        wrong = {1: level == 0, 2: level > 0, 3: own["now"] is not None and level != own["now"]}
        return fund is None or not wrong.get(int(fund), False)

    def bounds(self, group: dict[str, float | None]) -> tuple[float, float]:
        """The least and most that a group spends."""
        least = [
            0.0,
            group["least"],
            None if group["least_share"] is None else group["least_share"] * self.budget,
        ]
        most = [
            np.inf,
            group["most"],
            None if group["most_share"] is None else group["most_share"] * self.budget,
        ]
        return max(n for n in least if n is not None), min(n for n in most if n is not None)


def by_every_plan(case: Case) -> float:
    """The optimum among all plans; −∞ where none keeps the rules."""
    projects, levels = case.table.shape
    choices = [[k for k in range(levels) if case.allowed(i, k)] for i in range(projects)]
    if not all(choices):
        return -np.inf
    plans = np.array(list(itertools.product(*choices)))
    return best_of(case, plans)


def best_of(case: Case, plans: np.ndarray) -> float:
    """The best of some plans that keep the rules of several projects and the budget."""
    spend = plans * case.cost
    total = spend.sum(axis=1)
    fits = total <= case.budget + SLACK
    if case.spend_all:
        fits &= total >= case.budget - SLACK
    for members, group, counts in case.groups:
        mine, funded = spend[:, members].sum(axis=1), (plans[:, members] > 0).sum(axis=1)
        least, most = case.bounds(group)
        fits &= (mine >= least - SLACK) & (mine <= most + SLACK)
        if group["minimum"] is not None:
            fits &= (mine == 0) | (mine >= group["minimum"] - SLACK)
        if counts is not None:
            fits &= np.isin(funded, counts)
    for project, needs, past in case.needs:
        fits &= (plans[:, project] == 0) | (plans[:, needs] >= (1.0 if past is None else past))
    value = case.table[np.arange(plans.shape[1]), plans].sum(axis=1)
    return float(np.max(value[fits], initial=-np.inf))


def by_highs(case: Case, limit: float = 60.0) -> tuple[float, float]:
    """(the optimum by HiGHS at gap 0, −∞ where there is none and NaN where it does not end in time; the
    seconds it took)."""
    projects, levels = case.table.shape
    # HiGHS stops at an absolute gap of 1e-6, in the units of what it is given.
    scale = float(np.sum(np.abs(case.table))) / TOTAL or 1.0
    count = projects * levels
    sets = sum(1 for _, group, _ in case.groups if group["minimum"] is not None)
    counted = [counts for _, _, counts in case.groups if counts is not None]
    extra = sets + sum(map(len, counted))
    rows: list[np.ndarray] = []
    low: list[float] = []
    high: list[float] = []

    def add(row: np.ndarray, least: float, most: float) -> None:
        rows.append(row)
        low.append(least)
        high.append(most)

    def blank() -> np.ndarray:
        return np.zeros(count + extra)

    def spend(members: Any) -> np.ndarray:
        row = blank()
        for i in members:
            row[i * levels : (i + 1) * levels] = case.cost[i] * np.arange(levels)
        return row

    def funded(members: Any, past: float = 1.0) -> np.ndarray:
        row = blank()
        for i in members:
            row[i * levels : (i + 1) * levels] = np.arange(levels) >= past
        return row

    for i in range(projects):
        row = blank()
        row[i * levels : (i + 1) * levels] = 1.0
        add(row, 1.0, 1.0)
    add(spend(range(projects)), case.budget - SLACK if case.spend_all else -np.inf, case.budget + SLACK)
    place = count
    for members, group, counts in case.groups:
        least, most = case.bounds(group)
        add(spend(members), least - SLACK, most + SLACK)
        if group["minimum"] is not None:
            large = float(np.sum(case.cost[list(members)]) * levels) + 1.0
            row = spend(members)
            row[place] = -large
            add(row, -np.inf, 0.0)
            row = spend(members)
            row[place] = -group["minimum"]
            add(row, -SLACK, np.inf)
            place += 1
        if counts is not None:
            row, one = funded(members), blank()
            row[place : place + len(counts)] = -np.array(counts, float)
            one[place : place + len(counts)] = 1.0
            add(row, 0.0, 0.0)
            add(one, 1.0, 1.0)
            place += len(counts)
    for project, needs, past in case.needs:
        if past == 0.0:
            continue
        add(funded([project]) - funded([needs], 1.0 if past is None else past), -np.inf, 0.0)
    upper = np.ones(count + extra)
    upper[:count] = [case.allowed(i, k) for i in range(projects) for k in range(levels)]
    value = np.concatenate([case.table.ravel() / scale, np.zeros(extra)])
    begin = time.perf_counter()
    found = milp(
        -value,
        constraints=LinearConstraint(csr_array(np.array(rows)), low, high),
        integrality=np.ones(count + extra),
        bounds=Bounds(0.0, upper),
        options={"mip_rel_gap": 0.0, "presolve": False, "time_limit": limit},
    )
    seconds = time.perf_counter() - begin
    if found.status == 2:
        return -np.inf, seconds
    if found.status != 0:
        return np.nan, seconds
    chosen = np.round(found.x[:count])
    return float(chosen @ case.table.ravel()), seconds
