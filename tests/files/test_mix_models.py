"""Exported response curves against the packages' own formulas, with carry-over simulated period by period."""

from __future__ import annotations

import csv
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.files.mix_models.meridian import load_meridian
from engine.files.mix_models.prophetverse import load_prophetverse
from engine.files.mix_models.pymc_marketing import PymcModel, load_pymc_marketing, load_scales
from engine.files.mix_models.response import Response, bound, portfolio_rows
from engine.files.mix_models.robyn import load_robyn
from engine.files.mix_models.saturations import SATURATIONS
from engine.files.portfolios import load_portfolio

SPENDS = np.array([0.0, 0.3, 1.0, 2.5, 40.0])
# Chords between the points that are written.
WRITTEN = 1e-6


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
        writer.writeheader()
        writer.writerows(rows)
    return path


def values_of(responses: Any, folder: Path, spends: np.ndarray = SPENDS) -> dict[str, np.ndarray]:
    """What each channel returns at these spends, through a portfolio file as users read it."""
    path = folder / "portfolio.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(portfolio_rows(responses))
    portfolio = load_portfolio(path)
    values = [np.asarray(portfolio.curves.value(np.full(portfolio.shape, spend))) for spend in spends]
    return dict(zip(portfolio.names, np.array(values).T, strict=True))


def carried(weights: np.ndarray, periods: int = 2000) -> np.ndarray:
    """Steady spend after carry-over, by convolution, in the last of many periods."""
    return np.array([np.convolve(np.full(periods, spend), weights)[periods - 1] for spend in SPENDS])


@pytest.fixture
def robyn(tmp_path: Path) -> Path:
    parameters = [
        {
            "solID": model,
            "tv_S_alphas": 2.1,
            "tv_S_gammas": 0.4,
            "tv_S_thetas": theta,
            "tv_S_inflexion": 3.0,
            "search_S_alphas": 0.8,
            "search_S_thetas": 0.0,
            "search_S_inflexion": 0.5,
        }
        for model, theta in (("1_12_3", 0.7), ("2_4_1", 0.1))
    ]
    write(tmp_path / "pareto_hyperparameters.csv", parameters)
    sums = [
        {"solID": p["solID"], "rn": rn, "coef": coef}
        for p in parameters
        for rn, coef in (("trend", 9.0), ("tv_S", 1e5), ("search_S", 2e4))
    ]
    write(tmp_path / "pareto_aggregated.csv", sums)
    return tmp_path


@pytest.mark.parametrize("model", ["1_12_3", "1123"])  # the second is how Hydra reads the first
def test_robyn_is_its_hill_curve_of_carried_over_spend(robyn: Path, model: str) -> None:
    found = values_of(load_robyn(robyn, model), robyn)
    for channel, alpha, theta, inflexion, coefficient in (
        ("tv_S", 2.1, 0.7, 3.0, 1e5),
        ("search_S", 0.8, 0.0, 0.5, 2e4),
    ):
        x = carried(theta ** np.arange(200.0))
        expected = coefficient * x**alpha / (x**alpha + inflexion**alpha)
        np.testing.assert_allclose(found[channel], expected, rtol=1e-12)


def test_robyn_weibull_carry_over_is_its_own_inflation(robyn: Path) -> None:
    row = {"solID": "1", "tv_alphas": 1.5, "tv_shapes": 0.5, "tv_scales": 0.05, "tv_inflexion": 4.0}
    write(robyn / "pareto_hyperparameters.csv", [{**row, "tv_inflation": 1.6}])
    write(robyn / "pareto_aggregated.csv", [{"solID": "1", "rn": "tv", "coef": 10.0}])
    found = values_of(load_robyn(robyn), robyn)["tv"]
    x = 1.6 * SPENDS
    np.testing.assert_allclose(found, 10.0 * x**1.5 / (x**1.5 + 4.0**1.5), rtol=1e-12)


