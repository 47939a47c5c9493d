"""Submit, cancel, retry and wait, also from many callers at once."""

import asyncio
from typing import Any

import msgspec
import pytest
from arq.connections import ArqRedis

from shared import keys
from shared.connection import POOL_SIZE
from shared.errors import JobFinished, JobNotFound, JobNotRetryable, KeyReused, QueueFull
from shared.jobs import FINAL, CollectionTask, File, Ingest, Items, Query, Search
from shared.lanes import lane_of
from shared.queue import Queue, Submitted
from shared.requests import request_of
from shared.settings import Settings
from tests.shared.hand import Hand, a_search

pytestmark = pytest.mark.anyio


def narrow(redis: ArqRedis, settings: Settings, **more: Any) -> Queue:
    return Queue(redis, msgspec.structs.replace(settings, **more))


async def at_once(*calls: Any) -> list[Any]:
    return await asyncio.gather(*calls, return_exceptions=True)


# -- bounds


async def test_many_at_once_never_pass_the_bound(redis: ArqRedis, settings: Settings) -> None:
    queue = narrow(redis, settings, max_queued_interactive=7)
    answers = await at_once(*(queue.submit(a_search(), tenant=f"t{number % 3}") for number in range(60)))
    taken = [one for one in answers if isinstance(one, Submitted)]
    assert sorted(one.position or 0 for one in taken) == list(range(7))
    assert sum(isinstance(one, QueueFull) for one in answers) == 53
    assert await queue.depths() == {"interactive": 7, "bulk": 0}
    assert len(await redis.keys("arq:job:*")) == len(await redis.keys("clipline:job:*")) == 7


async def test_a_refused_job_leaves_nothing_behind(redis: ArqRedis, settings: Settings) -> None:
    queue = narrow(redis, settings, max_queued_interactive=1)
    first = await queue.submit(a_search(session="s", slot="main"), tenant="t")
    before = {key: await redis.dump(key) for key in await redis.keys("*")}
    refused = Search(collection="p", query=Query(image=b"x" * 99), session="s", slot="main")
    with pytest.raises(QueueFull):
        await queue.submit(refused, tenant="t", idempotency_key="k")
    assert {key: await redis.dump(key) for key in await redis.keys("*")} == before
    assert (await queue.result("t", first.id)).state == "queued"


async def test_one_lane_full_leaves_the_other_open(redis: ArqRedis, settings: Settings) -> None:
    queue = narrow(redis, settings, max_queued_bulk=1)
    await queue.submit(Ingest(collection="p", files=[File(source="a")]), tenant="t")
    with pytest.raises(QueueFull):
        await queue.submit(a_search(lane="bulk"), tenant="t")
    assert (await queue.submit(a_search(), tenant="t")).position == 0


async def test_a_full_queue_takes_no_retry(redis: ArqRedis, settings: Settings, hand: Hand) -> None:
    queue = narrow(redis, settings, max_queued_interactive=1)
    failed = await queue.submit(a_search(), tenant="t")
    await hand.claim()
    await hand.finish(failed.id, "failed")
    await queue.submit(a_search(), tenant="t")
    with pytest.raises(QueueFull):
        await queue.retry("t", failed.id)
    assert (await queue.result("t", failed.id)).state == "failed"


def test_what_a_person_waits_for_is_interactive() -> None:
    assert lane_of(a_search(lane="bulk")) == "bulk"
    assert lane_of(Ingest(collection="p", files=[File(source="a")])) == "bulk"
    assert (
        lane_of(CollectionTask(op="drop", collection="p")) == lane_of(Items(collection="p", ids=[1])) == "interactive"
    )


async def test_a_deferred_job_is_not_due_yet(queue: Queue, hand: Hand) -> None:
    later = await queue.submit(a_search(), tenant="t", defer_s=60)
    soon = await queue.submit(a_search(), tenant="t")
    assert await hand.claim(5) == [soon.id]
    assert (await queue.result("t", later.id)).state == "queued"


