"""GET /metrics of a worker, on a port of its own, from a thread: a busy event loop can be seen as well."""

import asyncio
import logging
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer

from prometheus_client.registry import Collector

from shared.metrics import exposition
from shared.settings import PREFIX, SettingsError

logger = logging.getLogger(__name__)

# One caller at a time; one that says nothing for so long is hung up on, so that the next gets its turn.
CALLER_S = 5.0
POLL_S = 0.1


class _Server(TCPServer):
    allow_reuse_address = True

    def __init__(self, host: str, port: int, source: Collector, *, caller_s: float) -> None:
        self.source = source
        self.caller_s = caller_s
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "clipline", ""

    def setup(self) -> None:
        self.request.settimeout(self.server.caller_s)
        super().setup()

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        text, content_type = exposition(self.server.source, self.headers.get("Accept", ""))
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        logger.debug(format, *args)


@asynccontextmanager
async def metrics_port(listen: str, source: Collector, *, caller_s: float = CALLER_S) -> AsyncIterator[str | None]:
    """Serves while entered; yields the URL, None when `listen` is empty. Raises SettingsError for a port in use."""
    if not listen:
        yield None
        return
    host, _, port = listen.rpartition(":")
    try:
        server = _Server(host.strip("[]"), int(port), source, caller_s=caller_s)
    except (OSError, OverflowError) as error:
        raise SettingsError(f"{PREFIX}METRICS_LISTEN={listen!r}: {error}") from error
    thread = threading.Thread(target=server.serve_forever, args=(POLL_S,), name="metrics", daemon=True)
    thread.start()
    url = f"http://{host}:{server.server_address[1]}/metrics"
    logger.info("metrics at %s", url)
    try:
        yield url
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
