"""Exported response curves against the packages' own formulas, with carry-over simulated period by period."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.files.mix_models import (
    PymcScales,
    load_meridian,
    load_pymc_marketing,
    load_robyn,
    load_scales,
    portfolio_rows,
)
from engine.files.portfolios import load_portfolio

SPENDS = np.array([0.0, 0.3, 1.0, 2.5, 40.0])


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
        writer.writeheader()
        writer.writerows(rows)
    return path


def values_of(responses: Any, folder: Path) -> dict[str, np.ndarray]:
    """What each channel returns at `SPENDS`, through a portfolio file as users read it."""
    path = folder / "portfolio.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(portfolio_rows(responses))
    portfolio = load_portfolio(path)
    values = [np.asarray(portfolio.curves.value(np.full(portfolio.shape, spend))) for spend in SPENDS]
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


PYMC: dict[str, tuple[dict[str, float], Any]] = {
    "logistic": ({"lam": 0.4, "beta": 3.0}, lambda x: 3.0 * (1 - np.exp(-0.4 * x)) / (1 + np.exp(-0.4 * x))),
    "inverse_scaled_logistic": (
        {"lam": 0.4, "beta": 3.0},
        lambda x: 3.0 * (1 - np.exp(-np.log(3) / 0.4 * x)) / (1 + np.exp(-np.log(3) / 0.4 * x)),
    ),
    "tanh": ({"b": 2.0, "c": 0.7}, lambda x: 2.0 * np.tanh(x / (2.0 * 0.7))),
    "michaelis_menten": ({"alpha": 2.0, "lam": 0.7}, lambda x: 2.0 * x / (0.7 + x)),
    "hill": (
        {"slope": 1.7, "kappa": 0.6, "beta": 5.0},
        lambda x: 5.0 * (1 - 0.6**1.7 / (0.6**1.7 + x**1.7)),
    ),
}


@pytest.mark.parametrize("saturation", PYMC)
@pytest.mark.parametrize("normalize", [True, False])
def test_pymc_marketing_is_its_saturation(tmp_path: Path, saturation: str, normalize: bool) -> None:
    numbers, formula = PYMC[saturation]
    summary: list[dict[str, Any]] = [{"": "intercept", "mean": 1.0}, {"": "adstock_alpha[tv]", "mean": 0.6}]
    summary += [{"": f"saturation_{name}[tv]", "mean": value} for name, value in numbers.items()]
    path = write(tmp_path / "summary.csv", summary)
    scales = PymcScales({"tv": 20.0}, 1000.0)
    named = saturation if saturation == "inverse_scaled_logistic" else None
    found = values_of(load_pymc_marketing(path, named, scales, normalize, 8), tmp_path)["tv"]
    weights = 0.6 ** np.arange(8.0)
    x = carried(weights / weights.sum() if normalize else weights) / 20.0
    np.testing.assert_allclose(found, 1000.0 * formula(x), rtol=1e-12, atol=1e-12)


def test_a_posterior_gives_every_draw_and_their_mean(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    lam, beta = random.gamma(3.0, 1.0, (2, 5, 2)), random.gamma(2.0, 1.0, (2, 5, 2))
    rows = [
        {
            "chain": c,
            "draw": d,
            "channel": name,
            "saturation_lam": lam[c, d, i],
            "saturation_beta": beta[c, d, i],
        }
        for c in range(2)
        for d in range(5)
        for i, name in enumerate(("tv", "radio"))
    ]
    found = load_pymc_marketing(write(tmp_path / "posterior.csv", rows))
    np.testing.assert_allclose(found["radio"].draws["rate"], lam[:, :, 1].reshape(-1))
    assert found["tv"].numbers["scale"] == pytest.approx(beta[:, :, 0].mean())


def test_meridian_is_tabulated_at_its_multipliers(tmp_path: Path) -> None:
    rows = [
        {"spend_multiplier": m, "channel": c, "metric": k, "spend": 10 * m, "incremental_outcome": y * m**0.5}
        for m in (1.0, 0.0, 2.0)
        for c in ("tv", "search")
        for k, y in (("mean", 7.0), ("ci_lo", 5.0))
    ]
    path = write(tmp_path / "curves.csv", rows)
    found = values_of(load_meridian(path), tmp_path)
    np.testing.assert_allclose(found["tv"], np.interp(SPENDS, [0, 10, 20], 7 * np.sqrt([0.0, 1.0, 2.0])))
    low = values_of(load_meridian(path, "ci_lo"), tmp_path)
    np.testing.assert_allclose(low["search"], found["tv"] * 5 / 7)


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
    with pytest.raises(ValueError, match=r"summary\.csv") as error:
        load_pymc_marketing(path)
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