async def test_tokens_that_nobody_takes_are_bounded(redis: ArqRedis, queue: Queue) -> None:
    for _ in range(300):
        await queue.submit(a_search(), tenant="t")
    assert await redis.llen(keys.wake("interactive")) == 256


# -- Idempotency-Key


async def test_many_with_one_key_are_one_job(queue: Queue) -> None:
    answers = await at_once(*(queue.submit(a_search(), tenant="t", idempotency_key="k") for _ in range(20)))
    assert len({one.id for one in answers}) == 1
    assert sorted(one.known for one in answers) == [False] + [True] * 19
    assert (await queue.depths())["interactive"] == 1


async def test_a_key_tells_the_state_of_its_job(queue: Queue, hand: Hand) -> None:
    first = await queue.submit(a_search(), tenant="t", idempotency_key="k")
    await hand.claim()
    await hand.finish(first.id)
    again = await queue.submit(a_search(), tenant="t", idempotency_key="k")
    assert (again.id, again.state, again.known) == (first.id, "succeeded", True)


@pytest.mark.parametrize(
    "other",
    [
        a_search("dog"),
        a_search(limit=3),
        Search(collection="pictures", query=Query(text="cat", image=b"x")),
        CollectionTask(op="describe", collection="pictures"),
    ],
)
async def test_a_key_with_another_body_is_refused(queue: Queue, other: Any) -> None:
    await queue.submit(a_search(), tenant="t", idempotency_key="k")
    with pytest.raises(KeyReused):
        await queue.submit(other, tenant="t", idempotency_key="k")
    assert (await queue.submit(other, tenant="t2", idempotency_key="k")).known is False


async def test_a_key_whose_job_is_forgotten_brings_a_new_one(redis: ArqRedis, settings: Settings, hand: Hand) -> None:
    queue = narrow(redis, settings, keep_jobs=1)
    first = await queue.submit(a_search(), tenant="t", idempotency_key="k")
    await hand.claim()
    await hand.finish(first.id)
    await queue.submit(a_search(), tenant="t")
    again = await queue.submit(a_search(), tenant="t", idempotency_key="k")
    assert (again.known, again.id != first.id) == (False, True)


# -- slots


async def test_of_many_at_once_one_keeps_the_slot(queue: Queue) -> None:
    answers = await at_once(*(queue.submit(a_search(session="s", slot="main"), tenant="t") for _ in range(15)))
    states = [(await queue.result("t", one.id)).state for one in answers]
    assert sorted(states) == ["queued"] + ["superseded"] * 14
    assert (await queue.depths())["interactive"] == 1


async def test_a_slot_is_one_sessions_and_one_tenants(queue: Queue) -> None:
    for session, slot, tenant in [("s", "a", "t"), ("s", "b", "t"), ("r", "a", "t"), ("s", "a", "u")]:
        await queue.submit(a_search(session=session, slot=slot), tenant=tenant)
    assert (await queue.depths())["interactive"] == 4


async def test_a_running_search_is_told_to_stop_when_its_slot_is_taken(queue: Queue, hand: Hand) -> None:
    older = await queue.submit(a_search(session="s", slot="main"), tenant="t")
    await hand.claim()
    assert await hand.renew(older.id) == ["ok"]
    await queue.submit(a_search(session="s", slot="main"), tenant="t")
    assert await hand.renew(older.id) == ["superseded"]
    await hand.finish(older.id, "cancelled")
    view = await queue.result("t", older.id)
    assert view.state == "superseded"
    assert view.error is not None
    assert view.error.type == "superseded"


# -- cancel


async def test_of_many_cancels_one_ends_the_job(queue: Queue, redis: ArqRedis) -> None:
    sent = await queue.submit(a_search(), tenant="t")
    answers = await at_once(*(queue.cancel("t", sent.id) for _ in range(10)))
    assert answers.count("cancelled") == 1
    assert sum(isinstance(one, JobFinished) for one in answers) == 9
    assert await redis.zcard(keys.queue("interactive")) == 0


