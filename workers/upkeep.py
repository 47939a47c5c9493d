"""Work that a job starts but does not wait for: building a collection's index after it has grown."""

import asyncio
import logging

from shared.errors import CliplineError
from workers.stores.protocol import VectorStore

logger = logging.getLogger(__name__)


class Upkeep:
    """At most one build for each collection; a request during one is remembered and answered by one more."""

    def __init__(self, store: VectorStore) -> None:
        self._store = store
        self._running: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()

    def optimize(self, stored: str) -> None:
        """Ask for a build soon; returns at once."""
        if stored in self._running:
            self._again.add(stored)
            return
        task = asyncio.create_task(self._optimize(stored))
        self._running[stored] = task
        task.add_done_callback(lambda _: self._ended(stored))

    async def close(self) -> None:
        """Give up what still runs; the next ingest or start asks again."""
        self._again.clear()
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _optimize(self, stored: str) -> None:
        try:
            await self._store.optimize(stored)
        except CliplineError as error:
            # A dropped collection, or a store that is away: searches still work, by exact scan.
            logger.info("%s is not optimised: %s", stored, error.detail)

    def _ended(self, stored: str) -> None:
        self._running.pop(stored, None)
        if stored in self._again:
            self._again.discard(stored)
            self.optimize(stored)
