"""Passes on what workers tell of jobs that take long, to those who hear of these jobs anyway."""

import asyncio
import logging

import msgspec
from arq.connections import ArqRedis

from api.dispatcher import Dispatcher
from shared import keys
from shared.clock import now_ms
from shared.connection import BLOCK_S, redis_errors
from shared.errors import Unavailable
from shared.events import Event
from shared.stages import Note, unpack

logger = logging.getLogger(__name__)

PAUSE_S = 0.5
# So many running jobs are kept in mind; of the others no stages are told.
MOST = 10_000


class Stages:
    """A note counts while its job is known to run: none comes after an end, and none is kept for a reconnect."""

    def __init__(self, blocking: ArqRedis, dispatcher: Dispatcher) -> None:
        self.blocking = blocking
        self.dispatcher = dispatcher
        self._running: dict[str, Event] = {}
        dispatcher.observers.append(self.note)

    def note(self, event: Event) -> None:
        if event.state != "running":
            self._running.pop(event.job, None)
        elif len(self._running) < MOST:
            self._running[event.job] = event

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                with redis_errors():
                    await self._listen()
            except Unavailable as error:
                logger.debug("stages are not heard: %s", error)
            except msgspec.DecodeError:
                logger.exception("a note of stages cannot be read")
            await asyncio.sleep(PAUSE_S)

    async def _listen(self) -> None:
        async with self.blocking.pubsub() as channel:
            await channel.subscribe(keys.STAGES)
            while True:
                message = await channel.get_message(ignore_subscribe_messages=True, timeout=BLOCK_S)
                if message is not None:
                    for note in unpack(message["data"]):
                        self.tell(note)

    def tell(self, note: Note) -> None:
        known = self._running.get(note.job)
        if known is not None and self.dispatcher.is_heard(known):
            now = {"offset": self.dispatcher.position, "at_ms": now_ms()}
            self.dispatcher.tell(
                msgspec.structs.replace(known, stage=note.stage, done=note.done, total=note.total, **now)
            )
