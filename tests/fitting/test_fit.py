"""Fits find the curve that made the data, and say how far they can be trusted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import curve_fit

from engine import FAMILIES
from engine.files.measurements import Measurements
from engine.fitting.fit import choose, fit
from engine.fitting.fitted import Fitted, warnings_of
from engine.fitting.search import Curves, evaluate
from engine.fitting.shapes import SHAPES

PROJECTS, POINTS = 8, 16
EFFORT = np.round(np.geomspace(5, 400, POINTS))

TRUE = {
    "log": lambda x: np.log1p(0.1 * x),
    "power": lambda x: 1 - (1 + x / 20) ** -0.6,
    "exponential": lambda x: 1 - np.exp(-x / 60),
    "hill": lambda x: x**2.2 / (x**2.2 + 70**2.2),
    "weibull": lambda x: 1 - np.exp(-((x / 80) ** 1.7)),
    "logistic": lambda x: (
        (1 / (1 + np.exp(-0.05 * (x - 100))) - 1 / (1 + np.exp(5))) / (1 - 1 / (1 + np.exp(5)))
    ),
}


def measure(family: str, noise: float, seed: int = 0) -> Measurements:
    """Curves of 3 + 2·shape, with noise."""
    random = np.random.default_rng(seed)
    effort = np.tile(EFFORT, (PROJECTS, 1))
    values = 3.0 + 2.0 * TRUE[family](effort) + noise * random.normal(size=effort.shape)
    return Measurements(tuple(f"p{i}" for i in range(PROJECTS)), effort, values, np.ones_like(effort))


@pytest.fixture(scope="module")
def exact() -> Fitted:
    """Every family fitted to a curve of each, without noise."""
    effort = np.tile(EFFORT, (len(TRUE), 1))
    values = np.array([3.0 + 2.0 * shape(EFFORT) for shape in TRUE.values()])
    data = Measurements(tuple(TRUE), effort, values, np.ones_like(effort))
    return fit(data, loss="squares", choice="each")


@pytest.mark.parametrize("family", TRUE)
def test_the_true_family_fits_without_error(exact: Fitted, family: str) -> None:
    project = exact.measurements.names.index(family)
    found = exact.families[family]
    assert found.residual[project] < 1e-5
    assert found.error[project] < 1e-3
    assert found.r2[project] == pytest.approx(1.0, abs=1e-9)
    chosen = exact.families[exact.family_of(project)]
    assert chosen.error[project] <= found.error[project]


@pytest.mark.parametrize("family", TRUE)
def test_numbers_are_in_the_units_of_the_data(exact: Fitted, family: str) -> None:
    project = exact.measurements.names.index(family)
    numbers = {n: values[[project]] for n, values in exact.families[family].parameters.items()}
    curve = FAMILIES[family](**numbers)
    for effort in (7.0, 90.0, 600.0):
        value = float(curve.value(np.array([effort]))[0])
        np.testing.assert_allclose(value, 3.0 + 2.0 * TRUE[family](np.array(effort)), rtol=1e-3)


def test_fits_are_those_of_scipy() -> None:
    def model(x: Any, a: Any, k: Any, h: Any, b: Any) -> Any:
        return b + a * x**h / (x**h + k**h)

    data = measure("hill", 0.02)
    fitted = fit(data, ["hill"], loss="squares")
    for project in range(PROJECTS):
        start = [2.0, 70.0, 2.0, 3.0]
        numbers, _ = curve_fit(model, EFFORT, data.performance[project], start)
        found = {n: v[project] for n, v in fitted.families["hill"].parameters.items()}
        mine = model(EFFORT, found["scale"], found["half"], found["exponent"], found["baseline"])
        error = np.sum((data.performance[project] - mine) ** 2)
        theirs = np.sum((data.performance[project] - model(EFFORT, *numbers)) ** 2)
        assert error <= theirs * (1 + 1e-5)


def test_an_outlier_does_not_bend_a_robust_fit() -> None:
    data = measure("exponential", 0.01)
    data.performance[:, 10] += 2.0
    errors = {}
    for loss in ("huber", "squares"):
        found = fit(data, ["exponential"], loss=loss).families["exponential"].parameters
        curve = found["baseline"][:, None] + found["scale"][:, None] * -np.expm1(
            -found["rate"][:, None] * EFFORT
        )
        errors[loss] = np.abs(curve - 3.0 - 2.0 * TRUE["exponential"](EFFORT)).max()
    assert errors["huber"] < 0.25 * errors["squares"]


def test_weights_decide_where_points_disagree() -> None:
    effort = np.array([[1.0, 2.0, 4.0, 8.0, 16.0, 32.0]])
    values = np.array([[0.0, 1.0, 2.0, 3.0, 4.0, 9.0]])
    weight = np.where(effort > 20, 1e-9, 1.0)
    found = fit(Measurements(("a",), effort, values, weight), ["log"], loss="squares")
    assert found.families["log"].residual[0] < 1.0
    last = found.families["log"].parameters
    assert last["baseline"][0] + last["scale"][0] * np.log1p(last["rate"][0] * 32) < 6.0


def test_draws_spread_as_the_noise_does_and_a_seed_repeats_them() -> None:
    spread = {}
    for noise in (0.02, 0.2):
        fitted = fit(measure("exponential", noise), ["exponential"], draws=60, prior=None, seed=1)
        band = fitted.bands([400.0], [0.9])
        spread[noise] = np.median(band.high - band.low)
    assert spread[0.2] > 2 * spread[0.02]
    again = fit(measure("exponential", 0.2), ["exponential"], draws=60, prior=None, seed=1)
    assert fitted.draws is not None
    assert again.draws is not None
    for name, values in fitted.draws.numbers["exponential"].items():
        np.testing.assert_array_equal(again.draws.numbers["exponential"][name], values)


def test_rising_shapes_are_not_turned_upside_down() -> None:
    data = measure("log", 0.0)
    falling = Measurements(data.names, data.effort, -data.performance, data.weight)
    fitted = fit(falling, ["power", "hill"])
    for family in fitted.families.values():
        sign = SHAPES[family.family].sign
        assert np.all(sign * family.parameters["scale"] >= 0)
    assert "performance falls" in warnings_of(fitted)[0][0]


EDGES = {
    "one point": ([5.0], [1.0], "1 efforts are few"),
    "two points": ([1.0, 2.0], [1.0, 2.0], "2 efforts are few"),
    "all equal": ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], [2.0] * 8, "performance does not change"),
    "no effort": ([0.0], [1.0], "1 efforts are few"),
}


def test_poor_data_give_a_finite_curve_and_a_remark() -> None:
    shape = len(EDGES), max(len(effort) for effort, *_ in EDGES.values())
    effort, values, weight = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for row, (xs, ys, _) in enumerate(EDGES.values()):
        effort[row, : len(xs)], values[row, : len(xs)], weight[row, : len(xs)] = xs, ys, 1.0
    data = Measurements(tuple(EDGES), effort, values, weight)
    fitted = fit(data, ["log", "hill"], choice="each", draws=3)
    for row, (*_, expected) in enumerate(EDGES.values()):
        assert any(expected in note for note in warnings_of(fitted)[row])
    for family in fitted.families.values():
        for number in family.parameters.values():
            assert np.all(np.isfinite(number))
    assert {fitted.family_of(project) for project in range(len(fitted.chosen))} <= {"log", "hill"}


def test_the_chosen_family_is_that_of_the_least_error_ahead() -> None:
    fitted = fit(measure("hill", 0.02, 3), ["log", "hill", "power"], choice="each")
    errors = np.stack([f.error for f in fitted.families.values()])
    np.testing.assert_array_equal(fitted.chosen, np.argmin(errors, axis=0))
    common = choose(list(fitted.families.values()), "common")
    np.testing.assert_array_equal(common, np.argmin(np.log(errors).mean(axis=1)))


def test_shapes_are_those_of_the_curve_families() -> None:
    effort, random = np.array([[0.0, 0.01, 0.1, 0.5, 1.0]]), np.random.default_rng(0)
    for family, shape in SHAPES.items():
        low, high = shape.limits(np.array([0.01]))
        for share in random.uniform(size=(20, low.shape[1])):
            theta = low + share * (high - low)
            numbers = {n: np.exp(theta[:, place]) for place, n in enumerate(shape.parameters)}
            if family == "power":
                numbers["exponent"] = -numbers["exponent"]
            curve = FAMILIES[family](scale=np.full(1, shape.sign), **numbers)
            expected = [float(curve.lift(np.array([x]))[0]) for x in effort[0]]
            np.testing.assert_allclose(shape.at(effort, theta)[0][0], expected, rtol=1e-9, atol=1e-14)


def test_slopes_are_those_of_the_squares() -> None:
    random = np.random.default_rng(0)
    effort = np.sort(10 ** random.uniform(-2, 0, (50, 12)), axis=1)
    performance, ones = np.sqrt(effort) + 0.1 * random.normal(size=effort.shape), np.ones(50)
    for family, shape in SHAPES.items():
        low, high = shape.limits(effort[:, 0])
        for most, baseline in ((3.0, np.nan), (0.3, np.nan), (3.0, 0.0)):
            given = (effort[:, 0], most * ones, baseline * ones)
            curves = Curves(effort, performance, np.ones_like(effort), low, high, *given)
            theta = low + random.uniform(0.3, 0.7, low.shape) * (high - low)
            here = evaluate(shape, theta, curves)
            for place in range(low.shape[1]):
                step = np.where(np.arange(low.shape[1]) == place, 1e-6, 0.0)
                ends = [evaluate(shape, theta + sign * step, curves).fit for sign in (1, -1)]
                smooth = (ends[0].capped == ends[1].capped) & ((ends[0].scale > 0) == (ends[1].scale > 0))
                slope = (ends[0].loss - ends[1].loss) / 4e-6  # half the slope, by central differences
                np.testing.assert_allclose(
                    here.slope[smooth, place], slope[smooth], atol=1e-6, rtol=1e-5, err_msg=family
                )


BAD = {
    "families": ({"families": ["cubic"]}, "unknown family 'cubic'"),
    "none": ({"families": []}, "families is empty"),
    "holdout": ({"holdout": 1.0}, "holdout is 1.0"),
    "loss": ({"loss": "median"}, "loss is 'median'"),
    "choice": ({"choice": "some"}, "choice is 'some'"),
    "draws": ({"draws": -1}, "draws is -1"),
    "prior": ({"draws": 1, "prior": "none"}, "prior is 'none', expected learning_curves"),
}


@pytest.mark.parametrize("what", BAD)
def test_options_that_cannot_be_are_named(what: str) -> None:
    options, expected = BAD[what]
    with pytest.raises(ValueError, match=expected):
        fit(measure("log", 0.0), **options)  # type: ignore[arg-type]


def test_progress_is_told_up_to_the_end() -> None:
    heard: list[tuple[int, int]] = []
    fit(
        measure("hill", 0.02),
        ["log", "hill"],
        draws=5,
        tell=lambda done, total: heard.append((done, total)),
    )
    assert heard[-1] == (PROJECTS * 5, PROJECTS * 5)
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)
