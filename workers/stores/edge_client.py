"""The worker's side of the embedded store: starts its process, keeps it alive, and calls it without blocking."""

import asyncio
import contextlib
import logging
import os
import random
import socket
import sys
from pathlib import Path
from typing import Any

import msgspec

from shared.errors import CliplineError, Invalid, StoreAway
from shared.settings import PREFIX, Settings, to_env
from workers.stores import edge_wire as wire
from workers.stores.process import Child

logger = logging.getLogger(__name__)

READ_TIMEOUT_S = 10.0
WRITE_TIMEOUT_S = 60.0
BUILD_TIMEOUT_S = 3_600.0
CLOSE_TIMEOUT_S = 10.0
STUCK_S = 60.0
MAX_READS = 64
MAX_WRITES = 2
# A process that lived this long was healthy: the next start does not wait.
HEALTHY_S = 5.0
FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 5.0
CHUNK_BYTES = 1 << 20


class _ProcessEnded(StoreAway):
    """The process ended before it answered; a write may or may not have been carried out."""


class EdgeClient:
    """After a crash the calls under way raise StoreAway, the next ones wait for the process's successor."""

    def __init__(self, settings: Settings, *, read_timeout_s: float, stuck_s: float) -> None:
        self._settings = settings
        self._stuck_s = stuck_s
        self._read_timeout_s = read_timeout_s
        self._reads = asyncio.Semaphore(MAX_READS)
        self._writes = asyncio.Semaphore(MAX_WRITES)
        self._builds = asyncio.Semaphore(MAX_READS)
        self._pending: dict[int, asyncio.Future[msgspec.Raw]] = {}
        self._next_id = wire.HELLO
        # Set when the process can be called, or when it is known why it cannot.
        self._settled = asyncio.Event()
        self._heard_at_s = 0.0
        self._refusal: CliplineError | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._child: Child | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    @property
    def pid(self) -> int | None:
        return None if self._child is None else self._child.pid

    async def start(self) -> None:
        """Begin to start the process; calls wait until it is ready."""
        assert self._supervisor is None, "started once"
        self._supervisor = asyncio.create_task(self._supervise(), name="edge-supervisor")

    async def close(self) -> None:
        """Let the process finish what it was given and flush; kill it when it takes too long."""
        self._closing.set()
        self._refuse(StoreAway("the vector store is closed"))
        if self._writer is not None:
            self._writer.write_eof()
        if self._supervisor is not None:
            await self._join(self._supervisor)

    async def _join(self, supervisor: asyncio.Task[None]) -> None:
        _, late = await asyncio.wait([supervisor], timeout=CLOSE_TIMEOUT_S)
        if late:
            logger.warning("edge process %s did not end in %g s, killing it", self.pid, CLOSE_TIMEOUT_S)
            if self._child is not None:
                self._child.kill()
            await asyncio.wait([supervisor])

    async def call(self, call: wire.Call, answer: Any) -> Any:
        """The answer, as that type. Raises what the store raised, StoreAway when there was none in time."""
        limit, timeout_s = self._bounds(call)
        try:
            async with asyncio.timeout(timeout_s), limit:
                raw = await self._ask_again(call) if isinstance(call, wire.Read) else await self._ask(call)
        except TimeoutError:
            self._kill_when_stuck()
            raise StoreAway(f"no answer from the vector store in {timeout_s:g} s") from None
        return msgspec.msgpack.decode(raw, type=answer)

    def _bounds(self, call: wire.Call) -> tuple[asyncio.Semaphore, float]:
        if isinstance(call, wire.Optimize):
            return self._builds, BUILD_TIMEOUT_S
        if isinstance(call, wire.Read):
            return self._reads, self._read_timeout_s
        return self._writes, WRITE_TIMEOUT_S

    async def _ask_again(self, call: wire.Read) -> msgspec.Raw:
        """Reads survive one end of the process; a second time it may be the call that ends it."""
        try:
            return await self._ask(call)
        except _ProcessEnded:
            return await self._ask(call)

    async def _ask(self, call: wire.Call) -> msgspec.Raw:
        await self._settled.wait()
        if self._refusal is not None:
            raise self._refusal
        assert self._writer is not None, "settled without a refusal"
        self._next_id += 1
        id_ = self._next_id
        request = _frame(wire.Request(id_, call))
        if not self._pending:
            self._heard_at_s = asyncio.get_running_loop().time()
        answer: asyncio.Future[msgspec.Raw] = asyncio.get_running_loop().create_future()
        self._pending[id_] = answer
        try:
            self._writer.write(request)
            with contextlib.suppress(ConnectionError):
                await self._writer.drain()
            return await answer
        finally:
            del self._pending[id_]

    async def _supervise(self) -> None:
        """Start the process again when it ends: at once after a healthy life, else with growing, jittered pauses."""
        loop = asyncio.get_running_loop()
        failures = 0
        while not self._closing.is_set():
            started = loop.time()
            try:
                await self._live()
            except (OSError, msgspec.MsgspecError) as error:
                logger.exception("edge process cannot be used")
                self._refuse(StoreAway(f"the vector store's process cannot be used: {error}"))
            if self._closing.is_set():
                return
            failures = 0 if loop.time() - started >= HEALTHY_S else failures + 1
            if failures > 1 or self._refusal is not None:
                ceiling_s = min(FIRST_BACKOFF_S * 2**failures, MAX_BACKOFF_S)
                pause_s = random.uniform(ceiling_s / 2, ceiling_s)  # noqa: S311 - jitter is no secret
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), pause_s)

    async def _live(self) -> None:
        """One life of the process, from start to end."""
        ours, theirs = socket.socketpair()
        with theirs:
            child = self._child = self._spawn(theirs)
        reader, writer = await asyncio.open_connection(sock=ours)
        self._writer = writer
        self._heard_at_s = asyncio.get_running_loop().time()
        if self._closing.is_set():
            writer.write_eof()
        try:
            await self._receive(reader)
        finally:
            self._writer = None
            await self._bury(child, writer)

    def _spawn(self, theirs: socket.socket) -> Child:
        root = str(Path(__file__).parents[2])
        kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
        return Child(
            [sys.executable, "-m", "workers.stores.edge_process", str(theirs.fileno()), str(os.getpid())],
            env=kept | to_env(self._settings) | {"PYTHONPATH": path},
            pass_fds=[theirs.fileno()],
        )

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        frames = wire.Frames()
        decoder = msgspec.msgpack.Decoder(wire.Reply)
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(CHUNK_BYTES):
                self._heard_at_s = asyncio.get_running_loop().time()
                for body in frames.feed(data):
                    self._on_reply(decoder.decode(body))

    def _on_reply(self, reply: wire.Reply) -> None:
        failure = None if reply.failure is None else wire.error_of(reply.failure)
        if reply.id == wire.HELLO:
            self._on_hello(failure)
        elif (answer := self._pending.get(reply.id)) is not None and not answer.done():
            if failure is None:
                answer.set_result(reply.result)
            else:
                answer.set_exception(failure)

    def _on_hello(self, failure: CliplineError | None) -> None:
        if failure is not None:
            logger.error("edge process %s cannot work: %s", self.pid, failure)
            self._refuse(failure)
        elif not self._closing.is_set():
            logger.info("edge process %s is ready", self.pid)
            self._refusal = None
            self._settled.set()

    def _refuse(self, reason: CliplineError) -> None:
        self._refusal = reason
        self._settled.set()

    async def _bury(self, child: Child, writer: asyncio.StreamWriter) -> None:
        """The process has closed its end: fail what it left unanswered and wait for it to be gone."""
        if self._refusal is None:
            self._settled.clear()
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(_ProcessEnded("the vector store's process ended; it is being started again"))
        writer.close()
        code = await child.wait()
        self._child = None
        if not self._closing.is_set():
            logger.warning("edge process %d ended with %d", child.pid, code)

    def _kill_when_stuck(self) -> None:
        """A process that answers nothing for that long will not; its successor has the log."""
        if self._child is not None and asyncio.get_running_loop().time() - self._heard_at_s > self._stuck_s:
            logger.error("edge process %d has not answered for %g s, killing it", self._child.pid, self._stuck_s)
            self._child.kill()


def _frame(request: wire.Request) -> bytes:
    try:
        return wire.frame(request)
    except (OverflowError, TypeError, ValueError, RecursionError) as error:
        raise Invalid(f"this cannot be stored: {error}") from error
