"""What the page is given: words and drawings, files that load again, addresses that cannot be."""

from __future__ import annotations

import json
import re
import time
from html import unescape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jax
import numpy as np
import pytest

import engine
from engine.figures.looks import solver_look
from engine.figures.palette import DARK
from engine.live.model import Live, draw_portfolio
from engine.live.panels import COLOURS, colours_css, labels
from engine.live.service import Origin, Service, digest_of
from engine.simulation.catalogue import shipped_scenario

CURVES = engine.Exponential(np.array([3.0, 2.0]), np.array([0.2, 0.1]))
TWO = engine.Portfolio(CURVES, names=("search", "<img src=x>"))
CSV = "project,family,scale,rate\nsearch,exponential,3,0.2\nads,exponential,2,0.1\n"


@pytest.fixture(scope="module")
def service() -> Service:
    config = shipped_scenario("s_shaped")
    return Service(Origin("s_shaped", Live(draw_portfolio(config, 0), config.budget), config), config)


@pytest.fixture(scope="module")
def two() -> Service:
    """A server of two projects, that compiles for them whatever was compiled before in this process."""
    jax.clear_caches()
    begin = time.perf_counter()
    live = Live(TWO, 20.0)
    prepared = time.perf_counter() - begin  # as `engine demo` counts it
    return Service(Origin("two.csv", live), shipped_scenario("s_shaped"), prepared=prepared)


def numbers(found: dict[str, Any]) -> dict[str, float]:
    pairs = re.findall(r'data-name="(\w+)" data-number="(.*?)"', found["parts"]["numbers"])
    return {name: float(number) for name, number in pairs}


def test_compilation_is_told_once_and_apart_from_solving(two: Service) -> None:
    first, again = two.open(""), two.open("")
    assert re.search(r">compiled in [\d.]+ s, solved in [\d.]+ m?s<", first["parts"]["numbers"])
    assert re.search(r">solved in [\d.]+ m?s<", again["parts"]["numbers"])
    assert two.answer("budget=7")["parts"]["numbers"].count("compiled") == 0


def test_what_is_shown_is_said_in_words(service: Service) -> None:
    found = service.answer("")
    live: Any = service.origin.live
    picture = live.answer(live.start)
    for place, name in enumerate(live.names):
        said = found["said"][f"panel-{place}"]
        assert said.startswith(f"{name}: {picture.exact.effort[place]:g} units of effort return ")
        assert said.endswith(f"greedy puts {picture.greedy.effort[place]:g}")
        at = "frontier (last stage)" if picture.exact_frontier[place] else "stage %d of 4"
        assert (at if "%" not in at else at % (picture.exact_stage[place] + 1)) in said
        assert "effort (units)" in found["parts"][f"curve-{place}"]
        assert ">return<" in found["parts"][f"curve-{place}"]
    assert found["sentence"].startswith(f"budget {live.budget:g}: exact returns ")


def test_every_control_has_a_name(service: Service, two: Service) -> None:
    for each in (service, two):
        for html in each.open("")["places"].values():
            for control in re.findall(r"<(?:input|select|button)[^>]*>", html):
                assert re.search(r'aria-label="[^"]+"', control), control
    sliders = service.open("")["places"]["sliders"]
    for words in (
        "weight of project 0",
        "start-up cost (units) of project 7",
        "utility flattens of project 3",
    ):
        assert f'aria-label="{words}"' in sliders
    assert "(1 − e^(−r p))/r" in sliders
    assert "curvature" not in re.sub(r"curvature r of|data-key=\S+|name=\S+", "", sliders)


def test_solvers_look_as_they_do_elsewhere(service: Service) -> None:
    parts = service.answer("")["parts"]
    for solver in ("exact", "greedy"):
        assert COLOURS[solver] == solver_look(solver).colour
        assert f'<span class="sign-{solver}" aria-hidden="true">{solver_look(solver).sign}' in parts["table"]
    assert '<circle class="exact"' in parts["marks-0"]
    assert '<rect class="greedy"' in parts["marks-0"]
    assert f"--exact:{DARK[COLOURS['exact']]}" in colours_css().split("dark")[1]


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["ink", "soft", "exact", "greedy"])
def test_text_can_be_read(name: str, dark: bool) -> None:
    """WCAG 2: 4.5 to 1, in drawings too, which browsers' checkers leave out."""
    pair = (DARK[COLOURS[part]] if dark else COLOURS[part] for part in (name, "paper"))
    least, most = sorted(luminance(colour) for colour in pair)
    assert (most + 0.05) / (least + 0.05) >= 4.5


