"""Real workers on a real Redis, ours and arq's own, running functions that a test gives them."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from arq.connections import ArqRedis
from arq.worker import Function
from arq.worker import Worker as StockWorker

from shared import keys, wire
from shared.clock import now_ms
from shared.connection import connect
from shared.jobs import Lane
from shared.settings import Settings
from workers.worker import Worker

# Bounds waiting only: a machine that is busy, or stands still for seconds, is no failure.
WITHIN_S = 60.0


@asynccontextmanager
async def running_worker(
    settings: Settings,
    functions: list[Function],
    *,
    worker_id: str = "w1",
    ctx: dict[Any, Any] | None = None,
    places: Mapping[str, int] | None = None,
) -> AsyncIterator[Worker]:
    """Takes jobs until the block ends, then drains."""
    async with connect(settings) as redis, connect(settings, blocking=True) as blocking:
        worker = Worker(
            functions,
            redis=redis,
            blocking=blocking,
            settings=settings,
            worker_id=worker_id,
            ctx=ctx or {},
            places=places,
        )
        taking = asyncio.create_task(worker.async_run())
        try:
            yield worker
        finally:
            try:
                await worker.drain()
            except BaseException:
                # It must not take the jobs of the next test.
                taking.cancel()
                raise
            finally:
                await asyncio.gather(taking, return_exceptions=True)
                await worker.close()


def stock_worker(redis: ArqRedis, functions: list[Function]) -> StockWorker:
    """Runs what waits in the interactive lane, and ends."""
    return StockWorker(
        functions,
        redis_pool=redis,
        queue_name=keys.queue("interactive"),
        job_serializer=wire.encode,
        job_deserializer=wire.decode,
        burst=True,
        poll_delay=0.01,
        handle_signals=False,
    )


async def eventually(condition: Callable[[], Any], *, within_s: float = WITHIN_S) -> Any:
    """Wait until `condition()`, plain or awaitable, is truthy; returns it. Fails after `within_s`."""
    async with asyncio.timeout(within_s):
        while True:
            value = condition()
            if inspect.isawaitable(value):
                value = await value
            if value:
                return value
            await asyncio.sleep(0.005)


async def lapse(redis: ArqRedis, job_id: str, lane: Lane = "interactive") -> None:
    """As if the worker that runs the job had been stopped for longer than its lease."""
    async with redis.pipeline(transaction=True) as pipe:
        pipe.delete(keys.ARQ_LEASE + job_id)
        pipe.zadd(keys.queue(lane), {job_id: now_ms()}, xx=True)
        await pipe.execute()
