"""The one place that knows OpenTelemetry; imported when its variables ask for traces."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.tracing import Role, Value

# What is left at the end is sent within this time, or lost.
CLOSE_S = 3.0
KINDS: dict[Role, SpanKind] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
    "client": SpanKind.CLIENT,
}
_propagator = TraceContextTextMapPropagator()


class RealSpan:
    """A span of OpenTelemetry behind our names."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> str | None:
        carrier: dict[str, str] = {}
        _propagator.inject(carrier, trace.set_span_in_context(self._span, Context()))
        return carrier.get("traceparent")

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def note(self, **attributes: Value | None) -> None:
        self._span.set_attributes(_dotted(attributes))

    def fail(self, reason: str) -> None:
        self._span.set_status(Status(StatusCode.ERROR))
        self._span.set_attribute("error.type", reason)


class OpenTelemetry:
    """Spans of one process; its provider is its own, not the global one."""

    on = True

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("clipline")

    @contextmanager
    def span(self, name: str, *, role: Role = "internal", parent: str | None = None) -> Iterator[RealSpan]:
        # What an exception says may be what somebody searched for; only its kind is told.
        with self._tracer.start_as_current_span(
            name, _place(parent), KINDS[role], record_exception=False, set_status_on_exception=False
        ) as span:
            real = RealSpan(span)
            try:
                yield real
            except BaseException as error:
                real.fail(getattr(error, "slug", type(error).__name__))
                raise

    def past(
        self,
        name: str,
        *,
        began_ns: int,
        ended_ns: int | None = None,
        parent: str | None = None,
        **attributes: Value | None,
    ) -> None:
        ended_ns = ended_ns or time.time_ns()
        span = self._tracer.start_span(
            name, _place(parent), attributes=_dotted(attributes), start_time=min(began_ns, ended_ns)
        )
        span.end(ended_ns)

    def close(self) -> None:
        # A collector that is away would be tried again for longer than a process has to end.
        closing = threading.Thread(target=self._provider.shutdown, name="spans", daemon=True)
        closing.start()
        closing.join(CLOSE_S)


def connect(service: str, exporter: str) -> OpenTelemetry:
    """Raises ValueError for an exporter that there is not."""
    named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    resource = Resource.create({} if named else {SERVICE_NAME: service})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    # Holds OTEL_BSP_MAX_QUEUE_SIZE spans, 2,048 unless set; what comes on top is dropped.
    provider.add_span_processor(BatchSpanProcessor(_exporter(exporter)))
    return OpenTelemetry(provider)


def _exporter(name: str) -> SpanExporter:
    if name == "console":
        return ConsoleSpanExporter()
    if name != "otlp":
        raise ValueError(f"OTEL_TRACES_EXPORTER={name!r}: there are otlp, console and none")
    protocol = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    if protocol not in (None, "", "http/protobuf"):
        raise ValueError(f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol!r}: there is http/protobuf, usually on port 4318")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


def _place(parent: str | None) -> Context | None:
    """None is the span under way."""
    if parent is None or trace.get_current_span().get_span_context().is_valid:
        return None
    return _propagator.extract({"traceparent": parent}, Context())


def _dotted(attributes: dict[str, Value | None]) -> dict[str, Value]:
    return {name.replace("__", "."): value for name, value in attributes.items() if value is not None}
