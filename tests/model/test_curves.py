"""Curve families against formulas in 120-digit decimals, brute force on fine grids, and their contracts.

The references are written anew here, in `decimal`: a difference of two of their values keeps dozens
of digits, so gains and slopes can be compared to the last few bits of float64.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.curves import FAMILIES
from engine.model.curves.base import SPENT_SLOPE, Curve, Smooth
from engine.model.curves.concave import Exponential, Linear, Log, Power, PureLog, Root
from engine.model.curves.increasing import Increasing
from engine.model.curves.mixture import Mixture
from engine.model.curves.s_shaped import Hill, Logistic, Weibull
from engine.model.curves.staged import Lifecycle, Tabulated
from engine.model.portfolio import Portfolio

DIGITS = 120
# A few ulps times the condition of exp at arguments up to 140: 140 · 2.2e-16 · a handful of roundings.
TIGHT = 1e-12
# Below this, exp has been called with an argument under −138, and only smallness is asked for.
NEGLIGIBLE = 1e-60
# Adding a baseline of order 1 costs an absolute rounding of its size.
ROUNDING = 1e-14

Reference = Callable[[Decimal], Decimal]


# The references: performance as a function of effort, one project at a time.


def log_reference(scale: float, rate: float) -> Reference:
    return lambda x: Decimal(scale) * (1 + Decimal(rate) * x).ln()


def purelog_reference(scale: float, rate: float) -> Reference:
    return lambda x: Decimal(scale) * max(Decimal(rate) * x, Decimal(1)).ln()


def power_reference(scale: float, exponent: float, shift: float) -> Reference:
    return lambda x: Decimal(scale) * ((1 + x / Decimal(shift)) ** Decimal(exponent) - 1)


def plain_power_reference(scale: float, exponent: float) -> Reference:
    return lambda x: Decimal(scale) * x ** Decimal(exponent) if x else Decimal(0)


def linear_reference(scale: float) -> Reference:
    return lambda x: Decimal(scale) * x


def exponential_reference(scale: float, rate: float) -> Reference:
    return lambda x: Decimal(scale) * (1 - (-Decimal(rate) * x).exp())


def hill_reference(scale: float, half: float, exponent: float) -> Reference:
    def value(x: Decimal) -> Decimal:
        raised = x ** Decimal(exponent) if x else Decimal(0)
        return Decimal(scale) * raised / (Decimal(half) ** Decimal(exponent) + raised)

    return value


def weibull_reference(scale: float, rate: float, exponent: float) -> Reference:
    def value(x: Decimal) -> Decimal:
        hazard = (Decimal(rate) * x) ** Decimal(exponent) if x else Decimal(0)
        return Decimal(scale) * (1 - (-hazard).exp())

    return value


def logistic_reference(scale: float, rate: float, midpoint: float) -> Reference:
    def sigmoid(z: Decimal) -> Decimal:
        return 1 / (1 + (-z).exp())

    def value(x: Decimal) -> Decimal:
        first = sigmoid(-Decimal(rate) * Decimal(midpoint))
        return Decimal(scale) * (sigmoid(Decimal(rate) * (x - Decimal(midpoint))) - first) / (1 - first)

    return value


def lifecycle_reference(
    start: list[float], base: list[float], scale: list[float], rate: list[float]
) -> Reference:
    stages = [tuple(map(Decimal, stage)) for stage in zip(start, base, scale, rate, strict=True)]

    def value(x: Decimal) -> Decimal:
        levels = [b + a * (1 + r * (x - t)).ln() for t, b, a, r in stages if x >= t]
        return max([Decimal(0), *levels])

    return value


def tabulated_reference(values: list[float], points: list[float] | None = None) -> Reference:
    efforts = [Decimal(k) for k in (range(len(values)) if points is None else points)]
    heights = [Decimal(v) for v in values]

    def value(x: Decimal) -> Decimal:
        if x <= efforts[0]:
            return heights[0]
        for left, right, low, high in zip(efforts, efforts[1:], heights, heights[1:], strict=False):
            if x <= right:
                return low + (high - low) * (x - left) / (right - left)
        return heights[-1]

    return value


@dataclass(frozen=True)
class Case:
    """One curve object of a few projects, with a reference for each."""

    name: str
    curve: Curve
    references: tuple[Reference, ...]
    baseline: tuple[float, ...]

    @property
    def projects(self) -> int:
        return len(self.references)

    @property
    def linear(self) -> bool:
        """Whether gains are differences of table values, so exact only to a rounding of these."""
        families = self.curve.families if isinstance(self.curve, Mixture) else (self.curve,)
        return any(isinstance(family, Tabulated) for family in families)


def closed(family: type[Curve], reference: Callable[..., Reference], name: str, *projects: Any) -> Case:
    """A case of one family from tuples of parameters, with baselines that differ."""
    columns = [np.array(column) for column in zip(*projects, strict=True)]
    baseline = tuple((0.75, -2.0, 0.0)[: len(projects)])
    curve = family(*columns, baseline=np.array(baseline))
    return Case(name, curve, tuple(reference(*p) for p in projects), baseline)


STAGES = (
    ([0.0, 5.5, 20.25], [0.0, 1.0, 2.5], [0.5, 1.5, 4.0], [2.0, 0.5, 0.125]),
    ([2.5, 6.5, 30.5], [-0.5, 0.25, 0.0], [1.0, 2.0, 3.0], [1.0, 0.25, 2.0]),
)
VALUES = ([1.0, 1.5, 4.0, 4.25, 4.25], [0.0, 3.0, 5.0, 6.0, 6.5])
POINTS = ([0.0, 1.5, 4.0, 10.0, 80.0], [2.5, 3.0, 7.5, 20.0, 21.0])


def mixture_case() -> Case:
    """A project each of log, hill, lifecycle and tabulated; parameters of the others are neutral."""
    start, base, scale, rate = (np.array([part] * 4) for part in STAGES[0])
    families = (
        Log(np.full(4, 2.0), np.full(4, 0.5), np.array([0.75, 0.0, 0.0, 0.0])),
        Hill(np.full(4, 10.0), np.full(4, 4.0), np.full(4, 2.5)),
        Lifecycle(start, base, scale, rate),
        Tabulated(np.array([VALUES[0]] * 4), np.array([POINTS[0]] * 4)),
    )
    references = (
        log_reference(2.0, 0.5),
        hill_reference(10.0, 4.0, 2.5),
        lifecycle_reference(*STAGES[0]),
        lambda x: tabulated_reference(VALUES[0], POINTS[0])(x) - 1,
    )
    choice = np.arange(4, dtype=np.int32)
    return Case("mixture", Mixture(families, choice), references, (0.75, 0.0, 0.0, 1.0))


SMOOTH_CASES = (
    closed(Log, log_reference, "log", (2.0, 0.1), (0.5, 1.0), (30.0, 3.0)),
    closed(PureLog, purelog_reference, "purelog", (25.0, 2.0), (0.5, 0.3), (3.0, 40.0)),
    closed(Power, power_reference, "power-rising", (2.0, 0.5, 1.0), (0.3, 0.9, 10.0), (5.0, 0.1, 0.2)),
    closed(Power, power_reference, "power-decaying", (-2.0, -0.5, 1.0), (-9.0, -3.0, 10.0), (-1, -0.05, 2)),
    closed(Root, plain_power_reference, "root", (2.0, 0.5), (0.3, 0.9), (5.0, 0.1)),
    closed(Exponential, exponential_reference, "exponential", (2.0, 0.1), (7.0, 1.0), (30.0, 0.003)),
    closed(Hill, hill_reference, "hill-below-1", (2.0, 3.0, 0.5), (9.0, 40.0, 0.9), (1.0, 0.5, 0.2)),
    closed(Hill, hill_reference, "hill-at-1", (2.0, 3.0, 1.0), (9.0, 40.0, 1.0), (1.0, 0.5, 1.0)),
    closed(Hill, hill_reference, "hill-above-1", (2.0, 3.0, 1.25), (9.0, 40.0, 2.0), (1.0, 0.5, 4.0)),
    closed(
        Weibull, weibull_reference, "weibull-below-1", (2.0, 0.3, 0.5), (9.0, 0.02, 0.9), (1.0, 5.0, 0.25)
    ),
    closed(Weibull, weibull_reference, "weibull-at-1", (2.0, 0.3, 1.0), (9.0, 0.02, 1.0), (1.0, 5.0, 1.0)),
    closed(
        Weibull, weibull_reference, "weibull-above-1", (2.0, 0.3, 1.25), (9.0, 0.02, 2.0), (1.0, 0.1, 4.0)
    ),
    closed(Logistic, logistic_reference, "logistic", (2.0, 0.3, 12.0), (9.0, 1.5, 4.0), (30.0, 0.01, 100.0)),
    closed(
        Logistic,
        logistic_reference,
        "logistic-past-midpoint",
        (2.0, 0.3, 0.0),
        (9.0, 1.5, -4.0),
        (1, 0.1, -8),
    ),
)
CASES = (
    *SMOOTH_CASES,
    closed(Linear, linear_reference, "linear", (2.0,), (0.3,), (5.0,)),
    closed(Increasing, plain_power_reference, "increasing", (2.0, 1.5), (0.3, 3.0), (5.0, 1.0)),
    Case(
        "lifecycle",
        Lifecycle(*(np.array(part) for part in zip(*STAGES, strict=True)), baseline=np.array([0.75, -2.0])),
        tuple(lifecycle_reference(*stages) for stages in STAGES),
        (0.75, -2.0),
    ),
    Case(
        "tabulated",
        Tabulated(np.array(VALUES)),
        tuple(lambda x, v=v: tabulated_reference(v)(x) - Decimal(v[0]) for v in VALUES),
        tuple(v[0] for v in VALUES),
    ),
    Case(
        "tabulated-points",
        Tabulated(np.array(VALUES), np.array(POINTS)),
        tuple(
            lambda x, v=v, p=p: tabulated_reference(v, p)(x) - Decimal(v[0])
            for v, p in zip(VALUES, POINTS, strict=True)
        ),
        tuple(v[0] for v in VALUES),
    ),
    mixture_case(),
)
EVERY = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
EVERY_SMOOTH = pytest.mark.parametrize("case", SMOOTH_CASES, ids=lambda case: case.name)

EFFORTS = np.array([0.0, 1e-9, 1e-3, 0.3, 1.0, 2.7, 6.0, 21.5, 57.3, 1003.7, 12345.6, 1e7])
POSITIVE = EFFORTS[1:]


@functools.partial(jax.jit, static_argnames="method")
def compiled(curve: Curve, method: str, *rows: Any) -> Any:
    return jax.vmap(lambda *row: getattr(curve, method)(*row))(*rows)


def evaluate(curve: Curve, method: str, *rows: Any) -> np.ndarray:
    """One method at several rows of efforts; short blocks are padded to one height, so compiled once."""
    height = len(rows[0])
    padding = ((0, max(16 - height, 0)), (0, 0))
    return np.asarray(compiled(curve, method, *(np.pad(r, padding, mode="edge") for r in rows)))[:height]


def at(case: Case, method: str, *columns: np.ndarray) -> np.ndarray:
    """[efforts, projects]: one method of a case's curve at the same efforts for all its projects."""
    rows = [np.broadcast_to(np.asarray(c)[:, None], (len(c), case.projects)) for c in columns]
    return evaluate(case.curve, method, *rows)


