"""Takes one lane's jobs while there are free places: waiting for work and claiming it are one round trip.

The claim is sent right behind the `BLPOP` of the lane's tokens. Redis holds back what a blocked client sends,
so when a token comes, or the time is up, the claim runs at once and its answer is already on the way.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

from redis.exceptions import ResponseError

from shared.connection import redis_errors
from shared.errors import Unavailable
from shared.pipe import Pipe
from workers.claiming import Claims
from workers.outcome import Running

logger = logging.getLogger(__name__)

# Covers lost tokens.
FALLBACK_S = 0.5


class Taking:
    """One lane of a worker. `pipe` is a connection of its own: it waits most of the time."""

    def __init__(
        self,
        lane: str,
        *,
        places: int,
        pipe: Pipe,
        claims: Claims,
        start: Callable[[Running], None],
        hand_back: Callable[[Running], Awaitable[None]],
    ) -> None:
        self.lane = lane
        self.free = places
        self._places = places
        # Jobs that are through, and whose places are given away although Redis does not know it yet.
        self._finishing: set[str] = set()
        self._pipe = pipe
        self._claims = claims
        self._start = start
        self._hand_back = hand_back
        self._picking = True
        self._freed = asyncio.Event()

    async def serve(self) -> None:
        """Until told to stop, or cancelled."""
        wait_s = 0.0
        try:
            while self._picking:
                if self.free <= 0:
                    self._freed.clear()
                    await self._freed.wait()
                    continue
                try:
                    wait_s = await self._take(wait_s)
                except Unavailable as error:
                    logger.warning("no %s jobs can be taken: %s", self.lane, error)
                    await asyncio.sleep(random.uniform(0, FALLBACK_S))  # noqa: S311 - spreads the workers' return
        finally:
            # Nobody is left to hear of a token that comes now.
            self._pipe.close()

    async def _take(self, wait_s: float) -> float:
        """Returns how long to wait for a token before the next claim."""
        wanted = self.free
        claimed = await self._claims.take({self.lane: wanted}, wait_s=wait_s)
        for running in claimed.jobs:
            if self._picking:
                self.free -= 1
                self._start(running)
            else:
                await self._hand_back(running)
        if claimed.jobs:
            # They start before Redis is asked for more.
            await asyncio.sleep(0)
        if claimed.more or len(claimed.jobs) >= wanted:
            return 0.0
        return FALLBACK_S if claimed.next_s is None else min(FALLBACK_S, claimed.next_s)

    def finishing(self, running: Running) -> None:
        """The job's code is through: its place is free, unless Redis is slow to hear of as many jobs as there are."""
        if len(self._finishing) < self._places:
            self._finishing.add(running.job_id)
            self._free_one()

    def give_back(self, running: Running) -> None:
        """The job has left this worker, and its place is free if it was not before."""
        if running.job_id in self._finishing:
            self._finishing.remove(running.job_id)
        else:
            self._free_one()

    def _free_one(self) -> None:
        self.free += 1
        self._freed.set()

    def stop_picking(self) -> None:
        """Take no more; what a claim on its way brings is handed back."""
        self._picking = False
        self._freed.set()

    async def stop(self, other: Pipe) -> None:
        """As `stop_picking`, without waiting for news; `other` may be used to say so to Redis."""
        self.stop_picking()
        # If it cannot be said, or is forbidden, the wait ends by itself soon.
        with suppress(Unavailable, ResponseError), redis_errors():
            await self._pipe.unblock(other)
