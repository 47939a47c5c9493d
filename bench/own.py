"""Clipline under the protocol that its peers speak: `python -m bench.own worker|client …`."""

import asyncio
import os
from typing import Any

import uvloop
from arq.worker import func

from bench.peers.protocol import (
    SLEEP_S,
    WorkerArguments,
    client_arguments,
    is_worker,
    ready,
    take_orders,
    worker_arguments,
)
from shared.connection import connect
from shared.events import Events, of_jobs
from shared.jobs import FINAL, Query, Search
from shared.queue import Queue
from shared.settings import Settings
from workers.worker import Worker

# The kind decides which function runs; the text tells it how long to sleep.
TEXTS = {"noop": "sleep 0", "sleep": f"sleep {SLEEP_S}"}
TENANT = "bench"
MAX_QUEUED = 100_000


def settings_for(redis_url: str, *, slots: int = 100) -> Settings:
    return Settings(
        redis_url=redis_url,
        max_jobs=slots,
        max_bulk_jobs=1,
        max_queued_interactive=MAX_QUEUED,
        tenant_max_open=MAX_QUEUED,
    )


def job(name: str) -> Search:
    """One of the protocol's jobs, or `sleep SECONDS`."""
    return Search(collection="bench", query=Query(text=TEXTS.get(name, name)))


class Clipline:
    """Submits through `Queue`, and learns of the end as `Queue.wait` does: from the events, with the result."""

    def __init__(self, queue: Queue, events: Events, offset: str) -> None:
        self.queue = queue
        self.events = events
        self.offset = offset

    async def round_trip(self) -> None:
        sent = await self.queue.submit(job("noop"), tenant=TENANT)
        ledger = self.queue.ledger
        while True:
            happened, answers = await self.events.follow_with(self.offset, *ledger.asks(sent.id))
            self.offset = happened[-1].offset if happened else self.offset
            if any(event.job == sent.id and event.state in FINAL for event in of_jobs(happened)):
                break
        view = await ledger.told(TENANT, sent.id, answers)
        assert view.state == "succeeded", view

    async def enqueue(self, name: str) -> None:
        await self.queue.submit(job(name), tenant=TENANT)


async def submit() -> None:
    settings = settings_for(client_arguments()[0])
    async with connect(settings) as redis, connect(settings, blocking=True) as blocking:
        events = Events(redis, blocking=blocking)
        await take_orders(Clipline(Queue(redis, settings), events, await events.last()))


async def work() -> None:
    arguments = worker_arguments()
    settings = settings_for(arguments.url, slots=arguments.slots)
    async with connect(settings) as redis, connect(settings, blocking=True) as blocking:
        worker = Worker(
            [func(_search(arguments), name="search")],
            redis=redis,
            blocking=blocking,
            settings=settings,
            worker_id=f"bench-{os.getpid()}",
        )
        ready()
        await worker.async_run()


def _search(arguments: WorkerArguments) -> Any:
    async def search(ctx: dict[Any, Any], payload: Any, **_: Any) -> Any:
        seconds = float(payload["query"]["text"].removeprefix("sleep "))
        if seconds:
            await asyncio.sleep(seconds)
        arguments.counter.add()
        return payload

    return search


if __name__ == "__main__":
    uvloop.run(work() if is_worker() else submit())
