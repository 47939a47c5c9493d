"""The embedded stack: Redis, one worker with the vector store, one API, in this order and back."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from time import monotonic
from typing import Any

import httpx
import msgspec
import redis.asyncio
from redis import exceptions

from cli import embedded, ports, redis_server
from cli.child import Child, Program
from cli.child_log import ChildLog
from cli.data_folder import DataFolder, Running
from cli.failures import Mistake
from shared.settings import Settings

POLL_S = 0.1
# A model that is downloaded or large takes its time; so often we say what we wait for.
NOTICE_S = 15.0
API_STOP_S = 10.0
REDIS_STOP_S = 10.0
# Beyond the worker's own drain, to close the store.
WORKER_MARGIN_S = 10.0


class Stack:
    """Supervises the children of one data folder."""

    def __init__(
        self, settings: Settings, folder: DataFolder, *, fixed_port: bool, tell: Callable[[str], None]
    ) -> None:
        self.settings, self.folder = settings, folder
        self._fixed_port = fixed_port
        self._tell = tell
        self._ready = False
        # Set when a signal came or a child gave up: whatever is waited for, it is time to look.
        self._turn, self._stopping, self._hurry = asyncio.Event(), False, False
        self._redis = self._child("redis", self._redis_command(), stop_s=REDIS_STOP_S, echo=False)
        worker_stop_s = settings.drain_s + WORKER_MARGIN_S
        self._worker = self._child("worker", _module("workers"), stop_s=worker_stop_s, echo=True)
        self._api = self._child("api", _module("api"), stop_s=API_STOP_S, echo=True)
        self._keepers: list[asyncio.Task[None]] = []

    @property
    def url(self) -> str:
        return embedded.url(self.settings.host, self.settings.port)

    async def run(self, then: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start all, do `then` when all is ready, and stay until a signal. Raises Failure when a child cannot go on."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._told_to_stop)
        try:
            for step in (self._start, then, self._turn.wait):
                await self._while_alive(step())
                if self._stopping:
                    return
        finally:
            await self._stop_all()

    async def _start(self) -> None:
        self._keep(self._redis)
        await self._until(self._redis_answers, "Redis")
        self._keep(self._worker)
        self._keep(self._api)
        await self._until(self._api_is_ready, "the worker, which loads the model")
        self._ready = True
        self._write_state()

    async def _while_alive(self, work: Awaitable[object]) -> None:
        """Wait for `work`, unless a child gives up or somebody says stop."""
        task, turn = asyncio.ensure_future(work), asyncio.create_task(self._turn.wait())
        try:
            await asyncio.wait({task, turn}, return_when=asyncio.FIRST_COMPLETED)
            for keeper in self._keepers:
                if keeper.done():
                    keeper.result()
            if task.done():
                task.result()
        finally:
            for one in (task, turn):
                one.cancel()
            await asyncio.gather(task, turn, return_exceptions=True)

    async def _stop_all(self) -> None:
        """Those who ask before those who are asked, so that a draining worker still has its Redis."""
        for child in (self._api, self._worker, self._redis):
            await child.stop(at_once=self._hurry)
            child.log.close()
        redis_server.leave(self.folder.redis)
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    def _told_to_stop(self) -> None:
        """The first time in order, the second time at once."""
        if self._stopping:
            self._hurry = True
            self._api.kill()
            self._worker.kill()
        else:
            self._tell("stopping (again: at once)")
            self._stopping = True
            self._turn.set()

    def _keep(self, child: Child) -> None:
        keeper = asyncio.create_task(child.keep())
        keeper.add_done_callback(lambda _: self._turn.set())
        self._keepers.append(keeper)

    def _child(self, name: str, command: list[str], *, stop_s: float, echo: bool) -> Child:
        environment = self._api_environment if name == "api" else self._environment
        path = self.folder.logs / f"{name}.log"
        log = ChildLog(path, echo=(lambda line: self._tell(f"{name}: {line}")) if echo else None)
        # A busy port is a bad setting to the API; when we chose it, the next start has another.
        hopeless = frozenset() if name == "api" and not self._fixed_port else frozenset({Mistake.code})
        program = Program(name=name, command=command, environment=environment, stop_s=stop_s, hopeless=hopeless)
        return Child(program, log, tell=self._tell, started=self._write_state)

    def _redis_command(self) -> list[str]:
        server = redis_server.binary(self.folder.redis)
        path = redis_server.socket_path(self.folder.redis)
        self.settings = msgspec.structs.replace(self.settings, redis_url=redis_server.url(path))
        return redis_server.command(server, data=self.folder.redis, path=path)

    def _environment(self) -> dict[str, str]:
        return embedded.environment(self.settings)

    def _api_environment(self) -> dict[str, str]:
        if not self._ready:
            # Somebody may take the port between our look and the API's bind; once people know it, it stays.
            port = ports.choose(self.settings.host, self.settings.port, fixed=self._fixed_port)
            self.settings = msgspec.structs.replace(self.settings, port=port)
        return self._environment()

    def _write_state(self) -> None:
        children = {child.program.name: child.pid for child in (self._redis, self._worker, self._api)}
        living = {name: pid for name, pid in children.items() if pid is not None}
        self.folder.write(Running(pid=os.getpid(), url=self.url, children=living))

    async def _until(self, ready: Callable[[], Awaitable[bool]], what: str) -> None:
        notice = monotonic() + NOTICE_S
        while not await ready():
            if monotonic() > notice:
                self._tell(f"still waiting for {what}; see {self.folder.logs}")
                notice += NOTICE_S
            await asyncio.sleep(POLL_S)

    async def _redis_answers(self) -> bool:
        try:
            async with redis.asyncio.Redis.from_url(self.settings.redis_url) as client:
                return bool(await client.ping())
        except (exceptions.ConnectionError, exceptions.BusyLoadingError, OSError):
            return False

    async def _api_is_ready(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            async with httpx.AsyncClient(trust_env=False, timeout=5.0) as http:
                return (await http.get(f"{self.url}/readyz")).status_code == httpx.codes.OK
        return False


def _module(name: str) -> list[str]:
    return [sys.executable, "-P", "-m", name]