@pytest.mark.parametrize("name_of_models", ["solID", "sol_id"])
def test_an_inflexion_that_is_not_written_is_computed(robyn: Path, name_of_models: str) -> None:
    """Robyn before 3.12, and robynpy: (1 − γ)·least + γ·largest carried over in the window of the model."""
    row = {name_of_models: "1", "tv_alphas": 1.5, "tv_gammas": 0.4, "tv_thetas": 0.5}
    write(robyn / "pareto_hyperparameters.csv", [row])
    write(robyn / "pareto_aggregated.csv", [{name_of_models: "1", "rn": "tv", "coef": 10.0}])
    with pytest.raises(ValueError, match=r"tv_inflexion, which Robyn writes from 3\.12 on, expected it, or"):
        load_robyn(robyn)
    media = [
        {name_of_models: "1", "ds": day, "type": kind, "tv": value}
        for kind, values in (("adstockedMedia", [90, 2, 8, 3]), ("saturatedMedia", [None, 0.1, 0.9, 0.2]))
        for day, value in enumerate(values)
        if value is not None
    ]
    write(robyn / "pareto_media_transform_matrix.csv", media)
    found = load_robyn(robyn)["tv"].numbers
    assert found["half"] == pytest.approx((0.6 * 2 + 0.4 * 8) * 0.5)


def test_what_nobody_can_buy_is_left_out(robyn: Path) -> None:
    sums = [
        {"solID": "2_4_1", "rn": "tv_S", "coef": 1e5, "total_spend": 520.0, "mean_spend": 10.0},
        {"solID": "2_4_1", "rn": "search_S", "coef": 2e4, "total_spend": "NA", "mean_spend": "NA"},
    ]
    write(robyn / "pareto_aggregated.csv", sums)
    with pytest.warns(UserWarning, match="search_S: organic, without spend to allocate, left out"):
        found = load_robyn(robyn, "2_4_1")
    assert list(found) == ["tv_S"]
    assert found["tv_S"].spend == 10.0


def logistic(rate: Any, midpoint: Any = 0.0) -> Any:
    """A difference of two sigmoids, as PyMC-Marketing writes its sigmoid Hill curve."""
    return lambda x: 1 / (1 + np.exp(-rate * (x - midpoint))) - 1 / (1 + np.exp(rate * midpoint))


PYMC: dict[str, tuple[dict[str, float], Any]] = {
    "logistic": ({"lam": 0.4, "beta": 3.0}, lambda x: 3.0 * (1 - np.exp(-0.4 * x)) / (1 + np.exp(-0.4 * x))),
    "inverse_scaled_logistic": (
        {"lam": 0.4, "beta": 3.0},
        lambda x: 3.0 * (1 - np.exp(-np.log(3) / 0.4 * x)) / (1 + np.exp(-np.log(3) / 0.4 * x)),
    ),
    "tanh": ({"b": 2.0, "c": 0.7}, lambda x: 2.0 * np.tanh(x / (2.0 * 0.7))),
    "tanh_baselined": (
        {"x0": 1.5, "gain": 0.8, "r": 0.6, "beta": 3.0},
        lambda x: 3.0 * 0.8 * 1.5 * np.tanh(x * np.arctanh(0.6) / 1.5) / 0.6,
    ),
    "michaelis_menten": ({"alpha": 2.0, "lam": 0.7}, lambda x: 2.0 * x / (0.7 + x)),
    "hill": (
        {"slope": 1.7, "kappa": 0.6, "beta": 5.0},
        lambda x: 5.0 * (1 - 0.6**1.7 / (0.6**1.7 + x**1.7)),
    ),
    "hill_sigmoid": (
        {"sigma": 1.9, "beta": 1.8, "lam": 0.5},
        lambda x: 1.9 * logistic(1.8, 0.5)(x),
    ),
    "root": ({"alpha": 0.4, "beta": 0.7}, lambda x: 0.7 * x**0.4),
    "log": ({"beta": 0.7}, lambda x: 0.7 * np.log1p(x)),
    "no_saturation": ({"beta": 0.7}, lambda x: 0.7 * x),
}


def test_every_saturation_has_its_formula_here() -> None:
    assert set(PYMC) == set(SATURATIONS)


