"""Outermost middleware: an id and a span for every request, one log line for every answer, no answer without an id."""

import logging
import re
from time import monotonic
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems
from api.metrics import Metrics, route_of
from shared.logs import about
from shared.trace_context import following, trace_id
from shared.tracing import Span, Tracing

logger = logging.getLogger(__name__)

HEADER = "X-Request-Id"
WELL_FORMED = re.compile(r"[A-Za-z0-9._:-]{8,64}")
TRACEPARENT = "traceparent"
QUIET = frozenset({"/healthz", "/readyz", "/metrics"})


class Trace:
    """Accepts a caller's well-formed X-Request-Id, else takes its trace's id, else makes one; jobs carry it on.

    A caller's W3C `traceparent` is followed, and goes on with the jobs even where nothing is traced here.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, tracing: Tracing) -> None:
        self.app = app
        self.metrics = metrics
        self.tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        parent = headers.get(TRACEPARENT)
        with following(parent if trace_id(parent) else None):
            if scope["type"] == "websocket":
                # Each search of a websocket is a trace of its own.
                with about(trace=_id(headers, parent)):
                    await self.app(scope, receive, send)
            elif scope["path"] in QUIET:
                await self._answer(scope, receive, send, _id(headers, parent), None)
            else:
                with self.tracing.span(scope["method"], role="server", parent=parent) as span:
                    await self._answer(scope, receive, send, _id(headers, span.traceparent or parent), span)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, request_id: str, span: Span | None) -> None:
        with about(trace=request_id):
            await _Answer(self, scope, send, request_id, span).run(receive)


def _id(headers: Headers, traceparent: str | None) -> str:
    given = headers.get(HEADER, "")
    return given if WELL_FORMED.fullmatch(given) else trace_id(traceparent) or uuid4().hex


class _Answer:
    """Follows one response on its way out."""

    def __init__(self, trace: Trace, scope: Scope, send: Send, request_id: str, span: Span | None) -> None:
        self.outer = trace
        self.scope = scope
        self._send = send
        self.request_id = request_id
        self.span = span
        self.status = 0
        self.started = monotonic()

    async def run(self, receive: Receive) -> None:
        try:
            await self.outer.app(self.scope, receive, self.send)
        except Exception:
            logger.exception("%s %s failed", self.scope["method"], self.scope["path"])
            if self.status:
                raise
            await problems.unexpected(self.request_id)(self.scope, receive, self.send)
        finally:
            self._tell(took_s=monotonic() - self.started)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers[HEADER] = self.request_id
            headers["X-Content-Type-Options"] = "nosniff"
        await self._send(message)

    def _tell(self, *, took_s: float) -> None:
        method, path = self.scope["method"], self.scope["path"]
        self.outer.metrics.answered(self.scope, status=self.status, took_s=took_s)
        if self.span is not None:
            self._end(self.span)
        identity = self.scope.get("state", {}).get("identity")
        level = logging.DEBUG if path in QUIET else logging.INFO
        caller = (self.scope.get("client") or ("-",))[0]
        with about(tenant=identity.tenant if identity else None):
            logger.log(level, "%s %s → %d in %.1f ms for %s", method, path, self.status, took_s * 1000, caller)

    def _end(self, span: Span) -> None:
        """Names are those of OpenTelemetry's HTTP conventions."""
        method, route = self.scope["method"], route_of(self.scope)
        span.rename(f"{method} {route}")
        span.note(http__request__method=method, http__route=route, url__path=self.scope["path"])
        span.note(http__response__status_code=self.status)
        if self.status >= 500:
            span.fail(str(self.status))
