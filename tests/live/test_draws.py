"""The live page of draws: the numbers of engine.bet, bands as NumPy has them, one compilation."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jax
import numpy as np
import pytest

import engine
from engine.bets.uncertain import Uncertain, outcomes
from engine.files.draws import Draws, write_draws
from engine.files.portfolios import portfolio_path
from engine.live.draws import BAND, LiveDraws, Stance, draw_scenario, live_of, shown_scenarios
from engine.live.model import SAMPLES, Live, read_upload
from engine.live.panels import points_of, view_of
from engine.live.service import Origin, Service
from engine.model.keys import portfolio_key
from engine.simulation.catalogue import shipped_scenario
from engine.simulation.point import draw
from engine.simulation.scenarios import build_scenario

SHIPPED = portfolio_path("uncertain")
RANDOM = np.random.default_rng(3)
# A steady project and one that may fail, in draws that are concave: one start, and quick to compile.
SHAPE = (40, 3)
CONCAVE = Uncertain(
    engine.Portfolio(
        engine.Exponential(
            np.array([5.0, 7.0, 12.0]) * (RANDOM.random(SHAPE) < [1.0, 0.8, 0.5]) + 0.1,
            0.2 * np.exp(0.3 * RANDOM.standard_normal(SHAPE)),
        )
    ),
    cost=np.array([1.0, 2.0, 1.0]),
    upper=np.array([30.0, 30.0, 12.0]),
    names=("steady", "<b>likely</b>", "a toss"),
)


@pytest.fixture(scope="module")
def concave() -> LiveDraws:
    return LiveDraws(CONCAVE, 20.0)


def test_the_band_is_that_of_numpy(concave: LiveDraws) -> None:
    fan = concave.answer(Stance(20.0, 0.5))
    scale, rate = (np.asarray(part) for part in (CONCAVE.draws.curves.scale, CONCAVE.draws.curves.rate))

    def spread(effort: np.ndarray) -> tuple[np.ndarray, ...]:
        """Of efforts [projects, samples]."""
        returns = scale[..., None] * -np.expm1(-rate[..., None] * effort)
        return returns.mean(0), *np.quantile(returns, BAND, axis=0)

    assert fan.effort.shape == (3, SAMPLES)
    for found, expected in zip(fan.curves, spread(fan.effort), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
    for found, expected in zip(fan.here, spread(fan.bet.effort[:, None]), strict=True):
        np.testing.assert_allclose(found, expected[:, 0], rtol=1e-12, atol=1e-15)
    assert np.sum(fan.here.mean) == pytest.approx(float(fan.bet.figures["mean"]), rel=1e-12)
    assert np.all(fan.effort[:, -1] >= fan.bet.effort)  # no dot outside its panel


@pytest.mark.parametrize(
    "stance", [Stance(20.0), Stance(20.0, 0.5), Stance(35.0, 1.0), Stance(7.0, 0.8, 0.3)]
)
def test_a_stance_shows_what_bet_gives(concave: LiveDraws, stance: Stance) -> None:
    shown = concave.answer(stance).bet
    numbers = {"aversion": stance.aversion, "tail": stance.tail}
    expected = engine.bet(CONCAVE, stance.budget, objective="mean_cvar", knowledge=False, **numbers)
    for name in ("effort", "value", "bound", "spent"):
        np.testing.assert_array_equal(getattr(shown, name), getattr(expected, name), err_msg=name)
    assert shown.proved
    mix = (1 - stance.aversion) * shown.figures["mean"] + stance.aversion * shown.figures["cvar"]
    assert float(shown.value) == pytest.approx(float(mix), rel=1e-12)


def test_risk_aversion_moves_effort_to_what_is_certain(concave: LiveDraws) -> None:
    bold, careful = (concave.answer(Stance(20.0, aversion)).bet for aversion in (0.0, 1.0))
    assert careful.effort[0] > bold.effort[0] + 2.0
    assert careful.effort[2] < bold.effort[2] - 2.0
    assert bold.figures["mean"] > careful.figures["mean"] + 0.5
    assert careful.figures["cvar"] > bold.figures["cvar"] + 0.5


def test_a_drag_never_compiles(concave: LiveDraws, compilations: list[str]) -> None:
    concave.answer(concave.start)
    compilations.clear()
    state = concave.start
    for number in range(11):
        for key, value in (("aversion", number / 10), ("budget", 4 * number), ("tail", 0.05 + number / 25)):
            state = concave.moved(state, key, value)
        concave.answer(state)
    assert compilations == []


def test_without_a_budget_nothing_is_placed(concave: LiveDraws) -> None:
    fan = concave.answer(concave.moved(concave.start, "budget", 0))
    np.testing.assert_array_equal(fan.bet.effort, np.zeros(3))
    assert float(fan.bet.value) == 0.0


def test_the_end_of_the_budget_moves_and_the_rest_stays(concave: LiveDraws) -> None:
    state = Stance(20.0, 0.7, 0.2)
    again = concave.resized(state, 15.0)
    assert (again.most_budget, again.names) == (15.0, CONCAVE.names)
    assert again.start == Stance(15.0, 0.7, 0.2)
    assert concave.resized(state, 90.0).start == state


NONSENSE: list[tuple[str, Any, str]] = [
    ("budget", -1.0, "budget is -1, expected a number from 0 to 40"),
    ("budget", math.nan, "budget is nan"),
    ("aversion", 1.5, "aversion is 1.5, expected a number from 0 to 1"),
    ("aversion", "all", "aversion is 'all', expected a number from 0 to 1"),
    ("aversion", True, "aversion is True"),
    ("tail", 0.0, "tail is 0, expected a number from 0.05 to 0.5"),
    ("weight", 1.0, "unknown slider 'weight', expected one of budget, aversion, tail"),
]


@pytest.mark.parametrize(("key", "value", "message"), NONSENSE)
def test_nonsense_is_refused(concave: LiveDraws, key: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=r"expected") as error:
        concave.moved(concave.start, key, value)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def many(draws: int, projects: int, exponent: float) -> Uncertain:
    shape = (draws, projects)
    curves = engine.Hill(np.ones(shape), np.ones(shape), np.full(shape, exponent))
    return Uncertain(engine.Portfolio(curves))


TOO_MUCH: dict[str, tuple[Any, dict[str, float], str]] = {
    "projects": (many(2, 41, 1.0), {}, "the draws have 41 projects, expected at most 40"),
    "draws": (many(501, 8, 2.0), {}, "501 draws of 8 projects, expected at most 500 draws of so many"),
    "concave draws": (many(2001, 10, 1.0), {}, "expected at most 2000 draws"),
    "budgets": (CONCAVE, {"budget": 9.0, "most_budget": 8.0}, "budget is 9, expected a number from 0 to 8"),
    "lower limits": (
        dataclasses.replace(CONCAVE, lower=np.array([1.0, 2.0, 3.0])),
        {"budget": 5.0},
        "budget is 5, expected a number from 8",
    ),
    "free projects": (dataclasses.replace(CONCAVE, cost=np.zeros(3)), {}, "has cost 0"),
    "approaches": (
        engine.load_bet(portfolio_path("moonshot")),
        {},
        "shows portfolios and draws of curves, the file holds approaches that may fail",
    ),
    "spill-over": (
        engine.load_bet(portfolio_path("platform")),
        {},
        "the file holds projects that spill over",
    ),
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_what_cannot_be_dragged_is_one_line(what: str) -> None:
    given, budgets, message = TOO_MUCH[what]
    with pytest.raises(ValueError, match=r"expected|engine allocate") as error:
        live_of(given, **budgets)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_success_that_is_drawn_is_shown_too() -> None:
    curves = engine.Exponential(np.array([2.0, 3.0]), np.array([0.3, 0.2]))
    portfolio = engine.Portfolio(curves, success=np.array([1.0, 0.6]), names=("a", "b"))
    assert isinstance(live_of(portfolio, 10.0), Live)
    model = live_of(outcomes(portfolio, 30, 1), 10.0)
    assert isinstance(model, LiveDraws)
    here = model.answer(model.start).here
    np.testing.assert_allclose([here.low[0], here.high[0]], here.mean[0], rtol=1e-12)  # certain: no band
    assert here.low[1] == 0.0 < here.mean[1] < here.high[1]


def test_the_example_shows_how_effort_leaves_a_bold_project() -> None:
    given = engine.load_bet(SHIPPED)
    assert isinstance(given, Uncertain)
    assert (given.count, len(given.names), given.concave) == (12, 4, False)
    model = LiveDraws(given, 40.0)
    bold, careful = (model.answer(Stance(40.0, aversion)) for aversion in (0.0, 1.0))
    bolder = given.names.index("visual search")
    assert careful.bet.effort[bolder] < 0.5 * bold.bet.effort[bolder]
    widths = (bold.curves.high - bold.curves.low)[:, -1] / bold.curves.mean[:, -1]
    assert np.argmax(widths) == bolder
    exact = engine.bet(given, 40.0)  # whole units
    assert float(bold.bet.value) >= float(exact.value)
    assert float(bold.bet.gap) < 1e-3


TABLE = "project,draw,family,scale,rate\na,1,log,2,0.5\na,2,log,3,0.5\nb,1,log,1,0.1\nb,2,log,2,0.2\n"


def test_an_upload_may_hold_draws(tmp_path: Path) -> None:
    given, notes = read_upload("mine.csv", TABLE.encode())
    assert isinstance(given, Uncertain)
    assert (given.names, given.count, notes) == (("a", "b"), 2, [])
    numbers = {"scale": np.full((3, 2), 2.0), "rate": np.ones((3, 2)), "baseline": np.zeros((3, 2))}
    path = tmp_path / "draws.parquet"
    write_draws(path, ("c", "d"), Draws(np.zeros((3, 2), np.int32), {"log": numbers}))
    fitted, _ = read_upload("draws.parquet", path.read_bytes())
    assert isinstance(fitted, Uncertain)
    assert (fitted.names, fitted.count) == (("c", "d"), 3)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("d.csv", TABLE.replace("b,2", "b,3").encode(), "d.csv: a has 2 draws of 3, no draw 3, expected"),
        ("d.csv", TABLE.replace("log,3", "log,-3").encode(), "d.csv: a/2: scale is -3"),
        ("draws.parquet", b"PAR1", "draws.parquet: "),
        ("d.yaml", b"projects: {a: {draws: 3}}", "d.yaml: a: draws is no list of curves"),
    ],
)
def test_a_nonsense_upload_is_one_line(name: str, content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=r".") as error:
        read_upload(name, content)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def served(live: LiveDraws) -> Service:
    return Service(Origin("uncertain.csv", live), shipped_scenario("s_shaped"))


def test_the_page_has_two_sliders_of_risk_and_a_band_a_project(concave: LiveDraws) -> None:
    found = served(concave).open("")
    sliders, parts = found["places"]["sliders"], found["parts"]
    assert re.findall(r'data-key="(\w+)" name="\w+" min="(.*?)" max="(.*?)" .*? value="(.*?)"', sliders) == [
        ("aversion", "0.0", "1.0", "0.0"),
        ("tail", "0.05", "0.5", "0.1"),
    ]
    assert 'value="20.0"' in found["places"]["budget-line"]
    fan = concave.answer(concave.start)
    for place in range(3):
        mean, low, high = (part[place] for part in fan.curves)
        view = view_of(fan.effort[place], low, np.maximum(high, mean))
        assert " ".join(points_of(view, fan.effort[place], mean)) in parts[f"curve-{place}"]
        band = [*points_of(view, fan.effort[place], low), *reversed(points_of(view, fan.effort[place], high))]
        assert f'points="{" ".join(band)}"' in parts[f"curve-{place}"]
    for name in ("mean", "cvar"):
        assert f'data-name="{name}" data-number="{float(fan.bet.figures[name])!r}"' in parts["numbers"]
    assert f'data-name="gap" data-number="{float(fan.bet.gap)!r}"' in parts["numbers"]
    assert "80 % of draws lie from" in found["said"]["panel-1"]
    for part in (parts["table"], parts["bars"], parts["curve-1"], found["places"]["charts"]):
        assert "&lt;b&gt;likely" in part  # names are text
        assert "<b>likely" not in part


def test_a_slider_that_moves_is_answered_and_nonsense_is_told(concave: LiveDraws) -> None:
    service = served(concave)
    bold, careful = (service.answer(f"budget=20&aversion={aversion}") for aversion in (0, 1))
    assert bold["parts"]["numbers"] != careful["parts"]["numbers"]
    assert 'data-aversion="1.0"' in careful["parts"]["numbers"]
    effort = concave.answer(Stance(20.0, 1.0)).bet.effort
    assert f'data-effort="{" ".join(f"{e:.12g}" for e in effort)}"' in careful["parts"]["numbers"]
    for query, message in (
        ("aversion=7", "aversion is 7, expected a number from 0 to 1"),
        ("tail=0.9", "tail is 0.9, expected a number from 0.05 to 0.5"),
        ("weight.0=1", "unknown slider 'weight', expected one of budget, aversion, tail"),
    ):
        with pytest.raises(ValueError, match=message):
            service.answer(query)


def test_draws_are_saved_and_read_again(concave: LiveDraws, tmp_path: Path) -> None:
    service = served(concave)
    query = "budget=25&aversion=0.5&tail=0.2"
    saved = tmp_path / "draws.csv"
    saved.write_text(service.export("draws.csv", query).content, encoding="utf-8")
    again = engine.load_bet(saved)
    assert isinstance(again, Uncertain)
    assert (again.names, again.count) == (CONCAVE.names, CONCAVE.count)
    np.testing.assert_array_equal(again.upper, CONCAVE.upper)
    expected = engine.bet(again, 25.0, objective="mean_cvar", aversion=0.5, tail=0.2)
    stated = json.loads(service.export("allocation.json", query).content)
    assert stated == {**expected.to_dict(), "warnings": []}
    np.testing.assert_array_equal(
        list(stated["effort"].values()), concave.answer(Stance(25.0, 0.5, 0.2)).bet.effort
    )
    figure = service.export("figure.svg", query).content
    assert ElementTree.fromstring(figure).tag.endswith("svg")
    assert figure.count("<polygon") == 3


def test_a_scenario_with_an_uncertainty_is_drawn_with_its_draws() -> None:
    config = shipped_scenario("many_bets")
    drawn = draw_scenario(config, 3)
    assert isinstance(drawn, engine.Uncertain)
    assert drawn.count == 64
    with jax.enable_x64(True):  # as a study draws it
        studied = draw(build_scenario(config), portfolio_key(3, 0), 4, 100.0, np.float64)
    for mine, theirs in zip(jax.tree.leaves(drawn), jax.tree.leaves(studied.bet), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert "many_bets" in shown_scenarios()
    assert not {"rules", "platform", "moonshot"} & set(shown_scenarios())
    plain = draw_scenario(shipped_scenario("staged"), 3)
    assert isinstance(plain, engine.Portfolio)
