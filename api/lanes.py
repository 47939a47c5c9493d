"""What waits and runs in each lane, for probes, metrics and operators."""

import msgspec
from arq.connections import ArqRedis

from shared import keys
from shared.clock import now_ms
from shared.connection import redis_errors
from shared.jobs import LANES, Lane
from shared.settings import Settings

# Running jobs stand at the front of their lane, where the oldest are; nobody runs more than this at once.
LOOKED_AT = 2_000


class LaneView(msgspec.Struct, frozen=True, kw_only=True):
    """A queue as clients see it: `depth` jobs wait, the oldest since `oldest_age_s`."""

    name: Lane
    depth: int
    running: int
    oldest_age_s: float | None
    paused: bool = False
    max_depth: int = 0

    @property
    def has_room(self) -> bool:
        return self.depth + self.running < self.max_depth


class Lanes:
    """Reads the queues of one Redis in ranges; what it reads of each lane is bounded."""

    def __init__(self, redis: ArqRedis, settings: Settings) -> None:
        self.redis = redis
        self.most: dict[Lane, int] = {
            "interactive": settings.max_queued_interactive,
            "bulk": settings.max_queued_bulk,
        }

    async def all(self) -> list[LaneView]:
        return [await self.one(lane) for lane in LANES]

    async def one(self, lane: Lane) -> LaneView:
        """Raises QueueAway."""
        with redis_errors():
            total = await self.redis.zcard(keys.queue(lane))
            front = await self.redis.zrange(keys.queue(lane), 0, LOOKED_AT - 1, withscores=True)
            leases = await self.redis.mget([keys.ARQ_LEASE + job_id.decode() for job_id, _ in front]) if front else []
        waiting = [score for (_, score), lease in zip(front, leases, strict=True) if lease is None]
        running = len(front) - len(waiting)
        age_s = (now_ms() - waiting[0]) / 1000 if waiting and waiting[0] <= now_ms() else None
        return LaneView(
            name=lane,
            depth=max(0, total - running),
            running=running,
            oldest_age_s=None if age_s is None else round(age_s, 3),
            max_depth=self.most[lane],
        )
