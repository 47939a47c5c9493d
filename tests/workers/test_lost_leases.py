"""A run whose lease was lost says nothing about the job, even when its worker holds the job again."""

import asyncio
from typing import Any

import msgspec
import pytest
from arq.worker import func

from shared import keys
from shared.clock import now_ms
from shared.connection import connect
from shared.jobs import Query, Search
from shared.queue import Queue
from shared.settings import Settings
from tests.sim.hands import Hands
from tests.workers.fleet import WITHIN_S, eventually, running_worker
from workers.outcome import Running

pytestmark = pytest.mark.anyio


class SlowToStop:
    """Its first run must be stopped, and takes its time about it; the second one answers."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.stopped = asyncio.Event()
        self.may_leave = asyncio.Event()

    async def run(self, ctx: dict[Any, Any], payload: Any, **_: Any) -> dict[str, Any]:
        if self.started.is_set():
            return {"run": 2}
        self.started.set()
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.stopped.set()
            await self.may_leave.wait()
            raise
        raise AssertionError("nobody ends it but by stopping it")


async def test_a_stopped_run_does_not_end_a_job_that_its_worker_took_again(settings: Settings) -> None:
    settings = msgspec.structs.replace(settings, lease_s=60.0, max_jobs=4)
    job = SlowToStop()
    async with connect(settings) as redis, running_worker(settings, [func(job.run, name="search")]) as worker:
        queue, other = Queue(redis, settings), Hands(redis, settings, name="other", lease_s=60.0)
        sent = await queue.submit(Search(collection="pictures", query=Query(text="cat")), tenant="default")
        await job.started.wait()

        taken: list[Running] = []
        while not taken:
            # Its own worker may be the quicker one, and goes on with the run that it has.
            await redis.delete(keys.ARQ_LEASE + sent.id)
            await redis.zadd(keys.queue("interactive"), {sent.id: now_ms() - 1})
            taken = await other.claim({"interactive": 1})
        await asyncio.to_thread(worker._lease.renew_once)
        await job.stopped.wait()
        await other.hand_back(taken[0], delay_s=0.0, counted=False)

        await eventually(lambda: _held_by(redis, sent.id, b"w1"))
        job.may_leave.set()
        view = await queue.wait("default", sent.id, timeout_s=WITHIN_S)

    assert view.state == "succeeded"
    assert view.result == {"run": 2}


async def _held_by(redis: Any, job_id: str, worker: bytes) -> bool:
    found: bytes | None = await redis.get(keys.ARQ_LEASE + job_id)
    return found == worker
