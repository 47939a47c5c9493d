"""A worker holds its jobs by leases: kept while they run, handed back, lapsed, fenced."""

from itertools import pairwise

import msgspec
import pytest
from arq.connections import ArqRedis
from arq.worker import func

from shared import keys
from shared.queue import Queue
from shared.settings import Settings
from tests.shared.hand import a_search
from tests.workers.fleet import WITHIN_S, eventually, lapse, running_worker
from tests.workers.work import Gate, echo
from workers.lease import RENEWALS_PER_LEASE

pytestmark = pytest.mark.anyio


async def test_a_drained_worker_hands_its_jobs_back_without_costing_an_attempt(
    queue: Queue, settings: Settings
) -> None:
    hasty = msgspec.structs.replace(settings, drain_s=0.01)
    gate = Gate()
    async with running_worker(hasty, [gate.function()]):
        sent = await queue.submit(a_search(), tenant="t1")
        await gate.started.wait()
    handed_back = await queue.result("t1", sent.id)
    assert (handed_back.state, handed_back.attempts) == ("queued", 0)
    async with running_worker(settings, [func(echo, name="search")], worker_id="w2"):
        job = await queue.wait("t1", sent.id, timeout_s=WITHIN_S)
    assert (job.state, job.worker, job.attempts) == ("succeeded", "w2", 1)


async def test_a_lapsed_lease_lets_another_worker_run_the_job_and_fences_the_first(
    queue: Queue, redis: ArqRedis, settings: Settings
) -> None:
    gate, results = Gate(), Gate()
    # Renewals, a third of a lease apart, do not come between.
    lasting = msgspec.structs.replace(settings, lease_s=60.0)
    async with running_worker(lasting, [gate.function()], worker_id="slow") as slow:
        sent = await queue.submit(a_search(), tenant="t1")
        await gate.started.wait()
        slow.allow_pick_jobs = False
        await lapse(redis, sent.id)
        async with running_worker(settings, [results.function()], worker_id="fast"):
            await results.started.wait()
            gate.may_end.set()
            await eventually(lambda: not slow.running)
            assert (await queue.result("t1", sent.id)).state == "running"
            results.may_end.set()
            job = await queue.wait("t1", sent.id, timeout_s=WITHIN_S)
    assert (job.state, job.worker) == ("succeeded", "fast")


async def test_a_worker_that_claims_its_own_lapsed_job_does_not_run_it_twice(
    queue: Queue, redis: ArqRedis, settings: Settings
) -> None:
    gate = Gate()
    async with running_worker(settings, [gate.function()]):
        sent = await queue.submit(a_search(), tenant="t1")
        await gate.started.wait()
        began = await queue.result("t1", sent.id)
        await lapse(redis, sent.id)
        await eventually(lambda: redis.exists(keys.ARQ_LEASE + sent.id))
        gate.may_end.set()
        job = await queue.wait("t1", sent.id, timeout_s=WITHIN_S)
    assert (job.state, gate.runs) == ("succeeded", 1)
    assert (job.attempts, job.history, job.started_at) == (1, [], began.started_at)
    assert await redis.hget(keys.record(sent.id), "crashes") in (None, b"0")
    assert not await redis.exists(keys.ARQ_RETRY + sent.id)


async def test_a_long_job_keeps_its_lease(queue: Queue, redis: ArqRedis, settings: Settings) -> None:
    short = msgspec.structs.replace(settings, lease_s=0.3)
    gate = Gate()
    async with running_worker(short, [gate.function()]):
        sent = await queue.submit(a_search(), tenant="t1")
        await gate.started.wait()
        left: list[int] = [await redis.pttl(keys.ARQ_LEASE + sent.id)]

        async def renewed() -> bool:
            """For longer than one lease lasts."""
            left.append(await redis.pttl(keys.ARQ_LEASE + sent.id))
            return sum(now > before for before, now in pairwise(left)) > RENEWALS_PER_LEASE

        await eventually(renewed)
        gate.may_end.set()
        job = await queue.wait("t1", sent.id, timeout_s=WITHIN_S)
    assert (job.state, gate.runs) == ("succeeded", 1)


async def test_a_job_that_outlives_its_workers_each_time_ends_dead(
    queue: Queue, redis: ArqRedis, settings: Settings
) -> None:
    sent = await queue.submit(a_search(), tenant="t1")
    # Each start counts before the job runs: that many workers took it and were never heard of again.
    await redis.set(keys.ARQ_RETRY + sent.id, settings.max_tries + settings.max_crashes)
    async with running_worker(settings, [func(echo, name="search")]):
        job = await queue.wait("t1", sent.id, timeout_s=WITHIN_S)
    assert job.state == "dead"
    assert job.error is not None
    assert job.error.type == "worker-lost"
