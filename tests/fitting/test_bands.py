"""Bands hold: on curves whose truth is known, and whatever a project's company, units and families are."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from benchmarks.noisy_bands import coverage
from benchmarks.noisy_bands import simulate as simulate_noisy
from engine.files.draws import read_draws, write_draws
from engine.files.measurements import Measurements
from engine.fitting.bands import (
    AMPLITUDE,
    FREEDOM,
    NOISY,
    TEMPER,
    draw_curves,
    evaluate,
    merged,
    noise_of,
    points_of,
    weigh,
)
from engine.fitting.folder import fits_csv
from engine.fitting.prior import BOX, Known, Prior, fill_box, load_prior, read_prior
from engine.fitting.shapes import SHAPES
from engine.model.keys import portfolio_key
from engine.simulation.config import ScenarioConfig
from engine.simulation.scenarios import build_scenario

EFFORT = np.round(np.geomspace(16, 512, 11))
FAMILIES = tuple(SHAPES)


def simulate(curves: int, seed: int, noise: float = 0.004) -> tuple[Measurements, np.ndarray]:
    """(measurements with errors that are known, true accuracy at 2, 4 and 8 times the largest effort)."""
    random = np.random.default_rng(seed)
    ahead = 512.0 * np.array([2.0, 4.0, 8.0])
    rise, power = random.uniform(0.2, 0.6, curves), random.uniform(0.5, 1.3, curves)
    half = 10 ** random.uniform(1, 3.3, curves)

    def truth(x: np.ndarray) -> np.ndarray:
        return 0.3 + rise[:, None] / (1 + (half[:, None] / x) ** power[:, None])

    effort = np.tile(EFFORT, (curves, 1))
    error = np.full(effort.shape, noise)
    performance = truth(EFFORT) + noise * random.normal(size=effort.shape)
    names = tuple(f"curve {i}" for i in range(curves))
    return Measurements(names, effort, performance, 1 / error**2, error=error), truth(ahead)


@pytest.mark.parametrize("prior", ["learning_curves", None])
def test_bands_hold_where_the_truth_is_known(prior: str | None) -> None:
    data, truth = simulate(200, 0)
    draws = draw_curves(data, load_prior(prior, FAMILIES), 200, ceiling=1.0)
    values = evaluate(draws, np.tile(512.0 * np.array([2.0, 4.0, 8.0]), (200, 1)))
    low, high = np.quantile(values, [0.05, 0.95], axis=0)
    covered = np.mean((low <= truth) & (truth <= high), axis=0)
    # Wider than these smooth curves need, as real ones stray from every family; 0.83 is three standard errors
    # below 90 %.
    assert np.all(covered > 0.83)
    assert np.all(np.diff(np.mean(high - low, axis=0)) > 0)
    assert np.all(np.median(np.abs(np.median(values, axis=0) - truth), axis=0) < [0.02, 0.04, 0.06])
    assert np.mean((high - low)[:, 0]) < 0.12


def test_draws_are_rising_curves_of_several_families_below_the_ceiling() -> None:
    data, _ = simulate(20, 1)
    draws = draw_curves(data, load_prior("learning_curves", FAMILIES), 100, ceiling=0.95)
    values = evaluate(draws, np.tile(np.geomspace(1.0, 4096.0, 60), (20, 1)))
    assert np.all(np.diff(values, axis=2) >= -1e-12)
    assert values[..., -1].max() <= max(0.95, data.performance.max() + 0.02) + 1e-9
    assert len(np.unique(draws.choice[:, 0])) >= 3
    for family, numbers in draws.numbers.items():
        curve = engine.FAMILIES[family](**numbers)
        curve.check(lambda bad, name, *_: pytest.fail(name) if np.any(bad) else None)


def test_a_project_has_the_same_draws_in_any_company() -> None:
    data, _ = simulate(6, 2)
    prior = load_prior("learning_curves", FAMILIES)
    whole = draw_curves(data, prior, 30, seed=5)
    assert data.error is not None
    some = (a[3:4] for a in (data.effort, data.performance, data.weight))
    one = Measurements(data.names[3:4], *some, error=data.error[3:4])
    alone = draw_curves(one, prior, 30, seed=5)
    efforts = np.array([[10.0, 500.0, 3000.0]])
    # Sums of matrices of other sizes are rounded otherwise.
    np.testing.assert_allclose(
        evaluate(alone, efforts)[:, 0], evaluate(whole, np.repeat(efforts, 6, axis=0))[:, 3], rtol=1e-6
    )
    other = draw_curves(one, prior, 30, seed=6)
    assert not np.allclose(evaluate(other, efforts), evaluate(alone, efforts))


@settings(max_examples=4, deadline=None)
@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.floats(-50.0, 50.0))
def test_units_do_not_matter(effort: float, performance: float, level: float) -> None:
    data, _ = simulate(2, 3)
    assert data.error is not None
    prior = fill_box(("hill", "power"))
    other = Measurements(
        data.names,
        effort * data.effort,
        level + performance * data.performance,
        data.weight,
        error=performance * data.error,
    )
    at = np.tile([100.0, 2000.0], (2, 1))
    mine = evaluate(draw_curves(data, prior, 20), at)
    theirs = evaluate(draw_curves(other, prior, 20), effort * at)
    # A level of 50 upon a range of a thousandth costs as many digits.
    np.testing.assert_allclose((theirs - level) / performance, mine, rtol=1e-4, atol=1e-4)


def test_the_evidence_is_that_of_the_joint_normal() -> None:
    """Against the marginal density of the model, with b flat as the limit of a wide normal."""
    data, _ = simulate(1, 4)
    points = points_of(data)
    known = fill_box(("hill",)).families["hill"].take(np.arange(40))
    lifts = known.lifts("hill", points.effort[0])
    found = weigh(points, lifts, lifts[:, -1] - lifts[:, 0], known.noise, np.zeros((1, 1)))
    y, variance, count = points.performance[0], 1 / points.precision[0], EFFORT.size
    logs = []
    for lift, noise in zip(lifts, known.noise, strict=True):
        expected = 1 / (lift[-1] - lift[0] + NOISY * noise)
        spread = (AMPLITUDE * expected) ** 2
        covariance = np.diag(variance) + spread * np.outer(lift, lift) + 1e6
        off = y - expected * lift
        squares = off @ np.linalg.solve(covariance, off)
        # The evidence is tempered in its exponent; what the amplitude's prior costs is not.
        weigh_total = 1 / variance
        mean = weigh_total @ lift / weigh_total.sum()
        of_lift = weigh_total @ (lift - mean) ** 2
        logs.append(
            -0.5 * TEMPER * (count + FREEDOM) * np.log1p(squares / FREEDOM) - 0.5 * np.log1p(of_lift * spread)
        )
    weight = np.exp(np.array(logs) - max(logs))
    # 1e6 stands for infinity beside variances of up to a few; and a ≥ 0 does not bind for rising curves.
    np.testing.assert_allclose(found.weight[0], weight / weight.sum(), rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize(("points", "noise"), [(12, 0.03), (12, 0.1), (40, 0.1), (200, 0.1)])
def test_bands_hold_where_nobody_says_how_noisy_measurements_are(points: int, noise: float) -> None:
    covered = coverage(*simulate_noisy(points, noise, 300), load_prior("learning_curves", FAMILIES))[-1]
    # 0.85 is three standard errors below 90 %; without an estimate of the noise they hold 70 to 88 %.
    assert np.all(covered > 0.85)
    assert np.all(covered < 0.97)


def test_the_noise_is_how_points_stray_from_their_neighbours() -> None:
    """Nothing on a straight line of the logarithm of effort, of which an effort of 0 is no part; its standard
    deviation where it is independent, times the root of the ratio of the weights."""
    effort = np.array([0.0, 1.0, 2.0, 8.0, 9.0, 64.0])
    line = np.where(effort > 0, np.log(np.maximum(effort, 1.0)), -7.0)
    data = Measurements(("a",), effort[None], line[None], np.ones((1, 6)))
    np.testing.assert_allclose(noise_of(points_of(data)), 0.0, atol=1e-15)
    random, efforts = np.random.default_rng(8), np.sort(np.random.default_rng(9).uniform(1, 100, 20_000))
    weight = np.where(np.arange(efforts.size) % 3 == 0, 4.0, 1.0)
    noisy = np.log(efforts) + 0.2 * random.normal(size=efforts.size) / np.sqrt(weight)
    many = points_of(Measurements(("a",), efforts[None], noisy[None], weight[None]))
    expected = 0.2 / np.sqrt(weight) / many.range
    # Pseudo-residuals of 20,000 points: a standard error of about 1 %.
    np.testing.assert_allclose(noise_of(many)[0], expected, rtol=0.03)


@pytest.mark.parametrize("prior", ["learning_curves", None])
@pytest.mark.parametrize("ceiling", [0.95, None])
def test_draws_begin_at_a_baseline_that_is_known(prior: str | None, ceiling: float | None) -> None:
    data, _ = simulate(20, 10)
    options = {"draws": 100, "prior": prior, "ceiling": ceiling}
    fitted = engine.fit(data, ["log", "hill"], baseline=0.3, **options)
    efforts = np.tile([0.0, 512.0, 1024.0, 4096.0], (20, 1))
    assert fitted.draws is not None
    values = evaluate(fitted.draws, efforts)
    np.testing.assert_allclose(values[..., 0], 0.3, atol=1e-12)
    assert np.all(np.diff(values, axis=2) >= -1e-12)
    if ceiling is not None:
        assert values.max() <= ceiling + 1e-9
    free = engine.fit(data, ["log", "hill"], **options).draws
    assert free is not None
    assert np.std(evaluate(free, efforts)[..., 0]) > 0.01
    last = data.performance[:, -1]
    assert np.median(np.abs(np.median(values[..., 1], axis=0) - last)) < 0.02


def test_the_evidence_of_a_known_baseline_is_that_of_the_joint_normal() -> None:
    """Against the marginal density of the model with b known: no wide normal, the rest as it is."""
    data, _ = simulate(1, 4)
    points = points_of(data, 0.25)
    known = fill_box(("hill",)).families["hill"].take(np.arange(40))
    lifts = known.lifts("hill", points.effort[0])
    rise = lifts[:, -1] - lifts[:, 0]
    found = weigh(points, lifts, rise, known.noise, np.zeros((1, 1)))
    y = points.performance[0] - (0.25 - points.low) / points.range
    expected = 1 / (rise + NOISY * known.noise)
    logs = []
    for lift, mean in zip(lifts, expected, strict=True):
        covariance = np.diag(1 / points.precision[0]) + (AMPLITUDE * mean) ** 2 * np.outer(lift, lift)
        off = y - mean * lift
        squares = off @ np.linalg.solve(covariance, off)
        cost = np.log1p(points.precision[0] @ lift**2 * (AMPLITUDE * mean) ** 2)
        logs.append(-0.5 * TEMPER * (EFFORT.size + FREEDOM) * np.log1p(squares / FREEDOM) - 0.5 * cost)
    weight = np.exp(np.array(logs) - max(logs))
    np.testing.assert_allclose(found.weight[0], weight / weight.sum(), rtol=1e-6, atol=1e-9)


def test_bands_of_a_fit() -> None:
    data, _ = simulate(3, 5)
    fitted = engine.fit(data, ["log", "hill"], draws=80, ceiling=1.0)
    curve = fitted.bands([600.0, 4000.0], (0.5, 0.9))
    assert curve.low.shape == curve.high.shape == (2, 3, 2)
    assert np.all(curve.low[1] <= curve.low[0])
    assert np.all(curve.high[0] <= curve.high[1])
    measured = fitted.bands([600.0, 4000.0], (0.5, 0.9), measured=True)
    assert np.mean(measured.high - measured.low) > np.mean(curve.high - curve.low)
    with pytest.raises(ValueError, match=r"^levels are \[1.5\], expected shares"):
        fitted.bands([600.0], [1.5])
    with pytest.raises(ValueError, match="the fit has no draws"):
        engine.fit(data, ["log"]).bands([600.0])
    with pytest.raises(ValueError, match=r"^ceiling is 0.3, expected at least 0"):
        engine.fit(data, ["log"], draws=2, ceiling=0.3)


def test_a_scenario_draws_families_as_the_file_has_them(tmp_path: Path) -> None:
    data, _ = simulate(4, 6)
    draws = draw_curves(data, load_prior("learning_curves", FAMILIES), 25)
    write_draws(tmp_path / "draws.parquet", data.names, draws)
    names, read = read_draws(str(tmp_path / "draws.parquet"))
    assert names == data.names
    np.testing.assert_array_equal(read.families(), draws.families())
    at = np.tile([20.0, 900.0], (4, 1))
    values = evaluate(draws, at)
    np.testing.assert_array_equal(evaluate(read, at), values)
    scenario = build_scenario(
        ScenarioConfig(name="fitted", projects=0, draws=str(tmp_path / "draws.parquet"))
    )
    for index in range(8):
        portfolio = scenario.draw(portfolio_key(0, index))
        value = np.asarray(portfolio.curves.value(jnp.full(4, 900.0)))
        near = np.min(np.abs(values[:, :, 1] - value), axis=0)
        assert np.all(near < 1e-5)  # drawn in the precision of the scenario


def test_a_prior_is_learned_saved_and_read(tmp_path: Path) -> None:
    effort = np.tile(np.geomspace(10.0, 10240.0, 21), (5, 1))
    half = np.array([50.0, 100.0, 200.0, 400.0, 800.0])[:, None]
    performance = 0.2 + 0.6 * effort / (effort + half)
    data = Measurements(tuple("abcde"), effort, performance, np.ones_like(effort))
    prior = engine.learn_prior(data, ["hill"], ceiling=1.0)
    known = prior.families["hill"]
    # In units of an effort between the seventh and an eighth of the last: half/unit for one of the efforts.
    units = half[:, 0] / known.numbers["half"]
    nearest = np.min(np.abs(np.log(units[:, None] / effort[0])), axis=1)
    assert np.all(nearest < 0.01)
    assert np.all((units > 79) & (units < 1281))
    np.testing.assert_allclose(known.numbers["exponent"], 1.0, rtol=0.01)
    prior.save(tmp_path / "prior.parquet")
    again = read_prior(tmp_path / "prior.parquet").families["hill"]
    np.testing.assert_allclose(again.numbers["half"], known.numbers["half"], rtol=1e-6)
    assert again.source.tolist() == list("abcde")
    assert prior.without(["b"]).families["hill"].source.tolist() == list("acde")
    with pytest.raises(ValueError, match="no curve has 7 efforts and one 8 times the 7th"):
        engine.learn_prior(Measurements(("a",), effort[:1, :8], performance[:1, :8], np.ones((1, 8))))


def test_what_is_no_prior_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"PAR1PAR1")
    with pytest.raises(ValueError, match=r"bad\.parquet: is no prior of engine.learn_prior"):
        load_prior(tmp_path / "bad.parquet", FAMILIES)
    with pytest.raises(ValueError, match="prior is 'some', expected learning_curves, a file of"):
        load_prior("some", FAMILIES)
    with pytest.raises(ValueError, match="the prior has no curves of family log, expected hill"):
        load_prior(Prior({"hill": Known({}, np.ones(1), np.ones(1), np.array(["a"]))}), ["log"])


def test_every_family_has_a_box_and_is_in_the_shipped_prior() -> None:
    assert set(BOX) == set(SHAPES)
    assert set(read_prior("learning_curves").families) == set(SHAPES)
    for family, known in fill_box(FAMILIES).families.items():
        with jax.enable_x64(True):
            assert np.all(np.diff(known.lifts(family, np.geomspace(0.01, 8.0, 9)), axis=1) >= -1e-12)
        for name, (low, high) in BOX[family].items():
            assert np.all((known.numbers[name] >= min(low, high)) & (known.numbers[name] <= max(low, high)))


def test_poor_data_give_finite_draws() -> None:
    effort = np.array([[5.0, 0, 0, 0], [0.0, 0, 0, 0], [1.0, 2, 3, 4]])
    weight = np.array([[1.0, 0, 0, 0], [1.0, 0, 0, 0], [1.0, 1, 1, 1]])
    data = Measurements(("one", "none", "flat"), effort, np.where(weight > 0, 2.0, 0.0), weight)
    draws = draw_curves(data, load_prior("learning_curves", FAMILIES), 10)
    assert np.all(np.isfinite(evaluate(draws, np.tile([0.0, 3.0, 30.0], (3, 1)))))


def test_neighbours_of_many_points_are_merged() -> None:
    random, effort = np.random.default_rng(7), np.geomspace(1.0, 512.0, 64)
    performance, error = effort[None] / (effort + 40.0), random.uniform(0.01, 0.02, (1, 64))
    data = Measurements(("a",), effort[None], performance, 1 / error**2, error=error)
    raw, few = points_of(data), merged(points_of(data))
    assert few.effort.shape == (1, 32)
    pairs = {name: getattr(raw, name).reshape(32, 2) for name in ("effort", "performance", "weight", "error")}
    weight = pairs["weight"]
    for name in ("effort", "performance"):
        expected = np.sum(weight * pairs[name], axis=1) / np.sum(weight, axis=1)
        np.testing.assert_allclose(getattr(few, name)[0], expected)
    # Weighted by the inverse of its square, a mean has the error of the harmonic sum.
    np.testing.assert_allclose(few.error[0], np.sum(pairs["error"] ** -2.0, axis=1) ** -0.5)
    assert few.last == raw.last
    values = evaluate(draw_curves(data, load_prior(None, ("hill",)), 50), np.array([[512.0, 1024.0]]))
    np.testing.assert_allclose(np.median(values, axis=0)[0], [512 / 552, 1024 / 1064], atol=0.02)


def test_the_spread_of_the_draws_is_written_beside_each_fit() -> None:
    data, _ = simulate(3, 7)
    fitted = engine.fit(data, ["log", "hill"], draws=40)
    draws = fitted.draws
    rows = {(row["project"], row["family"]): row for row in csv.DictReader(io.StringIO(fits_csv(fitted)))}
    assert len(rows) == 6
    for project, name in enumerate(data.names):
        for family, numbers in draws.numbers.items():
            mine = draws.families()[:, project] == family
            for number, values in numbers.items():
                cell = rows[name, family][f"{number}_sd"]
                if np.sum(mine) > 1:
                    np.testing.assert_allclose(float(cell), np.std(values[mine, project]), rtol=1e-12)
                else:
                    assert cell == ""
