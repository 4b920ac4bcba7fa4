"""What tests of the page itself share: the real command, and a tab of a real browser."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine
from engine.cli.compose import register_schemas
from engine.live.model import Live, draw_portfolio
from engine.simulation.catalogue import shipped_scenario

register_schemas()
ENGINE = str(Path(sys.executable).parent / "engine")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(
    importlib.util.find_spec("playwright") is None or CHROMIUM is None, reason="no playwright or no chromium"
)
needs_axe = pytest.mark.skipif(
    importlib.util.find_spec("axe_playwright_python") is None, reason="axe-playwright-python is not installed"
)
WAIT = 60_000.0

# Sets a control by its name, as its user would.
SET = """([name, value]) => {
  const control = document.querySelector(`[name="${name}"]`);
  control.value = value;
  control.dispatchEvent(new Event(control.type === 'range' ? 'input' : 'change', {bubbles: true}));
}"""


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


Visit = Callable[..., Tab]


def drawn(name: str, projects: int | None = None) -> Live:
    config = shipped_scenario(name)
    config.projects = projects or config.projects
    return Live(draw_portfolio(config, 0), config.budget)
