"""What the page is like in a browser: its order and width, its names, the keyboard, light and dark, its
address, and what it saves."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

import engine
from tests.live.browser import ENGINE, SET, WAIT, Serve, Tab, Visit, drawn, needs_axe, needs_browser

pytestmark = [pytest.mark.browser, needs_browser]

DRAWS = "project,draw,family,scale,rate\na,1,log,2,0.5\na,2,log,3,0.5\nb,1,log,1,0.1\nb,2,log,2,0.2\n"
# Elements by which controls can be reached.
REACHABLE = "input, select, button, summary, [tabindex='0']"


# Moves the budget, and gives what is said at the moment at which its numbers are shown.
SPOKEN = (
    "(budget) => new Promise((done) => { const set = "
    + SET
    + """;
  const watch = new MutationObserver(() => done(document.getElementById('spoken').textContent));
  watch.observe(document.getElementById('numbers'), {childList: true});
  set(['budget', budget]);
})"""
)


def boxes(tab: Tab, selector: str) -> list[dict[str, float]]:
    found: list[dict[str, float]] = tab.page.eval_on_selector_all(
        selector,
        "all => all.map(one => one.getBoundingClientRect()).map(b => ({x: b.x, y: b.y, width: b.width}))",
    )
    return found


def settled(tab: Tab) -> str:
    """The page's address, once it says where the sliders stand."""
    tab.page.wait_for_timeout(700)
    return str(tab.page.evaluate("location.search"))


def test_a_narrow_page_begins_with_numbers_and_a_wide_one_is_filled(serve: Serve, visit: Visit) -> None:
    served = serve("scenario.projects=12")
    narrow = visit(served, width=390)
    order = ["h1", "#numbers", "#budget-line", ".panels", "#table", ".project", "#scenario"]
    places = [boxes(narrow, place)[0]["y"] for place in order]
    assert places == sorted(places)
    assert narrow.page.evaluate("document.scrollingElement.scrollWidth") <= 390
    assert boxes(narrow, ".panels")[0]["y"] < 400
    assert len({box["x"] for box in boxes(narrow, ".panel")}) == 2
    for width, columns in ((1280, 4), (1920, 7)):
        wide = visit(served, width=width)
        panels = boxes(wide, ".panel")
        assert len({box["x"] for box in panels}) == columns
        assert all(170 <= box["width"] <= 260 for box in panels)
        assert max(box["x"] + box["width"] for box in panels) > 0.98 * width
        assert boxes(wide, ".project")[0]["x"] < boxes(wide, ".panels")[0]["x"]
        bars, table = boxes(wide, "#bars")[0], boxes(wide, "#table")[0]
        assert (bars["y"], bars["x"] < table["x"]) == (table["y"], True)


