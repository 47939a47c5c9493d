"""A job is cancelled, or run again, once, whoever asks at the same time."""

import msgspec
import pytest
from arq.connections import ArqRedis

from shared import keys
from shared.errors import JobFinished, JobNotFound, JobNotRetryable
from shared.jobs import Query, Search
from shared.queue import Queue
from shared.requests import request_of
from shared.settings import Settings
from tests.shared.hand import Hand, a_search
from tests.shared.queues import at_once

pytestmark = pytest.mark.anyio


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
