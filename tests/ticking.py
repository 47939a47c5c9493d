"""Tells the turns of an event loop apart."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Clock:
    """Counts the turns of the event loop."""

    turn = 0


@asynccontextmanager
async def ticking() -> AsyncIterator[Clock]:
    clock = Clock()

    async def tick() -> None:
        while True:
            await asyncio.sleep(0)
            clock.turn += 1

    task = asyncio.create_task(tick())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    try:
        yield clock
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