def table(case: Case, function: Callable[[Reference, Decimal], Decimal], efforts: np.ndarray) -> np.ndarray:
    """[efforts, projects]: a function of the references."""
    with localcontext() as context:
        context.prec = DIGITS
        rows = [[function(r, Decimal(float(x))) for r in case.references] for x in efforts]
    return np.array(rows, dtype=object)


def right_difference(reference: Reference, effort: Decimal) -> Decimal:
    """The right derivative: a difference so short that its bend is some 25 digits down."""
    step = (effort or Decimal(1)) * Decimal("1e-28")
    return (reference(effort + step) - reference(effort)) / step


def assert_close(actual: np.ndarray, expected: np.ndarray, relative: float, absolute: float = 0.0) -> None:
    """Compare with decimals; where these are negligible, only ask for smallness."""
    for a, e in zip(np.ravel(actual), np.ravel(expected), strict=True):
        assert math.isfinite(a), (a, e)
        allowed = max(relative * abs(float(e)), absolute)
        if abs(e) < NEGLIGIBLE:
            allowed = max(allowed, 2 * NEGLIGIBLE)
        assert abs(float(Decimal(float(a)) - e)) <= allowed, (a, float(e))


# Values, slopes, gains.


@EVERY
def test_value_matches_the_formula(case: Case) -> None:
    lifts = table(case, lambda reference, x: reference(x), EFFORTS)
    expected = lifts + np.array([Decimal(b) for b in case.baseline], dtype=object)
    assert_close(at(case, "value", EFFORTS), expected, TIGHT, absolute=ROUNDING)


