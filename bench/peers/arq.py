"""arq 0.28 as its documentation uses it; the poll interval is its default of 0.5 s, or 5 ms on both sides."""

import asyncio
from typing import Any

import uvloop
from arq.connections import ArqRedis
from arq.worker import Worker, func
from redis.asyncio import BlockingConnectionPool

from bench.peers.protocol import SLEEP_S, client_arguments, is_worker, ready, take_orders, worker_arguments


class Arq:
    def __init__(self, url: str, poll_s: float) -> None:
        self.redis = connect(url)
        self.poll_s = poll_s

    async def round_trip(self) -> None:
        job = await self.redis.enqueue_job("noop", {"text": "a red apple"})
        assert job is not None, "a fresh id"
        await job.result(timeout=30, poll_delay=self.poll_s)

    async def enqueue(self, name: str) -> None:
        await self.redis.enqueue_job(name, {"text": "a red apple"})


def connect(url: str) -> ArqRedis:
    return ArqRedis(BlockingConnectionPool.from_url(url, max_connections=64))


async def work() -> None:
    arguments = worker_arguments()

    async def noop(ctx: dict[Any, Any], payload: Any) -> Any:
        arguments.counter.add()
        return payload

    async def sleep(ctx: dict[Any, Any], payload: Any) -> Any:
        await asyncio.sleep(SLEEP_S)
        arguments.counter.add()
        return payload

    worker = Worker(
        [func(noop, name="noop"), func(sleep, name="sleep")],
        redis_pool=connect(arguments.url),
        max_jobs=arguments.slots,
        poll_delay=arguments.poll_s,
        handle_signals=False,
        log_results=False,
    )
    ready()
    await worker.async_run()


if __name__ == "__main__":
    uvloop.run(work() if is_worker() else take_orders(Arq(*client_arguments())))
