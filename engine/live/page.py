"""The live page: its controls, its numbers, and the way from a change to what is shown of it.

A change in the browser sets the page's state and asks for an answer. Answers are computed in a thread of
their own, so that changes keep coming in meanwhile, and the next one is computed for the latest state alone:
many quick drags cost no more than the last of them. What goes back is what changed: three messages for a drag
of the budget, and of the curves those that moved.

Names from files are shown as text, never as HTML.

Cost of a drag: the answer (see `engine.live.model`), and the browser's drawing.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import math
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from html import escape
from typing import Any

from bokeh.document import Document, without_document_lock
from bokeh.models import Button, Column, ColumnDataSource, Div, FileInput, Row, Select, Slider, Spinner

from engine.figures.palette import BLUE, GREEN, VERMILLION
from engine.live.charts import (
    Panel,
    effort_bars,
    labels,
    project_columns,
    table_html,
)
from engine.live.model import (
    DRAGGED,
    MOST_SEED,
    UPLOAD_ENDINGS,
    Live,
    Picture,
    State,
    draw_portfolio,
    read_upload,
)
from engine.live.style import (
    BELOW,
    FACTS,
    HEAD,
    LEFT,
    LINE,
    NAME,
    PANELS,
    PROJECTS,
    RIGHT,
    SLIDER,
    TABLE,
    TEMPLATE,
    WIDE,
    WRAP,
)
from engine.simulation.catalogue import scenario_names, shipped_scenario
from engine.simulation.config import ScenarioConfig

SLIDER_STEPS = 200
UPLOADED = "(a file)"
# What stands between $$ in a project's name is not a formula.
Text = partial(Div, disable_math=True)


@dataclass(frozen=True)
class Origin:
    """A portfolio to drag and where it comes from: the scenario it was drawn from, None for a file."""

    name: str
    live: Live
    scenario: ScenarioConfig | None = None
    notes: tuple[str, ...] = ()


@dataclass
class Service:
    """What the pages of one server share: what they begin with, the thread that computes, what it took.

    `scenario` is the one to draw from at first, `budget` the one given for it, if any; `said` is told how
    long each answer took.
    """

    origin: Origin
    scenario: ScenarioConfig
    budget: float | None = None
    seed: int = 0
    said: Callable[[float], None] = lambda _: None
    worker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "engine-demo"))
    seconds: list[float] = field(default_factory=list)

    def scenario_of(self, name: str) -> ScenarioConfig:
        """The scenario of this name, with the command line's overrides if it is the one given there."""
        return self.scenario if name == self.scenario.name else shipped_scenario(name)

    def note(self, seconds: float) -> None:
        """Remember how long an answer took, and tell."""
        self.seconds.append(seconds)
        self.said(seconds)


