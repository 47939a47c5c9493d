"""Connections to Redis: a bounded pool for calls, and separate ones for blocking reads."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from arq.connections import ArqRedis
from redis import Redis, exceptions
from redis.asyncio import BlockingConnectionPool, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff

from shared import sentinel, wire
from shared.errors import QueueAway, QueueFull, Unavailable
from shared.packing import packed_in_c
from shared.settings import Settings, SettingsError

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
# UNBLOCKED: it was demoted while somebody waited in it.
NOT_READY = ("READONLY", "MASTERDOWN", "NOREPLICAS", "UNBLOCKED", "UNKILLABLE", "BUSY Redis", "LOADING")
FULL_RETRY_S = 5


def _pool(url: str, *, blocking: bool) -> ConnectionPool:
    common: dict[str, Any] = {
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "retry": Retry(ExponentialBackoff(cap=0.5, base=0.02), 2),
        "retry_on_error": [exceptions.ConnectionError],
        "health_check_interval": 30,
    }
    if blocking:
        common |= {"max_connections": 4, "socket_timeout": 3 * BLOCK_S}
    else:
        common |= {"max_connections": POOL_SIZE, "timeout": CALL_TIMEOUT_S, "socket_timeout": CALL_TIMEOUT_S}
    if sentinel.is_sentinel(url):
        return sentinel.pool(url, waiting=not blocking, **common)
    kind = ConnectionPool if blocking else BlockingConnectionPool
    return kind.from_url(url, **common)


def thread_client(url: str, *, timeout_s: float) -> Redis:
    """A client for a thread of its own."""
    options = {"socket_timeout": timeout_s, "socket_connect_timeout": min(timeout_s, CONNECT_TIMEOUT_S)}
    if sentinel.is_sentinel(url):
        return sentinel.sync_client(url, **options)
    return Redis.from_url(url, **options)


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
        await sentinel.close(redis.connection_pool)


def known(error: BaseException) -> Unavailable | None:
    """What an error of Redis means to a client, or None; Redis 6.2 tells those of a script only in the text."""
    if isinstance(error, AWAY):
        return QueueAway(f"Redis does not answer: {error}")
    text = str(error)
    if isinstance(error, exceptions.OutOfMemoryError) or OUT_OF_MEMORY in text:
        return QueueFull("Redis has no memory left", retry_after_s=FULL_RETRY_S)
    if isinstance(error, exceptions.ExecAbortError):
        return QueueAway("Redis refused a transaction")
    if isinstance(error, exceptions.ResponseError) and any(word in text for word in NOT_READY):
        return QueueAway(f"Redis cannot take writes: {text}")
    return None


async def refuse_eviction(redis: ArqRedis) -> None:
    """Raises SettingsError when Redis throws keys away to save memory: jobs and leases would vanish."""
    with redis_errors():
        policy = await _eviction_policy(redis)
    if policy not in ("", "noeviction"):
        raise SettingsError(
            f"Redis has maxmemory-policy {policy}: when its memory is full it would throw jobs and leases away. "
            "Set it to noeviction (CONFIG SET maxmemory-policy noeviction, or your provider's parameter of that name)"
        )


async def _eviction_policy(redis: ArqRedis) -> str:
    """Empty when the server does not say; managed ones often refuse CONFIG, and tell it in INFO."""
    try:
        found = await redis.config_get("maxmemory-policy")
    except exceptions.ResponseError:
        found = {}
    told = found.get("maxmemory-policy") or (await redis.info("memory")).get("maxmemory_policy") or ""
    return told.decode() if isinstance(told, bytes) else str(told)


@contextmanager
def redis_errors() -> Iterator[None]:
    """Turn lost connections, a replica and a full memory into QueueAway and QueueFull, which clients may see."""
    try:
        yield
    except (*AWAY, exceptions.ResponseError) as error:
        if (problem := known(error)) is None:
            raise
        raise problem from error
