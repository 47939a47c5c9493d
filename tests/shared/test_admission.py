"""What is refused says why and for how long, and leaves nothing behind."""

import msgspec
import pytest
from arq.connections import ArqRedis

from shared.errors import QueueFull, RateLimited, TenantBusy, TooManyRequests
from shared.queue import Queue
from shared.settings import Settings, SettingsError, from_env
from tests.shared.hand import a_search

pytestmark = pytest.mark.anyio


async def everything(redis: ArqRedis) -> dict[bytes, bytes | None]:
    return {key: await redis.dump(key) for key in await redis.keys("*")}


async def refused(redis: ArqRedis, settings: Settings, *, after: int, error: type[Exception]) -> int | None:
    """Submits until one is refused; that one leaves nothing. Returns its Retry-After."""
    queue = Queue(redis, settings)
    for _ in range(after):
        await queue.submit(a_search(), tenant="t1")
    before = await everything(redis)
    with pytest.raises(error) as raised:
        await queue.submit(a_search(session="s", slot="a"), tenant="t1", idempotency_key="k")
    assert await everything(redis) == before
    return raised.value.retry_after_s  # type: ignore[attr-defined, no-any-return]


async def test_a_full_lane_refuses(redis: ArqRedis, settings: Settings) -> None:
    small = msgspec.structs.replace(settings, max_queued_interactive=2)
    assert await refused(redis, small, after=2, error=QueueFull) == 60


async def test_a_tenant_with_too_many_open_jobs_is_refused_and_others_are_not(
    redis: ArqRedis, settings: Settings
) -> None:
    small = msgspec.structs.replace(settings, tenant_max_open=3)
    await refused(redis, small, after=3, error=TenantBusy)
    await Queue(redis, small).submit(a_search(), tenant="t2")


async def test_a_tenant_that_is_too_fast_is_refused_and_others_are_not(redis: ArqRedis, settings: Settings) -> None:
    slow = msgspec.structs.replace(settings, tenant_rate=0.1, tenant_burst=2)
    assert await refused(redis, slow, after=2, error=RateLimited) in {9, 10}
    await Queue(redis, slow).submit(a_search(), tenant="t2")


async def test_the_tenants_own_bounds_are_429(redis: ArqRedis, settings: Settings) -> None:
    assert {error.status for error in (TenantBusy, RateLimited)} == {TooManyRequests.status} == {429}
    assert QueueFull.status == 503


async def test_retry_after_follows_from_how_fast_jobs_leave(redis: ArqRedis, settings: Settings) -> None:
    small = msgspec.structs.replace(settings, max_queued_interactive=40)
    queue = Queue(redis, small)
    sent = [await queue.submit(a_search(), tenant="t1") for _ in range(40)]
    for one in sent[:30]:
        await queue.cancel("t1", one.id)
    wait_s = await refused(redis, small, after=30, error=QueueFull)
    assert wait_s is not None
    # Thirty left within the last steps of ten seconds: the next place is free in a second.
    assert wait_s == 1


async def test_weights_are_read_and_a_bad_one_is_named() -> None:
    assert from_env({"CLIPLINE_TENANT_WEIGHTS": "a=4,b-c=0.5"}).weights == {"a": 4.0, "b-c": 0.5}
    assert Settings(tenant_weights="a=0").weights == {"a": 0.01}
    for bad in ("a", "a=x", "a=1;b=2", "a=-1", "a=1,,b=2"):
        with pytest.raises(SettingsError, match="CLIPLINE_TENANT_WEIGHTS"):
            from_env({"CLIPLINE_TENANT_WEIGHTS": bad})
