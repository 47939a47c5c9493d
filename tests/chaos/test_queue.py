"""Jobs survive killed, frozen and drained workers and a Redis that goes away; each ends once.

200 jobs here, 2,000 in `make chaos` (CLIPLINE_TEST_CHAOS_JOBS); CLIPLINE_TEST_CHAOS_SEED repeats a run.
"""

import asyncio
import logging
import os
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from time import monotonic

import msgspec
import pytest

from shared.connection import connect
from shared.errors import Problem
from shared.jobs import Query, Search
from shared.queue import Queue
from shared.settings import Settings
from tests.chaos.processes import Processes
from tests.chaos.watcher import Watcher, insist
from tests.redis_server import RedisServer

logger = logging.getLogger(__name__)

pytestmark = pytest.mark.anyio

JOBS = int(os.environ.get("CLIPLINE_TEST_CHAOS_JOBS", "200"))
SEED = int(os.environ.get("CLIPLINE_TEST_CHAOS_SEED", "0")) or random.randrange(1, 2**32)
WORKERS = 4
LEASE_S = 1.0
# Something happens whenever so many more jobs have ended.
EVERY = 25
FROZEN_S = 1.5 * LEASE_S
# Longer than any test waits.
FOR_EVER_S = 3_600.0
CRASHES = 2
TENANT = "chaos"


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer(persistent=True) as started:
        yield started


@pytest.fixture
def settings(server: RedisServer, tmp_path: Path) -> Settings:
    return Settings(
        redis_url=server.url,
        data_dir=str(tmp_path),
        lease_s=LEASE_S,
        max_jobs=4,
        # Chaos takes many workers down with the same innocent job.
        max_crashes=100,
        max_tries=100,
        max_bulk_jobs=1,
        max_queued_interactive=10_000,
        keep_events=100_000,
        log_level="error",
    )


class Stage:
    """One client, its queue and its view of what happens, and the workers."""

    def __init__(self, queue: Queue, watcher: Watcher, processes: Processes) -> None:
        self.queue = queue
        self.watcher = watcher
        self.processes = processes

    async def submit(self, text: str, *, key: str) -> str:
        """A repeated call brings the same job: the answer to the first may have been lost."""
        job = Search(collection="chaos", query=Query(text=text))
        sent = await insist(lambda: self.queue.submit(job, tenant=TENANT, idempotency_key=key))
        return sent.id

    async def until(self, condition: Callable[[], bool], *, within_s: float = 60.0) -> None:
        async with asyncio.timeout(within_s):
            while not condition():
                await self.look()

    async def look(self) -> None:
        """Follow the events, keep as many workers as there should be."""
        await self.watcher.look()
        for _ in range(self.processes.bury()):
            self.processes.start()


@pytest.fixture
async def stage(settings: Settings, tmp_path: Path) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(connect(settings))
        blocking = await stack.enter_async_context(connect(settings, blocking=True))
        processes = stack.enter_context(Processes(settings, tmp_path / "runs"))
        yield Stage(Queue(redis, settings), Watcher(redis, blocking), processes)


class Chaos:
    """Kills, freezes, drains and restarts, in an order drawn from the seed, as jobs end."""

    def __init__(self, stage: Stage, server: RedisServer) -> None:
        self.stage = stage
        self.server = server
        self.draw = random.Random(SEED)
        self.done: dict[str, int] = {}
        self._thaw_at = 0.0
        self._next = EVERY

    async def meddle(self, ended: int) -> None:
        if self.stage.processes.frozen and monotonic() > self._thaw_at:
            self.stage.processes.thaw()
        if ended >= self._next:
            self._next = ended + EVERY
            await self._one()

    async def _one(self) -> None:
        what = self.draw.choices(["kill", "crash", "freeze", "drain", "restart"], [3, 3, 3, 2, 2])[0]
        self.done[what] = self.done.get(what, 0) + 1
        processes = self.stage.processes
        victim = self.draw.choice(sorted(processes.alive.keys() - processes.frozen) or sorted(processes.alive))
        match what:
            case "kill":
                processes.kill(victim)
                processes.start()
            case "crash":
                processes.crash(victim)
            case "freeze":
                processes.freeze(victim)
                self._thaw_at = monotonic() + FROZEN_S
            case "drain":
                processes.terminate(victim)
            case _:
                await asyncio.to_thread(self.server.stop)
                await asyncio.to_thread(self.server.start)