class Page:
    """One browser tab: its controls, its figures, the portfolio it holds and where its sliders stand."""

    def __init__(self, document: Document, service: Service) -> None:
        self.document, self.service = document, service
        self.origin = service.origin
        self.state = self.origin.live.start
        self.seed: int = service.seed
        self.loading: Callable[[], Origin] | None = None
        self.changed_at: float | None = None
        self.busy = False
        self.answers = 0
        self.wrong = ""
        self.facts = Text(stylesheets=[FACTS], sizing_mode="stretch_width")
        self.table = Text(stylesheets=[TABLE], styles={"max-width": "100%", "overflow-x": "auto"})
        self.message = Text(stylesheets=[FACTS], sizing_mode="stretch_width", visible=False)
        self.controls = Column(stylesheets=[LEFT])
        self.charts = Column(stylesheets=[RIGHT])
        begin = time.perf_counter()
        picture = self.origin.live.answer(self.state)
        self.build(picture, time.perf_counter() - begin)
        document.title = "engine: live page"
        document.template = TEMPLATE
        document.add_root(Row(self.controls, self.charts, stylesheets=[WIDE]))

    # What the browser changes.

    def set(self, key: str, project: int | None, value: Any) -> None:
        """A slider moved."""
        try:
            self.state = self.origin.live.moved(self.state, key, value, project)
        except ValueError as error:
            self.say(str(error))
            return
        self.ask()

    def load(self, make: Callable[[], Origin]) -> None:
        """Another portfolio is wanted; the latest wish wins."""
        self.loading = make
        self.say("", "compiling for this portfolio …")
        self.ask()

    def draw(self, name: str, seed: Any) -> None:
        """A portfolio of a scenario is wanted."""

        def make() -> Origin:
            config = self.service.scenario_of(name)
            given = self.service.budget if name == self.service.scenario.name else None
            budget = config.budget if given is None else given
            return Origin(name, Live(draw_portfolio(config, seed), budget), config)

        self.load(make)

    def upload(self, name: Any, value: Any) -> None:
        """A file was chosen."""

        def make() -> Origin:
            if not isinstance(name, str) or not isinstance(value, str):
                raise ValueError("several files were given, expected one")
            portfolio, notes = read_upload(name, base64.b64decode(value, validate=True))
            try:
                return Origin(name, Live(portfolio), None, tuple(notes))
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None

        self.load(make)

    def resize(self, most_budget: Any) -> None:
        """The budget's slider is to end elsewhere."""
        live, state, origin = self.origin.live, self.state, self.origin

        def make() -> Origin:
            if not isinstance(most_budget, (int, float)) or isinstance(most_budget, bool):
                raise ValueError(f"largest budget is {most_budget!r}, expected a number")
            budget = min(state.budget, float(most_budget))
            return Origin(origin.name, Live(live.portfolio_of(state), budget, most_budget), origin.scenario)

        if most_budget != live.most_budget:
            self.load(make)

    # From a change to what is shown of it: asked for once, computed beside the loop, shown under its lock.

    def ask(self) -> None:
        """Have the state answered, soon: by one computation at a time, of the latest state."""
        if self.changed_at is None:
            self.changed_at = time.perf_counter()
        if not self.busy:
            self.busy = True
            self.document.add_next_tick_callback(without_document_lock(self._work))

    async def _work(self) -> None:
        make, self.loading = self.loading, None
        begin, self.changed_at = self.changed_at or time.perf_counter(), None
        origin, state = self.origin, self.state
        loop = asyncio.get_running_loop()
        try:
            if make is not None:
                origin = await loop.run_in_executor(self.service.worker, make)
                state = origin.live.start
            picture = await loop.run_in_executor(self.service.worker, origin.live.answer, state)
            show = partial(self._show, origin, picture, begin)
        except ValueError as error:
            show = partial(self.say, str(error))
        except Exception:  # one page's trouble is not the server's
            traceback.print_exc()
            show = partial(self.say, "this could not be answered; the terminal says why")
        self.document.add_next_tick_callback(partial(self._finish, show))

    def _finish(self, show: Callable[[], None]) -> None:
        try:
            show()
        finally:
            self.busy = False
            if self.changed_at is not None:
                self.ask()

    def _show(self, origin: Origin, picture: Picture, begin: float) -> None:
        seconds = time.perf_counter() - begin
        self.service.note(seconds)
        if origin is not self.origin:
            self.origin, self.state = origin, picture.state
            self.build(picture, seconds)
        else:
            self.update(picture, seconds)
        if self.wrong or origin.notes:
            self.say("", "; ".join(origin.notes))

    def say(self, wrong: str, note: str = "") -> None:
        """One line on what is wrong, or what is to be known; the rest of the page stays as it is."""
        self.wrong = wrong or note
        parts = [(wrong, 'class="wrong" role="alert"'), (note, 'class="note"')]
        self.message.text = "".join(f"<div {kind}>{escape(text[:300])}</div>" for text, kind in parts if text)
        self.message.visible = bool(self.wrong)

    # What the page is made of.

    def build(self, picture: Picture, seconds: float) -> None:
        """Controls and charts for the portfolio of this picture."""
        live = self.origin.live
        self.labels = labels(live.names)
        self.projects = ColumnDataSource()
        self.panels = [Panel(label, index, self.projects) for index, label in enumerate(self.labels)]
        self.say("", "; ".join(self.origin.notes))
        self.update(picture, seconds)
        self.controls.children = [*self._sources(), *self._sliders(live, picture.state)]
        grid = Row(*(p.figure for p in self.panels), stylesheets=[PANELS], sizing_mode="stretch_width")
        below = Row(
            effort_bars(self.labels, self.projects),
            self.table,
            stylesheets=[BELOW],
            sizing_mode="stretch_width",
        )
        self.charts.children = [self.message, self.facts, grid, below]

    def update(self, picture: Picture, seconds: float) -> None:
        """Show another answer for the same portfolio."""
        self.answers += 1
        self.facts.text = facts_html(self.labels, self.origin.live, picture, seconds, self.answers)
        self.table.text = table_html(self.labels, picture)
        self.projects.data = project_columns(self.labels, picture)
        for panel in self.panels:
            panel.update(picture)

    def _sources(self) -> list[Any]:
        """Where the portfolio comes from."""
        origin, scenario = self.origin, self.origin.scenario
        names = scenario_names()
        if self.service.scenario.name not in names:
            names.append(self.service.scenario.name)
        chosen = UPLOADED if scenario is None else scenario.name
        select = Select(
            title="scenario", value=chosen, options=[*names, UPLOADED], width=160, name="scenario"
        )
        seed = Spinner(title="seed", value=self.seed, low=0, high=MOST_SEED, step=1, width=80, name="seed")
        another = Button(label="draw another", width=100, name="another")
        accepted = {"title": "or a portfolio file (a table or YAML)", "accept": ",".join(UPLOAD_ENDINGS)}
        file = FileInput(**accepted, multiple=False)
        file.name, file.width = "file", 360

        def draw(seed: Any) -> None:
            if isinstance(seed, int):
                self.seed = seed
            name = self.service.scenario.name if select.value == UPLOADED else select.value
            self.draw(name, seed)

        select.on_change("value", lambda _, __, new: draw(seed.value) if new != UPLOADED else None)
        seed.on_change("value", lambda _, __, new: draw(new))
        another.on_click(lambda: setattr(seed, "value", ((seed.value or 0) + 1) % (MOST_SEED + 1)))
        # The name comes with the content or just after it: both are there by the next tick.
        file.on_change(
            "value",
            lambda _, __, ___: self.document.add_next_tick_callback(
                lambda: self.upload(file.filename, file.value)
            ),
        )
        title = Text(text=f'<b class="origin">{escape(origin.name)}</b>', width=360)
        return [Row(select, seed, another, stylesheets=[WRAP]), file, title]

    def _sliders(self, live: Live, state: State) -> list[Any]:
        """The budget's slider, and three for each project."""
        slider = partial(Slider, start=0.0, tooltips=False, stylesheets=[SLIDER], show_value=True)
        budget = Slider(
            title="budget", start=live.least_budget, end=live.most_budget, value=state.budget, name="budget"
        )
        few = live.most_budget - live.least_budget < 20 * live.unit
        budget.step = live.most_budget / SLIDER_STEPS if few else live.unit
        budget.sizing_mode = "stretch_width"
        budget.on_change("value", lambda _, __, new: self.set("budget", None, new))
        most = Spinner(title="up to", value=live.most_budget, low=1, width=90, name="most_budget")
        most.step = live.unit
        most.on_change("value", lambda _, __, new: self.resize(new))
        words = ("weight", "start-up", "curvature")
        head = [Text(text="project", stylesheets=[NAME]), *(Text(text=t, stylesheets=[HEAD]) for t in words)]
        rows: list[Any] = [Row(*head, sizing_mode="stretch_width", stylesheets=[LINE])]
        for project, label in enumerate(self.labels):
            sliders = []
            for key in DRAGGED:
                end, value = float(live.limits[key][project]), float(getattr(state, key)[project])
                one = slider(title="", end=end, value=value, step=end / SLIDER_STEPS, name=f"{key} {project}")
                one.format, one.sizing_mode = decimals(end), "stretch_width"
                one.on_change("value", lambda _, __, new, k=key, p=project: self.set(k, p, new))
                sliders.append(one)
            name = Text(text=escape(label), stylesheets=[NAME])
            rows.append(Row(name, *sliders, sizing_mode="stretch_width", stylesheets=[LINE]))
        back = Button(label="back to the start", width=140, name="reset")
        back.on_click(lambda: self.load(partial(dataclasses.replace, self.origin)))
        line = Row(budget, most, sizing_mode="stretch_width")
        return [line, Column(*rows, stylesheets=[PROJECTS], sizing_mode="stretch_width"), back]


