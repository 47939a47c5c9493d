"""The worker's promises, on a real Redis: woken at once, told apart, tried again, and nothing left behind."""

from typing import Any

import msgspec
import pytest
from arq.connections import ArqRedis
from arq.worker import Retry, func

from shared import keys, wire
from shared.errors import BadPicture, JobNotFound, JobNotRetryable, QueueFull, StoreAway
from shared.events import Events, of_jobs
from shared.jobs import File, Ingest, Query, Search
from shared.queue import Queue
from shared.settings import Settings
from tests.shared.hand import a_search
from tests.workers.fleet import WITHIN_S, eventually, running_worker, stock_worker
from tests.workers.work import Context, Gate, echo

pytestmark = pytest.mark.anyio


async def test_a_job_runs_and_its_result_record_and_events_agree(queue: Queue, settings: Settings) -> None:
    before = await Events(queue.redis).last()
    async with running_worker(settings, [func(echo, name="search")]):
        sent = await queue.submit(a_search("red fruit"), tenant="t1")
        job = await queue.wait("t1", sent.id, timeout_s=WITHIN_S)
    assert (job.state, job.result, job.attempts, job.worker) == ("succeeded", {"text": "red fruit", "try": 1}, 1, "w1")
    assert job.text == "red fruit"
    events = Events(queue.redis)
    states = [
        event.state for event in of_jobs(await events.between(before, await events.last())) if event.job == sent.id
    ]
    assert states == ["queued", "running", "succeeded"]


async def test_another_tenant_sees_no_job(queue: Queue) -> None:
    sent = await queue.submit(a_search(), tenant="t1")
    for call in (queue.result("t2", sent.id), queue.cancel("t2", sent.id), queue.retry("t2", sent.id)):
        with pytest.raises(JobNotFound):
            await call
    assert (await queue.result("t1", sent.id)).state == "queued"


async def test_a_full_lane_refuses_and_leaves_nothing_behind(redis: ArqRedis, settings: Settings) -> None:
    small = Queue(redis, msgspec.structs.replace(settings, max_queued_interactive=2))
    for _ in range(2):
        await small.submit(a_search(), tenant="t1")
    before = await redis.dbsize()
    with pytest.raises(QueueFull) as refused:
        await small.submit(a_search(), tenant="t1", idempotency_key="k")
    assert refused.value.retry_after_s is not None
    assert await redis.dbsize() == before


async def test_the_same_idempotency_key_and_body_is_the_same_job(queue: Queue) -> None:
    first = await queue.submit(a_search("a"), tenant="t1", idempotency_key="k1")
    again = await queue.submit(a_search("a"), tenant="t1", idempotency_key="k1")
    elsewhere = await queue.submit(a_search("a"), tenant="t2", idempotency_key="k1")
    assert (again.id, again.known, elsewhere.known) == (first.id, True, False)
    with pytest.raises(Exception, match="another body"):
        await queue.submit(a_search("b"), tenant="t1", idempotency_key="k1")


async def test_a_failed_job_tells_why_and_runs_again_when_asked(queue: Queue, settings: Settings) -> None:
    async def fails_once(ctx: Context, payload: dict[str, Any], **_: Any) -> dict[str, Any]:
        if not await ctx["redis"].incr("tries") > 1:
            raise BadPicture("cut off after 12 bytes")
        return {"fine": True}

    async with running_worker(settings, [func(fails_once, name="search")]):
        sent = await queue.submit(a_search(), tenant="t1")
        failed = await queue.wait("t1", sent.id, timeout_s=WITHIN_S)
        assert failed.state == "failed"
        assert failed.error is not None
        assert (failed.error.type, failed.error.detail) == ("bad-picture", "cut off after 12 bytes")
        await queue.retry("t1", sent.id)
        again = await queue.wait("t1", sent.id, timeout_s=WITHIN_S)
    assert again.state == "succeeded"
    assert again.error is None
    with pytest.raises(JobNotRetryable):
        await queue.retry("t1", sent.id)


async def test_an_unexpected_error_is_told_without_its_secrets(queue: Queue, settings: Settings) -> None:
    async def broken(ctx: Context, payload: dict[str, Any], **_: Any) -> str:
        raise RuntimeError("password=hunter2")

    async with running_worker(settings, [func(broken, name="search")]):
        sent = await queue.submit(a_search(), tenant="t1")
        job = await queue.wait("t1", sent.id, timeout_s=WITHIN_S)
    assert job.state == "failed"
    assert job.error is not None
    assert job.error.type == "internal-error"
    assert "hunter2" not in job.error.detail


async def test_a_retry_waits_and_counts_an_attempt(queue: Queue, settings: Settings) -> None:
    async def second_time(ctx: Context, payload: dict[str, Any], **_: Any) -> dict[str, Any]:
        if ctx["job_try"] == 1:
            raise Retry(defer=0.01)
        return {"try": ctx["job_try"]}

    async with running_worker(settings, [func(second_time, name="ingest")]):
        job_to_do = Ingest(collection="pictures", files=[File(source="a")])
        sent = await queue.submit(job_to_do, tenant="t1")
        job = await queue.wait("t1", sent.id, timeout_s=WITHIN_S)
    assert (job.state, job.result, job.attempts) == ("succeeded", {"try": 2}, 2)


