"""What API and workers measure alike: a registry for each process, buckets, and the text that Prometheus reads."""

from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

# From an idle queue's answer to a long poll's; dense where a person begins to feel it.
WAIT_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 120.0, 600.0)
STAGE_BUCKETS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
LAG_BUCKETS_S = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


class Readable(Protocol):
    """Whatever can be asked for its metrics: a registry, a collector, several of them."""

    def collect(self) -> Iterable[Metric]: ...


def new_registry() -> CollectorRegistry:
    """A process's own, with its memory, CPU time and open files."""
    # When each series began says nothing that its own resets do not, and would double the text.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry


class Joined(Collector):
    """Several sources read as one."""

    def __init__(self, *sources: Readable) -> None:
        self.sources = sources

    def collect(self) -> Iterable[Metric]:
        for source in self.sources:
            yield from source.collect()


def exposition(source: Collector, accept: str) -> tuple[bytes, str]:
    """The text and its content type, in the newest format that an Accept header names."""
    encode, content_type = choose_encoder(accept)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(source)
    return encode(registry), content_type


Meter = TypeVar("Meter", Counter, Histogram)


class Labelled(Generic[Meter]):
    """A metric's series by their labels; the library's own look-up costs more than counting."""

    def __init__(self, metric: Meter) -> None:
        self._metric: Meter = metric
        self._series: dict[tuple[str, ...], Meter] = {}

    def of(self, *labels: str) -> Meter:
        found = self._series.get(labels)
        if found is None:
            found = self._series[labels] = self._metric.labels(*labels)
        return found


class LoopMeters:
    """How an event loop fares; `loop_watch` fills it in."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.lag = Histogram(
            "clipline_event_loop_lag_seconds",
            "How late the event loop came back to a task that had slept.",
            registry=registry,
            buckets=LAG_BUCKETS_S,
        )
        self.longest = Gauge(
            "clipline_event_loop_longest_lag_seconds", "The longest lag of the last seconds.", registry=registry
        )
        self.slow = Counter(
            "clipline_event_loop_slow_callbacks", "Times that something held the event loop up.", registry=registry
        )
