"""Connections to Redis: a bounded pool for calls, and separate ones for blocking reads."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from arq.connections import ArqRedis
from redis import exceptions
from redis.asyncio import BlockingConnectionPool, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff

from shared import wire
from shared.errors import QueueAway, QueueFull, Unavailable
from shared.packing import packed_in_c
from shared.settings import Settings

CONNECT_TIMEOUT_S = 2.0
CALL_TIMEOUT_S = 5.0
# A blocking read returns after BLOCK_S at the latest, so a silent connection is known to be dead soon after.
BLOCK_S = 5.0
POOL_SIZE = 64
AWAY = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.BusyLoadingError,
    exceptions.ReadOnlyError,
    OSError,
)

OUT_OF_MEMORY = "OOM command not allowed"
NOT_READY = ("READONLY", "MASTERDOWN", "NOREPLICAS", "UNKILLABLE", "BUSY Redis", "LOADING")
FULL_RETRY_S = 5


def _pool(url: str, *, blocking: bool) -> ConnectionPool:
    common = {
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "retry": Retry(ExponentialBackoff(cap=0.5, base=0.02), 2),
        "retry_on_error": [exceptions.ConnectionError],
        "health_check_interval": 30,
    }
    if blocking:
        return ConnectionPool.from_url(url, max_connections=4, socket_timeout=3 * BLOCK_S, **common)
    return BlockingConnectionPool.from_url(
        url, max_connections=POOL_SIZE, timeout=CALL_TIMEOUT_S, socket_timeout=CALL_TIMEOUT_S, **common
    )


@asynccontextmanager
async def connect(settings: Settings, *, blocking: bool = False) -> AsyncIterator[ArqRedis]:
    """An arq client over its own pool; `blocking` for reads that wait. Connects on first use, not here."""
    redis = ArqRedis(
        packed_in_c(_pool(settings.redis_url, blocking=blocking)),
        job_serializer=wire.encode,
        job_deserializer=wire.decode,
    )
    try:
        yield redis
    finally:
        await redis.connection_pool.disconnect()


def known(error: BaseException) -> Unavailable | None:
    """What an error of Redis means to a client, or None; Redis 6.2 tells those of a script only in the text."""
    if isinstance(error, AWAY):
        return QueueAway(f"Redis does not answer: {error}")
    text = str(error)
    if isinstance(error, exceptions.OutOfMemoryError) or OUT_OF_MEMORY in text:
        return QueueFull("Redis has no memory left", retry_after_s=FULL_RETRY_S)
    if isinstance(error, exceptions.ResponseError) and any(word in text for word in NOT_READY):
        return QueueAway(f"Redis cannot take writes: {text}")
    return None


@contextmanager
def redis_errors() -> Iterator[None]:
    """Turn lost connections, a replica and a full memory into QueueAway and QueueFull, which clients may see."""
    try:
        yield
    except (*AWAY, exceptions.ResponseError) as error:
        if (problem := known(error)) is None:
            raise
        raise problem from error
