"""Outermost middleware: a trace id for every request, one log line for every answer, and no answer without either."""

import logging
import re
from time import monotonic
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems
from api.metrics import Metrics
from shared.logs import about

logger = logging.getLogger(__name__)

HEADER = "X-Request-Id"
WELL_FORMED = re.compile(r"[A-Za-z0-9._:-]{8,64}")
QUIET = frozenset({"/healthz", "/readyz", "/metrics"})


class Trace:
    """Accepts a caller's well-formed X-Request-Id, else makes one; the job that is submitted carries it on."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        trace = given if WELL_FORMED.fullmatch(given) else uuid4().hex
        with about(trace=trace):
            if scope["type"] == "http":
                await _Answer(self, scope, send, trace).run(receive)
            else:
                await self.app(scope, receive, send)


class _Answer:
    """Follows one response on its way out."""

    def __init__(self, trace: Trace, scope: Scope, send: Send, trace_id: str) -> None:
        self.outer = trace
        self.scope = scope
        self._send = send
        self.trace_id = trace_id
        self.status = 0
        self.started = monotonic()

    async def run(self, receive: Receive) -> None:
        try:
            await self.outer.app(self.scope, receive, self.send)
        except Exception:
            logger.exception("%s %s failed", self.scope["method"], self.scope["path"])
            if self.status:
                raise
            await problems.unexpected(self.trace_id)(self.scope, receive, self.send)
        finally:
            self._log()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers[HEADER] = self.trace_id
            headers["X-Content-Type-Options"] = "nosniff"
        await self._send(message)

    def _log(self) -> None:
        method, path = self.scope["method"], self.scope["path"]
        self.outer.metrics.count_request(method, self.status)
        level = logging.DEBUG if path in QUIET else logging.INFO
        took_ms = (monotonic() - self.started) * 1000
        identity = self.scope.get("state", {}).get("identity")
        with about(tenant=identity.tenant if identity else None):
            logger.log(level, "%s %s → %d in %.1f ms", method, path, self.status, took_ms)
