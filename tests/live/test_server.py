"""The live page as its user has it: the real command, in a real browser that cannot reach any other host."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine
from engine.cli.compose import register_schemas
from engine.files.extras import how_to_install
from engine.live.model import Live, draw_portfolio
from engine.simulation.catalogue import shipped_scenario

register_schemas()
ENGINE = str(Path(sys.executable).parent / "engine")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MISSING = [name for name in ("bokeh", "playwright") if importlib.util.find_spec(name) is None]
needs_bokeh = pytest.mark.skipif("bokeh" in MISSING, reason="bokeh is not installed")
needs_browser = pytest.mark.skipif(bool(MISSING) or CHROMIUM is None, reason="no playwright or no chromium")
WAIT = 60_000.0

# Finds a control by name.
NAMED = "(name) => [...Bokeh.documents[0].roots()[0].references()].find((model) => model.name === name)"
# Finds an element in whichever shadow root it lies.
FIND = """(selector) => {
  const find = (root) => {
    const found = root.querySelector(selector);
    if (found) return found;
    for (const one of root.querySelectorAll('*')) {
      const inner = one.shadowRoot && find(one.shadowRoot);
      if (inner) return inner;
    }
    return null;
  };
  return find(document);
}"""
# Moves the budget one step, by keyboard on its handle, and takes the time until the page shows its numbers,
# and until what they were drawn with has been painted.
TIMED = (
    "async (drags) => { const find = "
    + FIND
    + """;
  const pause = (time) => new Promise((done) => setTimeout(done, time));
  const painted = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const budget = ("""
    + NAMED
    + """)('budget'), times = [];
  for (let drag = 0; drag < drags; drag++) {
    await pause(100);
    const begin = performance.now(), key = drag % 3 ? 'ArrowRight' : 'ArrowLeft';
    find('.noUi-handle').dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
    while (Number(find('.facts').dataset.budget) !== budget.value) await pause(0);
    const shown = performance.now() - begin;
    await painted();
    times.push([shown, performance.now() - begin, budget.value]);
  }
  return times;
}"""
)
QUICK = (
    "(drags) => { const named = "
    + NAMED
    + """, budget = named('budget'), weight = named('weight 1');
  for (let drag = 0; drag < drags; drag++) {
    budget.value = (7 * drag) % 120;
    weight.value = (0.03 * drag) % 3;
  }
  budget.value = 77;
  weight.value = 2.5;
}"""
)
SET = f"([name, value]) => {{ ({NAMED})(name).value = value }}"


class Served:
    """A running `engine demo`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        assert process.stderr is not None
        first = process.stderr.readline()
        match = re.fullmatch(r"engine: live page at (http://127\.0\.0\.1:(\d+)) \(Ctrl-C ends it\)\n", first)
        assert match, first + process.stderr.read()
        self.address, self.port = match[1], int(match[2])
        self.reader = threading.Thread(target=self.lines.extend, args=(process.stderr,), daemon=True)
        self.reader.start()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        code = self.process.wait(60)
        self.reader.join(10)
        return code

    def close(self) -> None:
        self.process.kill()
        self.process.wait(60)
        self.reader.join(10)
        assert self.process.stderr is not None
        self.process.stderr.close()


Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start `engine demo` on a free port."""
    with contextlib.ExitStack() as stack:

        def start(*arguments: str) -> Served:
            process = subprocess.Popen(
                [ENGINE, "demo", "port=0", "open=false", *arguments],
                cwd=tmp_path,
                env={**os.environ, "BOKEH_RESOURCES": "cdn", "BOKEH_ALLOW_WS_ORIGIN": "*"},
                stderr=subprocess.PIPE,
                text=True,
            )
            served = Served(process)
            stack.callback(served.close)
            return served

        yield start


@dataclasses.dataclass
class Tab:
    """The page in a browser."""

    page: Any
    strangers: list[str]

    def shown(self, budget: float | None = None) -> dict[str, float]:
        """The numbers in the page, once they are those of this budget."""
        which = "" if budget is None else f"[data-budget='{budget!r}']"
        self.page.wait_for_selector(f".facts{which}", timeout=WAIT)
        found = self.page.eval_on_selector_all(
            "[data-number]", "all => all.map(one => [one.dataset.name, one.dataset.number])"
        )
        return {name: float(number) for name, number in found}

    def effort(self) -> list[float]:
        return [float(e) for e in self.page.get_attribute(".facts", "data-effort").split()]

    def wrong(self) -> str:
        return str(self.page.locator("[role=alert]").inner_text(timeout=WAIT))

    def agrees(self, portfolio: engine.Portfolio, budget: float) -> None:
        """The page shows what engine.allocate gives."""
        numbers, efforts = self.shown(budget), self.effort()
        exact, greedy = (engine.allocate(portfolio, budget, solver) for solver in ("exact", "greedy"))
        np.testing.assert_array_equal(efforts, exact.effort)
        assert numbers["exact"] == float(exact.value)
        assert numbers["greedy"] == float(greedy.value)
        assert numbers["spent"] == float(exact.spent)
        assert numbers["gap"] == float(exact.gap) == 0.0
        # Searched for on the lattice of the slider's end: another number of steps, other last digits.
        assert numbers["multiplier"] == pytest.approx(float(exact.solution.multiplier), rel=1e-9)
        assert numbers["loss"] == pytest.approx(1.0 - float(greedy.value) / float(exact.value), abs=1e-12)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[[Served], Tab]]:
    """Open the page in a browser that reaches this machine alone."""
    with contextlib.ExitStack() as stack:

        def visit(served: Served) -> Tab:
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            stack.callback(context.close)
            tab = Tab(context.new_page(), [])

            def allow(route: Any) -> None:
                if route.request.url.startswith(served.address + "/"):
                    route.continue_()
                else:
                    tab.strangers.append(route.request.url)
                    route.abort()

            context.route("**/*", allow)
            tab.page.goto(served.address)
            tab.shown()
            return tab

        yield visit


def drawn(name: str, projects: int | None = None) -> Live:
    config = shipped_scenario(name)
    config.projects = projects or config.projects
    return Live(draw_portfolio(config, 0), config.budget)


@pytest.mark.browser
@needs_browser
def test_a_slider_moved_shows_what_the_solver_gives(serve: Serve, visit: Callable[[Served], Tab]) -> None:
    tab, model = visit(serve()), drawn("s_shaped")
    tab.agrees(model.portfolio_of(model.start), 120.0)
    handle = tab.page.locator(".noUi-handle").first
    handle.focus()
    for _ in range(5):
        handle.press("ArrowRight")
    tab.agrees(model.portfolio_of(model.start), 125.0)
    box = tab.page.locator(".noUi-handle").nth(1).bounding_box()  # the first project's weight
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.page.mouse.move(x, y)
    tab.page.mouse.down()
    tab.page.mouse.move(x + 40, y, steps=10)
    tab.page.mouse.up()
    weight = tab.page.evaluate(f"() => ({NAMED})('weight 0').value")
    assert weight > 2.0
    state = model.moved(model.moved(model.start, "budget", 125.0), "weight", weight, 0)
    expected = engine.allocate(model.portfolio_of(state), 125.0)
    tab.page.wait_for_selector(f"[data-name=exact][data-number='{float(expected.value)!r}']", timeout=WAIT)
    tab.agrees(model.portfolio_of(state), 125.0)
    for key, value in (("startup 2", 4.5), ("curvature 5", 0.25)):
        name, project = key.split()
        tab.page.evaluate(SET, [key, value])
        state = model.moved(state, name, value, int(project))
        expected = engine.allocate(model.portfolio_of(state), 125.0)
        tab.page.wait_for_selector(f"[data-number='{float(expected.value)!r}']", timeout=WAIT)
        tab.agrees(model.portfolio_of(state), 125.0)
    assert tab.strangers == []


@pytest.mark.browser
@needs_browser
def test_many_quick_drags_end_at_the_last(serve: Serve, visit: Callable[[Served], Tab]) -> None:
    served = serve("scenario=staged", "log=true")
    tab, model = visit(served), drawn("staged")
    tab.page.evaluate(QUICK, 200)
    state = model.moved(model.moved(model.start, "budget", 77.0), "weight", 2.5, 1)
    expected = engine.allocate(model.portfolio_of(state), 77.0)
    tab.page.wait_for_selector(f"[data-number='{float(expected.value)!r}']", timeout=WAIT)
    tab.page.wait_for_timeout(500)  # nothing comes after it
    tab.agrees(model.portfolio_of(state), 77.0)
    assert served.end(signal.SIGINT) == 0
    answered = [line for line in served.lines if line.startswith("engine: answered in ")]
    print(f"\n400 changes were answered by {len(answered)} answers; {served.lines[-1].strip()}")
    assert 0 < len(answered) <= 401
    assert not any("Traceback" in line for line in served.lines)


CSV = """project,family,scale,rate
search,log,2,0.5
<img src=x onerror=document.title='x'>,log,1,0.1
$$x$$,log,3,1
"""


@pytest.mark.browser
@needs_browser
def test_files_good_and_bad(serve: Serve, visit: Callable[[Served], Tab], tmp_path: Path) -> None:
    tab, model = visit(serve()), drawn("s_shaped")
    file = tab.page.locator("input[type=file]")
    for name, content, message in (
        ("nonsense.csv", b"\x00\xff\x80 nonsense", "nonsense.csv: is not text, expected a table or YAML"),
        ("<b>bold</b>.csv", b"a,b\n1,2\n", "<b>bold</b>.csv: has no column project"),
        ("large.csv", b"a" * 3_000_000, "large.csv: has 3,000,000 bytes, expected at most 200,000"),
        ("large.exe", b"MZ", "large.exe: is neither CSV nor YAML"),
    ):
        file.set_input_files({"name": name, "mimeType": "text/csv", "buffer": content})
        tab.page.locator("[role=alert]", has_text=message[:30]).wait_for(timeout=WAIT)
        assert message in tab.wrong()
    tab.page.evaluate(SET, ["budget", 60])  # the old portfolio is still there, and still moves
    tab.agrees(model.portfolio_of(model.start), 60.0)
    assert tab.page.locator("[role=alert]").count() == 0

    (tmp_path / "mine.csv").write_text(CSV)
    file.set_input_files(str(tmp_path / "mine.csv"))
    tab.page.locator(".origin", has_text="mine.csv").wait_for(timeout=WAIT)
    portfolio = engine.load_portfolio(tmp_path / "mine.csv")
    start = Live(portfolio).start
    tab.agrees(Live(portfolio).portfolio_of(start), start.budget)
    tab.page.evaluate(SET, ["budget", 12])
    tab.agrees(Live(portfolio).portfolio_of(start), 12.0)
    assert tab.page.title() == "engine: live page"  # names are text
    assert tab.page.locator("img, mjx-container").count() == 0
    assert tab.strangers == []


@pytest.mark.browser
@needs_browser
def test_another_scenario_and_another_draw(serve: Serve, visit: Callable[[Served], Tab]) -> None:
    tab = visit(serve("scenario=nascent"))
    tab.page.get_by_label("scenario").select_option("textbook")
    tab.page.locator(".origin", has_text="textbook").wait_for(timeout=WAIT)
    model = drawn("textbook")
    tab.agrees(model.portfolio_of(model.start), 100.0)
    tab.page.get_by_role("button", name="draw another").click()
    config = shipped_scenario("textbook")
    again = Live(draw_portfolio(config, 1), 100.0)
    value = float(engine.allocate(again.portfolio_of(again.start), 100.0).value)
    tab.page.wait_for_selector(f"[data-number='{value!r}']", timeout=WAIT)
    tab.page.evaluate(SET, ["budget", 40])
    tab.agrees(again.portfolio_of(again.start), 40.0)
    tab.page.get_by_role("button", name="back to the start").click()
    tab.agrees(again.portfolio_of(again.start), 100.0)


@pytest.mark.browser
@needs_browser
def test_nonsense_from_the_page_is_one_red_line(serve: Serve, visit: Callable[[Served], Tab]) -> None:
    served = serve()
    tab, model = visit(served), drawn("s_shaped")
    other = visit(served)
    for name, value, message in (
        ("budget", 1e9, "budget is 1e+09, expected a number from 0 to 300"),
        ("budget", -5, "budget is -5"),
        ("weight 3", 1e300, "project 3: weight is 1e+300"),
        ("most_budget", 1e9, "most_budget is 1e+09"),
        ("seed", -7, "seed is -7"),
    ):
        tab.page.evaluate(SET, [name, value])
        tab.page.locator("[role=alert]", has_text=message).wait_for(timeout=WAIT)
    tab.page.evaluate(SET, ["budget", 60])
    tab.agrees(model.portfolio_of(model.start), 60.0)
    other.page.evaluate(SET, ["budget", 61])
    other.agrees(model.portfolio_of(model.start), 61.0)


@pytest.mark.browser
@needs_browser
def test_the_time_of_a_drag_is_told(serve: Serve, visit: Callable[[Served], Tab]) -> None:
    served = serve("scenario.projects=10", "budget=300", "log=true")
    tab = visit(served)
    tab.page.evaluate(TIMED, 5)  # warm
    times = tab.page.evaluate(TIMED, 40)
    shown, painted = ([each[i] for each in times] for i in (0, 1))
    assert served.end() == 0
    mine = [float(line.split()[3]) for line in served.lines if line.startswith("engine: answered in ")]
    print(
        "\na drag, 10 projects, budget 300, exact included: "
        f"numbers after {statistics.median(shown):.1f} ms, "
        f"painted after {statistics.median(painted):.1f} ms (medians of {len(times)}; at most "
        f"{max(shown):.1f} and {max(painted):.1f}); the server's part {statistics.median(mine):.1f} ms"
    )
    assert tab.strangers == []


def handshake(port: int, origin: str, host: str) -> int:
    """The status that a websocket's first request gets."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        request = (
            f"GET /ws HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            "Sec-WebSocket-Protocol: bokeh, nonsense\r\n\r\n"
        )
        connection.sendall(request.encode())
        return int(connection.recv(64).split()[1])


