"""The report of a study: one file, with nothing from elsewhere, in a real browser where there is one."""

from __future__ import annotations

import base64
import csv
import html
import re
import shutil
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from engine.figures.study_gallery import bar_of
from engine.report.findings import findings
from engine.simulation.summaries import Summary, summarise
from engine.study.results import Found
from engine.study.study import open_study
from tests.cli.conftest import ENGINE, Done, run_here

CHROMIUM = shutil.which("chromium")
QUESTION = "Is <b>greedy</b> & co. enough?"


def engine(folder: Path, *arguments: str) -> Done:
    return run_here(arguments, folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished sweep in study/ and a run in run/, each with its report."""
    folder = tmp_path_factory.mktemp("reports")
    solvers = "solver=[greedy,density,exact]"
    commands = [
        [
            *("sweep", "scenario=staged", solvers, "run.portfolios=40", "run.block=20", "run.output=study"),
            *(
                "sweep.grid.budget=[20,40,60]",
                "sweep.grid.scenario.skew=[0.0,1.0]",
                f"sweep.question={QUESTION!r}",
            ),
        ],
        [
            "run",
            "scenario=staged",
            "budget=40",
            solvers,
            "run.portfolios=40",
            "run.block=40",
            "run.output=run",
        ],
        ["report", "study=study"],
        ["report", "study=run", "question=What of the run?"],
    ]
    for command in commands:
        done = engine(folder, *command)
        assert done.returncode == 0, done.stderr
    return folder


class Page(HTMLParser):
    """The texts, links and images of a page, and whether its elements are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.sources += [value or "" for name, value in attributes if name in ("src", "href")]
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.slow
@pytest.mark.parametrize("name", ["study", "run"])
def test_a_report_is_one_file_and_small(folder: Path, name: str) -> None:
    text = (folder / name / "report.html").read_text()
    page = Page(text)
    assert page.open == []
    assert len(page.sources) >= 4
    kinds = [source.split(";")[0] for source in page.sources]
    assert kinds == ["data:image/svg+xml", "data:text/csv"] * (len(kinds) // 2)
    assert not re.search(r"https?://", re.sub(r"data:[^\"]*", "", text))
    assert len(text) < 10_000_000


@pytest.mark.slow
def test_a_report_says_what_was_asked_and_found(folder: Path) -> None:
    text = (folder / "study" / "report.html").read_text()
    assert html.escape(QUESTION) in text
    assert "<b>greedy</b>" not in text
    for name in ("frontier_exact", "loss_greedy", "loss", "time", "curves", "gains", "shares", "returns"):
        assert f'<figure id="{name}">' in text
    assert "6 points of 40 portfolios, seed 0." in text
    assert "exact proves all of its answers optimal." in text
    assert "Density: jump by jump" in text
    assert "Relaxation:" not in text
    assert text.index('id="findings"') < text.index('id="figures"')
    assert text.count("<tr>") == 1 + 3 + 1 + 18  # solvers; points and solvers
    assert "What of the run?" in (folder / "run" / "report.html").read_text()


@pytest.mark.slow
def test_every_figure_has_its_numbers_behind_a_link(folder: Path) -> None:
    text = (folder / "study" / "report.html").read_text()
    link = r'href="data:text/csv;base64,([^"]+)" download="(\w+)\.csv">Data \(CSV, ([\d,]+) rows'
    tables = {}
    for content, name, rows in re.findall(link, text):
        table = list(csv.DictReader(base64.b64decode(content).decode().splitlines()))
        assert len(table) == int(rows.replace(",", ""))
        tables[name] = table
    assert set(tables) == set(re.findall(r'<figure id="(\w+)">', text))
    found = {(f.settings["budget"], f.settings["scenario.skew"]): f for f in engine_study(folder, "frontier")}
    assert len(tables["frontier_exact"]) == len(found) == 6
    for row in tables["frontier_exact"]:
        one = found[float(row["budget"]), float(row["scenario.skew"])]
        assert float(row["mean"]) == pytest.approx(float(one.summary.mean), rel=1e-11)
    drawn = [row for row in tables["curves"] if row["drawn"] == "exact"]
    assert len(drawn) == 8


def engine_study(folder: Path, metric: str) -> list[Any]:
    found = open_study(folder / "study").found
    return [f for f in found if f.solver == "exact" and f.metric == metric]


@pytest.mark.slow
def test_standard_errors_are_drawn_on_demand(folder: Path) -> None:
    done = engine(folder, "figures", "study=study", "metric=frontier", "errors=true", "output=errors")
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in (folder / "errors").iterdir())
    assert [name for name in names if name.endswith("png")] == [
        "frontier_exact.png",
        "frontier_exact_error.png",
    ]


def found(solver: str, metric: str, numbers: list[float], point: int = 0) -> Found:
    summary = summarise(jnp.asarray(numbers), jnp.ones(len(numbers), bool))
    summary = Summary(*(np.asarray(part, float) for part in summary))
    return Found(point, {"budget": 10.0 * (point + 1)}, solver, metric, summary, 0)


def test_findings_are_sentences_for_one_solver_and_for_five() -> None:
    one = [
        found("exact", "loss", [0.0]),
        found("exact", "proved", [1.0]),
        found("exact", "frontier", [1.0, 0.0]),
    ]
    assert findings(one) == [
        "exact proves all of its answers optimal.",
        "exact has a project at the frontier in 50.0 % of portfolios.",
    ]
    names = ("greedy", "density", "relaxation", "bound", "exact")
    lost = {"greedy": [0.5, 0.1], "relaxation": [0.02, 0.0]}
    five = [
        found(solver, metric, numbers, point)
        for point in (0, 1)
        for solver in names
        for metric, numbers in (
            ("loss", [share / (point + 1) for share in lost.get(solver, [0.0, -1e-16])]),
            ("proved", [float(solver in ("exact", "density"))]),
            ("frontier", [0.0, 0.0]),
        )
    ]
    where = "of the proved optimum on average, most at budget 10, and"
    assert findings(five) == [
        f"greedy misses 15.00 % to 30.00 % {where} 50.0 % at worst.",
        f"relaxation misses 0.50 % to 1.00 % {where} 2.0 % at worst.",
        "density and bound miss nothing of the proved optimum in any portfolio.",
        "density and exact prove all of their answers optimal.",
        "greedy, relaxation and bound prove none of their answers optimal.",
        "At none of 2 points most portfolios have a project at the frontier, by exact.",
    ]


def test_bars_of_chances_are_never_below_none() -> None:
    for numbers in ([0.0] * 20, [1.0] * 20, [0.0] * 19 + [1.0]):
        below, above = bar_of(found("exact", "frontier", numbers).summary, "frontier")
        mean = float(np.mean(numbers))
        assert 0 <= mean - below <= mean + above <= 1 + 1e-12
        assert below + above > 0.1
    below, _ = bar_of(found("greedy", "loss", [0.0, 0.0, 0.9]).summary, "loss")
    assert below == pytest.approx(0.3)


@pytest.mark.slow
def test_the_worst_are_replayed_by_the_commands_shown(folder: Path) -> None:
    text = (folder / "study" / "report.html").read_text()
    worst = text[text.index('id="worst"') : text.index('id="slowest"')]
    stated = re.findall(r"greedy misses ([\d.]+) %.*?<code>engine (.*?)</code>", worst)
    assert len(stated) == 5
    share, command = stated[0]
    done = engine(folder, *html.unescape(command).split())
    assert done.returncode == 0, done.stderr
    missed = re.search(
        r"greedy: 20 of 20 solved; portfolio \d+ misses most, ([\d.]+)% of the proved optimum", done.stdout
    )
    assert missed is not None
    assert float(missed[1]) == pytest.approx(float(share), abs=0.06)


@pytest.mark.slow
def test_the_command_shown_is_the_study_again(folder: Path) -> None:
    text = (folder / "study" / "report.html").read_text()
    match = re.search(r"<p>Computed by</p><pre>engine sweep (.*?)</pre>", text)
    assert match is not None
    command = f"{ENGINE} sweep {html.unescape(match[1])} run.output=study"
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "12 blocks there already" in done.stderr


@pytest.mark.slow
def test_figures_are_written_for_every_kind_of_folder(folder: Path) -> None:
    done = engine(
        folder, "figures", "study=study", "x=scenario.skew", "metric=gap", "by=greedy", "output=gap"
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (folder / "gap").iterdir()) == ["gap_greedy.png", "gap_greedy.svg"]
    done = engine(folder, "figures", "portfolio=textbook", "budget=50", "formats=[pdf]", "output=textbook")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (folder / "textbook").iterdir()) == [
        *("curves.pdf", "gains.pdf", "returns.pdf", "shares.pdf"),
    ]


