"""`clipline worker --devices`: a process for each device, kept alive, drained together. Real workers, real Redis."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from cli.device_workers import DeviceWorkers, named, shared_cpus
from cli.failures import Mistake
from shared.connection import connect
from shared.fleet import Fleet, WorkerInfo
from shared.settings import Settings, to_env
from tests.redis_server import RedisServer
from tests.workers.fleet import eventually
from tests.workers.models import save_model
from tests.workers.tasks.stack import settings_for

pytestmark = pytest.mark.anyio
WITHIN_S = 120.0


@pytest.fixture
def own(redis_server: RedisServer, tmp_path: Path) -> Settings:
    redis_server.flush()
    settings = settings_for(redis_server.url, save_model(tmp_path / "tiny"), tmp_path)
    return msgspec.structs.replace(settings, device="auto")


@asynccontextmanager
async def supervised(settings: Settings, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLIPLINE_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cli.main",
        "worker",
        *arguments,
        env=kept | to_env(settings),
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(WITHIN_S):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_worker_that_dies_is_started_again_and_all_drain_on_sigterm(own: Settings) -> None:
    async with connect(own) as redis, supervised(own, "--devices", "all") as process:
        fleet = Fleet(redis)

        async def other_than(pid: int) -> list[WorkerInfo]:
            return [one for one in await fleet.live() if one.pid != pid]

        [first] = await eventually(fleet.live, within_s=WITHIN_S)
        assert first.pid != process.pid
        os.kill(first.pid, signal.SIGKILL)
        [second] = await eventually(lambda: other_than(first.pid), within_s=WITHIN_S)
        assert second.device == first.device
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
        assert second.id not in [one.id for one in await fleet.live()], "it left as it was asked to"
        with pytest.raises(ProcessLookupError):
            os.kill(second.pid, 0)


async def test_a_device_that_is_not_there_ends_all_and_is_named(own: Settings) -> None:
    store = msgspec.structs.replace(own, store="http://127.0.0.1:9")
    async with supervised(store, "--devices", "cpu,cuda:77") as process:
        assert process.stderr is not None
        said = (await process.stderr.read()).decode()
        assert await process.wait() == 2
    assert "cuda:77" in said


def test_devices_are_named_one_by_one() -> None:
    assert named("cuda:0, cuda:1") == ["cuda:0", "cuda:1"]


@pytest.mark.parametrize("devices", ["", "cuda:0,", "cuda:0,cuda:0"])
def test_a_list_of_devices_that_makes_no_sense_is_refused(devices: str) -> None:
    with pytest.raises(Mistake):
        named(devices)


async def test_the_embedded_store_is_not_shared_by_devices(own: Settings) -> None:
    with pytest.raises(Mistake, match="CLIPLINE_STORE"):
        DeviceWorkers(own, ["cuda:0", "cuda:1"])


@pytest.mark.parametrize(
    ("cpus", "workers", "expected"),
    [
        ([0, 1, 2, 3], 2, [{0, 1}, {2, 3}]),
        ([0, 2, 4], 2, [{0}, {2, 4}]),
        ([0, 1], 3, [None, None, None]),
        ([0, 1], 1, [None]),
    ],
)
def test_workers_share_the_cpus(cpus: list[int], workers: int, expected: list[set[int] | None]) -> None:
    assert shared_cpus(cpus, workers) == expected
