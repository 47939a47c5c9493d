"""A worker's parent outlives it, starts another one, and ends as it ended. Real processes, killed for good."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from shared.connection import connect
from shared.fleet import Fleet, WorkerInfo
from shared.jobs import CollectionSpec, CollectionTask, Query, Search
from shared.queue import Queue
from shared.settings import Settings, to_env
from tests.e2e.running import alive
from tests.redis_server import RedisServer
from tests.workers.encoders.replicating import children
from tests.workers.fleet import eventually
from tests.workers.tasks.process import ROOT, worker_process
from tests.workers.tasks.stack import settings_for
from workers.encoders.replica_process import NICENESS
from workers.executors import COMPUTING_NICENESS
from workers.parent import DEATHS, has_open

pytestmark = pytest.mark.anyio
WITHIN_S = 120.0


class Lives:
    """What `tests.workers.lives` noted."""

    def __init__(self, process: Process, folder: Path) -> None:
        self.process = process
        self._folder = folder

    def all(self) -> list[tuple[int, str]]:
        path = self._folder / "lives"
        rows = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        return [(int(pid), before) for pid, before in rows]

    async def started(self, count: int) -> int:
        """The process id of the life of that number."""
        await eventually(lambda: len(self.all()) >= count, within_s=WITHIN_S)
        return self.all()[count - 1][0]

    async def ended(self) -> int:
        async with asyncio.timeout(WITHIN_S):
            return await self.process.wait()

    def holders(self) -> set[int]:
        """Processes that hold the file of a worker's helper."""
        return {pid for pid in _processes() if str(self._folder / "held") in _open_files(pid)}


def _processes() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdecimal()]


def _open_files(pid: int) -> set[str]:
    try:
        return {str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:
        return set()


@asynccontextmanager
async def living(settings: Settings, folder: Path, how: str) -> AsyncIterator[Lives]:
    command = [sys.executable, "-m", "tests.workers.lives", str(folder), how]
    process = await asyncio.create_subprocess_exec(*command, env={**os.environ, **to_env(settings)}, cwd=ROOT)
    try:
        yield Lives(process, folder)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture
def own(redis_server: RedisServer, tiny_model: Path, tmp_path: Path) -> Settings:
    redis_server.flush()
    return settings_for(redis_server.url, tiny_model, tmp_path)


@pytest.mark.parametrize("code", [0, 1, 2])
async def test_a_worker_that_ends_by_itself_ends_its_parent(own: Settings, tmp_path: Path, code: int) -> None:
    async with living(own, tmp_path, f"ends with {code}") as lives:
        assert await lives.ended() == code
        assert len(lives.all()) == 1


async def test_a_killed_worker_is_followed_by_one_that_knows_what_it_left(own: Settings, tmp_path: Path) -> None:
    async with living(own, tmp_path, "drains") as lives:
        first = await lives.started(1)
        os.kill(first, signal.SIGKILL)
        second = await lives.started(2)
        assert lives.all() == [(first, "-"), (second, f"life-{first}")]
        lives.process.send_signal(signal.SIGTERM)
        assert await lives.ended() == 0, "it was asked to stop, and did"
        assert not alive(second)


@pytest.mark.parametrize("how", ["dies at work", "dies before it works"])
async def test_workers_that_die_again_and_again_are_left_to_a_supervisor(
    own: Settings, tmp_path: Path, how: str
) -> None:
    async with living(own, tmp_path, how) as lives:
        assert await lives.ended() == -signal.SIGSEGV
        assert len(lives.all()) == DEATHS


async def test_a_worker_that_dies_of_being_told_to_stop_is_not_replaced(own: Settings, tmp_path: Path) -> None:
    async with living(own, tmp_path, "does not drain") as lives:
        await lives.started(1)
        lives.process.send_signal(signal.SIGTERM)
        assert await lives.ended() == -signal.SIGTERM
        assert len(lives.all()) == 1


async def test_what_a_dead_worker_had_started_is_gone_before_the_next_one_starts(own: Settings, tmp_path: Path) -> None:
    async with living(own, tmp_path, "leaves something running") as lives:
        first = await lives.started(1)
        left = lives.holders()
        assert len(left) == 1
        os.kill(first, signal.SIGKILL)
        await lives.started(2)
        assert not [pid for pid in left if alive(pid)]


async def test_a_killed_parent_takes_its_worker_with_it(own: Settings, tmp_path: Path) -> None:
    async with living(own, tmp_path, "drains") as lives:
        worker = await lives.started(1)
        lives.process.kill()
        await eventually(lambda: not alive(worker), within_s=WITHIN_S)


def test_a_device_that_a_library_has_opened_is_noticed() -> None:
    opened = ("/dev/nowhere", "/dev/zer")
    assert not has_open(opened)
    with Path("/dev/zero").open("rb"):
        assert has_open(opened)
    assert not has_open(opened)


async def test_a_worker_with_a_model_is_replaced_and_measures_nothing_again(own: Settings) -> None:
    async with connect(own) as redis, worker_process(own) as parent:
        fleet = Fleet(redis)

        async def other_than(pid: int) -> list[WorkerInfo]:
            return [one for one in await fleet.live() if one.pid != pid]

        [first] = await eventually(lambda: other_than(parent.pid), within_s=WITHIN_S)
        os.kill(first.pid, signal.SIGKILL)
        [second] = await eventually(lambda: other_than(first.pid), within_s=WITHIN_S)
        assert first.id not in [one.id for one in await fleet.live()], "the dead are not listed"
        assert second.id != first.id
        assert second.models == first.models, "also what was measured, to the digit"
        assert second.texts_s > 0
        parent.terminate()
        async with asyncio.timeout(WITHIN_S):
            assert await parent.wait() == 0
        assert await fleet.live() == []


async def test_a_search_is_answered_although_a_replica_of_the_model_was_killed(own: Settings) -> None:
    settings = msgspec.structs.replace(own, threads=2)
    async with connect(settings) as redis, worker_process(settings):
        queue = Queue(redis, settings)
        task = await queue.submit(CollectionTask(op="create", collection="c", spec=CollectionSpec()), tenant="t")
        assert (await queue.wait("t", task.id, timeout_s=WITHIN_S)).state == "succeeded"
        [first] = await Fleet(redis).live()
        os.kill(next(filter(_computes, children(first.pid))), signal.SIGKILL)
        search = await queue.submit(Search(collection="c", query=Query(text="a cat")), tenant="t")
        ended = await queue.wait("t", search.id, timeout_s=WITHIN_S)
        assert (ended.state, ended.attempts) == ("succeeded", 2)
        [second] = await eventually(Fleet(redis).live, within_s=WITHIN_S)
        assert second.pid != first.pid


@pytest.mark.parametrize(("threads", "niceness"), [(1, COMPUTING_NICENESS), (2, 0)])
async def test_what_computes_steps_back_and_an_event_loop_beside_it_does_not(
    own: Settings, threads: int, niceness: int
) -> None:
    settings = msgspec.structs.replace(own, threads=threads)
    async with connect(settings) as redis, worker_process(settings):
        [worker] = await eventually(Fleet(redis).live, within_s=WITHIN_S)
        before = os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpriority(os.PRIO_PROCESS, worker.pid) == min(19, before + niceness)
        replicas = [pid for pid in children(worker.pid) if _computes(pid)]
        assert all(os.getpriority(os.PRIO_PROCESS, pid) == min(19, before + NICENESS) for pid in replicas)
        assert bool(replicas) == (threads > 1)


def _computes(pid: int) -> bool:
    """The store's process and the decoders' are other programs; a replica is what its worker is."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[1:3] == [b"-m", b"workers"]