@pytest.mark.slow
def test_what_the_exact_solver_cannot_show_is_left_out(folder: Path) -> None:
    large = ("budget=2000000", "solver=waterfilling", "run.portfolios=8", "run.block=8", "run.output=large")
    for command in (("run", "scenario=textbook", *large), ("report", "study=large")):
        done = engine(folder, *command)
        assert done.returncode == 0, done.stderr
    text = (folder / "large" / "report.html").read_text()
    assert '<figure id="time">' in text
    assert '<figure id="curves">' not in text


BAD = {
    ("figures", "study=study", "x=skew"): "x is 'skew', expected one of budget, scenario.skew",
    ("figures", "study=study", "metric=joy"): "metric is 'joy', expected one of value",
    ("figures", "study=study", "by=magic"): "by is 'magic', expected one of greedy, density, exact",
    ("figures", "study=nowhere"): "study nowhere: expected the folder of a sweep, a run or a fit",
    ("figures",): "neither of study and portfolio given, expected one of them",
    ("figures", "portfolio=textbook"): "budget is missing",
    ("figures", "study=study", "formats=[gif]"): "formats has 'gif', expected some of png, svg, pdf",
    ("report", "study=nowhere"): "nowhere: no study",
}


@pytest.mark.slow
@pytest.mark.parametrize("arguments", BAD, ids=lambda a: " ".join(a))
def test_what_is_wrong_is_one_line(folder: Path, arguments: tuple[str, ...]) -> None:
    done = engine(folder, *arguments)
    assert done.returncode == 2
    assert BAD[arguments] in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("there is no chromium")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ["study", "run"])
def test_a_browser_shows_it_without_a_network(folder: Path, browser: Any, name: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 844})
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((folder / name / "report.html").as_uri())
    assert troubles == []
    assert [url for url in asked if not url.startswith("data:")] == [(folder / name / "report.html").as_uri()]
    images = page.locator("img")
    assert images.count() >= 4
    assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 300)")
    # Nothing but figures, tables and commands scrolls sideways.
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if name == "study":
        page.locator("summary").first.click()
        assert page.locator("details table").first.is_visible()
        assert page.locator("details table tbody tr").count() == 18


@pytest.mark.browser
def test_paper_has_the_whole_report(folder: Path, browser: Any, tmp_path: Path) -> None:
    page = browser.new_page()
    page.goto((folder / "study" / "report.html").as_uri())
    page.pdf(path=str(tmp_path / "report.pdf"), format="A4")
    data = (tmp_path / "report.pdf").read_bytes()
    assert data.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", data)) <= 12
    assert page.evaluate("[...document.querySelectorAll('details')].every(d => d.open)")
