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
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from html import escape
from typing import Any

from bokeh.document import Document, without_document_lock
from bokeh.models import Button, Column, FileInput, Row, Select, Spinner

from engine.live.controls import Text
from engine.live.draws import LiveDraws, live_of
from engine.live.draws_view import DrawsView
from engine.live.model import MOST_SEED, UPLOAD_ENDINGS, Live, draw_portfolio, read_upload
from engine.live.portfolio_view import PortfolioView
from engine.live.style import FACTS, LEFT, RIGHT, TEMPLATE, WIDE, WRAP
from engine.simulation.catalogue import scenario_names, shipped_scenario
from engine.simulation.config import ScenarioConfig

UPLOADED = "(a file)"


@dataclass(frozen=True)
class Origin:
    """What is dragged and where it comes from: the scenario it was drawn from, None for a file."""

    name: str
    live: Live | LiveDraws
    scenario: ScenarioConfig | None = None
    notes: tuple[str, ...] = ()

    def answer(self, state: Any) -> Any:
        """What is shown of a state of these sliders."""
        return self.live.answer(state)


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
        self.state: Any = self.origin.live.start
        self.seed: int = service.seed
        self.loading: Callable[[], Origin] | None = None
        self.changed_at: float | None = None
        self.busy = False
        self.answers = 0
        self.wrong = ""
        self.message = Text(stylesheets=[FACTS], sizing_mode="stretch_width", visible=False)
        self.controls = Column(stylesheets=[LEFT])
        self.charts = Column(stylesheets=[RIGHT])
        begin = time.perf_counter()
        picture = self.origin.answer(self.state)
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
            given, notes = read_upload(name, base64.b64decode(value, validate=True))
            try:
                return Origin(name, live_of(given), None, tuple(notes))
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None

        self.load(make)

    def resize(self, most_budget: Any) -> None:
        """The budget's slider is to end elsewhere."""
        live, state, origin = self.origin.live, self.state, self.origin

        def make() -> Origin:
            if not isinstance(most_budget, (int, float)) or isinstance(most_budget, bool):
                raise ValueError(f"largest budget is {most_budget!r}, expected a number")
            return Origin(origin.name, live.resized(state, most_budget), origin.scenario)

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
            picture = await loop.run_in_executor(self.service.worker, origin.answer, state)
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

    def _show(self, origin: Origin, picture: Any, begin: float) -> None:
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

    def build(self, picture: Any, seconds: float) -> None:
        """Controls and charts for the portfolio of this picture."""
        live = self.origin.live
        self.view = DrawsView(live) if isinstance(live, LiveDraws) else PortfolioView(live)
        self.say("", "; ".join(self.origin.notes))
        self.update(picture, seconds)
        back = Button(label="back to the start", width=140, name="reset")
        back.on_click(lambda: self.load(partial(dataclasses.replace, self.origin)))
        self.controls.children = [
            *self._sources(),
            *self.view.sliders(picture.state, self.set, self.resize),
            back,
        ]
        self.charts.children = [self.message, *self.view.charts()]

    def update(self, picture: Any, seconds: float) -> None:
        """Show another answer for the same portfolio or draws."""
        self.answers += 1
        self.view.update(picture, seconds, self.answers)

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