async def test_interactive_jobs_do_not_wait_for_bulk_ones(queue: Queue, settings: Settings) -> None:
    slow, ended = Gate(), []

    async def run(ctx: Context, payload: dict[str, Any], **more: Any) -> None:
        if payload["query"]["text"] == "bulk":
            await slow(ctx, payload, **more)
        ended.append(payload["query"]["text"])

    narrow = msgspec.structs.replace(settings, max_jobs=1, max_bulk_jobs=1)
    for _ in range(3):
        await queue.submit(a_search("bulk", lane="bulk"), tenant="t1")
    async with running_worker(narrow, [func(run, name="search")]):
        await slow.started.wait()
        for _ in range(3):
            await queue.submit(a_search("quick", lane="interactive"), tenant="t1")
        await eventually(lambda: ended == ["quick"] * 3)
        assert slow.runs == 1
        slow.may_end.set()
        await eventually(lambda: ended[3:] == ["bulk"] * 3)


async def test_a_worker_without_room_leaves_the_tokens_to_others(queue: Queue, settings: Settings) -> None:
    first, second = Gate(), Gate()
    narrow = msgspec.structs.replace(settings, max_jobs=1, max_bulk_jobs=1)
    async with running_worker(narrow, [first.function()], worker_id="w1"):
        await queue.submit(a_search(), tenant="t1")
        await first.started.wait()
        async with running_worker(narrow, [second.function()], worker_id="w2"):
            await queue.submit(a_search(), tenant="t1")
            await second.started.wait()
            for gate in (first, second):
                gate.may_end.set()
            await eventually(lambda: first.runs + second.runs == 2)


async def test_nothing_is_left_in_redis_but_the_record_the_request_the_result_and_the_events(
    queue: Queue, redis: ArqRedis, settings: Settings
) -> None:
    async with running_worker(settings, [func(echo, name="search")]):
        sent = await queue.submit(a_search(image_free := "cat"), tenant="t1")
        await queue.wait("t1", sent.id, timeout_s=WITHIN_S)
    left = {key.decode() for key in await redis.keys(f"*{sent.id}*")}
    assert image_free
    assert left == {keys.record(sent.id), keys.ARQ_RESULT + sent.id, keys.kept_body(sent.id)}


async def test_a_picture_travels_beside_the_body_and_goes_with_the_job(
    queue: Queue, redis: ArqRedis, settings: Settings
) -> None:
    sent = await queue.submit(Search(collection="p", query=Query(image=b"x" * 1000)), tenant="t1")
    assert await redis.strlen(keys.ARQ_JOB + sent.id) < 500
    assert await redis.get(keys.blob(sent.id)) == b"x" * 1000


# -- interop with stock arq


async def test_a_stock_client_with_our_serializer_reaches_our_worker(
    redis: ArqRedis, queue: Queue, settings: Settings
) -> None:
    client = ArqRedis(redis.connection_pool, job_serializer=wire.encode, job_deserializer=wire.decode)
    async with running_worker(settings, [func(echo, name="search")]):
        job = await client.enqueue_job("search", {"query": {"text": "cat"}}, _queue_name=keys.queue("interactive"))
        assert job is not None
        assert await job.result(timeout=WITHIN_S, poll_delay=0.01) == {"text": "cat", "try": 1}
    assert (await queue.result("default", job.job_id)).state == "succeeded"


async def test_a_stock_worker_runs_what_our_queue_enqueued(redis: ArqRedis, queue: Queue) -> None:
    sent = await queue.submit(a_search("dog"), tenant="t1")
    stock = stock_worker(redis, [func(echo, name="search")])
    await stock.async_run()
    job = await queue.result("t1", sent.id)
    assert (job.state, job.result) == ("succeeded", {"text": "dog", "try": 1})


async def test_a_store_that_stays_away_is_told_to_who_waits_when_the_budget_is_used_up(
    queue: Queue, settings: Settings
) -> None:
    async def away(ctx: Context, payload: dict[str, Any], **_: Any) -> None:
        raise StoreAway("no route")

    impatient = msgspec.structs.replace(settings, max_tries=2)
    async with running_worker(impatient, [func(away, name="search")]):
        sent = await queue.submit(a_search(), tenant="t1")
        job = await queue.wait("t1", sent.id, timeout_s=WITHIN_S)
    assert (job.state, job.attempts) == ("dead", 2)
    assert job.error is not None
    assert (job.error.status, job.error.retryable) == (503, True)
    assert [(one.attempt, one.worker, one.problem.type) for one in job.history] == [
        (1, "w1", "store-away"),
        (2, "w1", "store-away"),
    ]
