"""Scenarios: every shipped one draws valid portfolios; draws depend on (seed, index) alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from engine.cli.compose import register_schemas
from engine.files.shipped import config_folder
from engine.model.curves import FAMILIES
from engine.model.keys import portfolio_key
from engine.model.validation import check, normalise
from engine.simulation.catalogue import shipped_scenario
from engine.simulation.config import FamilyConfig, PriorConfig, ScenarioConfig
from engine.simulation.priors import build_prior
from engine.simulation.scenarios import build_scenario
from engine.study.config import RunConfig

# All but the one that samples a file.
SHIPPED = sorted({path.stem for path in (config_folder() / "scenario").glob("*.yaml")} - {"fitted"})
register_schemas()


def shipped(name: str, *overrides: str) -> RunConfig:
    """The configuration of `engine run scenario=name`."""
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        config = compose("run", [f"scenario={name}", "run.output=unused", *overrides])
    return OmegaConf.to_object(config)  # type: ignore[return-value]


def refused(name: str, change: Callable[[ScenarioConfig], object], message: str) -> None:
    """A shipped scenario so changed cannot be, in one line that begins with a message."""
    config = shipped(name).scenario
    change(config)
    with pytest.raises(ValueError, match=r".") as error:
        build_scenario(config)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def draw(config: ScenarioConfig, count: int, seed: int = 0, dtype: Any = np.float64) -> Any:
    scenario = build_scenario(config)
    keys = jax.vmap(lambda j: portfolio_key(seed, j))(np.arange(count, dtype=np.uint32))
    return jax.jit(jax.vmap(lambda key: scenario.draw(key, dtype)))(keys)


def family(name: str, **parameters: PriorConfig) -> ScenarioConfig:
    return ScenarioConfig(name="test", projects=3, budget=10, curves={name: FamilyConfig(1.0, parameters)})


def fixed(value: Any) -> PriorConfig:
    return PriorConfig("fixed", value=value)


@pytest.mark.parametrize("name", sorted({*SHIPPED} - {"moonshot"}))
def test_shipped_scenarios_draw_valid_portfolios(name: str) -> None:
    config = shipped(name).scenario
    assert config.name == name
    assert config.description
    portfolios = normalise(draw(config, 50))
    check(portfolios)
    assert portfolios.shape == (50, config.projects)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_scenario_is_the_same_without_hydra(name: str) -> None:
    assert shipped_scenario(name) == shipped(name).scenario


def test_all_scenarios_ship() -> None:
    assert set(SHIPPED) == {
        *("textbook", "growth", "ml_first", "nascent", "research_lab", "product_embedded"),
        *("independent_division", "big_tech", "staged", "s_shaped"),
        *("many_bets", "young_team", "mature_team", "accuracy_pays_at_scale", "threshold_research"),
        *("moonshot", "platform", "rules"),
    }


@pytest.mark.parametrize("name", sorted(set(FAMILIES) - {"tabulated"}))
def test_every_family_ships_a_documented_prior(name: str) -> None:
    path = config_folder() / "curves" / f"{name}.yaml"
    assert path.read_text().startswith("# ")
    config = shipped("s_shaped", f"curves@scenario.curves=[{name}]").scenario
    assert list(config.curves) == [name]
    check(normalise(draw(config, 20)))


def test_a_draw_depends_on_seed_and_index_alone() -> None:
    config = shipped("staged").scenario
    few, many = draw(config, 5), draw(config, 40)
    for short, long in zip(jax.tree.leaves(few), jax.tree.leaves(many), strict=True):
        np.testing.assert_array_equal(short, long[:5])
    other = draw(config, 5, seed=1)
    assert not np.array_equal(few.weight, other.weight)
    assert len(np.unique(np.asarray(many.weight)[:, 0])) == 40


def test_scenarios_that_differ_in_one_prior_share_the_other_numbers() -> None:
    one = draw(shipped("s_shaped").scenario, 8)
    two = draw(shipped("s_shaped", "scenario.weight.sigma=2.0").scenario, 8)
    for a, b in zip(jax.tree.leaves(one.curves), jax.tree.leaves(two.curves), strict=True):
        np.testing.assert_array_equal(a, b)
    # The same standard normals stand behind both: log weights are in proportion to sigma.
    np.testing.assert_allclose(4.0 * np.log(one.weight), np.log(two.weight), rtol=1e-9, atol=1e-12)


def test_projects_keep_their_numbers_when_more_are_added() -> None:
    few = draw(shipped("product_embedded").scenario, 4)
    many = draw(shipped("product_embedded", "scenario.projects=20").scenario, 4)
    np.testing.assert_array_equal(few.curves.rate, many.curves.rate[:, :12])


def test_the_family_mix_follows_its_shares() -> None:
    overrides = ("scenario.curves.hill.share=3", "scenario.projects=50")
    portfolios = draw(shipped("s_shaped", *overrides).scenario, 400)
    share = float(np.mean(np.asarray(portfolios.curves.choice) == 0))
    # 20,000 independent picks with probability 3/4: a standard error of 0.003.
    assert abs(share - 0.75) < 0.015


def test_skew_is_a_zipf_law_of_mean_one() -> None:
    config = family("log", scale=fixed(1.0), rate=fixed(1.0))
    config.skew = 1.0
    weight = np.asarray(draw(config, 1).weight)[0]
    np.testing.assert_allclose(weight, np.array([1, 1 / 2, 1 / 3]) / np.mean([1, 1 / 2, 1 / 3]), rtol=1e-12)


@pytest.mark.parametrize(
    ("prior", "mean", "sd"),
    [
        (PriorConfig("uniform", low=2.0, high=4.0), 3.0, 2 / 12**0.5),
        (PriorConfig("normal", mean=1.0, sd=2.0), 1.0, 2.0),
        (PriorConfig("lognormal", median=1.0, sigma=0.5), np.exp(0.125), None),
        (PriorConfig("loguniform", low=1.0, high=np.e), np.e - 1.0, None),
        (PriorConfig("choice", values=[1, 2, 6]), 3.0, None),
        (PriorConfig("fixed", value=7.0), 7.0, 0.0),
    ],
)
def test_priors_have_the_moments_of_their_distribution(
    prior: PriorConfig, mean: float, sd: float | None
) -> None:
    draws = np.asarray(build_prior(prior, "x").sample(jax.random.key(0), (200_000,), np.float64))
    low, high = build_prior(prior, "x").support()
    assert low <= draws.min()
    assert draws.max() <= high
    # Six standard errors of a mean over 200,000 draws of a spread of at most about 2.2.
    assert abs(draws.mean() - mean) < 0.03
    if sd is not None:
        assert abs(draws.std() - sd) < 0.03


def test_float32_draws_are_float32() -> None:
    portfolios = draw(shipped("independent_division").scenario, 3, dtype=np.float32)
    kinds = {a.dtype for a in jax.tree.leaves(portfolios) if np.issubdtype(a.dtype, np.floating)}
    assert kinds == {np.dtype(np.float32)}


def test_lifecycle_stages_come_in_order() -> None:
    config = shipped("staged", "scenario.curves.lifecycle.parameters.start.sigma=2.0").scenario
    starts = np.asarray(draw(config, 30).curves.start)
    assert np.all(np.diff(starts, axis=-1) >= 0)


BAD = {
    "scenario.projects": lambda c: setattr(c, "projects", 0),
    "scenario.curves is empty": lambda c: c.curves.clear(),
    "unknown family": lambda c: c.curves.update(parabola=FamilyConfig()),
    "scenario.curves.log.share": lambda c: setattr(c.curves["log"], "share", 0.0),
    "scenario.curves.log.parameters.scale": lambda c: c.curves["log"].parameters.pop("scale"),
    "scenario.curves.log.parameters.half": lambda c: c.curves["log"].parameters.update(half=fixed(1.0)),
    "rate can draw -1": lambda c: c.curves["log"].parameters.update(rate=fixed(-1.0)),
    "rate can draw 0": lambda c: c.curves["log"].parameters.update(rate=fixed(0.0)),
    "rate.value": lambda c: c.curves["log"].parameters.update(rate=fixed("fast")),
    "rate.value is nan": lambda c: c.curves["log"].parameters.update(rate=fixed(float("nan"))),
    "rate has 2 numbers": lambda c: c.curves["log"].parameters.update(rate=fixed([1.0, 2.0])),
    "rate.dist": lambda c: c.curves["log"].parameters.update(rate=PriorConfig("cauchy")),
    "rate.high is missing": lambda c: c.curves["log"].parameters.update(rate=PriorConfig("uniform", low=1)),
    "rate.value is not a parameter": lambda c: c.curves["log"].parameters.update(
        rate=PriorConfig("uniform", low=1, high=2, value=1)
    ),
    "rate.low is 3": lambda c: c.curves["log"].parameters.update(rate=PriorConfig("uniform", low=3, high=2)),
    "rate.sigma": lambda c: c.curves["log"].parameters.update(
        rate=PriorConfig("lognormal", median=3, sigma=-1)
    ),
    "scenario.names": lambda c: setattr(c, "names", ["a"]),
    "scenario.cuts": lambda c: setattr(c, "cuts", [0.9, 0.5]),
    "scenario.success can draw": lambda c: setattr(c, "success", PriorConfig("uniform", low=0, high=2)),
    "scenario.weight can draw": lambda c: setattr(c, "weight", PriorConfig("normal", mean=1, sd=1)),
    "scenario.cost can draw": lambda c: setattr(c, "cost", PriorConfig("lognormal", median=1, sigma=1)),
    "scenario.lower can draw 5": lambda c: (setattr(c, "lower", fixed(5)), setattr(c, "upper", fixed(2))),
    "scenario.skew": lambda c: setattr(c, "skew", float("inf")),
}


@pytest.mark.parametrize("message", BAD)
def test_what_cannot_be_is_one_line_that_names_the_key(message: str) -> None:
    config = family("log", scale=fixed(1.0), rate=fixed(1.0))
    BAD[message](config)
    with pytest.raises(ValueError, match=message.replace(".", r"\.")) as error:
        build_scenario(config)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("exponent", "scale"), [(0.0, 1.0), (1.0, 1.0), (1.5, 1.0), (-0.5, 1.0), (0.5, -1.0)]
)
def test_a_power_prior_must_rise_and_flatten(exponent: float, scale: float) -> None:
    config = family("power", scale=fixed(scale), exponent=fixed(exponent), shift=fixed(1.0))
    with pytest.raises(ValueError, match="exponent"):
        build_scenario(config)