def posterior(
    path: Path, draws: list[dict[str, float]], saturation: str = "saturation", **columns: Any
) -> Path:
    rows = [
        {"chain": 0, "draw": place, "channel": "tv", **columns}
        | {name if "adstock" in name else f"{saturation}_{name}": value for name, value in draw.items()}
        for place, draw in enumerate(draws)
    ]
    return write(path, rows)


@pytest.mark.parametrize("saturation", PYMC)
@pytest.mark.parametrize("normalize", [True, False])
def test_pymc_marketing_is_its_saturation(tmp_path: Path, saturation: str, normalize: bool) -> None:
    numbers, formula = PYMC[saturation]
    path = posterior(tmp_path / "posterior.csv", [{**numbers, "adstock_alpha": 0.6}])
    model = PymcModel(saturation, "geometric", normalize, l_max=8, target_scale=1000.0)
    responses = load_pymc_marketing(path, model, {"tv": 20.0})
    spends = np.array([0.0, 0.3, 1.0, 2.5, 40.0])
    found = values_of(responses, tmp_path, spends)["tv"]
    weights = 0.6 ** np.arange(8.0)
    x = carried(weights / weights.sum() if normalize else weights) / 20.0
    np.testing.assert_allclose(found, 1000.0 * formula(x), rtol=WRITTEN, atol=1e-12)


ADSTOCKS = {
    "geometric": ({"alpha": 0.6}, 0.6 ** np.arange(6.0)),
    "binomial": ({"alpha": 0.6}, (1 - np.arange(6.0) / 7) ** (1 / 0.6 - 1)),
    "delayed": ({"alpha": 0.6, "theta": 2.0}, 0.6 ** ((np.arange(6.0) - 2) ** 2)),
    "weibull_cdf": (
        {"lam": 2.0, "k": 1.5},
        np.cumprod(np.append(1.0, np.exp(-((np.arange(1.0, 6.0) / 2) ** 1.5)))),
    ),
    "no_adstock": ({}, np.ones(1)),
}


@pytest.mark.parametrize("adstock", ADSTOCKS)
@pytest.mark.parametrize("first", [True, False])
def test_carry_over_that_is_not_normalised_counts_its_weights(
    tmp_path: Path, adstock: str, first: bool
) -> None:
    numbers, weights = ADSTOCKS[adstock]
    given = {f"adstock_{name}": value for name, value in numbers.items()}
    path = posterior(tmp_path / "posterior.csv", [{"lam": 0.4, "beta": 3.0, **given}])
    model = PymcModel("logistic", adstock, False, 6, adstock_first=first)
    found = values_of(load_pymc_marketing(path, model), tmp_path)["tv"]
    curve = PYMC["logistic"][1]
    expected = curve(carried(weights)) if first else weights.sum() * curve(SPENDS)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_half_life_is_a_retention(tmp_path: Path) -> None:
    path = posterior(tmp_path / "posterior.csv", [{"lam": 0.4, "beta": 3.0, "adstock_halflife": 2.0}])
    found = load_pymc_marketing(path, PymcModel("logistic", "geometric", False, 6))
    assert found["tv"].numbers["rate"] == pytest.approx(0.4 * np.sum(0.5 ** (np.arange(6) / 2)))


AMBIGUOUS = {
    ("lam", "beta"): "beta, lam, which logistic and inverse_scaled_logistic share, expected saturation=",
    ("beta",): "beta, which log and no_saturation share, expected saturation=...",
    ("lam", "kappa"): "expected the numbers of one of logistic",
}


@pytest.mark.parametrize("names", AMBIGUOUS)
def test_what_two_saturations_share_is_asked_for(tmp_path: Path, names: tuple[str, ...]) -> None:
    path = posterior(tmp_path / "posterior.csv", [dict.fromkeys(names, 0.5)])
    with pytest.raises(ValueError, match=r"posterior\.csv: has saturation") as error:
        load_pymc_marketing(path)
    assert AMBIGUOUS[names] in str(error.value)