@EVERY
def test_lift_keeps_its_relative_precision_at_small_effort(case: Case) -> None:
    """Without a baseline to hide behind: log1p and expm1 where a plain formula would round to 0."""
    expected = table(case, lambda reference, x: reference(x), EFFORTS)
    assert_close(at(case, "lift", EFFORTS), expected, TIGHT, absolute=ROUNDING if case.linear else 0.0)


@EVERY
def test_value_at_no_effort_is_the_baseline(case: Case) -> None:
    np.testing.assert_array_equal(at(case, "value", np.zeros(1))[0], case.baseline)
    np.testing.assert_array_equal(at(case, "lift", np.zeros(1))[0], np.zeros(case.projects))


@pytest.mark.parametrize("case", SMOOTH_CASES, ids=lambda case: case.name)
def test_value_without_a_baseline_starts_at_0(case: Case) -> None:
    parameters = {name: getattr(case.curve, name) for name in case.curve.parameters()}
    bare = type(case.curve)(**parameters)
    np.testing.assert_array_equal(bare.value(jnp.zeros(case.projects)), np.zeros(case.projects))


@EVERY
def test_slope_matches_differences(case: Case) -> None:
    """The right derivative everywhere, so kinks need no exception; at whole units of a table, too."""
    actual = at(case, "slope", POSITIVE)
    expected = table(case, right_difference, POSITIVE)
    if isinstance(case.curve, PureLog):  # the classic slope a/x goes on where performance is still flat
        begun = POSITIVE[:, None] * case.curve.rate >= 1
        assert begun.any(axis=0).all()
        actual, expected = actual[begun], expected[begun]
    assert_close(actual, expected, TIGHT)


SLOPES_AT_0 = {
    "log": [0.2, 0.5, 90.0],
    "purelog": [np.inf] * 3,
    "power-rising": [1.0, 0.027, 2.5],
    "power-decaying": [1.0, 2.7, 0.025],
    "root": [np.inf] * 3,
    "linear": [2.0, 0.3, 5.0],
    "increasing": [0.0, 0.0, 5.0],
    "exponential": [0.2, 7.0, 0.09],
    "hill-below-1": [np.inf] * 3,
    "hill-at-1": [2 / 3, 9 / 40, 2.0],
    "hill-above-1": [0.0] * 3,
    "weibull-below-1": [np.inf] * 3,
    "weibull-at-1": [0.6, 0.18, 5.0],
    "weibull-above-1": [0.0] * 3,
    # a b σ(−b m) for a logistic: its slope a b σ σ̄ over 1 − σ(−b m) = σ(b m)
    "logistic": [0.6 / (1 + math.exp(3.6)), 13.5 / (1 + math.exp(6)), 0.3 / (1 + math.exp(1))],
    "logistic-past-midpoint": [0.3, 13.5 / (1 + math.exp(-6)), 0.1 / (1 + math.exp(-0.8))],
    "lifecycle": [1.0, 0.0],
    "tabulated": [0.5, 3.0],
    "tabulated-points": [1 / 3, 0.0],
    "mixture": [1.0, 0.0, 1.0, 1 / 3],
}


@EVERY
def test_slope_at_no_effort(case: Case) -> None:
    np.testing.assert_allclose(at(case, "slope", np.zeros(1))[0], SLOPES_AT_0[case.name], rtol=TIGHT)


@pytest.mark.parametrize("step", [1e-6, 0.25, 1.0, 30.0, 2000.0])
@EVERY
def test_gain_is_the_exact_difference_of_values(case: Case, step: float) -> None:
    """From effort 0 to ten million, where a difference of float64 values has lost most of its digits."""
    exact = Decimal(step)
    expected = table(case, lambda reference, x: reference(x + exact) - reference(x), EFFORTS)
    actual = at(case, "gain", EFFORTS, np.full(len(EFFORTS), step))
    assert_close(actual, expected, TIGHT, absolute=ROUNDING if case.linear else 0.0)


@EVERY
def test_gain_takes_one_unit_by_default(case: Case) -> None:
    default = at(case, "gain", EFFORTS)
    explicit = at(case, "gain", EFFORTS, np.ones(len(EFFORTS)))
    np.testing.assert_allclose(default, explicit, rtol=1e-15)  # an ulp: compiled with another constant


@EVERY
def test_gain_of_no_step_is_0(case: Case) -> None:
    np.testing.assert_array_equal(at(case, "gain", EFFORTS, np.zeros(len(EFFORTS))), 0.0)


@pytest.mark.parametrize("name", ["log", "hill-above-1", "exponential"])
def test_plain_difference_of_values_would_not_do(name: str) -> None:
    """Why gain is a method: the same comparison fails for the difference of two values."""
    case = next(c for c in SMOOTH_CASES if c.name == name)
    efforts, step = np.array([1e-9, 1e7]), 1e-6
    expected = table(case, lambda reference, x: reference(x + Decimal(step)) - reference(x), efforts)
    plain = at(case, "value", efforts + step) - at(case, "value", efforts)
    with pytest.raises(AssertionError):
        assert_close(plain, expected, TIGHT)


# Kinks.


def test_lifecycle_slope_at_a_jump_is_that_of_the_new_stage() -> None:
    curve = Lifecycle([[0.0, 4.0]], [[0.0, 3.0]], [[1.0, 5.0]], [[1.0, 2.0]])
    assert curve.slope(jnp.array([4.0]))[0] == 10.0
    assert curve.slope(jnp.array([np.nextafter(4.0, 0)]))[0] == pytest.approx(0.2)


def test_lifecycle_slope_where_a_stage_opens_at_the_level_of_the_last_one() -> None:
    """Two stages tie at the kink; to the right of it the steeper one carries the performance."""
    curve = Lifecycle([[0.0, 5.0]], [[2.0, 2.0]], [[0.0, 10.0]], [[1.0, 1.0]])
    assert curve.slope(jnp.array([5.0]))[0] == 10.0


def test_lifecycle_is_at_the_baseline_until_its_first_stage_opens() -> None:
    curve = Lifecycle([[3.0]], [[1.0]], [[2.0]], [[1.0]], baseline=[0.5])
    efforts = np.array([[0.0], [2.9], [3.0]])
    np.testing.assert_array_equal(evaluate(curve, "value", efforts)[:, 0], [0.5, 0.5, 1.5])
    np.testing.assert_array_equal(evaluate(curve, "slope", efforts)[:, 0], [0.0, 0.0, 2.0])


