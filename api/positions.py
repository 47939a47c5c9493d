"""Tells whose jobs wait how many come first, whenever that changes: one look a second at the head of each lane."""

import asyncio
import logging
from collections.abc import Sequence

import msgspec
from arq.connections import ArqRedis

from api.dispatcher import Dispatcher
from shared import keys
from shared.clock import now_ms
from shared.connection import redis_errors
from shared.errors import CliplineError
from shared.events import Event
from shared.jobs import LANES

logger = logging.getLogger(__name__)

EVERY_S = 1.0
# Who waits further behind learns of its place when it comes closer; also how many waiting jobs are kept in mind.
HEAD = 500
# Scores from here on are times, of jobs that run or may not run yet; below are tags of those that wait.
FIRST_TIME = 1_000_000_000_000


class Positions:
    """A job that starts within a second costs a dictionary entry and no word to Redis."""

    def __init__(self, redis: ArqRedis, dispatcher: Dispatcher, lanes: Sequence[str] = LANES) -> None:
        self.redis = redis
        self.lanes = lanes
        self.dispatcher = dispatcher
        self._waiting: dict[str, Event] = {}
        dispatcher.observers.append(self.note)

    def note(self, event: Event) -> None:
        if event.state != "queued":
            self._waiting.pop(event.job, None)
        elif len(self._waiting) < 2 * HEAD:
            self._waiting[event.job] = event

    async def run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.look()
            except CliplineError as error:
                logger.debug("places are not known: %s", error)

    async def look(self) -> None:
        """Tell what has changed since the last look."""
        wanted = {job for job, event in self._waiting.items() if self.dispatcher.is_heard(event)}
        if not wanted:
            return
        for head in await self._heads():
            for position, job in enumerate(head):
                known = self._waiting.get(job) if job in wanted else None
                if known is not None and known.position != position:
                    self._waiting[job] = msgspec.structs.replace(known, position=position)
                    self.dispatcher.tell(self._now(self._waiting[job]))

    def _now(self, event: Event) -> Event:
        return msgspec.structs.replace(event, offset=self.dispatcher.position, at_ms=now_ms())

    async def _heads(self) -> list[list[str]]:
        with redis_errors():
            async with self.redis.pipeline(transaction=False) as pipe:
                for lane in self.lanes:
                    pipe.zrangebyscore(keys.queue(lane), "-inf", f"({FIRST_TIME}", start=0, num=HEAD)
                rows = await pipe.execute()
        return [[raw.decode() for raw in row] for row in rows]
