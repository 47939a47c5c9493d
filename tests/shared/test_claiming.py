"""No job is claimed twice, and none is hidden from who looks for one."""

import pytest
from arq.connections import ArqRedis

from shared import keys
from shared.queue import Queue
from shared.settings import Settings
from tests.shared.hand import Hand, a_search
from tests.shared.queues import at_once

pytestmark = pytest.mark.anyio


async def test_no_job_is_claimed_twice(queue: Queue, redis: ArqRedis, settings: Settings) -> None:
    sent = {(await queue.submit(a_search(), tenant="t")).id for _ in range(60)}
    hands = [Hand(redis, settings, worker=f"w{number}") for number in range(6)]
    claimed = await at_once(*(hand.claim(3) for hand in hands for _ in range(4)))
    taken = [job_id for some in claimed for job_id in some]
    assert (len(taken), set(taken)) == (60, sent)


async def test_a_claim_reaches_past_what_others_hold(queue: Queue, redis: ArqRedis, settings: Settings) -> None:
    first = Hand(redis, settings, worker="w1")
    for _ in range(150):
        await queue.submit(a_search(), tenant="t")
    assert len(await first.claim(149)) == 149
    assert len(await Hand(redis, settings, worker="w2").claim(5)) == 1


async def test_expired_jobs_in_the_way_do_not_hide_the_others(queue: Queue, redis: ArqRedis, hand: Hand) -> None:
    late = [(await queue.submit(a_search(deadline_ms=1), tenant="t")).id for _ in range(140)]
    for job_id in late:
        await redis.hset(keys.record(job_id), "deadline", 1)
    fresh = await queue.submit(a_search(deadline_ms=60_000), tenant="t")
    assert await hand.claim(5) == [fresh.id]
    assert {view.state for view in (await queue.ledger.many("t", late)).values()} == {"expired"}


async def test_a_worker_that_takes_its_own_lapsed_job_and_goes_on_began_no_attempt(
    queue: Queue, redis: ArqRedis, settings: Settings
) -> None:
    own, other = Hand(redis, settings, worker="own"), Hand(redis, settings, worker="other")
    sent = await queue.submit(a_search(), tenant="t")
    await own.claim()
    began = await queue.result("t", sent.id)
    await own.lapse(sent.id)
    beside = await queue.submit(a_search(), tenant="t")
    await redis.zadd(keys.queue("interactive"), {beside.id: 0})
    # It finds the lapsed one, writes down that its holder is gone, and has room for one alone.
    assert await other.claim() == [beside.id]
    assert len((await queue.result("t", sent.id)).history) == 1
    assert await own.claim() == [sent.id]
    assert not await other.go_on(sent.id)
    assert await own.go_on(sent.id)
    # As when the call is repeated after a lost answer.
    assert await own.go_on(sent.id)
    assert await queue.result("t", sent.id) == began
    assert await redis.hget(keys.record(sent.id), "crashes") == b"0"
    assert not await redis.exists(keys.ARQ_RETRY + sent.id)
    assert await own.finish(sent.id)
    assert not await own.go_on(sent.id)


async def test_a_worker_that_lost_its_lease_changes_nothing(queue: Queue, redis: ArqRedis, settings: Settings) -> None:
    slow, fast = Hand(redis, settings, worker="slow"), Hand(redis, settings, worker="fast")
    sent = await queue.submit(a_search(), tenant="t")
    await slow.claim()
    await slow.lapse(sent.id)
    assert await fast.claim() == [sent.id]
    assert await slow.renew(sent.id) == ["lost"]
    assert not await slow.finish(sent.id)
    assert not await slow.release(sent.id)
    view = await queue.result("t", sent.id)
    assert (view.state, view.worker, view.attempts) == ("running", "fast", 2)
    assert await fast.finish(sent.id)
