"""What workers tell about themselves, and who is alive."""

import msgspec
from arq.connections import ArqRedis

from shared import keys
from shared.clock import now_ms
from shared.connection import redis_errors
from shared.errors import WorkerNotFound
from shared.model_names import DEFAULT_MODEL

BEAT_S = 2.0
# Three missed beats: a worker that is only slow is not taken for dead.
GONE_S = 3 * BEAT_S
# What the control channel says to a worker that shall drain, before its id.
DRAIN = "drain "
DRAIN_KEPT_S = 3_600


class HeldModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that a worker holds: its name in the fleet, what it is, and the budget of its batches, as in the
    worker's own fields.
    """

    name: str
    model: str
    fingerprint: str
    dim: int
    precision: str
    max_batch: int = 0
    max_batch_tokens: int = 0
    max_batch_images: int = 0
    texts_s: float = 0.0
    text_batch_ms: float = 0.0
    images_s: float = 0.0
    image_batch_ms: float = 0.0


class WorkerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One heartbeat; counters only grow. `batch_sizes` counts batches of 1, 2, up to 4, up to 8 … items.

    `max_batch` texts, of `max_batch_tokens` together, or `max_batch_images` pictures go to the device at once. Rates
    and times of such batches are what the worker measured at its start; 0 where sizes were set by hand. Of several
    `models`, which share the device, those and `model` are the first one's; the counters are of all together.
    """

    id: str
    host: str
    pid: int
    state: str
    device: str
    model: str
    fingerprint: str
    dim: int
    precision: str
    store: str
    started_at: str
    last_seen_at: str
    max_jobs: int
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    retried: int = 0
    batches: int = 0
    items: int = 0
    largest_batch: int = 0
    busy_s: float = 0.0
    waiting: int = 0
    memory_bytes: int = 0
    device_memory_bytes: int = 0
    batch_sizes: list[int] = msgspec.field(default_factory=list)
    cache_hits: int = 0
    cache_misses: int = 0
    halved_batches: int = 0
    max_batch: int = 0
    max_batch_tokens: int = 0
    max_batch_images: int = 0
    texts_s: float = 0.0
    text_batch_ms: float = 0.0
    images_s: float = 0.0
    image_batch_ms: float = 0.0
    models: list[HeldModel] = msgspec.field(default_factory=list)

    @property
    def is_ready(self) -> bool:
        """Whether it takes jobs; one that drains does not."""
        return self.state == "running"

    def holds(self, name: str) -> bool:
        """Whether it takes jobs of a model. One of a release that told of none has the default one."""
        return any(one.name == name for one in self.models) if self.models else name == DEFAULT_MODEL


class Fleet:
    """Heartbeats of the workers on one Redis."""

    def __init__(self, redis: ArqRedis) -> None:
        self.redis = redis

    async def beat(self, info: WorkerInfo) -> bool:
        """Tell that a worker lives; the record goes by itself when the beats stop. Returns whether it shall drain."""
        with redis_errors():
            async with self.redis.pipeline(transaction=True) as pipe:
                # Record and index together: a listed worker has a record, until it expires.
                pipe.set(keys.worker(info.id), msgspec.msgpack.encode(info), px=int(GONE_S * 1000))
                pipe.zadd(keys.WORKERS, {info.id: now_ms()})
                pipe.zremrangebyscore(keys.WORKERS, "-inf", now_ms() - int(10 * GONE_S * 1000))
                pipe.exists(keys.drain(info.id))
                *_, drain = await pipe.execute()
        return bool(drain)

    async def drain(self, worker_id: str) -> None:
        """Ask a live worker to take no more jobs, finish or hand back what it has, and end. Raises WorkerNotFound."""
        with redis_errors():
            if not await self.redis.exists(keys.worker(worker_id)):
                raise WorkerNotFound(f"no worker {worker_id!r}")
            async with self.redis.pipeline(transaction=True) as pipe:
                # The key for a worker that does not hear the call just now.
                pipe.set(keys.drain(worker_id), "1", ex=DRAIN_KEPT_S)
                pipe.publish(keys.CONTROL, DRAIN + worker_id)
                await pipe.execute()

    async def leave(self, worker_id: str) -> None:
        with redis_errors():
            async with self.redis.pipeline(transaction=True) as pipe:
                pipe.delete(keys.worker(worker_id))
                pipe.zrem(keys.WORKERS, worker_id)
                await pipe.execute()

    async def live(self) -> list[WorkerInfo]:
        """Workers whose last beat is less than GONE_S old."""
        with redis_errors():
            ids = await self.redis.zrange(keys.WORKERS, 0, -1)
            raws = await self.redis.mget([keys.worker(one.decode()) for one in ids]) if ids else []
        return [msgspec.msgpack.decode(raw, type=WorkerInfo) for raw in raws if raw]
