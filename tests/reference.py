"""Random portfolios of every family, and independent references in NumPy float64: returns, brute force, DP.

Nothing here calls a method of `engine`: formulas are those of the curves' docstrings, written once more.
Draws are batches of one shape, since a compiled solver is what costs.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
from scipy import optimize, sparse

import engine
from engine import Curve, Mixture, Portfolio

Array = np.ndarray

CONCAVE = ("log", "power", "exponential", "hill_concave", "weibull_concave")
STAGED = ("purelog", "hill", "weibull", "logistic", "lifecycle", "tabulated", "tabulated_points")
# A mixture of every kind of shape, and one whose families all promise diminishing returns.
MIXTURES = ("mixture", "mixture_concave")
NAMES = (*CONCAVE, *STAGED, *MIXTURES)
MIXED = {
    "mixture": ("exponential", "hill", "lifecycle", "tabulated_points"),
    "mixture_concave": ("log", "power", "exponential"),
    # Not in NAMES. Concave without the promise, infinitely steep at 0; and S-shaped.
    "mixture_steep": ("hill_concave", "weibull_concave"),
    "mixture_s_shaped": ("hill", "logistic"),
    # Infinitely steep, straight, ever steeper; and those of falling return among them.
    "mixture_powers": ("root", "linear", "increasing"),
    "mixture_straight": ("root", "linear", "log"),
}
STAGES = 3


def draw_curves(name: str, rng: np.random.Generator, shape: tuple[int, ...], reach: float = 8.0) -> Curve:
    """Curves of one family that do most of what they do within `reach` units of effort."""

    def uniform(low: float, high: float, *more: int) -> Array:
        return rng.uniform(low, high, (*shape, *more))

    scale = uniform(0.3, 3.0)
    baseline = uniform(-0.5, 1.0)
    if name in MIXED:
        families = tuple(draw_curves(n, rng, shape, reach) for n in MIXED[name])
        return Mixture(families=families, choice=rng.integers(0, len(families), shape))
    if name == "log":
        return engine.Log(scale, uniform(0.5, 20.0) / reach, baseline)
    if name == "purelog":
        return engine.PureLog(scale, uniform(2.0, 80.0) / reach, baseline)
    if name == "root":
        return engine.Root(scale, uniform(0.1, 0.95), baseline)
    if name == "linear":
        return engine.Linear(scale / reach, baseline)
    if name == "increasing":
        exponent = np.where(rng.random(shape) < 0.2, 1.0, uniform(1.0, 2.5))
        return engine.Increasing(2.0 * scale / reach**exponent, exponent, baseline)
    if name == "power":
        falls = rng.random(shape) < 0.5
        exponent = np.where(falls, -uniform(0.2, 3.0), uniform(0.1, 0.9))
        return engine.Power(np.where(falls, -scale, scale), exponent, uniform(0.05, 0.5) * reach)
    if name == "exponential":
        return engine.Exponential(scale, uniform(0.5, 8.0) / reach, baseline)
    if name in ("hill", "hill_concave"):
        exponent = uniform(0.3, 1.0) if name == "hill_concave" else uniform(0.4, 6.0)
        return engine.Hill(scale, uniform(0.1, 0.7) * reach, exponent, baseline)
    if name in ("weibull", "weibull_concave"):
        exponent = uniform(0.3, 1.0) if name == "weibull_concave" else uniform(0.4, 6.0)
        return engine.Weibull(scale, uniform(1.3, 6.0) / reach, exponent, baseline)
    if name == "logistic":
        return engine.Logistic(scale, uniform(4.0, 25.0) / reach, uniform(-0.2, 0.8) * reach)
    if name == "lifecycle":
        start = np.concatenate([np.zeros((*shape, 1)), uniform(0.05, 0.9, STAGES - 1) * reach], -1)
        base = np.concatenate([np.zeros((*shape, 1)), uniform(-0.3, 2.0, STAGES - 1)], -1)
        return engine.Lifecycle(
            np.sort(start, -1), base, uniform(0.1, 1.5, STAGES), uniform(1.0, 20.0, STAGES) / reach
        )
    assert name in ("tabulated", "tabulated_points"), name
    levels = int(reach * 0.8)
    rises = rng.exponential(1.0, (*shape, levels)) * (rng.random((*shape, levels)) < 0.5)
    falls = rng.random((*shape, levels)) < 0.15
    values = uniform(0.0, 1.0, 1) + np.cumsum(np.where(falls, -0.3 * rises, rises), -1)
    if name == "tabulated":
        return engine.Tabulated(values)
    return engine.Tabulated(values, np.cumsum(uniform(0.2, 1.8, levels), -1))


def id_of(part: str | tuple[str, ...]) -> str:
    """What pytest calls a family, or the parts that its portfolios have."""
    return part if isinstance(part, str) else "-".join(part)


def draw(
    name: str,
    seed: int,
    shape: tuple[int, ...],
    parts: tuple[str, ...] = (),
    *,
    reach: float = 8.0,
    dtype: Any = np.float64,
) -> Portfolio:
    """A batch of weighted portfolios of one family or mixture, with these optional parts."""
    rng = np.random.default_rng(seed)
    given: dict[str, Any] = {"weight": rng.uniform(0.2, 3.0, shape)}
    if "cost" in parts:
        given["cost"] = rng.integers(1, 4, shape).astype(float)
    if "quarter_cost" in parts:
        given["cost"] = rng.integers(2, 12, shape) * 0.25
    if "real_cost" in parts:
        given["cost"] = rng.uniform(0.5, 3.0, shape)
    if "bounds" in parts:
        # At most one lower limit of 1 a project keeps every draw feasible where costs allow.
        given["lower"] = rng.integers(0, 2, shape).astype(float)
        given["upper"] = given["lower"] + rng.integers(0, max(int(reach * 0.6), 2), shape)
        given["upper"][rng.random(shape) < 0.2] = np.inf
    if "fractional_bounds" in parts:  # with a whole unit within them
        given["lower"] = rng.uniform(0.0, 1.6, shape) * (rng.random(shape) < 0.7)
        given["upper"] = np.ceil(given["lower"]) + rng.uniform(0.0, 2.5, shape)
    if "upper" in parts:
        given["upper"] = rng.integers(0, max(int(reach * 0.5), 2), shape).astype(float)
    if "startup" in parts:
        given["startup"] = rng.uniform(0.0, 0.4 * reach, shape) * (rng.random(shape) < 0.7)
    if "success" in parts:
        given["success"] = rng.uniform(0.0, 1.0, shape)
    if "curvature" in parts:
        given["curvature"] = rng.uniform(0.0, 2.0, shape) * (rng.random(shape) < 0.7)
    if "threshold" in parts:
        given["threshold"] = np.where(rng.random(shape) < 0.7, rng.uniform(0.0, 2.0, shape), -np.inf)
    portfolio = Portfolio(draw_curves(name, rng, shape, reach), **given)
    return cast(portfolio, dtype)


def cast(portfolio: Portfolio, dtype: Any) -> Portfolio:
    """The same portfolio in another floating dtype."""

    def convert(value: Any) -> Any:
        if isinstance(value, np.ndarray) and np.issubdtype(value.dtype, np.floating):
            return value.astype(dtype)
        if isinstance(value, Curve):
            return dataclasses.replace(
                value, **{f.name: convert(getattr(value, f.name)) for f in dataclasses.fields(value)}
            )
        return tuple(convert(v) for v in value) if isinstance(value, tuple) else value

    fields = ["curves", *portfolio.optional_fields()]
    return dataclasses.replace(portfolio, **{n: convert(getattr(portfolio, n)) for n in fields})


def pick(portfolio: Portfolio, index: int) -> Portfolio:
    """One portfolio of a batch of shape [batch, projects]."""

    def take(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return value[index]
        if isinstance(value, Curve):
            return dataclasses.replace(
                value, **{f.name: take(getattr(value, f.name)) for f in dataclasses.fields(value)}
            )
        return tuple(take(v) for v in value) if isinstance(value, tuple) else value

    fields = ["curves", *portfolio.optional_fields()]
    return dataclasses.replace(portfolio, **{n: take(getattr(portfolio, n)) for n in fields})


# The returns, once more.


def performance(curve: Curve, x: Array) -> Array:
    """f(x) from the docstrings' formulas; x is [..., projects], leading axes beyond the curve's are free.

    Concave families take complex efforts too, for derivatives by a complex step.
    """
    if isinstance(curve, Mixture):
        values = [performance(f, x) for f in curve.families]
        return np.choose(np.broadcast_to(curve.choice, x.shape), values)
    if isinstance(curve, engine.Tabulated):
        return _tabulated(curve, x)
    parameters = {
        f.name: np.asarray(getattr(curve, f.name), float)
        for f in dataclasses.fields(curve)
        if getattr(curve, f.name) is not None
    }
    base_level = parameters.pop("baseline", 0.0)
    return base_level + _lift(curve, x, **parameters)


def _lift(curve: Curve, x: Array, **p: Array) -> Array:
    a = p["scale"]
    match curve.family:
        case "log":
            return a * np.log(1 + p["rate"] * x)
        case "purelog":
            return a * np.log(np.where(p["rate"] * x > 1, p["rate"] * x, 1.0))
        case "root" | "increasing":
            return a * x ** p["exponent"]
        case "linear":
            return a * x
        case "power":
            return a * ((1 + x / p["shift"]) ** p["exponent"] - 1)
        case "exponential":
            return a * (1 - np.exp(-p["rate"] * x))
        case "hill":
            return a * x ** p["exponent"] / (p["half"] ** p["exponent"] + x ** p["exponent"])
        case "weibull":
            return a * (1 - np.exp(-((p["rate"] * x) ** p["exponent"])))
        case "logistic":
            at_zero = 1 / (1 + np.exp(p["rate"] * p["midpoint"]))
            return a * (1 / (1 + np.exp(-p["rate"] * (x - p["midpoint"]))) - at_zero) / (1 - at_zero)
        case "lifecycle":
            since = x[..., None] - p["start"]
            gained = p["base"] + a * np.log(1 + p["rate"] * np.where(since > 0, since, 0.0))
            return np.max(np.where(since >= 0, gained, 0.0), -1).clip(0.0)
    raise AssertionError(curve.family)


def _tabulated(curve: Curve, x: Array) -> Array:
    values = np.asarray(curve.values, float)
    points = np.broadcast_to(np.arange(values.shape[-1]), values.shape)
    if curve.points is not None:
        points = np.asarray(curve.points, float)
    where = values.shape[:-1]
    columns = np.asarray(x, float).reshape(-1, int(np.prod(where)))
    known = points.reshape(-1, values.shape[-1]), values.reshape(-1, values.shape[-1])
    rows = zip(columns.T, *known, strict=True)
    return np.stack([np.interp(*row) for row in rows], -1).reshape(x.shape)


def returns(portfolio: Portfolio, effort: Array, leeway: float = 0.0) -> Array:
    """w π R(f(max(x − s, 0))) per project; effort is [..., batch, projects].

    With `leeway`, performance that misses its threshold by that little is paid too.
    """
    effort = np.asarray(effort)
    effort = effort if np.iscomplexobj(effort) else effort.astype(float)
    after = effort if portfolio.startup is None else np.maximum(effort - portfolio.startup, 0.0)
    reached = performance(portfolio.curves, after)
    utility = reached
    if portfolio.curvature is not None:
        r = np.asarray(portfolio.curvature, float)
        utility = np.where(r > 0, (1 - np.exp(-r * reached)) / np.where(r > 0, r, 1.0), reached)
    if portfolio.threshold is not None:
        utility = np.where(reached >= portfolio.threshold - leeway, utility, 0.0)
    stakes = np.ones(effort.shape[-1])
    for factor in (portfolio.weight, portfolio.success):
        stakes = stakes if factor is None else stakes * np.asarray(factor, float)
    return stakes * utility


def value(portfolio: Portfolio, effort: Array, leeway: float = 0.0) -> Array:
    """V(x)."""
    return returns(portfolio, effort, leeway).sum(-1)


def slope(portfolio: Portfolio, effort: Array) -> Array:
    """dV/dx by a complex step: exact to rounding where the curves are analytic (concave families)."""
    return returns(portfolio, np.asarray(effort, float) + 1e-30j).imag / 1e-30


def costs(portfolio: Portfolio) -> Array:
    """c, as an array of the portfolio's shape."""
    cost = 1.0 if portfolio.cost is None else np.asarray(portfolio.cost, float)
    return np.broadcast_to(cost, portfolio.shape)