def test_what_two_carry_overs_share_is_asked_for_where_it_matters(tmp_path: Path) -> None:
    path = posterior(tmp_path / "posterior.csv", [{"lam": 0.5, "beta": 1.0, "adstock_alpha": 0.5}])
    load_pymc_marketing(path, PymcModel("logistic"))
    with pytest.raises(ValueError, match="adstock alpha, which may be geometric or binomial, expected adsto"):
        load_pymc_marketing(path, PymcModel("logistic", normalize=False, l_max=6))
    with pytest.raises(ValueError, match="no adstock_theta, which delayed carry-over needs"):
        load_pymc_marketing(path, PymcModel("logistic", "delayed", normalize=False, l_max=6))


@pytest.mark.parametrize("saturation", ["logistic", "michaelis_menten", "hill", "hill_sigmoid", "root"])
def test_a_posterior_gives_the_mean_of_its_curves(tmp_path: Path, saturation: str) -> None:
    numbers, _ = PYMC[saturation]
    random = np.random.default_rng(0)
    draws = [{n: v * random.gamma(20.0) / 20.0 for n, v in numbers.items()} for _ in range(100)]
    path = posterior(tmp_path / "posterior.csv", draws)
    found = load_pymc_marketing(path, PymcModel(saturation), {"tv": 500.0})
    spends = 500.0 * np.array([0.0, 0.01, 0.05, 0.1, 0.3, 0.5, 0.8, 1.0, 2.0, 5.0, 9.9])
    formulas = {
        "logistic": lambda x, lam, beta: beta * np.tanh(lam * x / 2),
        "michaelis_menten": lambda x, alpha, lam: alpha * x / (lam + x),
        "hill": lambda x, slope, kappa, beta: beta * x**slope / (kappa**slope + x**slope),
        "hill_sigmoid": lambda x, sigma, beta, lam: sigma * logistic(beta, lam)(x),
        "root": lambda x, alpha, beta: beta * x**alpha,
    }
    expected = np.mean([formulas[saturation](spends / 500.0, **draw) for draw in draws], axis=0)
    np.testing.assert_allclose(values_of(found, tmp_path, spends)["tv"], expected, rtol=WRITTEN, atol=1e-12)
    assert found["tv"].draws.keys() == (set() if saturation == "root" else found["tv"].draws.keys())


def test_the_curve_of_mean_numbers_is_another(tmp_path: Path) -> None:
    """Two draws of one channel, by hand: tanh(λx/2) of the mean λ is 6 % above the mean of both."""
    path = posterior(tmp_path / "posterior.csv", [{"lam": 1.0, "beta": 1.0}, {"lam": 5.0, "beta": 1.0}])
    found = values_of(load_pymc_marketing(path, PymcModel("logistic")), tmp_path, np.array([0.5]))["tv"]
    assert found[0] == pytest.approx((np.tanh(0.25) + np.tanh(1.25)) / 2, rel=WRITTEN)
    assert np.tanh(0.75) / found[0] > 1.15


def test_the_mean_of_curves_that_differ_in_scale_is_one_of_the_family(tmp_path: Path) -> None:
    path = posterior(tmp_path / "posterior.csv", [{"beta": 1.0}, {"beta": 3.0}])
    found = load_pymc_marketing(path, PymcModel("log"))["tv"]
    assert found.numbers == {"scale": 2.0, "rate": 1.0}
    assert not found.points
    np.testing.assert_array_equal(found.draws["scale"], [1.0, 3.0])