def decimals(end: float) -> str:
    """Bokeh's format of a slider that ends here: three decimals, or as many as tell its steps apart."""
    return f"0.[{'0' * max(3, 3 - math.floor(math.log10(end)))}]"


def facts_html(names: list[str], live: Live, picture: Picture, seconds: float, answers: int) -> str:
    """The line of numbers; each has its full digits in `data-number`, for whoever reads by machine."""
    exact, greedy = picture.exact, picture.greedy
    numbers: list[tuple[str, str, float, str]] = [
        ("exact", "exact", float(exact.value), f"{float(exact.value):,.6g}"),
        ("greedy", "greedy", float(greedy.value), f"{float(greedy.value):,.6g}"),
        ("loss", "greedy loses", picture.loss, f"{100 * picture.loss:.2f} %"),
        ("bound", "upper bound", float(exact.bound), f"{float(exact.bound):,.6g}"),
        ("gap", "proved gap", float(exact.gap), f"{100 * float(exact.gap):.2g} %"),
        ("greedy_gap", "greedy's gap", float(greedy.gap), f"{100 * float(greedy.gap):.2f} %"),
        ("multiplier", "multiplier", float(exact.multiplier), f"{float(exact.multiplier):.4g}"),
        ("spent", "spent", float(exact.spent), f"{float(exact.spent):,.9g} of {picture.state.budget:,.9g}"),
        ("milliseconds", "answered in", 1e3 * seconds, f"{1e3 * seconds:.0f} ms"),
    ]
    tiles = "".join(
        f'<div><span class="key">{key_of(name)}{words}</span>'
        f'<b data-name="{name}" data-number="{number!r}">{text}</b></div>'
        for name, words, number, text in numbers
    )
    there = [escape(n) for n, last in zip(names, picture.exact_frontier, strict=True) if last]
    lots = "" if live.unit == 1 else f"effort in lots of {live.unit:,.9g} · "
    front = f"{lots}{len(there)} of {len(names)} at the frontier{': ' if there else ''}{', '.join(there)}"
    effort = " ".join(f"{float(e):.12g}" for e in exact.effort)
    return (
        f'<div class="facts" data-answer="{answers}" data-budget="{picture.state.budget!r}" '
        f'data-effort="{effort}">{tiles}</div><div class="front" data-frontier="{len(there)}">'
        f'<span style="color:{GREEN}">★</span> {front}'
        f'<span class="key"> · shaded: later stages, <span style="color:{GREEN}">■</span> the frontier</span>'
        "</div>"
    )


def key_of(name: str) -> str:
    """The mark of an allocation in the charts, before its number."""
    mark = {
        "exact": f'<span style="color:{BLUE}">●</span> ',
        "greedy": f'<span style="color:{VERMILLION}">○</span> ',
    }
    return mark.get(name, "")
