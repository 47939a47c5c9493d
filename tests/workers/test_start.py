"""Redis goes away at the very moment when a worker starts to take jobs: the worker lives."""

import asyncio
import logging
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from shared.connection import connect
from shared.fleet import Fleet
from shared.jobs import CollectionTask
from shared.pipe import TRIES
from shared.queue import Queue
from tests.redis_server import RedisServer
from tests.workers.fleet import eventually
from tests.workers.tasks.stack import settings_for
from workers.__main__ import serve

pytestmark = pytest.mark.anyio

WITHIN_S = 60.0
# What a worker that waits for jobs asks.
ASKED = b"BLPOP"
CUTS = 2 * TRIES


class CuttingProxy:
    """Passes everything on to Redis, but hangs up on the first ones that wait for jobs."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.cuts = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        upstream = await asyncio.open_unix_connection(str(self.socket))
        back = asyncio.create_task(self._pass_on(upstream[0], writer))
        with suppress(ConnectionError):
            await self._pass_on(reader, upstream[1])
        back.cancel()
        for one in (writer, upstream[1]):
            one.close()

    async def _pass_on(self, reader: StreamReader, writer: StreamWriter) -> None:
        while data := await reader.read(65_536):
            if ASKED in data and self.cuts < CUTS:
                self.cuts += 1
                return
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def cutting(server: RedisServer) -> AsyncIterator[tuple[CuttingProxy, str]]:
    proxy = CuttingProxy(server.socket)
    listening = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    try:
        yield proxy, f"redis://127.0.0.1:{listening.sockets[0].getsockname()[1]}/0"
    finally:
        listening.close()


async def test_a_worker_goes_on_when_redis_hangs_up_on_it(
    redis_server: RedisServer, tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    redis_server.flush()
    stop = asyncio.Event()
    async with cutting(redis_server) as (proxy, url):
        near = settings_for(redis_server.url, tiny_model, tmp_path)
        task = asyncio.create_task(serve(msgspec.structs.replace(near, redis_url=url), stop=stop))
        async with connect(near) as redis:
            queue = Queue(redis, near)
            await eventually(lambda: proxy.cuts == CUTS or task.done(), within_s=WITHIN_S)
            sent = await queue.submit(CollectionTask(op="create", collection="p"), tenant="t")
            view = await queue.wait("t", sent.id, timeout_s=WITHIN_S)
            stop.set()
            async with asyncio.timeout(WITHIN_S):
                await task
            assert await Fleet(redis).live() == []
    assert view.state == "succeeded"
    assert "jobs can be taken" in caplog.text
