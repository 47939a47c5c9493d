"""taskiq with taskiq-redis' acknowledged stream broker; the client asks for the result every 5 ms, not every 0.2 s."""

import asyncio
from typing import Any

import uvloop
from taskiq.api import run_receiver_task
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

from bench.peers.protocol import (
    SLEEP_S,
    Counter,
    client_arguments,
    is_worker,
    ready,
    take_orders,
    worker_arguments,
)

KEEP_RESULT_S = 3_600


def broker_with(url: str, counter: Counter | None) -> tuple[Any, dict[str, Any]]:
    """The broker and its tasks by name; only a worker's count."""
    # Behind the stream's start: a job that comes before the first worker must not be missed.
    broker = RedisStreamBroker(url, consumer_id="0").with_result_backend(
        RedisAsyncResultBackend(url, result_ex_time=KEEP_RESULT_S)
    )

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
    return broker, {name: broker.register_task(function, task_name=name) for name, function in named.items()}


class Taskiq:
    def __init__(self, tasks: dict[str, Any], poll_s: float) -> None:
        self.tasks = tasks
        self.poll_s = poll_s

    async def round_trip(self) -> None:
        task = await self.tasks["noop"].kiq({"text": "a red apple"})
        await task.wait_result(check_interval=self.poll_s, timeout=30)

    async def enqueue(self, name: str) -> None:
        await self.tasks[name].kiq({"text": "a red apple"})


async def submit() -> None:
    url, poll_s = client_arguments()
    broker, tasks = broker_with(url, None)
    await broker.startup()
    await take_orders(Taskiq(tasks, poll_s))
    await broker.shutdown()


async def work() -> None:
    arguments = worker_arguments()
    broker, _ = broker_with(arguments.url, arguments.counter)
    broker.is_worker_process = True
    ready()
    await run_receiver_task(broker, max_async_tasks=arguments.slots, run_startup=True)


if __name__ == "__main__":
    uvloop.run(work() if is_worker() else submit())
