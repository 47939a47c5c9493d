"""Hears what Redis calls out to a worker: stop that job, drain."""

import asyncio
from collections.abc import Callable

from arq.connections import ArqRedis

from shared import keys
from shared.connection import BLOCK_S, redis_errors
from shared.errors import Unavailable
from shared.fleet import DRAIN

PAUSE_S = 0.5


class Control:
    """Hears of jobs that shall stop and of workers that shall drain.

    What is missed here arrives with the next renewal of a lease, or the next heartbeat.
    """

    def __init__(
        self, *, blocking: ArqRedis, worker_id: str, stop: Callable[[str, str], None], drain: Callable[[], None]
    ):
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
            why, _, job_id = text.rpartition(" ")
            self._stop(job_id, why or "cancelled")
