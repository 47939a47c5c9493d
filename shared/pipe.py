"""One connection for the calls of many tasks: each leaves at once, and answers come back in the order of the calls.

Redis answers in order (RESP pipelining), so calls need no connection of their own, no lock and no turns. redis-py makes
the connection, with its credentials, TLS, Sentinels and retries; reading and writing are ours, because its three timers
and a visit to the pool cost more than a command.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, cast

import hiredis
from arq.connections import ArqRedis
from redis import exceptions
from redis.asyncio import Connection

from shared.connection import CALL_TIMEOUT_S

# As many calls may wait for their answers; more are refused, since Redis does not keep up.
CALLS_AT_MOST = 20_000
UNSENT_BYTES_AT_MOST = 64 * 2**20
# Of answers that come together: who waits for Redis soon waits for something else. With two, as for what takes longer
# (`shared.turns`), a tenth fewer searches were answered.
WOKEN_AT_ONCE = 8
# A call whose connection was lost is made again: after so many seconds, then after twice as many.
TRIES, PAUSE_S = 3, 0.02


class Pipe:
    """Calls one Redis. `timeout_s`: an answer that takes longer ends the connection.

    A call whose connection was lost is repeated, so a script must know the second call of a change for one.
    """

    def __init__(self, redis: ArqRedis, *, timeout_s: float = CALL_TIMEOUT_S) -> None:
        self._pool = redis.connection_pool
        self._timeout_s = timeout_s
        self._wire: _Wire | None = None
        self._connecting = asyncio.Lock()

    async def call(self, *command: Any) -> Any:
        """The answer, as bytes, integers and lists. Raises redis-py's errors."""
        packed = _packed(*command)
        return await self._answered(lambda wire: wire.ask(packed))

    async def calls(self, *commands: Sequence[Any]) -> list[Any]:
        """The answers to commands that leave together, but not as a transaction. Raises the first error."""
        if not commands:
            return []
        packed = b"".join(_packed(*command) for command in commands)
        return cast(list[Any], await self._answered(lambda wire: wire.ask(packed, several=len(commands))))

    def close(self) -> None:
        """End the connection; who waits is told that it was lost. The next call makes another."""
        if self._wire is not None:
            self._wire.close(exceptions.ConnectionError("closed here"))

    async def unblock(self, other: "Pipe") -> None:
        """End what this one waits for in Redis, through another: a blocking command answers as when its time is up."""
        if self._wire is not None and self._wire.number is not None:
            await other.call("CLIENT", "UNBLOCK", self._wire.number)

    async def _answered(self, ask: Callable[["_Wire"], Awaitable[Any]]) -> Any:
        pause_s = PAUSE_S
        for left in reversed(range(TRIES)):
            try:
                wire = self._wire
                if wire is None or wire.lost:
                    wire = await self._connected()
                return await ask(wire)
            except exceptions.ConnectionError:
                if not left:
                    raise
            await asyncio.sleep(pause_s)
            pause_s *= 2
        raise AssertionError("the last try raises")

    async def _connected(self) -> "_Wire":
        async with self._connecting:
            if self._wire is None or self._wire.lost:
                if self._wire is not None:
                    await self._wire.connection.disconnect(nowait=True)
                    await self._pool.release(self._wire.connection)
                    self._wire = None
                connection = await self._pool.get_connection()
                self._wire = _Wire(connection, timeout_s=self._timeout_s)
                with suppress(exceptions.ResponseError):  # it may be forbidden
                    self._wire.number = await self._wire.ask(_packed("CLIENT", "ID"))
            return self._wire


def _packed(*command: Any) -> bytes:
    packed: bytes = hiredis.pack_command(command)
    return packed


class _Asked:
    """One command, or several that leave together and are answered together."""

    __slots__ = ("answer", "at", "got", "several")

    def __init__(self, answer: asyncio.Future[Any], at: float, several: int | None) -> None:
        self.answer = answer
        self.at = at
        self.several = several
        self.got: list[Any] = []

    def settle(self, answer: Any) -> bool:
        """Whether it was the last one. Of several, the first error is what all of them raise."""
        if self.several is not None:
            self.got.append(answer)
            if len(self.got) < self.several:
                return False
            answer = next((one for one in self.got if isinstance(one, Exception)), self.got)
        if not self.answer.done():
            if isinstance(answer, Exception):
                self.answer.set_exception(answer)
            else:
                self.answer.set_result(answer)
        return True


