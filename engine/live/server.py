"""The live page's server: the standard library's, on the loopback address, for whatever tabs are open.

Everything the page loads is served from here, and nothing is served to any other host: the socket is bound
to 127.0.0.1, requests must name this machine as their host, those of another page's origin are refused, and
all that computes must carry a header that browsers let only this very page set. The page runs no script but
its own file and speaks to no other host.

    GET /, /page.js, /page.css    the page
    GET /open, /answer            its questions, each an address; JSON, or 400 and one line
    GET /portfolio.csv, …         exports
    POST /file?NAME               a file that was chosen
"""

from __future__ import annotations

import functools
import json
import signal
import sys
import threading
import traceback
import webbrowser
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import numpy as np

from engine.live.model import MOST_UPLOAD
from engine.live.panels import colours_css
from engine.live.service import Service
from engine.study.words import counted

ADDRESS = "127.0.0.1"
HEADER = "X-Engine"  # what another origin's script cannot send unasked
# What is too large to be a portfolio is read and told of, up to here; what is larger ends the connection.
MOST_BODY = 64_000_000
SECONDS_IDLE = 600
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FIXED = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
EXPORTS = ("portfolio.csv", "draws.csv", "allocation.json", "figure.svg")
HERE = Path(__file__).parent


class Reply(NamedTuple):
    """What goes back."""

    content: bytes
    kind: str = "application/json"
    status: int = 200


class Handler(BaseHTTPRequestHandler):
    """One connection of a browser."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "engine", ""
    disable_nagle_algorithm = True  # no small message waits for another's acknowledgement
    wbufsize = -1
    timeout = SECONDS_IDLE
    service: Service
    port: int

    def do_GET(self) -> None:
        """A file of the page, or an answer."""
        path, query = urlsplit(self.path).path, urlsplit(self.path).query
        if self._stranger():
            return
        if path in PAGE:
            self._send(PAGE[path]())
        elif path in ("/open", "/answer"):
            ask = self.service.open if path == "/open" else self.service.answer
            self._answer(lambda: _as_json(ask(query)))
        elif path[1:] in EXPORTS:
            self._answer(lambda: _as_file(self.service.export(path[1:], query)))
        else:
            self._send(Reply(b"", "text/plain", 404))

    def do_POST(self) -> None:
        """A file that was chosen."""
        if self._stranger():
            return
        length = self.headers.get("Content-Length", "")
        if urlsplit(self.path).path != "/file" or not length.isdecimal() or int(length) > MOST_BODY:
            self.close_connection = True
            self._send(Reply(b"", "text/plain", 404))
            return
        name, size = unquote(urlsplit(self.path).query)[:300], int(length)
        content = self._body(size)
        if size > MOST_UPLOAD:
            wrong = f"{name}: has {size:,} bytes, expected at most {MOST_UPLOAD:,}"
            self._send(_as_json({"wrong": wrong}, 400))
            return
        self._answer(lambda: _as_json(self.service.upload(name, content)))

    def log_message(self, *_: Any) -> None:
        """Nothing: the terminal is for what is said to the user."""

    def _stranger(self) -> bool:
        """Whether the request is not of this very page, which is then answered."""
        port = "" if self.port == 80 else f":{self.port}"  # which browsers leave out
        mine = {f"{host}{port}" for host in (ADDRESS, "localhost")}
        origin = self.headers.get("Origin")
        status = 0
        if self.headers.get("Host", "") not in mine:
            status = 404
        elif (origin is not None and origin not in {f"http://{host}" for host in mine}) or (
            urlsplit(self.path).path not in PAGE and self.headers.get(HEADER) is None
        ):
            status = 403
        if status:
            self.close_connection = True
            self._send(Reply(b"", "text/plain", status))
        return bool(status)

    def _body(self, size: int) -> bytes:
        """The content that was sent, or nothing of one that is too large, read all the same."""
        if size <= MOST_UPLOAD:
            return self.rfile.read(size)
        while size > 0 and (part := self.rfile.read(min(size, 1 << 16))):
            size -= len(part)
        return b""

    def _answer(self, make: Callable[[], Reply]) -> None:
        """What is made, or one line on why it cannot be."""
        try:
            reply = make()
        except ValueError as error:
            reply = _as_json({"wrong": " ".join(str(error).split())[:300]}, 400)
        except Exception:  # one question's trouble is not the server's
            traceback.print_exc()
            reply = _as_json({"wrong": "this could not be answered; the terminal says why"}, 500)
        self._send(reply)

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in {**FIXED, "Content-Type": reply.kind}.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.send_header("Content-Length", str(len(reply.content)))
        self.end_headers()
        self.wfile.write(reply.content)
        self.wfile.flush()


class Server(ThreadingHTTPServer):
    """A thread a connection; one that is broken off is nobody's trouble."""

    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say what went wrong, unless the browser only left."""
        if not isinstance(sys.exc_info()[1], OSError):
            traceback.print_exc()


def _as_json(found: dict[str, Any], status: int = 200) -> Reply:
    return Reply(json.dumps(found, separators=(",", ":")).encode(), "application/json", status)


def _as_file(export: Any) -> Reply:
    return Reply(export.content.encode(), export.kind)


@functools.cache
def _page(name: str, kind: str) -> Reply:
    text = (HERE / name).read_text(encoding="utf-8")
    return Reply((colours_css() + text if kind == "text/css" else text).encode(), f"{kind}; charset=utf-8")


PAGE = {
    "/": functools.partial(_page, "page.html", "text/html"),
    "/page.js": functools.partial(_page, "page.js", "text/javascript"),
    "/page.css": functools.partial(_page, "page.css", "text/css"),
}


def serve(service: Service, port: int, browse: bool) -> None:
    """Serve the page until Ctrl-C or SIGTERM; `port` 0 takes a free one, `browse` opens a browser."""
    stop = threading.Event()
    server = start_server(service, port)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    address = f"http://{ADDRESS}:{server.server_port}"
    print(f"engine: live page at {address} (Ctrl-C ends it)", file=sys.stderr, flush=True)
    if browse:
        webbrowser.open(address)
    try:
        stop.wait()
    finally:
        server.shutdown()
        service.lock.acquire()  # what is being computed ends, and nothing more begins
        if service.seconds:
            middle, most = 1e3 * np.median(service.seconds), 1e3 * max(service.seconds)
            count = counted(len(service.seconds), "answer")
            print(f"engine: {count}, median {middle:.1f} ms, at most {most:.1f} ms", file=sys.stderr)


def start_server(service: Service, wanted: int = 0) -> Server:
    """A server on the loopback address, at work in a thread of its own.

    **Raises:** `ValueError` for a port that cannot be taken.
    """
    handler = type("Bound", (Handler,), {"service": service})
    try:
        server = Server((ADDRESS, wanted), handler)
    except OSError as error:
        reason = error.strerror or error
        raise ValueError(
            f"port is {wanted}, which cannot be taken ({reason}), expected a free one, or 0"
        ) from None
    handler.port = server.server_port  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    return server
