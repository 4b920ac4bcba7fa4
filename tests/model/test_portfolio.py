"""Portfolios: returns, gains and slopes against plain Python, and the border that checks what users give."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.curves.concave import Exponential, Log, Power, PureLog
from engine.model.curves.mixture import Mixture
from engine.model.curves.s_shaped import Hill, Weibull
from engine.model.curves.staged import Lifecycle, Tabulated
from engine.model.portfolio import Portfolio, concave_utility, concave_utility_gain
from engine.model.validation import check, normalise

SCALE, RATE, BASELINE = [2.0, 5.0, 0.5, 3.0], [1.0, 0.25, 4.0, 0.5], [0.5, 0.0, -1.0, 1.0]
PARTS: dict[str, list[float]] = {
    "weight": [1.0, 2.5, 4.0, 0.5],
    "cost": [1.0, 2.0, 0.5, 3.0],
    "lower": [0.0, 1.0, 0.0, 2.0],
    "upper": [5.0, math.inf, 3.0, 8.0],
    "startup": [0.0, 2.0, 0.75, 1.5],
    "success": [1.0, 0.5, 0.25, 0.9],
    "curvature": [0.0, 0.3, 1.5, 0.05],
    "threshold": [1.0, 0.0, 0.25, 2.0],
}
EFFORTS = [0.0, 0.5, 0.75, 1.0, 2.0, 2.25, 4.0, 7.5, 100.0]
# Some ten roundings of float64, in terms of order 1.
TIGHT = 1e-13


def build(*names: str, curves: Any = None) -> Portfolio:
    """Four log projects with some of the parts above."""
    curves = Log(SCALE, RATE, baseline=BASELINE) if curves is None else curves
    return normalise(Portfolio(curves, **{name: PARTS[name] for name in names}))


def expected_return(index: int, effort: float, names: tuple[str, ...]) -> float:
    """w π R(f(max(x − s, 0))) in plain Python."""
    part = {name: PARTS[name][index] for name in names}
    effective = max(effort - part.get("startup", 0.0), 0.0)
    performance = BASELINE[index] + SCALE[index] * math.log1p(RATE[index] * effective)
    if performance < part.get("threshold", -math.inf):
        return 0.0
    curvature = part.get("curvature", 0.0)
    utility = -math.expm1(-curvature * performance) / curvature if curvature else performance
    return part.get("weight", 1.0) * part.get("success", 1.0) * utility


COMBINATIONS = [
    (),
    ("weight",),
    ("success",),
    ("weight", "success"),
    ("startup",),
    ("curvature",),
    ("threshold",),
    ("threshold", "curvature"),
    ("startup", "threshold"),
    ("weight", "success", "startup", "curvature", "threshold"),
    tuple(PARTS),
]
EVERY_COMBINATION = pytest.mark.parametrize("names", COMBINATIONS, ids=lambda n: "+".join(n) or "bare")


def row(effort: float) -> jnp.ndarray:
    return jnp.full(4, effort)


# Returns, gains, slopes.


@EVERY_COMBINATION
def test_returns_match_plain_python(names: tuple[str, ...]) -> None:
    returns = jax.jit(build(*names).returns)
    for effort in EFFORTS:
        expected = [expected_return(i, effort, names) for i in range(4)]
        np.testing.assert_allclose(returns(row(effort)), expected, rtol=TIGHT, atol=TIGHT)


def test_value_is_the_sum_of_returns_at_an_effort_for_each_project() -> None:
    names = tuple(PARTS)
    effort = [5.0, 3.0, 0.0, 8.0]
    expected = math.fsum(expected_return(i, x, names) for i, x in enumerate(effort))
    value = build(*names).value(jnp.array(effort))
    assert value.shape == ()
    assert float(value) == pytest.approx(expected, rel=TIGHT)


@pytest.mark.parametrize("step", [0.25, 1.0, 40.0])
@EVERY_COMBINATION
def test_gain_is_the_difference_of_returns(names: tuple[str, ...], step: float) -> None:
    gain = jax.jit(build(*names).gain)
    for effort in EFFORTS:
        expected = [
            expected_return(i, effort + step, names) - expected_return(i, effort, names) for i in range(4)
        ]
        # The difference itself loses an absolute rounding of returns of order 10.
        np.testing.assert_allclose(gain(row(effort), step), expected, rtol=1e-11, atol=1e-14)


def test_gain_takes_one_unit_by_default() -> None:
    portfolio = build("startup", "curvature")
    np.testing.assert_allclose(portfolio.gain(row(2.0)), portfolio.gain(row(2.0), row(1.0)), rtol=1e-15)


def test_gain_takes_a_step_for_each_project() -> None:
    portfolio, steps = build(*PARTS), [0.5, 1.0, 2.0, 3.0]
    expected = [
        expected_return(i, 2 + s, tuple(PARTS)) - expected_return(i, 2, tuple(PARTS))
        for i, s in enumerate(steps)
    ]
    np.testing.assert_allclose(portfolio.gain(row(2.0), jnp.array(steps)), expected, rtol=1e-11)


@pytest.mark.parametrize("names", [("weight", "success"), ("startup",), ("curvature", "weight")])
def test_gain_does_not_cancel_at_large_effort(names: tuple[str, ...]) -> None:
    """At effort ten million, where a difference of float64 returns has lost half of its digits."""
    effort, portfolio = 1e7, build(*names)
    gain = np.asarray(portfolio.gain(row(effort)))
    plain = np.asarray(portfolio.returns(row(effort + 1)) - portfolio.returns(row(effort)))
    exact = []
    with localcontext() as context:
        context.prec = 60
        for i in range(4):
            part = {name: Decimal(PARTS[name][i]) for name in names}
            scale, rate, baseline = Decimal(SCALE[i]), Decimal(RATE[i]), Decimal(BASELINE[i])
            worth = part.get("weight", Decimal(1)) * part.get("success", Decimal(1))
            curvature = part.get("curvature", Decimal(0))
            levels = [
                baseline + scale * (1 + rate * (Decimal(x) - part.get("startup", 0))).ln()
                for x in (int(effort), int(effort) + 1)
            ]
            if curvature:
                levels = [(1 - (-curvature * level).exp()) / curvature for level in levels]
            exact.append(float(worth * (levels[1] - levels[0])))
    # e^(−r p) has an argument of up to 40, whose rounding is that many ulps of the result.
    np.testing.assert_allclose(gain, exact, rtol=1e-13)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(plain, exact, rtol=1e-13)


@EVERY_COMBINATION
def test_slope_matches_differences_of_returns(names: tuple[str, ...]) -> None:
    slope = jax.jit(build(*names).slope)
    step = 1e-6
    for effort in (0.3, 1.1, 1.9, 3.3, 7.7, 41.0):  # no start-up ends and no threshold is met within 1e-6
        expected = [
            (expected_return(i, effort + step, names) - expected_return(i, effort - step, names)) / (2 * step)
            for i in range(4)
        ]
        # Roundings of 1e-15 over a step of 1e-6, and a bend of that step squared.
        np.testing.assert_allclose(slope(row(effort)), expected, rtol=1e-8, atol=1e-8)


def test_slope_at_the_end_of_the_startup_is_that_of_the_first_unit() -> None:
    portfolio = normalise(Portfolio(Log([2.0], [3.0]), startup=[4.0]))
    assert portfolio.slope(jnp.array([np.nextafter(4.0, 0)]))[0] == 0.0
    assert portfolio.slope(jnp.array([4.0]))[0] == 6.0


def test_startup_moves_the_curve_to_the_right() -> None:
    moved, still = build("startup"), build()
    startup = jnp.array(PARTS["startup"])
    np.testing.assert_allclose(moved.returns(startup + 3.0), still.returns(row(3.0)), rtol=1e-15)
    np.testing.assert_array_equal(moved.returns(startup), BASELINE)
    np.testing.assert_array_equal(moved.returns(0.5 * startup), BASELINE)


def test_threshold_pays_nothing_below_it_and_all_from_it_on() -> None:
    portfolio = normalise(Portfolio(Tabulated([[1.0, 2.0, 3.0, 5.0]]), threshold=[3.0], weight=[10.0]))
    assert [float(portfolio.value(jnp.array([float(k)]))) for k in range(4)] == [0.0, 0.0, 30.0, 50.0]
    assert [float(portfolio.gain(jnp.array([float(k)]))[0]) for k in range(3)] == [0.0, 30.0, 20.0]
    assert [float(portfolio.slope(jnp.array([x]))[0]) for x in (0.5, 1.5, 2.5)] == [0.0, 0.0, 20.0]


@pytest.mark.parametrize("part", ["weight", "success"])
@pytest.mark.parametrize(
    "curves", [PureLog([2.0], [1.0]), Hill([2.0], [3.0], [0.5]), Weibull([2.0], [0.3], [0.5])]
)
def test_worthless_project_has_no_slope_even_where_its_curve_is_infinitely_steep(
    part: str, curves: Any
) -> None:
    portfolio = normalise(Portfolio(curves, **{part: [0.0]}))
    assert portfolio.slope(jnp.array([0.0]))[0] == 0.0
    assert portfolio.gain(jnp.array([0.0]))[0] == 0.0


@pytest.mark.parametrize("effort", [0.0, 0.5, 6.0])
@EVERY_COMBINATION
def test_gradient_of_the_value_is_the_slope(names: tuple[str, ...], effort: float) -> None:
    """At 0, before the start-up is over, and beyond; a project at a kink (no start-up, 0) is left out."""
    portfolio = build(*names)
    gradient = np.asarray(jax.grad(portfolio.value)(row(effort)))
    slopes = np.asarray(portfolio.slope(row(effort)))
    assert np.all(np.isfinite(gradient))
    smooth = np.ones(4, bool)
    if "startup" in names:
        smooth = np.array(PARTS["startup"]) != effort
        assert smooth.sum() >= 3
    np.testing.assert_allclose(gradient[smooth], slopes[smooth], rtol=1e-12, atol=1e-15)


# Utility.


@given(
    curvature=st.floats(1e-9, 20.0),
    performance=st.floats(0.0, 30.0),
    rise=st.floats(1e-12, 10.0),
)
def test_concave_utility_and_its_gain(curvature: float, performance: float, rise: float) -> None:
    with localcontext() as context:
        context.prec = 320  # e^(−r p) is down to 1e-260
        r, p, d = Decimal(curvature), Decimal(performance), Decimal(rise)
        level, next_level = ((1 - (-r * q).exp()) / r for q in (p, p + d))
        utility, gain = float(level), float(next_level - level)
    arrays = [jnp.array([v]) for v in (curvature, performance, rise)]
    assert float(concave_utility(arrays[0], arrays[1])[0]) == pytest.approx(utility, rel=1e-13, abs=0)
    # e^(−r p) has an argument of up to 600: as many half-ulps in the result.
    found = float(concave_utility_gain(*arrays)[0])
    assert found == pytest.approx(gain, rel=1e-15 * (10 + curvature * performance), abs=0)


def test_utility_of_no_curvature_is_performance() -> None:
    performance = jnp.array([-2.0, 0.0, 7.0])
    np.testing.assert_array_equal(concave_utility(None, performance), performance)
    np.testing.assert_array_equal(concave_utility(jnp.zeros(3), performance), performance)
    np.testing.assert_array_equal(concave_utility_gain(jnp.zeros(3), performance, jnp.ones(3)), jnp.ones(3))


def test_gradient_of_the_utility_is_finite_at_no_curvature() -> None:
    """0/0 is computed nowhere, not even where it is thrown away."""
    gradient = jax.grad(lambda r: jnp.sum(concave_utility(r, jnp.ones(2))))(jnp.array([0.0, 0.5]))
    assert np.all(np.isfinite(gradient))


def test_derivatives_of_the_utility_at_no_curvature_are_those_of_its_limit() -> None:
    """(1 − e^(−r p))/r = p − r p²/2 + r² p³/6 − …: ∂/∂r is −p²/2 at r = 0, ∂/∂p is 1 and ∂²/∂r∂p is −p."""
    performance = jnp.array([-2.0, 0.0, 0.3, 7.0])

    def utility(r: jnp.ndarray, p: jnp.ndarray) -> jnp.ndarray:
        return concave_utility(r[None], p[None])[0]

    none = jnp.zeros(4)
    by_curvature = jax.vmap(jax.grad(utility))(none, performance)
    np.testing.assert_allclose(by_curvature, -0.5 * performance**2, rtol=1e-15)
    # The limit is that of differences to r > 0: they err by r p³/6.
    step = jnp.full(4, 1e-6)
    rise = concave_utility(step, performance) - concave_utility(none, performance)
    np.testing.assert_allclose(by_curvature, rise / step, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(jax.vmap(jax.grad(utility, argnums=1))(none, performance), 1.0, rtol=1e-15)
    mixed = jax.vmap(jax.grad(jax.grad(utility), argnums=1))(none, performance)
    np.testing.assert_allclose(mixed, -performance, rtol=1e-15)


# Tables, spending, thresholds.


@EVERY_COMBINATION
def test_table_holds_the_returns_at_whole_units(names: tuple[str, ...]) -> None:
    table = np.asarray(build(*names).table(9))
    assert table.shape == (4, 10)
    for i in range(4):
        for k in range(10):
            low = PARTS["lower"][i] if "lower" in names else 0.0
            high = PARTS["upper"][i] if "upper" in names else math.inf
            if low <= k <= high:
                assert table[i, k] == pytest.approx(expected_return(i, k, names), rel=TIGHT, abs=TIGHT)
            else:
                assert table[i, k] == -math.inf


def test_table_is_open_at_the_bounds_only() -> None:
    portfolio = normalise(Portfolio(Log([1.0], [1.0]), lower=[1.5], upper=[4.0]))
    np.testing.assert_array_equal(
        np.isfinite(portfolio.table(6))[0], [False, False, True, True, True, False, False]
    )


def test_table_of_no_units_is_the_baseline() -> None:
    np.testing.assert_array_equal(build().table(0), np.array(BASELINE)[:, None])


def test_spend_counts_costs() -> None:
    effort = jnp.array([1.0, 2.0, 3.0, 4.0])
    assert float(build().spend(effort)) == 10.0
    assert float(build("cost").spend(effort)) == 1.0 + 4.0 + 1.5 + 12.0


def test_absent_parts_have_their_defaults() -> None:
    portfolio = build()
    np.testing.assert_array_equal(portfolio.costs(), np.ones(4))
    np.testing.assert_array_equal(portfolio.lowers(), np.zeros(4))
    np.testing.assert_array_equal(portfolio.uppers(), np.full(4, np.inf))
    np.testing.assert_array_equal(portfolio.stakes(), np.ones(4))


def test_neutral_parts_change_nothing() -> None:
    bare = build()
    neutral = {name: np.full(4, value) for name, value in Portfolio.neutral_values().items()}
    assert set(Portfolio.optional_fields()) - set(neutral) == {"reach"}
    full = normalise(dataclasses.replace(bare, **neutral))
    check(full)
    effort = jnp.array([0.0, 1.0, 2.5, 7.0])
    for method in ("performance", "returns", "gain", "slope"):
        np.testing.assert_array_equal(getattr(full, method)(effort), getattr(bare, method)(effort))
    assert full.spend(effort) == bare.spend(effort)


def test_the_inverse_slope_is_where_the_slope_is_the_price() -> None:
    portfolio = normalise(Portfolio(Log([2.0, 3.0], [0.5, 0.1]), weight=[1.0, 4.0], success=[0.5, 1.0]))
    effort = portfolio.inverse_slope(jnp.array([0.25, 0.5]))
    np.testing.assert_allclose(portfolio.slope(effort), [0.25, 0.5], rtol=1e-14)


def test_given_parts_are_used_as_they_are() -> None:
    portfolio = build(*PARTS)
    np.testing.assert_array_equal(portfolio.costs(), PARTS["cost"])
    np.testing.assert_array_equal(portfolio.lowers(), PARTS["lower"])
    np.testing.assert_array_equal(portfolio.uppers(), PARTS["upper"])
    np.testing.assert_array_equal(portfolio.stakes(), np.array(PARTS["weight"]) * PARTS["success"])
    np.testing.assert_array_equal(build("success").stakes(), PARTS["success"])


# Stages.


def test_stage_by_shares_of_the_ceiling() -> None:
    portfolio = normalise(Portfolio(Exponential([4.0] * 4, [1.0] * 4)))
    shares = np.array([0.49, 0.51, 0.76, 0.91])
    stage, frontier = portfolio.stage(jnp.array(-np.log1p(-shares)))
    assert stage.tolist() == [0, 1, 2, 3]
    assert frontier.tolist() == [False, False, False, True]


def test_stage_by_shares_of_what_the_reach_attains() -> None:
    """log(1 + x) attains log(101) at effort 100: half of it at 9.05, nine tenths at 62.6."""
    portfolio = normalise(Portfolio(Log([4.0] * 4, [1.0] * 4), reach=[100.0, 100.0, 100.0, 1e6]))
    stage, frontier = portfolio.stage(jnp.array([9.0, 9.1, 63.0, 63.0]))
    assert stage.tolist() == [0, 1, 3, 0]
    assert frontier.tolist() == [False, False, True, False]


def test_stage_by_other_cuts() -> None:
    portfolio = normalise(Portfolio(Exponential([4.0, 4.0], [1.0, 1.0]), cuts=(0.2,)))
    stage, frontier = portfolio.stage(jnp.array([0.2, 0.3]))
    assert (stage.tolist(), frontier.tolist()) == ([0, 1], [False, True])


def test_stage_counts_effort_from_the_end_of_the_startup() -> None:
    portfolio = normalise(Portfolio(Exponential([4.0, 4.0], [1.0, 1.0]), startup=[0.0, 5.0]))
    stage, _ = portfolio.stage(jnp.array([5.0, 5.0]))
    assert stage.tolist() == [3, 0]


def test_effort_of_reach_attains_everything_with_a_startup_too() -> None:
    """`reach` is effort, of which the start-up is a part."""
    portfolio = normalise(
        Portfolio(Log([4.0, 4.0], [1.0, 1.0]), startup=[0.0, 60.0], reach=[100.0, 100.0], cuts=(0.5, 1.0))
    )
    stage, frontier = portfolio.stage(jnp.array([100.0, 100.0]))
    assert (stage.tolist(), frontier.tolist()) == ([2, 2], [True, True])


# One project out of a portfolio.


@pytest.mark.parametrize("index", range(4))
def test_project_is_the_portfolio_of_one(index: int) -> None:
    names, portfolio = tuple(PARTS), build(*PARTS)
    one = portfolio.project(jnp.asarray(index))
    assert one.shape == (1,)
    for effort in (0.0, 2.0, 9.0):
        expected = expected_return(index, effort, names)
        assert float(one.returns(jnp.array([effort]))[0]) == pytest.approx(expected, rel=TIGHT, abs=TIGHT)
    assert float(one.cost[0]) == PARTS["cost"][index]


def test_project_of_a_mixture_keeps_its_family() -> None:
    staged = Lifecycle([[0.0, 5.0]] * 2, [[0.0, 3.0]] * 2, [[1.0, 2.0]] * 2, [[1.0, 1.0]] * 2)
    mixture = Mixture((Log([2.0, 2.0], [1.0, 1.0]), staged), np.array([0, 1], np.int32))
    portfolio = normalise(mixture)
    values = portfolio.returns(jnp.array([6.0, 6.0]))
    for index in range(2):
        one = portfolio.project(jnp.asarray(index))
        assert float(one.returns(jnp.array([6.0]))[0]) == float(values[index])
    assert float(values[0]) != float(values[1])


def test_diminishing_is_promised_only_by_concave_curves_without_jumps() -> None:
    assert build("weight", "cost", "lower", "upper", "success").diminishing
    assert not build("startup").diminishing
    assert not build("threshold").diminishing
    assert not normalise(Hill([1.0], [2.0], [3.0])).diminishing


def test_batch_of_portfolios_is_the_loop() -> None:
    one, other = build(*PARTS), build(*PARTS, curves=Log(SCALE[::-1], RATE, baseline=BASELINE))
    stacked = jax.tree.map(lambda a, b: np.stack([a, b]), one, other)
    assert stacked.shape == (2, 4)
    efforts = jnp.array([[1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0]])
    batch = jax.vmap(lambda p, x: p.value(x))(stacked, efforts)
    # Compiled for another width, log may round otherwise.
    np.testing.assert_allclose(batch, [one.value(efforts[0]), other.value(efforts[1])], rtol=1e-14)


# The border: normalise.


def test_normalise_takes_a_bare_curve() -> None:
    portfolio = normalise(Log([1, 2], [3, 4]))
    assert isinstance(portfolio, Portfolio)
    assert portfolio.shape == (2,)
    assert portfolio.dtype == np.float64


def test_normalise_spreads_numbers_over_the_projects() -> None:
    portfolio = normalise(Portfolio(Log(scale=[1, 2, 3], rate=0.5, baseline=1), weight=2, cost=[1, 2, 3]))
    assert {np.shape(leaf) for leaf in jax.tree.leaves(portfolio)} == {(3,)}
    np.testing.assert_array_equal(portfolio.curves.rate, [0.5, 0.5, 0.5])
    np.testing.assert_array_equal(portfolio.weight, [2.0, 2.0, 2.0])
    np.testing.assert_array_equal(portfolio.cost, [1.0, 2.0, 3.0])
    assert portfolio.success is None


def test_normalise_spreads_one_curve_over_as_many_weights() -> None:
    portfolio = normalise(Portfolio(Log(2.0, 0.5), weight=[1, 2, 3]))
    np.testing.assert_array_equal(portfolio.curves.scale, [2.0, 2.0, 2.0])


def test_normalise_spreads_stages_and_levels() -> None:
    staged = Lifecycle(start=[[0, 5]], base=[[0, 1]], scale=[[1, 2]], rate=[[1, 1]])
    portfolio = normalise(Portfolio(staged, weight=[1, 2, 3]))
    assert portfolio.curves.start.shape == (3, 2)
    table = normalise(Portfolio(Tabulated([[0, 1, 2, 3]]), weight=[1, 2, 3]))
    assert table.curves.values.shape == (3, 4)


def test_normalise_spreads_the_families_of_a_mixture() -> None:
    mixture = Mixture((Log(1.0, 2.0), Exponential(3.0, 4.0)), np.array([0, 1, 1]))
    portfolio = normalise(mixture)
    assert portfolio.shape == (3,)
    assert portfolio.curves.choice.dtype == np.int32
    assert {leaf.shape for leaf in jax.tree.leaves(portfolio)} == {(3,)}


def test_normalise_takes_batches() -> None:
    portfolio = normalise(Portfolio(Log(np.ones((7, 3)), 0.5), weight=[1, 2, 3]))
    assert portfolio.shape == (7, 3)
    assert portfolio.weight.shape == (7, 3)


def test_normalise_keeps_float32() -> None:
    ones = np.ones(2, np.float32)
    portfolio = normalise(Portfolio(Log(ones, ones), weight=jnp.ones(2, jnp.float32)))
    assert {leaf.dtype for leaf in jax.tree.leaves(portfolio)} == {np.dtype(np.float32)}
    assert portfolio.dtype == np.float32


def test_normalise_takes_the_wider_dtype() -> None:
    portfolio = normalise(Portfolio(Log(np.ones(2, np.float32), np.ones(2, np.float32)), weight=np.ones(2)))
    assert {leaf.dtype for leaf in jax.tree.leaves(portfolio)} == {np.dtype(np.float64)}


def test_normalise_turns_to_the_dtype_asked_for() -> None:
    portfolio = normalise(build(*PARTS), np.dtype(np.float32))
    assert {leaf.dtype for leaf in jax.tree.leaves(portfolio)} == {np.dtype(np.float32)}


def test_normalise_takes_arrays_of_integers() -> None:
    portfolio = normalise(Log(np.array([1, 2]), np.array([3, 4])))
    assert portfolio.dtype == np.float64
    np.testing.assert_array_equal(portfolio.curves.scale, [1.0, 2.0])


def test_normalise_keeps_names_and_cuts() -> None:
    portfolio = normalise(Portfolio(Log([1, 2], 1), names=("A", "B"), cuts=(0.25,)))
    assert (portfolio.names, portfolio.cuts) == (("A", "B"), (0.25,))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Log([1.0, 2.0], [1.0, 2.0, 3.0]),
        lambda: Portfolio(Log([1.0, 2.0], [1.0, 2.0]), weight=[1.0, 2.0, 3.0]),
        lambda: Portfolio(Log([1.0, 2.0], 1.0), weight=[1.0, 2.0], cost=[1.0, 2.0, 3.0]),
        lambda: Mixture((Log([1.0] * 3, 1.0), Log([1.0] * 2, 1.0)), np.zeros(3, np.int32)),
        lambda: Lifecycle([[0, 5]] * 2, [[0, 1]] * 3, [[1, 2]] * 2, [[1, 1]] * 2),
        lambda: Lifecycle([[0, 5, 9]], [[0, 1]], [[1, 2]], [[1, 1]]),
        lambda: Lifecycle([[0, 5]], [[0]], [[1]], [[1]]),
        lambda: Tabulated([[0.0, 1.0, 2.0]], [[0.0, 1.0]]),
        lambda: Portfolio(Log([1.0, 2.0], 1.0), names=("only one",)),
        lambda: Log([], []),
        lambda: Log(1.0, 2.0),
    ],
    ids=[
        "parameters",
        "weight",
        "parts",
        "families",
        "lifecycle-projects",
        "lifecycle-stages",
        "lifecycle-one-stage-for-two",
        "tabulated-levels",
        "names",
        "no-projects",
        "no-axis",
    ],
)
def test_sizes_that_do_not_fit_are_refused(wrong: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=r"project|stage|level|point|name") as caught:
        check(normalise(wrong()))
    assert "\n" not in str(caught.value)


# The border: check.

STAGED = {"start": [[0.0, 4.0]] * 2, "base": [[0.0, 1.0]] * 2, "scale": [[1.0, 2.0]] * 2}
STAGED["rate"] = [[1.0, 1.0]] * 2
LAST_BAD = {"start": [[0.0, 4.0], [0.0, -1.0]], "scale": [[1.0, 2.0], [1.0, -2.0]]}
LAST_BAD |= {"rate": [[1.0, 1.0], [0.0, 1.0]], "base": [[0.0, 1.0], [0.0, math.nan]]}


def log_with(**parts: Any) -> Callable[[], Portfolio]:
    return lambda: Portfolio(Log([1.0, 2.0], [1.0, 2.0]), names=("A", "B"), **parts)


def curve_with(curves: Any) -> Callable[[], Portfolio]:
    return lambda: Portfolio(curves, names=("A", "B"))


# What is wrong: (portfolio, the parameter named, its value as printed). The project is always B.
REFUSED: dict[str, tuple[Callable[[], Portfolio], str, str]] = {
    f"{name}-{number}": (log_with(**{name: [1.0, number]}), name, f"{number:g}")
    for name in ("weight", "cost", "lower", "startup", "success", "curvature", "threshold", "reach")
    for number in (-0.5, math.nan, math.inf)
}
REFUSED |= {
    "success-above-1": (log_with(success=[1.0, 1.01]), "success", "1.01"),
    "upper-negative": (log_with(upper=[1.0, -2.0]), "upper", "-2"),
    "upper-nan": (log_with(upper=[1.0, math.nan]), "upper", "nan"),
    "lower-above-upper": (log_with(lower=[1.0, 5.0], upper=[9.0, 4.0]), "lower", "5"),
    "log-scale": (curve_with(Log([1.0, -1.0], [1.0, 1.0])), "scale", "-1"),
    "log-rate-0": (curve_with(Log([1.0, 1.0], [1.0, 0.0])), "rate", "0"),
    "log-rate-infinite": (curve_with(Log([1.0, 1.0], [1.0, math.inf])), "rate", "inf"),
    "log-baseline": (curve_with(Log([1.0, 1.0], 1.0, baseline=[-9.0, math.nan])), "baseline", "nan"),
    "purelog-rate": (curve_with(PureLog([1.0, 1.0], [1.0, -1.0])), "rate", "-1"),
    "power-exponent-0": (curve_with(Power([1.0, 1.0], [0.5, 0.0], 1.0)), "exponent", "0"),
    "power-exponent-1": (curve_with(Power([1.0, 1.0], [0.5, 1.0], 1.0)), "exponent", "1"),
    "power-rising-negative": (curve_with(Power([1.0, -1.0], [0.5, 0.5], 1.0)), "scale", "-1"),
    "power-decaying-positive": (curve_with(Power([1.0, 1.0], [0.5, -0.5], 1.0)), "scale", "1"),
    "power-shift": (curve_with(Power([1.0, 1.0], 0.5, [1.0, 0.0])), "shift", "0"),
    "exponential-scale": (curve_with(Exponential([1.0, math.nan], 1.0)), "scale", "nan"),
    "hill-half": (curve_with(Hill([1.0, 1.0], [1.0, 0.0], 2.0)), "half", "0"),
    "hill-exponent": (curve_with(Hill([1.0, 1.0], 1.0, [2.0, -1.0])), "exponent", "-1"),
    "weibull-exponent": (curve_with(Weibull([1.0, 1.0], 1.0, [2.0, 0.0])), "exponent", "0"),
    "tabulated-values": (curve_with(Tabulated([[0.0, 1.0], [0.0, math.nan]])), "values", "nan"),
    "tabulated-points-negative": (
        curve_with(Tabulated([[0.0, 1.0]] * 2, [[0.0, 1.0], [-1.0, 1.0]])),
        "points",
        "-1",
    ),
    "tabulated-points-fall": (
        curve_with(Tabulated([[0.0, 1.0, 2.0]] * 2, [[0.0, 1.0, 2.0], [0.0, 3.0, 2.0]])),
        "points",
        "3",
    ),
    "tabulated-points-twice": (
        curve_with(Tabulated([[0.0, 1.0, 2.0]] * 2, [[0.0, 1.0, 2.0], [0.0, 2.0, 2.0]])),
        "points",
        "2",
    ),
    "mixture": (
        curve_with(Mixture((Log([1.0, 1.0], 1.0), Hill([1.0, 1.0], [1.0, -3.0], 1.0)), np.array([0, 1]))),
        "half",
        "-3",
    ),
}
REFUSED |= {
    f"lifecycle-{name}": (
        curve_with(Lifecycle(**{**STAGED, name: bad})),
        name,
        f"{next(v for v in bad[1] if v != STAGED[name][1][bad[1].index(v)]):g}",
    )
    for name, bad in LAST_BAD.items()
}


@pytest.mark.parametrize("wrong", REFUSED)
def test_bad_parameter_is_refused_with_its_project_and_name(wrong: str) -> None:
    make, name, number = REFUSED[wrong]
    with pytest.raises(ValueError, match="expected") as caught:
        check(normalise(make()))
    message = str(caught.value)
    assert message.startswith(f"B: {name} is {number}, expected ")
    assert "\n" not in message


def test_projects_without_names_are_counted_from_0() -> None:
    with pytest.raises(ValueError, match=r"^project 1: weight is -1, expected a number of at least 0$"):
        check(normalise(Portfolio(Log([1.0, 2.0], 1.0), weight=[1.0, -1.0])))


def test_bad_parameter_in_a_batch_is_found() -> None:
    weight = np.ones((3, 2))
    weight[2, 1] = -4.0
    with pytest.raises(ValueError, match=r"^B: weight is -4, expected"):
        check(normalise(Portfolio(Log([1.0, 2.0], 1.0), weight=weight, names=("A", "B"))))


@pytest.mark.parametrize(
    "fine",
    [
        Portfolio(Log([0.0, 1.0], [1.0, 2.0], baseline=[-5.0, 0.0])),
        Portfolio(Power([2.0, -2.0, 0.0], [0.5, -3.0, 0.5], 1.0)),
        Portfolio(Log([1.0, 1.0], 1.0), lower=[2.0, 0.0], upper=[2.0, math.inf], success=[0.0, 1.0]),
        Portfolio(Log([1.0], 1.0), weight=[0.0], startup=[0.0], curvature=[0.0], threshold=[-math.inf]),
        Portfolio(Tabulated([[3.0, 1.0, 2.0]], [[0.5, 1.0, 7.0]])),
        Portfolio(Lifecycle([[0.0, 3.0]], [[-1.0, 2.0]], [[0.0, 1.0]], [[1.0, 1.0]])),
        Portfolio(Log([1.0], 1.0), cost=[1e-9], reach=[0.0]),
    ],
    ids=["log", "power", "bounds", "zeros", "tabulated", "lifecycle", "small"],
)
def test_what_can_be_is_let_through(fine: Portfolio) -> None:
    checked = normalise(fine)
    check(checked)
    assert np.all(np.isfinite(checked.returns(jnp.full(checked.shape, 2.0))))


def test_portfolio_is_frozen() -> None:
    portfolio = build("weight")
    with pytest.raises(dataclasses.FrozenInstanceError):
        portfolio.weight = np.zeros(4)  # type: ignore[misc]
