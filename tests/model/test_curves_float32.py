"""Curves in float32: gains keep their precision, and so their order, at efforts in the thousands.

A greedy solver compares gains. At effort 3000 the gains of neighbouring units differ by some 3e-4 of
themselves, while float32 values carry roundings of 6e-8 of a performance that is thousands of gains high:
the difference of two values is then mostly rounding. Every comparison here is also made with that plain
difference, to show that it would fail.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from engine.model.curves.base import Curve, Smooth
from engine.model.curves.concave import Exponential, Linear, Log, Power, PureLog, Root
from engine.model.curves.increasing import Increasing
from engine.model.curves.mixture import Mixture
from engine.model.curves.s_shaped import Hill, Logistic, Weibull
from engine.model.curves.staged import Lifecycle, Tabulated
from engine.model.portfolio import Portfolio

Wide = np.longdouble

# A float32 ulp is 1.2e-7 at most. A gain takes some ten roundings, some of them of an argument of exp of
# order 5, whose absolute error becomes the relative error of the result: 1e-6 for a few, 3e-6 for many.
PRECISION = 3e-6
# The plain difference of two values at these efforts is wrong by more than this somewhere: by more than
# the gains of neighbouring units differ.
USELESS = 2e-3
EFFORTS = np.arange(100, 5000, dtype=np.float32)


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def single(*numbers: float) -> list[np.ndarray]:
    """Parameters of one project, in float32."""
    return [np.array([number], np.float32) for number in numbers]


@dataclass(frozen=True)
class Case:
    name: str
    curve: Curve
    reference: Callable[[Any], Any]
    falls_from: float = 0.0


def case(
    family: type[Curve], formula: Callable[..., Any], *numbers: float, name: str = "", falls_from: float = 0.0
) -> Case:
    """A curve in float32, and its formula in long double at the same rounded parameters."""
    rounded = [Wide(np.float32(number)) for number in numbers]
    curve = family(*single(*numbers))
    return Case(name or family.family, curve, functools.partial(formula, *rounded), falls_from)


CASES = (
    case(Log, lambda a, b, x: a * np.log1p(b * x), 3.0, 0.7),
    case(PureLog, lambda a, b, x: a * np.log(b * x), 25.0, 2.0),
    case(Power, lambda a, p, s, x: a * ((1 + x / s) ** p - 1), 2.0, 0.4, 3.0),
    case(Power, lambda a, p, s, x: a * ((1 + x / s) ** p - 1), -2.0, -0.3, 3.0, name="power-decaying"),
    case(Root, lambda a, p, x: a * x**p, 2.0, 0.4),
    case(Exponential, lambda a, b, x: a * -np.expm1(-b * x), 4.0, 1e-3),
    case(Hill, lambda a, k, h, x: a * x**h / (k**h + x**h), 4.0, 60.0, 0.7, name="hill-concave"),
    case(Hill, lambda a, k, h, x: a * x**h / (k**h + x**h), 4.0, 60.0, 1.6, name="hill-s-shaped"),
    case(Weibull, lambda a, b, h, x: a * -np.expm1(-((b * x) ** h)), 4.0, 2e-3, 0.6, name="weibull-concave"),
    case(
        Weibull,
        lambda a, b, h, x: a * -np.expm1(-((b * x) ** h)),
        4.0,
        5e-4,
        1.5,
        name="weibull-s-shaped",
        falls_from=1500.0,
    ),
    case(
        Logistic,
        lambda a, b, m, x: a * (sigmoid(b * (x - m)) - sigmoid(-b * m)) / (1 - sigmoid(-b * m)),
        4.0,
        2e-3,
        800.0,
        falls_from=1500.0,
    ),
    case(Lifecycle, lambda t, c, a, b, x: c + a * np.log1p(b * (x - t)), 20.0, 1.0, 3.0, 0.25),
)
# A lifecycle of one stage: parameters [projects, stages].
CASES = tuple(
    Case(c.name, jax.tree.map(lambda a: a[:, None], c.curve), c.reference)
    if isinstance(c.curve, Lifecycle)
    else c
    for c in CASES
)
EVERY = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@functools.partial(jax.jit, static_argnames="method")
def evaluate(curve: Curve | Portfolio, method: str, efforts: Any) -> Any:
    """A method at each of many efforts of a single project."""
    return jax.vmap(getattr(curve, method))(efforts[:, None])[:, 0]


def gains_of(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gains as computed, as plain differences of float32 values, and exact."""
    gains = np.asarray(evaluate(case.curve, "gain", EFFORTS))
    values = np.asarray(evaluate(case.curve, "value", np.append(EFFORTS, EFFORTS[-1] + 1)))
    wide = np.append(EFFORTS, EFFORTS[-1] + 1).astype(Wide)
    return gains, np.diff(values), np.diff(case.reference(wide))