def test_names_are_text_wherever_they_stand(two: Service) -> None:
    found = two.open("")
    for html in (*found["places"].values(), *found["parts"].values(), two.export("figure.svg", "").content):
        assert "<img" not in html
    assert found["said"]["panel-1"].startswith("<img src=x>: ")  # set as an attribute, not as HTML
    assert labels(["a\x00b\nc", "x" * 30, "x" * 31]) == ["a b c", "1 " + "x" * 18, "2 " + "x" * 18]


DRAGGED = "budget=87&weight.2=3.5&startup.0=4&curvature.5=0.3"


def test_the_portfolio_that_is_saved_gives_the_same_numbers(service: Service, tmp_path: Path) -> None:
    saved = tmp_path / "portfolio.csv"
    saved.write_text(service.export("portfolio.csv", DRAGGED).content, encoding="utf-8")
    shown = numbers(service.answer(DRAGGED))
    again = engine.load_portfolio(saved)
    for solver in ("exact", "greedy"):
        assert float(engine.allocate(again, 87.0, solver).value) == shown[solver]
    stated = json.loads(service.export("allocation.json", DRAGGED).content)
    assert stated == {**engine.allocate(again, 87.0).to_dict(), "warnings": []}
    assert stated["value"] == shown["exact"]


def test_the_figure_that_is_saved_is_one_file_of_all_panels(service: Service) -> None:
    figure = service.export("figure.svg", DRAGGED)
    root = ElementTree.fromstring(figure.content)
    assert root[0].text == "s_shaped: effort by exact (●) and greedy (□)"
    assert figure.content.count('class="curve"') == 8
    assert "http" not in figure.content.replace('xmlns="http://www.w3.org/2000/svg"', "")
    used = set(re.findall(r"var\(--(\w+)\)", figure.content))
    assert used <= set(re.findall(r"--(\w+):", figure.content))


def test_an_address_is_where_the_sliders_stand(service: Service) -> None:
    live: Any = service.origin.live
    state = live.start
    for drag in (("budget", 87.0), ("weight", 3.5, 2), ("startup", 4.0, 0), ("curvature", 0.3, 5)):
        state = live.moved(state, *drag)
    for query in (DRAGGED, f"scenario=s_shaped&seed=0&{DRAGGED}"):
        found = service.open(query)
        assert numbers(found)["exact"] == float(live.answer(state).exact.value)
        assert found["address"] == {"scenario": "s_shaped", "seed": "0"}
    larger = service.open(f"most_budget=400&{DRAGGED}")
    assert 'max="400.0"' in larger["places"]["budget-line"]
    assert numbers(larger)["exact"] == pytest.approx(float(live.answer(state).exact.value), rel=1e-12)


NONSENSE = {
    "budget=1e9": "budget is 1e+09, expected a number from 0 to 300",
    "budget=nan": "budget is nan",
    "weight.3=1e300": "project 3: weight is 1e+300",
    "weight.30=1": "project is 30, expected a number from 0 to 7",
    "aversion=0.5": "unknown slider 'aversion'",
    "most_budget=1e9": "most_budget is 1e+09",
    "most_budget=nan": "most_budget is nan",
    "seed=-7": "seed is -7",
    "scenario=utopia": "unknown scenario 'utopia'",
    "scenario=../../etc/passwd": "unknown scenario",
    "file=0a1b2c3d4e5f": "a file that is not here any more",
}


@pytest.mark.parametrize("query", NONSENSE)
def test_an_address_that_cannot_be_is_one_line(service: Service, query: str) -> None:
    for ask in (service.open, service.answer, lambda asked: service.export("figure.svg", asked)):
        with pytest.raises(ValueError, match=r".") as error:
            ask(query)
        assert NONSENSE[query] in str(error.value)
        assert "\n" not in str(error.value)


def test_a_file_is_known_again_by_what_it_holds(two: Service, tmp_path: Path) -> None:
    found = two.upload("mine.csv", CSV.encode())
    opened = two.open(f"file={found['file']}&budget=9")
    assert (opened["origin"], opened["address"]) == ("mine.csv", found)
    (tmp_path / "same.csv").write_text(CSV)
    assert (
        digest_of(Live(engine.load_portfolio(tmp_path / "same.csv"))) == found["file"]
    )  # the same by `engine demo portfolio=`
    assert two.open("")["address"] == {"file": two.digest}
    for number in range(12):  # and so many files are not kept for ever
        two.upload("more.csv", CSV.replace("3,", f"{4 + number},").encode())
    assert len(two.files) == 8
    assert len(two.models) <= 16
    with pytest.raises(ValueError, match=r"mine\.csv: has no column project"):
        two.upload("mine.csv", b"a,b\n1,2\n")
    assert unescape(two.open("")["origin"]) == "two.csv"
