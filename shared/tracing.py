"""Spans of requests and jobs, for those who want them: off unless OpenTelemetry's own variables say otherwise.

`OTEL_TRACES_EXPORTER` (`otlp`, `console`, `none`) or `OTEL_EXPORTER_OTLP_ENDPOINT` switch them on, `OTEL_SERVICE_NAME`,
`OTEL_TRACES_SAMPLER` and the others mean what OpenTelemetry's specification says. Without its packages, which the extra
`otel` brings, everything else works.
"""

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, Protocol

logger = logging.getLogger(__name__)

Role = Literal["internal", "server", "producer", "consumer", "client"]
Value = str | int | float
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class Span(Protocol):
    """One that is under way."""

    @property
    def traceparent(self) -> str | None:
        """What others may name as their parent; None where nothing is traced."""

    def rename(self, name: str) -> None: ...

    def note(self, **attributes: Value | None) -> None:
        """Attach what is known; dots in names are written as two underscores. None is left out."""

    def fail(self, reason: str) -> None: ...


class Tracing(Protocol):
    """Makes spans. The parent is the span under way, else the traceparent given, else there is none."""

    on: bool

    def span(self, name: str, *, role: Role = "internal", parent: str | None = None) -> AbstractContextManager[Span]:
        """Around what it stands for; an error that leaves it makes it a failed one."""

    def past(
        self,
        name: str,
        *,
        began_ns: int,
        ended_ns: int | None = None,
        parent: str | None = None,
        **attributes: Value | None,
    ) -> None:
        """What is only known afterwards: nanoseconds of the wall clock; it ended now unless told otherwise."""

    def close(self) -> None:
        """Send what is left; takes some seconds at most."""


class _NoSpan:
    traceparent = None

    def rename(self, name: str) -> None:
        pass

    def note(self, **attributes: Value | None) -> None:
        pass

    def fail(self, reason: str) -> None:
        pass


class Untraced:
    """Makes no spans, and costs next to nothing."""

    on = False
    _nothing: AbstractContextManager[Span] = nullcontext(_NoSpan())

    def span(self, name: str, *, role: Role = "internal", parent: str | None = None) -> AbstractContextManager[Span]:
        return self._nothing

    def past(
        self,
        name: str,
        *,
        began_ns: int,
        ended_ns: int | None = None,
        parent: str | None = None,
        **attributes: Value | None,
    ) -> None:
        pass

    def close(self) -> None:
        pass


def open_tracing(service: str, environ: Mapping[str, str]) -> Tracing:
    """What the variables ask for; `service` is the name where they give none. The log tells when it cannot be had."""
    exporter = wanted(environ)
    if exporter is None:
        return Untraced()
    try:
        from shared.opentelemetry_spans import connect
    except ImportError:
        logger.warning("traces are asked for, but OpenTelemetry is not installed: pip install 'clipline[otel]'")
        return Untraced()
    try:
        tracing = connect(service, exporter)
    except ValueError as error:
        logger.warning("no traces: %s", error)
        return Untraced()
    logger.info("traces → %s", environ.get(ENDPOINTS[1]) or environ.get(ENDPOINTS[0]) or exporter)
    return tracing


def wanted(environ: Mapping[str, str]) -> str | None:
    """The exporter that the variables name; None when there shall be no traces."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if not exporter and any(environ.get(name) for name in ENDPOINTS):
        return "otlp"
    return exporter if exporter not in ("", "none") else None
