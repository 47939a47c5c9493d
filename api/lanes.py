"""What waits and runs in each lane, for probes, metrics and operators."""

import msgspec
from arq.connections import ArqRedis

from shared import keys
from shared.clock import now_ms
from shared.connection import redis_errors
from shared.lanes import lanes_of, model_of, urgency_of
from shared.model_names import DEFAULT_MODEL
from shared.settings import Settings

# Workers that are told at once that a lane goes on; the others find out within half a second.
WOKEN = 16


class LaneView(msgspec.Struct, frozen=True, kw_only=True):
    """A queue as clients see it: `depth` jobs wait, the oldest since `oldest_age_s`, for a worker that holds the model
    `model_name`.
    """

    name: str
    depth: int
    running: int
    oldest_age_s: float | None
    paused: bool = False
    max_depth: int = 0
    model_name: str = DEFAULT_MODEL

    @property
    def has_room(self) -> bool:
        return self.depth + self.running < self.max_depth


class Lanes:
    """Reads and pauses the queues of one Redis."""

    def __init__(self, redis: ArqRedis, settings: Settings) -> None:
        self.redis = redis
        self.names = lanes_of(settings.model_names)
        self.most = {"interactive": settings.max_queued_interactive, "bulk": settings.max_queued_bulk}

    async def all(self) -> list[LaneView]:
        return [await self.one(lane) for lane in self.names]

    async def one(self, lane: str) -> LaneView:
        """Raises QueueAway."""
        with redis_errors():
            # No transaction: Redis refuses those when it has no memory left, and that is when one wants to know.
            async with self.redis.pipeline(transaction=False) as pipe:
                pipe.zcard(keys.queue(lane))
                pipe.zcard(keys.lane_jobs(lane, "running"))
                pipe.zrange(keys.lane_jobs(lane, "queued"), 0, 0, withscores=True)
                pipe.hexists(keys.lane(lane), "paused")
                total, running, first, paused = await pipe.execute()
        age_s = max(0.0, (now_ms() - first[0][1]) / 1000) if first else None
        return LaneView(
            name=lane,
            depth=max(0, total - running),
            running=running,
            oldest_age_s=None if age_s is None else round(age_s, 3),
            paused=bool(paused),
            max_depth=self.most[urgency_of(lane)],
            model_name=model_of(lane),
        )

    async def pause(self, lane: str) -> None:
        """Jobs are still accepted, none is handed out; those that run go on. Raises QueueAway."""
        with redis_errors():
            await self.redis.hset(keys.lane(lane), "paused", "1")

    async def resume(self, lane: str) -> None:
        """Raises QueueAway."""
        with redis_errors():
            async with self.redis.pipeline(transaction=True) as pipe:
                # Together, so that no worker wakes up to a lane that is still paused.
                pipe.hdel(keys.lane(lane), "paused")
                pipe.rpush(keys.wake(lane), *["1"] * WOKEN)
                pipe.ltrim(keys.wake(lane), -256, -1)
                await pipe.execute()