async def test_a_job_is_cancelled_or_claimed_never_both(queue: Queue, hand: Hand) -> None:
    sent = [await queue.submit(a_search(), tenant="t") for _ in range(20)]
    outcomes, *claimed = await at_once(
        at_once(*(queue.cancel("t", one.id) for one in sent)), *(hand.claim(2) for _ in range(10))
    )
    taken = {job_id for some in claimed for job_id in some}
    for one, outcome in zip(sent, outcomes, strict=True):
        assert (outcome == "cancelling") == (one.id in taken)
        assert (await queue.result("t", one.id)).state == ("running" if one.id in taken else "cancelled")


async def test_a_job_whose_worker_is_gone_is_cancelled_at_once(queue: Queue, hand: Hand) -> None:
    sent = await queue.submit(a_search(), tenant="t")
    await hand.claim()
    await hand.lapse(sent.id)
    assert await queue.cancel("t", sent.id) == "cancelled"
    assert not await hand.finish(sent.id)
    assert (await queue.result("t", sent.id)).state == "cancelled"


@pytest.mark.parametrize("left", ["handed back", "died"])
async def test_a_job_asked_to_stop_does_not_start_again(queue: Queue, hand: Hand, left: str) -> None:
    sent = await queue.submit(a_search(), tenant="t")
    await hand.claim()
    assert await queue.cancel("t", sent.id) == "cancelling"
    if left == "died":
        await hand.lapse(sent.id)
    else:
        assert await hand.release(sent.id, delay_ms=60_000, counted=True)
    assert await hand.claim() == []
    view = await queue.result("t", sent.id)
    assert view.state == "cancelled"
    assert view.error is not None
    assert view.error.type == "cancelled"


@pytest.mark.parametrize("unknown", ["nonsense", "", "*", "a:b"])
async def test_an_unknown_job_is_not_found(queue: Queue, unknown: str) -> None:
    await queue.submit(a_search(), tenant="t")
    calls = (queue.result("t", unknown), queue.cancel("t", unknown), queue.retry("t", unknown))
    for call in (*calls, queue.wait("t", unknown, timeout_s=0.1)):
        with pytest.raises(JobNotFound):
            await call


# -- retry


async def test_of_many_retries_one_queues_the_job(queue: Queue, hand: Hand) -> None:
    sent = await queue.submit(a_search(), tenant="t")
    await hand.claim()
    await hand.finish(sent.id, "failed")
    answers = await at_once(*(queue.retry("t", sent.id) for _ in range(10)))
    assert answers.count(None) == 1
    assert sum(isinstance(one, JobNotRetryable) for one in answers) == 9
    view = await queue.result("t", sent.id)
    assert (view.state, view.attempts, view.error, view.finished_at, view.worker) == ("queued", 0, None, None, None)


async def test_a_picture_stays_as_long_as_the_job_can_be_retried(
    queue: Queue, redis: ArqRedis, hand: Hand, settings: Settings
) -> None:
    search = Search(collection="p", query=Query(image=b"x" * 99))
    waiting = (await queue.submit(search, tenant="t")).id
    await queue.cancel("t", waiting)
    failed = (await queue.submit(search, tenant="t")).id
    await hand.claim()
    await hand.finish(failed, "failed")
    for job_id in (waiting, failed):
        body_s, blob_s = await redis.ttl(keys.kept_body(job_id)), await redis.ttl(keys.blob(job_id))
        assert abs(body_s - blob_s) <= 1
        assert abs(settings.keep_jobs_s - blob_s) <= 10
        await queue.retry("t", job_id)
        assert await redis.get(keys.blob(job_id)) == b"x" * 99
        assert abs(await redis.pttl(keys.ARQ_JOB + job_id) - await redis.pttl(keys.blob(job_id))) < 1_000