@needs_bokeh
def test_only_this_machine_is_answered(serve: Serve) -> None:
    served = serve("scenario=nascent")
    here, evil = f"127.0.0.1:{served.port}", "evil.example"
    assert handshake(served.port, f"http://{evil}", here) == 403
    assert handshake(served.port, f"http://{evil}:{served.port}", here) == 403
    assert handshake(served.port, f"http://{here}", f"{evil}:{served.port}") == 404
    assert handshake(served.port, f"http://{here}", here) == 101
    with urllib.request.urlopen(served.address, timeout=60) as page:  # and nonsense ended nothing
        assert b"cdn" not in page.read()
    with contextlib.suppress(OSError):  # no other address of this machine listens
        other = socket.gethostbyname(socket.gethostname())
        if not other.startswith("127."):
            with pytest.raises(OSError, match="refused"):
                socket.create_connection((other, served.port), timeout=10)
    table = Path("/proc/net/tcp")
    if table.exists():
        local = [line.split()[1] for line in table.read_text().splitlines()[1:] if line.split()[3] == "0A"]
        assert [a for a in local if int(a.split(":")[1], 16) == served.port] == [
            f"0100007F:{served.port:04X}"
        ]
    assert served.end() == 0


DRAWS = "project,draw,family,scale,rate\na,1,log,2,0.5\na,2,log,3,0.5\nb,1,log,1,0.1\nb,2,log,2,0.2\n"
SUCCESS = "project,family,scale,rate,success\na,log,2,0.5,0.9\nb,log,3,0.5,0.4\n"


