"""Counters of one API process, in Prometheus' text format."""

from collections import Counter
from collections.abc import Iterable
from typing import TypeVar

import msgspec

Key = TypeVar("Key")
Labels = tuple[tuple[str, str], ...]
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Sample(msgspec.Struct, frozen=True):
    labels: Labels
    value: float


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One name with its samples; `type` is Prometheus' own word."""

    name: str
    help: str
    type: str
    samples: list[Sample]


class Metrics:
    """Counts since the process started; written by middleware and the websocket, read by /metrics."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.refused: Counter[str] = Counter()
        self.closed: Counter[int] = Counter()
        self.inflight = 0
        self.loop_lag_s = 0.0

    def count_request(self, method: str, status: int, *, slug: str | None = None) -> None:
        self.requests[method, status] += 1
        if slug is not None:
            self.refused[slug] += 1

    def counters(self) -> list[Metric]:
        requests = [
            Sample((("method", method), ("status", str(status))), n) for (method, status), n in _rows(self.requests)
        ]
        refused = [Sample((("reason", reason),), count) for reason, count in _rows(self.refused)]
        closed = [Sample((("code", str(code)),), count) for code, count in _rows(self.closed)]
        return [
            Metric(name="clipline_http_requests_total", help="HTTP answers.", type="counter", samples=requests),
            Metric(name="clipline_refused_total", help="Work refused by a bound.", type="counter", samples=refused),
            Metric(name="clipline_websockets_closed_total", help="Closed by us.", type="counter", samples=closed),
            gauge("clipline_inflight_requests", "Requests being answered, probes aside.", self.inflight),
            gauge("clipline_event_loop_lag_seconds", "Longest stall in the last seconds.", self.loop_lag_s),
        ]


def _rows(counter: Counter[Key]) -> list[tuple[Key, int]]:
    return sorted(counter.items(), key=repr)


def gauge(name: str, help_text: str, value: float) -> Metric:
    return Metric(name=name, help=help_text, type="gauge", samples=[Sample((), value)])


def render(metrics: Iterable[Metric]) -> str:
    return "".join(_block(metric) for metric in metrics)


def _block(metric: Metric) -> str:
    lines = [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.type}"]
    lines += [f"{metric.name}{_braces(sample.labels)} {sample.value:g}" for sample in metric.samples]
    return "\n".join(lines) + "\n"


def _braces(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
