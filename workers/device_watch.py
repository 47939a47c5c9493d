"""Notices a device that hangs: it raises nothing, and its worker would take jobs for ever that all run out of time."""

import asyncio
import logging
from collections.abc import Sequence

from workers.batcher import Batcher
from workers.encoding import Batch

logger = logging.getLogger(__name__)

EVERY_S = 1.0


class DeviceWatch:
    """Takes a device out of service that works at one batch for longer than `most_s`.

    It counts its looks, not the time: a process that was stopped for a while had no time to end its batch either.
    """

    def __init__(self, batchers: Sequence[Batcher], *, most_s: float, every_s: float = EVERY_S) -> None:
        self._batchers = batchers
        self._most_s, self._every_s = most_s, every_s
        self._seen: dict[tuple[int, int], tuple[Batch, int]] = {}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            for number, batcher in enumerate(self._batchers):
                self._look(number, batcher)

    def _look(self, number: int, batcher: Batcher) -> None:
        for part, batch in enumerate(batcher.at):
            before, looks = self._seen.get((number, part), ((), 0))
            looks = looks + 1 if batch and batch is before else 0
            self._seen[number, part] = batch, looks
            if looks * self._every_s > self._most_s:
                logger.critical("the device is out of service: at one batch of %d for %.0f s", len(batch), self._most_s)
                self._seen[number, part] = (), 0
                batcher.give_up(batch)
