"""What fails may be tried again: how often, for how long, and what is told of it."""

import asyncio
import time
from functools import partial
from typing import Any

import msgspec
import pytest
from arq.connections import ArqRedis
from arq.worker import func

from shared import keys
from shared.connection import connect
from shared.errors import BadPicture, JobNotFound, JobStillOpen, StoreAway
from shared.job_filter import JobFilter
from shared.jobs import File, Ingest
from shared.pipe import Pipe
from shared.queue import Queue
from shared.settings import Settings
from tests.shared.hand import a_search
from tests.workers.fleet import WITHIN_S, eventually, lapse, running_worker
from workers.claiming import Claims
from workers.outcome import Running, backoff_s, retry_in_s

pytestmark = pytest.mark.anyio

Context = dict[Any, Any]


class OutOfMemoryError(RuntimeError):
    """Named as torch's."""


async def fine(ctx: Context, payload: dict[str, Any], **_: Any) -> dict[str, Any]:
    return {"fine": True}


def failing(errors: list[Exception]) -> Any:
    """Raises them one after the other, then succeeds."""

    async def run(ctx: Context, payload: dict[str, Any], **_: Any) -> dict[str, Any]:
        if errors:
            raise errors.pop(0)
        return {"fine": True}

    return run


@pytest.mark.parametrize(
    "error",
    [StoreAway("no route"), ConnectionResetError("by peer"), TimeoutError(), OutOfMemoryError("CUDA")],
    ids=lambda error: type(error).__name__,
)
async def test_what_may_pass_is_tried_again(queue: Queue, settings: Settings, error: Exception) -> None:
    async with running_worker(settings, [func(failing([error]), name="search")]):
        sent = await queue.submit(a_search(), tenant="t1")
        job = await queue.wait("t1", sent.id, timeout_s=WITHIN_S)
    assert (job.state, job.attempts, len(job.history)) == ("succeeded", 2, 1)
    assert job.history[0].problem.retryable


async def test_a_job_that_runs_too_long_is_tried_again(queue: Queue, settings: Settings) -> None:
    slow_once = [True]

    async def run(ctx: Context, payload: dict[str, Any], **_: Any) -> str:
        if slow_once:
            slow_once.clear()
            await asyncio.Event().wait()
        return "through"

    hasty = msgspec.structs.replace(settings, search_timeout_s=0.05)
    async with running_worker(hasty, [func(run, name="search")]):
        sent = await queue.submit(a_search(), tenant="t1")
        job = await queue.wait("t1", sent.id, timeout_s=WITHIN_S)
    assert (job.state, job.history[0].problem.type) == ("succeeded", "timed-out")


async def test_a_mistake_fails_at_once(queue: Queue, settings: Settings) -> None:
    async with running_worker(settings, [func(failing([BadPicture("cut off")]), name="search")]):
        sent = await queue.submit(a_search(), tenant="t1")
        job = await queue.wait("t1", sent.id, timeout_s=WITHIN_S)
    assert (job.state, job.attempts, job.history[0].problem.type) == ("failed", 1, "bad-picture")


async def test_a_used_up_budget_ends_dead_with_every_reason_and_can_be_replayed(
    queue: Queue, settings: Settings
) -> None:
    errors: list[Exception] = [StoreAway("one"), StoreAway("two"), StoreAway("three")]
    twice = msgspec.structs.replace(settings, max_tries=3)
    async with running_worker(twice, [func(failing(errors), name="search")]):
        sent = await queue.submit(a_search(), tenant="t1")
        job = await queue.wait("t1", sent.id, timeout_s=WITHIN_S)
        assert (job.state, [one.problem.detail for one in job.history]) == ("dead", ["one", "two", "three"])
        dead = await queue.ledger.recent("t1", where=JobFilter(state="dead"))
        assert [one.id for one in dead.jobs] == [sent.id]
        await queue.retry("t1", sent.id)
        again = await queue.wait("t1", sent.id, timeout_s=WITHIN_S)
    assert (again.state, again.attempts, len(again.history)) == ("succeeded", 1, 3)


def running(**more: Any) -> Running:
    now_ms = int(time.time() * 1000)
    given = {"attempts": 1, "crashes": 0, "first_ms": now_ms, "expires_ms": None, "lane": "interactive"} | more
    return Running(job_id="a", due_ms=now_ms, deadline=0.0, **given)


async def test_nobody_waits_beyond_the_budget_of_time() -> None:
    settings = Settings(max_tries=100)
    at = 1_000_000
    assert retry_in_s(running(first_ms=at - 2_001), settings, now_ms=at) is None
    assert retry_in_s(running(first_ms=at), settings, now_ms=at) is not None
    assert retry_in_s(running(first_ms=at - 2_001, lane="bulk"), settings, now_ms=at) is not None
    assert retry_in_s(running(first_ms=at - 2_001, expires_ms=at + 60_000), settings, now_ms=at) is not None
    assert retry_in_s(running(first_ms=at, expires_ms=at), settings, now_ms=at) is None


