"""What a worker shows as it is at that moment: what runs, what waits for the device, how much memory that has."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from workers.batches import joined
from workers.parts import Parts
from workers.worker import Worker


class Gauges(Collector):
    """Reads one worker when it is asked."""

    def __init__(self, worker: Worker, parts: Parts) -> None:
        self.worker = worker
        self.parts = parts

    def collect(self) -> Iterable[Metric]:
        yield self._info()
        yield from self._jobs()
        yield from self._batches()
        yield self._memory()

    def _info(self) -> Metric:
        names = ["worker", "device", "model", "precision"]
        text = "This worker, once for each model that it holds; always 1."
        family = GaugeMetricFamily("clipline_worker_info", text, labels=names)
        for one in self.parts.models.values():
            model = one.encoder.info
            family.add_metric([self.worker.worker_id, model.device, model.model, model.precision], 1.0)
        return family

    def _jobs(self) -> Iterable[Metric]:
        running = [one.lane for one in list(self.worker.running.values())]
        now = GaugeMetricFamily("clipline_worker_running", "Jobs that this worker runs.", labels=["lane"])
        most = GaugeMetricFamily("clipline_worker_places", "Jobs that it may run at once.", labels=["lane"])
        for lane, places in self.worker.places.items():
            now.add_metric([lane], sum(one == lane for one in running))
            most.add_metric([lane], places)
        yield now
        yield most
        retried = "Attempts that were handed back to be tried again."
        yield CounterMetricFamily("clipline_worker_retried", retried, value=self.worker.jobs_retried)

    def _batches(self) -> Iterable[Metric]:
        stats = joined([one.batcher.stats() for one in self.parts.models.values()])
        yield GaugeMetricFamily("clipline_encoder_waiting", "Requests that wait for the device.", value=stats.queued)
        dropped = "Requests that nobody waited for any more when their turn came."
        yield CounterMetricFamily("clipline_encoder_dropped", dropped, value=stats.dropped)
        yield CounterMetricFamily("clipline_encoder_failed", "Requests that the model failed on.", value=stats.failed)
        halved = "Batches that did not fit into the device's memory, and were tried again in halves."
        yield CounterMetricFamily("clipline_encoder_halved", halved, value=stats.halved)
        busy = "Time that the device was busy; its rate is the share."
        yield CounterMetricFamily("clipline_device_busy_seconds", busy, value=stats.busy_s)

    def _memory(self) -> Metric:
        text = "The device's memory: by tensors (allocated), by the process (reserved), free and total. None of a CPU."
        family = GaugeMetricFamily("clipline_device_memory_bytes", text, labels=["kind"])
        for kind, value in self.parts.encoder.memory_bytes().items():
            family.add_metric([kind], value)
        return family


@contextmanager
def shown(worker: Worker, parts: Parts) -> Iterator[None]:
    """While entered, the registry tells of this worker."""
    gauges = Gauges(worker, parts)
    parts.metrics.registry.register(gauges)
    try:
        yield
    finally:
        parts.metrics.registry.unregister(gauges)