def limits(portfolio: Portfolio) -> tuple[Array, Array]:
    """(lower, upper)."""
    lower = 0.0 if portfolio.lower is None else np.asarray(portfolio.lower, float)
    upper = np.inf if portfolio.upper is None else np.asarray(portfolio.upper, float)
    return np.broadcast_to(lower, portfolio.shape), np.broadcast_to(upper, portfolio.shape)


def table(portfolio: Portfolio, units: int) -> Array:
    """Returns [batch, projects, levels] at whole units; −∞ outside the bounds."""
    levels = np.broadcast_to(
        np.arange(units + 1.0).reshape(-1, *[1] * len(portfolio.shape)), (units + 1, *portfolio.shape)
    )
    lower, upper = limits(portfolio)
    allowed = (levels >= lower) & (levels <= upper)
    return np.moveaxis(np.where(allowed, returns(portfolio, levels), -np.inf), 0, -1)


# References for the optimum.


def brute_force(portfolio: Portfolio, budget: float | Array, units: int | None = None) -> Array:
    """The best value over all whole-unit allocations, for a batch [batch, projects]; of so many units to a
    project at most where costs of 0 do not say how many."""
    batch, projects = portfolio.shape
    if units is None:
        units = int(np.floor(np.max(budget) / costs(portfolio).min() + 1e-9))
    every = np.array(list(itertools.product(range(units + 1), repeat=projects)))
    rows = table(portfolio, units)
    total = sum(rows[:, i, every[:, i]] for i in range(projects))
    spent = costs(portfolio) @ every.T
    feasible = spent <= np.broadcast_to(budget, (batch,))[:, None] + 1e-9
    return np.max(np.where(feasible, total, -np.inf), -1)


