"""The real command on a free port, and a browser that cannot reach any other host."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.browser import CHROMIUM, ENGINE, Serve, Served, Tab, Visit


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start `engine demo` on a free port."""
    with contextlib.ExitStack() as stack:

        def start(*arguments: str) -> Served:
            process = subprocess.Popen(
                [ENGINE, "demo", "port=0", "open=false", *arguments],
                cwd=tmp_path,
                stderr=subprocess.PIPE,
                text=True,
            )
            served = Served(process)
            stack.callback(served.close)
            return served

        yield start


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Visit]:
    """Open the page in a browser that reaches this machine alone."""
    with contextlib.ExitStack() as stack:

        def visit(served: Served, query: str = "", width: int = 1280, scheme: Any = "light") -> Tab:
            context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
            stack.callback(context.close)
            tab = Tab(context.new_page(), [])
            tab.page.on("pageerror", lambda error: tab.strangers.append(str(error)))

            def allow(route: Any) -> None:
                if route.request.url.startswith(served.address + "/"):
                    route.continue_()
                else:
                    tab.strangers.append(route.request.url)
                    route.abort()

            context.route("**/*", allow)
            tab.page.goto(served.address + query)
            tab.shown()
            return tab

        yield visit
