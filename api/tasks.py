"""Ending tasks for certain."""

import asyncio
from asyncio import Task
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any

AGAIN_S = 0.2


async def end(tasks: Iterable[Task[Any]]) -> None:
    """Cancel until all have ended; a timeout inside redis-py 5 that passes just then swallows a cancellation."""
    tasks = set(tasks)
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=AGAIN_S)
    # Seen, so that asyncio does not complain of errors that nobody asked for.
    await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def running(*parts: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Tasks that last as long as the block."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        yield
    finally:
        await end(tasks)


async def until_one_ends(*parts: Coroutine[Any, Any, None]) -> None:
    """Run together; whoever ends first ends all, and its error is ours."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
    finally:
        await end(tasks)
