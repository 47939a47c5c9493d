"""What one worker counts: jobs and their stages, batches, caches, calls of the store; shown on its metrics port."""

from prometheus_client import CollectorRegistry, Counter, Histogram

from shared.jobs import Kind, Took
from shared.metrics import STAGE_BUCKETS_S, WAIT_BUCKETS_S, Labelled, LoopMeters, new_registry
from workers.batches import Batched

ITEM_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
FILL_BUCKETS = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


class JobMeters:
    """Runs of jobs and their stages."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.wait = Labelled(
            Histogram(
                "clipline_job_wait_seconds",
                "From when a job was due to its start.",
                ["kind", "lane"],
                registry=registry,
                buckets=WAIT_BUCKETS_S,
            )
        )
        self.run = Labelled(
            Histogram(
                "clipline_job_run_seconds",
                "Runs of jobs, by how they ended: succeeded, stopped, or the problem's type.",
                ["kind", "outcome"],
                registry=registry,
                buckets=WAIT_BUCKETS_S,
            )
        )
        self.stage = Labelled(
            Histogram(
                "clipline_job_stage_seconds",
                "Stages of jobs that succeeded: encode, search, and in total since they were due.",
                ["kind", "stage"],
                registry=registry,
                buckets=STAGE_BUCKETS_S,
            )
        )


class BatchMeters:
    """What goes to the device together."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.items = Labelled(
            Histogram("clipline_batch_items", "Requests in a batch.", ["kind"], registry=registry, buckets=ITEM_BUCKETS)
        )
        self.fill = Labelled(
            Histogram(
                "clipline_batch_fill_ratio",
                "Share of the largest batch allowed.",
                ["kind"],
                registry=registry,
                buckets=FILL_BUCKETS,
            )
        )
        self.wait = Labelled(
            Histogram(
                "clipline_batch_wait_seconds",
                "How long requests waited for the device.",
                ["kind"],
                registry=registry,
                buckets=STAGE_BUCKETS_S,
            )
        )
        self.run = Labelled(
            Histogram(
                "clipline_batch_run_seconds",
                "How long batches held the device.",
                ["kind"],
                registry=registry,
                buckets=STAGE_BUCKETS_S,
            )
        )

    def count(self, batch: Batched) -> None:
        self.items.of(batch.kind).observe(batch.items)
        self.fill.of(batch.kind).observe(batch.items / batch.room)
        self.run.of(batch.kind).observe(batch.took_s)
        waits = self.wait.of(batch.kind)
        for waited_s in batch.waits_s:
            waits.observe(waited_s)


class Metrics:
    """Counts since the process started. Labels are few: kinds, lanes, stages, problems; never a tenant."""

    def __init__(self) -> None:
        registry = self.registry = new_registry()
        self.loop = LoopMeters(registry)
        self._jobs = JobMeters(registry)
        self._batches = BatchMeters(registry)
        self._cache = Labelled(
            Counter(
                "clipline_cache_requests",
                "Texts by where their vector came from: miss, encoded; shared, the same batch; joined, under way here; "
                "awaited, under way on another worker; memory; redis.",
                ["cache", "outcome"],
                registry=registry,
            )
        )
        self._store = Labelled(
            Histogram(
                "clipline_store_seconds",
                "Calls of the vector store; ok, or the problem's type.",
                ["call", "outcome"],
                registry=registry,
                buckets=STAGE_BUCKETS_S,
            )
        )

        self._prepared = Labelled(
            Counter(
                "clipline_pictures_prepared",
                "Pictures of ingests by what decoded them: cpu, gpu.",
                ["by"],
                registry=registry,
            )
        )

    def waited(self, kind: Kind, lane: str, waited_s: float) -> None:
        self._jobs.wait.of(kind, lane).observe(waited_s)

    def ran(self, kind: Kind, outcome: str, took_s: float) -> None:
        self._jobs.run.of(kind, outcome).observe(took_s)

    def took(self, kind: Kind, took: Took) -> None:
        """The stages of a job that succeeded; one that it did not have is left out."""
        for stage, ms in (("encode", took.encode_ms), ("search", took.search_ms), ("total", took.total_ms)):
            if ms:
                self._jobs.stage.of(kind, stage).observe(ms / 1000)

    def batched(self, batch: Batched) -> None:
        """Called by the thread that owns the device, when the batch is handed back."""
        self._batches.count(batch)
        if batch.kind == "text":
            self._cache.of("text", "miss").inc(batch.distinct)
            self._cache.of("text", "shared").inc(batch.items - batch.distinct)

    def spared(self, outcome: str) -> None:
        """A text whose vector was not encoded for its asker."""
        self._cache.of("text", outcome).inc()

    def stored(self, call: str, outcome: str, took_s: float) -> None:
        self._store.of(call, outcome).observe(took_s)

    def prepared(self, by: str) -> None:
        """A picture on its way into a collection."""
        self._prepared.of(by).inc()