def test_tabulated_of_one_level_is_flat() -> None:
    efforts = np.array([[0.0], [1.0], [2.0], [50.0]])
    for curve in (Tabulated([[3.0]]), Tabulated([[3.0]], [[2.0]])):
        np.testing.assert_array_equal(evaluate(curve, "value", efforts), np.full((4, 1), 3.0))
        np.testing.assert_array_equal(evaluate(curve, "slope", efforts), np.zeros((4, 1)))


@pytest.mark.parametrize("count", [2, 32, 33, 63, 64, 65, 1000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tables_of_any_length_are_looked_up_as_numpy_does(count: int, dtype: type) -> None:
    """At every point, next to it on either side, between and beyond; also in a batch, compiled."""
    random = np.random.default_rng(count)
    points = np.cumsum(random.uniform(0.5, 2.0, (3, count)), axis=1).astype(dtype)
    values = random.normal(size=(3, count)).astype(dtype)
    curve = Tabulated(jnp.array(values), jnp.array(points))
    between = random.uniform(0, 1.1 * points.max(), (3, 50)).astype(dtype)
    nearly = np.nextafter(points, dtype(0)), np.nextafter(points, dtype(np.inf))
    efforts = np.concatenate([points, *nearly, between, np.full((3, 1), 1e9, dtype)], axis=1)
    slope, value = (
        np.asarray(jax.jit(jax.vmap(method))(efforts.T)).T for method in (curve.slope, curve.value)
    )
    for row in range(3):
        segment = np.searchsorted(points[row], efforts[row], side="right") - 1
        slopes = np.concatenate([np.diff(values[row]) / np.diff(points[row]), [0.0, 0.0]])  # beyond, before
        np.testing.assert_allclose(slope[row], slopes[segment], rtol=4 * np.finfo(dtype).eps)
        expected = np.interp(efforts[row], points[row], values[row])
        np.testing.assert_allclose(value[row], expected, atol=1e3 * np.finfo(dtype).eps)


def test_purelog_gain_across_its_beginning() -> None:
    """Flat up to 1/b = 2: half of the unit from 1.5 gains nothing, the other half a·log(1.25)."""
    curve = PureLog([4.0], [0.5])
    assert curve.gain(jnp.array([0.0]))[0] == 0.0
    assert curve.gain(jnp.array([1.5]))[0] == pytest.approx(4 * math.log(1.25), rel=1e-15)


@pytest.mark.parametrize(
    "curve",
    [
        Log([0.0], [1.0]),
        PureLog([0.0], [1.0]),
        Power([0.0], [0.5], [1.0]),
        Root([0.0], [0.5]),
        Linear([0.0]),
        Exponential([0.0], [1.0]),
        Hill([0.0], [1.0], [0.5]),
        Hill([0.0], [1.0], [2.0]),
        Weibull([0.0], [1.0], [0.5]),
        Weibull([0.0], [1.0], [2.0]),
        Logistic([0.0], [1.0], [3.0]),
    ],
    ids=lambda curve: curve.family,
)
def test_project_of_scale_0_is_flat_and_never_nan(curve: Smooth) -> None:
    efforts = np.array([[0.0], [1.0], [30.0]])
    for method in ("value", "slope", "gain"):
        np.testing.assert_array_equal(evaluate(curve, method, efforts), np.zeros((3, 1)))
    np.testing.assert_array_equal(evaluate(curve, "inverse_slope", np.full((1, 1), 0.5)), [[0.0]])


# The inverse slope and the maximisers.

GRID = np.concatenate([[0.0], np.geomspace(1e-7, 1e7, 6000)])


@EVERY_SMOOTH
def test_inverse_slope_is_the_largest_effort_with_that_slope(case: Case) -> None:
    slopes = at(case, "slope", GRID)
    starts = np.array([1e-3, 0.1, 0.7, 2.0, 5.0, 9.0, 30.0, 300.0])
    prices = at(case, "slope", starts)
    found = evaluate(case.curve, "inverse_slope", prices)
    reached = evaluate(case.curve, "slope", found)
    for k, i in np.ndindex(prices.shape):
        price, effort = prices[k, i], found[k, i]
        if price < NEGLIGIBLE:
            continue
        # Newton leaves the slope right to some 1e-10 next to a peak, where two roots fall together.
        assert reached[k, i] == pytest.approx(price, rel=1e-9)
        # The start has this slope, so the largest such effort is not left of it.
        assert effort >= starts[k] * (1 - 1e-6)
        assert np.all(slopes[effort * (1 + 1e-6) < GRID, i] < price)


@EVERY_SMOOTH
def test_inverse_slope_is_0_where_the_curve_is_never_that_steep(case: Case) -> None:
    slopes = at(case, "slope", GRID)
    peaks = np.max(slopes, axis=0)
    for factor in (1.001, 2.0, 1e6):
        found = evaluate(case.curve, "inverse_slope", factor * peaks[None])[0]
        np.testing.assert_array_equal(found[np.isfinite(peaks)], 0.0)
    # Just below the peak there is one again, so the comparison above is no formality.
    below = evaluate(case.curve, "inverse_slope", 0.99 * peaks[None])[0]
    assert np.all(below[np.isfinite(peaks)] > 0)


@EVERY_SMOOTH
def test_inverse_slope_stays_put_at_extreme_prices(case: Case) -> None:
    """Newton's steps end at the root, not in a NaN, from prices of 1e-12 to 1e12."""
    prices = np.broadcast_to(np.geomspace(1e-12, 1e12, 25)[:, None], (25, case.projects))
    found = evaluate(case.curve, "inverse_slope", prices)
    assert np.all(np.isfinite(found))
    assert np.all(found >= 0)
    assert np.all(np.diff(found, axis=0) <= 1e-9 * found[:-1])  # dearer never means more effort
    reached = evaluate(case.curve, "slope", found)
    steep = np.isfinite(reached) & (found > 1e-4)  # nearer to 0 Newton may still be on its way
    np.testing.assert_allclose(reached[steep], prices[steep], rtol=1e-7)


@jax.jit
def shortfalls(curve: Curve, price: jnp.ndarray, limit: jnp.ndarray) -> jnp.ndarray:
    """By how much a fine grid on [0, limit] beats the ends and the maximisers, per project."""
    objective = jax.vmap(lambda x: curve.value(x) - price * x)
    shares = jnp.concatenate([jnp.linspace(0.0, 1.0, 3001), jnp.geomspace(1e-9, 1.0, 1500)])
    grid = jnp.max(objective(shares[:, None] * limit[None]), axis=0)
    candidates = curve.maximisers(price)
    inside = jnp.where((candidates >= 0) & (candidates <= limit[None]), candidates, 0.0)
    ends = jnp.stack([jnp.zeros_like(limit), limit])
    best = jnp.max(objective(jnp.concatenate([inside, ends])), axis=0)
    return (grid - best) / (1.0 + jnp.abs(best))


@pytest.mark.parametrize("limit", [3.0, 40.0, 5000.0])
@EVERY
def test_maximisers_hold_the_best_effort_at_a_price(case: Case, limit: float) -> None:
    for price in (1e-3, 0.02, 0.1, 0.5, 2.0, 9.0):
        short = shortfalls(case.curve, jnp.full(case.projects, price), jnp.full(case.projects, limit))
        assert np.all(np.asarray(short) <= 1e-9), price  # the roundings of the objective itself


def test_maximisers_of_a_smooth_curve_are_its_inverse_slope() -> None:
    curve = Hill([3.0, 5.0], [10.0, 2.0], [2.0, 0.7])
    price = jnp.array([0.05, 0.1])
    np.testing.assert_array_equal(curve.maximisers(price), curve.inverse_slope(price)[None])


def test_inverse_slope_of_a_mixture_is_that_of_each_project() -> None:
    log, hill = Log([2.0, 2.0], [1.0, 1.0]), Hill([3.0, 9.0], [10.0, 4.0], [2.0, 3.0])
    mixture = Mixture((log, hill), np.array([0, 1], np.int32))
    price = jnp.array([0.3, 0.2])
    expected = [log.inverse_slope(price)[0], hill.inverse_slope(price)[1]]
    np.testing.assert_array_equal(mixture.inverse_slope(price), expected)


PROJECTS = 5


def numbers(low: float, high: float) -> st.SearchStrategy[np.ndarray]:
    """An array [projects] of numbers spread evenly over the orders of magnitude from `low` to `high`."""
    logs = st.floats(math.log(low), math.log(high))
    return st.lists(logs, min_size=PROJECTS, max_size=PROJECTS).map(lambda v: np.exp(np.array(v)))


def staged() -> st.SearchStrategy[Lifecycle]:
    def build(parts: tuple[np.ndarray, ...]) -> Lifecycle:
        waits, rises, scale, rate = (p[: PROJECTS * 3].reshape(PROJECTS, 3) for p in parts)
        return Lifecycle(np.cumsum(waits, axis=1), np.cumsum(rises, axis=1) - 1.0, scale, rate)

    def block(low: float, high: float) -> st.SearchStrategy[np.ndarray]:
        return st.lists(st.floats(low, high), min_size=3 * PROJECTS, max_size=3 * PROJECTS).map(np.array)

    return st.tuples(block(0.1, 15.0), block(0.0, 2.0), block(0.1, 5.0), block(0.05, 2.0)).map(build)


def measured() -> st.SearchStrategy[Tabulated]:
    def build(parts: tuple[list[float], list[float]]) -> Tabulated:
        steps, values = (np.array(p).reshape(PROJECTS, 4) for p in parts)
        return Tabulated(values, np.cumsum(steps, axis=1) - steps[:, :1])

    def block(low: float, high: float) -> st.SearchStrategy[list[float]]:
        return st.lists(st.floats(low, high), min_size=4 * PROJECTS, max_size=4 * PROJECTS)

    return st.tuples(block(0.5, 9.0), block(-3.0, 8.0)).map(build)


RANDOM: dict[str, st.SearchStrategy[Curve]] = {
    "log": st.builds(Log, numbers(0.1, 50), numbers(0.01, 10)),
    "purelog": st.builds(PureLog, numbers(0.1, 50), numbers(0.05, 10)),
    "power": st.builds(
        lambda a, p, s, sign: Power(a * sign, np.where(sign > 0, p, -5 * p), s),
        numbers(0.1, 50),
        numbers(0.02, 0.98),
        numbers(0.1, 50),
        st.lists(st.sampled_from([-1.0, 1.0]), min_size=PROJECTS, max_size=PROJECTS).map(np.array),
    ),
    "root": st.builds(Root, numbers(0.1, 50), numbers(0.02, 0.98)),
    "linear": st.builds(Linear, numbers(0.1, 50)),
    "increasing": st.builds(Increasing, numbers(0.1, 50), numbers(1.0, 4)),
    "exponential": st.builds(Exponential, numbers(0.1, 50), numbers(0.01, 3)),
    "hill": st.builds(Hill, numbers(0.1, 50), numbers(0.5, 60), numbers(0.3, 8)),
    "weibull": st.builds(Weibull, numbers(0.1, 50), numbers(0.01, 3), numbers(0.3, 8)),
    "logistic": st.builds(
        lambda a, b, m: Logistic(a, b, m - 10.0), numbers(0.1, 50), numbers(0.05, 3), numbers(1, 60)
    ),
    "lifecycle": staged(),
    "tabulated": measured(),
}


@pytest.mark.parametrize("family", RANDOM)
@given(data=st.data())
def test_maximisers_hold_the_best_effort_for_any_parameters(family: str, data: st.DataObject) -> None:
    curve = data.draw(RANDOM[family])
    price = data.draw(numbers(1e-3, 20))
    short = np.asarray(shortfalls(curve, price, np.full(PROJECTS, 120.0)))
    assert np.all(short <= 1e-9)


@pytest.mark.parametrize(
    "family", sorted({"hill", "weibull", "logistic", "log", "power", "root", "exponential"})
)
@given(data=st.data())
def test_inverse_slope_inverts_for_any_parameters(family: str, data: st.DataObject) -> None:
    curve, price = data.draw(RANDOM[family]), data.draw(numbers(1e-3, 20))
    found = evaluate(curve, "inverse_slope", price[None])
    reached = evaluate(curve, "slope", found)
    inside = found[0] > 1e-4  # nearer to 0 Newton may still be on its way
    np.testing.assert_allclose(reached[0][inside], price[inside], rtol=1e-7)


# Ceilings and stages.


@pytest.mark.parametrize("name", ["log", "power-rising"])
def test_ceiling_without_a_limit_is_where_the_slope_is_spent(name: str) -> None:
    case = next(c for c in CASES if c.name == name)
    spent = SPENT_SLOPE * case.curve.slope(jnp.zeros(case.projects))
    effort = case.curve.inverse_slope(spent)
    np.testing.assert_allclose(case.curve.ceiling(), case.curve.lift(effort), rtol=1e-12)


def test_ceiling_of_purelog_counts_from_its_beginning() -> None:
    curve = PureLog([4.0, 7.0], [0.5, 30.0])
    effort = curve.inverse_slope(SPENT_SLOPE * curve.slope(1.0 / curve.rate))
    np.testing.assert_allclose(curve.ceiling(), curve.lift(effort), rtol=1e-12)


def test_ceiling_of_a_root_counts_from_its_first_unit() -> None:
    curve = Root([4.0, 7.0], [0.5, 0.3])
    effort = curve.inverse_slope(SPENT_SLOPE * curve.slope(jnp.ones(2)))
    np.testing.assert_allclose(curve.ceiling(), curve.lift(effort), rtol=1e-12)


@pytest.mark.parametrize("curve", [Linear([2.0, 0.0]), Increasing([2.0, 0.0], [1.5, 1.5])])
def test_what_never_tires_has_no_ceiling_and_no_frontier(curve: Curve) -> None:
    np.testing.assert_array_equal(curve.ceiling(), [np.inf, 0.0])
    stage, last = curve.stage(jnp.full(2, 1e9), (0.5, 0.9), curve.ceiling())
    assert stage.tolist() == [0, 0]
    assert last.tolist() == [False, False]


def test_only_increasing_returns_are_worth_any_price() -> None:
    curve = Increasing([1.0, 1.0, 0.0], [1.0, 2.0, 2.0])
    assert curve.endless().tolist() == [False, True, False]
    mixture = Mixture((Linear(np.ones(3)), curve), np.array([0, 1, 1], np.int32))
    assert mixture.endless().tolist() == [False, True, False]
    assert not np.any(Linear(np.ones(3)).endless())


UNLIMITED = ("log", "purelog", "power-rising", "root", "linear", "increasing", "lifecycle", "mixture")


@pytest.mark.parametrize("case", [c for c in CASES if c.name not in UNLIMITED], ids=lambda case: case.name)
def test_ceiling_of_a_saturating_curve_is_its_limit(case: Case) -> None:
    # The slowest case is a decaying power of exponent −0.05: 1e300 ** −0.05 = 1e-15 of it is left.
    limit = case.curve.lift(jnp.full(case.projects, 1e300))
    np.testing.assert_allclose(case.curve.ceiling(), limit, rtol=1e-12)


def test_ceiling_of_a_lifecycle_is_that_of_its_last_stage() -> None:
    curve = Lifecycle(*(np.array(part) for part in zip(*STAGES, strict=True)))
    expected = [2.5 + 4.0 * math.log(100), 3.0 * math.log(100)]
    np.testing.assert_allclose(curve.ceiling(), expected, rtol=1e-14)
    spent = curve.start[:, -1] + 99.0 / curve.rate[:, -1]  # where the stage's slope is a hundredth
    np.testing.assert_allclose(curve.lift(spent), expected, rtol=1e-14)


def test_ceiling_of_a_table_is_its_best_level_even_if_it_falls_again() -> None:
    np.testing.assert_array_equal(Tabulated([[1.0, 7.0, 3.0]]).ceiling(), [6.0])


def test_stage_counts_the_cuts_that_the_share_has_reached() -> None:
    curve = Tabulated([[2.0, 6.0, 7.0, 9.5, 10.0, 11.2, 12.0]])
    stages, last = zip(
        *(curve.stage(jnp.array([float(k)]), (0.5, 0.75, 0.9), curve.ceiling()) for k in range(7)),
        strict=True,
    )
    # Shares 0, .4, .5, .75, .8, .92, 1: a cut counts from exactly its share on.
    assert [int(s[0]) for s in stages] == [0, 0, 1, 2, 2, 3, 3]
    assert [bool(b[0]) for b in last] == [False, False, False, False, False, True, True]


@pytest.mark.parametrize("case", [c for c in SMOOTH_CASES if c.name != "purelog"], ids=lambda case: case.name)
def test_stage_rises_with_effort_from_the_first_to_the_frontier(case: Case) -> None:
    ceiling = np.broadcast_to(np.asarray(case.curve.ceiling()), (case.projects,))
    share = at(case, "lift", GRID) / ceiling
    for k in range(0, len(GRID), 250):
        effort = jnp.full(case.projects, GRID[k])
        stage, last = case.curve.stage(effort, (0.25, 0.8), jnp.asarray(ceiling))
        np.testing.assert_array_equal(stage, (share[k] >= 0.25).astype(int) + (share[k] >= 0.8))
        np.testing.assert_array_equal(last, share[k] >= 0.8)


def test_project_with_nothing_to_attain_stays_in_its_first_stage() -> None:
    curve = Exponential([0.0, 1.0], [1.0, 1.0])
    stage, last = curve.stage(jnp.array([9.0, 9.0]), (0.5,), curve.ceiling())
    assert stage.tolist() == [0, 1]
    assert last.tolist() == [False, True]


def test_lifecycle_stage_is_the_one_that_carries_the_performance() -> None:
    curve = Lifecycle([[1.0, 5.0, 9.0]], [[0.0, 1.0, -50.0]], [[1.0, 2.0, 40.0]], [[1.0, 1.0, 1.0]])
    expected = {0.5: (0, False), 2.0: (0, False), 5.0: (0, False), 8.0: (1, False), 9.5: (1, False)}
    expected |= {60.0: (2, True)}
    for effort, (stage, last) in expected.items():
        found = curve.stage(jnp.array([effort]), (0.5,), curve.ceiling())
        assert (int(found[0][0]), bool(found[1][0])) == (stage, last), effort


EFFORTS = np.concatenate([np.linspace(0.0, 60.0, 241), np.geomspace(61.0, 1e6, 60)])


@jax.jit
def stages_along(curve: Curve) -> tuple[jnp.ndarray, jnp.ndarray]:
    """(stages, whether the last one) [efforts, projects]."""
    ceiling = jnp.broadcast_to(curve.ceiling(), (PROJECTS,))
    rows = jnp.broadcast_to(jnp.asarray(EFFORTS)[:, None], (EFFORTS.size, PROJECTS))
    return jax.vmap(lambda effort: curve.stage(effort, (0.5, 0.75, 0.9), ceiling))(rows)


@pytest.mark.parametrize("family", RANDOM)
@given(data=st.data())
def test_no_stage_is_left_by_going_on(family: str, data: st.DataObject) -> None:
    stage, last = map(np.asarray, stages_along(data.draw(RANDOM[family])))
    assert np.all(np.diff(stage, axis=0) >= 0)
    assert np.all(np.diff(last.astype(int), axis=0) >= 0)


@given(curve=staged())
def test_lifecycle_has_reached_a_stage_that_led_each_earlier_one_before(curve: Lifecycle) -> None:
    since = EFFORTS[:, None, None] - curve.start
    levels = curve.base + curve.scale * np.log1p(curve.rate * np.maximum(since, 0.0))
    lead = levels[..., :, None] - levels[..., None, :]
    # A stage may lead at its start alone, between two efforts of the grid.
    since_then = np.maximum(curve.start[:, :, None] - curve.start[:, None, :], 0.0)
    earlier = curve.base[:, None, :] + curve.scale[:, None, :] * np.log1p(curve.rate[:, None, :] * since_then)
    lead = np.maximum(lead, curve.base[:, :, None] - earlier)
    best = np.maximum.accumulate(np.where(since[..., None] >= 0, lead, -np.inf), axis=0)
    best[:, :, *np.triu_indices(3)] = np.inf
    open_yet = (since >= 0) & (levels >= 0)
    sure, perhaps = (open_yet & np.all(best >= near, axis=-1) for near in (0.0, -0.05))
    stage, last = map(np.asarray, stages_along(curve))
    # The grid sees a lead that lasts; what lies between its efforts may be reached a little sooner.
    numbers = np.arange(3)
    assert np.all(stage >= np.max(np.where(sure, numbers, 0), axis=-1))
    near = EFFORTS <= 60.0  # where the grid is fine
    assert np.all(stage[near] <= np.max(np.where(perhaps, numbers, 0), axis=-1)[near])
    np.testing.assert_array_equal(last, (stage == 2) & open_yet[..., 2])


def test_lifecycle_stays_at_the_frontier_where_an_earlier_stage_overtakes_it() -> None:
    curve = Lifecycle([[0.0, 5.0]], [[0.0, 4.0]], [[2.0, 0.1]], [[1.0, 1.0]])
    levels, last = zip(
        *(
            (float(curve.lift(x)[0]), bool(curve.stage(x, (), curve.ceiling())[1][0]))
            for x in (jnp.array([4.9]), jnp.array([5.0]), jnp.array([60.0]))
        ),
        strict=True,
    )
    assert levels[1] == 4.0  # the last stage carries it
    assert levels[2] == pytest.approx(2.0 * math.log1p(60.0))  # the first one again
    assert last == (False, True, True)


def test_table_that_falls_keeps_the_stage_it_was_at() -> None:
    curve = Tabulated([[0.0, 8.0, 10.0, 2.0]])
    reached = [curve.stage(jnp.array([x]), (0.5, 0.9), curve.ceiling()) for x in (0.5, 1.0, 2.0, 3.0, 9.0)]
    assert [int(stage[0]) for stage, _ in reached] == [0, 1, 2, 2, 2]
    assert [bool(last[0]) for _, last in reached] == [False, False, True, True, True]


def test_lifecycle_of_one_stage_is_at_the_frontier_once_it_opens() -> None:
    curve = Lifecycle([[4.0]], [[1.0]], [[2.0]], [[1.0]])
    reached = [bool(curve.stage(jnp.array([x]), (), curve.ceiling())[1][0]) for x in (0.0, 3.9, 4.0, 9.0)]
    assert reached == [False, False, True, True]


def test_mixture_stage_is_that_of_each_project() -> None:
    table = Tabulated([[0.0, 6.0, 10.0]] * 2)
    staged = Lifecycle([[0.0, 1.0]] * 2, [[0.0, 3.0]] * 2, [[1.0, 1.0]] * 2, [[1.0, 1.0]] * 2)
    mixture = Mixture((table, staged), np.array([0, 1], np.int32))
    stage, last = mixture.stage(jnp.array([1.0, 1.0]), (0.5, 0.75), mixture.ceiling())
    assert (stage.tolist(), last.tolist()) == ([1, 1], [False, True])


# Derivatives by JAX.


@jax.jit
def gradients(curve: Curve, rows: jnp.ndarray) -> jnp.ndarray:
    return jax.vmap(jax.grad(lambda x: jnp.sum(curve.value(x))))(rows)


def gradient(case: Case, efforts: np.ndarray) -> np.ndarray:
    """[efforts, projects]: d value/d effort by `jax.grad`."""
    padded = np.pad(efforts, (0, 8 - len(efforts)), mode="edge")
    return np.asarray(gradients(case.curve, np.tile(padded[:, None], case.projects)))[: len(efforts)]


@EVERY
def test_gradient_is_the_slope_away_from_kinks(case: Case) -> None:
    efforts = np.array([1e-6, 0.37, 3.3, 8.6, 47.7, 3001.3])
    found, slopes = gradient(case, efforts), at(case, "slope", efforts)
    smooth = np.ones(found.shape, bool)
    if isinstance(case.curve, PureLog):  # flat before 1/b, whatever its slope says
        smooth = efforts[:, None] * case.curve.rate > 1
        np.testing.assert_array_equal(found[~smooth], 0.0)
    # Automatic derivatives of saturated curves cancel a little more than the closed slopes do.
    np.testing.assert_allclose(found[smooth], slopes[smooth], rtol=1e-10, atol=1e-14)


@EVERY
def test_gradient_at_no_effort_is_never_nan(case: Case) -> None:
    found, slopes = gradient(case, np.zeros(1)), at(case, "slope", np.zeros(1))
    assert not np.any(np.isnan(found))
    assert np.all(np.isfinite(found[np.isfinite(slopes)]))


@pytest.mark.parametrize(
    "case",
    [c for c in SMOOTH_CASES if np.all(np.isfinite(SLOPES_AT_0[c.name]))],
    ids=lambda case: case.name,
)
def test_gradient_at_no_effort_is_the_slope_where_that_is_finite(case: Case) -> None:
    found, slopes = gradient(case, np.zeros(1)), at(case, "slope", np.zeros(1))
    np.testing.assert_allclose(found, slopes, rtol=1e-12, atol=1e-15)


@jax.jit
def parameter_gradients(curve: Curve, efforts: jnp.ndarray) -> Any:
    """Gradients in the parameters, of values and of gains, at rows of efforts."""

    def totals(curve: Curve, effort: jnp.ndarray) -> jnp.ndarray:
        return jnp.stack([jnp.sum(curve.value(effort)), jnp.sum(curve.gain(effort))])

    return jax.vmap(lambda effort: jax.jacrev(totals, allow_int=True)(curve, effort))(efforts)


@EVERY
def test_gradient_in_the_parameters_is_finite(case: Case) -> None:
    """What fits curves and shapes portfolios by gradient needs: no family's 0·∞ leaks into another."""
    efforts = np.tile([[0.0], [2.5], [1e5]], case.projects)
    leaves = jax.tree.leaves(parameter_gradients(case.curve, efforts))
    leaves = [leaf for leaf in leaves if leaf.dtype != jax.dtypes.float0]
    assert leaves
    assert all(np.all(np.isfinite(leaf)) for leaf in leaves)


# Batches, flags, and what a curve is made of.


@jax.jit
def singly(curve: Curve, effort: jnp.ndarray) -> tuple[jnp.ndarray, ...]:
    return curve.value(effort), curve.slope(effort), curve.gain(effort), curve.maximisers(effort + 1e-3)


@EVERY
def test_batch_of_efforts_is_the_loop(case: Case) -> None:
    efforts = np.tile(EFFORTS[:, None], case.projects)
    batch = jax.jit(jax.vmap(singly, in_axes=(None, 0)))(case.curve, efforts)
    loop = [singly(case.curve, x) for x in efforts]
    for together, one_by_one in zip(batch, zip(*loop, strict=True), strict=True):
        # Compiled for another width, exp and log may round otherwise.
        np.testing.assert_allclose(together, np.stack(one_by_one), rtol=TIGHT, atol=NEGLIGIBLE)


@EVERY
def test_batch_of_curves_is_the_loop(case: Case) -> None:
    """Two portfolios of the same family: the second has the projects in reverse."""
    turned = jax.tree.map(lambda a: np.asarray(a)[::-1], case.curve)
    stacked = jax.tree.map(lambda a, b: np.stack([a, b]), case.curve, turned)
    assert stacked.shape == (2, case.projects)
    efforts = jnp.linspace(0.5, 9.0, 2 * case.projects).reshape(2, -1)
    batch = jax.jit(jax.vmap(singly))(stacked, efforts)
    loop = [singly(case.curve, efforts[0]), singly(turned, efforts[1])]
    for together, one_by_one in zip(batch, zip(*loop, strict=True), strict=True):
        np.testing.assert_allclose(together, np.stack(one_by_one), rtol=TIGHT)


@pytest.mark.parametrize("family", [name for name, kind in FAMILIES.items() if kind.concave])
@given(data=st.data())
def test_families_called_concave_have_falling_gains(family: str, data: st.DataObject) -> None:
    curve = data.draw(RANDOM[family])
    assert curve.concave
    gains = np.asarray(evaluate(curve, "gain", np.tile(np.arange(300.0)[:, None], PROJECTS)))
    assert np.all(gains >= 0)
    assert np.all(gains[1:] <= gains[:-1] * (1 + 1e-14))  # a few ulps: gains of a near-linear curve
    assert family == "linear" or np.all(gains[-1] < gains[0])


@pytest.mark.parametrize(
    "curve",
    [
        PureLog([1.0], [0.1]),
        Hill([1.0], [20.0], [2.0]),
        Weibull([1.0], [0.05], [2.0]),
        Logistic([1.0], [0.3], [20.0]),
        Lifecycle([[0.0, 9.0]], [[0.0, 3.0]], [[1.0, 1.0]], [[1.0, 1.0]]),
        Tabulated([[0.0, 1.0, 3.0]]),
        Increasing([1.0], [1.5]),
    ],
    ids=lambda curve: curve.family,
)
def test_families_not_called_concave_have_a_gain_that_rises(curve: Curve) -> None:
    assert not curve.concave
    gains = evaluate(curve, "gain", np.arange(30.0)[:, None])[:, 0]
    assert np.any(np.diff(gains) > 1e-3)


def test_mixture_is_concave_if_all_its_families_are() -> None:
    log, exponential, hill = Log([1.0], [1.0]), Exponential([1.0], [1.0]), Hill([1.0], [1.0], [2.0])
    choice = np.zeros(1, np.int32)
    assert Mixture((log, exponential), choice).concave
    assert not Mixture((log, hill), choice).concave


def test_mixture_of_one_family_is_that_family() -> None:
    hill = Hill([3.0, 5.0], [10.0, 2.0], [2.0, 0.7])
    mixture = Mixture((hill,), np.zeros(2, np.int32))
    effort = jnp.array([4.0, 9.0])
    np.testing.assert_array_equal(mixture.value(effort), hill.value(effort))
    np.testing.assert_array_equal(mixture.gain(effort), hill.gain(effort))
    np.testing.assert_array_equal(mixture.ceiling(), hill.ceiling())


def test_lists_and_numbers_become_arrays() -> None:
    curve = Log(scale=[1, 2, 3], rate=0.5, baseline=(0, 0, 1))
    assert curve.shape == (3,)
    assert all(isinstance(part, np.ndarray) and part.dtype == float for part in jax.tree.leaves(curve))
    staged = Lifecycle([[0, 5]] * 4, [[0, 1]] * 4, [[1, 2]] * 4, [[1, 1]] * 4)
    assert staged.shape == (4,)
    assert Mixture((Log([1.0] * 4, 1.0), staged), np.zeros(4, np.int32)).shape == (4,)


@pytest.mark.parametrize(
    "wrap",
    [lambda curve: curve, Portfolio, lambda curve: Mixture((curve, curve), np.zeros(1, np.int32))],
    ids=["curve", "portfolio", "mixture"],
)
def test_no_family_is_taken_for_another_under_jit(wrap: Callable[[Curve], Any]) -> None:
    """Compiled functions are looked up by pytree structure; were those of two families of as many parameters
    equal, one would now and then be computed by the other's formula, whenever their hashes fell together."""
    ones = np.ones((1, 1))
    members = [
        kind(
            *(ones if field.metadata["axes"] else ones[0] for field in kind.parameters().values()), **baseline
        )
        for kind in FAMILIES.values()
        for baseline in ({}, {"baseline": ones[0]})
        if not baseline or kind is not Tabulated
    ]
    structures = [jax.tree.structure(wrap(member)) for member in members]
    for (one, a), (other, b) in itertools.combinations(zip(members, structures, strict=True), 2):
        assert a != b, (one.family, other.family)


def test_every_family_is_found_by_its_name() -> None:
    names = "log purelog power root linear exponential increasing hill weibull logistic lifecycle tabulated"
    assert list(FAMILIES) == names.split()
    assert all(kind.family == name for name, kind in FAMILIES.items())
    assert list(FAMILIES["hill"].parameters()) == ["scale", "half", "exponent"]
    assert list(FAMILIES["tabulated"].parameters()) == ["values", "points"]
