"""streaq: Redis Streams to the workers, the result is published to whoever waits; nothing polls."""

import asyncio
from typing import Any

import uvloop
from streaq import Worker

from bench.peers.protocol import (
    SLEEP_S,
    Counter,
    client_arguments,
    is_worker,
    ready,
    take_orders,
    worker_arguments,
)


def tasks(worker: "Worker[Any]", counter: Counter | None) -> dict[str, Any]:
    """Client and worker register the same functions; only the worker's count."""

    async def noop(payload: Any) -> Any:
        if counter is not None:
            counter.add()
        return payload

    async def sleep(payload: Any) -> Any:
        await asyncio.sleep(SLEEP_S)
        if counter is not None:
            counter.add()
        return payload

    named = {"noop": noop, "sleep": sleep}
    return {name: worker.task(name=name, silent=True)(function) for name, function in named.items()}


class Streaq:
    def __init__(self, worker: "Worker[Any]") -> None:
        self.tasks = tasks(worker, None)

    async def round_trip(self) -> None:
        task = await self.tasks["noop"].enqueue({"text": "a red apple"})
        await task.result(30)

    async def enqueue(self, name: str) -> None:
        await self.tasks[name].enqueue({"text": "a red apple"})


async def submit() -> None:
    async with Worker(redis_url=client_arguments()[0]) as worker:
        await take_orders(Streaq(worker))


async def work() -> None:
    arguments = worker_arguments()
    worker = Worker(redis_url=arguments.url, concurrency=arguments.slots, handle_signals=False)
    tasks(worker, arguments.counter)
    ready()
    await worker.run_async()


if __name__ == "__main__":
    uvloop.run(work() if is_worker() else submit())