class _Wire(asyncio.Protocol):
    """Takes an open connection over from its stream."""

    def __init__(self, connection: Connection, *, timeout_s: float) -> None:
        self.connection = connection
        self.number: int | None = None
        self.lost = False
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._asked: deque[_Asked] = deque()
        self._commands = 0
        self._giving = False
        self._unsent: list[bytes] = []
        parser = connection._parser
        self._reader = hiredis.Reader(protocolError=exceptions.InvalidResponse, replyError=parser.parse_error)
        self._transport: asyncio.Transport = connection._writer.transport
        self._stream = self._transport.get_protocol()
        self._transport.set_protocol(self)
        self._watch = self._loop.call_later(timeout_s, self._look)

    def ask(self, packed: bytes, *, several: int | None = None) -> asyncio.Future[Any]:
        """The answer, or a list of so many. Raises ConnectionError when too many wait already, or too much of what was
        asked has not left yet.
        """
        if self._commands >= CALLS_AT_MOST or self._transport.get_write_buffer_size() > UNSENT_BYTES_AT_MOST:
            raise exceptions.ConnectionError("it does not keep up: too many calls wait for their answers")
        answer = self._loop.create_future()
        if not self._asked:
            self._transport.write(packed)
        else:
            # What many tasks ask in one turn of the loop goes out in one write.
            if not self._unsent:
                self._loop.call_soon(self._send)
            self._unsent.append(packed)
        self._asked.append(_Asked(answer, self._loop.time(), several))
        self._commands += several or 1
        return answer

    def _send(self) -> None:
        packed, self._unsent = self._unsent, []
        if not self.lost:
            self._transport.write(b"".join(packed))

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        if not self._giving:
            self._give()

    def _give(self, most: int = WOKEN_AT_ONCE) -> None:
        """Wake no more than so many of those whose answers are here; the others in the next turn."""
        self._giving = False
        woken = 0
        try:
            while self._asked and woken < most:
                if (answer := self._reader.gets()) is False:
                    return
                woken += self._settle(answer)
        except exceptions.InvalidResponse as error:
            self.close(error)
            return
        if self._asked and self._reader.has_data():
            self._giving = True
            self._loop.call_soon(self._give)

    def _settle(self, answer: Any) -> bool:
        """Whether somebody has all that they asked for."""
        asked = self._asked[0]
        whole = asked.settle(answer)
        self._commands -= 1
        if whole:
            self._asked.popleft()
        if isinstance(answer, exceptions.ReadOnlyError):
            # It was demoted: the next call finds the new master.
            if not asked.answer.done():
                asked.answer.set_exception(answer)
            self.close(answer)
        return whole

    def connection_lost(self, exc: Exception | None) -> None:
        # What was answered before needs no second call.
        self._give(len(self._asked))
        self.close(exc or EOFError("the connection was closed"))
        self._stream.connection_lost(exc)

    def _look(self) -> None:
        """Whether the oldest call waits for too long."""
        if self._asked and self._loop.time() - self._asked[0].at > self._timeout_s:
            self.close(exceptions.TimeoutError(f"no answer within {self._timeout_s:g} s"))
        if not self.lost:
            self._watch = self._loop.call_later(self._timeout_s / 2, self._look)

    def close(self, error: Exception) -> None:
        if self.lost:
            return
        self.lost = True
        self._watch.cancel()
        self._transport.abort()
        told = error if isinstance(error, exceptions.TimeoutError) else exceptions.ConnectionError(str(error))
        for asked in self._asked:
            if not asked.answer.done():
                asked.answer.set_exception(told)
        self._asked.clear()


class Script:
    """A Lua script, called by its digest; a Redis that does not know it is told."""

    def __init__(self, pipe: Pipe, source: str) -> None:
        self._pipe = pipe
        self._source = source
        self._sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, *, keys: Sequence[str], args: Sequence[Any], after: Sequence[Any] = ()) -> Any:
        """The script's answer. `after`: a command that goes before it, in the same trip."""
        command = ("EVALSHA", self._sha, len(keys), *keys, *args)
        try:
            if not after:
                return await self._pipe.call(*command)
            return (await self._pipe.calls(after, command))[1]
        except exceptions.NoScriptError:
            return await self._pipe.call("EVAL", self._source, len(keys), *keys, *args)