@needs_bokeh
@pytest.mark.parametrize(("text", "more"), [(DRAWS, ()), (SUCCESS, ("outcomes=8", "seed=3"))])
def test_draws_are_served(serve: Serve, tmp_path: Path, text: str, more: tuple[str, ...]) -> None:
    (tmp_path / "d.csv").write_text(text)
    served = serve("portfolio=d.csv", "budget=12", *more)
    with urllib.request.urlopen(served.address, timeout=60) as page:
        assert page.status == 200
    assert served.end() == 0
    assert not any("Traceback" in line for line in served.lines)


def demo(tmp_path: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ENGINE, "demo", "open=false", *arguments],
        cwd=tmp_path,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=300,
    )


BAD = {
    "port=99999": "port is 99999, expected a number from 0 to 65535",
    "port=web": "port",
    "budget=-1": "budget is -1, expected a number of at least 0",
    "most_budget=nan": "most_budget is nan",
    "most_budget=50": "budget is 120, expected a number from 0 to 50",
    "most_budget=1e6": "most_budget is 1e+06",
    "seed=-1": "seed is -1",
    "scenario=utopia": "unknown scenario 'utopia'",
    "scenario.projects=60": "scenario.projects is 60, expected at most 40",
    "portfolio=none.csv": "none.csv: cannot be read",
    "portfolio=moonshot": "the file holds approaches that may fail",
    "portfolio=platform": "the file holds projects that spill over",
    "outcomes=4": "outcomes is 4, expected none for a scenario",
    "colour=red": "colour",
}


@needs_bokeh
@pytest.mark.parametrize("argument", BAD)
def test_what_is_wrong_is_one_line(tmp_path: Path, argument: str) -> None:
    done = demo(tmp_path, argument)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert BAD[argument] in done.stderr


@needs_bokeh
def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = demo(tmp_path, "scenario=nascent", f"port={port}")
    assert done.returncode == 2
    assert done.stderr.startswith(f"engine: port is {port}, which cannot be taken (")
    assert len(done.stderr.splitlines()) == 1


def test_without_bokeh_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "bokeh.py").write_text("raise ModuleNotFoundError('No module named bokeh', name='bokeh')\n")
    paths = (str(tmp_path), os.environ.get("PYTHONPATH", ""))
    done = demo(tmp_path, PYTHONPATH=os.pathsep.join(filter(None, paths)))
    assert done.returncode == 2
    assert done.stderr == f"engine: the live page needs bokeh, expected {how_to_install('demo')}\n"
