"""The live page as its user has it: the real command, in a real browser that cannot reach any other host."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import statistics
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import engine
from engine.live.model import Live, draw_portfolio
from engine.simulation.catalogue import shipped_scenario
from tests.live.browser import ENGINE, SET, WAIT, Serve, Served, Visit, drawn, needs_browser

# Moves the budget one step, by keyboard on its slider, and takes the time until the page shows its numbers,
# and until what they were drawn with has been painted; and the time of an empty handler.
TIMED = """async (drags) => {
  const pause = (time) => new Promise((done) => setTimeout(done, time));
  const painted = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const budget = document.getElementById('budget'), times = [];
  const shows = () => Number(document.querySelector('.facts').dataset.budget) === Number(budget.value);
  const changed = () => new Promise((done) => {
    const watch = new MutationObserver(() => shows() && (watch.disconnect(), done()));
    watch.observe(document.getElementById('numbers'), {childList: true});
  });
  for (let drag = 0; drag < drags; drag++) {
    await pause(100 + (7 * drag) % 17);
    const begin = performance.now(), key = drag % 3 ? 'ArrowRight' : 'ArrowLeft';
    const answered = changed();
    budget.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
    await answered;
    const shown = performance.now() - begin;
    await painted();
    const all = performance.now() - begin;
    await pause(100 + (7 * drag) % 17);
    const idle = performance.now();
    await painted();
    times.push([shown, all, performance.now() - idle]);
  }
  return times;
}"""
QUICK = (
    "(drags) => { const set = "
    + SET
    + """;
  for (let drag = 0; drag < drags; drag++) {
    set(['budget', (7 * drag) % 120]);
    set(['weight.1', (0.03 * drag) % 3]);
  }
  set(['budget', 77]);
  set(['weight.1', 2.4]);
}"""
)


@pytest.mark.browser
@needs_browser
def test_a_slider_moved_shows_what_the_solver_gives(serve: Serve, visit: Visit) -> None:
    tab, model = visit(serve()), drawn("s_shaped")
    tab.agrees(model.portfolio_of(model.start), 120.0)
    handle = tab.page.locator("#budget")
    handle.focus()
    for _ in range(5):
        handle.press("ArrowRight")
    tab.agrees(model.portfolio_of(model.start), 125.0)
    box = tab.page.locator("[name='weight.0']").bounding_box()
    x, y = box["x"] + box["width"] / 4, box["y"] + box["height"] / 2
    tab.page.mouse.move(x, y)
    tab.page.mouse.down()
    tab.page.mouse.move(x + 40, y, steps=10)
    tab.page.mouse.up()
    weight = float(tab.page.input_value("[name='weight.0']"))
    assert weight > 2.0
    state = model.moved(model.moved(model.start, "budget", 125.0), "weight", weight, 0)
    expected = engine.allocate(model.portfolio_of(state), 125.0)
    tab.page.wait_for_selector(f"[data-name=exact][data-number='{float(expected.value)!r}']", timeout=WAIT)
    tab.agrees(model.portfolio_of(state), 125.0)
    for name, project in (("startup", 2), ("curvature", 5)):
        tab.page.locator(f"[name='{name}.{project}']").press("PageUp")
        value = float(tab.page.input_value(f"[name='{name}.{project}']"))
        assert value > 0
        state = model.moved(state, name, value, project)
        expected = engine.allocate(model.portfolio_of(state), 125.0)
        tab.page.wait_for_selector(f"[data-number='{float(expected.value)!r}']", timeout=WAIT)
        tab.agrees(model.portfolio_of(state), 125.0)
    assert tab.strangers == []


@pytest.mark.browser
@needs_browser
def test_many_quick_drags_end_at_the_last(serve: Serve, visit: Visit) -> None:
    served = serve("scenario=staged", "log=true")
    tab, model = visit(served), drawn("staged")
    tab.page.evaluate(QUICK, 200)
    state = model.moved(model.moved(model.start, "budget", 77.0), "weight", 2.4, 1)
    expected = engine.allocate(model.portfolio_of(state), 77.0)
    tab.page.wait_for_selector(f"[data-number='{float(expected.value)!r}']", timeout=WAIT)
    tab.page.wait_for_timeout(500)  # nothing comes after it
    tab.agrees(model.portfolio_of(state), 77.0)
    assert "budget 77: exact returns" in tab.page.locator("#spoken").inner_text()  # said once all rests
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
def test_files_good_and_bad(serve: Serve, visit: Visit, tmp_path: Path) -> None:
    tab, model = visit(serve()), drawn("s_shaped")
    file = tab.page.locator("input[type=file]")
    for name, content, message in (
        ("nonsense.csv", bytes(range(256)), "nonsense.csv: is not text, expected a table or YAML"),
        ("<b>bold</b>.csv", b"a,b\n1,2\n", "<b>bold</b>.csv: has no column project"),
        ("large.csv", b"a" * 3_000_000, "large.csv: has 3,000,000 bytes, expected at most 200,000"),
        ("p.exe", b"MZ", "p.exe: is no portfolio file"),
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
    assert tab.page.locator("img").count() == 0
    assert tab.strangers == []


@pytest.mark.browser
@needs_browser
def test_another_scenario_and_another_draw(serve: Serve, visit: Visit) -> None:
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
    for _ in range(3):  # sooner than they are answered: the last one counts
        tab.page.get_by_role("button", name="draw another").click()
    last = Live(draw_portfolio(config, 4), 100.0)
    value = float(engine.allocate(last.portfolio_of(last.start), 100.0).value)
    tab.page.wait_for_selector(f"[data-number='{value!r}']", timeout=WAIT)
    assert tab.page.input_value("#seed") == "4"
    tab.page.get_by_role("spinbutton", name="seed").fill("1")
    tab.page.keyboard.press("Tab")
    value = float(engine.allocate(again.portfolio_of(again.start), 100.0).value)
    tab.page.wait_for_selector(f"[data-number='{value!r}']", timeout=WAIT)
    tab.page.evaluate(SET, ["budget", 40])
    tab.page.get_by_role("button", name="back to the start").click()
    tab.agrees(again.portfolio_of(again.start), 100.0)


@pytest.mark.browser
@needs_browser
def test_nonsense_from_the_page_is_one_red_line(serve: Serve, visit: Visit) -> None:
    served = serve()
    tab, model = visit(served), drawn("s_shaped")
    other = visit(served)
    for name, value, message in (
        ("budget_number", "1e9", "budget is 1e+09, expected a number from 0 to 300"),
        ("budget_number", "-5", "budget is -5"),
        ("budget_number", "", "budget is '', expected a number"),
        ("most_budget", "1e9", "most_budget is 1e+09"),
        ("seed", "-7", "seed is -7"),
    ):
        tab.page.evaluate(SET, [name, value])
        tab.page.locator("[role=alert]", has_text=message).wait_for(timeout=WAIT)
        assert tab.page.locator("#message > *").count() == 1
        assert tab.page.input_value("#budget") == tab.page.input_value("#budget_number") == "120"
        assert tab.page.input_value("#most_budget") == "300"
        assert tab.page.input_value("#seed") == "0"
    tab.page.evaluate("change('weight.3', 1e300)")  # which no slider can ask for
    tab.page.locator("[role=alert]", has_text="project 3: weight is 1e+300").wait_for(timeout=WAIT)
    tab.page.evaluate(SET, ["budget", 60])
    tab.agrees(model.portfolio_of(model.start), 60.0)
    assert tab.page.locator("#message > *").count() == 0  # nothing stale
    tab.page.evaluate(SET, ["budget_number", "1e9"])
    tab.page.locator("[role=alert]").wait_for(timeout=WAIT)
    tab.page.get_by_label("scenario").select_option("staged")
    tab.page.locator(".origin", has_text="staged").wait_for(timeout=WAIT)
    assert tab.page.locator("#message > *").count() == 0
    other.page.evaluate(SET, ["budget", 61])
    other.agrees(model.portfolio_of(model.start), 61.0)
    assert not any("Traceback" in line for line in served.lines)


@pytest.mark.browser
@needs_browser
@pytest.mark.parametrize("projects", [10, 20])
def test_the_time_of_a_drag_is_told(serve: Serve, visit: Visit, projects: int) -> None:
    served = serve(f"scenario.projects={projects}", "budget=300", "log=true")
    tab = visit(served)
    assert re.search(r"compiled in [\d.]+ s, solved in [\d.]+ ms", tab.page.locator("#numbers").inner_text())
    tab.page.evaluate(TIMED, 5)  # warm
    assert "compiled" not in tab.page.locator("#numbers").inner_text()
    times = tab.page.evaluate(TIMED, 40)
    shown, painted, floor = ([each[i] for each in times] for i in (0, 1, 2))
    assert served.end() == 0
    mine = [float(line.split()[3]) for line in served.lines if line.startswith("engine: answered in ")]
    print(
        f"\na drag, {projects} projects, budget 300, exact included: "
        f"numbers after {statistics.median(shown):.1f} ms, "
        f"painted after {statistics.median(painted):.1f} ms (medians of {len(times)}; at most "
        f"{max(shown):.1f} and {max(painted):.1f}); the server's part {statistics.median(mine):.1f} ms; "
        f"painting after an empty handler {statistics.median(floor):.1f} ms"
    )
    assert tab.strangers == []


def asked(served: Served, path: str, **headers: str) -> int:
    """The status that a request of these headers gets."""
    request = urllib.request.Request(served.address + path, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_only_this_machine_is_answered(serve: Serve) -> None:
    served = serve("scenario=nascent")
    here, evil = f"127.0.0.1:{served.port}", "evil.example"
    ours = {"X-Engine": "page", "Origin": f"http://{here}"}
    for path in ("/open", "/answer", "/figure.svg"):
        assert asked(served, path, **ours) == 200
        assert asked(served, path, **{**ours, "Origin": f"http://{evil}"}) == 403
        assert asked(served, path, **{**ours, "Origin": f"http://{evil}:{served.port}"}) == 403
        assert asked(served, path, **{**ours, "Host": f"{evil}:{served.port}"}) == 404
        assert (
            asked(served, path, Origin=f"http://{here}") == 403
        )  # as an image or a form of another page asks
    for path in ("/", "/page.js", "/page.css"):
        assert asked(served, path) == 200
        assert asked(served, path, Host=evil) == 404
    for path in ("/../page.py", "/page.py", "/etc/passwd", "//evil.example/", "/portfolio.yaml", "/file"):
        assert asked(served, path, **ours) == 404
    assert asked(served, "/open?budget=nonsense", **ours) == 400
    with urllib.request.urlopen(served.address, timeout=60) as page:  # and nonsense ended nothing
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert b"//" not in page.read().replace(b"<!doctype", b"")
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
    assert not any("Traceback" in line for line in served.lines)


DRAWS = "project,draw,family,scale,rate\na,1,log,2,0.5\na,2,log,3,0.5\nb,1,log,1,0.1\nb,2,log,2,0.2\n"
SUCCESS = "project,family,scale,rate,success\na,log,2,0.5,0.9\nb,log,3,0.5,0.4\n"


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
    "scenario=rules": "scenario rules has rules, expected one of portfolios or of draws of curves",
    "scenario=platform": "scenario platform has projects that spill over",
    "scenario=moonshot": "scenario moonshot has approaches that may fail",
    "portfolio=moonshot": "the file holds approaches that may fail",
    "portfolio=platform": "the file holds projects that spill over",
    "outcomes=4": "outcomes is 4, expected none for a scenario",
    "colour=red": "colour",
}


@pytest.mark.parametrize("argument", BAD)
def test_what_is_wrong_is_one_line(tmp_path: Path, argument: str) -> None:
    done = demo(tmp_path, argument)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert BAD[argument] in done.stderr


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = demo(tmp_path, "scenario=nascent", f"port={port}")
    assert done.returncode == 2
    assert done.stderr.startswith(f"engine: port is {port}, which cannot be taken (")
    assert len(done.stderr.splitlines()) == 1
