"""What a client sees of many jobs, through every outage: the events, each counted."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import TypeVar

from arq.connections import ArqRedis

from shared.errors import QueueAway
from shared.events import START, Event, Events
from shared.jobs import FINAL, State

T = TypeVar("T")

LOOK_S = 0.1
TRIES = 200


async def insist(call: Callable[[], Awaitable[T]]) -> T:
    """Repeat a call while Redis is away, as a client does that got 503."""
    for _ in range(TRIES):
        try:
            return await call()
        except QueueAway:
            await asyncio.sleep(LOOK_S)
    raise TimeoutError("Redis stayed away")


class Watcher:
    """Follows the stream from its start; `ends` has each job's final states in order."""

    def __init__(self, redis: ArqRedis, blocking: ArqRedis) -> None:
        self.events = Events(redis, blocking=blocking)
        self.offset = START
        self.ends: defaultdict[str, list[State]] = defaultdict(list)

    async def look(self) -> None:
        """Read on, or find out within `LOOK_S` that nothing has happened."""
        happened = await insist(lambda: self.events.follow(self.offset, block_s=LOOK_S))
        for event in happened:
            self.offset = event.offset
            if isinstance(event, Event) and event.state in FINAL:
                self.ends[event.job].append(event.state)