def test_units_of_a_panel_are_projects_of_their_own(tmp_path: Path) -> None:
    rows = [
        {
            "chain": c,
            "draw": d,
            "geo": geo,
            "channel": channel,
            "saturation_lam": 2.0,
            "saturation_beta": beta * (1.0 + 0.02 * c),
        }
        for c in range(2)
        for d in range(3)
        for geo, channel, beta in (
            ("north", "x1", 1.0),
            ("south", "x1", 3.0),
            ("north", "x2", 2.0),
            ("south", "x2", 0.5),
        )
    ]
    found = load_pymc_marketing(write(tmp_path / "posterior.csv", rows), PymcModel("logistic"))
    means = {name: response.numbers["scale"] for name, response in found.items()}
    expected = {"north x1": 1.01, "south x1": 3.03, "north x2": 2.02, "south x2": 0.505}
    assert means == pytest.approx(expected)
    assert {response.draws["scale"].size for response in found.values()} == {6}
    numbered = [{**row, "geo": int(row["geo"] == "north")} for row in rows]
    found = load_pymc_marketing(write(tmp_path / "numbered.csv", numbered), PymcModel("logistic"))
    assert found["1 x2"].numbers["scale"] == pytest.approx(2.02)
    nameless = [{key: value for key, value in row.items() if key != "geo"} for row in rows]
    with pytest.raises(ValueError, match="has several rows of one draw and channel"):
        load_pymc_marketing(write(tmp_path / "nameless.csv", nameless), PymcModel("logistic"))
    scales = write(tmp_path / "s.csv", [{"geo": "south", "channel": "x1", "channel_scale": 10.0}])
    scaled = load_pymc_marketing(tmp_path / "posterior.csv", PymcModel("logistic"), load_scales(scales))
    assert scaled["south x1"].numbers["rate"] == pytest.approx(0.2)
    assert scaled["north x1"].numbers["rate"] == pytest.approx(2.0)


SAVED = {
    "0.19": '{"lookup_name": "%s", "prefix": "%s", "priors": {}%s}',
    "1.3": '{"__type__": "pymc_marketing.mmm.components.%s", "prefix": "%s", "priors": {}%s}',
}


@pytest.mark.parametrize("version", SAVED)
def test_a_saved_model_says_all_there_is_to_know(tmp_path: Path, version: str) -> None:
    pytest.importorskip("h5netcdf")
    xarray = pytest.importorskip("xarray")
    random = np.random.default_rng(0)
    lam, beta, alpha = random.gamma(9.0, 0.3, (3, 2, 40, 2, 2))
    alpha = alpha / (1.0 + alpha)
    dims, places = (
        ("chain", "draw", "channel", "geo"),
        {"channel": ["tv", "search"], "geo": ["north", "south"]},
    )
    arrays = {"saturation_lam": lam, "saturation_beta": beta, "adstock_alpha": alpha}
    posterior = xarray.Dataset({name: (dims, array) for name, array in arrays.items()}, places)
    spend = random.gamma(2.0, 100.0, (30, 2, 2))
    constants = xarray.Dataset(
        {
            "channel_data": (("date", "geo", "channel"), spend),
            "channel_scale": (("geo", "channel"), spend.max(0)),
            "target_scale": ("geo", np.array([1000.0, 500.0])),
        },
        places,
    )
    names = {
        "0.19": ("binomial", "logistic"),
        "1.3": ("adstock.BinomialAdstock", "saturation.LogisticSaturation"),
    }
    adstock, saturation = names[version]
    attributes = {
        "adstock": SAVED[version] % (adstock, "adstock", ', "l_max": 6, "normalize": false'),
        "saturation": SAVED[version] % (saturation, "saturation", ""),
        "adstock_first": "true",
        "time_varying_media": "false",
    }
    path = tmp_path / "model.nc"
    xarray.Dataset(attrs=attributes).to_netcdf(path, engine="h5netcdf")
    posterior.to_netcdf(path, group="posterior", mode="a", engine="h5netcdf")
    constants.to_netcdf(path, group="constant_data", mode="a", engine="h5netcdf")
    found = load_pymc_marketing(path)
    assert list(found) == ["north tv", "north search", "south tv", "south search"]
    spends = np.array([5.0, 50.0, 200.0, 1000.0])
    values = values_of(found, tmp_path, spends)
    gain = np.sum((1 - np.arange(6) / 7) ** (1 / alpha[..., None] - 1), axis=-1)
    for c, channel in enumerate(places["channel"]):
        for g, geo in enumerate(places["geo"]):
            x = spends[:, None, None] * gain[:, :, c, g] / spend.max(0)[g, c]
            curves = beta[:, :, c, g] * np.tanh(lam[:, :, c, g] * x / 2)
            expected = (1000.0, 500.0)[g] * curves.mean((1, 2))
            np.testing.assert_allclose(values[f"{geo} {channel}"], expected, rtol=WRITTEN)
            assert found[f"{geo} {channel}"].spend == pytest.approx(spend[:, g, c].mean())
    with pytest.raises(ValueError, match=r"model\.nc: has adstock binomial, expected no adstock=geometric"):
        load_pymc_marketing(path, PymcModel(adstock="geometric"))
    constants.drop_vars("channel_scale").to_netcdf(
        tmp_path / "bare.nc", group="constant_data", engine="h5netcdf"
    )
    xarray.Dataset(attrs=attributes).to_netcdf(tmp_path / "bare.nc", mode="a", engine="h5netcdf")
    with pytest.raises(ValueError, match=r"bare\.nc: has no channel_scale in constant_data"):
        load_pymc_marketing(tmp_path / "bare.nc")
    with pytest.raises(ValueError, match="is a netCDF or HDF5 file, expected a table"):
        load_prophetverse(path)
    with pytest.raises(ValueError, match="has no incremental_outcome"):
        load_meridian(path)