@pytest.mark.timeout(60 + JOBS)
async def test_no_job_is_lost_and_each_ends_once(stage: Stage, server: RedisServer) -> None:
    chaos = Chaos(stage, server)
    draw = random.Random(SEED)
    for _ in range(WORKERS):
        stage.processes.start()
    ids = [await stage.submit(f"work {draw.randrange(20, 400)}", key=f"job-{number}") for number in range(JOBS)]
    assert len(set(ids)) == JOBS

    async with asyncio.timeout(50 + JOBS):
        while len(stage.watcher.ends) < JOBS:
            await stage.look()
            await chaos.meddle(len(stage.watcher.ends))

    runs = stage.processes.runs_by_job()
    repeats = sum(runs.values()) - JOBS
    logger.info("%d jobs, %s, %d repeats, seed %d", JOBS, chaos.done, repeats, SEED)
    assert stage.processes.broken == []
    assert set(stage.watcher.ends) == set(ids)
    assert {tuple(states) for states in stage.watcher.ends.values()} == {("succeeded",)}, "each ends once"
    views = [await insist(partial(stage.queue.result, TENANT, job_id)) for job_id in ids]
    assert {view.state for view in views} == {"succeeded"}


async def test_a_killed_workers_job_runs_again_elsewhere(stage: Stage, settings: Settings) -> None:
    # Long enough for a busy machine that stands still: no lease lapses of itself.
    stage.processes.settings = msgspec.structs.replace(settings, lease_s=3 * LEASE_S)
    stage.processes.start()
    held = await stage.submit("hold", key="held")
    await stage.until(lambda: len(stage.processes.runs()) == 1)
    second = stage.processes.start()
    await stage.until(lambda: second in stage.processes.ready())
    stage.processes.kill("w1")
    killed_at = monotonic()
    await stage.until(lambda: held in stage.watcher.ends)

    first, again = [run for run in stage.processes.runs() if run.job == held]
    logger.info("ran again %.2f s after the kill, the lease is %.1f s", again.at - killed_at, 3 * LEASE_S)
    assert (first.worker, again.worker) == ("w1", second)
    view = await stage.queue.result(TENANT, held)
    assert (view.state, view.attempts) == ("succeeded", 2)


async def test_a_crashed_workers_job_runs_again_elsewhere_while_its_lease_would_last(
    stage: Stage, settings: Settings
) -> None:
    stage.processes.settings = msgspec.structs.replace(settings, lease_s=FOR_EVER_S)
    stage.processes.start()
    held = await stage.submit("hold", key="held")
    await stage.until(lambda: len(stage.processes.runs()) == 1)
    second = stage.processes.start()
    await stage.until(lambda: second in stage.processes.ready())
    stage.processes.crash("w1")
    killed_at = monotonic()
    await stage.until(lambda: held in stage.watcher.ends)

    _, again = [run for run in stage.processes.runs() if run.job == held]
    logger.info("ran again %.3f s after the crash", again.at - killed_at)
    view = await stage.queue.result(TENANT, held)
    assert (view.state, view.attempts, view.worker) == ("succeeded", 2, again.worker)
    assert [attempt.worker for attempt in view.history] == ["w1"]
    await stage.until(lambda: "w1'" in stage.processes.ready())
    after = await stage.submit("work 1", key="after")
    await stage.until(lambda: after in stage.watcher.ends)
    assert stage.processes.broken == []


async def test_a_crashed_workers_jobs_are_taken_by_the_one_in_its_place(stage: Stage, settings: Settings) -> None:
    stage.processes.settings = msgspec.structs.replace(settings, lease_s=FOR_EVER_S)
    stage.processes.start()
    held = [await stage.submit("hold", key=f"held-{number}") for number in range(3)]
    await stage.until(lambda: len(stage.processes.runs()) == len(held))
    stage.processes.crash("w1")
    await stage.until(lambda: set(held) <= stage.watcher.ends.keys())

    views = [await stage.queue.result(TENANT, job_id) for job_id in held]
    assert {(view.state, view.attempts, view.worker) for view in views} == {("succeeded", 2, "w1'")}


async def test_poison_ends_dead_and_its_neighbours_do_not(stage: Stage, settings: Settings) -> None:
    stage.processes.settings = msgspec.structs.replace(settings, max_crashes=CRASHES)
    for _ in range(2):
        stage.processes.start()
    poison = await stage.submit("poison", key="poison")
    await stage.until(lambda: poison in stage.watcher.ends)
    after = await stage.submit("work 1", key="after")
    await stage.until(lambda: after in stage.watcher.ends)

    runs = stage.processes.runs_by_job()
    assert stage.watcher.ends[poison] == ["dead"]
    assert runs[poison] == CRASHES
    view = await stage.queue.result(TENANT, poison)
    assert isinstance(view.error, Problem)
    assert (view.state, view.error.type) == ("dead", "worker-lost")
    assert stage.watcher.ends[after] == ["succeeded"]
