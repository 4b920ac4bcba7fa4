"""What the live page asks for: all about a portfolio, the answer to a drag, a file taken in, exports.

Every question is an address (see `engine.live.address`), and nothing is remembered of whoever asks: models
are kept by what they are of, and the files that came by their digests. A page has one question on its way at
a time, and then asks for where it stands by now, so that many quick drags cost no more than the last of them.

One question is answered at a time, whoever asks. Cost of a drag: the answer (see `engine.live.model`), and
some hundred microseconds of text a project.
"""

from __future__ import annotations

import dataclasses
import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import numpy as np

from engine.live.address import Wish, read_address
from engine.live.draws import LiveDraws, draw_scenario, live_of, shown_scenarios
from engine.live.draws_view import DrawsView
from engine.live.exports import allocation_json, table_csv
from engine.live.model import Live, read_upload
from engine.live.portfolio_view import PortfolioView
from engine.simulation.catalogue import shipped_scenario
from engine.simulation.config import ScenarioConfig

# How many models, and files besides the one of the command line, are kept for those who come back to them.
MOST_MODELS, MOST_FILES = 16, 8
# What of the projects a model is of: a scenario and a seed, or a file's digest; and where its budget ends.
Key = tuple[str | None, int | None, str | None, float | None]


@dataclass(frozen=True)
class Origin:
    """What is dragged and where it comes from: the scenario it was drawn from, None for a file."""

    name: str
    live: Live | LiveDraws
    scenario: ScenarioConfig | None = None
    notes: tuple[str, ...] = ()


@dataclass
class Model:
    """An origin with its drawings; `compiled`, the seconds it took before its first answer, until told."""

    key: Key
    origin: Origin
    view: Any
    compiled: float


class Export(NamedTuple):
    """A file to be saved."""

    name: str
    kind: str
    content: str


