"""A worker process with one job that does nothing: `python -m bench.noop_worker SYSTEM REDIS_URL`."""

import asyncio
import sys
from typing import Any

import msgspec
import uvloop
from arq.connections import ArqRedis
from arq.worker import Worker as StockWorker
from arq.worker import func

from shared.connection import connect
from shared.settings import Settings
from workers.worker import Worker

# What both may run at once.
CONCURRENCY = 100
ARQ_QUEUE = "arq:queue"


async def noop(ctx: dict[Any, Any], payload: Any, **_: Any) -> Any:
    """Give back what came."""
    return payload


def settings_for(redis_url: str) -> Settings:
    return Settings(redis_url=redis_url, max_jobs=CONCURRENCY, max_queued_interactive=100_000)


async def run_clipline(redis_url: str) -> None:
    settings = settings_for(redis_url)
    async with connect(settings) as redis, connect(settings, blocking=True) as blocking:
        worker = Worker(
            [func(noop, name="search")],
            redis=redis,
            blocking=blocking,
            settings=msgspec.structs.replace(settings, max_bulk_jobs=1),
            worker_id="bench",
        )
        await worker.async_run()


async def run_arq(redis_url: str) -> None:
    """Stock arq with its defaults but for the concurrency, which is Clipline's."""
    async with connect(settings_for(redis_url)) as redis:
        stock = ArqRedis(redis.connection_pool)
        worker = StockWorker(
            [func(noop, name="search")],
            redis_pool=stock,
            queue_name=ARQ_QUEUE,
            max_jobs=CONCURRENCY,
            handle_signals=False,
        )
        await worker.async_run()


def main(system: str, redis_url: str) -> None:
    run = {"clipline": run_clipline, "arq": run_arq}[system]
    uvloop.run(run(redis_url))


if __name__ == "__main__":
    import contextlib

    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        main(sys.argv[1], sys.argv[2])