async def test_the_request_of_a_job_that_succeeded_stays_as_long_as_its_result(
    queue: Queue, redis: ArqRedis, hand: Hand
) -> None:
    sent = await queue.submit(Search(collection="p", query=Query(text="cat", image=b"x" * 99), limit=7), tenant="t")
    await hand.claim()
    await hand.finish(sent.id)
    asked = await request_of(redis, sent.id)
    assert asked.payload == {
        "kind": "search",
        "collection": "p",
        "query": {"text": "cat", "image": "99 bytes"},
        "limit": 7,
    }
    assert not await redis.exists(keys.blob(sent.id), keys.ARQ_JOB + sent.id), "the picture goes"
    body_ms, result_ms = await redis.pttl(keys.kept_body(sent.id)), await redis.pttl(keys.ARQ_RESULT + sent.id)
    assert abs(body_ms - result_ms) < 1_000
    assert body_ms > 0
    await queue.drop("t", sent.id)
    assert not await redis.exists(keys.kept_body(sent.id))


@pytest.mark.parametrize(("more", "kept"), [(0, True), (1, False)])
async def test_a_large_request_goes_when_the_job_succeeds_and_leaves_its_size(
    redis: ArqRedis, settings: Settings, more: int, kept: bool
) -> None:
    probe = await Queue(redis, settings).submit(a_search(seen=list(range(1_000))), tenant="t")
    bytes_ = await redis.strlen(keys.ARQ_JOB + probe.id)
    bounded = msgspec.structs.replace(settings, keep_request_bytes=bytes_ - more)
    hand = Hand(redis, bounded)
    await hand.claim()
    await hand.finish(probe.id)
    asked = await request_of(redis, probe.id)
    assert (asked.payload is not None, asked.dropped_bytes) == (kept, None if kept else bytes_)
    assert await redis.exists(keys.kept_body(probe.id)) == int(kept)


async def test_a_job_whose_body_is_gone_is_not_retried(queue: Queue, redis: ArqRedis) -> None:
    sent = await queue.submit(a_search(), tenant="t")
    await queue.cancel("t", sent.id)
    await redis.delete(keys.kept_body(sent.id))
    with pytest.raises(JobNotRetryable, match="no longer kept"):
        await queue.retry("t", sent.id)


async def test_open_and_succeeded_jobs_are_not_retried(queue: Queue, hand: Hand) -> None:
    sent = await queue.submit(a_search(), tenant="t")
    with pytest.raises(JobNotRetryable, match="open"):
        await queue.retry("t", sent.id)
    await hand.claim()
    with pytest.raises(JobNotRetryable, match="open"):
        await queue.retry("t", sent.id)
    await hand.finish(sent.id)
    with pytest.raises(JobNotRetryable, match="succeeded"):
        await queue.retry("t", sent.id)


# -- wait


async def test_waiting_ends_when_the_job_does(queue: Queue, hand: Hand) -> None:
    sent = await queue.submit(a_search(), tenant="t")
    waiting = [asyncio.create_task(queue.wait("t", sent.id, timeout_s=30)) for _ in range(5)]
    await hand.claim()
    await hand.finish(sent.id)
    async with asyncio.timeout(10):
        views = await asyncio.gather(*waiting)
    assert {view.state for view in views} == {"succeeded"}


async def test_waiting_for_an_open_job_gives_it_as_it_is(queue: Queue) -> None:
    sent = await queue.submit(a_search(), tenant="t")
    view = await queue.wait("t", sent.id, timeout_s=0.05)
    assert view.state not in FINAL


async def test_one_who_waits_again_and_again_takes_no_more_connections(queue: Queue) -> None:
    sent = await queue.submit(a_search(), tenant="t")
    for _ in range(POOL_SIZE + 1):
        await queue.wait("t", sent.id, timeout_s=0.001)
    assert len(queue.redis.connection_pool._in_use_connections) < 5


# -- claiming


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