@EVERY
def test_gain_is_precise_where_the_difference_of_values_is_not(case: Case) -> None:
    gains, plain, exact = gains_of(case)
    assert gains.dtype == plain.dtype == np.float32
    assert np.max(np.abs(gains / exact - 1)) < PRECISION
    assert np.max(np.abs(plain / exact - 1)) > USELESS


def test_increasing_gains_are_as_precise_and_rise() -> None:
    curve = case(Increasing, lambda a, p, x: a * x**p, 2.0, 1.3)
    gains, plain, exact = gains_of(curve)
    assert np.max(np.abs(gains / exact - 1)) < PRECISION
    assert np.max(np.abs(plain / exact - 1)) > USELESS / 20
    assert np.all(np.diff(gains[:900]) > 0)


@EVERY
def test_gains_keep_their_order_where_differences_of_values_do_not(case: Case) -> None:
    """Strictly falling from unit to unit, as the exact ones do, over thousands of units."""
    gains, plain, exact = gains_of(case)
    falling = case.falls_from <= EFFORTS
    assert np.all(np.diff(exact[falling]) < 0)
    assert np.all(np.diff(gains[falling]) < 0)
    assert np.any(np.diff(plain[falling]) > 0)


def test_units_of_two_projects_are_ordered_rightly() -> None:
    """What a greedy solver asks: which of two projects gains more from its next unit?"""
    efforts = np.arange(500, 4000, 7, dtype=np.float32)
    one, other = Log(*single(3.0, 0.7)), Log(*single(3.0, 0.5))
    further = efforts + np.float32(1)
    scale = Wide(3)
    exact_one = scale * np.log1p(Wide(np.float32(0.7)) / (1 + Wide(np.float32(0.7)) * efforts.astype(Wide)))
    exact_other = scale * np.log1p(Wide(0.5) / (1 + Wide(0.5) * efforts.astype(Wide)))
    truth = exact_one > exact_other
    gains = np.asarray(evaluate(one, "gain", efforts)) > np.asarray(evaluate(other, "gain", efforts))
    np.testing.assert_array_equal(gains, truth)
    values = [[np.asarray(evaluate(c, "value", x)) for x in (efforts, further)] for c in (one, other)]
    rises = [after - before for before, after in values]
    assert np.any((rises[0] > rises[1]) != truth)


@EVERY
def test_slope_is_precise(case: Case) -> None:
    """Against differences in long double over a step of 1e-4 of the effort: their bend is below 1e-7."""
    slopes = np.asarray(evaluate(case.curve, "slope", EFFORTS))
    assert slopes.dtype == np.float32
    wide, step = EFFORTS.astype(Wide), EFFORTS.astype(Wide) * Wide(1e-4)
    exact = (case.reference(wide + step) - case.reference(wide - step)) / (2 * step)
    assert np.max(np.abs(slopes / exact - 1)) < PRECISION


@pytest.mark.parametrize(
    "case", [c for c in CASES if isinstance(c.curve, Smooth)], ids=lambda case: case.name
)
def test_inverse_slope_finds_the_effort_again(case: Case) -> None:
    """Slopes fall by 2e-4 of themselves a unit at least, so 1e-6 of a slope is some 1e-2 units."""
    falling = EFFORTS[case.falls_from <= EFFORTS][::10]
    prices = np.asarray(evaluate(case.curve, "slope", falling))
    found = np.asarray(evaluate(case.curve, "inverse_slope", prices))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, falling, rtol=1e-4)


@EVERY
def test_startup_costs_the_gain_no_precision(case: Case) -> None:
    """A start-up of .3 lies between the units: 4000 + 1 − .3 and 4000 − .3 are both rounded."""
    startup = np.float32(0.3)
    portfolio = Portfolio(case.curve, startup=np.array([startup]))
    gains = np.asarray(evaluate(portfolio, "gain", EFFORTS))
    wide = EFFORTS.astype(Wide) - Wide(startup)
    exact = case.reference(wide + 1) - case.reference(wide)
    assert np.max(np.abs(gains / exact - 1)) < 2 * PRECISION  # one more rounding, of the effective effort
    later = case.falls_from <= EFFORTS
    assert np.all(np.diff(gains[later]) < 0)