async def test_crashes_do_not_use_up_tries() -> None:
    settings = Settings(max_tries=2)
    at = 1_000_000
    assert retry_in_s(running(attempts=2, first_ms=at), settings, now_ms=at) is None
    assert retry_in_s(running(attempts=2, crashes=1, first_ms=at), settings, now_ms=at) is not None


async def test_the_backoff_grows_and_is_bounded() -> None:
    assert all(0 <= backoff_s(attempt, "bulk") <= min(30, 2**attempt) for attempt in range(1, 12))


async def test_a_job_that_took_its_worker_down_twice_ends_dead(
    queue: Queue, redis: ArqRedis, settings: Settings
) -> None:
    sent = await queue.submit(a_search(), tenant="t1")
    for name in ("first", "second"):
        claimed = await Claims(Pipe(redis), settings, worker_id=name).take({"interactive": 1})
        assert [one.job_id for one in claimed.jobs] == [sent.id]
        await lapse(redis, sent.id)
    assert (await Claims(Pipe(redis), settings, worker_id="third").take({"interactive": 1})).jobs == []
    job = await queue.result("t1", sent.id)
    assert (job.state, [one.worker for one in job.history]) == ("dead", ["first", "second"])
    assert job.error is not None
    assert job.error.type == "worker-lost"


async def test_a_job_that_took_its_worker_down_once_runs_again(
    queue: Queue, redis: ArqRedis, settings: Settings
) -> None:
    sent = await queue.submit(a_search(), tenant="t1")
    await Claims(Pipe(redis), settings, worker_id="gone").take({"interactive": 1})
    await lapse(redis, sent.id)
    async with running_worker(settings, [func(fine, name="search")]):
        job = await queue.wait("t1", sent.id, timeout_s=WITHIN_S)
    assert (job.state, job.attempts, job.history[0].problem.type) == ("succeeded", 2, "worker-lost")


async def test_a_killed_workers_job_runs_again_when_its_lease_ends(queue: Queue, settings: Settings) -> None:
    short = msgspec.structs.replace(settings, lease_s=0.2)
    async with connect(short) as other:
        sent = await queue.submit(a_search(), tenant="t1")
        await Claims(Pipe(other), short, worker_id="gone").take({"interactive": 1})
    async with running_worker(settings, [func(fine, name="search")]):
        job = await queue.wait("t1", sent.id, timeout_s=WITHIN_S)
    assert (job.state, job.worker) == ("succeeded", "w1")


async def test_a_result_is_kept_when_the_lease_lapsed_but_nobody_took_the_job(
    queue: Queue, redis: ArqRedis, settings: Settings
) -> None:
    started, may_end = asyncio.Event(), asyncio.Event()

    async def run(ctx: Context, payload: dict[str, Any], **_: Any) -> str:
        started.set()
        await may_end.wait()
        return "through"

    async with running_worker(settings, [func(run, name="search")]):
        sent = await queue.submit(a_search(), tenant="t1")
        await started.wait()
        await redis.delete(keys.ARQ_LEASE + sent.id)
        may_end.set()
        job = await queue.wait("t1", sent.id, timeout_s=WITHIN_S)
    assert job.state == "succeeded"


async def test_ingest_is_tried_again_for_minutes(queue: Queue, settings: Settings) -> None:
    errors: list[Exception] = [StoreAway("one")]
    async with running_worker(settings, [func(failing(errors), name="ingest")]):
        sent = await queue.submit(Ingest(collection="p", files=[File(source="a")]), tenant="t1")
        job = await queue.wait("t1", sent.id, timeout_s=WITHIN_S)
    assert (job.state, job.attempts) == ("succeeded", 2)


async def test_dead_letters_are_bounded_by_count(redis: ArqRedis, settings: Settings) -> None:
    small = msgspec.structs.replace(settings, keep_dead=2, max_tries=1)
    queue = Queue(redis, small)
    sent = [await queue.submit(a_search(str(number)), tenant="t1") for number in range(4)]
    async with running_worker(small, [func(failing([StoreAway("gone")] * 4), name="search")]):
        for one in sent:
            await eventually(partial(_ended, queue, one.id))
    assert await redis.zcard(keys.jobs_in("t1", "dead")) == 2


async def _ended(queue: Queue, job_id: str) -> bool:
    try:
        return (await queue.result("t1", job_id)).state == "dead"
    except JobNotFound:
        return True


async def test_an_ended_job_is_dropped_and_an_open_one_is_not(
    queue: Queue, redis: ArqRedis, settings: Settings
) -> None:
    sent = await queue.submit(a_search(), tenant="t1")
    with pytest.raises(JobStillOpen):
        await queue.drop("t1", sent.id)
    with pytest.raises(JobNotFound):
        await queue.drop("t2", sent.id)
    await queue.cancel("t1", sent.id)
    await queue.drop("t1", sent.id)
    assert not await redis.keys(f"*{sent.id}*")
    with pytest.raises(JobNotFound):
        await queue.result("t1", sent.id)
