"""The live page's server: Bokeh's, on the loopback address, one `Page` a browser tab.

Everything the page loads is served from here, and nothing is served to any other host: the socket is bound
to 127.0.0.1, requests must name this machine as their host, and websockets must come from this very page.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
import webbrowser

import numpy as np
from bokeh.document import Document
from bokeh.server.server import BaseServer
from bokeh.server.tornado import BokehTornado
from bokeh.server.util import bind_sockets
from bokeh.settings import settings
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.routing import HostMatches, Rule, RuleRouter

from engine.live.page import Page, Service

ADDRESS = "127.0.0.1"
HOSTS = r"(127\.0\.0\.1|localhost)$"
# Larger messages than this end the connection; what is larger than a portfolio may be is told before.
MOST_MESSAGE = 64_000_000


def serve(service: Service, port: int, browse: bool) -> None:
    """Serve the page until Ctrl-C or SIGTERM; `port` 0 takes a free one, `browse` opens a browser."""
    logging.getLogger("bokeh").addHandler(logging.StreamHandler())
    logging.getLogger("bokeh").setLevel(logging.ERROR)
    asyncio.run(_serve(service, port, browse))


async def _serve(service: Service, wanted: int, browse: bool) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server, port = start_server(service, wanted)
    address = f"http://{ADDRESS}:{port}"
    print(f"engine: live page at {address} (Ctrl-C ends it)", file=sys.stderr, flush=True)
    if browse:
        webbrowser.open(address)
    try:
        await stop.wait()
    finally:
        server.stop()
        service.worker.shutdown(wait=False, cancel_futures=True)
        if service.seconds:
            middle, most = 1e3 * np.median(service.seconds), 1e3 * max(service.seconds)
            count = f"{len(service.seconds)} answers"
            print(f"engine: {count}, median {middle:.1f} ms, at most {most:.1f} ms", file=sys.stderr)


def start_server(service: Service, wanted: int = 0) -> tuple[BaseServer, int]:
    """A server on the loopback address and the port it took."""
    settings.resources = "server"  # whatever the environment says: no file from elsewhere
    settings.allowed_ws_origin = []
    try:
        sockets, port = bind_sockets(ADDRESS, wanted)
    except OSError as error:
        reason = error.strerror or error
        raise ValueError(
            f"port is {wanted}, which cannot be taken ({reason}), expected a free one, or 0"
        ) from None
    for each in sockets:  # inherited by connections: no small message waits for another's acknowledgement
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def page(document: Document) -> None:
        Page(document, service)

    application = BokehTornado(
        {"/": page},
        extra_websocket_origins=[f"{ADDRESS}:{port}", f"localhost:{port}"],
        absolute_url=f"http://{ADDRESS}:{port}",
        websocket_max_message_size_bytes=MOST_MESSAGE,
    )
    http = HTTPServer(RuleRouter([Rule(HostMatches(HOSTS), application)]))
    http.add_sockets(sockets)
    server = BaseServer(IOLoop.current(), application, http)
    server.start()
    return server, port
