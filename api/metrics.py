"""What one API process counts: answers, refusals, websockets; read at /metrics."""

from prometheus_client import Counter, Gauge, Histogram
from starlette.types import Scope

from shared.metrics import WAIT_BUCKETS_S, Labelled, LoopMeters, new_registry

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
# Refused before it was routed, or an address that does not exist: callers invent those, labels must stay few.
UNROUTED = "none"


class Metrics:
    """Counts since the process started; every process has its own, Prometheus adds them up."""

    def __init__(self) -> None:
        self.registry = new_registry()
        self.inflight = 0
        self.loop = LoopMeters(self.registry)
        self._answers = Labelled(
            Histogram(
                "clipline_http_request_duration_seconds",
                "HTTP answers by route and status; a long poll's wait included.",
                ["method", "route", "status"],
                registry=self.registry,
                buckets=WAIT_BUCKETS_S,
            )
        )
        self._refused = Counter(
            "clipline_refused",
            "Work refused for the time being, by the problem's type.",
            ["reason"],
            registry=self.registry,
        )
        self._closed = Counter(
            "clipline_websockets_closed", "Websockets closed by us, by code.", ["code"], registry=self.registry
        )
        inflight = Gauge("clipline_inflight_requests", "Requests being answered, probes aside.", registry=self.registry)
        inflight.set_function(lambda: self.inflight)

    def answered(self, scope: Scope, *, status: int, took_s: float) -> None:
        """Count one answer. The route is its template, so that ids are no labels."""
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._answers.of(method, route_of(scope), str(status)).observe(took_s)

    def refuse(self, reason: str) -> None:
        """Count work that is told to come back later; `reason` is a problem's type."""
        self._refused.labels(reason).inc()

    def close(self, code: int) -> None:
        """Count a websocket that we close."""
        self._closed.labels(str(code)).inc()


def route_of(scope: Scope) -> str:
    """The template of the address that was called, as `/v1/jobs/{job_id}`."""
    path: str = getattr(scope.get("route"), "path", UNROUTED)
    return path
