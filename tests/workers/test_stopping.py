"""What ends a job before its time: somebody cancels it, a newer search takes its slot, its deadline passes."""

import asyncio
from typing import Any

import pytest
from arq.connections import ArqRedis
from arq.worker import func

from shared import keys
from shared.errors import JobFinished
from shared.queue import Queue
from shared.settings import Settings
from tests.shared.hand import a_search
from tests.workers.fleet import WITHIN_S, eventually, running_worker
from tests.workers.work import Context, Gate

pytestmark = pytest.mark.anyio


async def test_a_waiting_job_is_cancelled_at_once(queue: Queue, redis: ArqRedis) -> None:
    sent = await queue.submit(a_search(), tenant="t1")
    assert await queue.cancel("t1", sent.id) == "cancelled"
    job = await queue.result("t1", sent.id)
    assert job.state == "cancelled"
    assert job.error is not None
    assert job.error.type == "cancelled"
    assert await redis.zcard(keys.queue("interactive")) == 0
    with pytest.raises(JobFinished):
        await queue.cancel("t1", sent.id)


async def test_a_running_job_is_cancelled_and_its_code_stopped(queue: Queue, settings: Settings) -> None:
    gate = Gate()
    async with running_worker(settings, [gate.function()]):
        sent = await queue.submit(a_search(), tenant="t1")
        await gate.started.wait()
        assert await queue.cancel("t1", sent.id) == "cancelling"
        job = await queue.wait("t1", sent.id, timeout_s=WITHIN_S)
    assert (job.state, gate.cancelled) == ("cancelled", 1)


async def test_a_newer_search_takes_the_slot(queue: Queue, settings: Settings) -> None:
    older = await queue.submit(a_search("c", session="s", slot="main"), tenant="t1")
    newer = await queue.submit(a_search("ca", session="s", slot="main"), tenant="t1")
    other = await queue.submit(a_search("c", session="s", slot="side"), tenant="t1")
    states = [(await queue.result("t1", one.id)).state for one in (older, newer, other)]
    assert states == ["superseded", "queued", "queued"]
    gate = Gate()
    async with running_worker(settings, [gate.function()]):
        await gate.started.wait()
        newest = await queue.submit(a_search("cat", session="s", slot="main"), tenant="t1")
        job = await queue.wait("t1", newer.id, timeout_s=WITHIN_S)
        assert job.state == "superseded"
        assert job.error is not None
        assert job.error.type == "superseded"
        gate.may_end.set()
        assert (await queue.wait("t1", newest.id, timeout_s=WITHIN_S)).state == "succeeded"


async def test_a_newer_search_does_not_waste_what_the_device_has_taken(queue: Queue, settings: Settings) -> None:
    gate = Gate()

    async def on_device(ctx: Context, payload: dict[str, Any], **more: Any) -> str:
        ctx["running"][ctx["job_id"]].taken_by_device()
        return await gate(ctx, payload, **more)

    async with running_worker(settings, [func(on_device, name="search")]):
        older = await queue.submit(a_search("ca", session="s", slot="main"), tenant="t1")
        await gate.started.wait()
        newer = await queue.submit(a_search("cat", session="s", slot="main"), tenant="t1")
        await eventually(lambda: gate.runs == 2)
        gate.may_end.set()
        for sent in (older, newer):
            view = await queue.wait("t1", sent.id, timeout_s=WITHIN_S)
            assert view.state == "succeeded"
    assert gate.cancelled == 0


async def test_a_job_past_its_deadline_never_starts(queue: Queue, settings: Settings) -> None:
    sent = await queue.submit(a_search(deadline_ms=1), tenant="t1")
    await asyncio.sleep(0.01)
    gate = Gate()
    async with running_worker(settings, [gate.function()]):
        job = await queue.wait("t1", sent.id, timeout_s=WITHIN_S)
    assert (job.state, gate.runs) == ("expired", 0)
