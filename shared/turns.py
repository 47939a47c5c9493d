"""Work of an event loop in small pieces, so that what else is due comes in between.

What belongs to one batch is ready at the same time: done in one turn of the loop, it would keep everything else waiting
for all of it. The sum is the same, and so is the order.
"""

import asyncio
from asyncio import Future
from collections import deque
from collections.abc import AsyncIterator, Iterable
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

# A search whose hits are there has half a millisecond left to do, on a busy host. On two slow CPUs a worker's loop was
# late by 14 ms (p99) with eight, 11 with four, 7.5 with two, and as many searches were answered (bench/RESULTS.md,
# "Turns of the event loop").
AT_ONCE = 2


async def spread(items: Iterable[T], *, at_once: int = AT_ONCE) -> AsyncIterator[T]:
    """The items, no more than so many in one turn."""
    for number, item in enumerate(items):
        if number and number % at_once == 0:
            await asyncio.sleep(0)
        yield item


class Turns:
    """Lets so many tasks go on, and a turn later the next ones, in the order in which they came.

    Belongs to one event loop. Bounded by those who wait: each is a task that exists anyway.
    """

    def __init__(self, *, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._gone = 0
        self._resets = False
        self._waiting: deque[Future[None]] = deque()

    async def mine(self) -> None:
        """Waits only where enough have gone on in this turn, or others wait already."""
        if self._waiting or self._gone >= self._at_once:
            mine = asyncio.get_running_loop().create_future()
            self._waiting.append(mine)
            try:
                await mine
            finally:
                # Until now, so that who comes meanwhile does not overtake it.
                self._waiting.remove(mine)
                self._reset_soon()
        self._gone += 1
        self._reset_soon()

    def _reset_soon(self) -> None:
        if not self._resets:
            self._resets = True
            asyncio.get_running_loop().call_soon(self._reset)

    def _reset(self) -> None:
        self._resets, self._gone = False, 0
        for one in islice(self._waiting, self._at_once):
            if not one.done():
                one.set_result(None)
