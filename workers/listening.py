"""Hears what Redis calls out to a worker: there is work, stop that job, drain."""

import asyncio
from collections.abc import Callable

from arq.connections import ArqRedis

from shared import keys
from shared.connection import BLOCK_S, redis_errors
from shared.errors import Unavailable
from shared.fleet import DRAIN
from shared.pipe import Pipe

PAUSE_S = 0.5


class Wakes:
    """Takes tokens from the wake list, one for each new job, while the worker has room."""

    def __init__(
        self, *, blocking: ArqRedis, redis: ArqRedis, wants: Callable[[], bool], wake: Callable[[], None]
    ) -> None:
        self.room = asyncio.Event()
        self._blocking = Pipe(blocking, timeout_s=3 * BLOCK_S)
        self._redis = redis
        self._wants = wants
        self._wake = wake

    async def listen(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await self.room.wait()
                try:
                    with redis_errors():
                        await self._one()
                except Unavailable:
                    await asyncio.sleep(PAUSE_S)
        finally:
            # Nobody is left to hear of a token that comes now.
            self._blocking.close()

    async def _one(self) -> None:
        token = await self._blocking.call("BLPOP", keys.WAKE, BLOCK_S)
        if token is None:
            return
        if self._wants():
            self._wake()
        else:
            # Not for us, who are full: pass the token on.
            self.room.clear()
            await self._redis.lpush(keys.WAKE, *token[1:])


class Control:
    """Hears of jobs that shall stop and of workers that shall drain.

    What is missed here arrives with the next renewal of a lease, or the next heartbeat.
    """

    def __init__(self, *, blocking: ArqRedis, worker_id: str, stop: Callable[[str], None], drain: Callable[[], None]):
        self._blocking = blocking
        self._own_drain = DRAIN + worker_id
        self._stop = stop
        self._drain = drain

    async def listen(self) -> None:
        """Until cancelled."""
        while True:
            try:
                with redis_errors():
                    await self._subscribed()
            except Unavailable:
                await asyncio.sleep(PAUSE_S)

    async def _subscribed(self) -> None:
        async with self._blocking.pubsub() as channel:
            await channel.subscribe(keys.CONTROL)
            while True:
                message = await channel.get_message(ignore_subscribe_messages=True, timeout=BLOCK_S)
                if message is not None:
                    self._hear(message["data"].decode())

    def _hear(self, text: str) -> None:
        if text == self._own_drain:
            self._drain()
        elif not text.startswith(DRAIN):
            self._stop(text)
