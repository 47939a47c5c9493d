"""SAQ over Redis: jobs are pushed to its workers, `apply` polls for the result every 5 ms instead of every 0.5 s."""

import asyncio
from typing import Any

import uvloop
from saq import Worker
from saq.queue.redis import RedisQueue

from bench.peers.protocol import SLEEP_S, client_arguments, is_worker, ready, take_orders, worker_arguments

# The default of 20 would hold back a worker with 100 slots.
CONCURRENT_OPS = 100


class Saq:
    def __init__(self, url: str, poll_s: float) -> None:
        self.queue = RedisQueue.from_url(url, max_concurrent_ops=CONCURRENT_OPS)
        self.poll_s = poll_s

    async def round_trip(self) -> None:
        await self.queue.apply("noop", timeout=30, poll_interval=self.poll_s, payload={"text": "a red apple"})

    async def enqueue(self, name: str) -> None:
        await self.queue.enqueue(name, payload={"text": "a red apple"})


async def work() -> None:
    arguments = worker_arguments()

    async def noop(ctx: dict[str, Any], *, payload: Any) -> Any:
        arguments.counter.add()
        return payload

    async def sleep(ctx: dict[str, Any], *, payload: Any) -> Any:
        await asyncio.sleep(SLEEP_S)
        arguments.counter.add()
        return payload

    queue = RedisQueue.from_url(arguments.url, max_concurrent_ops=CONCURRENT_OPS)
    worker = Worker(queue, [("noop", noop), ("sleep", sleep)], concurrency=arguments.slots)
    ready()
    await worker.start()


if __name__ == "__main__":
    uvloop.run(work() if is_worker() else take_orders(Saq(*client_arguments())))