def curves(path: Path, outcome: Any, multiples: np.ndarray, spend: float = 1000.0) -> Path:
    rows = [
        {
            "spend_multiplier": m,
            "channel": "tv",
            "metric": metric,
            "spend": spend * m,
            "incremental_outcome": k * outcome(m),
        }
        for m in multiples
        for metric, k in (("mean", 1.0), ("ci_lo", 0.5))
    ]
    return write(path, rows)


COARSE = np.arange(0, 2.2, 0.2)


@pytest.mark.parametrize(
    ("outcome", "first", "rest"),
    [
        # Meridian's default: exponent 1 in each of many geos and draws. Below the first point of what starts
        # slowly or steeply little is known, so there the bound is wider.
        (lambda m: np.mean(m / (np.geomspace(0.05, 5.0, 40) + m)), 0.01, 1e-3),
        (lambda m: np.mean(m**0.7 / (np.geomspace(0.3, 3.0, 40) ** 0.7 + m**0.7)), 0.05, 1e-3),
        (lambda m: np.mean(m**2 / (np.geomspace(0.5, 3.0, 40) ** 2 + m**2)), 0.1, 0.01),
        (lambda m: 3.0 * m, 1e-3, 1e-3),
    ],
)
def test_meridian_is_smooth_between_its_points(
    tmp_path: Path, outcome: Any, first: float, rest: float
) -> None:
    slow = first == 0.1
    expected = pytest.warns(UserWarning, match="S-shaped, and a guess below") if slow else nullcontext()
    with expected:
        found = load_meridian(curves(tmp_path / "curves.csv", outcome, COARSE))
    fine = np.arange(0.05, 2.01, 0.05)
    values = values_of(found, tmp_path, 1000.0 * fine)["tv"]
    error = np.abs(values / np.array([outcome(m) for m in fine]) - 1.0)
    assert error[fine < 0.19].max() < first
    assert error[fine > 0.19].max() < rest
    at_points = values_of(found, tmp_path, 1000.0 * COARSE)["tv"]
    np.testing.assert_allclose(at_points, [outcome(m) if m else 0.0 for m in COARSE], rtol=1e-12)
    assert (found["tv"].last, found["tv"].spend) == (2000.0, 1000.0)


# A model of Meridian 2.1.0 at its default multiples, and what it says itself at a twentieth of the spend.
MERIDIAN = {
    "tv": (
        948941.723,
        [
            733289.624,
            1196580.1,
            1525930.784,
            1775845.886,
            1973735.672,
            2135261.295,
            2270158.552,
            2384858.606,
            2483810.208,
            2570204.794,
        ],
        223744.0,
    ),
    "social": (
        253480.711,
        [
            201321.693,
            319217.533,
            401679.776,
            464309.435,
            514291.277,
            555539.049,
            590418.223,
            620465.029,
            646731.521,
            669968.0,
        ],
        64620.0,
    ),
}


