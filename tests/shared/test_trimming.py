"""The ledger forgets its oldest ended jobs, whole, and never an open one."""

import msgspec
import pytest
from arq.connections import ArqRedis

from shared import keys
from shared.errors import JobNotFound
from shared.jobs import STATES, Lane, State
from shared.queue import Queue
from shared.settings import Settings
from tests.shared.hand import Hand, a_search

pytestmark = pytest.mark.anyio


async def run(queue: Queue, hand: Hand, count: int, *, state: State = "succeeded", lane: Lane = "interactive") -> None:
    for _ in range(count):
        sent = await queue.submit(a_search(lane=lane), tenant="a")
        assert await hand.claim(lanes=(lane,)) == [sent.id]
        assert await hand.finish(sent.id, state, lane=lane)


async def traces(redis: ArqRedis, job_id: str) -> list[str]:
    """Where Redis still names a job: keys and index entries. Events are bounded by themselves."""
    found = [key.decode() for key in await redis.keys(f"*{job_id}*")]
    indexes = [keys.jobs("a"), *(keys.jobs_in("a", state) for state in STATES)]
    return found + [index for index in indexes if await redis.zscore(index, job_id) is not None]


async def test_a_trimmed_job_leaves_nothing_behind(redis: ArqRedis, settings: Settings, hand: Hand) -> None:
    queue = Queue(redis, msgspec.structs.replace(settings, keep_jobs=5))
    ended: list[str] = []
    states: list[State] = ["succeeded", "failed", "cancelled"]
    for state in states:
        sent = await queue.submit(a_search(), tenant="a", idempotency_key=state)
        await hand.claim()
        await hand.finish(sent.id, state)
        ended.append(sent.id)
    waiting = await queue.submit(a_search(), tenant="a")
    await queue.cancel("a", waiting.id)
    ended.append(waiting.id)
    assert all([await traces(redis, job_id) for job_id in ended])
    await run(queue, hand, 5)
    for job_id in ended:
        assert await traces(redis, job_id) == []
        with pytest.raises(JobNotFound):
            await queue.result("a", job_id)
    assert await redis.zcard(keys.jobs("a")) == 5
    assert len(await redis.keys("clipline:body:*")) == 5
    assert await redis.keys(keys.idempotency("a", "*")) == []


async def test_open_jobs_are_never_trimmed_and_do_not_keep_others(
    redis: ArqRedis, settings: Settings, hand: Hand
) -> None:
    queue = Queue(redis, msgspec.structs.replace(settings, keep_jobs=5))
    waiting = [(await queue.submit(a_search(lane="bulk"), tenant="a")).id for _ in range(30)]
    running = (await queue.submit(a_search(), tenant="a")).id
    await hand.claim(lanes=("interactive",))
    await run(queue, hand, 20)
    views = await queue.ledger.many("a", [*waiting, running])
    assert [views[one].state for one in [*waiting, running]] == ["queued"] * 30 + ["running"]
    # The one that ended last is trimmed by the next that arrives.
    assert await redis.zcard(keys.jobs("a")) == 32


async def test_jobs_that_a_stock_worker_ran_are_trimmed_too(redis: ArqRedis, settings: Settings, hand: Hand) -> None:
    queue = Queue(redis, msgspec.structs.replace(settings, keep_jobs=5))
    for _ in range(30):
        sent = await queue.submit(a_search(), tenant="a")
        # What arq's own finish_job does.
        await redis.delete(keys.ARQ_JOB + sent.id)
        await redis.zrem(keys.queue("interactive"), sent.id)
    await run(queue, hand, 3)
    assert await redis.zcard(keys.jobs("a")) == 5


async def test_old_jobs_are_trimmed_a_few_at_a_time(redis: ArqRedis, queue: Queue, hand: Hand) -> None:
    await run(queue, hand, 23, state="failed")
    for name in (keys.jobs("a"), keys.jobs_in("a", "failed")):
        await redis.zadd(name, dict.fromkeys(await redis.zrange(name, 0, -1), 1))
    await run(queue, hand, 1)
    left = await redis.zcard(keys.jobs("a"))
    assert 1 <= left < 23
    await run(queue, hand, 8)
    assert await redis.zcard(keys.jobs("a")) == len(await redis.keys("clipline:body:*")) == 9


async def test_trimming_is_one_tenants_business(redis: ArqRedis, settings: Settings, hand: Hand) -> None:
    queue = Queue(redis, msgspec.structs.replace(settings, keep_jobs=5))
    other = await queue.submit(a_search(), tenant="b")
    await hand.claim()
    await hand.finish(other.id)
    await run(queue, hand, 10)
    assert (await queue.result("b", other.id)).state == "succeeded"


async def test_what_ended_expires_by_itself(redis: ArqRedis, queue: Queue, settings: Settings, hand: Hand) -> None:
    await run(queue, hand, 1, state="failed")
    await run(queue, hand, 1)
    for key in await redis.keys("clipline:job:*") + await redis.keys("clipline:body:*") + await redis.keys("arq:*"):
        assert 0 < await redis.ttl(key) <= settings.keep_jobs_s