@dataclass
class Service:
    """What one server answers, to whatever pages.

    `origin` is what they begin with, `scenario` the one to draw from at first, `budget` the one given for it,
    if any, `prepared` the seconds that `origin` took; `said` is told how long each answer took.
    """

    origin: Origin
    scenario: ScenarioConfig
    budget: float | None = None
    seed: int = 0
    prepared: float = 0.0
    said: Callable[[float], None] = lambda _: None
    seconds: list[float] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.models: OrderedDict[Key, Model] = OrderedDict()
        self.files: OrderedDict[str, Origin] = OrderedDict()
        self.answers = 0
        self.digest = "" if self.origin.scenario else digest_of(self.origin.live)
        self.start = self._kept(self._key(Wish()), self.origin, self.prepared)

    # What pages ask.

    def open(self, query: str) -> dict[str, Any]:
        """Everything about what an address asks for: its controls, its drawings, and the answer.

        **Raises:** `ValueError` for what cannot be asked.
        """
        with self.lock:
            begin = time.perf_counter()
            model, state = self._at(query)
            origin, (name, seed, digest, _) = model.origin, model.key
            given = {"file": digest} if digest else {"scenario": name, "seed": str(seed)}
            return {
                "address": given,
                "origin": origin.name,
                "notes": list(origin.notes),
                "places": {**model.view.controls(), "charts": model.view.charts()},
                "scenarios": self._scenarios(),
                "scenario": name or "",
                "seed": self.seed if seed is None else seed,
                "exports": ["draws.csv" if isinstance(origin.live, LiveDraws) else "portfolio.csv"],
                **self._answer(model, state, begin),
            }

    def answer(self, query: str) -> dict[str, Any]:
        """The answer to a drag: what belongs in the page, by the id of its place.

        **Raises:** `ValueError` for what cannot be asked.
        """
        with self.lock:
            begin = time.perf_counter()
            return self._answer(*self._at(query), begin)

    def upload(self, name: str, content: bytes) -> dict[str, Any]:
        """A file was chosen: what an address calls it from now on.

        **Raises:** `ValueError` in one line naming the file.
        """
        given, notes = read_upload(name, content)
        with self.lock:
            begin = time.perf_counter()
            try:
                origin = Origin(name, live_of(given), None, tuple(notes))
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
            digest = digest_of(origin.live)
            self.files[digest] = origin
            _forget(self.files, MOST_FILES)
            self._kept((None, None, digest, None), origin, time.perf_counter() - begin)
        return {"file": digest}

    def export(self, what: str, query: str) -> Export:
        """A file of where an address stands: portfolio.csv, draws.csv, allocation.json or figure.svg.

        **Raises:** `ValueError` for what cannot be asked, or cannot be written.
        """
        with self.lock:
            model, state = self._at(query)
            if what == "figure.svg":
                drawn = model.view.figure(model.origin.live.answer(state), model.origin.name)
                return Export(what, "image/svg+xml", drawn)
            if what == "allocation.json":
                return Export(what, "application/json", allocation_json(model.origin.live, state))
            return Export(what, "text/csv; charset=utf-8", table_csv(model.origin.live, state))

    # From an address to a model.

    def _at(self, query: str) -> tuple[Model, Any]:
        wish = read_address(query)
        model = self._model(self._key(wish))
        return model, wish.state_on(model.origin.live)

    def _key(self, wish: Wish) -> Key:
        if wish.file or (self.digest and wish.scenario is None and wish.seed is None):
            return None, None, wish.file or self.digest, wish.most_budget
        name = self.scenario.name if wish.scenario is None else wish.scenario
        return name, self.seed if wish.seed is None else wish.seed, None, wish.most_budget

    def _model(self, key: Key) -> Model:
        if self.start.key == key:
            return self.start
        if key in self.models:
            self.models.move_to_end(key)
            return self.models[key]
        begin = time.perf_counter()
        origin = self._made(key)
        return self._kept(key, origin, time.perf_counter() - begin)

    def _made(self, key: Key) -> Origin:
        name, seed, digest, most_budget = key
        if most_budget is not None:
            base = self._model((name, seed, digest, None)).origin
            live: Any = base.live
            return dataclasses.replace(base, live=live.resized(live.start, most_budget), notes=())
        if digest:
            if digest not in self.files:
                raise ValueError(
                    "the address is of a file that is not here any more, expected it to be chosen"
                )
            return self.files[digest]
        config = self.scenario_of(str(name))
        given = self.budget if name == self.scenario.name else None
        drawn = live_of(draw_scenario(config, seed), config.budget if given is None else given)
        return Origin(str(name), drawn, config)

    def _kept(self, key: Key, origin: Origin, seconds: float) -> Model:
        """A model whose first answer is computed, so that no drag waits for its compilation."""
        begin = time.perf_counter()
        live: Any = origin.live
        live.answer(live.start)
        first = time.perf_counter()
        live.answer(live.start)
        compiled = seconds + 2 * first - begin - time.perf_counter()
        view = DrawsView(live) if isinstance(live, LiveDraws) else PortfolioView(live)
        self.models[key] = Model(key, origin, view, compiled)
        _forget(self.models, MOST_MODELS)
        return self.models[key]

    def scenario_of(self, name: str) -> ScenarioConfig:
        """The scenario of this name, with the command line's overrides if it is the one given there."""
        return self.scenario if name == self.scenario.name else shipped_scenario(name)

    def _scenarios(self) -> list[str]:
        names = shown_scenarios()
        return names if self.scenario.name in names else [*names, self.scenario.name]

    def _answer(self, model: Model, state: Any, asked: float) -> dict[str, Any]:
        live: Any = model.origin.live
        begin = time.perf_counter()
        picture = live.answer(state)
        solved = time.perf_counter() - begin
        compiled, model.compiled = model.compiled, 0.0
        self.answers += 1
        found = {
            "parts": model.view.parts(picture, compiled, solved, self.answers),
            "said": model.view.said(picture),
            "sentence": model.view.sentence(picture),
        }
        self.seconds.append(time.perf_counter() - asked)
        self.said(self.seconds[-1])
        return found


def digest_of(live: Live | LiveDraws) -> str:
    """Twelve digits that tell apart what files hold: all numbers and names."""
    held = live.draws if isinstance(live, LiveDraws) else live.portfolio
    found = hashlib.sha256(repr((type(live).__name__, live.names, jax.tree.structure(held))).encode())
    for leaf in jax.tree.leaves(held):
        found.update(np.ascontiguousarray(leaf).tobytes())
    return found.hexdigest()[:12]


def _forget(kept: OrderedDict[Any, Any], most: int) -> None:
    while len(kept) > most:
        kept.popitem(last=False)
