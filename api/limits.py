"""Bounds that all callers of one process share."""

import re

from starlette.types import ASGIApp, Receive, Scope, Send

from api import problems
from api.metrics import Metrics
from shared.errors import Unavailable

# Probes must be answered when everything else is refused: that is what they are for.
EXEMPT = frozenset({"/healthz", "/readyz", "/metrics"})


# Streams stay open for as long as a job takes; like websockets they have a bound of their own.
STREAM = re.compile(r"/v1/jobs/[^/]+/events")


class Inflight:
    """Refuses requests beyond `most` at once with 503; long polls count, streams and websockets do not. Of those that
    come together few begin in one turn of the event loop.
    """

    def __init__(self, app: ASGIApp, most: int, metrics: Metrics) -> None:
        self.app = app
        self.most = most
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in EXEMPT or STREAM.fullmatch(scope["path"]):
            await self.app(scope, receive, send)
            return
        if self.metrics.inflight >= self.most:
            self.metrics.refuse("inflight")
            refusal = Unavailable(f"{self.most:,} requests are already being answered")
            await problems.answer(refusal.problem())(scope, receive, send)
            return
        self.metrics.inflight += 1
        try:
            await scope["state"]["turns"].mine()
            await self.app(scope, receive, send)
        finally:
            self.metrics.inflight -= 1
