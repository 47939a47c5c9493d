"""Traces: off unless asked for, told when they cannot be had, and then true."""

import logging
import subprocess
import sys
import time

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from shared.errors import StoreAway
from shared.opentelemetry_spans import OpenTelemetry
from shared.trace_context import trace_id
from shared.tracing import Untraced, open_tracing, wanted
from tests.collector import collecting

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
UNSAMPLED = TRACEPARENT[:-1] + "0"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(exporter: InMemorySpanExporter) -> OpenTelemetry:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return OpenTelemetry(provider)


@pytest.mark.parametrize(
    ("environ", "exporter"),
    [
        ({}, None),
        ({"OTEL_SERVICE_NAME": "mine"}, None),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "otlp"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": " Console "}, "console"),
    ],
)
def test_the_standard_variables_switch_traces_on(environ: dict[str, str], exporter: str | None) -> None:
    assert wanted(environ) == exporter


def test_off_it_makes_no_spans_and_imports_nothing() -> None:
    probe = (
        "import sys, os; from shared.tracing import open_tracing; import api.app, workers.parts\n"
        "with open_tracing('x', {}).span('a') as span: print(span.traceparent, span.note(a=1), span.fail('b'))\n"
        "print(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    ended = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["None", "None", "None", "False"]


def test_without_the_packages_all_else_works_and_the_log_says_so() -> None:
    probe = (
        "import sys, logging; logging.basicConfig(); sys.modules['opentelemetry'] = None\n"
        "from shared.tracing import open_tracing; print(open_tracing('x', {'OTEL_TRACES_EXPORTER': 'otlp'}).on)"
    )
    ended = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "False"
    assert "clipline[otel]" in ended.stderr


@pytest.mark.parametrize(
    ("name", "value"), [("OTEL_TRACES_EXPORTER", "zipkin"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]
)
def test_what_there_is_not_is_named_in_the_log(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.setenv(name, value)
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", name: value}
    assert isinstance(open_tracing("x", environ), Untraced)
    assert name in caplog.text


def test_spans_inside_each_other_are_one_tree_under_the_caller(
    tracing: OpenTelemetry, exporter: InMemorySpanExporter
) -> None:
    with tracing.span("outer", role="server", parent=TRACEPARENT) as outer:
        began_ns = time.time_ns()
        with tracing.span("inner", parent="00-" + "1" * 32 + "-" + "2" * 16 + "-01"):
            pass
        tracing.past("before", began_ns=began_ns, parent=TRACEPARENT, clipline__batch__items=3, left_out=None)
    inner, before, last = exporter.get_finished_spans()

    assert {trace_id(outer.traceparent)} == {"4bf92f3577b34da6a3ce929d0e0e4736"}
    assert [one.name for one in (inner, before, last)] == ["inner", "before", "outer"]
    assert inner.parent == before.parent == last.context
    assert dict(before.attributes or {}) == {"clipline.batch.items": 3}
    assert last.parent is not None
    assert format(last.parent.span_id, "016x") == "00f067aa0ba902b7"


def test_an_error_fails_its_span_without_telling_what_it_says(
    tracing: OpenTelemetry, exporter: InMemorySpanExporter
) -> None:
    with pytest.raises(StoreAway), tracing.span("store search"):
        raise StoreAway("somebody's words")
    [span] = exporter.get_finished_spans()

    assert span.status.status_code is StatusCode.ERROR
    assert dict(span.attributes or {}) == {"error.type": "store-away"}
    assert not span.events
    assert "somebody" not in span.to_json()


def test_a_caller_who_samples_nothing_is_followed(tracing: OpenTelemetry, exporter: InMemorySpanExporter) -> None:
    with tracing.span("outer", parent=UNSAMPLED) as outer:
        assert outer.traceparent is not None
        assert outer.traceparent.endswith("-00")
    assert not exporter.get_finished_spans()


def test_what_is_left_is_sent_at_the_end_to_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting() as collector:
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        tracing = open_tracing("clipline-test", environ)
        with tracing.span("work"):
            pass
        tracing.close()
        [span] = collector.spans
    assert (span.name, span.service, span.parent) == ("work", "clipline-test", "")