@needs_axe
@pytest.mark.parametrize("what", ["portfolio", "draws"])
def test_nobody_is_shut_out(serve: Serve, visit: Visit, tmp_path: Path, what: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    (tmp_path / "draws.csv").write_text(DRAWS)
    served = serve("portfolio=draws.csv", "budget=12") if what == "draws" else serve("scenario=staged")
    for width in (390, 1440):
        for scheme in ("light", "dark"):
            tab = visit(served, width=width, scheme=scheme)
            tab.page.locator("summary").click()
            found = Axe().run(tab.page).response
            print(
                f"\naxe of {what} at {width} px, {scheme}: {len(found['violations'])} violations, "
                f"{len(found['passes'])} rules passed"
            )
            # It cannot tell how text in drawings contrasts, nor some text that wraps: test_service.py can.
            assert {one["id"] for one in found["incomplete"]} <= {"color-contrast"}
            told = [(one["id"], [node["html"] for node in one["nodes"]]) for one in found["violations"]]
            assert told == []
            assert "color-contrast" in [one["id"] for one in found["passes"]]
            paper = tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert paper == ("rgb(22, 25, 29)" if scheme == "dark" else "rgb(255, 255, 255)")


def test_all_of_it_is_reached_and_moved_by_keyboard(serve: Serve, visit: Visit) -> None:
    tab = visit(serve("scenario=textbook"))
    count = tab.page.locator(REACHABLE).count()
    reached = []
    for _ in range(count):
        tab.page.keyboard.press("Tab")
        reached.append(
            tab.page.evaluate(
                f"[...document.querySelectorAll(`{REACHABLE}`)].indexOf(document.activeElement)"
            )
        )
    assert reached == list(range(count))  # each once, in the order in which they stand
    for key, number in (
        ("Home", 0.0),
        ("PageUp", 10.0),
        ("ArrowUp", 11.0),
        ("ArrowLeft", 10.0),
        ("End", 200.0),
    ):
        tab.page.locator("#budget").press(key)
        tab.shown(number)
        assert tab.page.get_attribute("#budget", "aria-valuetext") == f"{number:g}"


def test_what_moves_is_said_when_it_rests(serve: Serve, visit: Visit) -> None:
    tab = visit(serve("scenario=staged"))
    settled(tab)
    before = tab.page.locator("#spoken").inner_text()
    labels = "all => all.map(one => one.getAttribute('aria-label'))"
    panels = tab.page.eval_on_selector_all(".panel", labels)
    assert tab.page.evaluate(SPOKEN, 150) == before  # not yet
    assert tab.page.eval_on_selector_all(".panel", labels) != panels
    tab.page.locator("#spoken", has_text="budget 150: exact returns").wait_for(timeout=WAIT, state="attached")
    assert tab.page.get_attribute("#spoken", "aria-live") == "polite"


def test_the_address_keeps_where_the_sliders_stand(serve: Serve, visit: Visit, tmp_path: Path) -> None:
    served = serve("seed=1")
    tab = visit(served)
    tab.page.get_by_label("scenario").select_option("staged")
    tab.page.locator(".origin", has_text="staged").wait_for(timeout=WAIT)
    tab.page.evaluate(SET, ["budget", 90])
    tab.page.evaluate(SET, ["weight.1", 2.4])
    query = settled(tab)
    assert query == "?scenario=staged&seed=1&budget=90&weight.1=2.4"
    numbers, efforts = tab.shown(90.0), tab.effort()
    tab.page.reload()
    other = visit(served, query)
    for each in (tab, other):
        shown = each.shown(90.0)
        assert {**shown, "milliseconds": 0} == {**numbers, "milliseconds": 0}
        assert each.effort() == efforts
        assert each.page.input_value("[name='weight.1']") == "2.4"
        assert each.page.input_value("#scenario") == "staged"
    tab.page.evaluate(SET, ["most_budget", "400"])
    tab.page.wait_for_selector("#budget[max='400.0']", timeout=WAIT)
    assert settled(tab) == query + "&most_budget=400"
    assert tab.shown(90.0)["exact"] == numbers["exact"]
    tab.page.get_by_role("button", name="back to the start").click()
    tab.page.wait_for_selector("#budget:not([max='400.0'])", timeout=WAIT)
    assert settled(tab) == "?scenario=staged&seed=1"


def test_an_address_that_cannot_be_is_one_line_and_the_start(serve: Serve, visit: Visit) -> None:
    served, model = serve(), drawn("s_shaped")
    for query, message in (
        ("?budget=1e9", "budget is 1e+09, expected a number from 0 to 300"),
        ("?scenario=%3Cimg%20src=x%3E", "unknown scenario '<img src=x>'"),
        ("?file=0a1b2c3d4e5f&budget=7", "a file that is not here any more"),
        ("?" + "&".join(f"weight.{n}=1" for n in range(200)), "expected at most 160"),
    ):
        tab = visit(served, query)
        assert message in tab.wrong()
        tab.agrees(model.portfolio_of(model.start), 120.0)
        assert settled(tab) == "?scenario=s_shaped&seed=0"
        assert tab.page.locator("#message > *").count() == 1
        tab.page.locator("#budget").press("ArrowRight")
        tab.agrees(model.portfolio_of(model.start), 121.0)
        assert tab.page.locator("#message > *").count() == 0
        assert tab.strangers == []
    assert not any("Traceback" in line for line in served.lines)


def test_a_files_address_waits_for_the_file(serve: Serve, visit: Visit, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("project,family,scale,rate\nsearch,log,2,0.5\nads,log,1,0.1\n")
    first = serve(f"portfolio={path}", "budget=20")
    tab = visit(first)
    tab.page.evaluate(SET, ["budget", 12])
    query = settled(tab)
    assert query.startswith("?file=")
    expected = engine.allocate(engine.load_portfolio(path), 12.0)
    second = serve("scenario=nascent")  # another day, without the file
    tab = visit(second, query)
    assert "a file that is not here any more" in tab.wrong()
    tab.page.locator("#file").set_input_files(str(path))
    assert tab.shown(12.0)["exact"] == float(expected.value)
    assert settled(tab) == query
    assert first.end() == 0
    third = serve(f"portfolio={path}", "budget=20")
    assert visit(third, query).shown(12.0)["exact"] == float(expected.value)


def saved(tab: Tab, button: str, folder: Path) -> Path:
    with tab.page.expect_download(timeout=WAIT) as waiting:
        tab.page.get_by_role("button", name=button).click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def test_what_is_saved_is_what_is_shown(serve: Serve, visit: Visit, tmp_path: Path) -> None:
    tab = visit(serve("scenario=staged"))
    tab.page.evaluate(SET, ["weight.1", 2.4])
    tab.page.evaluate(SET, ["budget", 90])
    numbers = tab.shown(90.0)
    table = saved(tab, "portfolio (CSV)", tmp_path)
    assert table.name == "portfolio.csv"
    command = [ENGINE, "allocate", f"portfolio={table}", "budget=90", "format=json"]
    printed: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert json.loads(saved(tab, "allocation (JSON)", tmp_path).read_text()) == printed
    assert printed["value"] == numbers["exact"]
    assert list(printed["effort"].values()) == tab.effort()
    figure = saved(tab, "figure (SVG)", tmp_path).read_text()
    assert figure.count('class="curve"') == len(engine.load_portfolio(table).names)
    assert tab.strangers == []
