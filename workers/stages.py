"""Tells what jobs that take long are doing: many together, now and then; a quick job costs no word to Redis."""

import asyncio
import logging

from arq.connections import ArqRedis

from shared import keys
from shared.connection import redis_errors
from shared.errors import CliplineError
from shared.stages import Note, Stage, pack

logger = logging.getLogger(__name__)

EVERY_S = 0.5


class Stages:
    """One note for each job that runs here; of those that were there at the last look already, changes are told."""

    def __init__(self) -> None:
        self._now: dict[str, Note] = {}
        self._known: set[str] = set()
        self._told: dict[str, Note] = {}

    def enter(self, job_id: str, stage: Stage, *, done: int | None = None, total: int | None = None) -> None:
        self._now[job_id] = Note(job_id, stage, done, total)

    def leave(self, job_id: str) -> None:
        self._now.pop(job_id, None)
        self._told.pop(job_id, None)
        self._known.discard(job_id)

    def changes(self) -> list[Note]:
        """What has not been told yet, of jobs that have been here for a look."""
        changed = [note for job, note in self._now.items() if job in self._known and self._told.get(job) != note]
        self._known = set(self._now)
        self._told |= {note.job: note for note in changed}
        return changed

    async def run(self, redis: ArqRedis) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.tell(redis)
            except CliplineError as error:
                logger.debug("stages are not told: %s", error)

    async def tell(self, redis: ArqRedis) -> None:
        if changed := self.changes():
            with redis_errors():
                await redis.publish(keys.STAGES, pack(changed))