@pytest.mark.parametrize("channel", MERIDIAN)
def test_meridian_says_the_same_below_its_first_point(tmp_path: Path, channel: str) -> None:
    spend, outcomes, right = MERIDIAN[channel]
    at = dict(zip(COARSE, [0.0, *outcomes], strict=True))
    found = load_meridian(curves(tmp_path / "curves.csv", lambda m: at[m], COARSE, spend))
    value = values_of(found, tmp_path, np.array([0.05 * spend]))["tv"]
    assert value == pytest.approx(right, rel=1e-3)
    assert 0.25 * outcomes[0] < 0.85 * right  # what a chord says there


def test_meridian_has_the_metric_that_is_named(tmp_path: Path) -> None:
    path = curves(tmp_path / "curves.csv", np.sqrt, COARSE)
    mean, low = (values_of(load_meridian(path, m), tmp_path)["tv"] for m in ("mean", "ci_lo"))
    np.testing.assert_allclose(low, mean / 2)


def test_a_channel_without_spend_is_left_out(tmp_path: Path) -> None:
    rows = [
        {
            "spend_multiplier": m,
            "channel": c,
            "metric": "mean",
            "spend": 100 * m * spent,
            "incremental_outcome": y,
        }
        for m, y in ((0.0, 0.0), (0.5, 90.0), (1.0, 160.0))
        for c, spent in (("tv", True), ("crm", False))
    ]
    path = write(tmp_path / "curves.csv", rows)
    with pytest.warns(UserWarning, match="crm: without spend, left out"):
        assert list(load_meridian(path)) == ["tv"]


def test_an_outcome_that_falls_is_taken_as_it_is(tmp_path: Path) -> None:
    path = curves(tmp_path / "curves.csv", lambda m: m * (1.5 - m), COARSE)
    with pytest.warns(UserWarning, match="tv: its outcome falls as spend rises"):
        found = load_meridian(path)["tv"]
    assert len(found.points) == COARSE.size


def test_the_last_point_bounds_a_curve_that_goes_on(tmp_path: Path) -> None:
    found = load_meridian(curves(tmp_path / "curves.csv", np.sqrt, COARSE))
    with pytest.warns(UserWarning, match="end before they level off: tv at 2000, which bounds them"):
        assert bound(found, None, True)["tv"].upper == 2000.0
    with pytest.warns(UserWarning, match="tv at 2000, beyond which they are taken as flat"):
        assert bound(found, None, False)["tv"].upper is None
    limits = write(tmp_path / "bounds.csv", [{"channel": "tv", "lower": 100, "upper": 1500}])
    with pytest.warns(UserWarning, match="tv at 2000"):
        own = bound(found, limits, True)
    assert (own["tv"].lower, own["tv"].upper) == (100.0, 1500.0)
    text = [list(map(str, row)) for row in portfolio_rows(own)]
    assert text[0] == ["project", "effort", "performance", "lower", "upper"]
    assert text[1][3:] == ["100.0", "1500.0"]
    write(limits, [{"channel": "radio", "lower": 100, "upper": 1500}])
    with pytest.raises(ValueError, match=r"bounds\.csv: has channel 'radio', expected one of tv"):
        bound(found, limits, False)


def test_families_and_points_go_into_one_file(tmp_path: Path) -> None:
    mixed = {
        "tv": Response("hill", {"scale": 3.0, "half": 1.0, "exponent": 1.0}),
        "radio": Response("tabulated", points=[(0.0, 0.0), (1.0, 2.0), (4.0, 3.0)], upper=4.0),
    }
    found = values_of(mixed, tmp_path)
    np.testing.assert_allclose(found["tv"], 3.0 * SPENDS / (1.0 + SPENDS))
    np.testing.assert_allclose(found["radio"], np.interp(SPENDS, [0, 1, 4], [0, 2, 3]))