def test_concave_utility_costs_the_gain_no_precision() -> None:
    curve, curvature = Log(*single(3.0, 0.7)), np.array([0.25], np.float32)
    gains = np.asarray(evaluate(Portfolio(curve, curvature=curvature), "gain", EFFORTS))
    wide = np.append(EFFORTS, EFFORTS[-1] + 1).astype(Wide)
    utility = -np.expm1(-Wide(0.25) * Wide(3) * np.log1p(Wide(np.float32(0.7)) * wide)) / Wide(0.25)
    # The utility's slope e^(−r p) has an argument of 6, rounded to 6 · 6e-8 of the result.
    assert np.max(np.abs(gains / np.diff(utility) - 1)) < PRECISION
    assert np.all(np.diff(gains) < 0)


TWO = {
    "log": Log,
    "purelog": PureLog,
    "power": Power,
    "root": Root,
    "linear": Linear,
    "exponential": Exponential,
    "increasing": Increasing,
    "hill": Hill,
    "weibull": Weibull,
    "logistic": Logistic,
}


def curve_of(family: str) -> Curve:
    """Two projects of a family, every parameter .5, in float32."""
    half = np.full(2, 0.5, np.float32)
    if family == "lifecycle":
        return Lifecycle(*(np.full((2, 3), 0.5, np.float32) for _ in range(4)), baseline=half)
    if family == "tabulated":
        return Tabulated(np.arange(6, dtype=np.float32).reshape(2, 3))
    if family == "tabulated-points":
        return Tabulated(*(np.arange(6, dtype=np.float32).reshape(2, 3) for _ in range(2)))
    if family == "mixture":
        return Mixture((curve_of("log"), curve_of("lifecycle")), np.array([0, 1], np.int32))
    kind = TWO[family]
    return kind(*(half for _ in kind.parameters()), baseline=half)


@pytest.mark.parametrize("family", [*TWO, "lifecycle", "tabulated", "tabulated-points", "mixture"])
def test_every_method_stays_in_float32(family: str) -> None:
    """No constant widens the result, with float64 switched on and implicit promotion forbidden."""
    effort = jnp.array([1.0, 2.5], jnp.float32)

    @jax.jit
    def everything(curve: Curve) -> dict[str, jax.Array]:
        found = {name: getattr(curve, name)(effort) for name in ("value", "lift", "slope", "gain")}
        found |= {"part": curve.gain(effort, 0.5), "maximisers": curve.maximisers(effort)}
        return found | {"ceiling": curve.ceiling()}

    dtypes = {name: array.dtype for name, array in everything(curve_of(family)).items()}
    assert dtypes == dict.fromkeys(dtypes, np.dtype(np.float32))


@pytest.mark.parametrize("family", [*TWO, "lifecycle", "tabulated", "tabulated-points", "mixture"])
def test_ceiling_of_host_arrays_stays_in_float32(family: str) -> None:
    """A portfolio that was not yet put on a device holds NumPy arrays, with promotion rules of their own."""
    curve = curve_of(family)
    assert curve.ceiling().dtype == np.float32
    stage, last = Portfolio(curve).stage(np.array([1.0, 2.5], np.float32))
    assert (stage.dtype, last.dtype) == (np.int32, np.bool_)


@pytest.mark.parametrize(
    "curve",
    [
        Weibull(*single(4.0, 0.5, 10.0)),
        Weibull(*single(4.0, 0.5, 0.5)),
        Hill(*single(4.0, 10.0, 10.0)),
        Exponential(*single(4.0, 0.5)),
        Logistic(*single(4.0, 0.5, 20.0)),
        Power(*single(-4.0, -8.0, 1.0)),
    ],
    ids=lambda curve: curve.family,
)
def test_far_beyond_saturation_is_flat_not_nan(curve: Curve) -> None:
    """(b x)^h of the steep Weibull is 1e40 here, beyond float32; the curve is at its ceiling all the same."""
    effort = np.array([2e4, 1e6], np.float32)
    np.testing.assert_allclose(evaluate(curve, "value", effort), 4.0, rtol=0.05)
    # At 20,000 the flattest, the Weibull of exponent .5, has e^−100 of its scale before it.
    np.testing.assert_allclose(evaluate(curve, "slope", effort), 0.0, atol=1e-30)
    np.testing.assert_allclose(evaluate(curve, "gain", effort), 0.0, atol=1e-30)


def test_first_unit_from_next_to_nothing_gains_as_much_as_from_nothing() -> None:
    """Effort of 1e-6, as a continuous solver leaves it, is no effort to speak of."""
    effort = np.array([0.0, 1e-12, 1e-6], np.float32)
    curves = (Hill(*single(4.0, 3.0, 5.0)), Weibull(*single(4.0, 0.5, 5.0)), Logistic(*single(4.0, 1.0, 3.0)))
    for curve in curves:
        gains = np.asarray(evaluate(curve, "gain", effort))
        np.testing.assert_allclose(gains, gains[0], rtol=2e-5)
