"""How Redis fares: the memory that it has left, and how far a reader of its events is behind."""

from typing import Any

import msgspec
from arq.connections import ArqRedis
from redis.exceptions import ResponseError

from shared import keys
from shared.connection import redis_errors
from shared.events import order

# One search may bring a picture of some MiB, so the last bit does not count as room.
FULL_FROM = 0.98


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Without room Redis refuses what would be written, and answers all else. `max_bytes` is 0 without a bound."""

    used_bytes: int = 0
    max_bytes: int = 0

    @property
    def has_room(self) -> bool:
        return self.max_bytes == 0 or self.used_bytes < FULL_FROM * self.max_bytes


async def memory_of(redis: ArqRedis) -> Memory:
    """What INFO says; buffers of the append-only file and of replicas do not count. Raises QueueAway."""
    with redis_errors():
        try:
            told: dict[str, Any] = await redis.info("memory")
        except ResponseError:
            # Some providers forbid INFO; a full memory is then seen by the first refusal alone.
            return Memory()
    counted = int(told.get("used_memory", 0)) - int(told.get("mem_not_counted_for_evict", 0))
    return Memory(used_bytes=max(0, counted), max_bytes=int(told.get("maxmemory", 0)))


async def unread_s(redis: ArqRedis, position: str) -> float:
    """Age of the first event after an offset, 0.0 when there is none; all by Redis' own clock. Raises QueueAway."""
    with redis_errors():
        async with redis.pipeline(transaction=False) as pipe:
            pipe.time()
            pipe.xrange(keys.EVENTS, min=f"({position}", count=1)
            (seconds, microseconds), found = await pipe.execute()
    if not found:
        return 0.0
    written_ms, _ = order(found[0][0].decode())
    age_s: float = seconds + microseconds / 1e6 - written_ms / 1000
    return max(0.0, age_s)