def dynamic_programme(portfolio: Portfolio, budget: float, step: float = 1.0) -> float:
    """The best value of one portfolio [projects] whose costs are multiples of `step`, by max-plus DP."""
    taken = np.round(costs(portfolio) / step).astype(int)
    states = int(np.floor(budget / step + 1e-9))
    rows = table(portfolio, states // taken.min())
    best = np.zeros(states + 1)
    for cost, row in zip(taken, rows, strict=True):
        after = np.full(states + 1, -np.inf)
        for level, gained in enumerate(row[: states // cost + 1]):
            moved = best[: states + 1 - level * cost] + gained
            after[level * cost :] = np.maximum(after[level * cost :], moved)
        best = after
    return float(best[-1])


def multiple_choice(portfolio: Portfolio, budget: float, *, whole: bool = True) -> float:
    """The best value of one portfolio [projects] as a multiple-choice knapsack solved by HiGHS.

    One binary a (project, level); with `whole=False` their linear relaxation, which is the Lagrangian bound.
    """
    units = int(np.floor(budget / costs(portfolio).min() + 1e-9))
    rows = table(portfolio, units)
    # Levels that the whole budget cannot buy are left out: they would loosen the relaxation.
    allowed = np.isfinite(rows) & (costs(portfolio)[:, None] * np.arange(units + 1) <= budget + 1e-9)
    project, level = np.nonzero(allowed)
    choose_one = sparse.csr_matrix((np.ones(project.size), (project, np.arange(project.size))))
    spent = sparse.csr_matrix((costs(portfolio)[project] * level)[None])
    solved = optimize.milp(
        -rows[allowed],
        constraints=[
            optimize.LinearConstraint(choose_one, 1, 1),
            optimize.LinearConstraint(spent, -np.inf, budget),
        ],
        integrality=np.full(project.size, int(whole)),
        bounds=optimize.Bounds(0, 1),
        options={"mip_rel_gap": 0.0},
    )
    assert solved.success, solved.message
    return float(-solved.fun)


def fine_grid(portfolio: Portfolio, budget: float, points: int = 4001) -> Array:
    """The best value over a fine grid of real efforts, for a batch [batch, 2] of two projects."""
    assert portfolio.shape[-1] == 2
    cost, (lower, upper) = costs(portfolio), limits(portfolio)
    share = np.linspace(0.0, 1.0, points)[:, None]
    most = np.minimum((budget - lower[..., 1] * cost[..., 1]) / cost[..., 0], upper[..., 0])
    first = lower[..., 0] + share * (most - lower[..., 0])
    second = np.minimum((budget - cost[..., 0] * first) / cost[..., 1], upper[..., 1])
    earned = returns(portfolio, np.stack([first, np.maximum(second, lower[..., 1])], -1))
    # A project may also leave budget unspent: any second effort met at a later first one is affordable.
    kept = np.maximum.accumulate(earned[::-1, :, 1], axis=0)[::-1]
    return np.max(earned[..., 0] + kept, axis=0)


def concave_optimum(portfolio: Portfolio, budget: float | Array) -> tuple[Array, Array]:
    """(effort, price) of the real optimum of concave portfolios [batch, projects], by nested bisection.

    On the multiplier λ outside, on slope(x) = λ c inside: nothing but the derivative of `returns`.
    """
    cost, (lower, upper) = costs(portfolio), limits(portfolio)
    # Twice what the budget buys: a project that takes it all must still be priced by its own slope.
    most = np.minimum(upper, 2 * np.asarray(budget)[..., None] / cost)

    def respond(price: Array) -> Array:
        low, high = lower.astype(float), np.maximum(most, lower)
        for _ in range(70):
            middle = 0.5 * (low + high)
            rising = slope(portfolio, middle) >= price[:, None] * cost
            low, high = np.where(rising, middle, low), np.where(rising, high, middle)
        return 0.5 * (low + high)

    low, high = np.full(portfolio.shape[0], -60.0), np.full(portfolio.shape[0], 60.0)
    for _ in range(80):
        middle = 0.5 * (low + high)
        over = (cost * respond(np.exp(middle))).sum(-1) > budget
        low, high = np.where(over, middle, low), np.where(over, high, middle)
    return respond(np.exp(high)), np.exp(high)
