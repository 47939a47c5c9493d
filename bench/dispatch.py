"""Dispatch: a no-op's round trip on an idle queue, and no-op jobs/s of one worker process, beside stock arq.

One private Redis; each system has a worker process of its own; the systems take turns. `idle_*_ms` is from enqueue to
the result in the client's hands. `noop_jobs_s` is the rate at which a stopped worker, once it goes on, empties a queue
that is already full, so the client's own work is not in it.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from time import perf_counter
from typing import Protocol

import uvloop
from arq.connections import ArqRedis

from bench.noop_worker import ARQ_QUEUE, settings_for
from bench.report import Figures, Report, arguments, emit, median_of, percentile, progress
from shared import keys
from shared.connection import connect
from shared.events import Events
from shared.jobs import FINAL, Query, Search
from shared.queue import Queue
from tests.redis_server import RedisServer

JOB = Search(collection="bench", query=Query(text="a red apple"))
ENQUEUERS = 32


class System(Protocol):
    """How a client uses a queue."""

    idle_calls: int
    queue_key: str

    async def round_trip(self) -> None: ...

    async def enqueue(self) -> None: ...


class Clipline:
    """Submits through `Queue` and learns of the end from the event stream, as the API does."""

    queue_key = keys.queue("interactive")

    def __init__(self, redis: ArqRedis, blocking: ArqRedis, redis_url: str, *, idle_calls: int) -> None:
        self.queue = Queue(redis, settings_for(redis_url))
        self.events = Events(redis, blocking=blocking)
        self.offset = "0-0"
        self.idle_calls = idle_calls

    async def round_trip(self) -> None:
        sent = await self.queue.submit(JOB, tenant="bench")
        ended = False
        while not ended:
            happened = await self.events.follow(self.offset)
            self.offset = happened[-1].offset if happened else self.offset
            ended = any(event.job == sent.id and event.state in FINAL for event in happened)
        view = await self.queue.result("bench", sent.id)
        assert view.state == "succeeded", view

    async def enqueue(self) -> None:
        await self.queue.submit(JOB, tenant="bench")


class StockArq:
    """arq 0.28 as its documentation uses it: `enqueue_job`, `Job.result()`, both polls at their default of 0.5 s."""

    queue_key = ARQ_QUEUE

    def __init__(self, redis: ArqRedis, *, idle_calls: int) -> None:
        self.redis = ArqRedis(redis.connection_pool)
        self.idle_calls = idle_calls

    async def round_trip(self) -> None:
        job = await self.redis.enqueue_job("search", {"text": "a red apple"})
        assert job is not None, "a fresh id"
        await job.result(timeout=30)

    async def enqueue(self) -> None:
        await self.redis.enqueue_job("search", {"text": "a red apple"})


@contextmanager
def worker_process(system: str, redis_url: str) -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-m", "bench.noop_worker", system, redis_url])
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


async def idle(system: System) -> Figures:
    await system.round_trip()
    taken = []
    for _ in range(system.idle_calls):
        started = perf_counter()
        await system.round_trip()
        taken.append((perf_counter() - started) * 1000)
    return {"idle_p50_ms": percentile(taken, 0.50), "idle_p99_ms": percentile(taken, 0.99)}


async def drain(system: System, redis: ArqRedis, pid: int, *, jobs: int) -> Figures:
    os.kill(pid, signal.SIGSTOP)
    share = jobs // ENQUEUERS

    async def fill() -> None:
        for _ in range(share):
            await system.enqueue()

    await asyncio.gather(*(fill() for _ in range(ENQUEUERS)))
    started = perf_counter()
    os.kill(pid, signal.SIGCONT)
    while await redis.zcard(system.queue_key):  # noqa: ASYNC110 - stock arq tells nobody when its queue is empty
        await asyncio.sleep(0.01)
    return {"noop_jobs_s": ENQUEUERS * share / (perf_counter() - started)}


@asynccontextmanager
async def client(name: str, redis_url: str) -> AsyncIterator[tuple[System, ArqRedis]]:
    settings = settings_for(redis_url)
    async with connect(settings) as redis, connect(settings, blocking=True) as blocking:
        if name == "arq":
            yield StockArq(redis, idle_calls=20), redis
        else:
            yield Clipline(redis, blocking, redis_url, idle_calls=400), redis


async def measure(name: str, redis_url: str, *, jobs: int) -> Figures:
    with worker_process(name, redis_url) as pid:
        async with client(name, redis_url) as (system, redis):
            figures = {**await idle(system), **await drain(system, redis, pid, jobs=jobs)}
    progress(f"{name}: {figures}")
    return figures


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--jobs", type=int, default=5_000, help="no-op jobs to drain")
    chosen = parser.parse_args()
    rounds: dict[str, list[Figures]] = {"clipline": [], "arq": []}
    with RedisServer() as server:
        for _ in range(chosen.rounds):
            for name, figures in rounds.items():
                server.flush()
                figures.append(uvloop.run(measure(name, server.url, jobs=chosen.jobs)))
    report = Report(figures={name: median_of(figures) for name, figures in rounds.items()})
    ratio = report.figures["arq"]["idle_p50_ms"] / report.figures["clipline"]["idle_p50_ms"]
    report.notes.append(f"idle round trip: {ratio:,.0f} times faster than stock arq")
    emit(report, as_json=chosen.json)


if __name__ == "__main__":
    main()
