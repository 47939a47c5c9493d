"""What Idempotency-Keys take in Redis: one small entry for each accepted job, for a day at most."""

import msgspec
import pytest
from arq.connections import ArqRedis

from shared import keys
from shared.errors import CliplineError
from shared.jobs import Query, Search
from shared.queue import Queue
from shared.settings import Settings

pytestmark = pytest.mark.anyio

DAY_S = 86_400
BYTES = 400


async def submit(queue: Queue, key: str) -> bool:
    """Whether the job was taken."""
    try:
        await queue.submit(Search(collection="c", query=Query(text="cat")), tenant="t", idempotency_key=key)
    except CliplineError:
        return False
    return True


async def remembered(redis: ArqRedis) -> list[str]:
    return [one.decode() for one in await redis.keys(keys.idempotency("t", "*"))]


@pytest.mark.parametrize("keep_jobs_s", [60, 7 * DAY_S])
async def test_a_key_is_forgotten_after_a_day_or_with_the_ledger(
    redis: ArqRedis, settings: Settings, keep_jobs_s: int
) -> None:
    assert await submit(Queue(redis, msgspec.structs.replace(settings, keep_jobs_s=keep_jobs_s)), "k")
    [key] = await remembered(redis)
    assert 0 < await redis.ttl(key) <= min(keep_jobs_s, DAY_S)


async def test_a_tenant_has_no_more_keys_than_jobs_that_it_may_submit(redis: ArqRedis, settings: Settings) -> None:
    queue = Queue(redis, msgspec.structs.replace(settings, tenant_rate=0.001, tenant_burst=3))
    taken = [await submit(queue, f"k{number}") for number in range(10)]
    assert (taken.count(True), len(await remembered(redis))) == (3, 3)


async def test_a_key_that_comes_again_takes_nothing_more(redis: ArqRedis, settings: Settings) -> None:
    queue = Queue(redis, settings)
    assert [await submit(queue, "k") for _ in range(5)] == [True] * 5
    assert len(await remembered(redis)) == 1


async def test_the_longest_key_is_small(redis: ArqRedis, settings: Settings) -> None:
    await submit(Queue(redis, settings), "k" * 128)
    [key] = await remembered(redis)
    assert await redis.memory_usage(key) <= BYTES


async def test_a_tenant_has_no_more_keys_than_jobs_in_its_ledger(redis: ArqRedis, settings: Settings) -> None:
    queue = Queue(redis, msgspec.structs.replace(settings, keep_jobs=5))
    for number in range(20):
        sent = await queue.submit(
            Search(collection="c", query=Query(text="cat")), tenant="t", idempotency_key=f"k{number}"
        )
        await queue.cancel("t", sent.id)
    assert len(await remembered(redis)) == 5