def test_prophetverse_is_its_effects(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    decay, half, top, slope = random.beta(2, 3, 50), random.gamma(9, 0.1, 50), random.gamma(9, 0.1, 50), 1.5
    rate, scale = random.gamma(9, 0.1, 50), random.gamma(9, 0.1, 50)
    rows = [
        {
            "trend/trend_flat_coefficient": 1.0,
            "tv/adstock/decay": decay[i],
            "tv/saturation/half_max": half[i],
            "tv/saturation/max_effect": top[i],
            "tv/saturation/slope": slope,
            "search/log_rate": rate[i],
            "search/log_scale": scale[i],
            "radio/coefs[0]": scale[i],
        }
        for i in range(50)
    ]
    path = write(tmp_path / "samples.csv", rows)
    found = values_of(load_prophetverse(path, {"tv": 20.0}, 100.0), tmp_path)
    x = SPENDS[:, None] / 20.0 / (1.0 - decay)
    np.testing.assert_allclose(
        found["tv"],
        100.0 * np.mean(top * x**slope / (half**slope + x**slope), axis=1),
        rtol=WRITTEN,
        atol=1e-9,
    )
    logs = 100.0 * np.mean(scale * np.log1p(rate * SPENDS[:, None]), axis=1)
    np.testing.assert_allclose(found["search"], logs, rtol=WRITTEN)
    np.testing.assert_allclose(found["radio"], 100.0 * np.mean(scale) * SPENDS, rtol=1e-12)


def test_a_summary_is_read_with_a_warning(tmp_path: Path) -> None:
    summary: list[dict[str, Any]] = [{"": "intercept", "mean": 1.0}]
    summary += [
        {"": f"saturation_{name}[north, tv]", "mean": value} for name, value in PYMC["hill"][0].items()
    ]
    with pytest.warns(UserWarning, match="is a summary: its curves are those of mean numbers"):
        found = load_pymc_marketing(write(tmp_path / "summary.csv", summary))
    np.testing.assert_allclose(values_of(found, tmp_path)["north tv"], PYMC["hill"][1](SPENDS), rtol=1e-12)


@pytest.mark.parametrize("first", [b"\x89HDF\r\n\x1a\n\0\0", b"PK\0\0\x14", b"CDF\x01"])
def test_a_binary_file_is_one_line(tmp_path: Path, first: bytes) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(first + bytes(range(256)))
    for load in (load_prophetverse, load_meridian, load_pymc_marketing, load_scales):
        with pytest.raises(ValueError, match=r"model\.bin: ") as error:
            load(path)
        assert str(error.value).isprintable()
        assert len(str(error.value)) < len(str(path)) + 150


def test_scales_are_read_by_channel(tmp_path: Path) -> None:
    path = write(tmp_path / "scales.csv", [{"channel": "tv", "channel_scale": 20.0}])
    assert load_scales(path) == {"tv": 20.0}


BAD_SUMMARIES = {
    "channel,saturation_lam\n,1.0\n": "has no column channel",
    ",mean\nintercept,2\n": "has no saturation_... of any channel",
    ",mean\nsaturation_lam[tv],2\n": "has saturation lam, expected the numbers of one of logistic",
    ",mean\nsaturation_lam[tv],2\nsaturation_beta[tv],high\n": "is 'high', expected a finite number",
    ",mean\nsaturation_lam[tv],2\nsaturation_beta[radio],2\n": "tv has no saturation_beta",
    "": "is empty, expected a header and rows",
}


@pytest.mark.parametrize("text", BAD_SUMMARIES)
def test_a_wrong_summary_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "summary.csv"
    path.write_text(text)
    model = PymcModel("logistic" if "beta[radio]" in text else None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match=r"summary\.csv") as error:
            load_pymc_marketing(path, model)
    assert BAD_SUMMARIES[text] in str(error.value)
    assert "\n" not in str(error.value)


def test_a_wrong_folder_of_robyn_is_named(robyn: Path) -> None:
    with pytest.raises(ValueError, match=r"has 2 models, expected model=\.\.\. to name one of 1_12_3, 2_4_1"):
        load_robyn(robyn)
    with pytest.raises(ValueError, match="has no model 7, expected one of 1_12_3"):
        load_robyn(robyn, "7")
    write(robyn / "pareto_hyperparameters.csv", [{"solID": "1_12_3", "tv_S_alphas": 1.0, "tv_S_thetas": 0.2}])
    with pytest.raises(ValueError, match="has no column tv_S_inflexion"):
        load_robyn(robyn, "1_12_3")
    with pytest.raises(ValueError, match="cannot be read"):
        load_robyn(robyn / "nowhere")
